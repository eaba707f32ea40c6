"""Settling: bringing a payment to where its money is. `settle` is the one function that opens and closes what money
buys; whoever hears of a session, a refund or a dispute ends here with what Stripe says of it at that moment."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum
from django.utils import timezone

from common.background import enqueue
from materials import services as materials
from materials.models import Enrollment
from payments import gateway
from payments.gateway import Session, StripeDispute, StripeRefund
from payments.models import Dispute, NumberSeries, Payment, Refund, RefundRequest, WebhookEvent
from payments.services import reasons, telling

logger = logging.getLogger(__name__)

RECEIPTS, CREDIT_NOTES = "R", "C"
DUPLICATE = "The same thing was paid for twice."
NO_REASON = "There was nothing left to pay for."


def refresh(payment: Payment, *, event: WebhookEvent | None = None) -> Payment:
    """Asks Stripe for the payment's session and brings the payment up to date."""
    if not payment.stripe_session_id:
        return payment
    session = gateway.retrieve_session(payment.stripe_session_id, with_refunds=payment.refunds.exists())
    if session is not None:
        return settle(payment.pk, session, event=event)
    return note_unknown_session(payment)


def note_unknown_session(payment: Payment) -> Payment:
    """Stripe knows no such session: nobody can pay it, so it must not stand in the way of a new one."""
    now = timezone.now()
    Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING).update(
        status=Payment.Status.EXPIRED, updated_at=now
    )
    Payment.objects.filter(pk=payment.pk, page_closed_at__isnull=True).update(page_closed_at=now)
    payment.refresh_from_db()
    return payment


def settle_session(session_id: str, *, event: WebhookEvent | None = None) -> Payment | None:
    """The payment of a session, up to date with Stripe; None if the session is not one of ours."""
    if not gateway.SESSION_ID.fullmatch(session_id):
        return None
    payment = Payment.objects.filter(stripe_session_id=session_id).first()
    knows_refunds = payment is not None and payment.refunds.exists()
    session = gateway.retrieve_session(session_id, with_refunds=knows_refunds)
    if session is None:
        return None
    if payment is None:
        # Paid so fast, or we died so soon, that the session's id was not noted yet: the session names its payment.
        try:
            unnoted = Payment.objects.filter(pk=UUID(session.client_reference_id), stripe_session_id="")
        except ValueError:
            return None  # a session that something else made with our account
        unnoted.update(stripe_session_id=session.id, payment_url=session.url, updated_at=timezone.now())
        payment = Payment.objects.filter(stripe_session_id=session_id).first()
    return settle(payment.pk, session, event=event) if payment is not None else None


def settle_intent(intent_id: str, *, event: WebhookEvent | None = None) -> Payment | None:
    """The same for whoever knows the payment intent alone, as refunds and disputes do."""
    payment = Payment.objects.filter(stripe_payment_intent_id=intent_id).first()
    if payment is not None:
        return refresh(payment, event=event)
    session_id = gateway.session_of_intent(intent_id)
    return settle_session(session_id, event=event) if session_id else None


def settle(payment_id: UUID, session: Session, *, event: WebhookEvent | None = None) -> Payment:
    """Brings the payment to where its session is, and opens or closes access in the same transaction; an event that
    told of it is done in that transaction, too.

    Exactly once, however often and from wherever it is called. What is known only grows: nothing that comes late
    undoes a success, a refund or the end of a dispute.
    """
    with locked(payment_id) as (payment, siblings):
        if session.status != "open" and payment.page_closed_at is None and payment.stripe_session_id == session.id:
            payment.page_closed_at = timezone.now()
            payment.save(update_fields=["page_closed_at", "updated_at"])
        if session.is_paid and payment.is_unpaid:
            _succeed(payment, siblings, session)
        elif payment.status == Payment.Status.PENDING and (session.has_failed or session.status == "expired"):
            payment.status = Payment.Status.FAILED if session.has_failed else Payment.Status.EXPIRED
            payment.save(update_fields=["status", "updated_at"])
        if not payment.is_unpaid and (session.refunds or session.disputes):
            for refund in session.refunds:
                _note_refund(payment, refund)
            for dispute in session.disputes:
                _note_dispute(payment, dispute)
            update_standing(payment, siblings)
        give_back(payment, siblings)
        if event is not None:
            event.note_processed()
    return payment


@contextmanager
def locked(payment_id: UUID) -> Iterator[tuple[Payment, list[Payment]]]:
    """The payment, and all of its buyer's payments for the same thing, itself among them; nobody else changes one of
    them until the transaction ends. Without the others' locks, one that opens and one that closes would not see each
    other."""
    with transaction.atomic():
        payment, siblings = _lock(payment_id)
        yield payment, siblings
        _number_papers(payment)


