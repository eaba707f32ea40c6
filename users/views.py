"""Registration, tokens and profiles."""

import copy
from typing import Any

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import invalid
from common.ids import UUID_PATTERN
from common.registry import counters, dashboards
from common.schema import problems
from common.serializers import IntegerField, Serializer
from users import account, services, tokens
from users.models import User
from users.permissions import IsSelfOrAdmin
from users.proof import REFUSALS, require_fresh_proof
from users.serializers import (
    AnyonesProfileSerializer,
    LogoutSerializer,
    OwnProfileSerializer,
    ProfileSerializer,
    PublicProfileSerializer,
    RegisterSerializer,
    TokenObtainSerializer,
    TokenPairSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)

COURSES_OF_A_PROFILE = 20
ANY_PROFILE = PolymorphicProxySerializer(
    component_name="AnyProfile",
    serializers=[OwnProfileSerializer, ProfileSerializer, PublicProfileSerializer],
    resource_type_field_name=None,
)


@extend_schema(summary="Register", request=RegisterSerializer, responses={201: ProfileSerializer})
class RegisterView(generics.CreateAPIView):
    """A student or a teacher joins. A weak password or a taken email, in any case of letters, is a 400."""

    queryset = User.objects.all()
    serializer_class = RegisterSerializer
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_scope = "register"


class _TokenView(generics.GenericAPIView):
    """Reads credentials of some kind and answers with what the serializer makes of them."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    www_authenticate_realm = "api"

    def get_authenticate_header(self, request: Request) -> str:
        return f'Bearer realm="{self.www_authenticate_realm}"'

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


@extend_schema(
    summary="Log in",
    responses={200: TokenPairSerializer, **problems(_401="no_active_account: Wrong email or password, or no account.")},
)
class TokenObtainView(_TokenView):
    """Email and password for a pair of tokens. The answer for an unknown email is that for a wrong password."""

    serializer_class = TokenObtainSerializer
    throttle_scope = "login"


@extend_schema(
    summary="Refresh the tokens",
    responses={200: TokenPairSerializer, **problems(_401="token_not_valid: Expired, dead, or used before.")},
)
class TokenRefreshView(_TokenView):
    """A refresh token for a new pair, once. Using a token again ends every token that descends from its login."""

    serializer_class = TokenRefreshSerializer


@extend_schema(
    summary="Verify a token",
    responses={
        200: OpenApiResponse({"type": "object", "properties": {}}, description="It is alive."),
        **problems(_401="token_not_valid: It is not."),
    },
)
class TokenVerifyView(_TokenView):
    serializer_class = TokenVerifySerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tokens.verify(serializer.validated_data["token"])
        return Response({})


@extend_schema(summary="Log out", request=LogoutSerializer, responses={204: None})
class LogoutView(APIView):
    """Ends the sign-in that one of my refresh tokens belongs to; without one, that of the access token."""

    def post(self, request: Request) -> Response:
        serializer = LogoutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if "refresh" not in serializer.validated_data:
            tokens.end_sign_in(request.auth)
        elif not tokens.revoke(serializer.validated_data["refresh"], user=request.user):
            raise invalid("refresh", "token_not_valid", _("This is not one of your refresh tokens."))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(summary="Log out everywhere", request=None, responses={204: None})
class LogoutAllView(APIView):
    """Ends all my sign-ins, those of the admin pages too; access tokens die at once. A letter tells of linked
    accounts at other providers, which go on opening mine."""

    def post(self, request: Request) -> Response:
        account.log_out_everywhere(request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    create=extend_schema(summary="Register", request=RegisterSerializer, responses={201: ProfileSerializer}),
    list=extend_schema(
        summary="List people",
        responses=PolymorphicProxySerializer(
            component_name="AnyListedProfile",
            serializers=[ProfileSerializer, PublicProfileSerializer],
            resource_type_field_name=None,
            many=True,
        ),
    ),
    retrieve=extend_schema(summary="Open a profile", responses=ANY_PROFILE),
    update=extend_schema(summary="Change a profile", request=ProfileSerializer, responses=OwnProfileSerializer),
    partial_update=extend_schema(
        summary="Change parts of a profile", request=ProfileSerializer, responses=OwnProfileSerializer
    ),
    destroy=extend_schema(
        summary="Delete an account",
        description="Anonymises it; the books stay. One's own needs fresh proof: `password` in the body, or a sign-in "
        "of the last 10 minutes.",
        responses={204: None, **REFUSALS},
    ),
)
class UserViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """People: everyone's public profiles; one's own, and for staff everyone's, in full."""

    queryset = User.objects.all()
    serializer_class = ProfileSerializer
    permission_classes = (IsAuthenticated, IsSelfOrAdmin)
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("date_joined",)
    ordering = ("-date_joined",)

    @property
    def search_fields(self) -> tuple[str, ...]:
        """Only what the caller sees: a search is an answer, too."""
        user = self.request.user
        reads_all = user.is_authenticated and (user.is_staff or user.is_moderator)
        return ("first_name", "username", "last_name", "email") if reads_all else ("first_name", "username")

    def get_permissions(self) -> list[Any]:
        if self.action == "create":
            return [AllowAny()]
        return [IsAuthenticated()] if self.action in {"list", "retrieve"} else super().get_permissions()

    def get_authenticators(self) -> list[Any]:
        # Whoever registers is counted by address, as at `/api/auth/register/`, whatever token comes along.
        is_registering = self.request is not None and self.request.method == "POST"
        return [] if is_registering else super().get_authenticators()

    def get_throttles(self) -> list[Any]:
        self.throttle_scope = "register" if self.action == "create" else None
        return super().get_throttles()

    def get_queryset(self) -> QuerySet[User]:
        user = self.request.user
        people = User.objects.listed_for(user) if self.action == "list" else User.objects.visible_to(user)
        # The model is reached over the relation: people come before courses, and import nothing of theirs.
        published = User.courses.rel.related_model.objects.filter(status="published")
        newest = published.only("id", "title", "owner").order_by("-created_at", "-id")[:COURSES_OF_A_PROFILE]
        how_many = published.filter(owner=OuterRef("pk")).order_by().values("owner").annotate(n=Count("pk")).values("n")
        return (
            people.for_request()
            .annotate(course_count=Coalesce(Subquery(how_many), 0))
            .prefetch_related(Prefetch("courses", newest, to_attr="published_courses"))
        )

    def get_serializer_class(self) -> type[Serializer]:
        user = self.request.user
        if self.action == "create":
            return RegisterSerializer
        if not user.is_authenticated:
            return ProfileSerializer  # only the schema comes here without a person
        if self.action == "list":
            return ProfileSerializer if user.is_staff or user.is_moderator else PublicProfileSerializer
        if user.is_staff:
            return AnyonesProfileSerializer
        if self._is_own():
            return OwnProfileSerializer
        return ProfileSerializer if user.is_moderator else PublicProfileSerializer

    def _is_own(self) -> bool:
        return str(self.request.user.pk) == str(self.kwargs.get("pk", "")).lower()

    def check_object_permissions(self, request: Request, obj: User) -> None:
        super().check_object_permissions(request, obj)
        if self.action not in {"list", "retrieve"} and obj.is_superuser and not request.user.is_superuser:
            raise PermissionDenied(_("Only a superuser changes a superuser."))

    def perform_destroy(self, instance: User) -> None:
        if instance == self.request.user:
            require_fresh_proof(self.request)
        services.anonymise_user(instance)


