"""List filters that refuse what they do not know: a misspelt filter must not answer with everything."""

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
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
from common.sorting import sorted_by
from common.text import normalised, trimmed

E_OR_YO = re.compile("[её]")

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
    """django-filter, with 400 for unknown parameters and, by its own doing, for unknown values.

    A parameter that is given several times asks for any of its values where it is a choice or an id, and is refused
    everywhere else: none of them is dropped without a word.
    """

    # Longer than anything that is asked for; more often than there are choices.
    MAX_LENGTH = 1000
    MAX_TIMES = 50

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset  # DRF passes here on its way to a single object, too
        filterset_class = self.get_filterset_class(view, queryset)
        self._check(request, view, filterset_class)
        queryset = super().filter_queryset(request, queryset, view)
        for name, values in request.query_params.lists():
            if len(values) > 1:
                filterset = filterset_class({}, queryset=queryset, request=request)
                queryset = _any_of(filterset.filters[name], name, values, queryset)
        return queryset

    def get_filterset_kwargs(self, request: Request, queryset: QuerySet, view: APIView) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(request, queryset, view), "data": _read_once(request)}

    def cleaned(self, request: Request, view: Any) -> dict[str, Any]:
        """What the filters say, for a view that looks its rows up itself: refused as everywhere."""
        filterset_class = self.get_filterset_class(view)
        self._check(request, view, filterset_class, may_repeat=False)
        filterset = filterset_class(_read_once(request), queryset=view.queryset)
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)
        return filterset.form.cleaned_data

    def _check(self, request: Request, view: APIView, filterset_class: Any, *, may_repeat: bool = True) -> None:
        paging = getattr(getattr(view, "paginator", None), "cursor_query_param", "page")
        filters_here = filterset_class.base_filters if filterset_class else {}
        known = GENERAL_PARAMETERS | {paging} | set(filters_here)
        if getattr(view, "search_fields", None):
            known = known | {WordFilter.PARAMETER}
        for name, values in request.query_params.lists():
            if name not in known:
                raise invalid(name, "unknown_filter", _("There is no such filter here."))
            if name in filters_here and any(len(value) > self.MAX_LENGTH for value in values):
                text = gettext("Ensure this field has no more than {max_length} characters.")
                raise invalid(name, "max_length", text.format(max_length=self.MAX_LENGTH))
            repeatable = may_repeat and isinstance(filters_here.get(name), REPEATABLE)
            if len(values) > (self.MAX_TIMES if repeatable else 1):
                raise invalid(name, "repeated", _("This can be given only once."))


# Filters that may be given several times, for any of the values.
REPEATABLE = (filters.ChoiceFilter, filters.UUIDFilter)


def _read_once(request: Request) -> QueryDict:
    """The parameters that are given once, in the normal form of text."""
    found = QueryDict(mutable=True)
    for name, values in request.query_params.lists():
        if len(values) == 1:
            found[name] = trimmed(normalised(values[0])) or values[0]  # what is invisible is not nothing
    return found


def _any_of(one: filters.Filter, name: str, values: list[str], queryset: QuerySet) -> QuerySet:
    meant = []
    for value in values:
        try:
            meant.append(one.field.clean(value))
        except forms.ValidationError as error:
            first = error.error_list[0]
            raise invalid(name, first.code or "invalid", first.messages[0]) from None
    chosen = [value for value in dict.fromkeys(meant) if value not in EMPTY_VALUES]
    if not chosen:
        return queryset
    # Each by the filter's own way, which may be a method of the filter set.
    found = [Q(pk__in=one.filter(queryset, value).order_by().values("pk")) for value in chosen]
    return queryset.filter(Q(*found, _connector=Q.OR))


class AnyCaseChoiceFilter(filters.ChoiceFilter):
    """A choice, read in any case."""

    class field_class(filters.ChoiceFilter.field_class):  # noqa: N801 - django-filter's name
        def to_python(self, value: Any) -> Any:
            return super().to_python(value.lower() if isinstance(value, str) else value)


class WordFilter(BaseFilterBackend):
    """`?search=` over the view's `search_fields`: every word has to occur in one of them, in any case of letters, and
    with е for ё.

    By regular expression: SQLite's LIKE knows the cases of ASCII alone.
    """

    # More words add cost and no meaning. Of more than 32, PostgreSQL would compile each anew for every row.
    MAX_WORDS = 8
    # Letters of a word that are looked for: the beginning of a longer one says enough, and each costs in a long text.
    MAX_LETTERS = 40
    PARAMETER = "search"
    FIELD = forms.CharField(required=False, max_length=200)

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        names = getattr(view, "search_fields", None)
        if not names or getattr(view, "detail", False):
            return queryset
        try:
            text = self.FIELD.clean(trimmed(normalised(request.query_params.get(self.PARAMETER, ""))))
        except forms.ValidationError as error:
            first = error.error_list[0]
            raise invalid(self.PARAMETER, first.code or "invalid", first.messages[0]) from None
        for word in list(dict.fromkeys(text.split()))[: self.MAX_WORDS]:
            pattern = E_OR_YO.sub("[её]", re.escape(word.lower()[: self.MAX_LETTERS]))
            occurs = [Q(**{f"{name}__iregex": pattern}) for name in names]
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
        ordering = [sorted_by(queryset.model, term) if isinstance(term, str) else term for term in ordering]
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
