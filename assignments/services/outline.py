"""The assignments and quizzes in the outline of a course, each with what it is to whoever looks at it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from assignments.models import Assignment, Attempt, Quiz, Submission
from common.errors import RuleBroken
from materials.models import Course
from materials.models.content import Viewer
from materials.services import lock_course

ASSIGNMENT, QUIZ = "assignment", "quiz"
NOT_STARTED = "not_started"
# Of assignments and quizzes together: an outline is one answer.
MAX_ITEMS = 1_000


def items_of(
    user: Viewer, courses: list[UUID] | None = None, lessons: list[UUID] | None = None
) -> dict[UUID, list[dict[str, Any]]]:
    """For the registry: what these courses, or these lessons alone, ask for, by the id of the lesson or, for what
    belongs to no lesson, of the course. A lesson's assignments come before its quizzes. Two queries.

    `state` is the caller's: `not_started`, `submitted`, `returned` or `graded` of an assignment; `not_started`,
    `in_progress`, `passed` or `failed` of a quiz; None of the anonymous.
    """
    assignments = Q(lesson__course__in=courses) if courses is not None else Q(lesson__in=lessons)
    quizzes = Q(course__in=courses) if courses is not None else Q(lesson__in=lessons)
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in _assignments(user, Assignment.objects.filter(assignments)):
        found[row.pop("place")].append({"kind": ASSIGNMENT, "is_final": False, **row})
    for row in _quizzes(user, Quiz.objects.filter(quizzes)):
        lesson, course = row.pop("lesson_id"), row.pop("course_id")
        found[lesson or course].append({"kind": QUIZ, "due_at": None, **row})
    return found


def _assignments(user: Viewer, assignments: QuerySet[Assignment]) -> Iterable[Any]:
    state: Any = Value(None, output_field=CharField())
    if user.is_authenticated:
        mine = Submission.objects.filter(assignment=OuterRef("pk"), student=user.pk).order_by().values("status")[:1]
        state = Coalesce(Subquery(mine), Value(NOT_STARTED))
    rows = assignments.annotate(place=F("lesson_id"), state=state)
    return rows.order_by("created_at", "id").values("id", "title", "due_at", "place", "state")


def _quizzes(user: Viewer, quizzes: QuerySet[Quiz]) -> Iterable[Any]:
    state: Any = Value(None, output_field=CharField())
    if user.is_authenticated:
        mine = Attempt.objects.filter(quiz=OuterRef("pk"), student=user.pk)
        state = Case(
            When(Exists(mine.filter(passed=True)), then=Value("passed")),
            When(Exists(mine.filter(state=Attempt.State.IN_PROGRESS)), then=Value("in_progress")),
            When(Exists(mine), then=Value("failed")),
            default=Value(NOT_STARTED),
        )
    rows = quizzes.annotate(state=state).order_by("is_final", "created_at", "id")
    return rows.values("id", "title", "is_final", "lesson_id", "course_id", "state")


def check_room(course: Course) -> None:
    """Raises 409 `too_many_items` when the course has as many assignments and quizzes as an outline holds. Within the
    transaction that adds one: nobody else does so until it ends."""
    lock_course(course)
    count = Assignment.objects.filter(lesson__course=course).count() + Quiz.objects.filter(course=course).count()
    if count >= MAX_ITEMS:
        text = _("A course has at most %(count)s assignments and quizzes.") % {"count": MAX_ITEMS}
        raise RuleBroken("too_many_items", text)
