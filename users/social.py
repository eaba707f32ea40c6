"""Signing in by another provider, and what is linked to an account."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework_simplejwt.exceptions import InvalidToken

from common.errors import RuleBroken
from users import account_letters, providers, tokens
from users.account import send_verification
from users.guessing import remember
from users.models import SocialAccount, User
from users.providers import Profile


def sign_in(*, profile: Profile, address: str, language: str) -> dict[str, str]:
    """`{access, refresh}` of the account that the provider's one opens: linked to it, joined now, or new.

    Raises 401 for an account that is not active, as logging in does; RuleBroken: sign_in_first (409), email_missing
    (400).
    """
    try:
        user = _known(profile) or _new(profile, language)
    except IntegrityError:  # the same person, or the same address, came twice at once: the other one has it now
        user = _known(profile) or _new(profile, language)
    if not user.is_active:
        raise tokens.nobody()
    remember(user, address)
    return tokens.log_in(user)


def _known(profile: Profile) -> User | None:
    found = SocialAccount.objects.filter(provider=profile.provider, uid=profile.uid).select_related("user").first()
    return found.user if found else None


@transaction.atomic
def _new(profile: Profile, language: str) -> User:
    """Whom the provider's account belongs to from now on."""
    if not profile.email:
        raise RuleBroken(
            "email_missing",
            _(
                "The provider did not tell your email. Allow that and start again, or register with a password and "
                "link this account in your profile."
            ),
            status_code=400,
        )
    holder = User.objects.select_for_update().with_email(profile.email).first()
    if holder is None:
        return _register(profile, language)
    if known := _known(profile):  # the same person has come twice at once, and the other request is done
        return known
    if not (profile.is_email_verified and holder.email_verified_at):
        raise RuleBroken(
            "sign_in_first",
            _("There is an account with this email. Sign in to it, then link this one in your profile."),
        )
    if holder.is_active:
        SocialAccount.objects.create(user=holder, provider=profile.provider, uid=profile.uid)
        account_letters.write([account_letters.sign_in_added(holder, profile.provider)])
    return holder


def _register(profile: Profile, language: str) -> User:
    user = User(
        email=User.objects.normalize_email(profile.email),
        first_name=profile.first_name,
        last_name=profile.last_name,
        language=language,
        email_verified_at=timezone.now() if profile.is_email_verified else None,
    )
    user.set_unusable_password()
    user.save(force_insert=True)
    SocialAccount.objects.create(user=user, provider=profile.provider, uid=profile.uid)
    send_verification(user)
    return user


@transaction.atomic
def link(*, user: User, profile: Profile) -> tuple[SocialAccount, bool]:
    """The provider's account, which opens the user's own from now on, and whether it is new.

    Raises RuleBroken: linked_elsewhere (409); InvalidToken if the user's tokens have been ended meanwhile.
    """
    # A new password, or leaving, ends all tokens and takes away what is linked: nothing is linked behind its back.
    alive = User.objects.select_for_update().filter(pk=user.pk, token_version=user.token_version)
    if not alive.exists():
        raise InvalidToken
    account, is_new = SocialAccount.objects.get_or_create(
        provider=profile.provider, uid=profile.uid, defaults={"user": user}
    )
    if account.user_id != user.pk:
        raise RuleBroken("linked_elsewhere", _("This account is linked to another person here."))
    if is_new:
        account_letters.write([account_letters.sign_in_added(user, profile.provider)])
    return account, is_new


@transaction.atomic
def unlink(*, account: SocialAccount) -> None:
    """Raises RuleBroken: last_way_in (409) if its owner could not sign in any more."""
    owner = User.objects.select_for_update().get(pk=account.user_id)  # of two at once, the second sees what is left
    others = owner.social_accounts.filter(provider__in=providers.configured()).exclude(pk=account.pk)
    if not owner.has_usable_password() and not others.exists():
        raise RuleBroken("last_way_in", _("You would not be able to sign in any more. Set a password by letter first."))
    account.delete()


@transaction.atomic
def unlink_by_letter(*, user: User, account_id: UUID | None) -> None:
    """For whoever reads the user's letters: unlinks one account or, with None, all. Whoever has come by one of them is
    signed out. No way in may be left: a new password comes by letter, too."""
    User.objects.select_for_update().get(pk=user.pk)
    linked = SocialAccount.objects.filter(user=user)
    if (linked if account_id is None else linked.filter(pk=account_id)).delete()[0]:
        tokens.revoke_all(user)
