"""Buying, histories, and what an admin does about a payment."""

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.ids import UUID_PATTERN
from common.pdf import pdf_response
from common.schema import problems
from materials.serializers import CourseIdSerializer
from materials.views import NO_COURSE, named_course
from payments import idempotency
from payments.filters import PaymentFilter
from payments.idempotency import idempotent
from payments.models import Payment
from payments.permissions import IsAdminWhereMoneyMoves, IsBuyerWhoAsks
from payments.serializers import (
    CheckoutSessionSerializer,
    ConfirmationSerializer,
    PaymentCreateSerializer,
    PaymentDetailSerializer,
    PaymentOpenedSerializer,
    PaymentSerializer,
    PaymentStatusSerializer,
    RefundCreateSerializer,
    RefundRequestSerializer,
)
from payments.services import books, buying, refunds, settling
from payments.views.coupons import COUPON_CODES, SlowsDownGuessing
from users.models import User

BUYING_PROBLEMS = problems(
    _422=idempotency.PROBLEMS["_422"],
    _400="free: There is nothing to pay; `payment_refused`: Stripe will not charge this; or a field is not valid.",
    _409="already_owned: It is open to the caller; `own_course`: it is their own; `not_published`: it is not for sale; "
    "`payment_processing`: the money is on its way; `payment_disputed`: the buyer's bank disputes an earlier one; "
    "`conflict`: another request came first; `idempotency_key_in_use`: the same one is being answered.",
    _503="payment_provider_unavailable: Stripe does not answer; `Retry-After` says when to ask again.",
)
ORDERING_FIELDS = ("payment_date", "amount")


