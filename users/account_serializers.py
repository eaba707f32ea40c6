"""What people send to change, reset and verify what opens their account."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework.fields import empty

from common import serializers
from common.addresses import client_address
from common.errors import invalid
from common.fields import AddressField, NewAddressField
from common.schema import problems
from users import account, keys, services
from users.fields import PasswordField
from users.proof import ProofSerializer
from users.serializers import check_email_is_free, check_strength

# For the schema of whatever asks for a password.
NO_PASSWORD = problems(_409="no_password: the caller has none yet; they set one by letter (`password/reset/`)")


class PasswordChangeSerializer(serializers.Serializer):
    old_password = PasswordField()
    new_password = PasswordField()

    def run_validation(self, data: Any = empty) -> Any:
        # First of all: nobody is asked to send what they do not have.
        account.check_has_password(self.context["request"].user)
        return super().run_validation(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        request = self.context["request"]
        check_strength(attrs["new_password"], request.user, attr="new_password")
        account.confirm_password(
            user=request.user,
            password=attrs["old_password"],
            address=client_address(request),
            attr="old_password",
        )
        return attrs

    def save(self) -> None:
        account.change_password(user=self.context["request"].user, password=self.validated_data["new_password"])


class PasswordResetSerializer(serializers.Serializer):
    email = AddressField(write_only=True)

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


class EmailChangeSerializer(ProofSerializer):
    email = NewAddressField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # The proof has come first: only registering tells whether an address is taken without one.
        user = self.context["request"].user
        if attrs["email"] == user.email:
            raise services.taken("email")
        check_email_is_free(attrs["email"], except_for=user)
        return attrs

    def save(self) -> None:
        account.change_email(user=self.context["request"].user, email=self.validated_data["email"])


class EmailVerifySerializer(serializers.Serializer):
    key = serializers.CharField(write_only=True, max_length=2000)

    def save(self) -> None:
        account.verify_email(key=self.validated_data["key"])


def dead_link(attr: str) -> Exception:
    return invalid(attr, f"invalid_{attr}", _("The link is invalid, expired or was used before."))
