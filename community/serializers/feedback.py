from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

from common import serializers
from common.fields import NewAddressField
from community.models import Feedback


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A question",
            {
                "name": "Анна",
                "email": "anna@example.com",
                "subject": "Не открывается урок",
                "message": "Третий урок курса по Python не загружается.",
            },
            request_only=True,
        )
    ]
)
class FeedbackFormSerializer(serializers.ModelSerializer):
    """What anyone sends, and gets back."""

    email = NewAddressField()

    class Meta:
        model = Feedback
        fields = ("id", "name", "email", "subject", "message", "status", "created_at")
        read_only_fields = ("status",)


class FeedbackSerializer(serializers.ModelSerializer):
    """The same for those who read and answer it. `user` is whoever was signed in, `answer_sent_at` when the letter with
    the latest answer went out."""

    email = serializers.CharField(read_only=True, help_text="Empty once its writer has left.")
    answer = serializers.CharField(max_length=10_000, required=False)
    answer_sent_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Feedback
        fields = (
            "id",
            "user",
            "name",
            "email",
            "subject",
            "message",
            "language",
            "status",
            "answer",
            "answered_at",
            "answered_by",
            "answer_sent_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = tuple(name for name in fields if name not in {"status", "answer"})

    def validate_answer(self, answer: str) -> str:
        if self.instance and not self.instance.email:
            raise serializers.ValidationError(_("Whoever wrote this has left: an answer would reach nobody."))
        return answer

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {name: attrs[name] for name in ("status", "answer") if name in attrs}