@extend_schema_view(
    list=extend_schema(summary="Payments", description="One's own; moderators and admins see all."),
    retrieve=extend_schema(summary="Open a payment", responses=PaymentDetailSerializer),
    create=extend_schema(
        summary="Buy a course or a lesson",
        description="Answers with the page to pay at. While a payment for the same item is open, that one is given "
        "back with 200. Another method or another coupon closes it and opens a new one. If a coupon leaves nothing to "
        "pay, the payment has succeeded at once.",
        request=PaymentCreateSerializer,
        parameters=[idempotency.PARAMETER],
        responses={
            200: PaymentOpenedSerializer,
            201: PaymentOpenedSerializer,
            **BUYING_PROBLEMS,
            **problems(
                _400=f"free: There is nothing to pay; `payment_refused`: Stripe will not charge this; {COUPON_CODES}; "
                "or a field is not valid."
            ),
        },
    ),
)
class PaymentViewSet(SlowsDownGuessing, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Payments: the history, and opening new ones."""

    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    permission_classes = (IsAuthenticated, IsAdminWhereMoneyMoves, IsBuyerWhoAsks)
    filterset_class = PaymentFilter
    search_fields = ("title", "receipt_number")
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ORDERING_FIELDS
    ordering = ("-payment_date",)

    def get_queryset(self) -> QuerySet[Payment]:
        payments = Payment.objects.visible_to(self.request.user).for_listing()
        return payments.select_related("user") if self.action == "receipt" else payments

    def get_serializer_class(self) -> type[PaymentSerializer]:
        return PaymentDetailSerializer if self.action == "retrieve" else PaymentSerializer

    @idempotent
    def create(self, request: Request) -> Response:
        serializer = PaymentCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        payment, is_new = buying.open_payment(user=request.user, **serializer.validated_data)
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
        payment = settling.refresh(self.get_object())
        return Response(PaymentStatusSerializer(payment).data)

    @extend_schema(
        summary="Confirm cash or a transfer",
        description="By admins. The money has arrived: `reference` says by what.",
        parameters=[idempotency.PARAMETER],
        request=ConfirmationSerializer,
        responses={
            200: PaymentDetailSerializer,
            **problems(
                _409="not_pending: It does not await money; `paid_by_card`: Stripe confirms it; `already_owned`: "
                "it is open to the buyer; `nothing_to_pay_for`: its reason has ended; `idempotency_key_in_use`: the "
                "same request is being answered.",
                _422=idempotency.PROBLEMS["_422"],
            ),
        },
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def confirm(self, request: Request, pk: str) -> Response:
        payment = self.get_object()
        serializer = ConfirmationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        payment = buying.confirm_payment(payment=payment, admin=request.user, **serializer.validated_data)
        return Response(PaymentDetailSerializer(payment).data)

    @extend_schema(
        summary="Refund a payment",
        description="By admins. `amount` or, without it, all that is left. `reason`: `duplicate`, `fraudulent`, "
        "`requested_by_customer`, or other words. A full refund closes access unless something else opens it.",
        parameters=[idempotency.PARAMETER],
        request=RefundCreateSerializer,
        responses={
            200: PaymentDetailSerializer,
            **problems(
                _400="validation_error: A field is not valid, such as an amount over what is left.",
                _409="not_refundable: There is nothing to give back; `refund_refused`: Stripe will not; "
                "`refund_in_progress`: another one is on its way; `idempotency_key_in_use`: the same request is being "
                "answered.",
                _422=idempotency.PROBLEMS["_422"],
                _503="payment_provider_unavailable: Stripe does not answer; the same call goes on with this refund.",
            ),
        },
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def refund(self, request: Request, pk: str) -> Response:
        payment = self.get_object()
        serializer = RefundCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        payment = refunds.refund_payment(
            payment=payment,
            admin=request.user,
            refund_id=getattr(request, "idempotent_id", None),
            **serializer.validated_data,
        )
        return Response(PaymentDetailSerializer(payment).data)

    @extend_schema(
        summary="Ask for a refund",
        description="Of one's own payment, within `REFUND_WINDOW_DAYS` of it. An admin decides.",
        request=RefundRequestSerializer,
        responses={
            201: RefundRequestSerializer,
            **problems(
                _409="refund_window_closed: It is too late; `already_requested`: one is open; `not_refundable`: there "
                "is nothing to give back.",
            ),
        },
    )
    @action(detail=True, methods=["post"], url_path="refund-request")
    def refund_request(self, request: Request, pk: str) -> Response:
        payment = self.get_object()
        serializer = RefundRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = refunds.request_refund(payment=payment, reason=serializer.validated_data["reason"])
        return Response(RefundRequestSerializer(asked).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="The receipt of a payment, as PDF",
        description="In the buyer's language. Its number is of a series without gaps.",
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            **problems(_409="no_receipt: Nothing has been paid."),
        },
    )
    @action(detail=True)
    def receipt(self, request: Request, pk: str) -> HttpResponse:
        return pdf_response(*books.receipt(self.get_object()))

    @extend_schema(
        summary="The credit note of a refund, as PDF",
        description="In the buyer's language. Its number is of a series without gaps.",
        parameters=[OpenApiParameter("refund_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            **problems(_409="no_credit_note: The refund does not count, or not yet."),
        },
    )
    @action(detail=True, url_path=rf"refunds/(?P<refund_id>{UUID_PATTERN})/credit-note")
    def credit_note(self, request: Request, pk: str, refund_id: str) -> HttpResponse:
        refunds_of_it = self.get_object().refunds.select_related("payment__user", "payment__coupon")
        return pdf_response(*books.credit_note(get_object_or_404(refunds_of_it, pk=refund_id)))


class CheckoutSessionView(APIView):
    """Buying a course by card, for clients that hand the session to Stripe's own library."""

    @extend_schema(
        summary="Create a checkout session",
        parameters=[idempotency.PARAMETER],
        request=CourseIdSerializer,
        responses={200: CheckoutSessionSerializer, **NO_COURSE, **BUYING_PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        payment, _opened = buying.open_payment(
            user=request.user, item=named_course(request), method=Payment.Method.CARD
        )
        return Response(CheckoutSessionSerializer(payment).data)


@extend_schema_view(get=extend_schema(summary="My payments"))
class MyPaymentsView(generics.ListAPIView):
    """The caller's own payments, even for those who may see everybody's."""

    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    search_fields = ("title", "receipt_number")
    ordering_fields = ORDERING_FIELDS
    ordering = ("-payment_date",)

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.of(self.request.user).for_listing()


@extend_schema_view(get=extend_schema(summary="Payments of a person", operation_id="user_payments_list"))
class UserPaymentsView(MyPaymentsView):
    """The payments of one person: for themselves and for admins."""

    def get_queryset(self) -> QuerySet[Payment]:
        person = get_object_or_404(User.objects.visible_to(self.request.user), pk=self.kwargs["pk"])
        if person != self.request.user and not self.request.user.is_staff:
            raise PermissionDenied
        return Payment.objects.of(person).for_listing()
