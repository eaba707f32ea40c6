"""Passwords and addresses: changing them, resetting and verifying by letter, and asking for the password again."""

from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.errors import RuleBroken, invalid
from common.ids import new_id
from users import keys, tokens
from users.guessing import guarded, remember
from users.models import Notification, PasswordResetRequest, SocialAccount, User, normal_password
from users.notifications import notify

RESET_BATCH = 100
RESET_LETTERS_PER_HOUR = 5


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
    """Ends every token of the user."""
    if not _set_password(User.objects.filter(pk=user.pk, password=user.password), user, password):
        raise RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))


def reset_password(*, user: User, password: str, address: str) -> bool:
    """For somebody who came by a letter: the address that it went to is theirs, and whoever slept for not visiting us
    is awake. Ends every token of the user and, of an address that was not verified before, every other way in; of one
    that was verified later than those, tells of them. False if the same letter has been used meanwhile."""
    now = timezone.now()
    unchanged = User.objects.who_may_reset().filter(pk=user.pk, password=user.password, email=user.email)
    done = _set_password(
        unchanged,
        user,
        password,
        by_letter=True,
        is_active=True,
        deactivated_at=None,
        deactivation_reason="",
        email_verified_at=Coalesce("email_verified_at", now),
        last_seen_at=now,
    )
    if done:
        remember(user, address)  # guesses from elsewhere do not keep them from logging in now
    return done


def _set_password(
    rows: QuerySet[User], user: User, password: str, *, by_letter: bool = False, **fields: object
) -> bool:
    """By one conditional update: of two at once, one wins. An email that was to be changed stays: who asked for that
    may not have been the owner."""
    hashed = make_password(normal_password(password))  # slow on purpose, so outside the transaction
    with transaction.atomic():
        done = rows.update(password=hashed, pending_email="", updated_at=timezone.now(), **fields)
        if done:
            tokens.revoke_all(user)
        if done and by_letter:
            _look_at_other_ways_in(user)
    return bool(done)


def _look_at_other_ways_in(user: User) -> None:
    """Whoever has opened the account with this address, and linked it to theirs elsewhere, may be somebody else. After
    the address was verified nobody can say: its owner may have begun with the other account."""
    linked = SocialAccount.objects.filter(user=user)
    if user.email_verified_at is None:
        linked.delete()
        return
    early = linked.filter(created_at__lt=user.email_verified_at).order_by("created_at")
    with translation.override(user.language):
        if names := ", ".join(str(account.get_provider_display()) for account in early):
            notify([_other_ways_letter(user, names)])


def _other_ways_letter(user: User, names: str) -> Notification:
    return _letter(
        user,
        Notification.SIGN_IN_ADDED,
        _("Another way to sign in"),
        _(
            "Hello%(name)s!\n\nYou have a new password. Your account can be entered by %(providers)s as well, which "
            "was linked before this email was confirmed. If it was not you who linked it, unlink it in your profile."
        )
        % {"name": greeted(user), "providers": names},
    )


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
    notify([_reset_letter(user) for user in people if _may_get_a_letter(user)])
    PasswordResetRequest.objects.filter(pk__in=[request.pk for request in requests]).delete()
    return len(requests)


def _may_get_a_letter(user: User) -> bool:
    """Nobody fills another's mailbox. The links of the earlier letters work."""
    an_hour_ago = timezone.now() - timedelta(hours=1)
    letters = Notification.objects.filter(recipient=user, kind=Notification.PASSWORD_RESET, created_at__gte=an_hour_ago)
    return letters.count() < RESET_LETTERS_PER_HOUR


def greeted(user: User) -> str:
    """The name, for a greeting: not before the address is known to be theirs, so that nobody writes to a stranger
    through it."""
    return f", {user.first_name}" if user.first_name and user.email_verified_at else ""


def _reset_letter(user: User) -> Notification:
    with translation.override(user.language):
        return _letter(
            user,
            Notification.PASSWORD_RESET,
            _("A new password"),
            _(
                "Hello%(name)s!\n\nSomebody, probably you, wants to set a new password for your account. If it was not "
                "you, do nothing: your password stays as it is.\n\nTo set a new password, open this page within two "
                "hours:"
            )
            % {"name": greeted(user)},
        )


# --- Addresses -------------------------------------------------------------------------------------------------------


@transaction.atomic
def change_email(*, user: User, email: str) -> None:
    """Writes to the new address, which becomes the user's when its key comes back, and tells the present one. Another
    change, or a new password, takes this one back."""
    user.pending_email = User.objects.normalize_email(email)
    user.save(update_fields=["pending_email", "updated_at"])
    with translation.override(user.language):
        told = _letter(
            user,
            Notification.EMAIL_CHANGED,
            _("Your email is about to change"),
            _(
                "Hello%(name)s!\n\nThe email of your account is to become %(email)s. It changes when the letter that "
                "we have sent there is confirmed.\n\nIf it was not you who asked for that, set a new password now: "
                "that stops it."
            )
            % {"name": greeted(user), "email": user.pending_email},
            email_to=user.email,
        )
    notify([told])
    send_verification(user)


def send_verification(user: User) -> None:
    """A letter to the address that is to be verified: the new one during a change, else the user's own, if it has not
    been verified yet. Nothing in it was written by the user: it may go to a stranger."""
    if user.email_verified_at and not user.pending_email:
        return
    with translation.override(user.language):
        letter = _letter(
            user,
            Notification.EMAIL_VERIFICATION,
            _("Confirm your email"),
            _(
                "Hello!\n\nTo confirm that this is your email, open the page below within three days. If you do not "
                "know what this is about, do nothing: somebody has mistyped their own."
            ),
            email_to=user.pending_email or user.email,
        )
    notify([letter])


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
                notify([_changed_letter(user, address)])
    except IntegrityError:
        raise invalid("key", "unique", _("A user with this email already exists.")) from None


def _changed_letter(user: User, address: str) -> Notification:
    with translation.override(user.language):
        return _letter(
            user,
            Notification.EMAIL_CHANGED,
            _("Your email has changed"),
            _("Hello%(name)s!\n\nThe email of your account is %(email)s now. No more letters come here.")
            % {"name": greeted(user), "email": address},
            email_to=user.email,
        )


def _dead_key() -> Exception:
    return invalid("key", "invalid_key", _("The link is invalid, expired or was used before."))


def _letter(user: User, kind: str, subject: str, message: str, *, email_to: str = "") -> Notification:
    """About the account itself: not shown in the app, and its link is made as it is sent (users.keys)."""
    return Notification(
        recipient=user,
        kind=kind,
        subject=subject,
        message=message,
        email_to=email_to,
        in_app=False,
        dedup_key=f"{kind}:{new_id()}",
    )
