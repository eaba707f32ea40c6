"""Closing unpaid payments, at Stripe first: another way of paying was chosen, their reason or their hold has ended, or
what they were for has been deleted. Stripe is never asked within a transaction."""

import logging
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from common.errors import RuleBroken
from payments import gateway
from payments.models import Payment
from payments.models.payments import past_their_hold
from payments.services import reasons, settling

logger = logging.getLogger(__name__)

# The second: a page's own event may have come first.
CLOSABLE = (Payment.Status.PENDING, Payment.Status.EXPIRED)
# A session that has not been noted by then was never handed to anybody.
NOTED_WITHIN = timedelta(hours=1)


def close_payment(payment: Payment) -> None:
    """Closes a pending payment, so that another one may be opened. Raises RuleBroken for one whose money is on its way,
    and StripeUnavailable, after which nothing has changed."""
    if payment.stripe_session_id and _close_page(payment) == Payment.Status.PENDING:
        raise RuleBroken("payment_processing", _("Your payment is on its way: wait for its outcome."))
    if payment.status in CLOSABLE and not _close_row(payment, Payment.Status.CANCELED):
        raise overtaken()


def overtaken() -> RuleBroken:
    return RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))


def close_stale_payments() -> int:
    """Closes what nobody should pay any more, and deletes what was never paid for something that is deleted. Says how
    many have been closed.

    What is paid in spite of it is given back by `settling.settle`. Safe to run twice, at once, or after a kill: while a
    page is not known to be closed, the next run closes it.
    """
    now = timezone.now()
    waiting = reasons.with_end(Payment.objects.filter(status=Payment.Status.PENDING, page_closed_at__isnull=True))
    stale = waiting.filter(~Q(ended_because="") | past_their_hold(now)).order_by("created_at")
    closed = 0
    # Read at once: a cursor that stays open would keep SQLite from writing.
    of_deleted = reasons.with_end(Payment.objects.of_what_is_deleted()).order_by("created_at")
    for payment in {payment.pk: payment for payment in [*stale, *of_deleted]}.values():
        try:
            closed += _close_stale(payment)
        except gateway.StripeUnavailable:
            break  # each of the others would wait for the same time-out; the next run goes on
        except Exception:
            logger.exception("Payment %s could not be closed", payment.pk)  # the others do not wait for it
    return closed


def _close_stale(payment: Payment) -> bool:
    was_pending = payment.status == Payment.Status.PENDING
    has_ended = bool(payment.ended_because)  # type: ignore[attr-defined] # with_end adds it
    if payment.page_closed_at is None and payment.stripe_session_id:
        if _close_page(payment) == Payment.Status.EXPIRED and was_pending and has_ended:
            _close_row(payment, Payment.Status.CANCELED)
    elif payment.page_closed_at is None and was_pending:
        _close_row(payment, Payment.Status.CANCELED if has_ended else Payment.Status.EXPIRED)
    if payment.item_id is None:
        _delete_unpaid(payment)
    return was_pending


def _close_page(payment: Payment) -> str:
    """The payment's status, once its page is closed; pending while its money is on its way."""
    session = gateway.expire_session(payment.stripe_session_id)
    settled = settling.settle(payment.pk, session) if session is not None else settling.note_unknown_session(payment)
    payment.status, payment.page_closed_at = settled.status, settled.page_closed_at
    return payment.status


def _close_row(payment: Payment, status: str) -> bool:
    """Of one that has no page, or whose page is closed."""
    return bool(
        Payment.objects.filter(
            pk=payment.pk,
            status__in=CLOSABLE,
            stripe_session_id=payment.stripe_session_id,
        ).update(status=status, updated_at=timezone.now())
    )


def _delete_unpaid(payment: Payment) -> None:
    """Deletes the payment of something that is deleted, once it is known that no money can come."""
    gone = Payment.objects.of_what_is_deleted().filter(pk=payment.pk).exclude(status=Payment.Status.PENDING)
    gone.filter(
        Q(page_closed_at__isnull=False) | Q(stripe_session_id="", created_at__lt=timezone.now() - NOTED_WITHIN)
    ).delete()
