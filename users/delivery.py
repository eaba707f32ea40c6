"""Delivering letters: those that wait, and the daily digests. May run twice, at once, or be killed at any line."""

import logging
import random
import smtplib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.ids import new_id
from common.mail import Letter, hand_over, is_refused_for_good
from users.letters import Writer
from users.models import Notification, User

logger = logging.getLogger(__name__)

LETTERS_PER_CONNECTION = 500
DIGESTS_PER_BATCH = 500
# A chunk that takes longer is given back: nobody takes over what is being sent, and a server may be slow to answer.
PATIENCE = Notification.LEASE / 2

MARK_SENT = """
    UPDATE users_notification SET email_status = 'sent', email_sent_at = %s, email_attempts = %s, email_error = ''
    WHERE id = %s AND email_lease = %s AND email_status = 'pending'
"""
# Waiting for the disk takes longer than sending. A worker that dies loses no mark by this; a database server that dies
# may lose the last ones, and these letters are repeated. One trip to the server, and one transaction.
MARK_SENT_ON_POSTGRESQL = f"SET LOCAL synchronous_commit TO off; {MARK_SENT}"


def send_letters() -> int:
    """Sends the letters that wait, each over a shared connection, and returns how many were sent.

    A chunk of rows is leased first, so that several workers share the work; each row is marked as soon as its letter is
    accepted, so a killed worker repeats at most the letter in its hand, with the same Message-ID.
    """
    sent = 0
    newest = None
    while chunk := _lease_letters(newest):
        newest = chunk[-1].created_at
        until = timezone.now() + PATIENCE
        letters = _write_out(chunk)
        try:
            with get_connection() as mail:
                sent += _send(letters, mail, until)
        except (OSError, smtplib.SMTPException) as error:
            # The server is away: the rest is for the next run.
            logger.warning("The mail server is away, %s letters wait: %s", _give_back(chunk), error)
            break
        _give_back(chunk)
    return sent


def _lease_letters(since: datetime | None = None) -> list[Notification]:
    """The oldest that wait. In the course of a run only from `since` on: index entries of letters that have just been
    sent stay until a vacuum, and each chunk would pass by all of them. Older ones that turn up are for the next run."""
    lease = new_id()
    with transaction.atomic():
        waiting = Notification.objects.to_send().order_by("created_at")
        if since is not None:
            waiting = waiting.filter(created_at__gte=since)
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        ids = list(waiting.values_list("pk", flat=True)[:LETTERS_PER_CONNECTION])
        Notification.objects.filter(pk__in=ids).update(
            email_leased_until=timezone.now() + Notification.LEASE, email_lease=lease
        )
    mine = Notification.objects.to_send_by(lease).filter(pk__in=ids)
    return list(mine.select_related("recipient").order_by("created_at"))


def _give_back(chunk: list[Notification]) -> int:
    """What is still in this worker's hand."""
    mine = Notification.objects.to_send_by(chunk[0].email_lease).filter(pk__in=[letter.pk for letter in chunk])
    return mine.update(email_leased_until=None)


def _write_out(chunk: list[Notification]) -> dict[Letter, Notification]:
    """All before the first is sent: one that cannot be written shall not keep another from being noted."""
    writer = Writer()
    digests = _items_of(chunk)
    letters = {}
    for notification in chunk:
        items = digests.get(notification.pk, ())
        if notification.kind == Notification.DIGEST and not items:
            _mine(notification).update(email_status=Notification.EmailStatus.NONE)  # nothing of it is wanted any more
            continue
        try:
            letters[writer.letter(notification, items)] = notification
        except Exception as error:  # the standard library trips over some addresses in ways of its own
            _mark_refused(notification, error)
    return letters


def _send(letters: dict[Letter, Notification], mail: Any, until: datetime) -> int:
    """How many were taken. Raises when the server itself is away."""
    sent = 0
    with closing(hand_over(list(letters), mail)) as outcomes:
        while timezone.now() < until and (outcome := next(outcomes, None)):
            letter, refusal = outcome
            if refusal is None:
                _mark_sent(letters[letter])
                sent += 1
            else:
                _mark_refused(letters[letter], refusal)
    return sent


def _mine(notification: Notification) -> QuerySet[Notification]:
    """The row, unless another worker has taken it over."""
    return Notification.objects.to_send_by(notification.email_lease).filter(pk=notification.pk)


def _mark_sent(notification: Notification) -> None:
    if notification.kind == Notification.DIGEST:
        with transaction.atomic():
            _execute_mark_sent(notification)
            _items([notification]).update(email_status=Notification.EmailStatus.SENT, email_sent_at=timezone.now())
    else:
        _execute_mark_sent(notification)


def _execute_mark_sent(notification: Notification) -> None:
    values = {
        "email_sent_at": timezone.now(),
        "email_attempts": notification.email_attempts + 1,
        "id": notification.pk,
        "email_lease": notification.email_lease,
    }
    field: Any = Notification._meta.get_field
    parameters = [field(name).get_db_prep_value(value, connection) for name, value in values.items()]
    with connection.cursor() as cursor:
        cursor.execute(MARK_SENT_ON_POSTGRESQL if connection.vendor == "postgresql" else MARK_SENT, parameters)


def _mark_refused(notification: Notification, error: Exception) -> None:
    attempts = notification.email_attempts + 1
    permanent = is_refused_for_good(error) or attempts >= Notification.MAX_ATTEMPTS
    status = Notification.EmailStatus.FAILED if permanent else Notification.EmailStatus.PENDING
    _mine(notification).update(
        email_status=status,
        email_attempts=attempts,
        email_error=str(error)[:255],
        # Out of this worker's hand, so that giving back the rest does not shorten the wait.
        email_lease=None,
        email_leased_until=timezone.now() + _pause(attempts),
    )
    logger.warning("Letter %s refused (%s): %s", notification.pk, status, error)


def _pause(attempts: int) -> timedelta:
    """Twice as long each time, and never the same for all: what was refused together does not come back together."""
    return Notification.LEASE * 2**attempts * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


# --- Daily digests ---------------------------------------------------------------------------------------------------


def write_digests(*, today: date) -> int:
    """One letter for each person with all that waits for it, at most one a day. Returns how many were written.

    The letter is a notification of its own, so it is sent, and repeated, like all others. What it tells of carries its
    id as `email_lease`, and is marked as sent together with it.
    """
    waiting = Notification.objects.waiting_for_digest()
    # Old news when they come back; the notification centre keeps it.
    waiting.filter(recipient__is_active=False).update(email_status=Notification.EmailStatus.NONE)
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


def _items(digests: Sequence[Notification]) -> QuerySet[Notification]:
    """What these letters tell of, and has not been sent."""
    return Notification.objects.filter(
        recipient__in=[digest.recipient_id for digest in digests],
        email_status=Notification.EmailStatus.DIGEST,
        email_lease__in=[digest.pk for digest in digests],
    )


def _items_of(chunk: list[Notification]) -> dict[UUID, list[Notification]]:
    """The items of each digest in the chunk, the newest first."""
    items: dict[UUID, list[Notification]] = defaultdict(list)
    digests = [letter for letter in chunk if letter.kind == Notification.DIGEST]
    if digests:
        for item in _items(digests).order_by("-created_at", "-pk"):
            items[item.email_lease].append(item)  # type: ignore[index]
    return items
