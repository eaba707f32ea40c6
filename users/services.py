"""Rules over several rows: registering, deactivating and anonymising."""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from common.errors import invalid
from common.registry import anonymisers, renamed
from common.writing import save_fields
from users import account_letters
from users.account import send_verification
from users.models import INACTIVITY, Notification, NotificationPreference, SocialAccount, User
from users.notifications import notify

DELETED = "deleted"  # the reason of deactivation of people who left
DEACTIVATION_BATCH = 1000


def register_user(*, email: str, password: str, **fields: Any) -> User:
    """A new account, and a letter to verify its address. Raises ValidationError (400) on the field that somebody else
    took a moment ago."""
    user = User(email=User.objects.normalize_email(email), **fields)
    user.set_password(password)  # slow on purpose, so outside the transaction
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            send_verification(user)
    except IntegrityError as error:
        attr = "username" if "users_username_unique" in str(error) else "email"
        raise taken(attr) from error
    return user


def taken(attr: str) -> Exception:
    texts = {"email": _("A user with this email already exists."), "username": _("This username is taken.")}
    return invalid(attr, "unique", texts[attr])


def address_of_nobody() -> str:
    """For somebody who has left. Nobody else can have it: it cannot be guessed, and is no address that we accept."""
    return f"deleted-{secrets.token_hex(16)}@invalid.invalid"


@transaction.atomic
def save_person(user: User, changed: Collection[str]) -> None:
    """Saves these fields of somebody, and tells whatever finds or shows them by name."""
    save_fields(user, changed)
    tell_of_name(user, changed)


def tell_of_name(user: User, changed: Collection[str]) -> None:
    if {"first_name", "last_name", "username"} & set(changed):
        renamed.call_each(user)


@transaction.atomic
def anonymise_user(user: User) -> None:
    """Takes the person out of their account and keeps the books. Every token is dead from now on."""
    anonymisers.call_each(user)
    user.avatar = ""
    user.email = address_of_nobody()
    user.username = None
    user.first_name = user.last_name = user.phone = user.city = ""
    user.pending_email = ""
    user.email_verified_at = None
    user.is_superuser = False
    user.role = User.Role.STUDENT
    user.set_unusable_password()
    user.groups.clear()
    user.user_permissions.clear()
    Notification.objects.filter(recipient=user).delete()
    NotificationPreference.objects.filter(user=user).delete()
    user.save()
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    entries.update(object_repr=str(user))  # the admin's history repeats who they were
    renamed.call_each(user)
    # The row is locked from here on: nothing that is being linked at this moment (users.social) stays behind.
    SocialAccount.objects.filter(user=user).delete()
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
        deactivation_reason=INACTIVITY,
        token_version=F("token_version") + 1,
        updated_at=now,
    )
    notify(
        [
            Notification(
                recipient=user,
                kind=Notification.Kind.ACCOUNT_DEACTIVATED,
                dedup_key=f"account_deactivated:{now:%Y-%m-%d}",
                **account_letters.deactivated(user),
            )
            for user in users
        ]
    )
    return len(users)


def email_of(user: User) -> str | None:
    """The address that the person is reached at. That of those who left is nobody's."""
    return None if user.deactivation_reason == DELETED else user.email
