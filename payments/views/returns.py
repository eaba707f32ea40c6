"""The pages that Stripe sends the browser to."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import frontend
from common.errors import invalid
from common.money import format_money
from common.renderers import JSONRenderer
from common.schema import pages, problems
from payments import gateway
from payments.models import Payment
from payments.serializers import CanceledCheckoutSerializer, PaymentStatusSerializer
from payments.services import settling
from payments.services.telling import page_of
from payments.throttles import AllUnknownSessionsThrottle, UnknownSessionThrottle

# So long after its payment was opened a session can be paid, and news of it can be missing.
NOTED_WITHIN = timedelta(days=1)
# What the page that buyers return to says of each status; of the others, that the payment is closed.
PAGE_STATES = {
    Payment.Status.PENDING: "pending",
    Payment.Status.SUCCEEDED: "paid",
    Payment.Status.PARTIALLY_REFUNDED: "paid",
    Payment.Status.REFUNDED: "returned",
    Payment.Status.DISPUTED: "returned",
}


CANCELED = PolymorphicProxySerializer(
    component_name="PaymentOrCanceledCheckout",
    serializers=[PaymentStatusSerializer, CanceledCheckoutSerializer],
    resource_type_field_name=None,
)


def described(summary: str, body: Any, *, needs_session: bool) -> Any:
    return extend_schema(
        summary=summary,
        parameters=[
            OpenApiParameter(
                "session_id", OpenApiTypes.STR, required=needs_session, description="The checkout session's id."
            )
        ],
        responses={
            (200, "application/json"): body,
            **problems(
                _400="validation_error: There is no session_id.",
                _404="not_found: There is no such session.",
                _503="payment_provider_unavailable: Stripe does not answer.",
            ),
            **pages(200, 400, 404, 503),
        },
    )


@described("Return from Stripe", PaymentStatusSerializer, needs_session=True)
@method_decorator(never_cache, name="dispatch")
class ReturnView(APIView):
    """Where Stripe sends the browser. Reads the session from Stripe, whatever the address says; its id is the secret,
    so nobody has to be signed in, and nothing personal is shown."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request) -> HttpResponse:
        if request.accepted_renderer.format == "html":
            return self._page(request)
        return Response(PaymentStatusSerializer(self._payment(request)).data)

    def _page(self, request: Request) -> HttpResponse:
        payment = None
        code = status.HTTP_200_OK
        try:
            payment = self._payment(request)
            state = "returned" if payment.returned_because else PAGE_STATES.get(payment.status, "closed")
        except gateway.StripeUnavailable as error:
            code, state = error.status_code, "away"
        except (NotFound, ValidationError) as error:
            code, state = error.status_code, "missing"
        amount = format_money(payment.amount, payment.currency) if payment else ""
        way_back = page_of(payment) if payment else frontend.home()
        context = {"payment": payment, "amount": amount, "state": state, "way_back": way_back}
        response = render(request._request, "payments/return.html", context, status=code)
        if state == "away":
            response.headers["Retry-After"] = str(gateway.StripeUnavailable.wait)
        return response

    def _payment(self, request: Request) -> Payment:
        session_id = request.query_params.get("session_id", "")
        if not session_id:
            raise invalid("session_id", "required", _("The session's id is missing."))
        payment = settling.settle_session(session_id) if self._may_ask_about(session_id) else None
        if payment is None:
            raise NotFound
        return payment

    def _may_ask_about(self, session_id: str) -> bool:
        """Anybody may send any id: of those that are not noted Stripe is asked a few times a minute, and only while a
        payment lacks its session's id, as it does if we died before noting it."""
        if not gateway.SESSION_ID.fullmatch(session_id):
            return False
        if Payment.objects.filter(stripe_session_id=session_id).exists():
            return True
        if not Payment.objects.without_session(NOTED_WITHIN).exists():
            return False
        throttles = (UnknownSessionThrottle(), AllUnknownSessionsThrottle())
        return all(throttle.allow_request(self.request, self) for throttle in throttles)


@described("Return from Stripe without having paid", CANCELED, needs_session=False)
class CancelView(ReturnView):
    """The same, where the buyer turned back. Without a session, nothing is known but that."""

    def get(self, request: Request) -> HttpResponse:
        if request.query_params.get("session_id"):
            return super().get(request)
        if request.accepted_renderer.format == "html":
            context = {"state": "left", "way_back": frontend.catalogue()}
            return render(request._request, "payments/return.html", context)
        return Response(
            CanceledCheckoutSerializer({"status": Payment.Status.CANCELED, "payment_status": "unpaid"}).data
        )
