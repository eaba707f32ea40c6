"""Looking after payments that wait: what no webhook told us, what was given up, what was forgotten."""

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from payments import gateway
from payments.models import Payment
from payments.services import buying, settling, telling

logger = logging.getLogger(__name__)

# A payment that never got a session, because Stripe was away and its buyer gave up, is closed after this.
ABANDONED_AFTER = timedelta(days=1)
# Cash or a transfer that is awaited for longer than this is asked about.
REMIND_AFTER = timedelta(days=7)
CLOSE_AFTER = timedelta(days=30)


def reconcile(*, before_minutes: int) -> int:
    """Asks Stripe about card payments that have been pending for long; says how many moved on."""
    now = timezone.now()
    moved = 0
    # Read at once: a cursor that stays open would keep SQLite from writing.
    for payment in list(Payment.objects.to_reconcile(now - timedelta(minutes=before_minutes))):
        try:
            moved += _reconcile_one(payment, now)
        except gateway.StripeUnavailable:
            break  # the next run goes on
        except Exception:
            logger.exception("Payment %s could not be reconciled", payment.pk)  # the others do not wait for it
    return moved


def _reconcile_one(payment: Payment, now: datetime) -> bool:
    if payment.stripe_session_id:
        payment = settling.refresh(payment)
        is_owned = Payment.objects.for_item(payment.user, payment.item).that_open_now().exists()
        if payment.status == Payment.Status.PENDING and is_owned:
            # An earlier payment, thought to be over, was paid after all: nobody should pay this one as well.
            buying.close_payment(payment)
            payment.refresh_from_db()
        return payment.status != Payment.Status.PENDING
    if payment.created_at > now - ABANDONED_AFTER:
        return False
    abandoned = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING, stripe_session_id="")
    return bool(abandoned.update(status=Payment.Status.EXPIRED, updated_at=now))


def remind() -> int:
    """Tells buyers and admins, once, of cash and transfers that have been awaited for a week. Says of how many.

    After a month they are closed, so that they keep no coupon and no old price; what comes after all can be confirmed.
    """
    now = timezone.now()
    cash = Payment.objects.filter(status=Payment.Status.PENDING).exclude(payment_method=Payment.Method.CARD)
    cash.filter(created_at__lt=now - CLOSE_AFTER).update(status=Payment.Status.CANCELED, updated_at=now)
    waiting = cash.filter(created_at__lt=now - REMIND_AFTER)
    reminded = 0
    for payment in list(waiting.select_related("user")):
        telling.tell_buyer_that_it_waits(payment)
        telling.tell_admins_that_it_waits(payment)
        reminded += 1
    return reminded
