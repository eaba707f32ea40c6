"""Quizzes as the server runs them: it keeps the time, the questions, their order and every attempt."""

import logging
import random
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework.generics import get_object_or_404

from assignments import grading
from assignments.models import Answer, Attempt, Choice, Question, Quiz
from assignments.services import progress
from common.errors import RuleBroken, invalid
from common.ids import new_id
from materials.access import check_may_study
from materials.models import Enrollment, LessonAccess
from users.models import User

logger = logging.getLogger(__name__)

CLOSED_PER_RUN = 500
EXACT = Decimal("1e-12")  # three thirds are one


def start_attempt(*, student: User, quiz: Quiz) -> tuple[Attempt, bool]:
    """The student's open attempt; a new one if there is none, which the flag tells. 403 `attempts_exhausted` beyond
    the allowed number, which is counted under a lock."""
    close_overdue(Attempt.objects.overdue().filter(quiz=quiz, student=student))
    with transaction.atomic():
        _lock_pass(check_may_study(student, quiz.course, quiz.lesson))
        mine = Attempt.objects.filter(quiz=quiz, student=student).order_by("-number")
        last = mine.first()
        if last is not None and last.state == Attempt.State.IN_PROGRESS:
            return last, False
        number = last.number + 1 if last is not None else 1
        if quiz.allowed_attempts is not None and number > quiz.allowed_attempts:
            count = quiz.allowed_attempts
            text = ngettext("You have used your %(count)s attempt.", "You have used all %(count)s attempts.", count)
            raise RuleBroken("attempts_exhausted", text % {"count": count}, status_code=403)
        _lock_quiz(quiz)  # what it asks now is not taken away before the attempt refers to it
        questions = list(quiz.questions.current().prefetch_related("choices"))
        if not questions:
            raise RuleBroken("no_questions", _("The quiz has no questions yet."))
        now = timezone.now()
        limit = quiz.time_limit_minutes
        attempt = Attempt.objects.create(
            quiz=quiz,
            student=student,
            number=number,
            layout=_layout(questions, shuffle=quiz.shuffle),
            started_at=now,
            expires_at=now + timedelta(minutes=limit) if limit is not None else None,
            max_points=sum((question.points for question in questions), Decimal(0)),
        )
    return attempt, True


def _lock_pass(study_pass: Enrollment | LessonAccess) -> None:
    """One attempt of a person is started at a time: whoever comes second sees what the first has started."""
    model: Any = type(study_pass)
    list(model.objects.select_for_update(of=("self",), no_key=True).filter(pk=study_pass.pk))


def _layout(questions: list[Question], *, shuffle: bool) -> list[dict[str, Any]]:
    layout = []
    for question in questions:
        choices = [str(choice.pk) for choice in question.choices.all()]
        if shuffle:
            random.shuffle(choices)
        layout.append({"question": str(question.pk), "choices": choices})
    if shuffle:
        random.shuffle(layout)
    return layout


@transaction.atomic
def save_answers(*, attempt: Attempt, answers: list[dict[str, Any]]) -> Attempt:
    """Keeps these answers; those to other questions stay as they were. 403 `deadline_passed` when time is up, 409
    `already_submitted` afterwards."""
    current = _lock(attempt)
    if current.state == Attempt.State.SUBMITTED:
        raise RuleBroken("already_submitted", _("This attempt is over."))
    if current.is_overdue:
        raise RuleBroken("deadline_passed", _("Time is up: what you had saved counts."), status_code=403)
    _write_answers(current, answers)
    return current


def submit_attempt(*, attempt: Attempt, answers: list[dict[str, Any]] | None = None) -> Attempt:
    """Scores the attempt. Once time is up the saved answers are what counts, whatever comes with the request.
    Submitting again gives the same result."""
    with transaction.atomic():
        current = _lock(attempt)
        if current.state == Attempt.State.SUBMITTED:
            return current
        if answers and not current.is_overdue:
            _write_answers(current, answers)
        return _close(current)


def close_overdue(attempts: Iterable[Attempt]) -> int:
    """Submits attempts whose time is up, each in a transaction of its own. Says how many."""
    closed = 0
    for attempt in attempts:
        try:
            closed += _close_one_overdue(attempt)
        except Exception:
            logger.exception("Attempt %s could not be closed", attempt.pk)  # the others do not wait for it
    return closed


@transaction.atomic
def _close_one_overdue(attempt: Attempt) -> int:
    current = _lock(attempt)
    if not current.is_overdue or current.state == Attempt.State.SUBMITTED:
        return 0  # somebody else was here first
    _close(current)
    return 1


def _lock(attempt: Attempt) -> Attempt:
    locked = Attempt.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("quiz__course__owner", "student").get(pk=attempt.pk)


