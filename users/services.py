"""Rules over several rows: registering, deactivating, anonymising, notifying and delivering letters."""

import logging
import smtplib
from collections.abc import Iterable
from datetime import datetime
from email.utils import parseaddr
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.errors import invalid
from common.ids import new_id
from common.registry import anonymisers
from users.models import Notification, TokenFamily, User

logger = logging.getLogger(__name__)

DELETED = "deleted"  # the reason of deactivation of people who left
DEACTIVATION_BATCH = 1000
LETTERS_PER_CONNECTION = 200


def register_user(*, email: str, password: str, **fields: Any) -> User:
    """A new account. Raises ValidationError (400) on the field that somebody else took a moment ago."""
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, **fields)
    except IntegrityError as error:
        attr = "username" if "users_username_unique" in str(error) else "email"
        raise taken(attr) from error


def taken(attr: str) -> Exception:
    texts = {"email": _("A user with this email already exists."), "username": _("This username is taken.")}
    return invalid(attr, "unique", texts[attr])


@transaction.atomic
def anonymise_user(user: User) -> None:
    """Takes the person out of their account and keeps the books. Every token is dead from now on."""
    anonymisers.call_each(user)
    if user.avatar.name:
        transaction.on_commit(partial(user.avatar.storage.delete, user.avatar.name))
    user.avatar = ""
    user.email = f"deleted-{user.pk}@invalid.invalid"
    user.username = None
    user.first_name = user.last_name = user.phone = user.city = ""
    user.email_verified_at = None
    user.is_superuser = False
    user.role = User.Role.STUDENT
    user.set_unusable_password()
    user.groups.clear()
    user.user_permissions.clear()
    TokenFamily.objects.filter(user=user).delete()
    Notification.objects.filter(recipient=user).delete()
    user.save()
    user.deactivate(DELETED)


def deactivate_inactive(*, before: datetime) -> int:
    """Deactivates everyone whose last visit was before the moment and writes each a letter. Returns how many.

    In batches, each committed with its letters; safe to run twice, at once, or after a kill.
    """
    done = 0
    while batch := _deactivate_batch(before):
        done += batch
    return done


@transaction.atomic
def _deactivate_batch(before: datetime) -> int:
    now = timezone.now()
    candidates = User.objects.inactive_since(before).order_by("pk")
    # On PostgreSQL two runs at once take different rows; SQLite has one writer at a time anyway.
    if connection.features.has_select_for_update_skip_locked:
        candidates = candidates.select_for_update(skip_locked=True)
    users = list(candidates[:DEACTIVATION_BATCH])
    User.objects.filter(pk__in=[user.pk for user in users]).update(
        is_active=False,
        deactivated_at=now,
        deactivation_reason="inactivity",
        token_version=F("token_version") + 1,
        updated_at=now,
    )
    notify(
        [
            Notification(
                recipient=user,
                kind=Notification.Kind.ACCOUNT_DEACTIVATED,
                dedup_key=f"account_deactivated:{now:%Y-%m-%d}",
                **_deactivation_letter(user),
            )
            for user in users
        ]
    )
    return len(users)


def _deactivation_letter(user: User) -> dict[str, str]:
    with translation.override(user.language):
        return {
            "subject": _("Your account has been deactivated"),
            "message": _(
                "Hello%(name)s!\n\nYou have not visited us for %(days)s days, so we put your account to sleep. "
                "Your courses and payments are kept.\n\nTo wake it up, write to us: answer this letter."
            )
            % {
                "name": f", {user.first_name}" if user.first_name else "",
                "days": settings.INACTIVITY_DAYS,
            },
        }


def notify(notifications: Iterable[Notification]) -> None:
    """Writes the notifications, each once by its `dedup_key`, and asks for the letters of those that have one."""
    written = Notification.objects.bulk_create(notifications, batch_size=500, ignore_conflicts=True)
    if any(notification.email_status == Notification.EmailStatus.PENDING for notification in written):
        enqueue("users.tasks.send_pending_emails")


def send_letters() -> int:
    """Sends the letters that wait, each over a shared connection, and returns how many were sent.

    A chunk of rows is leased first, so that several workers share the work; each row is marked as soon as its letter is
    accepted, so a killed worker repeats at most the letter in its hand, with the same Message-ID.
    """
    sent = 0
    while chunk := _lease_letters():
        try:
            with get_connection() as mail:
                for notification in chunk:
                    sent += _send_one(notification, mail)
        except (OSError, smtplib.SMTPException) as error:
            # The server is away: give the rest back, for the next run.
            left = Notification.objects.to_send_by(chunk[0].email_lease).update(email_leased_until=None)
            logger.warning("The mail server is away, %s letters wait: %s", left, error)
            break
    return sent


def _lease_letters() -> list[Notification]:
    lease = new_id()
    with transaction.atomic():
        waiting = Notification.objects.to_send().order_by("created_at")
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        ids = list(waiting.values_list("pk", flat=True)[:LETTERS_PER_CONNECTION])
        Notification.objects.filter(pk__in=ids).update(
            email_leased_until=timezone.now() + Notification.LEASE, email_lease=lease
        )
    return list(Notification.objects.to_send_by(lease).select_related("recipient").order_by("created_at"))


def _send_one(notification: Notification, mail: Any) -> int:
    """1 if the letter was accepted, 0 if not. Raises when the server itself is away."""
    mine = Notification.objects.to_send_by(notification.email_lease).filter(pk=notification.pk)
    if not mine.update(email_leased_until=timezone.now() + Notification.LEASE):
        return 0  # this worker was so slow that another one has taken the letter over
    attempts = notification.email_attempts + 1
    try:
        _letter(notification, mail).send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, ValueError) as error:
        permanent = _is_permanent(error) or attempts >= Notification.MAX_ATTEMPTS
        status = Notification.EmailStatus.FAILED if permanent else Notification.EmailStatus.PENDING
        mine.update(
            email_status=status,
            email_attempts=attempts,
            email_error=str(error)[:255],
            # Out of this worker's hand, so that giving back the rest does not shorten the wait.
            email_lease=None,
            email_leased_until=timezone.now() + Notification.LEASE * 2**attempts,
        )
        logger.warning("Letter %s refused (%s): %s", notification.pk, status, error)
        return 0
    mine.update(
        email_status=Notification.EmailStatus.SENT,
        email_attempts=attempts,
        email_sent_at=timezone.now(),
        email_error="",
    )
    return 1


def _is_permanent(error: Exception) -> bool:
    """5yz replies are final, 4yz are not (RFC 5321, 4.2.1). An address that no message can carry is final, too."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return True


def _letter(notification: Notification, mail: Any) -> EmailMessage:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    body = f"{notification.message}\n\n{notification.url}" if notification.url else notification.message
    return EmailMessage(
        subject=" ".join(notification.subject.split()),
        body=body,
        to=[notification.recipient.email],
        headers={"Message-ID": f"<{notification.pk}@{domain}>", "Auto-Submitted": "auto-generated"},
        connection=mail,
    )
