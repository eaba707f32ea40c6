from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow
from common.money import format_money
from materials.models import Course, Lesson
from payments.models.coupons import Coupon
from users.models import User


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: User) -> "PaymentQuerySet":
        """One's own; everybody's for staff."""
        return self if user.may_edit_all_content else self.of(user)

    def of(self, user: User) -> "PaymentQuerySet":
        """The user's history: without unpaid ones whose course or lesson has been deleted. Those only wait until their
        pages at Stripe are closed."""
        is_for_something = Q(paid_course__isnull=False) | Q(paid_lesson__isnull=False) | ~Q(returned_because="")
        return self.filter(is_for_something, user=user)

    def open_for(self, user: User, item: Course | Lesson) -> "PaymentQuerySet":
        """The user's payment for the item that still waits for money."""
        return self.for_item(user, item).filter(status=Payment.Status.PENDING)

    def for_item(self, user: User, item: Course | Lesson) -> "PaymentQuerySet":
        return self.filter(user=user, **item_field(item))

    def that_open(self) -> "PaymentQuerySet":
        """Those that open what was bought."""
        return self.filter(status__in=Payment.OPENING, returned_because="")

    def that_use_coupons(self) -> "PaymentQuerySet":
        """Those that count as a use of their coupon: paid ones, and pending ones for as long as they hold it."""
        return self.filter(status__in=Payment.USING).exclude(past_their_hold(timezone.now()))

    def of_what_is_deleted(self) -> "PaymentQuerySet":
        """Unpaid ones that are for nothing any more."""
        return self.filter(paid_course__isnull=True, paid_lesson__isnull=True, status__in=Payment.UNPAID)

    def without_session(self, within: timedelta) -> "PaymentQuerySet":
        """Card payments whose session has not been noted: pending ones, and unpaid ones that were opened so lately."""
        lately = Q(status__in=Payment.UNPAID, created_at__gte=timezone.now() - within)
        return self.filter(
            Q(status=Payment.Status.PENDING) | lately, stripe_session_id="", payment_method=Payment.Method.CARD
        )

    def for_listing(self) -> "PaymentQuerySet":
        """With what a payment is shown with, and without the long texts of it."""
        shown = self.select_related("coupon", "user", "paid_course", "paid_lesson__course")
        return shown.defer(
            "paid_course__description",
            "paid_lesson__description",
            "paid_lesson__body",
            "paid_lesson__course__description",
        )

    def that_were_paid(self) -> "PaymentQuerySet":
        """Those whose money came in, whatever became of it."""
        return self.exclude(status__in=Payment.UNPAID)

    def that_open_now(self) -> "PaymentQuerySet":
        """By `Payment.opens_now`."""
        return self.that_open().filter(Q(access_until__isnull=True) | Q(access_until__gt=timezone.now()))

    def to_reconcile(self, before: datetime) -> "PaymentQuerySet":
        """Card payments that have been pending since before the moment."""
        return self.filter(
            status=Payment.Status.PENDING, payment_method=Payment.Method.CARD, created_at__lt=before
        ).order_by("created_at")


def past_their_hold(now: datetime) -> Q:
    """Unpaid orders that have waited too long. Money that is on its way, of a page that is closed already, is waited
    for."""
    card = Q(payment_method=Payment.Method.CARD)
    too_old = card & Q(created_at__lte=now - Payment.CARD_HOLD) | ~card & Q(created_at__lte=now - Payment.CASH_HOLD)
    return Q(status=Payment.Status.PENDING, page_closed_at__isnull=True) & too_old


