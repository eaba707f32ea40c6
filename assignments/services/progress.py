"""How far people have come in their courses, and when a course is completed."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Case, CharField, F, Min, Q, QuerySet, UUIDField, Value, When
from django.db.models.functions import Cast
from django.utils import timezone

from assignments.models import Assignment, Attempt, Certificate, Quiz, Submission
from assignments.services import certificates
from materials import access
from materials.models import CompletionCheck, Course, Enrollment, Lesson, LessonCompletion
from users.models import User

KINDS = LESSON, ASSIGNMENT, QUIZ = "lesson", "assignment", "quiz"
COURSE = "course"  # a row of the course itself; its order says whether the final quiz alone completes it
LAST = 2_000_000_000  # behind every lesson
REMAINING_IN_LISTS = 20
COURSES_ON_DASHBOARD = 10
ASSIGNMENTS_ON_DASHBOARD = 10
CERTIFICATES_ON_DASHBOARD = 5
ENROLLMENTS_PER_BATCH = 100
COURSES_PER_RUN = 1000
# Whoever looks for completed enrollments and has been silent this long is relieved by another.
CHECK_LEASE = timedelta(minutes=2)


class Item(NamedTuple):
    """Something that a course asks for before it is completed."""

    course_id: UUID
    kind: str
    id: UUID
    title: str
    order: int
    lesson_id: UUID | None  # what it stands under; of a lesson, itself
    lesson_title: str | None = None
    course_title: str = ""


@dataclass
class Progress:
    completed_at: datetime | None
    completion: str = Course.Completion.EVERYTHING
    total_lessons: int = 0
    completed_lessons: int = 0
    has_final_quiz: bool = False
    remaining: list[Item] = field(default_factory=list)  # what completes the course, in its order
    next_lesson: Item | None = None  # the first that is not completed

    @property
    def remaining_count(self) -> int:
        return len(self.remaining)

    @property
    def next_things(self) -> list[Item]:
        """As much of what remains as a list of many courses shows of each."""
        return self.remaining[:REMAINING_IN_LISTS]

    @property
    def percent(self) -> int:
        """Of the lessons; 100 only when all of them are done. Where the final quiz alone completes the course, 100 once
        it is completed and never before."""
        share = self.completed_lessons * 100 // self.total_lessons if self.total_lessons else 0
        if self.completion != Course.Completion.FINAL_QUIZ:
            return share
        return 100 if self.is_finished or self.completed_at is not None else min(share, 99)

    @property
    def is_finished(self) -> bool:
        """Whether all that the course asks for has been done. A course without lessons is not one to finish, nor is one
        that its final quiz completes while it has none."""
        if self.completion == Course.Completion.FINAL_QUIZ:
            return self.has_final_quiz and not self.remaining
        return bool(self.total_lessons) and not self.remaining


def progress_of(enrollments: Iterable[Enrollment]) -> dict[UUID, Progress]:
    """The progress of each enrollment, by its id; one query, however many there are."""
    wanted = list(enrollments)
    items: dict[UUID, list[Item]] = defaultdict(list)
    courses: dict[UUID, Item] = {}
    done = set()
    for row in _items_and_done(wanted):
        *item, user_id = row
        if row[1] == COURSE:
            courses[row[0]] = Item(*item)
        elif user_id is None:
            items[row[0]].append(Item(*item))
        else:
            done.add((user_id, row[2]))
    found = {}
    for course_id, asked in items.items():
        lessons = {item.id: item.title for item in asked if item.kind == LESSON}
        items[course_id] = sorted(
            (
                item._replace(
                    lesson_title=lessons.get(item.lesson_id) if item.lesson_id else None,
                    course_title=courses[course_id].title,
                )
                for item in asked
            ),
            key=_place,
        )
    for enrollment in wanted:
        everything, final_quiz = Course.Completion.EVERYTHING, Course.Completion.FINAL_QUIZ
        by_quiz = enrollment.course_id in courses and courses[enrollment.course_id].order
        progress = Progress(enrollment.completed_at, final_quiz if by_quiz else everything)
        for item in items[enrollment.course_id]:
            is_done = (enrollment.user_id, item.id) in done
            progress.has_final_quiz |= item.kind == QUIZ
            if item.kind == LESSON:
                progress.total_lessons += 1
                progress.completed_lessons += is_done
                progress.next_lesson = progress.next_lesson or (None if is_done else item)
            if not is_done and (progress.completion == everything or item.kind == QUIZ):
                progress.remaining.append(item)
        found[enrollment.pk] = progress
    return found


def _place(item: Item) -> tuple[Any, ...]:
    """A lesson is followed by its assignments; the final quiz stands at the end."""
    return item.order, KINDS.index(item.kind), item.id


def _items_and_done(enrollments: list[Enrollment]) -> QuerySet[Any]:
    """What the courses ask for, as the columns of `Item` and None, and for each course how it is completed; and what
    these people have done of it, with the person in the last column: lessons completed, assignments graded, final
    quizzes passed."""
    users = {enrollment.user_id for enrollment in enrollments}
    courses = {enrollment.course_id for enrollment in enrollments}
    nobody = Cast(Value(None), UUIDField())

    def rows(queryset: QuerySet[Any], kind: str, course: str, item: str, *rest: Any) -> Any:
        columns = (F(course), Value(kind, output_field=CharField()), F(item), *rest)
        return queryset.order_by().values_list(*columns)

    def asked(queryset: QuerySet[Any], kind: str, course: str, order: Any, lesson: Any, title: str = "title") -> Any:
        return rows(queryset, kind, course, "pk", F(title), order, lesson, nobody)

    def done(queryset: QuerySet[Any], kind: str, course: str, item: str, who: str) -> Any:
        return rows(queryset, kind, course, item, Value("", output_field=CharField()), Value(0), nobody, F(who))

    by_quiz = Case(When(completion=Course.Completion.FINAL_QUIZ, then=Value(1)), default=Value(0))
    final = {"quiz__course__in": courses, "quiz__is_final": True}
    return asked(Lesson.objects.filter(course__in=courses), LESSON, "course_id", F("order"), F("pk")).union(
        asked(
            Assignment.objects.filter(lesson__course__in=courses),
            ASSIGNMENT, "lesson__course_id", F("lesson__order"), F("lesson_id"),
        ),
        asked(Quiz.objects.filter(course__in=courses, is_final=True), QUIZ, "course_id", Value(LAST), F("lesson_id")),
        asked(Course.objects.filter(pk__in=courses), COURSE, "pk", by_quiz, nobody),
        done(
            LessonCompletion.objects.filter(enrollment__in=enrollments, completed_at__isnull=False),
            LESSON, "lesson__course_id", "lesson_id", "enrollment__user_id",
        ),
        done(
            Submission.objects.graded().filter(student__in=users, assignment__lesson__course__in=courses),
            ASSIGNMENT, "assignment__lesson__course_id", "assignment_id", "student_id",
        ),
        done(
            Attempt.objects.submitted().filter(student__in=users, passed=True, **final),
            QUIZ, "quiz__course_id", "quiz_id", "student_id",
        ),
        all=True,
    )  # fmt: skip


@transaction.atomic
def complete_if_finished(*, student: User, course: Course) -> None:
    """Completes the student's enrollment if nothing remains to be done, and issues the certificate. Exactly once,
    however many last things are finished at the same time: the enrollment is locked while it is looked at.

    What is added to the course afterwards changes neither.
    """
    enrollment = (
        Enrollment.objects.select_for_update(of=("self",), no_key=True).filter(user=student, course=course).first()
    )
    if enrollment is None or enrollment.completed_at is not None:
        return
    if enrollment.status == Enrollment.Status.REVOKED or not progress_of([enrollment])[enrollment.pk].is_finished:
        return
    enrollment.completed_at = timezone.now()
    enrollment.status = Enrollment.Status.COMPLETED
    enrollment.save(update_fields=["completed_at", "status", "updated_at"])
    if course.gives_certificate:
        with suppress(certificates.AlreadyIssued):  # by the teacher's own hand: that is the one
            certificates.issue(student=student, course=course)


def complete_finished(course: Course) -> int:
    """After something that the course asked for has been taken out of it: whoever was waiting for that alone is done.

    Returns how many enrollments were looked at: none, if nobody has asked or another is busy with the course. Safe to
    run twice, at once, or after a kill: what was asked for is forgotten when all of them have been looked at.
    """
    now = timezone.now()
    asked = dict(course.completion_checks.values_list("pk", "leased_until"))
    if any(until is not None and until > now for until in asked.values()):
        return 0  # what has been asked for since then waits for the sweeper, all of it together
    checks = CompletionCheck.objects.filter(pk__in=asked)
    if not checks.free_at(timezone.now()).update(leased_until=timezone.now() + CHECK_LEASE):
        return 0
    looked_at = 0
    last: Enrollment | None = None
    while True:
        # In the order of the index: a course may have a million students.
        waiting = Enrollment.objects.filter(course=course, completed_at__isnull=True).not_revoked()
        if last is not None:
            waiting = waiting.filter(created_at__gte=last.created_at).exclude(
                created_at=last.created_at, pk__lte=last.pk
            )
        batch = list(waiting.select_related("user").order_by("created_at", "pk")[:ENROLLMENTS_PER_BATCH])
        if not batch:
            break
        last = batch[-1]
        progress = progress_of(batch)
        for enrollment in batch:
            if progress[enrollment.pk].is_finished:
                complete_if_finished(student=enrollment.user, course=course)
        looked_at += len(batch)
        checks.update(leased_until=timezone.now() + CHECK_LEASE)
    checks.delete()
    return looked_at


def courses_to_check(now: datetime) -> list[UUID]:
    """Those that `complete_finished` was asked for and nobody is busy with, the longest waiting first."""
    waiting = CompletionCheck.objects.free_at(now).order_by().values("course").annotate(since=Min("created_at"))
    return list(waiting.order_by("since").values_list("course", flat=True)[:COURSES_PER_RUN])


# --- The dashboard ---------------------------------------------------------------------------------------------------


def dashboard(user: User) -> dict[str, Any]:
    """This app's members of the dashboard: four queries."""
    now = timezone.now()
    active = (
        user.enrollments.open_at(now)
        .in_cabinet()
        .filter(completed_at__isnull=True, course__in=Course.objects.visible_to(user).order_by().values("pk"))
        .select_related("course")
        .order_by("-updated_at", "-id")[:COURSES_ON_DASHBOARD]
    )
    enrollments = list(active)
    progress = progress_of(enrollments)
    studied = Q(lesson__course__in=user.enrollments.open_at(now).values("course")) | Q(
        lesson__in=user.lesson_accesses.values("lesson")
    )
    handed_in = Submission.objects.filter(student=user).exclude(status=Submission.Status.RETURNED)
    due = (
        Assignment.objects.filter(studied, lesson__in=access.open_lessons(user).order_by().values("pk"), due_at__gt=now)
        .exclude(pk__in=handed_in.values("assignment"))
        .select_related("lesson__course")
        .order_by("due_at", "id")[:ASSIGNMENTS_ON_DASHBOARD]
    )
    valid = Certificate.objects.filter(student=user, status=Certificate.Status.ISSUED)
    latest = valid.select_related("course", "student").order_by("-issued_at", "-id")
    return {
        "courses_in_progress": [
            {
                "course": enrollment.course,
                "percent": progress[enrollment.pk].percent,
                "next_lesson": progress[enrollment.pk].next_lesson,
            }
            for enrollment in enrollments
        ],
        "due_assignments": list(due),
        "certificates": list(latest[:CERTIFICATES_ON_DASHBOARD]),
    }
