"""Letters about an account itself: they are sent whatever its owner prefers, also to addresses that are not verified.

Whoever opens an account with a stranger's address must not be able to write to them through it. So nothing that people
have written stands in a letter to an address that is not verified, and few of a kind go to one address.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import Lower
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common import frontend
from common.ids import new_id
from users.models import Notification, SocialAccount, User
from users.notifications import notify

PER_HOUR = 5  # of one kind; the links of earlier letters work


def write(letters: Sequence[Notification]) -> None:
    """Those that are not one too many within the hour: for their recipient or, where they ask whose an address is, for
    that address, whoever has named it."""
    recent = Notification.objects.filter(created_at__gte=timezone.now() - timedelta(hours=1))
    by_person = recent.filter(
        recipient__in={letter.recipient_id for letter in letters}, kind__in={letter.kind for letter in letters}
    )
    told = {
        (recipient, kind): count
        for recipient, kind, count in by_person.values_list("recipient", "kind").annotate(Count("pk")).order_by()
    }
    asked_of = {letter.email_to.lower() for letter in letters if letter.kind == Notification.EMAIL_VERIFICATION}
    if asked_of:
        same = (
            recent.filter(kind=Notification.EMAIL_VERIFICATION).annotate(to=Lower("email_to")).filter(to__in=asked_of)
        )
        asked = dict(same.values_list("to").annotate(Count("pk")).order_by())
    else:
        asked = {}
    notify(
        letter
        for letter in letters
        if told.get((letter.recipient_id, letter.kind), 0) < PER_HOUR
        and asked.get(letter.email_to.lower(), 0) < PER_HOUR
    )


def greeted(user: User) -> str:
    """The name, for a greeting: not before the address is known to be theirs."""
    return f", {user.first_name}" if user.first_name and user.email_verified_at else ""


def password_reset(user: User) -> Notification:
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


def email_verification(user: User) -> Notification:
    """To the address that is to be verified: the new one during a change, else the user's own."""
    with translation.override(user.language):
        return _letter(
            user,
            Notification.EMAIL_VERIFICATION,
            _("Confirm your email"),
            _(
                "Hello!\n\nTo confirm that this is your email, open the page below within three days. If you do not "
                "know what this is about, do nothing: somebody has mistyped their own."
            ),
            email_to=user.pending_email or user.email,
        )


def email_changing(user: User) -> Notification:
    with translation.override(user.language):
        return _letter(
            user,
            Notification.EMAIL_CHANGED,
            _("Your email is about to change"),
            _(
                "Hello%(name)s!\n\nThe email of your account is to become %(email)s. It changes when the letter that "
                "we have sent there is confirmed.\n\nIf it was not you who asked for that, set a new password now: "
                "that stops it."
            )
            % {"name": greeted(user), "email": _named(user, user.pending_email)},
            email_to=user.email,
        )


def email_changed(user: User, address: str) -> Notification:
    """To the address that the user has had; `address` is theirs now."""
    with translation.override(user.language):
        return _letter(
            user,
            Notification.EMAIL_CHANGED,
            _("Your email has changed"),
            _("Hello%(name)s!\n\nThe email of your account is %(email)s now. No more letters come here.")
            % {"name": greeted(user), "email": _named(user, address)},
            email_to=user.email,
        )


def sign_in_added(user: User, provider: str) -> Notification:
    with translation.override(user.language):
        return _letter(
            user,
            Notification.SIGN_IN_ADDED,
            _("A new way to sign in"),
            _(
                "Hello%(name)s!\n\nYour account can be entered by %(provider)s from now on. If it was not you who "
                "linked it, set a new password now, and open the page below to unlink it:"
            )
            % {"name": greeted(user), "provider": SocialAccount.Provider(provider).label},
        )


def password_changed(user: User) -> Notification:
    """With a page to unlink what else opens the account; with nothing else, one to set another password."""
    with translation.override(user.language):
        text = _(
            "Hello%(name)s!\n\nThe password of your account has been changed, and everybody who was signed in to it is "
            "signed out."
        ) % {"name": greeted(user)}
        linked = _linked(user)
        if not linked:
            text += "\n\n" + _("If it was not you, set another one now:")
        letter = _letter(user, Notification.PASSWORD_CHANGED, _("Your password has been changed"), text + linked)
    letter.url = "" if linked else frontend.password_reset()
    return letter


def signed_out_everywhere(user: User) -> Notification | None:
    """None if nothing but the password opens the account: there is nothing to look at then."""
    with translation.override(user.language):
        linked = _linked(user)
        text = _("Hello%(name)s!\n\nEverybody who was signed in to your account is signed out.")
        subject = _("You are signed out everywhere")
        letter = _letter(user, Notification.SIGNED_OUT, subject, text % {"name": greeted(user)} + linked)
    return letter if linked else None


def deactivated(user: User) -> dict[str, str]:
    """What the letter to somebody says who has not visited us."""
    with translation.override(user.language):
        return {
            "subject": _("Your account has been deactivated"),
            "message": ngettext(
                "Hello%(name)s!\n\nYou have not visited us for %(days)s day, so we put your account to sleep. "
                "Your courses and payments are kept.\n\nTo wake it up, set a new password:",
                "Hello%(name)s!\n\nYou have not visited us for %(days)s days, so we put your account to sleep. "
                "Your courses and payments are kept.\n\nTo wake it up, set a new password:",
                settings.INACTIVITY_DAYS,
            )
            % {"name": greeted(user), "days": settings.INACTIVITY_DAYS},
            "url": frontend.password_reset(),
        }


def _linked(user: User) -> str:
    """What else opens the account, for a letter whose link leads to where it is unlinked."""
    linked = user.social_accounts.order_by("created_at")
    names = ", ".join(
        f"{account.get_provider_display()} ({timezone.localtime(account.created_at):%Y-%m-%d})" for account in linked
    )
    if not names:
        return ""
    text = _(
        "Your account can be entered by these as well: %(providers)s. If you do not know one of them, open the page "
        "below and unlink it:"
    )
    return "\n\n" + text % {"providers": names}


def _named(user: User, address: str) -> str:
    """An address, too, can be words of whoever has typed it."""
    return address if user.email_verified_at else _("another address")


def _letter(user: User, kind: str, subject: str, message: str, *, email_to: str = "") -> Notification:
    """Not shown in the app; its link is made as it is sent (users.keys)."""
    return Notification(
        recipient=user,
        kind=kind,
        subject=subject,
        message=message,
        email_to=email_to,
        in_app=False,
        dedup_key=f"{kind}:{new_id()}",
    )
