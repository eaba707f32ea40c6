"""List filters that refuse what they do not know: a misspelt filter must not answer with everything."""

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import invalid
from common.moments import end_of_day, read_date, start_of_day

# Parameters that belong to paging, ordering and content negotiation.
GENERAL_PARAMETERS = {"page_size", "ordering", "format"}


class _BooleanField(forms.Field):
    """`true` or `false`, in any case, or their digits."""

    VALUES = {"true": True, "1": True, "false": False, "0": False}

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if str(value).lower() not in self.VALUES:
            raise forms.ValidationError(_("True or false is needed."), code="invalid")
        return self.VALUES[str(value).lower()]


@extend_schema_field(OpenApiTypes.BOOL)
class BooleanFilter(filters.Filter):
    """django-filter's own takes anything else than true and false for "not asked"."""

    field_class = _BooleanField


class _MomentField(forms.CharField):
    """A date or a date-time; without a zone it is in the project's."""

    FIRST_YEAR, LAST_YEAR = 1970, 2999

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            moment: date | datetime | None = read_date(text) or parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or not self.FIRST_YEAR <= moment.year <= self.LAST_YEAR:
            raise forms.ValidationError(_("A date or a date-time is needed, such as 2026-03-31."), code="invalid")
        if not isinstance(moment, datetime):
            moment = self.day(moment, timezone.get_default_timezone())
        elif timezone.is_naive(moment):
            moment = timezone.make_aware(moment, timezone.get_default_timezone())
        return moment.astimezone(UTC)

    def day(self, day: date, zone: tzinfo) -> datetime:
        """What a bare date stands for."""
        raise NotImplementedError


class _FirstMomentField(_MomentField):
    def day(self, day: date, zone: tzinfo) -> datetime:
        return start_of_day(day, zone)


class _LastMomentField(_MomentField):
    def day(self, day: date, zone: tzinfo) -> datetime:
        return end_of_day(day, zone)


@extend_schema_field(OpenApiTypes.STR)
class DateFromFilter(filters.Filter):
    """From a date or a date-time on. A bare date begins with its first moment."""

    field_class = _FirstMomentField

    def __init__(self, field_name: str | None = None) -> None:
        super().__init__(field_name, lookup_expr="gte", help_text="A date or a date-time, inclusive.")


@extend_schema_field(OpenApiTypes.STR)
class DateToFilter(filters.Filter):
    """Up to a date or a date-time. A bare date ends with its last moment, so it is part of it."""

    field_class = _LastMomentField

    def __init__(self, field_name: str | None = None) -> None:
        super().__init__(field_name, lookup_expr="lte", help_text="A date or a date-time, inclusive.")


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter, with 400 for unknown parameters and, by its own doing, for unknown values."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset  # DRF passes here on its way to a single object, too
        self._check_names(request, view, self.get_filterset_class(view, queryset))
        return super().filter_queryset(request, queryset, view)

    def cleaned(self, request: Request, view: Any) -> dict[str, Any]:
        """What the filters say, for a view that looks its rows up itself: refused as everywhere."""
        filterset_class = self.get_filterset_class(view)
        self._check_names(request, view, filterset_class)
        filterset = filterset_class(request.query_params, queryset=view.queryset)
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)
        return filterset.form.cleaned_data

    def _check_names(self, request: Request, view: APIView, filterset_class: Any) -> None:
        paging = getattr(getattr(view, "paginator", None), "cursor_query_param", "page")
        known = GENERAL_PARAMETERS | {paging} | set(filterset_class.base_filters if filterset_class else ())
        if getattr(view, "search_fields", None):
            known = known | {WordFilter.PARAMETER}
        for name in request.query_params:
            if name not in known:
                raise invalid(name, "unknown_filter", _("There is no such filter here."))


class WordFilter(BaseFilterBackend):
    """`?search=` over the view's `search_fields`: every word has to occur in one of them, in any case of letters.

    By regular expression: SQLite's LIKE knows the cases of ASCII alone.
    """

    # More words add cost and no meaning. Of more than 32, PostgreSQL would compile each anew for every row.
    MAX_WORDS = 8
    PARAMETER = "search"
    FIELD = forms.CharField(required=False, max_length=200)

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        names = getattr(view, "search_fields", None)
        if not names or getattr(view, "detail", False):
            return queryset
        try:
            text = self.FIELD.clean(request.query_params.get(self.PARAMETER))
        except forms.ValidationError as error:
            first = error.error_list[0]
            raise invalid(self.PARAMETER, first.code or "invalid", first.messages[0]) from None
        for word in list(dict.fromkeys(text.split()))[: self.MAX_WORDS]:
            occurs = [Q(**{f"{name}__iregex": re.escape(word)}) for name in names]
            queryset = queryset.filter(Q(*occurs, _connector=Q.OR))
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict]:
        if not getattr(view, "search_fields", None):
            return []
        description = "Words, each of which has to occur."
        schema = {"type": "string", "maxLength": self.FIELD.max_length}
        return [
            {"name": self.PARAMETER, "required": False, "in": "query", "description": description, "schema": schema}
        ]


class StrictOrderingFilter(OrderingFilter):
    """`?ordering=` over the view's `ordering_fields`: a list of names, or a dict of public name to model field.

    An unknown name is a 400. The id ends every ordering, so that pages never overlap.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset
        return super().filter_queryset(request, queryset, view)

    def get_ordering(self, request: Request, queryset: QuerySet, view: APIView) -> list[str]:
        fields: Any = getattr(view, "ordering_fields", None) or {}
        columns = fields if isinstance(fields, dict) else {name: name for name in fields}
        raw = request.query_params.get(self.ordering_param)
        if not raw:
            default = getattr(view, "ordering", None)
            ordering = list(default or queryset.query.order_by or ("-created_at",))
        else:
            ordering = []
            for term in raw.split(","):
                name = term.strip().removeprefix("-")
                if name not in columns:
                    raise invalid(self.ordering_param, "unknown_ordering", _("Cannot order by this."))
                ordering.append(("-" if term.strip().startswith("-") else "") + columns[name])
        if any(term.lstrip("-") in {"id", "pk"} for term in ordering if isinstance(term, str)):
            return ordering
        last = ordering[-1]
        descending = isinstance(last, str) and last.startswith("-")
        return [*ordering, "-id" if descending else "id"]

    def get_valid_fields(self, queryset: QuerySet, view: APIView, context: Any = None) -> list[tuple[str, str]]:
        """For the schema."""
        return [(name, name) for name in getattr(view, "ordering_fields", None) or ()]

    def get_schema_operation_parameters(self, view: Any) -> list[dict]:
        names = [name for name, _label in self.get_valid_fields(view.queryset, view)]
        if not names:
            return []
        values = [value for name in names for value in (name, f"-{name}")]
        return [
            {
                "name": self.ordering_param,
                "required": False,
                "in": "query",
                "description": "One or more of these, separated by commas; `-` reverses.",
                "schema": {"type": "array", "items": {"type": "string", "enum": values}},
                "explode": False,
                "style": "form",
            }
        ]
