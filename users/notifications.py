"""Telling people: notifications written as their recipients prefer, the notification centre, and preferences."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.ids import new_id
from common.paginators import CountOf
from users.models import Notification, NotificationPreference, User

BATCH = 500

LETTERS = {
    NotificationPreference.Email.IMMEDIATE: Notification.EmailStatus.PENDING,
    NotificationPreference.Email.DAILY: Notification.EmailStatus.DIGEST,
    NotificationPreference.Email.NEVER: Notification.EmailStatus.NONE,
}


def notify(notifications: Iterable[Notification]) -> None:
    """Writes the notifications, each once by its `dedup_key`, as their recipients prefer, and asks for their letters.

    One that is written with `in_app` False or with no letter stays so. A letter that must be sent (`must_be_sent`, by
    its kind) is sent at once whatever its recipient prefers. In batches of two queries each, so that a generator of any
    length takes little memory.
    """
    waiting = iter(notifications)
    has_letters = False
    while batch := list(islice(waiting, BATCH)):
        _apply_preferences(batch)
        Notification.objects.bulk_create(batch, ignore_conflicts=True)
        has_letters |= any(notification.email_status == Notification.EmailStatus.PENDING for notification in batch)
    if has_letters:
        enqueue("users.tasks.send_pending_emails")


def _apply_preferences(batch: list[Notification]) -> None:
    known = NotificationPreference.objects.filter(
        user__in={notification.recipient_id for notification in batch},
        kind__in={notification.kind for notification in batch},
    )
    preferences = {
        (user, kind): (in_app, email)
        for user, kind, in_app, email in known.values_list("user", "kind", "in_app", "email")
    }
    for notification in batch:
        in_app, email = preferences.get((notification.recipient_id, notification.kind), (True, "immediate"))
        notification.in_app = notification.in_app and in_app and not notification.is_letter_only
        if notification.email_status == Notification.EmailStatus.PENDING and not notification.must_be_sent:
            notification.email_status = LETTERS[NotificationPreference.Email(email)]


def announce(*, recipient: User, message: str, subject: str = "", url: str = "") -> Notification:
    """Tells one person something, in an admin's words; a subject is found for them where there is none."""
    if not subject:
        with translation.override(recipient.language):
            subject = _("Announcement")
    notification = Notification(
        recipient=recipient,
        kind=Notification.Kind.ANNOUNCEMENT,
        subject=subject,
        message=message,
        url=url,
        dedup_key=f"announcement:{new_id()}",
    )
    notify([notification])
    return notification


# --- The notification centre -----------------------------------------------------------------------------------------


def mark_read(notification: Notification) -> None:
    """Read from now on; when it was read first stays."""
    unread = Notification.objects.filter(pk=notification.pk, is_read=False)
    unread.update(is_read=True, read_at=timezone.now())
    notification.refresh_from_db(fields=["is_read", "read_at"])


@transaction.atomic
def mark_all_read(user: User) -> int:
    """Says how many were not read before."""
    unread = Notification.objects.shown_to(user).filter(is_read=False)
    unread.lock()
    return unread.update(is_read=True, read_at=timezone.now())


def unread_by(user: User) -> QuerySet[Notification]:
    return Notification.objects.shown_to(user).filter(is_read=False)


def counters(user: User) -> dict[str, Any]:
    """For the registry: what the dashboard counts here."""
    return {"unread_notifications": CountOf(unread_by(user).order_by().values("pk"))}


# --- Preferences -----------------------------------------------------------------------------------------------------


def preferences_of(user: User) -> list[NotificationPreference]:
    """One for every kind; what the user has never said is as it is for everybody."""
    known = {preference.kind: preference for preference in NotificationPreference.objects.filter(user=user)}
    return [known.get(kind) or NotificationPreference(user=user, kind=kind) for kind in Notification.Kind.values]


@transaction.atomic
def set_preferences(*, user: User, preferences: Iterable[dict[str, Any]]) -> None:
    """Each is a kind with what is to change: `in_app`, `email` or both."""
    # One writer at a time for a person: two that touch the same rows in another order would wait for each other.
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    by_fields: dict[tuple[str, ...], list[NotificationPreference]] = {}
    for values in preferences:
        changed: tuple[str, ...] = tuple(name for name in ("in_app", "email") if name in values)
        by_fields.setdefault(changed, []).append(NotificationPreference(user=user, **values))
    for changed, rows in by_fields.items():
        # One statement for all that change the same: a member that was not given stays as another request left it.
        NotificationPreference.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["user", "kind"], update_fields=[*changed, "updated_at"]
        )
    silenced = [
        row.kind for rows in by_fields.values() for row in rows if row.email == NotificationPreference.Email.NEVER
    ]
    _drop_letters(user, silenced)


def _drop_letters(user: User, kinds: list[str]) -> None:
    """What waits to be sent is not wanted any more, either."""
    statuses = Notification.EmailStatus
    waiting = Notification.objects.filter(
        recipient=user, kind__in=kinds, email_status__in=[statuses.PENDING, statuses.DIGEST]
    ).exclude(kind=Notification.Kind.ACCOUNT_DEACTIVATED)
    waiting.lock()
    waiting.update(email_status=statuses.NONE)


@transaction.atomic
def unsubscribe(*, user: User, kind: str) -> None:
    """No more letters of the kind; of all that come in the daily digest, if it is `Notification.DIGEST`."""
    never = NotificationPreference.Email.NEVER
    kinds = [kind]
    if kind == Notification.DIGEST:
        daily = NotificationPreference.objects.filter(user=user, email=NotificationPreference.Email.DAILY)
        kinds = list(daily.values_list("kind", flat=True))
    set_preferences(user=user, preferences=[{"kind": each, "email": never} for each in kinds])


def is_unsubscribed(*, user: User, kind: str) -> bool:
    """Whether `unsubscribe` would change nothing."""
    known = NotificationPreference.objects.filter(user=user)
    if kind == Notification.DIGEST:
        return not known.filter(email=NotificationPreference.Email.DAILY).exists()
    return known.filter(kind=kind, email=NotificationPreference.Email.NEVER).exists()
