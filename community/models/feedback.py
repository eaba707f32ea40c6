"""What people write to the platform itself, and what it answers."""

from datetime import timedelta

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.email_addresses import AddressField
from common.models import EditableRow, Language, Row
from users.models import User


class FeedbackQuerySet(models.QuerySet["Feedback"]):
    def for_listing(self) -> "FeedbackQuerySet":
        latest = FeedbackAnswer.objects.filter(feedback=OuterRef("pk")).order_by("-created_at", "-id")
        return self.annotate(answer_sent_at=Subquery(latest.values("sent_at")[:1]))


class Feedback(EditableRow):
    class Status(models.TextChoices):
        NEW = "new", _("New")
        ANSWERED = "answered", _("Answered")
        CLOSED = "closed", _("Closed")

    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="feedback", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=100)
    email = AddressField(_("email"))
    subject = models.CharField(_("subject"), max_length=200)
    message = models.TextField(_("message"), max_length=5000)
    language = models.CharField(_("language"), max_length=2, choices=Language.choices, default=Language.RUSSIAN)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.NEW)
    answer = models.TextField(_("answer"), max_length=10_000, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    answered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="answered_feedback", verbose_name=_("answered by")
    )

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("feedback message")
        verbose_name_plural = _("feedback messages")
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["status", "-created_at", "-id"]),
        ]

    def __str__(self) -> str:
        return self.subject


class FeedbackAnswerQuerySet(models.QuerySet["FeedbackAnswer"]):
    def to_send(self) -> "FeedbackAnswerQuerySet":
        """Letters that wait, and those whose sender died with them in hand."""
        return self.filter(
            Q(leased_until__isnull=True) | Q(leased_until__lt=timezone.now()), sent_at__isnull=True, is_refused=False
        )


class FeedbackAnswer(Row):
    """One answer, as it was given, and at the same time the outbox of its letter: who asked may have no account."""

    LEASE = timedelta(minutes=2)
    MAX_ATTEMPTS = 10

    feedback = models.ForeignKey(Feedback, models.CASCADE, related_name="answers", verbose_name=_("feedback"))
    author = models.ForeignKey(User, models.PROTECT, related_name="feedback_answers", verbose_name=_("author"))
    text = models.TextField(_("text"), max_length=10_000)
    sent_at = models.DateTimeField(_("letter sent at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    is_refused = models.BooleanField(_("refused for good"), default=False)
    error = models.CharField(_("last error"), max_length=255, blank=True)

    objects = FeedbackAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("answer to feedback")
        verbose_name_plural = _("answers to feedback")
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["feedback", "-created_at", "-id"]),
            models.Index(
                fields=["leased_until"],
                condition=Q(sent_at__isnull=True, is_refused=False),
                name="community_answer_to_send",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]
