from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework.reverse import reverse

from assignments.serializers.fields import PersonSerializer
from common import serializers
from common.errors import invalid
from common.uploads import DocumentField
from community.models import Conversation, Message
from users.serializers import OwnerSerializer


class MessageSerializer(serializers.ModelSerializer):
    """`file` is an address that the two of the conversation alone may read."""

    sender = PersonSerializer(read_only=True)
    text = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    file = DocumentField(required=False, allow_null=True)

    class Meta:
        model = Message
        fields = ("id", "conversation", "sender", "text", "file", "file_name", "created_at")
        read_only_fields = ("conversation", "file_name")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The content of a message, as the service takes it: text, file and file_name."""
        file, text = attrs.get("file"), attrs.get("text", "")
        if not file and not text:
            raise invalid("text", "required", _("Send a text, a file or both."))
        return {"text": text, "file": file or "", "file_name": file.original_name if file else ""}

    def to_representation(self, message: Message) -> dict[str, Any]:
        data = super().to_representation(message)
        kwargs = {"conversation_pk": message.conversation_id, "pk": message.pk}
        address = reverse("message-file", kwargs=kwargs, request=self.context["request"])
        return {**data, "file": address if message.file else None}


class ConversationSerializer(serializers.ModelSerializer):
    """A conversation as one of its two sees it: `participants` are the others."""

    participants = serializers.SerializerMethodField()
    last_message = MessageSerializer(read_only=True, allow_null=True)
    unread_count = serializers.IntegerField(read_only=True)
    is_blocked = serializers.SerializerMethodField(help_text="Whether the caller has blocked the other.")

    class Meta:
        model = Conversation
        fields = (
            "id",
            "participants",
            "last_message",
            "last_message_at",
            "unread_count",
            "is_blocked",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(OwnerSerializer(many=True))
    def get_participants(self, conversation: Conversation) -> Any:
        people = [participant.user for participant in conversation.others]
        return OwnerSerializer(people, many=True, context=self.context).data

    def get_is_blocked(self, conversation: Conversation) -> bool:
        return conversation.my_blocked_at is not None


class FirstMessageSerializer(serializers.Serializer):
    recipient = serializers.UUIDField()
    text = serializers.CharField(max_length=10_000)


class LastSeenSerializer(serializers.Serializer):
    message = serializers.UUIDField(
        required=False, help_text="The last message that the person has seen; without it, all are read."
    )
