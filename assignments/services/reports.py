"""What teachers read of a course as a whole. Every figure can be added up from what the other endpoints give."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Avg, Case, CharField, Count, F, Max, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from assignments.models import Answer, Assignment, Attempt, Quiz, Submission
from common.sheets import BOM, csv_line
from materials.models import Course, Enrollment, Lesson, LessonCompletion
from users.models import User
from users.services import email_of

ASSIGNMENT, QUIZ = "assignment", "quiz"
QUIZ_MAX_SCORE = 100  # quizzes are scored in percent
LAST = 2_000_000_000  # behind every lesson


@dataclass
class Item:
    """A column of the gradebook."""

    kind: str
    id: UUID
    title: str
    max_score: int


@dataclass
class Row:
    """What one student has: scores by the item's id. Whatever has no score counts as nothing in the total."""

    student: User
    scores: dict[UUID, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.scores.values(), Decimal(0))


def students(course: Course) -> QuerySet[Enrollment]:
    """Everybody who studies the course or has done so, but for those whose enrollment was taken back."""
    return Enrollment.objects.filter(course=course).not_revoked().select_related("user")


def gradebook_items(course: Course) -> list[Item]:
    """Assignments in the order of their lessons, then quizzes, the final one last. One query."""
    text = CharField()
    assignments = Assignment.objects.filter(lesson__course=course).values_list(
        Value(ASSIGNMENT, output_field=text), "pk", "title", "max_score", F("lesson__order"), "created_at"
    )
    quizzes = Quiz.objects.filter(course=course).values_list(
        Value(QUIZ, output_field=text), "pk", "title", Value(QUIZ_MAX_SCORE),
        Case(When(is_final=True, then=Value(LAST)), default=Value(LAST - 1)), "created_at",
    )  # fmt: skip
    found = assignments.order_by().union(quizzes.order_by(), all=True)
    return [Item(*row[:4]) for row in sorted(found, key=lambda row: (row[4], row[5], row[1]))]


def gradebook_rows(course: Course, people: Iterable[User], *, everybody: bool = False) -> list[Row]:
    """The rows of these students: grades of their latest versions, and their best attempts. One query.

    `everybody` says that they are all of the course's, so that the database need not be told who.
    """
    rows = {user.pk: Row(user) for user in people}
    among = {} if everybody else {"student__in": list(rows)}
    graded = Submission.objects.graded().filter(assignment__lesson__course=course, **among)
    attempts = Attempt.objects.submitted().filter(quiz__course=course, **among)
    best = attempts.order_by().values_list("student_id", "quiz_id").annotate(best=Max("score"))
    scores = graded.order_by().values_list("student_id", "assignment_id", "score").union(best, all=True)
    for student, item, score in scores.iterator():
        if student in rows:
            rows[student].scores[item] = score or Decimal(0)
    return list(rows.values())


def gradebook_csv(course: Course) -> Iterator[str]:
    """The whole gradebook, a line at a time. Texts that a spreadsheet would take for formulas are made harmless."""
    items = gradebook_items(course)
    head = [
        _("First name"),
        _("Last name"),
        _("Email"),
        _("Id"),
        *(item.title for item in items),
        _("Total"),
        _("Out of"),
    ]
    yield BOM + csv_line(head)
    in_order = students(course).order_by("user__name_key", "pk")
    everyone = [enrollment.user for enrollment in in_order]
    out_of = sum(item.max_score for item in items)
    for row in gradebook_rows(course, everyone, everybody=True):
        scores = [row.scores.get(item.id, "") for item in items]
        student = row.student
        names = [student.first_name or student.username or "", student.last_name, email_of(student) or ""]
        yield csv_line([*names, student.pk, *scores, row.total, out_of])


# --- Analytics -------------------------------------------------------------------------------------------------------


def analytics(course: Course) -> dict[str, Any]:
    """How many enrolled, started and completed; where they stop; how each question of each quiz does. Five queries.

    `drop_off` of a lesson: how many completed the lesson before it (of the first one: enrolled) and not this one.
    """
    enrollments = Enrollment.objects.filter(course=course).not_revoked()
    done = LessonCompletion.objects.filter(enrollment__in=enrollments, completed_at__isnull=False)
    people = enrollments.aggregate(
        enrolled=Count("pk"),
        started=Count("pk", filter=Q(pk__in=done.values("enrollment"))),
        completed=Count("pk", filter=Q(completed_at__isnull=False)),
    )
    return {**people, "lessons": _lessons(course, people["enrolled"], done), "quizzes": _quizzes(course)}


def _lessons(course: Course, enrolled: int, done: QuerySet[LessonCompletion]) -> list[dict[str, Any]]:
    who: dict[UUID, set[UUID]] = defaultdict(set)
    for lesson_id, enrollment_id in done.order_by().values_list("lesson_id", "enrollment_id").iterator():
        who[lesson_id].add(enrollment_id)
    before: set[UUID] | None = None
    lines = []
    for lesson in Lesson.objects.filter(course=course).order_by("order", "id").only("id", "title", "order"):
        these = who[lesson.pk]
        missing = enrolled - len(these) if before is None else len(before - these)
        lines.append(
            {
                "id": lesson.pk,
                "title": lesson.title,
                "order": lesson.order,
                "completed": len(these),
                "drop_off": missing,
            }
        )
        before = these
    return lines


def _quizzes(course: Course) -> list[dict[str, Any]]:
    submitted = Q(attempts__state=Attempt.State.SUBMITTED)
    quizzes = Quiz.objects.filter(course=course).annotate(
        attempt_count=Count("attempts", filter=submitted),
        student_count=Count("attempts__student", filter=submitted, distinct=True),
        passed_count=Count("attempts", filter=submitted & Q(attempts__passed=True)),
        average_score=Avg("attempts__score", filter=submitted),
    )
    answers = (
        Answer.objects.filter(attempt__quiz__course=course, attempt__state=Attempt.State.SUBMITTED)
        .values("question_id", "question__quiz_id", "question__text", "question__points", "question__order")
        .annotate(answered=Count("pk"), correct=Count("pk", filter=Q(is_correct=True)), average_points=Avg("points"))
        .order_by("question__order", "question_id")
    )
    questions: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for answer in answers:
        questions[answer["question__quiz_id"]].append(
            {
                "id": answer["question_id"],
                "text": answer["question__text"],
                "points": answer["question__points"],
                "answered": answer["answered"],
                "correct": answer["correct"],
                "average_points": answer["average_points"],
            }
        )
    return [
        {
            "id": quiz.pk,
            "title": quiz.title,
            "is_final": quiz.is_final,
            "attempts": quiz.attempt_count,
            "students": quiz.student_count,
            "passed": quiz.passed_count,
            "average_score": quiz.average_score,
            "questions": questions[quiz.pk],
        }
        for quiz in quizzes.order_by("created_at", "id")
    ]
