"""Delivering letters: those that wait, and the daily digests. May run twice, at once, or be killed at any line."""

import logging
import random
import smtplib
from collections import defaultdict
from contextlib import closing
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.core.mail import get_connection
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.mail import Letter, hand_over, is_refused_for_good
from common.registry import link_checks
from users import leases, limits
from users.letters import Writer
from users.models import Notification, User

logger = logging.getLogger(__name__)

DIGESTS_PER_BATCH = 500
BROKEN_OFF = "Broken off: "


def send_letters() -> int:
    """Sends the letters that wait, each over a shared connection, and returns how many were sent.

    A chunk of rows is leased first, so that several workers share the work. How far it has come is noted in the lease
    as soon as a letter is accepted, so a killed worker repeats at most the letter in its hand, with the same
    Message-ID. The rows themselves are marked together, by the worker or by whoever takes over from it.
    """
    sent = 0
    newest = None
    leases.take_over()
    while chunk := leases.lease_letters(newest):
        newest = max(letter.created_at for letter in chunk)
        lease = _lease(chunk)
        try:
            with get_connection() as mail:
                sent += _send(chunk, mail)
        except (OSError, smtplib.SMTPException) as error:
            # The server is away: the rest is for the next run.
            logger.warning("The mail server is away, %s letters wait: %s", leases.settle(lease), error)
            break
        leases.settle(lease)
    return sent


def _lease(chunk: list[Notification]) -> UUID:
    lease = chunk[0].email_lease
    assert lease is not None  # noqa: S101 - it has just been leased
    return lease


def _send(chunk: list[Notification], mail: Any) -> int:
    """How many were taken. Ends early when another worker has taken over; raises when the server itself is away."""
    sent = 0
    lease = _lease(chunk)
    letters = _write_out(chunk)
    if not leases.note(lease):
        return 0
    try:
        with closing(hand_over(list(letters), mail)) as outcomes:
            for letter, refusal in outcomes:
                notification = letters.pop(letter)
                if refusal is None:
                    sent += 1
                else:
                    _mark_refused(notification, refusal)
                if not leases.note(lease, notification.pk):
                    break
    except (OSError, smtplib.SMTPException) as error:
        for in_hand in list(letters.values())[:1]:
            _mark_broken_off(in_hand, error)
        raise
    return sent


def _write_out(chunk: list[Notification]) -> dict[Letter, Notification]:
    """All before the first is sent: one that cannot be written shall not keep another from being noted."""
    writer = Writer()
    chunk = limits.sift(chunk, _lease(chunk))
    digests = _items_of(chunk)
    letters = {}
    void = _check_links([*chunk, *(item for items in digests.values() for item in items)])
    for notification in chunk:
        items = [item for item in digests.get(notification.pk, ()) if item.pk not in void]
        if notification.pk in void or (notification.kind == Notification.DIGEST and not items):
            _mine(notification).update(email_status=Notification.EmailStatus.NONE)  # nothing of it is wanted any more
            continue
        try:
            letters[writer.letter(notification, items)] = notification
        except Exception as error:  # the standard library trips over some addresses in ways of its own
            _mark_refused(notification, error)
    return letters


def _check_links(notifications: list[Notification]) -> set[UUID]:
    """Takes away links that do not open for the recipient any more. Returns what says nothing without its link."""
    closed = set().union(*link_checks.call_each([each for each in notifications if each.url]))
    void = set()
    for notification in notifications:
        if notification.pk in closed and notification.kind in Notification.INVITATIONS:
            void.add(notification.pk)
        elif notification.pk in closed:
            notification.url = ""  # in this letter
    if void:
        told = Notification.objects.filter(pk__in=void, email_status=Notification.EmailStatus.DIGEST)
        told.update(email_status=Notification.EmailStatus.NONE, email_lease=None)
    return void


def _mine(notification: Notification) -> QuerySet[Notification]:
    """The row, unless another worker has taken it over."""
    return Notification.objects.to_send_by(notification.email_lease).filter(pk=notification.pk)


