"""Handing work in, and grading it. A version that has been replaced never changes any more."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from assignments import grading
from assignments.models import WORK_FIELDS, Assignment, Comment, Submission, SubmissionVersion
from assignments.services import progress
from common import frontend
from common.errors import RuleBroken, invalid
from materials import access
from materials.models import Enrollment, LessonAccess
from users.models import Notification, User
from users.services import notify

Status = Submission.Status
# All versions of a submission are read at once: they are bounded together.
MAX_VERSIONS = 50
MAX_BYTES_OF_TEXTS = 1_400_000
DUE_SOON = timedelta(hours=24)
DUE_SOON_KEY = "due_soon"
REMINDERS_PER_BATCH = 500


def submit(*, student: User, assignment: Assignment, **content: Any) -> Submission:
    """The first version. Raises 403 `deadline_passed`, or 409 `already_submitted` where there is one.

    `content` is text, file and file_name.
    """
    _check_deadline(assignment)
    if Submission.objects.filter(assignment=assignment, student=student).exists():
        raise _already_submitted()
    try:
        with transaction.atomic():
            return Submission.objects.create(assignment=assignment, student=student, **content)
    except IntegrityError:
        raise _already_submitted() from None  # another request of theirs was faster


@transaction.atomic
def resubmit(*, submission: Submission, **content: Any) -> Submission:
    """The next version, from here on the one that counts; the one before is kept beside it. Before grading, or when the
    work has been returned.

    Raises 409 `already_graded` or `too_many_versions`, 403 `resubmissions_not_allowed` or `deadline_passed`.
    """
    current = _lock(submission)
    if current.status == Status.GRADED:
        raise _already_graded()
    if current.status != Status.RETURNED:  # whoever is asked to do it again may do so, whatever the date
        _check_may_change(current)
        _check_deadline(current.assignment)
    _check_room(current, content["text"])
    SubmissionVersion.objects.create(submission=current, **{name: getattr(current, name) for name in WORK_FIELDS})
    # The assignment, the student and the id are all that a version has in common with the one before it.
    fresh = Submission(version=current.version + 1, **content)
    for name in WORK_FIELDS:
        setattr(current, name, getattr(fresh, name))
    current.save(update_fields=[*WORK_FIELDS, "updated_at"])
    return current


@transaction.atomic
def withdraw(*, submission: Submission) -> None:
    """Takes the work back as if it had never been handed in. Only while the teacher has looked at none of its versions:
    what they have said about one is theirs."""
    current = _lock(submission)
    versions = current.versions
    if any(version.status != Status.SUBMITTED for version in versions):
        raise _already_graded()
    _check_may_change(current)
    current.delete()


@transaction.atomic
def grade(
    *,
    submission: Submission,
    teacher: User,
    status: str,
    score: Decimal | None = None,
    feedback: str = "",
    version: int | None = None,
) -> Submission:
    """Scores the latest version, or returns it to be done again, and tells its student. `version` is the one that the
    teacher has read: 409 `stale_version` if another stands by now."""
    current = _lock(submission, with_assignment=True)
    assignment = current.assignment
    if version is not None and version != current.version:
        raise RuleBroken("stale_version", _("There is a newer version of this work. Read that one first."))
    if score is not None and score > assignment.max_score:
        raise invalid("score", "max_value", _("The highest score is %(max)s.") % {"max": assignment.max_score})
    current.status = status
    current.raw_score = score
    current.score = None
    current.late_penalty = Decimal(0)
    if score is not None:
        days = grading.days_late(_came_at(current), assignment.due_at)
        current.late_penalty = grading.late_penalty(score, assignment.late_penalty_percent_per_day, days)
        current.score = score - current.late_penalty
    current.feedback = feedback
    current.graded_at = timezone.now()
    current.graded_by = teacher
    fields = ["status", "raw_score", "score", "late_penalty", "feedback", "graded_at", "graded_by", "updated_at"]
    current.save(update_fields=fields)
    notify([_grade_notification(current)])
    if status == Status.GRADED:
        progress.complete_if_finished(student=current.student, course=assignment.lesson.course)
    return current


def _lock(submission: Submission, *, with_assignment: bool = False) -> Submission:
    """The submission as it is now, and nobody else's to change until the transaction ends; with its assignment, which
    then nobody changes either. 404 if it has just been taken back."""
    locked = Submission.objects.select_for_update(
        of=("self", "assignment") if with_assignment else ("self",), no_key=True
    )
    current = locked.select_related("assignment__lesson__course__owner", "student").filter(pk=submission.pk).first()
    if current is None:
        raise Http404
    return current


def _check_room(submission: Submission, text: str) -> None:
    """What a student hands in, and the teacher reads, fits one answer."""
    versions = submission.versions
    texts = [text, *(said for version in versions for said in (version.text, version.feedback))]
    size = sum(len(json.dumps(said, ensure_ascii=False).encode()) for said in texts)
    if len(versions) >= MAX_VERSIONS or size > MAX_BYTES_OF_TEXTS:
        raise RuleBroken("too_many_versions", _("This work has been changed too often."))


def _check_may_change(submission: Submission) -> None:
    if not submission.assignment.resubmissions_allowed:
        raise RuleBroken(
            "resubmissions_not_allowed", _("This work is handed in once, and cannot be changed."), status_code=403
        )


def _came_at(submission: Submission) -> datetime:
    """The moment that lateness counts from. Work that the teacher has returned is as late as it was then: the time it
    takes to do it again is not the student's fault."""
    returned = (version for version in submission.earlier.all() if version.status == Status.RETURNED)
    return next((version.submitted_at for version in returned), submission.submitted_at)


