"""What goes to a provider and comes back, and what is linked."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

from common import serializers
from common.errors import invalid
from users.models import SocialAccount
from users.proof import ProofSerializer
from users.providers import PROVIDERS


class SocialBeginningSerializer(serializers.Serializer):
    authorization_url = serializers.URLField(read_only=True)
    state = serializers.CharField(read_only=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "From the address that the provider sent the browser back to",
            {"code": "4/0AX4XfWh…", "state": "hFq2Zk0WnQ3b…"},
            request_only=True,
        ),
        OpenApiExample(
            "VK ID",
            {"code": "vk2.a.Zx1…", "state": "hFq2Zk0WnQ3b…", "device_id": "tSvR6w…"},
            request_only=True,
        ),
    ]
)
class SocialCallbackSerializer(serializers.Serializer):
    """Parameters of the address that the provider sent the browser back to."""

    code = serializers.CharField(write_only=True, max_length=4000)
    state = serializers.CharField(write_only=True, max_length=128)
    device_id = serializers.CharField(
        write_only=True, max_length=500, required=False, allow_blank=True, help_text="VK ID sends it, and needs it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        device_id = attrs.get("device_id", "")
        if PROVIDERS[self.context["provider"]].needs_device_id and not device_id:
            raise invalid("device_id", "required", _("VK ID does not take a code without its device_id."))
        return {**attrs, "device_id": device_id}


class SocialLinkSerializer(ProofSerializer, SocialCallbackSerializer):
    """The same, by somebody who is signed in and proves it anew."""


class SocialAccountSerializer(serializers.ModelSerializer):
    class Meta:
        model = SocialAccount
        fields = ("id", "provider", "uid", "created_at")
        read_only_fields = fields


class LinkedProviderSerializer(serializers.ModelSerializer):
    """A linked account as a letter's page shows it, signed in or not."""

    class Meta:
        model = SocialAccount
        fields = ("id", "provider", "created_at")
        read_only_fields = fields


class SignInsByLetterSerializer(serializers.Serializer):
    accounts = LinkedProviderSerializer(many=True, read_only=True)


class UnlinkByLetterSerializer(serializers.Serializer):
    account = serializers.UUIDField(write_only=True, required=False)
