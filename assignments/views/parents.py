"""What stands before `assignments/` in a path: found in one query with all that is above it, 404 where they do not
belong together."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request

from assignments.models import Assignment, Attempt, Quiz, Submission
from common.errors import RuleBroken
from materials import access
from materials.models import Course, Lesson
from materials.views import visible_course


def path_parameters(*names: str) -> list[OpenApiParameter]:
    return [OpenApiParameter(f"{name}_pk", OpenApiTypes.UUID, OpenApiParameter.PATH) for name in names]


def check_own_work(check: Callable[[], None], mine: QuerySet[Any]) -> None:
    """The content gate before somebody's own work, which stays readable when access has run out, and when a lesson has
    been put before it later: then there is some."""
    try:
        check()
    except RuleBroken as refusal:
        reason = refusal.get_codes()
        if reason != access.ACCESS_EXPIRED and not (reason in access.READING_OWN_WORK and mine.exists()):
            raise


class InCourse:
    """A view under `/courses/{course_pk}/`."""

    kwargs: dict[str, Any]
    request: Request

    @cached_property
    def course(self) -> Course:
        return visible_course(self)  # type: ignore[arg-type]

    def above(self, prefix: str = "") -> dict[str, Any]:
        """The path's course as a filter of what stands under it; nothing, if the caller may not know of it."""
        visible = Course.objects.visible_to(self.request.user).order_by().values("pk")
        return {f"{prefix}course": self.kwargs["course_pk"], f"{prefix}course__in": visible}


class InLesson(InCourse):
    """A view under `/courses/{course_pk}/lessons/{lesson_pk}/`."""

    @property
    def course(self) -> Course:  # type: ignore[override]
        return self.lesson.course

    @cached_property
    def lesson(self) -> Lesson:
        return get_object_or_404(
            Lesson.objects.select_related("course__owner"), pk=self.kwargs["lesson_pk"], **self.above()
        )


class InAssignment(InLesson):
    """A view under `…/assignments/{assignment_pk}/`."""

    @property
    def lesson(self) -> Lesson:  # type: ignore[override]
        return self.assignment.lesson

    @cached_property
    def assignment(self) -> Assignment:
        return get_object_or_404(
            Assignment.objects.select_related("lesson__course__owner"),
            pk=self.kwargs["assignment_pk"],
            lesson=self.kwargs["lesson_pk"],
            **self.above("lesson__"),
        )


class InSubmission(InAssignment):
    """A view under `…/submissions/{submission_pk}/`. Whose it is, the view has to ask."""

    @property
    def assignment(self) -> Assignment:  # type: ignore[override]
        return self.submission.assignment

    @cached_property
    def submission(self) -> Submission:
        return get_object_or_404(
            Submission.objects.select_related("student", "assignment__lesson__course__owner"),
            pk=self.kwargs["submission_pk"],
            assignment=self.kwargs["assignment_pk"],
            assignment__lesson=self.kwargs["lesson_pk"],
            **self.above("assignment__lesson__"),
        )


class InQuiz(InCourse):
    """A view under `/courses/{course_pk}/quizzes/{quiz_pk}/`."""

    @cached_property
    def quiz(self) -> Quiz:
        """With its course, in one query, which also says whether somebody's time is up."""
        overdue = Attempt.objects.overdue().filter(quiz=OuterRef("pk"))
        quiz = get_object_or_404(
            Quiz.objects.select_related("course__owner", "lesson").annotate(has_overdue=Exists(overdue)),
            pk=self.kwargs["quiz_pk"],
            **self.above(),
        )
        if quiz.lesson is not None:
            quiz.lesson.course = quiz.course
        return quiz

    @property
    def course(self) -> Course:  # type: ignore[override]
        return self.quiz.course
