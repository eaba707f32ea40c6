"""Fresh proof of who is asking, for what would hand an account over for good: linking and unlinking a sign-in, leaving,
changing the email.

An access token alone is not enough, because it may be a stolen one. The caller sends the password in the body, or
has signed in within the last minutes: refreshing a token does not count as signing in.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.fields import empty
from rest_framework.request import Request

from common import serializers
from common.addresses import client_address
from common.errors import RuleBroken
from common.schema import problems
from users import account
from users.fields import PasswordField
from users.tokens import AUTH_TIME

MAX_AGE = timedelta(minutes=10)

# For the schema of whatever needs it.
FRESH_PROOF = "fresh_proof_required: send `password`, or sign in anew: the last sign-in is more than 10 minutes ago"
REFUSALS = problems(
    _400="validation_error: the `password` that was sent is wrong, or another field is",
    _403=FRESH_PROOF,
    _409="no_password: a `password` was sent, and the caller has none yet; they set one by letter (`password/reset/`)",
)
HINT = "Not needed within 10 minutes after signing in."


class ProofSerializer(serializers.Serializer):
    """Of a body that fresh proof is asked of. Nothing else of it is looked at before."""

    password = PasswordField(required=False, help_text=HINT)

    def run_validation(self, data: Any = empty) -> Any:
        require_fresh_proof(self.context["request"])
        return super().run_validation(data)


class _PasswordSerializer(serializers.Serializer):
    password = PasswordField(required=False)


def require_fresh_proof(request: Request) -> None:
    """Passes if the body holds the caller's password or, without one, if the caller's sign-in is fresh.

    Raises RuleBroken: fresh_proof_required (403), or no_password (409); a 400 on `password` for a wrong one, which
    counts as a guess (users.guessing); Throttled after many of them.
    """
    if isinstance(request.data, Mapping) and "password" in request.data:
        account.check_has_password(request.user)
    body = _PasswordSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    if "password" in body.validated_data:
        account.confirm_password(
            user=request.user, password=body.validated_data["password"], address=client_address(request)
        )
    elif not has_signed_in_lately(request.auth):
        raise RuleBroken(
            "fresh_proof_required",
            _("Confirm that it is you: send your password, or sign in again."),
            status_code=403,
        )


def has_signed_in_lately(token: Any) -> bool:
    """Whether the sign-in that an access token descends from is fresh. Other credentials have no such moment."""
    signed_in_at = token.get(AUTH_TIME) if token is not None else None
    if not isinstance(signed_in_at, int):
        return False
    return timezone.now().timestamp() - signed_in_at <= MAX_AGE.total_seconds()
