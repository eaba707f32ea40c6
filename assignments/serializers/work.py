"""The shapes of assignments, submissions and comments."""

from typing import Any

from django.db.models import Max
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework.reverse import reverse

from assignments.models import Assignment, Comment, Submission
from assignments.serializers.fields import NumberField, PersonSerializer
from common import serializers
from common.errors import invalid
from common.fields import EndDateTimeField, OptionalBooleanField
from common.uploads import DocumentField
from materials.serializers import PartialSaveMixin


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Due in a week, 10 % off for each day late",
            {
                "title": "Звёздная карта",
                "description": "Нарисуйте карту неба над вашим городом.",
                "due_at": "2026-12-01T18:00:00Z",
                "max_score": 100,
                "allow_late": True,
                "late_penalty_percent_per_day": 10,
            },
            request_only=True,
        )
    ]
)
class AssignmentSerializer(PartialSaveMixin, serializers.ModelSerializer):
    due_at = EndDateTimeField(required=False, allow_null=True)
    allow_late = OptionalBooleanField(required=False)
    resubmissions_allowed = OptionalBooleanField(required=False)

    class Meta:
        model = Assignment
        fields = (
            "id",
            "lesson",
            "title",
            "description",
            "due_at",
            "max_score",
            "allow_late",
            "late_penalty_percent_per_day",
            "resubmissions_allowed",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("lesson",)

    def validate_max_score(self, value: int) -> int:
        given = self.instance.submissions.aggregate(highest=Max("raw_score"))["highest"] if self.instance else None
        if given is not None and given > value:
            raise serializers.ValidationError(_("Somebody has been given a higher score."), code="min_value")
        return value


class SubmissionSerializer(serializers.ModelSerializer):
    """One version of somebody's work. `score` is `raw_score` less `late_penalty`; null until it is graded."""

    text = serializers.CharField(max_length=100_000, required=False, allow_blank=True, trim_whitespace=False)
    file = DocumentField(required=False, allow_null=True)
    student = PersonSerializer(read_only=True)
    raw_score = NumberField(read_only=True, allow_null=True)
    late_penalty = NumberField(read_only=True)
    score = NumberField(read_only=True, allow_null=True)
    max_score = serializers.IntegerField(source="assignment.max_score", read_only=True)

    class Meta:
        model = Submission
        fields = (
            "id",
            "assignment",
            "student",
            "version",
            "is_latest",
            "text",
            "file",
            "file_name",
            "status",
            "raw_score",
            "late_penalty",
            "score",
            "max_score",
            "feedback",
            "submitted_at",
            "graded_at",
            "graded_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = (
            "assignment", "version", "is_latest", "file_name", "status", "feedback", "submitted_at", "graded_at",
            "graded_by",
        )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The content of a version, as the services take it: text, file and file_name."""
        file = attrs.get("file")
        text = attrs.get("text", "")
        if not file and not text.strip():
            raise invalid("text", "required", _("Send a text, a file or both."))
        return {"text": text, "file": file or "", "file_name": file.original_name if file else ""}

    def to_representation(self, submission: Submission) -> dict[str, Any]:
        data = super().to_representation(submission)
        data["file"] = self._link(submission) if submission.file else None
        return data

    def _link(self, submission: Submission) -> str:
        """Where the file is given out: it has no address of its own."""
        lesson = submission.assignment.lesson
        kwargs = {
            "course_pk": lesson.course_id,
            "lesson_pk": lesson.pk,
            "assignment_pk": submission.assignment_id,
            "pk": submission.pk,
        }
        return reverse("submission-file", kwargs=kwargs, request=self.context["request"])


class GradeSerializer(serializers.Serializer):
    score = NumberField(min_value=0, max_digits=7, required=False, allow_null=True, help_text="Needed to grade.")
    feedback = serializers.CharField(max_length=20_000, required=False, allow_blank=True, default="")
    status = serializers.ChoiceField(
        choices=[Submission.Status.GRADED, Submission.Status.RETURNED], default=Submission.Status.GRADED
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["status"] == Submission.Status.GRADED and attrs.get("score") is None:
            raise invalid("score", "required", _("A grade needs a score."))
        return attrs


class CommentSerializer(PartialSaveMixin, serializers.ModelSerializer):
    author = PersonSerializer(read_only=True)
    text = serializers.CharField(max_length=5000)

    class Meta:
        model = Comment
        fields = ("id", "author", "text", "lesson", "assignment", "submission", "created_at", "updated_at")
        read_only_fields = ("lesson", "assignment", "submission")
