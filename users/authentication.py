"""Who is calling: by access token in the API, by email and password at login and in Django admin."""

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication as BaseJWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import Token

from common.addresses import client_address
from common.demo import is_demo
from users.guessing import guarded, remember
from users.models import User
from users.tokens import VERSION, claimed_id


def may_sign_in(user: User) -> bool:
    """The demo's people, whose password everybody knows, stay out where others than this machine come."""
    return user.is_active and (settings.ON_LOOPBACK or not is_demo(user.pk))


class JWTAuthentication(BaseJWTAuthentication):
    """Loads the user, with their role and groups as they are now, in one query. What a token says of a role never
    decides anything. Whoever does not say in which language they want to be answered is answered in their own."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:  # type: ignore[override]
        found: Any = super().authenticate(request)
        if found and "Accept-Language" not in request.headers:
            translation.activate(found[0].language)
        return found

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override] # the library's user is a type variable
        user = User.objects.for_request().filter(pk=claimed_id(validated_token.get("user_id"))).first()
        if user is None or not may_sign_in(user):
            raise AuthenticationFailed(_("User inactive or deleted."), code="user_inactive")
        if validated_token.get(VERSION) != user.token_version:
            raise InvalidToken
        return user


class JWTScheme(SimpleJWTScheme):
    """For the schema."""

    target_class = JWTAuthentication  # type: ignore[assignment] # a path in the base, and a class here


class EmailBackend(ModelBackend):
    """Email, compared without case, and password. An unknown email costs as much time as a wrong password, and guesses
    are counted (users.guessing): Throttled is raised when too many were wrong."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        email = kwargs.get("email", username)
        if not email or password is None:
            return None
        if request is None:  # no person: a program
            return self._evaluate(email, password)
        address = client_address(request)
        user = guarded(email=email, address=address, evaluate=partial(self._evaluate, email, password))
        if user:
            remember(user, address)
        return user

    def user_can_authenticate(self, user: User) -> bool:  # type: ignore[override]
        """Asked at signing in, and again for every request of a session."""
        return may_sign_in(user)

    def _evaluate(self, email: str, password: str) -> User | None:
        user = User.objects.for_request().with_email(email).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None
