"""JWT pairs: issuing, rotating, revoking.

Both tokens carry the id of their family, the user's `token_version` and, as `auth_time`, the moment of the sign-in that
they descend from, which refreshing does not change. Rotation replaces the family's `current_jti` by one conditional
update, so that of many uses of one token exactly one wins; every other is a reuse and ends the family.
"""

from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from users.models import TokenFamily, User

FAMILY = "family"
VERSION = "version"
AUTH_TIME = "auth_time"  # the name that OpenID Connect gives it; seconds since 1970
TOKEN_TYPE = "bearer"  # noqa: S105 - how a token is sent
NOBODY = UUID(int=0)


def log_in(user: User) -> dict[str, str]:
    """The pair of somebody who has just shown who they are. Counts as a visit."""
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    return issue_pair(user)


def nobody() -> AuthenticationFailed:
    """What logging in answers to whoever it refuses, in each of its ways: it does not say why."""
    return AuthenticationFailed(_("No active account with these credentials."), code="no_active_account")


def issue_pair(user: User) -> dict[str, str]:
    """The pair of a new family: a login."""
    refresh = RefreshToken.for_user(user)
    family = TokenFamily.objects.create(
        user=user, current_jti=refresh["jti"], expires_at=datetime_from_epoch(refresh["exp"])
    )
    return _pair(refresh, family, user)


def rotate(raw: str) -> dict[str, str]:
    """A new pair for a refresh token that has not been used before. Counts as a visit.

    Raises InvalidToken (401) for anything else; a token that was used before also ends its family.
    """
    old = _read(RefreshToken, raw)
    family = TokenFamily.objects.select_related("user").filter(pk=claimed_id(old.get(FAMILY))).first()
    if family is None or not family.user.is_active or old.get(VERSION) != family.user.token_version:
        raise _dead()
    new = RefreshToken.for_user(family.user)
    swapped = TokenFamily.objects.filter(pk=family.pk, current_jti=old["jti"]).update(
        current_jti=new["jti"], expires_at=datetime_from_epoch(new["exp"])
    )
    if not swapped:
        TokenFamily.objects.filter(pk=family.pk).delete()
        raise _dead()
    User.objects.filter(pk=family.user_id).update(last_seen_at=timezone.now())
    return _pair(new, family, family.user)


def revoke(raw: str, *, user: User) -> bool:
    """Ends the family of one of the user's own refresh tokens; False for a token that is not theirs or no token."""
    try:
        token = _read(RefreshToken, raw)
    except InvalidToken:
        return False
    if token.get("user_id") != str(user.pk):
        return False
    TokenFamily.objects.filter(pk=claimed_id(token.get(FAMILY)), user=user).delete()
    return True


def end_sign_in(token: Any) -> None:
    """Ends the family that an access token belongs to. The token itself works until it expires."""
    TokenFamily.objects.filter(pk=claimed_id(token.get(FAMILY)), user=claimed_id(token.get("user_id"))).delete()


def revoke_all(user: User) -> None:
    """Ends every refresh and access token of the user, and every other session, at once."""
    user.end_every_session()


def verify(raw: str) -> None:
    """Raises InvalidToken unless the token, of either kind, would be accepted now."""
    try:
        token = _read(AccessToken, raw)
    except InvalidToken:
        token = _read(RefreshToken, raw)
        alive = TokenFamily.objects.filter(
            pk=claimed_id(token.get(FAMILY)),
            current_jti=token["jti"],
            user__is_active=True,
            user__token_version=token.get(VERSION),
        )
    else:
        alive = User.objects.filter(
            pk=claimed_id(token.get("user_id")), is_active=True, token_version=token.get(VERSION)
        )
    if not alive.exists():
        raise _dead()


def claimed_id(value: Any) -> UUID:
    """The id in a token's claim; nobody's for anything else."""
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError):
        return NOBODY


def _pair(refresh: RefreshToken, family: TokenFamily, user: User) -> dict[str, str]:
    refresh[FAMILY] = str(family.pk)
    refresh[VERSION] = user.token_version
    refresh[AUTH_TIME] = int(family.created_at.timestamp())
    access = str(refresh.access_token)
    # Once more by the names of OAuth 2.0 (RFC 6749, 5.1), which general clients look for.
    return {"access": access, "refresh": str(refresh), "access_token": access, "token_type": TOKEN_TYPE}


def _read(kind: type[Token], raw: Any) -> Any:
    try:
        return kind(raw)
    except TokenError:
        raise _dead() from None


def _dead() -> InvalidToken:
    return InvalidToken(_("The token is invalid, expired or was used before."))
