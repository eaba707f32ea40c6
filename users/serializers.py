"""The shapes of people and of what opens the door to them."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework.request import Request

from common import serializers
from common.fields import AddressField, NewAddressField, OptionalBooleanField
from common.registry import profile_fields
from common.throttling import ScopedRateThrottle
from common.uploads import ImageField
from users import account, services, tokens
from users.fields import PasswordField
from users.models import User, normal_handle
from users.proof import require_fresh_proof


class UsernameField(serializers.CharField):
    """A unique handle, or null."""

    def __init__(self, **kwargs: Any) -> None:
        validators = User._meta.get_field("username").validators
        super().__init__(**{"required": False, "allow_null": True, "max_length": 30, **kwargs})
        self.validators += validators

    def to_internal_value(self, data: Any) -> str:
        return normal_handle(super().to_internal_value(data))


# What a password must not be too much like.
DESCRIBING = ("email", "first_name", "last_name", "username")


def check_strength(password: str, user: User, *, attr: str) -> None:
    """Raises a 400 on `attr` for a password that is weak, or too much like what is known of the user."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError({attr: serializers.as_serializer_error(error)["non_field_errors"]}) from None


def check_username_is_free(username: str | None, *, except_for: User | None = None) -> None:
    if username is None:
        return
    holders: QuerySet[User] = User.objects.with_username(username)
    if except_for:
        holders = holders.exclude(pk=except_for.pk)
    if holders.exists():
        raise services.taken("username")


def check_email_is_free(email: str, *, except_for: User) -> None:
    if User.objects.with_email(email).exclude(pk=except_for.pk).exists():
        raise services.taken("email")


def count_as_registering(request: Request, view: Any) -> None:
    """Raises Throttled after as many as may be registered: a change of the email tells which ones are taken."""
    view.throttle_scope = "register"
    throttle = ScopedRateThrottle()
    if not throttle.allow_request(request, view):
        view.throttled(request, throttle.wait())


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A teacher",
            {"email": "anna@example.com", "password": "correct-horse-7", "first_name": "Анна", "role": "teacher"},
            request_only=True,
        )
    ]
)
class RegisterSerializer(serializers.ModelSerializer):
    email = NewAddressField()
    password = PasswordField()
    username = UsernameField()
    role = serializers.ChoiceField(choices=[User.Role.STUDENT, User.Role.TEACHER], default=User.Role.STUDENT)

    class Meta:
        model = User
        fields = ("email", "password", "first_name", "last_name", "username", "phone", "city", "role")

    def validate_email(self, value: str) -> str:
        if User.objects.with_email(value).exists():
            raise serializers.ValidationError(_("A user with this email already exists."), code="unique")
        return value

    def to_internal_value(self, data: Any) -> Any:
        """All that is wrong is named at once: the password is judged whatever else is."""
        errors: dict[str, Any] = {}
        try:
            attrs = super().to_internal_value(data)
        except serializers.ValidationError as error:
            attrs, errors = {}, dict(error.detail)  # type: ignore[call-overload]
        if "password" not in errors and isinstance(data, Mapping) and isinstance(data.get("password"), str):
            described = {name: str(data.get(name) or "")[:254] for name in DESCRIBING}
            try:
                check_strength(attrs.get("password", data["password"]), User(**described), attr="password")
            except serializers.ValidationError as error:
                errors |= error.detail
        if "username" not in errors and isinstance(data, Mapping) and isinstance(data.get("username"), str):
            try:
                check_username_is_free(attrs.get("username", data["username"]))
            except serializers.ValidationError as error:
                errors |= error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        return services.register_user(language=get_language() or settings.LANGUAGE_CODE, **validated_data)

    def to_representation(self, instance: User) -> dict[str, Any]:
        return ProfileSerializer(instance, context=self.context).data


class TaughtCourseSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()


class OwnerSerializer(serializers.ModelSerializer):
    """A person as everyone sees them on a card."""

    class Meta:
        model = User
        fields = ("id", "username", "first_name", "avatar", "role", "date_joined")
        read_only_fields = fields


class PublicProfileSerializer(OwnerSerializer):
    """A person as everyone signed in sees them: no email, last name, phone or city."""

    is_moderator = serializers.BooleanField(read_only=True)
    courses = serializers.SerializerMethodField()
    course_count = serializers.IntegerField(read_only=True, help_text="Of all that are published.")

    class Meta(OwnerSerializer.Meta):
        fields = (*OwnerSerializer.Meta.fields, "is_moderator", "courses", "course_count")
        read_only_fields = fields

    @extend_schema_field(TaughtCourseSerializer(many=True))
    def get_courses(self, user: User) -> Any:
        """The newest of the published courses; prefetched by the view."""
        return TaughtCourseSerializer(user.published_courses, many=True).data


