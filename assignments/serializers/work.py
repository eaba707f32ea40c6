"""The shapes of assignments, submissions and comments."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework.reverse import reverse

from assignments.models import (
    LISTED_CHARACTERS,
    WORK_FIELDS,
    Assignment,
    Comment,
    Submission,
    SubmissionVersion,
    Work,
)
from assignments.serializers.fields import ANY_STUDENT, NumberField, PersonSerializer, shown_student
from common import serializers
from common.errors import invalid
from common.fields import EndDateTimeField, OptionalBooleanField
from common.uploads import DocumentField
from common.writing import HoldsRules, SavesWhatWasSent


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
class AssignmentSerializer(HoldsRules, SavesWhatWasSent, serializers.ModelSerializer):
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


class LongTextField(serializers.CharField):
    """A text; in a list its beginning, as far as the query has brought it along (`for_listing`)."""

    def get_attribute(self, instance: Any) -> Any:
        start = getattr(instance, f"{self.field_name}_start", None)
        if start is None:
            return super().get_attribute(instance)
        return start if len(start) <= LISTED_CHARACTERS else f"{start[:LISTED_CHARACTERS]}…"


class VersionSerializer(serializers.ModelSerializer):
    """One version of somebody's work. `score` is `raw_score` less `late_penalty`; null until it is graded."""

    text = LongTextField(read_only=True)
    file = serializers.SerializerMethodField()
    raw_score = NumberField(read_only=True, allow_null=True)
    late_penalty = NumberField(read_only=True)
    score = NumberField(read_only=True, allow_null=True)
    feedback = LongTextField(read_only=True)

    class Meta:
        model = SubmissionVersion
        fields = WORK_FIELDS
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_file(self, version: Work) -> str | None:
        return file_link(version, self.context, f"?version={version.version}")


def file_link(version: Work, context: dict[str, Any], query: str = "") -> str | None:
    """Where the file of a version is given out: it has no address of its own."""
    if not version.file:
        return None
    submission = getattr(version, "submission", version)
    lesson = submission.assignment.lesson
    kwargs = {
        "course_pk": lesson.course_id,
        "lesson_pk": lesson.pk,
        "assignment_pk": submission.assignment_id,
        "pk": submission.pk,
    }
    return reverse("submission-file", kwargs=kwargs, request=context["request"]) + query


class MySubmissionSerializer(serializers.ModelSerializer):
    """Somebody's work, as its latest version stands, with the titles of what it belongs to."""

    text = LongTextField(max_length=100_000, required=False, allow_blank=True, trim_whitespace=False)
    file = DocumentField(required=False, allow_null=True)
    student = serializers.SerializerMethodField()
    raw_score = NumberField(read_only=True, allow_null=True)
    late_penalty = NumberField(read_only=True)
    score = NumberField(read_only=True, allow_null=True)
    feedback = LongTextField(read_only=True)
    assignment_title = serializers.CharField(source="assignment.title", read_only=True)
    due_at = serializers.DateTimeField(source="assignment.due_at", read_only=True, allow_null=True)
    max_score = serializers.IntegerField(source="assignment.max_score", read_only=True)
    lesson = serializers.UUIDField(source="assignment.lesson_id", read_only=True)
    lesson_title = serializers.CharField(source="assignment.lesson.title", read_only=True)
    course = serializers.UUIDField(source="assignment.lesson.course_id", read_only=True)
    course_title = serializers.CharField(source="assignment.lesson.course.title", read_only=True)

    class Meta:
        model = Submission
        fields: tuple[str, ...] = (
            "id",
            "assignment",
            "assignment_title",
            "due_at",
            "max_score",
            "lesson",
            "lesson_title",
            "course",
            "course_title",
            "student",
            "version",
            "text",
            "file",
            "file_name",
            "status",
            "raw_score",
            "late_penalty",
            "score",
            "feedback",
            "submitted_at",
            "graded_at",
            "graded_by",
            "created_at",
            "updated_at",
        )
        read_only_fields: tuple[str, ...] = (
            "assignment", "version", "file_name", "status", "submitted_at", "graded_at", "graded_by",
        )  # fmt: skip

    @extend_schema_field(ANY_STUDENT)
    def get_student(self, submission: Submission) -> Any:
        return shown_student(submission.student, submission.assignment.lesson.course, self.context)

    def to_representation(self, submission: Submission) -> dict[str, Any]:
        return {**super().to_representation(submission), "file": file_link(submission, self.context)}


class SubmissionSerializer(MySubmissionSerializer):
    """The same with all its versions, the first one first. The last of them is the one that counts."""

    versions = VersionSerializer(many=True, read_only=True)

    class Meta(MySubmissionSerializer.Meta):
        fields = (*MySubmissionSerializer.Meta.fields, "versions")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The content of a version, as the services take it: text, file and file_name."""
        file = attrs.get("file")
        text = attrs.get("text", "")
        if not file and not text.strip():
            raise invalid("text", "required", _("Send a text, a file or both."))
        return {"text": text, "file": file or "", "file_name": file.original_name if file else ""}


class GradeSerializer(serializers.Serializer):
    score = NumberField(min_value=0, max_digits=7, required=False, allow_null=True, help_text="Needed to grade.")
    feedback = serializers.CharField(max_length=20_000, required=False, allow_blank=True, default="")
    status = serializers.ChoiceField(
        choices=[Submission.Status.GRADED, Submission.Status.RETURNED], default=Submission.Status.GRADED
    )
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="The version that has been read; without it, whichever is the latest."
    )

    @serializers.rule("status", "score")
    def check_score(self, attrs: dict[str, Any]) -> None:
        if attrs["status"] == Submission.Status.GRADED and attrs.get("score") is None:
            raise invalid("score", "required", _("A grade needs a score."))


class CommentSerializer(SavesWhatWasSent, serializers.ModelSerializer):
    author = serializers.SerializerMethodField()
    text = serializers.CharField(max_length=5000)

    class Meta:
        model = Comment
        fields = ("id", "author", "text", "lesson", "assignment", "submission", "created_at", "updated_at")
        read_only_fields = ("lesson", "assignment", "submission")

    @extend_schema_field(ANY_STUDENT)
    def get_author(self, comment: Comment) -> Any:
        """Under their own work, students have names for their teachers."""
        submission = self.context.get("submission")
        if submission is not None and submission.student_id == comment.author_id:
            return shown_student(comment.author, submission.assignment.lesson.course, self.context)
        return PersonSerializer(comment.author, context=self.context).data
