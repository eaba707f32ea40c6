"""Buying, histories, and the pages that Stripe sends the browser to."""

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import invalid
from common.ids import UUID_PATTERN
from common.renderers import JSONRenderer
from common.schema import problems
from materials.serializers import CourseIdSerializer
from materials.views import named_course
from payments import gateway, services
from payments.filters import PaymentFilter
from payments.models import Payment
from payments.serializers import (
    CheckoutSessionSerializer,
    PaymentCreateSerializer,
    PaymentOpenedSerializer,
    PaymentSerializer,
    PaymentStatusSerializer,
)
from users.models import User

BUYING_PROBLEMS = problems(
    _400="free: There is nothing to pay; `payment_refused`: Stripe will not charge this; or a field is not valid.",
    _409="already_owned: It is open to the caller; `own_course`: it is their own; `not_published`: it is not for sale; "
    "`payment_processing`: the money is on its way; `conflict`: another request came first.",
    _503="payment_provider_unavailable: Stripe does not answer; `Retry-After` says when to ask again.",
)
ORDERING_FIELDS = ("payment_date", "amount")
# What the page that buyers return to says of each status; of the others, that the payment is closed.
PAGE_STATES = {
    Payment.Status.PENDING: "pending",
    Payment.Status.SUCCEEDED: "paid",
    Payment.Status.PARTIALLY_REFUNDED: "paid",
    Payment.Status.REFUNDED: "returned",
    Payment.Status.DISPUTED: "returned",
}


@extend_schema_view(
    list=extend_schema(summary="Payments", description="One's own; moderators and admins see all."),
    retrieve=extend_schema(summary="Open a payment"),
    create=extend_schema(
        summary="Buy a course or a lesson",
        description="Answers with the page to pay at. While a payment for the same item is open, that one is given "
        "back with 200.",
        request=PaymentCreateSerializer,
        responses={200: PaymentOpenedSerializer, 201: PaymentOpenedSerializer, **BUYING_PROBLEMS},
    ),
)
class PaymentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Payments: the history, and opening new ones."""

    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ORDERING_FIELDS
    ordering = ("-payment_date",)

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.visible_to(self.request.user)

    def create(self, request: Request) -> Response:
        serializer = PaymentCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        payment, is_new = services.open_payment(
            user=request.user,
            item=serializer.validated_data["item"],
            method=serializer.validated_data["payment_method"],
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(PaymentOpenedSerializer(payment).data, status=code)

    @extend_schema(
        summary="Ask Stripe how a payment stands",
        responses={
            200: PaymentStatusSerializer,
            **problems(_503="payment_provider_unavailable: Stripe does not answer."),
        },
    )
    @action(detail=True, url_path="status")
    def current_status(self, request: Request, pk: str) -> Response:
        payment = self.get_object()
        if payment.is_unpaid:
            payment = services.refresh(payment)
        return Response(PaymentStatusSerializer(payment).data)


class CheckoutSessionView(APIView):
    """Buying a course by card, for clients that hand the session to Stripe's own library."""

    @extend_schema(
        summary="Create a checkout session",
        request=CourseIdSerializer,
        responses={200: CheckoutSessionSerializer, **BUYING_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        payment, _opened = services.open_payment(
            user=request.user, item=named_course(request), method=Payment.Method.CARD
        )
        return Response(CheckoutSessionSerializer(payment).data)


@extend_schema_view(get=extend_schema(summary="My payments"))
class MyPaymentsView(generics.ListAPIView):
    """The caller's own payments, even for those who may see everybody's."""

    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    ordering_fields = ORDERING_FIELDS
    ordering = ("-payment_date",)

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.filter(user=self.request.user)


@extend_schema_view(get=extend_schema(summary="Payments of a person", operation_id="user_payments_list"))
class UserPaymentsView(MyPaymentsView):
    """The payments of one person: for themselves and for admins."""

    def get_queryset(self) -> QuerySet[Payment]:
        person = get_object_or_404(User.objects.visible_to(self.request.user), pk=self.kwargs["pk"])
        if person != self.request.user and not self.request.user.is_staff:
            raise PermissionDenied
        return Payment.objects.filter(user=person)


@extend_schema(
    parameters=[
        OpenApiParameter("session_id", OpenApiTypes.STR, required=True, description="The checkout session's id.")
    ],
    responses={
        (200, "application/json"): PaymentStatusSerializer,
        (200, "text/html"): OpenApiTypes.STR,
        **problems(
            _400="validation_error: There is no session_id.",
            _404="not_found: There is no such session.",
            _503="payment_provider_unavailable: Stripe does not answer.",
        ),
    },
)
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
            state = PAGE_STATES.get(payment.status, "closed")
        except gateway.StripeUnavailable as error:
            code, state = error.status_code, "away"
        except (NotFound, ValidationError) as error:
            code, state = error.status_code, "missing"
        context = {"payment": payment, "state": state, "frontend_url": settings.FRONTEND_URL}
        response = render(request._request, "payments/return.html", context, status=code)
        if state == "away":
            response.headers["Retry-After"] = str(gateway.StripeUnavailable.wait)
        return response

    def _payment(self, request: Request) -> Payment:
        session_id = request.query_params.get("session_id", "")
        if not session_id:
            raise invalid("session_id", "required", _("The session's id is missing."))
        payment = services.settle_session(session_id)
        if payment is None:
            raise NotFound
        return payment
