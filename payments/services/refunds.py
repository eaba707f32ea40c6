"""Giving money back: an admin's refunds, and buyers who ask for one."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.background import enqueue
from common.errors import RuleBroken, invalid
from common.ids import new_id
from common.money import check_in_currency, format_money
from payments import gateway
from payments.models import IdempotencyRecord, Payment, Refund, RefundRequest
from payments.services import settling, telling
from users.models import User

# A refund that an admin waits for, is this old and was not sent was cut off.
SEND_AFTER = timedelta(minutes=1)
# So long at least Stripe remembers an idempotency key.
KEY_LIFETIME = timedelta(hours=23)


def refund_payment(
    *, payment: Payment, amount: Decimal | None, reason: str, admin: User, refund_id: UUID | None = None
) -> Payment:
    """Gives the amount, or all that is left, back; `reason` is one of Stripe's or in other words. Called again with the
    same `refund_id` it goes on with that refund.

    Raises RuleBroken for a payment with nothing to give back, a 400 on `amount` for more than is left, and
    StripeUnavailable, after which the same call, or the sweeper, goes on with the same refund.
    """
    known = payment.refunds.filter(pk=refund_id).select_related("payment").first() if refund_id else None
    refund = known or _standing_refund(payment, amount)
    refund = refund or _new_refund(payment, amount, reason, admin, refund_id or new_id())
    if refund.status == Refund.Status.FAILED:
        raise RuleBroken("refund_refused", refund.error or _("This refund did not go through."))  # as the first time
    if refund.payment.is_taken_by_stripe:
        send_refund(refund)
    payment.refresh_from_db()
    return payment


def _standing_refund(payment: Payment, amount: Decimal | None) -> Refund | None:
    """One that was asked for, and of which it is not known whether Stripe has heard."""
    waiting = Refund.objects.to_send().filter(payment=payment).select_related("payment").first()
    if waiting is None:
        return None
    others = payment.refunds.standing().exclude(pk=waiting.pk)
    left = payment.amount - sum(refund.amount for refund in others)
    if waiting.amount == (left if amount is None else amount):
        return waiting
    raise RuleBroken("refund_in_progress", _("Another refund of this payment is on its way. Try again soon."))


def _new_refund(payment: Payment, amount: Decimal | None, reason: str, admin: User, refund_id: UUID) -> Refund:
    with settling.locked(payment.pk) as (payment, siblings):
        if known := Refund.objects.filter(pk=refund_id).select_related("payment").first():
            if known.payment_id != payment.pk:
                raise RuleBroken("conflict", _("This is a refund of another payment."))
            return known
        if payment.status not in Payment.OPENING:
            raise RuleBroken("not_refundable", _("Nothing of this payment can be given back."))
        left = payment.amount - sum(refund.amount for refund in payment.refunds.standing())
        if left <= 0:
            raise RuleBroken("not_refundable", _("Nothing of this payment can be given back."))
        amount = left if amount is None else amount
        check_in_currency(amount, payment.currency, attr="amount")
        if amount > left:
            text = _("At most %(left)s can be given back.") % {"left": format_money(left, payment.currency)}
            raise invalid("amount", "amount_too_large", text)
        code = reason if reason in Refund.Reason.values else Refund.Reason.OTHER
        refund = Refund(
            pk=refund_id,
            payment=payment,
            amount=amount,
            reason=code,
            comment="" if code == reason else reason,
            created_by=admin,
        )
        refund.save()
        if not payment.is_taken_by_stripe:
            settling.note_refund(refund, stripe_refund_id="", status=Refund.Status.SUCCEEDED)
            settling.update_standing(payment, siblings)
    return refund


def send_refund(refund: Refund) -> None:
    """Asks Stripe for the refund and notes its answer. Safe to run twice, and at once."""
    if refund.created_at < timezone.now() - KEY_LIFETIME:
        settling.refresh(refund.payment)  # Stripe may have done it, and forgotten the key since
        refund.refresh_from_db()
    if refund.status != Refund.Status.PENDING or refund.stripe_refund_id:
        return
    try:
        answer = gateway.create_refund(refund)
    except gateway.RefundRefused as error:
        # First, what has been given back already: this one, maybe, or another at Stripe's dashboard.
        settling.refresh(refund.payment)
        with settling.locked(refund.payment_id) as (payment, siblings):
            if (
                Refund.objects.to_send()
                .filter(pk=refund.pk)
                .update(status=Refund.Status.FAILED, error=str(error.detail)[:255], updated_at=timezone.now())
            ):
                settling.give_back(payment, siblings)  # if less is left by now
                if not payment.refunds.filter(status=Refund.Status.PENDING, stripe_refund_id="").exists():
                    telling.tell_admins_of_failed_refund(refund)
        raise
    with settling.locked(refund.payment_id) as (payment, siblings):
        current = Refund.objects.get(pk=refund.pk)
        current.payment = payment
        if not current.stripe_refund_id:
            settling.note_refund(current, stripe_refund_id=answer.id, status=answer.status)
        settling.update_standing(payment, siblings)


def send_waiting_refunds() -> int:
    """Refunds that were cut off before Stripe's answer was noted; says how many went through."""
    sent = 0
    for refund in list(Refund.objects.to_send(timezone.now() - SEND_AFTER).select_related("payment__user")):
        try:
            send_refund(refund)
            sent += 1
        except gateway.StripeUnavailable:
            break  # the next run goes on
        except gateway.RefundRefused:
            continue  # the admins have been told
    return sent


# --- Requests --------------------------------------------------------------------------------------------------------


@transaction.atomic
def request_refund(*, payment: Payment, reason: str) -> RefundRequest:
    """A buyer asks for their money back. Raises RuleBroken outside `REFUND_WINDOW_DAYS`, and while one is open."""
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if payment.refundable_until is None:
        raise RuleBroken("not_refundable", _("Nothing of this payment can be given back."))
    if payment.refundable_until < timezone.now():
        days = settings.REFUND_WINDOW_DAYS
        text = ngettext(
            "A refund can be asked for within %(days)s day.", "A refund can be asked for within %(days)s days.", days
        )
        raise RuleBroken("refund_window_closed", text % {"days": days})
    if payment.refund_requests.filter(status=RefundRequest.Status.OPEN).exists():
        raise RuleBroken("already_requested", _("You have asked for a refund already: an admin will decide."))
    request = RefundRequest.objects.create(payment=payment, reason=reason)
    telling.tell_admins_of_request(payment, request.pk)
    return request


@transaction.atomic
def decline_request(*, payment: Payment, admin: User, answer: str) -> None:
    """The payment's open request is declined, and the buyer reads why. Raises RuleBroken if there is none any more."""
    request = (
        RefundRequest.objects.select_for_update().filter(payment=payment, status=RefundRequest.Status.OPEN).first()
    )
    if request is None:
        raise RuleBroken("already_decided", _("It has been decided already."))
    request.status = RefundRequest.Status.DECLINED
    request.answer = answer
    request.decided_by, request.decided_at = admin, timezone.now()
    request.save(update_fields=["status", "answer", "decided_by", "decided_at", "updated_at"])
    telling.tell_buyer_of_decline(payment, request)


def anonymise_buyer(user: User) -> None:
    """For the registry: the books stay; what was written in words of one's own, and their keys, do not. Nobody should
    pay at the pages that are open."""
    enqueue("payments.tasks.close_stale_payments")
    RefundRequest.objects.filter(payment__user=user).update(reason="", answer="", updated_at=timezone.now())
    IdempotencyRecord.objects.filter(user=user).delete()
