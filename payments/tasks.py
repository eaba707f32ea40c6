"""Background entry points. Each may run twice, at once, or be killed at any line."""

from celery import shared_task
from django.conf import settings

from payments import services
from payments.models import WebhookEvent


@shared_task
def reconcile_pending_payments() -> int:
    """Every 10 minutes: what the webhooks should have told us, and did not."""
    return services.reconcile(before_minutes=settings.RECONCILE_AFTER_MINUTES)


@shared_task
def process_webhook_event(event_id: str) -> bool:
    """One event of the inbox."""
    return services.try_event(WebhookEvent.objects.get(pk=event_id))


@shared_task
def process_failed_webhook_events() -> int:
    """Every minute: events whose processing failed or was cut off."""
    return services.process_failed_events()
