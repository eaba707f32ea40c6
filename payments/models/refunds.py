from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from payments.models.payments import Payment
from users.models import User


class RefundQuerySet(models.QuerySet["Refund"]):
    def standing(self) -> "RefundQuerySet":
        """Those that give money back, or are about to."""
        return self.filter(status__in=Refund.STANDING)

    def accepted(self) -> "RefundQuerySet":
        """Those that count."""
        return self.standing().filter(accepted_at__isnull=False)

    def to_send(self, before: datetime | None = None) -> "RefundQuerySet":
        """Those that Stripe has not been asked for, or whose answer was lost."""
        waiting = self.filter(status=Refund.Status.PENDING, stripe_refund_id="").exclude(
            payment__stripe_payment_intent_id=""
        )
        # Nobody waits for what goes back by itself: two who send it at once are answered with the same refund.
        return waiting if before is None else waiting.filter(Q(created_at__lt=before) | Q(created_by__isnull=True))


class Refund(EditableRow):
    """Money that goes back. It counts from the moment that Stripe has taken it on, or, of cash, that it is noted."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        SUCCEEDED = "succeeded", _("Given back")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")

    class Reason(models.TextChoices):
        """Stripe's words; anything else is `other`, in its own words."""

        DUPLICATE = "duplicate", _("Duplicate")
        FRAUDULENT = "fraudulent", _("Fraudulent")
        REQUESTED_BY_CUSTOMER = "requested_by_customer", _("Requested by the customer")
        OTHER = "other", _("Other")

    STANDING = (Status.PENDING, Status.SUCCEEDED)

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    reason = models.CharField(_("reason"), max_length=30, choices=Reason.choices, default=Reason.OTHER)
    comment = models.CharField(_("in words"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PENDING)
    stripe_refund_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    # Set by what makes it count; a credit note is dated by it.
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    credit_note_number = models.CharField(_("credit note"), max_length=30, blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by whom")
    )
    error = models.CharField(_("error"), max_length=255, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_refund_amount_positive"),
            models.UniqueConstraint(
                fields=["stripe_refund_id"], condition=~Q(stripe_refund_id=""), name="payments_refund_once"
            ),
            models.UniqueConstraint(
                fields=["credit_note_number"], condition=~Q(credit_note_number=""), name="payments_refund_credit_note"
            ),
        ]
        indexes = [
            models.Index(fields=["accepted_at"]),
            models.Index(
                fields=["created_at"],
                condition=Q(status="pending", stripe_refund_id=""),
                name="payments_refund_to_send",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.get_status_display()})"

    @property
    def is_accepted(self) -> bool:
        """Whether it counts."""
        return self.status in self.STANDING and self.accepted_at is not None


class RefundRequest(EditableRow):
    """Somebody asks for their money back; an admin decides."""

    class Status(models.TextChoices):
        OPEN = "open", _("Undecided")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refund_requests", verbose_name=_("payment"))
    reason = models.TextField(_("reason"), max_length=2000)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    answer = models.TextField(_("answer"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(status="open"), name="payments_refund_request_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}: {self.get_status_display()}"


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def lost(self) -> "DisputeQuerySet":
        """Those whose money is gone; since when is `ended_at`: the news of one may be of its end already."""
        return self.filter(status=Dispute.Status.LOST).annotate(ended_at=Coalesce("closed_at", "created_at"))


class Dispute(EditableRow):
    """The buyer's bank has taken the money back until it is decided who is right."""

    class Status(models.TextChoices):
        OPEN = "open", _("Undecided")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    # While one is in these, the payment opens nothing.
    CLOSING = (Status.OPEN, Status.LOST)

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes", verbose_name=_("payment"))
    stripe_dispute_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.stripe_dispute_id} ({self.get_status_display()})"


class NumberSeries(Row):
    """The last number of a series without gaps. Numbers are drawn in the transaction of what they are for."""

    name = models.CharField(_("name"), max_length=30, unique=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("number series")
        verbose_name_plural = _("number series")

    def __str__(self) -> str:
        return f"{self.name}: {self.last}"