def go_with_the_item_unless_paid(collector: Any, field: Any, payments: Any, using: str) -> None:
    """For `on_delete`, of a course or a lesson. What has been paid keeps it from being deleted; what has never been
    paid goes with it. A page at Stripe may be paid for as long as it is open: its payment stays, for nothing any more,
    until the page is closed (see services.closing), so that money which still comes in can be given back."""
    paid = payments.exclude(status__in=Payment.UNPAID)
    if paid:
        raise models.ProtectedError("Somebody has paid for it.", set(paid))
    open_pages = list(payments.filter(payment_method=Payment.Method.CARD, page_closed_at__isnull=True))
    if open_pages:
        collector.add_field_update(field, None, open_pages)
    rest = payments.exclude(pk__in=[payment.pk for payment in open_pages])
    if rest:
        collector.collect(rest, source=field.remote_field.model, source_attr=field.name, nullable=field.null)


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
    # What was bought is open while its payment is in one of these.
    OPENING = (Status.SUCCEEDED, Status.PARTIALLY_REFUNDED)

    # Its coupon is used in one of these; in the others the use is given back.
    USING = (Status.PENDING, Status.SUCCEEDED, Status.REFUNDED, Status.PARTIALLY_REFUNDED, Status.DISPUTED)

    # For so long an unpaid order keeps its price, and its coupon's use.
    CARD_HOLD, CASH_HOLD = timedelta(minutes=30), timedelta(days=3)

    class Ended(models.TextChoices):
        """Why nobody should pay it any more (see services.reasons)."""

        DELETED = "deleted", _("It has been deleted")
        BUYER_GONE = "buyer_gone", _("The buyer's account is closed")
        LEFT = "left", _("The buyer has left the course")
        NOT_PUBLISHED = "not_published", _("It is not for sale")
        FREE = "free", _("It is free")
        OWN_COURSE = "own_course", _("It is the buyer's own")
        ALREADY_OWNED = "already_owned", _("The buyer has it already")

    class Method(models.TextChoices):
        CARD = "card", _("Card")
        CASH = "cash", _("Cash")
        TRANSFER = "transfer", _("Bank transfer")

    user = models.ForeignKey(User, models.PROTECT, related_name="payments", verbose_name=_("user"))
    paid_course = models.ForeignKey(
        Course,
        go_with_the_item_unless_paid,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("course"),
    )
    paid_lesson = models.ForeignKey(
        Lesson,
        go_with_the_item_unless_paid,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("lesson"),
    )
    title = models.CharField(_("title, as sold"), max_length=200)
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    coupon = models.ForeignKey(
        Coupon, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("coupon")
    )
    discount = models.DecimalField(_("discount"), max_digits=10, decimal_places=2, default=Decimal(0))
    refunded_amount = models.DecimalField(_("refunded"), max_digits=10, decimal_places=2, default=Decimal(0))
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
    page_closed_at = models.DateTimeField(
        _("page closed at"), null=True, blank=True, help_text=_("Since when nobody can pay at the page at Stripe.")
    )
    returned_because = models.CharField(
        _("goes back because"),
        max_length=20,
        choices=Ended.choices,
        blank=True,
        help_text=_("Its money came in when there was nothing left to pay for: it opens nothing and is given back."),
    )
    access_until = models.DateTimeField(
        _("opens it until"), null=True, blank=True, help_text=_("Empty: without an end, or not paid.")
    )
    receipt_number = models.CharField(_("receipt"), max_length=30, blank=True)
    reference = models.CharField(
        _("reference"), max_length=100, blank=True, help_text=_("What cash or a transfer was confirmed by.")
    )
    confirmed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("confirmed by")
    )

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-payment_date", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(paid_course__isnull=False, paid_lesson__isnull=True)
                | Q(paid_course__isnull=True, paid_lesson__isnull=False)
                # Of what has been deleted: nothing that was paid for.
                | Q(paid_course__isnull=True, paid_lesson__isnull=True)
                & (Q(status__in=("pending", "expired", "canceled", "failed")) | ~Q(returned_because="")),
                name="payments_payment_one_item",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="payments_payment_amount_not_negative"),
            models.CheckConstraint(condition=Q(discount__gte=0), name="payments_payment_discount_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")),
                name="payments_payment_refunded_at_most_paid",
            ),
            models.UniqueConstraint(
                fields=["receipt_number"], condition=~Q(receipt_number=""), name="payments_payment_receipt"
            ),
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
            models.Index(
                fields=["created_at"],
                condition=Q(paid_course__isnull=True, paid_lesson__isnull=True),
                name="payments_payment_of_deleted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {format_money(self.amount, self.currency)} ({self.get_status_display()})"

    @property
    def refunded_in_words(self) -> str:
        return format_money(self.refunded_amount, self.currency)

    @property
    def is_unpaid(self) -> bool:
        return self.status in self.UNPAID

    @property
    def opens(self) -> bool:
        """Whether it opens what was bought; until when is `access_until`."""
        return self.status in self.OPENING and not self.returned_because

    @property
    def is_past_hold(self) -> bool:
        """By `past_their_hold`."""
        hold = self.CARD_HOLD if self.payment_method == self.Method.CARD else self.CASH_HOLD
        is_waiting = self.status == self.Status.PENDING and self.page_closed_at is None
        return is_waiting and self.created_at <= timezone.now() - hold

    @property
    def opens_now(self) -> bool:
        return self.opens and (self.access_until is None or self.access_until > timezone.now())

    @property
    def refundable_until(self) -> datetime | None:
        """Until when its buyer may ask for a refund; None of what gives nothing back."""
        if not self.opens or self.amount == 0:
            return None
        return self.payment_date + timedelta(days=settings.REFUND_WINDOW_DAYS)

    @property
    def is_taken_by_stripe(self) -> bool:
        """Whether Stripe has its money. Cash, transfers, what a coupon made free and the demo's payments are ours."""
        return bool(self.stripe_payment_intent_id)

    @property
    def item_id(self) -> Any:
        return self.paid_course_id or self.paid_lesson_id

    @property
    def item(self) -> Course | Lesson | None:
        """What was bought; None once it has been deleted, unpaid."""
        return self.paid_course or self.paid_lesson

    @property
    def course_of(self) -> Course | None:
        """The course itself, or the one that the lesson is in; None once it has been deleted, unpaid."""
        return self.paid_lesson.course if self.paid_lesson else self.paid_course
