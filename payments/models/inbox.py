from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from users.models import User


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def failed(self) -> "WebhookEventQuerySet":
        """Events whose processing has not come to its end, a minute after they came in."""
        return self.filter(
            processed_at__isnull=True,
            received_at__lt=timezone.now() - WebhookEvent.GRACE,
            attempts__lt=WebhookEvent.MAX_ATTEMPTS,
        ).order_by("received_at")


class WebhookEvent(Row):
    """An event from Stripe, kept under its id: the inbox. One that comes twice is processed once."""

    GRACE = timedelta(minutes=1)
    MAX_ATTEMPTS = 100

    stripe_event_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    type = models.CharField(_("type"), max_length=100)
    payload = models.JSONField(_("payload"))
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering = ("-received_at", "-id")
        indexes = [
            models.Index(
                fields=["received_at"], condition=Q(processed_at__isnull=True), name="payments_event_unprocessed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.stripe_event_id}"

    def is_due(self, now: datetime) -> bool:
        """One that has failed waits a minute longer after each attempt: a hundred take three days and a half."""
        return now >= self.received_at + self.GRACE * (self.attempts + 1) * (self.attempts + 2) / 2

    @property
    def is_given_up(self) -> bool:
        """Nobody tries it any more, unless an admin does."""
        return self.processed_at is None and self.attempts >= self.MAX_ATTEMPTS

    def note_processed(self) -> None:
        """It is done; noting it again changes nothing."""
        WebhookEvent.objects.filter(pk=self.pk, processed_at__isnull=True).update(
            processed_at=timezone.now(), error="", attempts=self.attempts + 1
        )


class IdempotencyRecord(EditableRow):
    """What somebody was answered under an `Idempotency-Key`, or that the answer is being worked on."""

    # A request that has been running for longer than this was killed: another one may take its place.
    LEASE = timedelta(minutes=1)
    KEPT = timedelta(days=1)

    user = models.ForeignKey(User, models.CASCADE, related_name="idempotency_records", verbose_name=_("user"))
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(_("fingerprint of the request"), max_length=64)
    leased_until = models.DateTimeField(_("being answered until"))
    status_code = models.PositiveSmallIntegerField(_("status of the answer"), null=True, blank=True)
    response = models.TextField(_("answer, as JSON"), blank=True)

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="payments_idempotency_once")]
        indexes = [models.Index(fields=["created_at"]), models.Index(fields=["user", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.key}"
