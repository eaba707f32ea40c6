"""Coupons: what they cost whom, and the admins' list of them."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.ids import UUID_PATTERN
from common.schema import problems
from common.serializers import Serializer
from common.writing import LockedWrites
from materials.models import Course
from payments.filters import CouponFilter
from payments.models import Coupon
from payments.serializers import CouponSerializer, PaymentCreateSerializer, QuoteSerializer
from payments.services import buying, coupons
from users.permissions import IsAdmin

COUPON_CODES = (
    "on `coupon`, in `errors`: `unknown_coupon`, `coupon_not_valid_now`, `coupon_not_for_this`, "
    "`coupon_other_currency`, `coupon_used_by_you`, `coupon_on_hold` (two unpaid orders have it), `coupon_used_up`, or "
    "`below_minimum`, if less would remain than can be charged"
)


class SlowsDownGuessing:
    """Requests that carry a coupon are throttled for themselves: a code is worth money."""

    request: Request
    throttle_scope: str | None
    is_unreadable = False

    def get_throttles(self) -> list[Any]:
        try:
            body = self.request.data if self.request.method == "POST" else None
        except APIException:
            if self.is_unreadable:
                body = None  # it is this that is being answered
            else:
                self.is_unreadable = True
                raise
        self.throttle_scope = "coupon" if isinstance(body, Mapping) and body.get("coupon") else None
        return super().get_throttles()  # type: ignore[misc]


class PreviewView(SlowsDownGuessing, APIView):
    """What a payment would ask for."""

    @extend_schema(
        summary="See what a payment would ask for",
        description="Takes the body of `POST /api/payments/`, answers what that would charge, refuses what that would "
        "refuse, and leaves nothing behind.",
        request=PaymentCreateSerializer,
        responses={
            200: QuoteSerializer,
            **problems(
                _400=f"free: There is nothing to pay; {COUPON_CODES}; or a field is not valid.",
                _409="already_owned: It is open to the caller; `own_course`: it is their own; `not_published`: it is "
                "not for sale; `payment_disputed`: the buyer's bank disputes an earlier payment.",
            ),
        },
    )
    def post(self, request: Request) -> Response:
        serializer = PaymentCreateSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        quote = buying.preview_payment(user=request.user, **serializer.validated_data)
        return Response(QuoteSerializer(quote).data)


@extend_schema_view(
    list=extend_schema(summary="Coupons"),
    create=extend_schema(summary="Issue a coupon"),
    retrieve=extend_schema(summary="Open a coupon"),
    update=extend_schema(
        summary="Change a coupon", description="Payments that were opened with it keep what they ask for."
    ),
    partial_update=extend_schema(summary="Change parts of a coupon"),
    destroy=extend_schema(
        summary="Delete a coupon",
        responses={204: None, **problems(_409="in_use: Payments were opened with it; let it end instead.")},
    ),
)
class CouponViewSet(LockedWrites, viewsets.ModelViewSet):
    """Coupons, for admins."""

    queryset = Coupon.objects.all()
    serializer_class = CouponSerializer
    permission_classes = (IsAuthenticated, IsAdmin)
    filterset_class = CouponFilter
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("created_at", "code")
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Coupon]:
        courses = Prefetch("courses", Course.objects.only("pk").order_by("pk"))
        return coupons.with_uses(Coupon.objects.prefetch_related(courses))

    @transaction.atomic
    def perform_create(self, serializer: Serializer) -> None:
        serializer.save()

    def get_serializer_context(self) -> dict[str, Any]:
        """A coupon begins and ends for everybody at once: a bare date is a day of the server's zone."""
        return {**super().get_serializer_context(), "time_zone": settings.TIME_ZONE}
