"""The inbox of Stripe's events: each is done once, and what failed is tried again."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import DataError, transaction
from django.db.models import Q
from django.utils import timezone

from payments import gateway
from payments.models import WebhookEvent
from payments.services import settling

logger = logging.getLogger(__name__)

SESSION_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
# Their objects name a payment intent.
INTENT_EVENTS = frozenset(
    {
        "charge.refunded",
        "charge.refund.updated",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "refund.created",
        "refund.updated",
        "refund.failed",
    }
)
LONGEST_ID = WebhookEvent._meta.get_field("stripe_event_id").max_length or 0
LONGEST_TYPE = WebhookEvent._meta.get_field("type").max_length or 0
# For so long Stripe tries to deliver an event; what it did not deliver by then is asked for.
MISSED_WITHIN = timedelta(days=3)
KEPT = timedelta(days=30)
# What nobody has been able to process in that time is of no use any more: Stripe itself keeps events for a month.
UNPROCESSED_KEPT = timedelta(days=90)


def process_event(event: WebhookEvent) -> None:
    """Does what the event calls for; of its payload only the id of the session, or of the payment intent, is believed.
    Safe to run twice and at once.

    Raises StripeUnavailable if Stripe cannot be asked now.
    """
    if event.processed_at is not None:
        return
    about = event.payload["data"]["object"] if event.type in SESSION_EVENTS | INTENT_EVENTS else {}
    if event.type in SESSION_EVENTS:
        settling.settle_session(about["id"], event=event)
    elif event.type in INTENT_EVENTS and about.get("payment_intent"):
        settling.settle_intent(about["payment_intent"], event=event)
    event.note_processed()  # where nothing of ours was concerned


def try_event(event: WebhookEvent) -> bool:
    """`process_event`; a failure is noted on the row, to be seen in the admin and tried again."""
    try:
        process_event(event)
    except Exception as error:
        _note_failure(event, error)
        return False
    return True


def process_failed_events() -> int:
    """Tries the events again that failed or were cut off; says how many came through."""
    now = timezone.now()
    return _process_all(event for event in list(WebhookEvent.objects.failed()) if event.is_due(now))


def _process_all(events: Iterable[WebhookEvent]) -> int:
    done = 0
    for event in events:
        try:
            process_event(event)
            done += 1
        except gateway.StripeUnavailable as error:
            _note_failure(event, error)
            break  # each of the others would wait for the same time-out
        except Exception as error:
            _note_failure(event, error)
    return done


def fetch_missed_events() -> int:
    """Takes in the events that Stripe could not deliver, and does them; says how many came through. Those that have
    failed before are `process_failed_events`' affair, which lets them wait, and gives them up at last."""
    try:
        missed = gateway.undelivered_events(SESSION_EVENTS | INTENT_EVENTS, timezone.now() - MISSED_WITHIN)
    except gateway.StripeUnavailable:
        return 0  # the next run goes on
    taken = [event for payload in missed if (event := _take_missed(payload))]
    return _process_all(event for event in taken if event.processed_at is None and not event.attempts)


def _take_missed(payload: dict[str, Any]) -> WebhookEvent | None:
    try:
        return take_event(payload)
    except (DataError, ValueError):
        logger.exception("Event %s cannot be kept", payload.get("id"))
        return None


def take_event(payload: dict[str, Any]) -> WebhookEvent:
    """Keeps the event under its id, with what is used of it; one that has come before is the row that stands."""
    about = (payload.get("data") or {}).get("object") if isinstance(payload.get("data"), dict) else None
    used = _texts(about, "id", "object", "payment_intent") if isinstance(about, dict) else None
    for name, longest in (("id", LONGEST_ID), ("type", LONGEST_TYPE)):
        if len(payload[name]) > longest:
            raise ValueError(f"The event's {name} is too long")
    payload = {"id": payload["id"], "type": payload["type"], "data": {"object": used}}
    with transaction.atomic():
        return WebhookEvent.objects.get_or_create(
            stripe_event_id=payload["id"], defaults={"type": payload["type"], "payload": payload}
        )[0]


def _texts(about: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: about[name][:LONGEST_ID] for name in names if isinstance(about.get(name), str)}


def forget() -> int:
    """Deletes events that were done a month ago, or could not be done in three; says how many."""
    now = timezone.now()
    useless = Q(processed_at__lt=now - KEPT) | Q(processed_at__isnull=True, received_at__lt=now - UNPROCESSED_KEPT)
    return WebhookEvent.objects.filter(useless).delete()[0]


def _note_failure(event: WebhookEvent, error: Exception) -> None:
    logger.error("Event %s failed", event.stripe_event_id, exc_info=error)
    # That Stripe is away is no fault of the event: it does not use up its attempts.
    attempts = event.attempts + (not isinstance(error, gateway.StripeUnavailable))
    WebhookEvent.objects.filter(pk=event.pk).update(error=repr(error)[:2000], attempts=attempts)
