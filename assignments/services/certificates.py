"""Issuing and revoking certificates."""

from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Max, Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from assignments import grading
from assignments.models import Attempt, Certificate, Submission
from common import frontend
from common.errors import RuleBroken
from materials.models import Course
from users.models import Notification, User
from users.services import notify


class AlreadyIssued(RuleBroken):
    def __init__(self) -> None:
        super().__init__("already_issued", _("The student has a valid certificate of this course."))


@transaction.atomic
def issue(*, student: User, course: Course, issued_by: User | None = None) -> Certificate:
    """A certificate with the names and the score of this moment, told to its student. One at a time is valid for a
    course: another raises 409 `already_issued`; a course that gives none, 409 `no_certificate`."""
    if not course.gives_certificate:
        raise RuleBroken("no_certificate", _("This course gives no certificate."))
    with translation.override(course.language):  # as the certificate will be, whoever asks for it
        nobody = _("Student")
    try:
        with transaction.atomic():
            certificate = Certificate.objects.create(
                student=student,
                course=course,
                student_name=student.full_name or student.username or nobody,
                course_title=course.title,
                language=course.language,
                score=final_score(student=student, course=course),
                issued_by=issued_by,
            )
    except IntegrityError:
        raise AlreadyIssued from None
    with translation.override(student.language):
        notification = Notification(
            recipient=student,
            kind=Notification.Kind.CERTIFICATE_ISSUED,
            subject=(_("Your certificate: “%(title)s”") % {"title": course.title})[:255],
            message=_("Congratulations! You have completed “%(title)s”. Your certificate has the number %(number)s.")
            % {"title": course.title, "number": certificate.number},
            url=frontend.certificate(certificate.pk),
            dedup_key=f"certificate:{certificate.pk}",
        )
    notify([notification])
    return certificate


def final_score(*, student: User, course: Course) -> Decimal | None:
    """In percent: the best attempt at the final quiz; without one, the share of the assignments' points; else None."""
    attempts = Attempt.objects.submitted().filter(student=student, quiz__course=course, quiz__is_final=True)
    best = attempts.aggregate(best=Max("score"))["best"]
    if best is not None:
        return best
    graded = Submission.objects.graded().filter(student=student, assignment__lesson__course=course)
    totals = graded.aggregate(points=Sum("score"), max_points=Sum("assignment__max_score"))
    if not totals["max_points"]:
        return None
    return min(Decimal(100), grading.percent(totals["points"], Decimal(totals["max_points"])))


@transaction.atomic
def revoke(*, certificate: Certificate, reason: str) -> Certificate:
    """Ends its validity for good; a new one may be issued. Revoking again changes nothing."""
    valid = Certificate.objects.filter(pk=certificate.pk, status=Certificate.Status.ISSUED)
    valid.update(
        status=Certificate.Status.REVOKED,
        revoked_at=timezone.now(),
        revocation_reason=reason,
        updated_at=timezone.now(),
    )
    certificate.refresh_from_db()
    return certificate


def anonymise_student(user: User) -> None:
    """Certificates of people who leave stay in the books, without a name."""
    Certificate.objects.filter(student=user).update(student_name="", updated_at=timezone.now())
