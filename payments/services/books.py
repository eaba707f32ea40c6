"""The books: receipts, credit notes, the bookkeeper's file and the sales of courses."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import CharField, Count, DateField, F, Max, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.translation import gettext as _

from common.errors import RuleBroken
from common.sheets import BOM, csv_line
from payments import papers
from payments.models import Dispute, Payment, Refund
from payments.papers import Paper
from payments.services import settling
from users.models import User
from users.services import DELETED

# Rows that are in memory at a time while a file is written.
ROWS_AT_ONCE = 1000

# --- Papers ----------------------------------------------------------------------------------------------------------


def receipt(payment: Payment) -> Paper:
    """The PDF. Raises RuleBroken for a payment whose money has not come in."""
    if payment.is_unpaid:
        raise RuleBroken("no_receipt", _("Nothing has been paid, so there is no receipt."))
    payment = _with_receipt_number(payment)
    refunds = [_with_credit_note_number(refund) for refund in payment.refunds.accepted().order_by("accepted_at", "pk")]
    disputes = payment.disputes.filter(status__in=Dispute.CLOSING).order_by("created_at", "pk")
    return papers.render_receipt(payment, refunds, list(disputes))


def credit_note(refund: Refund) -> Paper:
    """The PDF. Raises RuleBroken for a refund that does not count."""
    if not refund.is_accepted:
        raise RuleBroken("no_credit_note", _("This refund does not count, so there is no credit note."))
    payment = _with_receipt_number(refund.payment)
    refund = _with_credit_note_number(refund)
    refund.payment = payment
    return papers.render_credit_note(refund)


def _with_receipt_number(payment: Payment) -> Payment:
    """What was paid before there were numbers, or was loaded without one, gets its own when it is first needed."""
    if payment.receipt_number:
        return payment
    with settling.locked(payment.pk) as (payment, _siblings):
        if not payment.receipt_number:
            payment.receipt_number = settling.draw_number(settling.RECEIPTS)
            payment.save(update_fields=["receipt_number", "updated_at"])
    return payment


def _with_credit_note_number(refund: Refund) -> Refund:
    if refund.credit_note_number:
        return refund
    with settling.locked(refund.payment_id):
        refund = Refund.objects.get(pk=refund.pk)
        if not refund.credit_note_number:
            refund.credit_note_number = settling.draw_number(settling.CREDIT_NOTES)
            refund.save(update_fields=["credit_note_number", "updated_at"])
    return refund


# --- The bookkeeper's file -------------------------------------------------------------------------------------------

PAYMENT, REFUND, DISPUTE = "payment", "refund", "dispute"


class Entry(NamedTuple):
    """A line of the file, as the database knows it; its amount has no sign yet."""

    moment: datetime
    kind: str
    pk: UUID
    number: str
    receipt_number: str
    payment: UUID
    user: UUID
    email: str
    left: str
    title: str
    paid_course: UUID | None
    paid_lesson: UUID | None
    payment_method: str
    amount: Decimal
    currency: str
    status: str
    reference: str
    stripe_id: str


COLUMNS = (
    "date", "kind", "number", "receipt_number", "payment", "user", "email", "title", "paid_course", "paid_lesson",
    "payment_method", "amount", "currency", "status", "reference", "stripe_id",
)  # fmt: skip


def export(*, date_from: datetime | None, date_to: datetime | None) -> Iterator[str]:
    """CSV, a line at a time, the oldest first: money that came in, refunds and lost disputes, each when it happened.
    The last two are negative. One query, whose rows are never all in memory."""
    yield BOM + csv_line(COLUMNS)
    for row in _entries(date_from, date_to).iterator(chunk_size=ROWS_AT_ONCE):
        entry = Entry(*row)
        local = timezone.localtime(entry.moment, timezone.get_default_timezone())
        yield csv_line(
            [
                local.strftime("%Y-%m-%d %H:%M:%S"), entry.kind, entry.number, entry.receipt_number, entry.payment,
                entry.user, "" if entry.left == DELETED else entry.email, entry.title, entry.paid_course or "",
                entry.paid_lesson or "", entry.payment_method, _signed(entry), entry.currency, entry.status,
                entry.reference, entry.stripe_id,
            ]
        )  # fmt: skip


def _signed(entry: Entry) -> Decimal:
    if entry.kind == PAYMENT:
        return entry.amount
    if entry.kind == REFUND and entry.status not in Refund.STANDING:
        return Decimal("0.00")  # the bank sent it back: it stays for its number
    return -entry.amount


def _entries(date_from: datetime | None, date_to: datetime | None) -> QuerySet[Any, Any]:
    refunds = Refund.objects.filter(accepted_at__isnull=False)
    parts = [
        _part(Payment.objects.that_were_paid(), "payment_date", PAYMENT, "receipt_number", "stripe_payment_intent_id"),
        _part(refunds, "accepted_at", REFUND, "credit_note_number", "stripe_refund_id"),
        _part(Dispute.objects.lost(), "ended_at", DISPUTE, None, "stripe_dispute_id"),
    ]
    first, *others = [_between(part, "moment", date_from, date_to) for part in parts]
    return first.union(*others, all=True).order_by("moment", "kind", "pk")


def _part(rows: QuerySet[Any], moment: str, kind: str, number: str | None, stripe_id: str) -> QuerySet[Any, Any]:
    text = CharField()
    of_payment = "" if kind == PAYMENT else "payment__"
    return (
        rows.order_by()
        .annotate(
            moment=F(moment),
            kind=Value(kind, output_field=text),
            number=F(number) if number else Value("", output_field=text),
        )
        .values_list(
            "moment", "kind", "pk", "number",
            *(of_payment + name for name in (
                "receipt_number", "pk", "user_id", "user__email", "user__deactivation_reason", "title",
                "paid_course_id", "paid_lesson_id", "payment_method",
            )),
            "amount", f"{of_payment}currency", "status", f"{of_payment}reference", stripe_id,
        )
    )  # fmt: skip


def _between(rows: QuerySet[Any, Any], field: str, first: datetime | None, last: datetime | None) -> QuerySet[Any, Any]:
    rows = rows if first is None else rows.filter(**{f"{field}__gte": first})
    return rows if last is None else rows.filter(**{f"{field}__lte": last})


# --- Sales -----------------------------------------------------------------------------------------------------------


@dataclass
class Sales:
    """What a course brought in a month, in one currency. `payments` counts those of the month; what was given back, or
    taken back by a bank, counts in the month when that happened."""

    course: UUID
    title: str
    month: date
    currency: str
    payments: int = 0
    gross: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return self.gross - self.refunded


def sales(
    *, user: User, date_from: datetime | None = None, date_to: datetime | None = None, course: UUID | None = None
) -> list[Sales]:
    """Of one's own courses, of all for admins: by month, then by title. One query, whatever was sold.

    A lesson that was sold alone counts under its course.
    """
    kinds = [
        (PAYMENT, Payment.objects.that_were_paid(), "payment_date", ""),
        (REFUND, Refund.objects.accepted(), "accepted_at", "payment__"),
        (DISPUTE, Dispute.objects.lost(), "ended_at", "payment__"),
    ]
    parts = []
    # Courses and lessons apart: each part finds its rows by an index.
    for (kind, rows, moment, of_payment), item in product(kinds, ("paid_course", "paid_lesson__course")):
        path = of_payment + item
        conditions: dict[str, Any] = {f"{path}__isnull": False}
        if not user.is_staff:
            conditions[f"{path}__owner"] = user
        if course is not None:
            conditions[path] = course
        parts.append(
            _between(rows.filter(**conditions), moment, date_from, date_to)
            .order_by()
            .annotate(
                kind=Value(kind, output_field=CharField()),
                month=TruncMonth(moment, output_field=DateField(), tzinfo=timezone.get_default_timezone()),
            )
            .values_list("kind", path, "month", f"{of_payment}currency")
            # Of a course there is one title; grouping by it, too, would compare texts a million times.
            .annotate(Max(f"{path}__title"), Count("pk"), Sum("amount"))
        )
    found: dict[tuple[UUID, date, str], Sales] = {}
    first, *others = parts
    for kind, course_id, month, currency, title, count, amount in first.union(*others, all=True):
        line = found.setdefault((course_id, month, currency), Sales(course_id, title, month, currency))
        amount = amount.quantize(Decimal("0.01"))  # SQLite adds in binary
        if kind == PAYMENT:
            line.payments += count
            line.gross += amount
        else:
            line.refunded += amount
    return sorted(found.values(), key=lambda line: (line.month, line.title, line.course, line.currency))