@extend_schema_view(
    get=extend_schema(summary="My profile"),
    put=extend_schema(summary="Change my profile", request=ProfileSerializer),
    patch=extend_schema(summary="Change parts of my profile", request=ProfileSerializer),
    delete=extend_schema(
        summary="Delete my account",
        description="Anonymises it; the books stay. Needs fresh proof: `password` in the body, or a sign-in of the "
        "last 10 minutes.",
        responses={204: None, **REFUSALS},
    ),
)
class MeView(generics.RetrieveUpdateDestroyAPIView):
    """The caller's own profile."""

    queryset = User.objects.all()
    serializer_class = OwnProfileSerializer

    def get_object(self) -> User:
        return self.request.user

    def perform_destroy(self, instance: User) -> None:
        require_fresh_proof(self.request)
        services.anonymise_user(instance)


class DashboardView(generics.GenericAPIView):
    """What the caller is in the middle of. Each app adds its members."""

    @extend_schema(summary="My dashboard")
    def get(self, request: Request) -> Response:
        data = {name: value for part in dashboards.call_each(request) for name, value in part.data.items()}
        counts = User.objects.filter(pk=request.user.pk).values(**_counters(request.user)).get()
        return Response(data | counts)

    def get_serializer_class(self) -> type[Serializer]:
        """For the schema: the members of every part."""
        fields = {name: field for part in dashboards.call_each(None) for name, field in part.fields.items()}
        counts = {name: IntegerField() for name in _counters(User())}
        members = {name: copy.deepcopy(field) for name, field in fields.items()}
        return type("DashboardSerializer", (Serializer,), members | counts)


def _counters(user: User) -> dict[str, Any]:
    return {name: expression for part in counters.call_each(user) for name, expression in part.items()}
