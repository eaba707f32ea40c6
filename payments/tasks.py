"""Background entry points. Each may run twice, at once, or be killed at any line."""

from contextlib import suppress

from celery import shared_task
from django.conf import settings

from payments import idempotency
from payments.gateway import RefundRefused
from payments.models import Refund, WebhookEvent
from payments.services import closing, reconciling, refunds, webhooks


@shared_task
def reconcile_pending_payments() -> int:
    """Every 10 minutes: what the webhooks should have told us, and did not; and refunds that were cut off."""
    moved = reconciling.reconcile(before_minutes=settings.RECONCILE_AFTER_MINUTES)
    return moved + refunds.send_waiting_refunds()


@shared_task
def close_stale_payments() -> int:
    """Every minute: pages at Stripe, and orders, that nobody should pay any more."""
    return closing.close_stale_payments()


@shared_task
def process_webhook_event(event_id: str) -> bool:
    """One event of the inbox."""
    return webhooks.try_event(WebhookEvent.objects.get(pk=event_id))


@shared_task
def process_failed_webhook_events() -> int:
    """Every minute: events whose processing failed or was cut off."""
    return webhooks.process_failed_events()


@shared_task
def fetch_missed_events() -> int:
    """Every 10 minutes: events that Stripe could not deliver."""
    return webhooks.fetch_missed_events()


@shared_task
def send_refund(refund_id: str) -> None:
    """A refund that nobody waits for."""
    with suppress(RefundRefused):  # the admins have been told
        refunds.send_refund(Refund.objects.select_related("payment").get(pk=refund_id))


@shared_task
def remind_pending_payments() -> int:
    """Daily: cash and transfers that have been awaited for a week."""
    return reconciling.remind()


@shared_task
def forget_old_records() -> int:
    """Daily: answers that nobody asks for again, and events that were done a month ago."""
    return idempotency.forget() + webhooks.forget()
