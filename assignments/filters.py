from django_filters import rest_framework as filters

from assignments.models import Attempt, Certificate, Quiz, Submission
from common.filters import BooleanFilter


class SubmissionFilter(filters.FilterSet):
    student = filters.UUIDFilter(field_name="student_id")

    class Meta:
        model = Submission
        fields = ("status", "student")


class AttemptFilter(filters.FilterSet):
    student = filters.UUIDFilter(field_name="student_id")

    class Meta:
        model = Attempt
        fields = ("state", "student")


class MyAttemptFilter(filters.FilterSet):
    course = filters.UUIDFilter(field_name="quiz__course_id")
    quiz = filters.UUIDFilter(field_name="quiz_id")

    class Meta:
        model = Attempt
        fields = ("course", "quiz", "state")


class QuizFilter(filters.FilterSet):
    lesson = filters.UUIDFilter(field_name="lesson_id")
    is_final = BooleanFilter()

    class Meta:
        model = Quiz
        fields = ("lesson", "is_final")


class MySubmissionFilter(filters.FilterSet):
    course = filters.UUIDFilter(field_name="assignment__lesson__course_id")
    assignment = filters.UUIDFilter(field_name="assignment_id")

    class Meta:
        model = Submission
        fields = ("course", "assignment", "status")


class CertificateFilter(filters.FilterSet):
    student = filters.UUIDFilter(field_name="student_id")
    course = filters.UUIDFilter(field_name="course_id")

    class Meta:
        model = Certificate
        fields = ("status", "student", "course")


class CabinetFilter(filters.FilterSet):
    """The cabinet by the state of an enrollment at this moment. `all` also holds what has left the cabinet."""

    status = filters.ChoiceFilter(
        method="by_status", choices=[(name, name) for name in ("active", "completed", "expired", "all")]
    )

    def by_status(self, queryset, name, value):
        return queryset if value == "all" else queryset.with_current_status(value)
