"""The demo's payments: one for everything that was bought, in agreement with what it opened, some that failed, and what
became of those whose money went back. And coupons to buy with."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from common import frontend
from common.demo import DemoError, delete_demo_rows, demo_id, demo_rows, other_rows, save_demo_rows
from common.money import format_money, round_half_up
from materials.models import Course, Enrollment, Lesson, LessonAccess
from payments.models import Coupon, Dispute, NumberSeries, Payment, Refund, RefundRequest, item_field
from payments.services.settling import CREDIT_NOTES, RECEIPTS, draw_number
from users.models import Notification, User

Statuses, Methods = Payment.Status, Payment.Method


class Attempt(NamedTuple):
    """Money that has not come, so nothing was opened."""

    person: str
    course: str
    method: str
    status: str
    hours_ago: int


ATTEMPTS = [
    Attempt("polina", "python", Methods.CARD, Statuses.PENDING, 3),
    Attempt("alina", "design", Methods.CASH, Statuses.PENDING, 20),
    Attempt("nikita", "data", Methods.TRANSFER, Statuses.PENDING, 44),
    Attempt("ruslan", "web", Methods.CARD, Statuses.FAILED, 5 * 24),
    Attempt("student", "web", Methods.CARD, Statuses.CANCELED, 9 * 24),
    Attempt("lidia", "python", Methods.CARD, Statuses.EXPIRED, 14 * 24),
    Attempt("student", "data", Methods.CARD, Statuses.FAILED, 26 * 24),
]
# What became of money that came: (person, course) → status, method. The rest has simply succeeded.
AFTERMATHS = {
    ("kirill", "web"): (Statuses.REFUNDED, Methods.CARD),
    ("gleb", "python"): (Statuses.REFUNDED, Methods.CASH),
    ("artem", "ml"): (Statuses.DISPUTED, Methods.CARD),
    ("vera", "design"): (Statuses.DISPUTED, Methods.CARD),
    ("daria", "web"): (Statuses.PARTIALLY_REFUNDED, Methods.CARD),
}
# Code → its fields, and the course that it is for, if it is for one alone.
COUPONS: dict[str, tuple[dict[str, object], str | None]] = {
    "WELCOME10": ({"percent": Decimal(10), "max_uses_per_user": 1}, None),
    "PYTHON500": ({"amount": Decimal(500), "currency": "RUB", "max_uses": 100}, "python"),
    "GRANT-ML": ({"percent": Decimal(100), "max_uses": 3, "max_uses_per_user": 1}, "ml"),
}
# Who bought what with which.
DISCOUNTED = {("student2", "data"): "WELCOME10"}
# Of the disputes, the one that is decided: the bank was right. The other one is open.
LOST = ("vera", "design")
SHARE_GIVEN_BACK = Decimal("0.30")  # of what was refunded in part


class IncompleteError(DemoError):
    """The people or courses that were paid for are not all there."""


def strangers() -> dict[str, int]:
    return {
        "payments": other_rows(Payment).count(),
        "coupons": other_rows(Coupon).count(),
        "refunds": other_rows(Refund).count(),
        "refund requests": other_rows(RefundRequest).count(),
    }


def clear() -> None:
    demo_rows(Notification).filter(kind=Notification.Kind.PAYMENT_SUCCEEDED).delete()
    # A payment that somebody has done something about stays, and so does what the demo had done about it.
    touched = Q(refunds__in=other_rows(Refund)) | Q(refund_requests__in=other_rows(RefundRequest))
    untouched = demo_rows(Payment).exclude(pk__in=demo_rows(Payment).filter(touched).values("pk"))
    demo_rows(Refund).filter(payment__in=untouched).delete()
    demo_rows(Dispute).filter(payment__in=untouched).delete()
    delete_demo_rows(Payment)
    delete_demo_rows(Coupon)
    for series, numbered in _numbered().items():
        if not numbered.exists():
            NumberSeries.objects.filter(name=series).delete()


def load(people: dict[str, User]) -> dict[str, int]:
    """Raises IncompleteError if the people or the courses of the demo are not there."""
    courses = demo_rows(Course).in_bulk()
    needed = {demo_id("course", key) for _person, key in [*AFTERMATHS, *(attempt[:2] for attempt in ATTEMPTS)]}
    bought = list(
        demo_rows(Enrollment).filter(source=Enrollment.Source.PAYMENT).select_related("user", "course").order_by("pk")
    )
    if not bought or not needed <= courses.keys() or not {attempt.person for attempt in ATTEMPTS} <= people.keys():
        raise IncompleteError("The people and courses of the demo are not there.")
    if other_rows(Coupon).filter(code__in=COUPONS).exists():
        raise DemoError(f"A coupon has a code that the demo needs ({', '.join(COUPONS)}).")
    coupons = load_coupons(courses)
    payments = [payment_for_enrollment(enrollment) for enrollment in bought]
    lessons = demo_rows(LessonAccess).filter(source=Enrollment.Source.PAYMENT).select_related("user", "lesson__course")
    payments += [payment_for_lesson(access) for access in lessons]
    payments += [attempted(attempt, people, courses[demo_id("course", attempt.course)]) for attempt in ATTEMPTS]
    standing = set(demo_rows(Payment).values_list("pk", flat=True))  # somebody has done something about them since
    payments = [payment for payment in payments if payment.pk not in standing]
    refunds = [refund for payment in payments if (refund := refund_of(payment, people["admin"]))]
    paid = [payment for payment in payments if not payment.is_unpaid]
    paid.sort(key=lambda payment: (payment.payment_date, payment.pk))
    for payment, number in zip(paid, numbers_for(RECEIPTS, paid), strict=True):
        payment.receipt_number = number
    refunds.sort(key=lambda refund: (refund.accepted_at, refund.pk))
    for refund, number in zip(refunds, numbers_for(CREDIT_NOTES, refunds), strict=True):
        refund.credit_note_number = number
    save_demo_rows(payments)
    save_demo_rows(refunds)
    save_demo_rows([dispute_of(payment) for payment in payments if payment.status == Statuses.DISPUTED])
    tell(people["student"], payments)
    return {"payments": demo_rows(Payment).count(), "coupons": len(coupons)}


def load_coupons(courses: dict[UUID, Course]) -> list[Coupon]:
    now = timezone.now()
    coupons = [
        Coupon(
            id=demo_id("coupon", code),
            code=code,
            is_limited=course is not None,
            valid_from=now - timedelta(days=60),
            created_at=now - timedelta(days=60),
            **fields,
        )
        for code, (fields, course) in COUPONS.items()
    ]
    save_demo_rows(coupons)
    for coupon in coupons:
        course = COUPONS[coupon.code][1]
        coupon.courses.set([courses[demo_id("course", course)]] if course else [])
    return coupons


def build_payment(user: User, item: Course | Lesson, *, discount: Decimal = Decimal(0), **fields: object) -> Payment:
    """At today's price, less the discount. No ids of Stripe's: it has never heard of these."""
    course = item if isinstance(item, Course) else item.course
    return Payment(
        id=demo_id("payment", str(user.pk), str(item.pk)),
        user=user,
        title=item.title,
        amount=item.price - discount,
        discount=discount,
        currency=course.currency,
        **item_field(item),
        **fields,
    )


def payment_for_enrollment(enrollment: Enrollment) -> Payment:
    is_revoked = enrollment.status == Enrollment.Status.REVOKED
    status = Statuses.REFUNDED if is_revoked else Statuses.SUCCEEDED
    method = Random(str(enrollment.pk)).choices([Methods.CARD, Methods.TRANSFER, Methods.CASH], [6, 2, 1])[0]
    if enrollment.course.currency != settings.DEFAULT_CURRENCY:
        method = Methods.CARD
    for key, aftermath in AFTERMATHS.items():
        if enrollment.pk == demo_id("enrollment", *key):
            status, method = aftermath
    coupon, discount = None, Decimal(0)
    for key, code in DISCOUNTED.items():
        if enrollment.pk == demo_id("enrollment", *key):
            coupon = demo_id("coupon", code)
            percent = COUPONS[code][0]["percent"]
            discount = round_half_up(enrollment.course.price * percent / 100, enrollment.course.currency)
    payment = build_payment(
        enrollment.user,
        enrollment.course,
        coupon_id=coupon,
        discount=discount,
        payment_method=method,
        status=status,
        payment_date=enrollment.created_at,
        created_at=enrollment.created_at - timedelta(minutes=4),
        updated_at=enrollment.updated_at if status != Statuses.SUCCEEDED else enrollment.created_at,
    )
    if status == Statuses.REFUNDED:
        payment.refunded_amount = payment.amount
    elif status == Statuses.PARTIALLY_REFUNDED:
        payment.refunded_amount = (payment.amount * SHARE_GIVEN_BACK).quantize(Decimal("0.01"))
    return payment


def payment_for_lesson(access: LessonAccess) -> Payment:
    return build_payment(
        access.user,
        access.lesson,
        status=Statuses.SUCCEEDED,
        payment_date=access.created_at,
        created_at=access.created_at - timedelta(minutes=3),
    )


def attempted(attempt: Attempt, people: dict[str, User], course: Course) -> Payment:
    moment = timezone.now() - timedelta(hours=attempt.hours_ago)
    return build_payment(
        people[attempt.person],
        course,
        payment_method=attempt.method,
        status=attempt.status,
        payment_date=moment,
        created_at=moment,
    )


def refund_of(payment: Payment, admin: User) -> Refund | None:
    """What went back of it, if anything did."""
    if not payment.refunded_amount:
        return None
    return Refund(
        id=demo_id("refund", str(payment.pk)),
        payment=payment,
        amount=payment.refunded_amount,
        reason=Refund.Reason.REQUESTED_BY_CUSTOMER,
        status=Refund.Status.SUCCEEDED,
        accepted_at=payment.updated_at,
        created_by=admin,
        created_at=payment.updated_at,
        updated_at=payment.updated_at,
    )


def dispute_of(payment: Payment) -> Dispute:
    is_lost = payment.pk == demo_id("payment", str(demo_id("user", LOST[0])), str(demo_id("course", LOST[1])))
    return Dispute(
        id=demo_id("dispute", str(payment.pk)),
        payment=payment,
        stripe_dispute_id=f"dp_demo_{payment.pk.hex}",  # Stripe knows none by this name
        amount=payment.amount,
        status=Dispute.Status.LOST if is_lost else Dispute.Status.OPEN,
        closed_at=payment.updated_at if is_lost else None,
        created_at=payment.payment_date + timedelta(days=1),
        updated_at=payment.updated_at,
    )


def numbers_for(series: str, rows: Sequence[object]) -> list[str]:
    """A number for each row: those that the demo left free when it was cleared, then new ones. So the series stays
    without gaps, whatever people have drawn meanwhile."""
    known = NumberSeries.objects.select_for_update().filter(name=series).first()
    drawn = [f"{series}-{number:06d}" for number in range(1, known.last + 1)] if known else []
    taken = set(_numbered()[series])
    free = [number for number in drawn if number not in taken][: len(rows)]
    return [*free, *(draw_number(series) for _ in rows[len(free) :])]


def _numbered() -> dict[str, QuerySet[Any, str]]:
    """By series, the numbers that rows carry."""
    return {
        RECEIPTS: Payment.objects.exclude(receipt_number="").values_list("receipt_number", flat=True),
        CREDIT_NOTES: Refund.objects.exclude(credit_note_number="").values_list("credit_note_number", flat=True),
    }


def _received(payment: Payment) -> str:
    return f"Мы получили {format_money(payment.amount, payment.currency)} за «{payment.title}». Доступ открыт."


def tell(user: User, payments: list[Payment]) -> None:
    """The notifications that the user got for what they bought."""
    save_demo_rows(
        [
            Notification(
                id=demo_id("notification", "payment", str(payment.pk)),
                recipient=user,
                kind=Notification.Kind.PAYMENT_SUCCEEDED,
                subject=f"Оплата получена: «{payment.title}»",
                message=_received(payment),
                url=frontend.course(payment.paid_course_id),
                is_read=True,
                read_at=payment.payment_date + timedelta(hours=5),
                email_status=Notification.EmailStatus.NONE,
                dedup_key=f"payment_succeeded:{payment.pk}",
                created_at=payment.payment_date,
            )
            for payment in payments
            if payment.user == user and payment.paid_course_id and payment.status == Statuses.SUCCEEDED
        ]
    )