def _check_deadline(assignment: Assignment) -> None:
    if assignment.due_at is not None and not assignment.allow_late and timezone.now() > assignment.due_at:
        raise RuleBroken("deadline_passed", _("The time to hand this in is over."), status_code=403)


def _already_submitted() -> RuleBroken:
    return RuleBroken("already_submitted", _("You have handed this in. Change that instead."))


def _already_graded() -> RuleBroken:
    return RuleBroken("already_graded", _("This work has been looked at: it stays as it is."))


# --- Telling people --------------------------------------------------------------------------------------------------


def submission_url(submission: Submission) -> str:
    lesson = submission.assignment.lesson
    return frontend.submission(lesson.course_id, lesson.pk, submission.assignment_id, submission.pk)


def _grade_notification(submission: Submission) -> Notification:
    is_graded = submission.status == Status.GRADED
    kinds = Notification.Kind
    with translation.override(submission.student.language):
        title = {"title": submission.assignment.title}
        if is_graded:
            subject = _("“%(title)s” has been graded") % title
            scores = {"score": f"{submission.score:f}", "max": submission.assignment.max_score}
            message = _("Your score is %(score)s of %(max)s.") % scores
        else:
            subject = _("“%(title)s” has been returned to you") % title
            message = _("Have another look at it, and hand it in again.")
        return Notification(
            recipient=submission.student,
            kind=kinds.SUBMISSION_GRADED if is_graded else kinds.SUBMISSION_RETURNED,
            subject=subject[:255],
            message=f"{message}\n\n{submission.feedback}".strip(),
            url=submission_url(submission),
            dedup_key=f"submission:{submission.pk}:{submission.graded_at:%Y%m%d%H%M%S%f}",
        )


@transaction.atomic
def add_comment(*, author: User, text: str, **target: Any) -> Comment:
    """`target` is lesson, assignment or submission. The student of a submission hears of what others say about it."""
    comment = Comment.objects.create(author=author, text=text, **target)
    submission: Submission | None = target.get("submission")
    if submission is not None and submission.student_id != author.pk:
        with translation.override(submission.student.language):
            notification = Notification(
                recipient=submission.student,
                kind=Notification.Kind.COMMENT_ADDED,
                subject=(_("A comment on your work “%(title)s”") % {"title": submission.assignment.title})[:255],
                message=text,
                url=submission_url(submission),
                dedup_key=f"comment:{comment.pk}",
            )
        notify([notification])
    return comment


def remind_due() -> int:
    """Tells those who study a course what is due within 24 hours and has not been handed in. Once for each due date.

    Returns how many reminders were written.
    """
    now = timezone.now()
    soon = Assignment.objects.filter(due_at__gt=now, due_at__lte=now + DUE_SOON).select_related("lesson__course")
    written = 0
    for assignment in soon.order_by("due_at"):
        lesson = assignment.lesson
        enrollments = Enrollment.objects.open_at(now).filter(course=lesson.course_id)
        bought = LessonAccess.objects.filter(lesson=lesson)
        for passes in (enrollments, bought):
            for students in _without_work(passes, assignment):
                may_open = access.openable([(student.pk, lesson.pk) for student in students])
                told = [_reminder(student, assignment) for student in students if (student.pk, lesson.pk) in may_open]
                notify(told)
                written += len(told)
    return written


def _without_work(passes: QuerySet[Any], assignment: Assignment) -> Iterator[list[User]]:
    """Whose passes they are, in batches, but for those who have handed the assignment in."""
    done = Submission.objects.filter(assignment=assignment).exclude(status=Status.RETURNED)
    waiting = passes.exclude(user__in=done.values("student")).select_related("user").order_by("pk")
    last_id = None
    while batch := list((waiting.filter(pk__gt=last_id) if last_id else waiting)[:REMINDERS_PER_BATCH]):
        last_id = batch[-1].pk
        yield [each.user for each in batch]


def _reminder(student: User, assignment: Assignment) -> Notification:
    with translation.override(student.language), timezone.override(student.time_zone):
        due_at = timezone.localtime(assignment.due_at)
        moment = formats.date_format(due_at, "DATETIME_FORMAT")
        return Notification(
            recipient=student,
            kind=Notification.Kind.DUE_SOON,
            subject=(_("“%(title)s” is due soon") % {"title": assignment.title})[:255],
            message=_("Hand it in by %(moment)s.") % {"moment": moment},
            url=frontend.lesson(assignment.lesson.course_id, assignment.lesson_id),
            dedup_key=f"{DUE_SOON_KEY}:{assignment.pk}:{assignment.due_at:%Y%m%d%H%M%S}",
        )


def needless_reminders(notifications: Iterable[Notification]) -> set[UUID]:
    """For the registry, as letters go out: reminders of what is no longer due then, is past, or has been handed in by
    now. Two queries."""
    keys = {
        notification.pk: (notification.recipient_id, *notification.dedup_key.split(":")[1:])
        for notification in notifications
        if notification.kind == Notification.Kind.DUE_SOON and notification.dedup_key.startswith(f"{DUE_SOON_KEY}:")
    }
    if not keys:
        return set()
    assignments = Assignment.objects.filter(pk__in={key[1] for key in keys.values()}, due_at__gt=timezone.now())
    due = {(str(assignment.pk), f"{assignment.due_at:%Y%m%d%H%M%S}") for assignment in assignments}
    done = Submission.objects.filter(
        assignment__in={key[1] for key in keys.values()}, student__in={key[0] for key in keys.values()}
    ).exclude(status=Status.RETURNED)
    handed_in = {(student, str(assignment)) for student, assignment in done.values_list("student", "assignment")}
    return {
        pk for pk, (student, assignment, moment) in keys.items()
        if (assignment, moment) not in due or (student, assignment) in handed_in
    }  # fmt: skip
