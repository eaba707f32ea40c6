"""The shapes of progress, the cabinet, the dashboard and what teachers read of a course."""

import math
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer

from assignments.models import Assignment
from assignments.serializers.certificates import CertificateSerializer
from assignments.serializers.fields import NumberField, StudentSerializer
from common import serializers
from materials.models import Course, Enrollment


class RemainingSerializer(serializers.Serializer):
    """Something that the course still asks for."""

    kind = serializers.ChoiceField(choices=["lesson", "assignment", "quiz"])
    id = serializers.UUIDField()
    title = serializers.CharField()
    lesson = serializers.UUIDField(
        source="lesson_id", allow_null=True, help_text="What it stands under, of a lesson itself; null: the course."
    )
    lesson_title = serializers.CharField(allow_null=True)
    course = serializers.UUIDField(source="course_id")
    course_title = serializers.CharField()


class ProgressSerializer(serializers.Serializer):
    """How far somebody has come. `percent` is of the lessons; `remaining` is all that is left before the course is
    completed, in the order of the course."""

    percent = serializers.IntegerField(min_value=0, max_value=100)
    completed_lessons = serializers.IntegerField()
    total_lessons = serializers.IntegerField()
    completed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    remaining = RemainingSerializer(many=True)


class ListedProgressSerializer(ProgressSerializer):
    """The same in a list: `remaining` holds the next things, and `remaining_count` says how many there are."""

    remaining = RemainingSerializer(many=True, source="next_things")
    remaining_count = serializers.IntegerField()


class SecondsField(serializers.IntegerField):
    """Whole seconds. A browser's player counts in parts of them: what is behind the point does not count."""

    def to_internal_value(self, data: Any) -> int:
        return super().to_internal_value(int(data) if isinstance(data, float) and math.isfinite(data) else data)


class PositionSerializer(serializers.Serializer):
    position_seconds = SecondsField(min_value=0, max_value=1_000_000)


class ProgressAtSerializer(ProgressSerializer):
    """The course's progress, and where the lesson's video was stopped."""

    position_seconds = serializers.IntegerField()


class CourseBriefSerializer(serializers.ModelSerializer):
    """A course in one line."""

    class Meta:
        model = Course
        fields = ("id", "title", "preview", "level", "language", "status", "lesson_count")
        read_only_fields = fields


class LessonBriefSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    order = serializers.IntegerField()


class MyCourseSerializer(serializers.ModelSerializer):
    """An enrollment in its student's cabinet."""

    course = CourseBriefSerializer(read_only=True)
    status = serializers.ChoiceField(choices=Enrollment.Status.choices, source="current_status", read_only=True)
    progress = serializers.SerializerMethodField()
    next_lesson = serializers.SerializerMethodField()

    class Meta:
        model = Enrollment
        fields = (
            "id",
            "course",
            "source",
            "status",
            "created_at",
            "completed_at",
            "expires_at",
            "removed_at",
            "progress",
            "next_lesson",
        )
        read_only_fields = fields

    @extend_schema_field(ListedProgressSerializer)
    def get_progress(self, enrollment: Enrollment) -> Any:
        return ListedProgressSerializer(enrollment.progress).data

    @extend_schema_field(LessonBriefSerializer(allow_null=True))
    def get_next_lesson(self, enrollment: Enrollment) -> Any:
        """Null where the student does not get in: access has run out, or the course is a draft again."""
        is_closed = not enrollment.is_open or enrollment.course.status == Course.Status.DRAFT
        lesson = None if is_closed else enrollment.progress.next_lesson
        return LessonBriefSerializer(lesson).data if lesson else None


class CourseStudentSerializer(serializers.ModelSerializer):
    """A student of one's course."""

    student = StudentSerializer(source="user", read_only=True)
    status = serializers.ChoiceField(choices=Enrollment.Status.choices, source="current_status", read_only=True)
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Enrollment
        fields = ("student", "source", "status", "created_at", "completed_at", "expires_at", "progress")
        read_only_fields = fields

    @extend_schema_field(ListedProgressSerializer)
    def get_progress(self, enrollment: Enrollment) -> Any:
        return ListedProgressSerializer(enrollment.progress).data


class GradebookItemSerializer(serializers.Serializer):
    """A column: an assignment, scored in points, or a quiz, scored in percent by the best attempt."""

    kind = serializers.ChoiceField(choices=["assignment", "quiz"])
    id = serializers.UUIDField()
    title = serializers.CharField()
    max_score = serializers.IntegerField()


class GradebookRowSerializer(serializers.Serializer):
    student = StudentSerializer()
    scores = serializers.DictField(
        read_only=True,
        child=NumberField(allow_null=True),
        help_text="By the item's id; null where nothing has been graded.",
    )
    total = NumberField()


@extend_schema_serializer(many=False)  # a page, and not a list of pages
class GradebookSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    items = GradebookItemSerializer(many=True)
    max_total = serializers.IntegerField()
    results = GradebookRowSerializer(many=True)


class LessonStatisticsSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    order = serializers.IntegerField()
    completed = serializers.IntegerField(help_text="How many students.")
    drop_off = serializers.IntegerField(
        help_text="How many completed the lesson before it (of the first: enrolled) and not this one."
    )


class QuestionStatisticsSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    text = serializers.CharField()
    points = NumberField()
    answered = serializers.IntegerField(help_text="In how many submitted attempts.")
    correct = serializers.IntegerField()
    average_points = NumberField()


class QuizStatisticsSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    is_final = serializers.BooleanField()
    attempts = serializers.IntegerField(help_text="Submitted ones.")
    students = serializers.IntegerField()
    passed = serializers.IntegerField(help_text="Attempts.")
    average_score = NumberField(allow_null=True)
    questions = QuestionStatisticsSerializer(many=True)


class AnalyticsSerializer(serializers.Serializer):
    enrolled = serializers.IntegerField()
    started = serializers.IntegerField(help_text="At least one lesson completed.")
    completed = serializers.IntegerField()
    lessons = LessonStatisticsSerializer(many=True)
    quizzes = QuizStatisticsSerializer(many=True)


# --- The dashboard ---------------------------------------------------------------------------------------------------


class DashboardCourseSerializer(serializers.Serializer):
    course = CourseBriefSerializer()
    percent = serializers.IntegerField()
    next_lesson = LessonBriefSerializer(allow_null=True)


class DueAssignmentSerializer(serializers.ModelSerializer):
    lesson_title = serializers.CharField(source="lesson.title", read_only=True)
    course = serializers.UUIDField(source="lesson.course_id", read_only=True)
    course_title = serializers.CharField(source="lesson.course.title", read_only=True)

    class Meta:
        model = Assignment
        fields = ("id", "title", "due_at", "max_score", "lesson", "lesson_title", "course", "course_title")
        read_only_fields = fields


class DashboardPartSerializer(serializers.Serializer):
    """This app's members of the dashboard."""

    courses_in_progress = DashboardCourseSerializer(many=True)
    due_assignments = DueAssignmentSerializer(many=True)
    certificates = CertificateSerializer(many=True)
