"""Looking after payments that wait: what no webhook told us, what was given up, what was forgotten."""

import logging
from datetime import timedelta

from django.utils import timezone

from payments import gateway
from payments.models import Payment
from payments.services import closing, settling, telling

logger = logging.getLogger(__name__)

# Cash or a transfer that is awaited for longer than this is asked about.
REMIND_AFTER = timedelta(days=2)


def reconcile(*, before_minutes: int) -> int:
    """Asks Stripe about card payments that have been pending for long, and closes what nobody should pay any more; says
    how many moved on of those that were asked about."""
    now = timezone.now()
    moved = 0
    # Read at once: a cursor that stays open would keep SQLite from writing.
    for payment in list(Payment.objects.to_reconcile(now - timedelta(minutes=before_minutes))):
        try:
            moved += settling.refresh(payment).status != Payment.Status.PENDING
        except gateway.StripeUnavailable:
            return moved  # the next run goes on
        except Exception:
            logger.exception("Payment %s could not be reconciled", payment.pk)  # the others do not wait for it
    closing.close_stale_payments()
    return moved


def remind() -> int:
    """Tells buyers and admins, once, of cash and transfers that have been awaited for two days. Says of how many.

    After three days they expire (services.closing), so that they keep no coupon and no old price; what comes after all
    can be confirmed.
    """
    cash = Payment.objects.filter(status=Payment.Status.PENDING).exclude(payment_method=Payment.Method.CARD)
    waiting = cash.filter(created_at__lt=timezone.now() - REMIND_AFTER)
    reminded = 0
    for payment in list(waiting.select_related("user")):
        telling.tell_buyer_that_it_waits(payment)
        telling.tell_admins_that_it_waits(payment)
        reminded += 1
    return reminded