def _lock(payment_id: UUID) -> tuple[Payment, list[Payment]]:
    known = Payment.objects.only("user_id", "paid_course_id", "paid_lesson_id").get(pk=payment_id)
    same = Payment.objects.filter(
        user_id=known.user_id, paid_course_id=known.paid_course_id, paid_lesson_id=known.paid_lesson_id
    )
    if known.item_id is None:
        same = same.filter(pk=payment_id)
    siblings = list(same.select_for_update(of=("self",)).select_related("user", "coupon").order_by("pk"))
    payment = next((one for one in siblings if one.pk == payment_id), None)
    # What it is for may have been deleted while we waited for the lock.
    return (payment, siblings) if payment is not None else _lock(payment_id)


def _succeed(payment: Payment, siblings: list[Payment], session: Session) -> None:
    if (session.amount, session.currency) != (payment.amount, payment.currency):
        # Money has moved, but not what was asked for: a person has to look at it.
        logger.error(
            "Payment %s asked for %s %s, session %s took %s %s",
            payment.pk, payment.amount, payment.currency, session.id, session.amount, session.currency,
        )  # fmt: skip
        telling.tell_admins_of_mismatch(payment, session)
        if sum(refund.amount for refund in session.refunds if refund.status in Refund.STANDING) >= session.amount:
            payment.status = Payment.Status.FAILED  # the person has given it back
            payment.save(update_fields=["status", "updated_at"])
        return
    payment.stripe_payment_intent_id = session.payment_intent
    # The refunds that somebody has made already are noted before what is left goes back (`give_back`).
    mark_paid(payment, siblings, returned_because=reasons.why_ended(payment))


def mark_paid(payment: Payment, siblings: list[Payment], *, returned_because: str = "") -> None:
    """The money is here: a receipt, access and a notification. Within the transaction of `locked`.

    With `returned_because`, one of Payment.Ended, there was nothing left to pay for: it opens nothing.
    """
    payment.status = Payment.Status.SUCCEEDED
    payment.returned_because = returned_because
    payment.payment_date = timezone.now()
    payment.access_until = materials.end_of_access(payment.paid_course) if payment.paid_course else None
    payment.save(
        update_fields=[
            "status", "payment_date", "access_until", "stripe_payment_intent_id", "reference",
            "confirmed_by", "returned_because", "updated_at",
        ]
    )  # fmt: skip
    if returned_because:
        is_duplicate = _is_duplicate(payment, siblings)
        telling.tell_admins_of_return(payment, is_duplicate=is_duplicate)
        if not is_duplicate:
            return  # the buyer hears of the refund
    else:
        sync_access(payment, siblings)
        # What it opens may be what another page is open for: a lesson of the course, or the course.
        enqueue("payments.tasks.close_stale_payments")
    telling.tell_buyer_of_success(payment)


def _is_duplicate(payment: Payment, siblings: list[Payment]) -> bool:
    return any(other.opens_now for other in siblings if other != payment)


def give_back(payment: Payment, siblings: list[Payment]) -> None:
    """Writes the refund of what is left of a payment for which there was no reason. Within the transaction of `locked`;
    safe to call again.

    While a dispute is open there is nothing to give. What Stripe or the bank has refused once is not tried again: the
    money stays, so it opens what it was for, as any other that stays.
    """
    if not payment.returned_because or payment.status not in Payment.OPENING:
        return
    standing = list(payment.refunds.standing())
    left = payment.amount - sum(refund.amount for refund in standing)
    if left <= 0 or any(refund.accepted_at is None for refund in standing):
        return
    failed = payment.refunds.filter(amount=left, status__in=(Refund.Status.FAILED, Refund.Status.CANCELED))
    decided_at = payment.disputes.aggregate(last=Max("closed_at"))["last"]
    if decided_at is not None:
        failed = failed.filter(updated_at__gt=decided_at)  # until then there was a reason to refuse it
    if failed.exists():
        if payment.item is not None:
            payment.returned_because = ""
            payment.save(update_fields=["returned_because", "updated_at"])
            sync_access(payment, siblings)
        return
    is_duplicate = _is_duplicate(payment, siblings)
    refund = Refund.objects.create(
        payment=payment,
        amount=left,
        reason=Refund.Reason.DUPLICATE if is_duplicate else Refund.Reason.OTHER,
        comment=DUPLICATE if is_duplicate else NO_REASON,
    )
    enqueue("payments.tasks.send_refund", str(refund.pk))


def _number_papers(payment: Payment) -> None:
    """A receipt for money that has come, a credit note for money that goes back. At the end: whoever holds a series
    must not wait for anybody's course."""
    if payment.is_unpaid:
        return
    if not payment.receipt_number:
        payment.receipt_number = draw_number(RECEIPTS)
        payment.save(update_fields=["receipt_number", "updated_at"])
    if payment.refunded_amount:
        for refund in payment.refunds.accepted().filter(credit_note_number="").order_by("accepted_at", "pk"):
            refund.credit_note_number = draw_number(CREDIT_NOTES)
            refund.save(update_fields=["credit_note_number", "updated_at"])


