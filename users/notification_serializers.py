from typing import Any

from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

from common import serializers
from users.models import Notification, NotificationPreference, User
from users.notifications import announce


class NotificationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Notification
        fields = ("id", "recipient", "kind", "subject", "message", "url", "is_read", "read_at", "created_at")
        read_only_fields = fields


class NotificationChangeSerializer(serializers.ModelSerializer):
    """What an admin corrects; to whom it was said stays."""

    message = serializers.CharField(max_length=10_000)
    url = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="http or https.",
    )

    class Meta:
        model = Notification
        fields = ("subject", "message", "url")

    def update(self, instance: Notification, validated_data: dict[str, Any]) -> Notification:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=list(validated_data))
        return instance

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        return NotificationSerializer(instance, context=self.context).data


class AnnouncementSerializer(NotificationChangeSerializer):
    recipient = serializers.PrimaryKeyRelatedField(queryset=User.objects.filter(is_active=True))
    subject = serializers.CharField(
        required=False, max_length=255, help_text="Without one: that it is an announcement."
    )

    class Meta(NotificationChangeSerializer.Meta):
        fields = ("recipient", *NotificationChangeSerializer.Meta.fields)

    def create(self, validated_data: dict[str, Any]) -> Notification:
        return announce(**validated_data)


class UnreadCountSerializer(serializers.Serializer):
    unread_count = serializers.IntegerField()


class MarkedReadSerializer(serializers.Serializer):
    """How many had not been read before."""

    marked_read = serializers.IntegerField()


class PreferenceListSerializer(serializers.ListSerializer):
    """At most one preference for each kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_length": len(Notification.Kind)})

    def validate(self, attrs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kinds = [preference["kind"] for preference in attrs]
        if len(kinds) != len(set(kinds)):
            raise serializers.ValidationError(_("Each kind may be given once."), code="duplicate")
        return attrs


class PreferenceSerializer(serializers.ModelSerializer):
    """`in_app` and `email` stay as they are if left out."""

    class Meta:
        model = NotificationPreference
        fields = ("kind", "in_app", "email")
        list_serializer_class = PreferenceListSerializer


class UnsubscribeSerializer(serializers.Serializer):
    kind = serializers.CharField(help_text="A kind of notification, or `digest`.")
    is_unsubscribed = serializers.BooleanField()
