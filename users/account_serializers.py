"""What people send to change, reset and verify what opens their account."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import empty

from common.addresses import client_address
from common.errors import invalid
from common.mail import validate_plain_address
from common.schema import problems
from users import account, keys, services
from users.models import User
from users.serializers import PasswordField, check_strength

# For the schema of whatever asks for a password.
NO_PASSWORD = problems(_409="no_password: the caller has none yet; they set one by letter (`password/reset/`)")


class _AsksForPassword(serializers.Serializer):
    def run_validation(self, data: Any = empty) -> Any:
        # First of all: nobody is asked to send what they do not have.
        account.check_has_password(self.context["request"].user)
        return super().run_validation(data)


class ConfirmPasswordSerializer(_AsksForPassword):
    """The password of whoever is signed in, once more."""

    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _confirm(self, attrs["password"], "password")
        return attrs


class PasswordChangeSerializer(_AsksForPassword):
    old_password = PasswordField()
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_strength(attrs["new_password"], self.context["request"].user, attr="new_password")
        _confirm(self, attrs["old_password"], "old_password")
        return attrs

    def save(self) -> None:
        account.change_password(user=self.context["request"].user, password=self.validated_data["new_password"])


class PasswordResetSerializer(serializers.Serializer):
    email = serializers.EmailField(write_only=True, max_length=254)

    def save(self) -> None:
        account.request_reset(email=self.validated_data["email"])


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "From the link in the letter",
            {"uid": "MDFhMWZj…", "token": "d1x2y3-0a1b2c…", "new_password": "correct-horse-7"},
            request_only=True,
        )
    ]
)
class PasswordResetConfirmSerializer(serializers.Serializer):
    uid = serializers.CharField(write_only=True, max_length=100)
    token = serializers.CharField(write_only=True, max_length=100)
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = keys.who_resets(attrs["uid"], attrs["token"])
        if user is None:
            raise dead_link("token")
        check_strength(attrs["new_password"], user, attr="new_password")
        return {**attrs, "user": user}

    def save(self) -> None:
        user, password = self.validated_data["user"], self.validated_data["new_password"]
        address = client_address(self.context["request"])
        if not account.reset_password(user=user, password=password, address=address):
            raise dead_link("token")


class EmailChangeSerializer(_AsksForPassword):
    email = serializers.EmailField(write_only=True, max_length=254, validators=[validate_plain_address])
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # The password first: only registering may tell whether an address is taken without one.
        _confirm(self, attrs["password"], "password")
        user = self.context["request"].user
        others = User.objects.with_email(attrs["email"]).exclude(pk=user.pk)
        if attrs["email"] == user.email or others.exists():
            raise services.taken("email")
        return attrs

    def save(self) -> None:
        account.change_email(user=self.context["request"].user, email=self.validated_data["email"])


class EmailVerifySerializer(serializers.Serializer):
    key = serializers.CharField(write_only=True, max_length=2000)

    def save(self) -> None:
        account.verify_email(key=self.validated_data["key"])


def _confirm(serializer: serializers.Serializer, password: str, attr: str) -> None:
    request = serializer.context["request"]
    account.confirm_password(user=request.user, password=password, address=client_address(request), attr=attr)


def dead_link(attr: str) -> Exception:
    return invalid(attr, f"invalid_{attr}", _("The link is invalid, expired or was used before."))