def _close(attempt: Attempt) -> Attempt:
    """Scores what has been saved. Hold the attempt's lock."""
    questions = {question.pk: question for question in asked_questions(attempt)}
    answers = {answer.question_id: answer for answer in attempt.answers.all()}
    points = Decimal(0)  # rounded only where it is shown: parts of points add up to whole ones
    for answer in answers.values():
        question = questions[answer.question_id]
        share = _share(question, answer)
        points += question.points * share
        answer.points = grading.rounded(question.points * share)
        answer.is_correct = share == 1
    Answer.objects.bulk_update(answers.values(), ["points", "is_correct"])
    points = points.quantize(EXACT)
    attempt.points = grading.rounded(points)
    attempt.score = grading.percent(points, attempt.max_points)
    attempt.passed = grading.is_passed(points, attempt.max_points, attempt.quiz.passing_score)
    now = timezone.now()
    attempt.submitted_at = min(now, attempt.expires_at) if attempt.expires_at is not None else now
    attempt.state = Attempt.State.SUBMITTED
    attempt.save(update_fields=["points", "score", "passed", "submitted_at", "state", "updated_at"])
    if attempt.passed and attempt.quiz.is_final:
        progress.complete_if_finished(student=attempt.student, course=attempt.quiz.course)
    return attempt


def _share(question: Question, answer: Answer) -> Decimal:
    """Of the question's points, 0 to 1."""
    kinds = Question.Kind
    if question.kind in {kinds.SINGLE, kinds.MULTIPLE}:
        correct = [str(choice.pk) for choice in question.choices.all() if choice.is_correct]
        return grading.score_choices(answer.chosen, correct)
    if question.kind == kinds.TEXT:
        return Decimal(grading.is_right_text(answer.text, question.accepted_answers, exact=question.exact))
    return Decimal(grading.is_right_number(answer.number, question.correct_number, question.tolerance))


def asked_questions(attempt: Attempt) -> list[Question]:
    """The attempt's questions in its own order, their choices in `layout_choices`. Two queries."""
    ids = [line["question"] for line in attempt.layout]
    found = {str(q.pk): q for q in Question.objects.filter(pk__in=ids).prefetch_related("choices")}
    asked = []
    for line in attempt.layout:
        question = found[line["question"]]
        choices = {str(choice.pk): choice for choice in question.choices.all()}
        question.layout_choices = [choices[pk] for pk in line["choices"]]
        asked.append(question)
    return asked


# --- Answers ---------------------------------------------------------------------------------------------------------


def _write_answers(attempt: Attempt, answers: list[dict[str, Any]]) -> None:
    """Raises 400 for an answer that fits no question of the attempt; then nothing is written."""
    asked = {question.pk: question for question in asked_questions(attempt)}
    rows = {}
    for given in answers:
        question = asked.get(given["question"])
        if question is None:
            raise invalid("answers", "unknown_question", _("This attempt does not ask one of these questions."))
        text, number = given.get("text") or "", given.get("number")
        if isinstance(number, str):  # which could not be read as one
            text, number = (number, None) if question.kind == Question.Kind.NUMBER else (text, None)
        rows[question.pk] = Answer(
            attempt=attempt,
            question=question,
            chosen=_checked_choices(question, given.get("choices") or []),
            text=text,
            number=number,
            updated_at=timezone.now(),
        )
    Answer.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["attempt", "question"],
        update_fields=["chosen", "text", "number", "updated_at"],
    )


def _checked_choices(question: Question, chosen: list[UUID]) -> list[str]:
    known: dict[UUID, Choice] = {choice.pk: choice for choice in question.choices.all()}
    if any(pk not in known for pk in chosen):
        raise invalid("answers", "unknown_choice", _("One of the choices does not belong to its question."))
    if question.kind == Question.Kind.SINGLE and len(set(chosen)) > 1:
        raise invalid("answers", "one_choice", _("This question takes one choice."))
    return [str(pk) for pk in dict.fromkeys(chosen)]


# --- Writing quizzes -------------------------------------------------------------------------------------------------


@transaction.atomic
def replace_questions(quiz: Quiz, questions: list[dict[str, Any]]) -> None:
    """New attempts ask these. Those of before stay for the attempts that have asked them; the others are deleted."""
    _lock_quiz(quiz)  # two at once must not both add theirs
    Question.objects.filter(quiz=quiz).current().update(replaced_at=timezone.now())
    _delete_unasked(quiz)
    rows, choices = [], []
    for place, fields in enumerate(questions):
        options = fields.pop("choices", [])
        question = Question(quiz=quiz, **{"order": place, **fields})
        rows.append(question)
        # Ids tell in which order they were made. That of the author often tells the right choice, so they are mixed.
        ids = [new_id() for _option in options]
        random.shuffle(ids)
        for number, (pk, option) in enumerate(zip(ids, options, strict=True)):
            choices.append(Choice(pk=pk, question=question, **{"order": number, **option}))
    Question.objects.bulk_create(rows)
    Choice.objects.bulk_create(choices)


def _lock_quiz(quiz: Quiz) -> None:
    """Its questions are replaced, or an attempt is made of them: one at a time."""
    get_object_or_404(Quiz.objects.select_for_update(no_key=True).only("pk"), pk=quiz.pk)


def _delete_unasked(quiz: Quiz) -> None:
    """Deletes replaced questions that no attempt refers to. Hold the quiz's lock."""
    unasked = set(Question.objects.filter(quiz=quiz, replaced_at__isnull=False).values_list("pk", flat=True))
    layouts = Attempt.objects.filter(quiz=quiz).order_by("-started_at", "-id").values_list("layout", flat=True)
    for layout in layouts.iterator(chunk_size=100):
        if not unasked:
            break
        unasked.difference_update(UUID(line["question"]) for line in layout)
    Question.objects.filter(pk__in=unasked).delete()
