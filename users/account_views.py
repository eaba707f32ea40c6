"""Passwords, addresses and what is held on a person."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.serializers import Serializer
from users import account, account_serializers
from users.exports import personal_data
from users.proof import REFUSALS


class _ActionView(generics.GenericAPIView):
    """Does what the serializer does when it saves, and has nothing to say."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer: Serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(status=status.HTTP_204_NO_CONTENT)


class _OpenActionView(_ActionView):
    permission_classes = (AllowAny,)
    authentication_classes = ()


@extend_schema(summary="Change my password", responses={204: None, **account_serializers.NO_PASSWORD})
class PasswordChangeView(_ActionView):
    """Ends every token, the one of this request too: log in again."""

    serializer_class = account_serializers.PasswordChangeSerializer


@extend_schema(summary="Ask for a letter to set a new password", responses={204: None})
class PasswordResetView(_OpenActionView):
    """The answer is the same whether anybody has the address or not. The link is good for two hours, and once."""

    serializer_class = account_serializers.PasswordResetSerializer
    throttle_scope = "password_reset"


@extend_schema(summary="Set a new password by letter", responses={204: None})
class PasswordResetConfirmView(_OpenActionView):
    """Takes `uid` and `token` of the link. Ends every token, verifies the address, and wakes an account that slept for
    not visiting us."""

    serializer_class = account_serializers.PasswordResetConfirmSerializer
    throttle_scope = "password_reset"


@extend_schema(summary="Change my email", responses={204: None, **REFUSALS})
class EmailChangeView(_ActionView):
    """Needs fresh proof: `password`, or a sign-in of the last 10 minutes. Takes effect when the letter to the new
    address is confirmed; the present address is told. A new change, and a new password, take it back."""

    serializer_class = account_serializers.EmailChangeSerializer
    # It tells what registering tells, and no oftener.
    throttle_scope = "register"


@extend_schema(summary="Verify an email", responses={204: None})
class EmailVerifyView(_OpenActionView):
    """Takes the `key` of the link, once and for three days."""

    serializer_class = account_serializers.EmailVerifySerializer


@extend_schema(summary="Send the letter to verify my email again", request=None, responses={204: None})
class EmailVerifyResendView(APIView):
    """To the new address, if one is about to take effect. Nothing is sent when there is nothing to verify."""

    throttle_scope = "password_reset"

    def post(self, request: Request) -> Response:
        account.send_verification(request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(APIView):
    """All that the platform holds on the caller, as a file of JSON: a member for each kind of thing."""

    @extend_schema(summary="All that is held on me", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> HttpResponse:
        name = f"lyceum-{timezone.localdate():%Y-%m-%d}.json"
        return HttpResponse(
            personal_data(request.user),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
