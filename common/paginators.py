from datetime import UTC
from typing import Any

from django.db.models import IntegerField, Subquery
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from common.errors import invalid


class CountOf(Subquery):
    """How many rows a queryset has, as a column: the page and its count come from one query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class PageNumberPagination(pagination.PageNumberPagination):
    """`{"count", "next", "previous", "results"}`; `?page=` from 1, `?page_size=` up to 100."""

    page_size: int
    page_size_query_param = "page_size"
    max_page_size = 100
    # 2^31 rows are beyond any page that exists, and beyond what a database takes as an offset.
    max_page = 10_000_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.url = request.build_absolute_uri()
        self.number = _whole_number(request, self.page_query_param, 1, self.max_page)
        self.size = min(_whole_number(request, self.page_size_query_param, self.page_size, None), self.max_page_size)
        start = (self.number - 1) * self.size
        rows, self.count = self.cut(queryset, start, start + self.size)
        if not rows and self.number > 1:
            raise NotFound(_("There is no such page."))
        return rows

    def cut(self, queryset: Any, start: int, end: int) -> tuple[list[Any], int]:
        """These rows, and how many there are in all."""
        # The count leaves the page's annotations out: only the filters decide it.
        counted = queryset.order_by().values("pk")
        rows = list(queryset.annotate(_count=CountOf(counted))[start:end])
        return rows, rows[0]._count if rows else 0

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "count": self.count,
                "next": self._link(self.number + 1) if self.number * self.size < self.count else None,
                "previous": self._link(self.number - 1) if self.number > 1 else None,
                "results": data,
            }
        )

    def _link(self, number: int) -> str:
        if number == 1:
            return remove_query_param(self.url, self.page_query_param)
        return replace_query_param(self.url, self.page_query_param, number)


class ListPagination(PageNumberPagination):
    """The same for rows that a view has put together itself."""

    def cut(self, queryset: list[Any], start: int, end: int) -> tuple[list[Any], int]:
        return queryset[start:end], len(queryset)


class CursorPagination(pagination.CursorPagination):
    """`{"next", "previous", "results"}` for feeds that grow without end: what comes in while somebody reads on moves no
    row to another page. The view's `ordering` begins with a time."""

    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        size = _whole_number(request, self.page_size_query_param, self.page_size, None)
        return min(size, self.max_page_size)

    def decode_cursor(self, request: Request) -> Any:
        """404 for a cursor that is none of ours: what it holds goes into the query."""
        cursor: Any = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        try:
            moment = parse_datetime(cursor.position)
            if moment is None or moment.tzinfo is None:
                raise ValueError
            return cursor._replace(position=str(moment.astimezone(UTC)))
        except (ValueError, OverflowError):
            raise NotFound(self.invalid_cursor_message) from None


def _whole_number(request: Request, name: str, default: Any, largest: int | None) -> int:
    raw = request.query_params.get(name)
    if not raw:
        return default
    if not (raw.isascii() and raw.isdecimal()) or int(raw[:10]) < 1:
        raise invalid(name, "invalid", _("A whole number from 1 on is needed."))
    if largest is not None and int(raw[:10]) > largest:
        raise NotFound(_("There is no such page."))
    return int(raw[:10])
