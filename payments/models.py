from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from materials.models import Course, Lesson
from users.models import User


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: User) -> "PaymentQuerySet":
        """One's own; everybody's for staff."""
        return self if user.may_edit_all_content else self.filter(user=user)

    def open_for(self, user: User, item: Course | Lesson) -> "PaymentQuerySet":
        """The user's payment for the item that still waits for money."""
        return self.for_item(user, item).filter(status=Payment.Status.PENDING)

    def for_item(self, user: User, item: Course | Lesson) -> "PaymentQuerySet":
        return self.filter(user=user, **item_field(item))

    def to_reconcile(self, before: datetime) -> "PaymentQuerySet":
        """Card payments that have been pending since before the moment."""
        return self.filter(
            status=Payment.Status.PENDING, payment_method=Payment.Method.CARD, created_at__lt=before
        ).order_by("created_at")


def item_field(item: Course | Lesson) -> dict[str, Course | Lesson]:
    return {"paid_course": item} if isinstance(item, Course) else {"paid_lesson": item}


class Payment(EditableRow):
    """One purchase of one course or one lesson. Its amount is what was asked for when it was created."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")
        EXPIRED = "expired", _("Expired")
        REFUNDED = "refunded", _("Refunded")
        PARTIALLY_REFUNDED = "partially_refunded", _("Partially refunded")
        DISPUTED = "disputed", _("Disputed")

    # A payment in one of these succeeds as soon as its money turns up, however late.
    UNPAID = (Status.PENDING, Status.EXPIRED, Status.CANCELED, Status.FAILED)

    class Method(models.TextChoices):
        CARD = "card", _("Card")
        CASH = "cash", _("Cash")
        TRANSFER = "transfer", _("Bank transfer")

    user = models.ForeignKey(User, models.PROTECT, related_name="payments", verbose_name=_("user"))
    paid_course = models.ForeignKey(
        Course, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("course")
    )
    paid_lesson = models.ForeignKey(
        Lesson, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("lesson")
    )
    title = models.CharField(_("title, as sold"), max_length=200)
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    payment_method = models.CharField(_("method"), max_length=10, choices=Method.choices, default=Method.CARD)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.PENDING)
    payment_date = models.DateTimeField(
        _("date"), default=timezone.now, help_text=_("When it was created; once it has succeeded, when that was.")
    )
    payment_url = models.URLField(_("payment page"), max_length=1000, blank=True)
    stripe_product_id = models.CharField(_("product at Stripe"), max_length=255, blank=True)
    stripe_price_id = models.CharField(_("price at Stripe"), max_length=255, blank=True)
    stripe_session_id = models.CharField(_("session at Stripe"), max_length=255, blank=True)
    stripe_payment_intent_id = models.CharField(
        _("payment intent at Stripe"), max_length=255, blank=True, db_index=True
    )
    receipt_number = models.CharField(_("receipt"), max_length=30, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-payment_date", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(paid_course__isnull=False, paid_lesson__isnull=True)
                | Q(paid_course__isnull=True, paid_lesson__isnull=False),
                name="payments_payment_one_item",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="payments_payment_amount_not_negative"),
            models.UniqueConstraint(
                fields=["stripe_session_id"], condition=~Q(stripe_session_id=""), name="payments_payment_session"
            ),
            models.UniqueConstraint(
                fields=["user", "paid_course"], condition=Q(status="pending"), name="payments_payment_open_course"
            ),
            models.UniqueConstraint(
                fields=["user", "paid_lesson"], condition=Q(status="pending"), name="payments_payment_open_lesson"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-payment_date", "-id"]),
            models.Index(fields=["-payment_date", "-id"]),
            models.Index(fields=["amount", "id"]),
            models.Index(fields=["status", "created_at"]),
            models.Index(fields=["payment_method"]),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.amount} {self.currency} ({self.get_status_display()})"

    @property
    def is_unpaid(self) -> bool:
        return self.status in self.UNPAID

    @property
    def item(self) -> Course | Lesson:
        return self.paid_course or self.paid_lesson  # type: ignore[return-value] # exactly one, by constraint


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
