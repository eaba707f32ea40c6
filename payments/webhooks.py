"""Where Stripe tells us what happened."""

import logging

from django.conf import settings
from django.db import DataError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import serializers
from common.background import enqueue
from common.errors import RuleBroken, ServiceUnavailable
from common.schema import problems
from payments import gateway
from payments.services import webhooks

logger = logging.getLogger(__name__)


@extend_schema(
    summary="Stripe webhook",
    request={"application/json": {"type": "object"}},
    responses={
        200: inline_serializer("EventNoted", {"received": serializers.BooleanField()}),
        **problems(
            _400="invalid_signature: Not signed by Stripe; `malformed_event`: no event.",
            _503="webhook_secret_missing: The server cannot check signatures yet.",
        ),
    },
)
class WebhookView(APIView):
    """Takes an event in, under its id, and processes it. Once the row is committed the answer is 200: what fails after
    that is ours to repeat, not Stripe's."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        if not settings.STRIPE_WEBHOOK_SECRETS:
            # Stripe sends the event again for three days, and reconciliation asks about it meanwhile.
            logger.warning("A webhook was refused: STRIPE_WEBHOOK_SECRET is not set")
            raise ServiceUnavailable(
                _("The server has no STRIPE_WEBHOOK_SECRET yet, without which no event can be trusted."),
                "webhook_secret_missing",
            )
        try:
            payload = gateway.read_event(request._request.body, request.headers.get("Stripe-Signature", ""))
            event = webhooks.take_event(payload)
        except gateway.InvalidSignatureError:
            raise RuleBroken("invalid_signature", "The signature is not Stripe's.", status_code=400) from None
        except (gateway.MalformedEventError, DataError, ValueError):
            # The last two: what PostgreSQL cannot hold, such as an endless type or a NUL in a text.
            raise RuleBroken("malformed_event", "This is no event.", status_code=400) from None
        if not webhooks.try_event(event):
            enqueue("payments.tasks.process_webhook_event", str(event.pk))
        return Response({"received": True})
