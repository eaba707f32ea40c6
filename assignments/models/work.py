"""Work that teachers ask for, what students hand in, and what is said about it."""

from decimal import Decimal
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Max, Q
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.files import FileField
from common.models import EditableRow, Row
from materials.models import Lesson
from users.models import User

LISTED_CHARACTERS = 500  # of a text, in a list


class Assignment(EditableRow):
    """Work that a lesson asks for. Every assignment of a course has to be graded before the course is completed."""

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="assignments", verbose_name=_("lesson"))
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description, in Markdown"), max_length=20_000, blank=True)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True, db_index=True)
    max_score = models.PositiveIntegerField(
        _("highest score"), default=100, validators=[MinValueValidator(1), MaxValueValidator(10_000)]
    )
    allow_late = models.BooleanField(_("takes late work"), default=True)
    late_penalty_percent_per_day = models.PositiveSmallIntegerField(
        _("penalty for a day late, percent"), default=0, validators=[MaxValueValidator(100)]
    )
    resubmissions_allowed = models.BooleanField(_("may be handed in again"), default=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(max_score__gte=1), name="assignments_max_score_positive"),
            models.CheckConstraint(
                condition=Q(late_penalty_percent_per_day__lte=100), name="assignments_late_penalty_percent"
            ),
        ]
        indexes = [models.Index(fields=["lesson", "created_at", "id"])]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Nobody has more points than there are. Hold the row's lock, which grading takes, too."""
        if self._state.adding or self.max_score is None:
            return
        given = self.submissions.aggregate(now=Max("raw_score"), before=Max("earlier__raw_score"))
        if any(score is not None and score > self.max_score for score in given.values()):
            raise ValidationError(
                {"max_score": ValidationError(_("Somebody has been given a higher score."), code="min_value")}
            )


class WorkStatus(models.TextChoices):
    SUBMITTED = "submitted", _("Submitted")
    GRADED = "graded", _("Graded")
    RETURNED = "returned", _("Returned")


class Work(models.Model):
    """What one version of a submission holds: its content, and what the teacher has made of it."""

    Status = WorkStatus

    version = models.PositiveIntegerField(_("version"), default=1)
    text = models.TextField(_("text"), max_length=100_000, blank=True)
    file = FileField(_("file"), upload_to="private/submissions", blank=True)
    file_name = models.CharField(_("name of the file"), max_length=255, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.SUBMITTED)
    raw_score = models.DecimalField(_("score before penalty"), max_digits=7, decimal_places=2, null=True, blank=True)
    late_penalty = models.DecimalField(_("penalty for lateness"), max_digits=7, decimal_places=2, default=Decimal(0))
    score = models.DecimalField(_("score"), max_digits=7, decimal_places=2, null=True, blank=True)
    feedback = models.TextField(_("feedback"), max_length=20_000, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), default=timezone.now)
    graded_at = models.DateTimeField(_("graded at"), null=True, blank=True)
    graded_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="graded_%(class)ss", verbose_name=_("graded by")
    )

    class Meta:
        abstract = True


# The columns of a version, the file among them.
WORK_FIELDS = tuple(field.name for field in Work._meta.fields)


class WorkQuerySet(models.QuerySet[Any]):
    def for_listing(self) -> Self:
        """With `text_start` and `feedback_start` instead of the texts, of which lists show no more."""
        starts = {f"{name}_start": Left(name, LISTED_CHARACTERS + 1) for name in ("text", "feedback")}
        return self.defer("text", "feedback").annotate(**starts)


class SubmissionQuerySet(WorkQuerySet):
    def with_titles(self) -> Self:
        """With all that a submission is shown with, and without the long texts of what it belongs to."""
        shown = self.select_related("assignment__lesson__course", "student")
        above = ("assignment__description", "assignment__lesson__description", "assignment__lesson__body")
        return shown.defer(*above, "assignment__lesson__course__description")

    def graded(self) -> "SubmissionQuerySet":
        """Those whose latest version has a final score."""
        return self.filter(status=Submission.Status.GRADED)


class Submission(Work, EditableRow):
    """What a student hands in for an assignment: one row, with one id, however often it changes. It holds the latest
    version, the one that counts; `earlier` holds those before it, with their grades."""

    # PROTECT: what people have handed in, and their grades, are not swept away with a lesson or a course.
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="submissions", verbose_name=_("assignment"))
    student = models.ForeignKey(User, models.PROTECT, related_name="submissions", verbose_name=_("student"))

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        ordering = ("-submitted_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["assignment", "student"], name="assignments_submission_one_a_student"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=0, raw_score__isnull=False),
                name="assignments_submission_score_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(status="graded") | Q(score__isnull=False), name="assignments_submission_graded_has_score"
            ),
        ]
        indexes = [
            models.Index(fields=["assignment", "-submitted_at", "-id"]),
            models.Index(fields=["student", "-submitted_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.student_id}: {self.assignment_id} v{self.version}"

    @property
    def versions(self) -> list[Work]:
        """All of them, the first one first."""
        return [*self.earlier.all(), self]


class SubmissionVersion(Work, Row):
    """A version that another has replaced, as it was then, with its grade. It never changes any more."""

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="earlier", verbose_name=_("submission"))

    objects = WorkQuerySet.as_manager()

    class Meta:
        verbose_name = _("earlier version of a submission")
        verbose_name_plural = _("earlier versions of submissions")
        ordering = ("version",)
        constraints = [
            models.UniqueConstraint(fields=["submission", "version"], name="assignments_earlier_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.submission_id} v{self.version}"


class Comment(EditableRow):
    """Something said about a lesson, an assignment or somebody's submission: about exactly one of them."""

    author = models.ForeignKey(User, models.PROTECT, related_name="comments", verbose_name=_("author"))
    text = models.TextField(_("text"), max_length=5000)
    lesson = models.ForeignKey(
        Lesson, models.CASCADE, null=True, blank=True, related_name="comments", verbose_name=_("lesson")
    )
    assignment = models.ForeignKey(
        Assignment, models.CASCADE, null=True, blank=True, related_name="comments", verbose_name=_("assignment")
    )
    submission = models.ForeignKey(
        Submission, models.CASCADE, null=True, blank=True, related_name="comments", verbose_name=_("submission")
    )

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(lesson__isnull=False, assignment__isnull=True, submission__isnull=True)
                    | Q(lesson__isnull=True, assignment__isnull=False, submission__isnull=True)
                    | Q(lesson__isnull=True, assignment__isnull=True, submission__isnull=False)
                ),
                name="assignments_comment_one_target",
            ),
        ]
        indexes = [
            models.Index(fields=["lesson", "created_at", "id"]),
            models.Index(fields=["assignment", "created_at", "id"]),
            models.Index(fields=["submission", "created_at", "id"]),
        ]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def target(self) -> Any:
        return self.lesson or self.assignment or self.submission
