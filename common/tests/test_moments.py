"""Dates and times that people write: a bare date is the whole day, as a beginning and as an end."""

from datetime import UTC, datetime

import pytest
from django.db import models
from django_filters import filters
from rest_framework import serializers

from common.fields import EndDateTimeField, StartDateTimeField
from common.filters import DateFromFilter, DateToFilter
from common.testing.serializers import fields_of, filterset_classes, serializer_classes

TIMES = (serializers.DateTimeField, serializers.DateField, serializers.TimeField)
END_WORDS = ("until", "due", "expires", "end", "to")


class Span(serializers.Serializer):
    since = StartDateTimeField(required=False)
    until = EndDateTimeField(required=False)


def read(zone="Europe/Moscow", **data):
    serializer = Span(data=data, context={"time_zone": zone})
    assert serializer.is_valid(), serializer.errors
    return serializer.validated_data


def refused(zone="Europe/Moscow", **data):
    serializer = Span(data=data, context={"time_zone": zone})
    assert not serializer.is_valid()
    return serializer.errors


@pytest.mark.parametrize(
    ("zone", "text", "first", "last"),
    [
        ("Europe/Moscow", "2026-11-30", "2026-11-29T21:00:00+00:00", "2026-11-30T20:59:59.999999+00:00"),
        ("Asia/Vladivostok", "2026-11-30", "2026-11-29T14:00:00+00:00", "2026-11-30T13:59:59.999999+00:00"),
        ("UTC", " 2026-11-30 ", "2026-11-30T00:00:00+00:00", "2026-11-30T23:59:59.999999+00:00"),
        ("UTC", "20261130", "2026-11-30T00:00:00+00:00", "2026-11-30T23:59:59.999999+00:00"),
        # 25 and 23 hours long.
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00+00:00", "2026-10-25T22:59:59.999999+00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T21:59:59.999999+00:00"),
        # Clocks are put back to 23:00 as this day ends, and put on from 0:00 as that one begins.
        ("America/Asuncion", "2022-03-26", "2022-03-26T03:00:00+00:00", "2022-03-27T03:59:59.999999+00:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00+00:00", "2026-03-29T20:59:59.999999+00:00"),
    ],
)
def test_a_bare_date_is_the_whole_day(zone, text, first, last):
    moments = read(zone, since=text, until=text)

    assert (moments["since"].astimezone(UTC).isoformat(), moments["until"].astimezone(UTC).isoformat()) == (first, last)


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-30T18:00:00Z", datetime(2026, 11, 30, 18, tzinfo=UTC)),
        ("2026-11-30T18:00:00+05:00", datetime(2026, 11, 30, 13, tzinfo=UTC)),
        ("2026-11-30T18:00", datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("2026-11-30T00:00", datetime(2026, 11, 29, 14, tzinfo=UTC)),
    ],
)
def test_a_time_is_taken_as_it_is_said_in_the_writers_zone(name, text, expected):
    assert read("Asia/Vladivostok", **{name: text})[name] == expected


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-02-30", "invalid"),
        ("30.11.2026", "invalid"),
        ("0001-01-01T00:00:00+14:00", "overflow"),
        (20261130, "invalid"),
    ],
)
def test_what_is_no_moment_is_refused(name, text, code):
    assert [error.code for error in refused("Europe/Berlin", **{name: text})[name]] == [code]


@pytest.mark.parametrize("serializer", serializer_classes(), ids=lambda each: each.__name__)
def test_every_time_that_people_write_says_what_a_bare_date_is(serializer):
    """A new one is a StartDateTimeField or an EndDateTimeField, and not the wrong one of the two."""
    for path, field in fields_of(serializer()):
        if isinstance(field, TIMES) and not field.read_only:
            is_end = any(word in END_WORDS for word in path.split(".")[-1].split("_"))
            assert isinstance(field, EndDateTimeField if is_end else StartDateTimeField), path


@pytest.mark.parametrize("filterset", filterset_classes(), ids=lambda each: each.__name__)
def test_every_filter_over_a_time_counts_the_whole_day(filterset):
    for name, each in filterset.base_filters.items():
        column = filterset._meta.model._meta.get_field(each.field_name) if _is_column(filterset, each) else None
        if name.endswith("_to") or name.endswith("_from") or isinstance(column, models.DateField):
            assert isinstance(each, DateToFilter if each.lookup_expr.startswith("lt") else DateFromFilter), name
        assert not isinstance(each, filters.DateFilter | filters.DateTimeFilter | filters.TimeFilter), name


def _is_column(filterset, each):
    names = {field.name for field in filterset._meta.model._meta.get_fields()} if filterset._meta.model else set()
    return each.field_name in names
