"""The books: the bookkeeper's file, and what courses bring in."""

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import invalid
from common.filters import StrictFilterBackend, StrictOrderingFilter
from common.paginators import ListPagination
from payments.filters import BooksFilter, SalesFilter
from payments.models import Payment
from payments.permissions import IsSeller
from payments.serializers import SalesSerializer
from payments.services import books


class ExportView(generics.GenericAPIView):
    """Everything that came in and went out, for the bookkeeper."""

    queryset = Payment.objects.none()
    permission_classes = (IsAuthenticated, IsAdminUser)
    filterset_class = BooksFilter
    pagination_class = None

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        renderer = self.get_renderers()[0]  # for errors: `format` chooses no renderer of DRF's
        return renderer, renderer.media_type

    @extend_schema(
        summary="Payments and refunds as CSV",
        description="By admins. A line for each payment whose money came in, each refund and each lost dispute, the "
        "oldest first; the last two are negative. Times are those of the server's zone.",
        filters=True,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        if request.query_params.get("format", "csv") != "csv":
            raise invalid("format", "invalid_choice", "csv")
        limits = StrictFilterBackend().cleaned(request, self)
        return StreamingHttpResponse(
            books.export(**limits),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="payments.csv"'},
        )


@extend_schema_view(
    get=extend_schema(
        summary="Sales by course and month",
        description="For teachers and whoever owns a course: of their own; admins see all. Net of refunds and lost "
        "disputes, each in the month when it happened. Months are those of the server's zone; currencies are never "
        "added up.",
    )
)
class SalesView(generics.ListAPIView):
    """What courses bring in."""

    queryset = Payment.objects.none()
    serializer_class = SalesSerializer
    permission_classes = (IsAuthenticated, IsSeller)
    filterset_class = SalesFilter
    pagination_class = ListPagination
    ordering_fields = ("month",)
    ordering = ("-month",)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        limits = StrictFilterBackend().cleaned(request, self)
        month = StrictOrderingFilter().get_ordering(request, self.queryset, self)[0]
        lines = books.sales(user=request.user, **limits)
        # Sorting is stable, reversed or not: within a month the titles stay in order.
        lines.sort(key=lambda line: line.month, reverse=month.startswith("-"))
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(lines), many=True).data)
