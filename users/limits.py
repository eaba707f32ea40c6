"""Which of the letters that wait may go out: the last look at each chunk, whoever has written them.

Letters are no weapon. An address that is not verified may be a stranger's: it gets letters about the account alone,
which hold nobody else's words (users.account_letters). And nobody gets more than some letters an hour, whatever others
do: what is more waits for the daily digest.
"""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone

from users.models import Notification

LETTERS_PER_HOUR = 20
# Nothing older is still on its way: letters that a server refuses are given up before.
OLDEST = timedelta(days=7)

Status = Notification.EmailStatus


def sift(chunk: list[Notification], lease: UUID) -> list[Notification]:
    """The letters of the chunk that go out now. The others are in nobody's hand any more: with no letter, or waiting
    for the digest. One query for the chunk, and one for each of the two outcomes if there is any."""
    known = [letter for letter in chunk if letter.must_be_sent or letter.recipient.email_verified_at]
    _put_aside(chunk, known, lease, Status.NONE)
    told = _told_lately(known, lease)
    allowed = []
    for letter in known:
        if letter.is_limited:
            told[letter.recipient_id] += 1
        if not letter.is_limited or told[letter.recipient_id] <= LETTERS_PER_HOUR:
            allowed.append(letter)
    _put_aside(known, allowed, lease, Status.DIGEST)
    return allowed


def _put_aside(letters: list[Notification], kept: list[Notification], lease: UUID, status: str) -> None:
    if len(kept) < len(letters):
        others = {letter.pk for letter in letters} - {letter.pk for letter in kept}
        mine = Notification.objects.to_send_by(lease).filter(pk__in=others)
        mine.update(email_status=status, email_lease=None)


def _told_lately(letters: list[Notification], lease: UUID) -> Counter[UUID]:
    """How many letters each recipient has got within the last hour, or is getting by another worker: of two that send
    at once, both count what the other has in hand."""
    now = timezone.now()
    sent = Q(email_sent_at__gte=now - timedelta(hours=1), email_lease__isnull=True)  # by itself, not in a digest
    in_hand = Q(email_status=Status.PENDING, email_lease__isnull=False) & ~Q(email_lease=lease)
    found = Notification.objects.filter(
        sent | in_hand,
        recipient__in={letter.recipient_id for letter in letters if letter.is_limited},
        kind__in=Notification.LIMITED,
        created_at__gte=now - OLDEST,
    )
    return Counter(dict(found.values_list("recipient").annotate(Count("pk")).order_by()))
