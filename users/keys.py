"""What a letter opens: a new password, or an address that is verified.

Keys are made as the letter is sent, and stored nowhere: whoever reads the table of notifications, or its pages in the
admin, finds none. They expire, and die when what they were made for has changed.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import signing
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from common import frontend
from users.models import Notification, User
from users.tokens import claimed_id

SALT = "users.email"
SIGN_INS_SALT = "users.sign_ins"
SIGN_INS_LIFETIME = timedelta(days=30)


class ResetTokens(PasswordResetTokenGenerator):
    """Django's, but that logging in does not kill a token. Otherwise whoever has stolen the password could keep the
    owner from setting another one, by logging in whenever a letter is on its way."""

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{user.pk}{user.password}{timestamp}{user.email}"


reset_tokens = ResetTokens()


def link_of(notification: Notification) -> str:
    """What the letter leads to."""
    user = notification.recipient
    if notification.kind == Notification.PASSWORD_RESET:
        uid = urlsafe_base64_encode(force_bytes(user.pk))
        return frontend.password_reset(uid, reset_tokens.make_token(user))
    if notification.kind == Notification.EMAIL_VERIFICATION:
        return frontend.email_verification(email_key(user, notification.email_to or user.email))
    if not notification.url and notification.kind in Notification.TELL_OF_SIGN_INS:
        return f"{settings.BASE_URL}{reverse('sign-ins-by-letter', args=[sign_ins_key(user)])}"
    return notification.url


def who_resets(uid: str, token: str) -> User | None:
    """Whose password a letter opens. Setting another one or changing the email kills the token."""
    try:
        pk = claimed_id(urlsafe_base64_decode(uid).decode())
    except ValueError:
        return None
    user = User.objects.who_may_reset().filter(pk=pk).first()
    return user if user and reset_tokens.check_token(user, token) else None


def email_key(user: User, address: str) -> str:
    """Says that whoever has it reads the letters to this address."""
    return signing.dumps({"user": str(user.pk), "email": address, "state": _state(user)}, salt=SALT)


def what_is_verified(key: str) -> tuple[User, str] | None:
    """(user, address) of a living key: the address is still the user's own, or the one that they want to change to."""
    try:
        claims: Any = signing.loads(key, salt=SALT, max_age=settings.EMAIL_KEY_LIFETIME)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=claims["user"], is_active=True).first()
    if user is None or claims["email"] not in {user.email, user.pending_email} - {""}:
        return None
    return (user, claims["email"]) if constant_time_compare(claims["state"], _state(user)) else None


def sign_ins_key(user: User) -> str:
    """Says that whoever has it reads the letters to the user's present address."""
    return signing.dumps({"user": str(user.pk), "email": user.email}, salt=SIGN_INS_SALT)


def whose_sign_ins(key: str) -> User | None:
    """Whose ways to sign in a letter shows, and unlinks."""
    try:
        claims: Any = signing.loads(key, salt=SIGN_INS_SALT, max_age=SIGN_INS_LIFETIME)
    except signing.BadSignature:
        return None
    return User.objects.filter(pk=claims["user"], email=claims["email"], is_active=True).first()


def _state(user: User) -> str:
    """Changes with the email and with its being verified."""
    verified = user.email_verified_at.isoformat() if user.email_verified_at else ""
    return salted_hmac(SALT, f"{user.pk} {user.email} {verified}").hexdigest()[:20]
