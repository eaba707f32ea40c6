"""Who may open what, and how far they have come."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from materials.models.content import Course, Lesson
from users.models import User


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def open_at(self, moment: datetime) -> "EnrollmentQuerySet":
        """Those that open the course's content at the moment."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=moment),
            status__in=[Enrollment.Status.ACTIVE, Enrollment.Status.COMPLETED],
        )

    def in_cabinet(self) -> "EnrollmentQuerySet":
        """What a person has on the desk: not what they left, what was taken back, or what they completed long ago."""
        return self.filter(removed_at__isnull=True).exclude(status=Enrollment.Status.REVOKED)

    def with_current_status(self, status: str) -> "EnrollmentQuerySet":
        """By `Enrollment.current_status`."""
        past = Q(expires_at__lte=timezone.now())
        if status == Enrollment.Status.ACTIVE:
            return self.filter(~past | Q(expires_at__isnull=True), status=status)
        if status == Enrollment.Status.EXPIRED:
            return self.filter(Q(status=status) | (past & Q(status=Enrollment.Status.ACTIVE)))
        return self.filter(status=status)

    def not_revoked(self) -> "EnrollmentQuerySet":
        """Everybody who counts as a student of the course, past ones too."""
        return self.exclude(status=Enrollment.Status.REVOKED)


class Enrollment(EditableRow):
    """A person in a course. Access to content hangs on this row, and on `LessonAccess`, alone."""

    class Source(models.TextChoices):
        FREE = "free", _("Free")
        PAYMENT = "payment", _("Payment")
        GRANT = "grant", _("Grant")

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        COMPLETED = "completed", _("Completed")
        EXPIRED = "expired", _("Expired")
        REVOKED = "revoked", _("Revoked")

    user = models.ForeignKey(User, models.PROTECT, related_name="enrollments", verbose_name=_("user"))
    course = models.ForeignKey(Course, models.CASCADE, related_name="enrollments", verbose_name=_("course"))
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    removed_at = models.DateTimeField(_("left the cabinet at"), null=True, blank=True)
    # What opens the course beside a payment, and until when: it goes on by this when the payment is taken back.
    other_source = models.CharField(
        _("other source"), max_length=10, choices=Source.choices, blank=True, editable=False
    )
    other_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="materials_enrollment_once")]
        indexes = [
            models.Index(fields=["course", "-created_at"]),
            models.Index(fields=["user", "-created_at", "-id"]),
            models.Index(fields=["created_at"]),
            models.Index(fields=["expires_at"], condition=Q(status="active"), name="materials_enrollment_to_expire"),
            models.Index(
                fields=["completed_at"],
                condition=Q(status="completed", removed_at__isnull=True),
                name="materials_enrollment_to_remove",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.course_id}"

    def clean(self) -> None:
        """Whether it is completed says what the student has done, and nobody by hand."""
        done, completed = self.completed_at is not None, self.status == self.Status.COMPLETED
        if completed and not done:
            text = _("The course has not been completed: that follows from what the student does.")
            raise ValidationError({"status": ValidationError(text, code="not_completed")})
        if done and self.status == self.Status.ACTIVE:
            self.status = self.Status.COMPLETED

    @property
    def is_past(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_revoked(self) -> bool:
        return self.status == self.Status.REVOKED

    @property
    def is_taken_away(self) -> bool:
        """Whether an admin, a refund or a lost dispute has closed it: whoever left by themselves has `removed_at`."""
        return self.is_revoked and self.removed_at is None

    @property
    def is_open(self) -> bool:
        """Whether it opens the content now."""
        return self.status in {self.Status.ACTIVE, self.Status.COMPLETED} and not self.is_past

    @property
    def current_status(self) -> str:
        """The status as it is at this moment: the task that writes `expired` down comes by once a day."""
        return self.Status.EXPIRED if self.status == self.Status.ACTIVE and self.is_past else self.status


class LessonAccess(Row):
    """A lesson bought on its own."""

    user = models.ForeignKey(User, models.PROTECT, related_name="lesson_accesses", verbose_name=_("user"))
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="accesses", verbose_name=_("lesson"))
    source = models.CharField(_("source"), max_length=10, choices=Enrollment.Source.choices)

    class Meta:
        verbose_name = _("access to a lesson")
        verbose_name_plural = _("accesses to lessons")
        constraints = [models.UniqueConstraint(fields=["user", "lesson"], name="materials_lesson_access_once")]

    def __str__(self) -> str:
        return f"{self.user_id} to {self.lesson_id}"


class LessonCompletion(Row):
    enrollment = models.ForeignKey(Enrollment, models.CASCADE, related_name="completions", verbose_name=_("enrollment"))
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="completions", verbose_name=_("lesson"))
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    position_seconds = models.PositiveIntegerField(_("position, seconds"), default=0)

    class Meta:
        verbose_name = _("lesson completion")
        verbose_name_plural = _("lesson completions")
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "lesson"], name="materials_lesson_completion_once")
        ]

    def __str__(self) -> str:
        return f"{self.enrollment_id}: {self.lesson_id}"


class CompletionCheckQuerySet(models.QuerySet["CompletionCheck"]):
    def free_at(self, moment: datetime) -> "CompletionCheckQuerySet":
        """Those that nobody is busy with."""
        return self.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=moment))


class CompletionCheck(Row):
    """The course asks for less than before, or lets somebody in again: who has finished it by now is to be looked for.
    The row is gone once that has been done."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="completion_checks", verbose_name=_("course"))
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CompletionCheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("search for completed enrollments")
        verbose_name_plural = _("searches for completed enrollments")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return str(self.course_id)