def draw_number(series: str) -> str:
    """The next of a series without gaps: whoever draws holds the series until the end of their transaction."""
    row, _created = NumberSeries.objects.select_for_update().get_or_create(name=series)
    row.last += 1
    row.save(update_fields=["last"])
    return f"{series}-{row.last:06d}"


# --- Refunds and disputes --------------------------------------------------------------------------------------------


def _note_refund(payment: Payment, said: StripeRefund) -> None:
    """What Stripe says of a refund, whoever asked for it: us, or a person at Stripe's dashboard."""
    refund = Refund.objects.filter(stripe_refund_id=said.id).first()
    if refund is None:
        # Ours carries its id in its metadata; the answer with Stripe's own id may not have come yet.
        refund = payment.refunds.filter(pk=said.refund_id, stripe_refund_id="").first() if said.refund_id else None
    if refund is None:
        refund = Refund(payment=payment, amount=said.amount, reason=said.reason)
    note_refund(refund, stripe_refund_id=said.id, status=said.status)


def note_refund(refund: Refund, *, stripe_refund_id: str, status: str) -> None:
    """From now on the refund counts, or, having failed, does not. Within the transaction of `locked`."""
    if refund.status in {Refund.Status.FAILED, Refund.Status.CANCELED}:
        return
    refund.stripe_refund_id = stripe_refund_id
    if refund.status == Refund.Status.PENDING:
        refund.status = status
    elif status in {Refund.Status.FAILED, Refund.Status.CANCELED}:
        refund.status = status  # the bank sent the money back
    if refund.status in Refund.STANDING and refund.accepted_at is None:
        refund.accepted_at = timezone.now()
        RefundRequest.objects.filter(payment=refund.payment_id, status=RefundRequest.Status.OPEN).update(
            status=RefundRequest.Status.APPROVED,
            decided_by=refund.created_by_id,
            decided_at=refund.accepted_at,
            updated_at=refund.accepted_at,
        )
        telling.tell_buyer_of_refund(refund)
    refund.save()
    if refund.status in {Refund.Status.FAILED, Refund.Status.CANCELED}:
        telling.tell_admins_of_failed_refund(refund)
        if refund.accepted_at is not None:
            telling.tell_buyer_of_failed_refund(refund)


def _note_dispute(payment: Payment, said: StripeDispute) -> None:
    closed_at = None if said.status == Dispute.Status.OPEN else timezone.now()
    known = {"payment": payment, "amount": said.amount, "status": said.status, "closed_at": closed_at}
    dispute, created = Dispute.objects.get_or_create(stripe_dispute_id=said.id, defaults=known)
    if not created and dispute.status == Dispute.Status.OPEN and said.status != Dispute.Status.OPEN:
        dispute.status = said.status
        dispute.closed_at = closed_at
        dispute.save(update_fields=["status", "closed_at", "updated_at"])
    dispute.payment = payment
    telling.tell_of_dispute(dispute)


def update_standing(payment: Payment, siblings: list[Payment]) -> None:
    """Derives the status of a paid payment from its refunds and disputes, and opens or closes what it bought."""
    given_back = payment.refunds.accepted().aggregate(sum=Sum("amount"))["sum"]
    refunded = given_back or Decimal(0)
    if payment.disputes.filter(status__in=Dispute.CLOSING).exists():
        status = Payment.Status.DISPUTED
    elif refunded and refunded >= payment.amount:
        status = Payment.Status.REFUNDED
    else:
        status = Payment.Status.PARTIALLY_REFUNDED if refunded else Payment.Status.SUCCEEDED
    if (status, refunded) == (payment.status, payment.refunded_amount):
        return
    opened = payment.opens
    payment.status, payment.refunded_amount = status, refunded
    payment.save(update_fields=["status", "refunded_amount", "updated_at"])
    if payment.opens != opened:
        sync_access(payment, siblings)


# --- Access ----------------------------------------------------------------------------------------------------------


def sync_access(payment: Payment, siblings: list[Payment]) -> None:
    """Opens what was bought as far as its payments do, or closes it unless something else opens it."""
    opening = [other for other in siblings if other.opens]
    if payment.paid_course is not None:
        if opening:
            ends = [other.access_until for other in opening]
            until = None if None in ends else max(end for end in ends if end)
            materials.open_by_payment(user=payment.user, course=payment.paid_course, until=until)
        else:
            materials.close_by_payment(user=payment.user, course=payment.paid_course)
    elif payment.paid_lesson is not None:
        if opening:
            materials.grant_lesson_access(
                user=payment.user, lesson=payment.paid_lesson, source=Enrollment.Source.PAYMENT
            )
        else:
            materials.close_lesson_by_payment(user=payment.user, lesson=payment.paid_lesson)
