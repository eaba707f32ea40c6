"""Passwords and addresses: changing them, resetting and verifying by letter, and asking for the password again."""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from common.background import enqueue
from common.errors import RuleBroken, invalid
from users import account_letters, keys, tokens
from users.guessing import guarded, remember
from users.models import PasswordResetRequest, SocialAccount, User, normal_password

RESET_BATCH = 100


def check_has_password(user: User) -> None:
    """Before one is asked for. Whoever came by another provider may have none."""
    if not user.has_usable_password():
        raise RuleBroken("no_password", _("You have no password yet. Set one by letter, then try again."))


def confirm_password(*, user: User, password: str, address: str, attr: str = "password") -> None:
    """Asks a person who is signed in once more. Raises a 400 on `attr` for a wrong password, Throttled after many."""
    if not guarded(email=user.email, address=address, evaluate=lambda: user.check_password(password)):
        raise invalid(attr, "wrong_password", _("This is not your password."))


# --- Passwords -------------------------------------------------------------------------------------------------------


def change_password(*, user: User, password: str) -> None:
    """Ends every session of the user, and tells them."""
    if not _set_password(User.objects.filter(pk=user.pk, password=user.password), user, password):
        raise RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))


def reset_password(*, user: User, password: str, address: str) -> bool:
    """For somebody who came by a letter: the address that it went to is theirs, and whoever slept for not visiting us
    is awake. Ends every session of the user. Of an address that was not verified before it ends every other way in:
    whoever has opened the account with it, and linked it to theirs elsewhere, may be somebody else. False if the same
    letter has been used meanwhile."""
    now = timezone.now()
    unchanged = User.objects.who_may_reset().filter(pk=user.pk, password=user.password, email=user.email)
    done = _set_password(
        unchanged,
        user,
        password,
        is_active=True,
        deactivated_at=None,
        deactivation_reason="",
        email_verified_at=Coalesce("email_verified_at", now),
        last_seen_at=now,
    )
    if done:
        remember(user, address)  # guesses from elsewhere do not keep them from logging in now
    return done


def _set_password(rows: QuerySet[User], user: User, password: str, **fields: object) -> bool:
    """By one conditional update: of two at once, one wins."""
    hashed = make_password(normal_password(password))  # slow on purpose, so outside the transaction
    with transaction.atomic():
        done = rows.update(password=hashed, updated_at=timezone.now(), **fields)
        if done and "email_verified_at" in fields and user.email_verified_at is None:
            SocialAccount.objects.filter(user=user).delete()
        if done:
            follow_new_password(user)
    return bool(done)


@transaction.atomic
def follow_new_password(user: User) -> None:
    """What a new password has for a consequence, whoever has set it: every session ends, and the user is told. An email
    that was to be changed stays: who asked for that may not have been the owner."""
    User.objects.filter(pk=user.pk).update(pending_email="")
    tokens.revoke_all(user)
    account_letters.write([account_letters.password_changed(user)])


@transaction.atomic
def log_out_everywhere(user: User) -> None:
    """Ends every session of the user and, if more than the password opens their account, tells them of it."""
    tokens.revoke_all(user)
    letter = account_letters.signed_out_everywhere(user)
    if letter:
        account_letters.write([letter])


def request_reset(*, email: str) -> None:
    """Does the same whether anybody has the address or not; `answer_reset_requests` does the rest."""
    PasswordResetRequest.objects.create(email=email)
    enqueue("users.tasks.send_pending_emails")


def answer_reset_requests() -> int:
    """Writes a letter to each address that belongs to somebody who may set a new password. Returns how many asked."""
    done = 0
    while batch := _answer_batch():
        done += batch
    return done


@transaction.atomic
def _answer_batch() -> int:
    waiting = PasswordResetRequest.objects.order_by("pk")
    if connection.features.has_select_for_update_skip_locked:
        waiting = waiting.select_for_update(skip_locked=True)
    requests = list(waiting[:RESET_BATCH])
    people = User.objects.who_may_reset().with_email_in([request.email for request in requests])
    account_letters.write([account_letters.password_reset(user) for user in people])
    PasswordResetRequest.objects.filter(pk__in=[request.pk for request in requests]).delete()
    return len(requests)


# --- Addresses -------------------------------------------------------------------------------------------------------


@transaction.atomic
def change_email(*, user: User, email: str) -> None:
    """Writes to the new address, which becomes the user's when its key comes back, and tells the present one. Another
    change, or a new password, takes this one back."""
    user.pending_email = User.objects.normalize_email(email)
    user.save(update_fields=["pending_email", "updated_at"])
    account_letters.write([account_letters.email_changing(user)])
    send_verification(user)


def send_verification(user: User) -> None:
    """A letter to the address that is to be verified: the new one during a change, else the user's own, if it has not
    been verified yet. Nothing in it was written by the user: it may go to a stranger."""
    if user.email_verified_at and not user.pending_email:
        return
    account_letters.write([account_letters.email_verification(user)])


def verify_email(*, key: str) -> None:
    """The address of the key is the user's from now on. Raises a 400 on `key` if it is not alive."""
    found = keys.what_is_verified(key)
    if found is None:
        raise _dead_key()
    user, address = found
    now = timezone.now()
    unchanged = User.objects.filter(
        pk=user.pk, email=user.email, email_verified_at=user.email_verified_at, pending_email=user.pending_email
    )
    try:
        with transaction.atomic():
            pending = "" if address == user.pending_email else user.pending_email
            if not unchanged.update(email=address, email_verified_at=now, pending_email=pending, updated_at=now):
                raise _dead_key()
            if address != user.email:
                account_letters.write([account_letters.email_changed(user, address)])
    except IntegrityError:
        raise invalid("key", "unique", _("A user with this email already exists.")) from None


def _dead_key() -> Exception:
    return invalid("key", "invalid_key", _("The link is invalid, expired or was used before."))
