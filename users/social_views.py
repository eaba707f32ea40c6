"""Signing in by Google, VK ID and Yandex, and linking accounts there."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import frontend
from common.addresses import client_address
from common.ids import UUID_PATTERN
from common.renderers import JSONRenderer
from common.schema import pages, problems
from common.serializers import ChoiceField, ListSerializer
from users import keys, providers, social
from users.models import SocialAccount, User
from users.proof import FRESH_PROOF, REFUSALS, require_fresh_proof
from users.providers import Profile
from users.serializers import TokenPairSerializer
from users.social_serializers import (
    SignInsByLetterSerializer,
    SocialAccountSerializer,
    SocialBeginningSerializer,
    SocialCallbackSerializer,
    SocialLinkSerializer,
    UnlinkByLetterSerializer,
)

PROVIDER = OpenApiParameter(
    "provider", str, OpenApiParameter.PATH, enum=SocialAccount.Provider.values, description="One that is configured."
)
REFUSED = (
    "invalid_state: the state is wrong, too old, was used, or belongs to somebody else; `invalid_code`: the provider "
    "refuses the code; `validation_error`"
)
NO_LINK = problems(_404="not_found: The link is too old, or belongs to no letter.")
AWAY = "provider_unavailable: the provider does not answer; begin again after `Retry-After` seconds"


class SocialProvidersView(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(
        summary="Providers to sign in by",
        responses=ListSerializer(child=ChoiceField(choices=SocialAccount.Provider.choices)),
    )
    def get(self, request: Request) -> Response:
        """Those that are configured here."""
        return Response(providers.configured())


class _ProviderView(generics.GenericAPIView):
    """Of one provider: 404 unless it is configured."""

    serializer_class = SocialCallbackSerializer
    throttle_scope = "login"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.kwargs["provider"] not in providers.configured():
            raise NotFound

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "provider": self.kwargs.get("provider")}

    def completed(self, user: User | None) -> Profile:
        """Whom the provider has signed in, by what the body says."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        back = {name: serializer.validated_data[name] for name in ("code", "state", "device_id")}
        return providers.complete(self.kwargs["provider"], user=user, **back)


class SocialSignInView(_ProviderView):
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Begin to sign in by a provider, or to link it",
        parameters=[PROVIDER],
        responses={200: SocialBeginningSerializer, **problems(_503="service_unavailable: the cache is away")},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Where to lead the browser. The state works once, for ten minutes: without an access token, to sign in; with
        one, to link the provider's account to the caller's, and for nobody else."""
        user = request.user if request.user.is_authenticated else None
        url, state = providers.begin(self.kwargs["provider"], user=user)
        # A state is for one browser: no cache may hand it to another.
        return Response({"authorization_url": url, "state": state}, headers={"Cache-Control": "private, no-store"})

    @extend_schema(
        summary="Sign in by a provider",
        parameters=[PROVIDER],
        responses={
            200: TokenPairSerializer,
            **problems(_401="no_active_account: The account is not active."),
            **problems(
                _409="sign_in_first: somebody has the email, and it is not verified on both sides; they sign in as "
                "before and link the provider's account",
                _400=f"{REFUSED}; `email_missing`: the provider told no email of a new person",
                _503=AWAY,
            ),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What the provider sent the browser back with, for a pair of tokens. Whoever comes for the first time gets an
        account; one with the same email is joined if both sides have verified it."""
        profile = self.completed(None)
        language = get_language() or settings.LANGUAGE_CODE
        return Response(social.sign_in(profile=profile, address=client_address(request), language=language))


class SocialLinkView(_ProviderView):
    serializer_class = SocialLinkSerializer
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        summary="Link a provider's account",
        parameters=[PROVIDER],
        responses={
            201: SocialAccountSerializer,
            200: OpenApiResponse(SocialAccountSerializer, description="It was linked before."),
            **problems(
                _400=REFUSED,
                _403=FRESH_PROOF,
                _409="linked_elsewhere: it opens somebody else's account here; `no_password`",
                _503=AWAY,
            ),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes the state of a flow that the caller has begun with their access token. Needs fresh proof: `password`,
        or a sign-in of the last 10 minutes."""
        account, is_new = social.link(user=request.user, profile=self.completed(request.user))
        body = SocialAccountSerializer(account).data
        return Response(body, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


@extend_schema(tags=["auth"])
class SocialAccountViewSet(mixins.ListModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet):
    """The caller's accounts at other providers."""

    queryset = SocialAccount.objects.all()
    serializer_class = SocialAccountSerializer
    lookup_value_regex = UUID_PATTERN
    ordering = ("created_at",)

    def get_queryset(self) -> Any:
        return SocialAccount.objects.filter(user_id=self.request.user.pk)

    @extend_schema(summary="My accounts at other providers")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(
        summary="Unlink an account",
        description="Needs fresh proof: `password` in the body, or a sign-in of the last 10 minutes.",
        responses={
            204: None,
            **REFUSALS,
            **problems(_409="last_way_in: there is no password and no other account to sign in by; `no_password`"),
        },
    )
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    def perform_destroy(self, instance: SocialAccount) -> None:
        require_fresh_proof(self.request)
        social.unlink(account=instance)


@extend_schema_view(
    get=extend_schema(
        summary="What a letter about sign-ins shows",
        description="A page with buttons for browsers, JSON for programs. Changes nothing.",
        responses={(200, "application/json"): SignInsByLetterSerializer, **NO_LINK, **pages(200, 404)},
    ),
    post=extend_schema(
        summary="Unlink by letter",
        description="One account, or all if none is named. Signs out everywhere, if it was linked. May be repeated.",
        request=UnlinkByLetterSerializer,
        responses={(200, "application/json"): SignInsByLetterSerializer, **NO_LINK, **pages(200, 404)},
    ),
)
class SignInsByLetterView(APIView):
    """Where a letter about a new password, a new sign-in or signing out leads: whoever reads the letters of an account
    unlinks what opens it, signed in or not. The link works for 30 days, while the email stays the same.

    Scanners of mail follow its links, so a GET asks and only a POST changes anything.
    """

    permission_classes = (AllowAny,)
    authentication_classes = ()
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request, key: str) -> HttpResponse:
        return self._answer(request, keys.whose_sign_ins(key), done=False)

    def post(self, request: Request, key: str) -> HttpResponse:
        user = keys.whose_sign_ins(key)
        if user is not None:
            serializer = UnlinkByLetterSerializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            social.unlink_by_letter(user=user, account_id=serializer.validated_data.get("account"))
        return self._answer(request, user, done=True)

    def _answer(self, request: Request, user: User | None, *, done: bool) -> HttpResponse:
        accounts = list(user.social_accounts.order_by("created_at")) if user else []
        if request.accepted_renderer.format == "html":
            context = {"person": user, "accounts": accounts, "done": done, "frontend_url": frontend.home()}
            code = status.HTTP_200_OK if user else status.HTTP_404_NOT_FOUND
            return render(request._request, "users/sign_ins.html", context, status=code)
        if user is None:
            raise NotFound
        return Response(SignInsByLetterSerializer({"accounts": accounts}).data)
