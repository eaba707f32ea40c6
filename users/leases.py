"""Who has which letters in hand, and how far they have come. May be killed at any line."""

from datetime import datetime
from operator import attrgetter
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from users.models import EmailLease, Notification

LETTERS_PER_LEASE = 500
# What is written in letters, and what their links are made from. Of anything else, each letter would ask by itself.
NEEDED = (
    "created_at",
    "kind",
    "subject",
    "message",
    "url",
    "email_to",
    "email_attempts",
    "email_error",
    "email_lease",
    "dedup_key",
    "recipient__email",
    "recipient__is_active",
    "recipient__language",
    "recipient__password",
    "recipient__last_login",
    "recipient__email_verified_at",
)

# Waiting for the disk takes longer than sending. A worker that dies loses no note by this; a database server that dies
# may lose the last ones, and these letters are repeated. One trip to the server, and one transaction.
NOTE = """
    SET LOCAL synchronous_commit TO off;
    UPDATE users_emaillease SET done_up_to = %s, expires_at = %s WHERE id = %s
"""


@transaction.atomic
def lease_letters(since: datetime | None = None) -> list[Notification]:
    """The oldest that wait, in the order of their ids. In the course of a run only from `since` on: index entries of
    letters that have just been sent stay until a vacuum, and each chunk would pass by all of them. Older ones that turn
    up are for the next run."""
    waiting = Notification.objects.to_send().select_related("recipient").only(*NEEDED).order_by("created_at")
    if since is not None:
        waiting = waiting.filter(created_at__gte=since)
    if connection.features.has_select_for_update_skip_locked:
        waiting = waiting.select_for_update(skip_locked=True, of=("self",))
    letters = list(waiting[:LETTERS_PER_LEASE])
    if letters:
        lease = EmailLease.objects.create(
            expires_at=timezone.now() + EmailLease.LIFETIME,
            oldest=letters[0].created_at,
            newest=letters[-1].created_at,
        )
        Notification.objects.filter(pk__in=[letter.pk for letter in letters]).update(email_lease=lease.pk)
        for letter in letters:
            letter.email_lease = lease.pk
    return sorted(letters, key=attrgetter("pk"))


def take_over() -> None:
    """From workers that have given no sign of life for as long as a lease lives."""
    for lease in EmailLease.objects.expired().values_list("pk", flat=True):
        settle(lease, EmailLease.objects.expired())


@transaction.atomic
def settle(pk: UUID | None, leases: QuerySet[EmailLease] | None = None) -> int:
    """Ends a lease, if it is among these: marks what was sent. Returns how many letters go back to those that wait."""
    leases = EmailLease.objects.all() if leases is None else leases
    lease = leases.select_for_update().filter(pk=pk).first()
    if lease is None:
        return 0
    mine = Notification.objects.to_send_by(lease.pk).filter(created_at__range=(lease.oldest, lease.newest))
    letters = list(mine.only("kind", "recipient"))
    done = [letter for letter in letters if lease.done_up_to and letter.pk <= lease.done_up_to]
    digests = [letter for letter in done if letter.kind == Notification.DIGEST]
    told = Notification.objects.told_by(digests)
    changing = Notification.objects.filter(pk__in=[letter.pk for letter in letters])
    (changing | told if digests else changing).lock()
    sent = {"email_status": Notification.EmailStatus.SENT, "email_sent_at": timezone.now()}
    if digests:
        told.update(**sent)
    if done:
        mine.filter(pk__lte=lease.done_up_to).update(
            **sent, email_lease=None, email_attempts=F("email_attempts") + 1, email_error=""
        )
    lease.delete()
    return mine.update(email_lease=None) if len(done) < len(letters) else 0


def note(lease: UUID, done_up_to: UUID | None = None) -> bool:
    """That the letters up to this one are done, which is a sign of life, too. Whether the lease is still there."""
    until = timezone.now() + EmailLease.LIFETIME
    if connection.vendor != "postgresql":
        return EmailLease.objects.filter(pk=lease).update(done_up_to=done_up_to, expires_at=until) == 1
    with connection.cursor() as cursor:
        cursor.execute(NOTE, (done_up_to and str(done_up_to), until, str(lease)))
        return cursor.rowcount == 1
