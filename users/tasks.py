"""Background entry points. Each may run twice, at once, or be killed at any line."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from users import account, delivery, services
from users.models import KnownAddress, TokenFamily


@shared_task
def deactivate_inactive_users() -> int:
    """Daily at 02:00: puts accounts to sleep that nobody has visited for `INACTIVITY_DAYS`."""
    return services.deactivate_inactive(before=timezone.now() - timedelta(days=settings.INACTIVITY_DAYS))


@shared_task
def send_pending_emails() -> int:
    """Every minute, and whenever a letter has been written or asked for."""
    account.answer_reset_requests()
    return delivery.send_letters()


@shared_task
def send_daily_digests() -> int:
    """Daily at 08:00: one letter for each person with all that waits for it."""
    return delivery.write_digests(today=timezone.localdate())


@shared_task
def flush_expired_tokens() -> int:
    """Daily: forgets sign-ins whose refresh token has expired, and addresses that nobody logs in from any more."""
    KnownAddress.objects.filter(last_login_at__lt=timezone.now() - KnownAddress.LIFETIME).delete()
    return TokenFamily.objects.filter(expires_at__lt=timezone.now()).delete()[0]