def _mark_refused(notification: Notification, error: Exception) -> None:
    attempts = notification.email_attempts + 1
    permanent = is_refused_for_good(error) or attempts >= Notification.MAX_ATTEMPTS
    status = Notification.EmailStatus.FAILED if permanent else Notification.EmailStatus.PENDING
    _mine(notification).update(
        email_status=status,
        email_attempts=attempts,
        email_error=str(error)[:255],
        # Out of this worker's hand: what is marked as sent at the end does not include it.
        email_lease=None,
        email_not_before=timezone.now() + _pause(attempts),
    )
    logger.warning("Letter %s refused (%s): %s", notification.pk, status, error)


def _mark_broken_off(notification: Notification, error: Exception) -> None:
    """The server went away with this letter in hand. If that happens again, it may be the letter that does it, every
    time: the others go first then. It is never given up for that."""
    again = notification.email_error.startswith(BROKEN_OFF)
    _mine(notification).update(
        email_error=f"{BROKEN_OFF}{error}"[:255], email_not_before=timezone.now() + _pause(2) if again else None
    )


def _pause(attempts: int) -> timedelta:
    """Twice as long each time, and never the same for all: what was refused together does not come back together."""
    return Notification.RETRY_AFTER * 2**attempts * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


# --- Daily digests ---------------------------------------------------------------------------------------------------


def write_digests(*, today: date) -> int:
    """One letter for each person with all that waits for it, at most one a day. Returns how many were written.

    The letter is a notification of its own, so it is sent, and repeated, like all others. What it tells of carries its
    id as `email_lease`, and is marked as sent together with it.
    """
    waiting = Notification.objects.waiting_for_digest()
    # Old news when they come back, or not for an address that may be a stranger's; the notification centre keeps it.
    unreachable = Q(recipient__is_active=False) | Q(recipient__email_verified_at=None)
    waiting.filter(unreachable).update(email_status=Notification.EmailStatus.NONE)
    written = 0
    last_id = None
    while True:
        people = waiting if last_id is None else waiting.filter(recipient__gt=last_id)
        batch = list(people.order_by("recipient").values_list("recipient", flat=True).distinct()[:DIGESTS_PER_BATCH])
        if not batch:
            break
        last_id = batch[-1]
        written += _write_batch(batch, f"digest:{today}")
    if written:
        enqueue("users.tasks.send_pending_emails")
    return written


@transaction.atomic
def _write_batch(recipients: list[UUID], dedup_key: str) -> int:
    people = User.objects.filter(pk__in=recipients, is_active=True).order_by("pk")
    letters = [_digest(user, dedup_key) for user in people]
    # Whoever has had one today is passed over. Another run at the same moment waits here for this one to commit.
    Notification.objects.bulk_create(letters, ignore_conflicts=True)
    new = Notification.objects.filter(pk__in=[letter.pk for letter in letters])
    theirs = Notification.objects.filter(recipient=OuterRef("recipient"), dedup_key=dedup_key)
    told = list(new.values_list("recipient", flat=True))
    taken_up = Notification.objects.waiting_for_digest().filter(recipient__in=told)
    taken_up.update(email_lease=Subquery(theirs.values("pk")[:1]))
    return len(told)


def _digest(user: User, dedup_key: str) -> Notification:
    with translation.override(user.language):
        return Notification(
            recipient=user,
            kind=Notification.DIGEST,
            subject=_("What is new for you"),
            in_app=False,
            dedup_key=dedup_key,
        )


def _items_of(chunk: list[Notification]) -> dict[UUID, list[Notification]]:
    """The items of each digest in the chunk, the newest first."""
    items: dict[UUID, list[Notification]] = defaultdict(list)
    digests = [letter for letter in chunk if letter.kind == Notification.DIGEST]
    if digests:
        recipients = {digest.recipient_id: digest.recipient for digest in digests}
        for item in Notification.objects.told_by(digests).order_by("-created_at", "-pk"):
            item.recipient = recipients[item.recipient_id]
            items[item.email_lease].append(item)  # type: ignore[index]
    return items