class ProfileSerializer(serializers.ModelSerializer):
    """A person as they see themselves, and as staff see them."""

    email = NewAddressField(
        required=False,
        help_text="Another one begins the change of `/api/auth/email/change/`, which needs fresh proof.",
    )
    pending_email = serializers.SerializerMethodField()
    username = UsernameField()
    avatar = ImageField(required=False, allow_null=True)
    is_moderator = serializers.BooleanField(read_only=True)

    class Meta:
        model = User
        fields = (
            "id",
            "email",
            "email_verified_at",
            "pending_email",
            "username",
            "first_name",
            "last_name",
            "phone",
            "city",
            "avatar",
            "role",
            "is_moderator",
            "language",
            "time_zone",
            "is_active",
            "date_joined",
            "last_login",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("email_verified_at", "role", "is_active", "date_joined", "last_login")

    @extend_schema_field({"type": "string", "format": "email", "nullable": True})
    def get_pending_email(self, user: User) -> str | None:
        """What the email becomes when it is verified."""
        return user.pending_email or None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_username_is_free(attrs.get("username"), except_for=self.instance)
        # A client that sends the whole profile back sends the present address, too, and changes nothing by it.
        if attrs.get("email") == self.instance.email:
            del attrs["email"]
        if "email" in attrs:
            request, view = self.context["request"], self.context["view"]
            require_fresh_proof(request)
            count_as_registering(request, view)
            check_email_is_free(attrs["email"], except_for=self.instance)
        return attrs

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        email = validated_data.pop("email", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only what was sent: the person may have been put to sleep since this request has loaded them.
        services.save_person(instance, validated_data)
        if email:
            account.change_email(user=instance, email=email)
        return instance


class AdminProfileSerializer(ProfileSerializer):
    """The same for an admin, who also sets the role and puts accounts to sleep or wakes them."""

    is_active = OptionalBooleanField(required=False)

    class Meta(ProfileSerializer.Meta):
        read_only_fields = ("email_verified_at", "date_joined", "last_login")

    def validate_is_active(self, value: bool) -> bool:
        if value and self.instance.deactivation_reason == services.DELETED:
            raise serializers.ValidationError(_("Whoever left cannot be brought back."), code="deleted")
        return value

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        is_active = validated_data.pop("is_active", instance.is_active)
        user = super().update(instance, validated_data)
        if user.is_active and not is_active:
            user.deactivate("admin")
        elif is_active and not user.is_active:
            user.activate()
        return user


class AddsFields:
    """For a single profile: with what other apps add to it (`common.registry.profile_fields`)."""

    def get_fields(self) -> dict[str, serializers.Field]:
        added = {name: field for part in profile_fields.call_each() for name, field in part.items()}
        return {**super().get_fields(), **added}  # type: ignore[misc] # of REST framework's serializers


class OwnProfileSerializer(AddsFields, ProfileSerializer):
    """A person as they see themselves."""


class AnyonesProfileSerializer(AddsFields, AdminProfileSerializer):
    """A person as an admin sees them."""


class TokenPairSerializer(serializers.Serializer):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
    access_token = serializers.CharField(read_only=True, help_text="The same as `access`, as OAuth 2.0 names it.")
    token_type = serializers.CharField(read_only=True, help_text="`bearer`")


class TokenObtainSerializer(serializers.Serializer):
    email = AddressField(write_only=True, required=False)
    username = AddressField(
        write_only=True, required=False, help_text="The email, for clients of OAuth 2.0 that name it so."
    )
    password = PasswordField()

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        body = getattr(self, "initial_data", None)
        fields["email"].required = isinstance(body, Mapping) and "username" not in body
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        email = attrs.get("email") or attrs["username"]
        user = authenticate(self.context["request"], email=email, password=attrs["password"])
        if user is None:
            raise tokens.nobody()
        return tokens.log_in(user)


class TokenRefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        return tokens.rotate(attrs["refresh"])


class TokenVerifySerializer(serializers.Serializer):
    token = serializers.CharField(write_only=True)


class LogoutSerializer(serializers.Serializer):
    refresh = serializers.CharField(write_only=True, required=False)
