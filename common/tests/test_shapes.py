"""What holds of every field of every serializer."""

import copy
from typing import Any

import pytest
from django.utils import translation
from rest_framework import serializers as drf

from common import serializers
from common.testing.serializers import fields_of, serializer_classes

FIELDS = [
    (f"{cls.__module__}.{cls.__name__}.{path}", field)
    for cls in serializer_classes()
    if cls.__module__ != "common.serializers" and (hasattr(cls, "Meta") or not issubclass(cls, drf.ModelSerializer))
    for path, field in fields_of(cls())
    if not field.read_only
]


def of(*kinds: type) -> list[tuple[str, Any]]:
    chosen = [(name, copy.deepcopy(field)) for name, field in FIELDS if isinstance(field, kinds)]
    assert chosen
    return chosen


def refusal(field: Any, value: Any) -> Any:
    """Its codes, or None of a value that is taken."""
    try:
        field.run_validation(value)
    except drf.ValidationError as error:
        return error.get_codes()
    return None


def test_there_are_serializers():
    assert len(serializer_classes()) > 50
    assert len(FIELDS) > 150


def test_texts_are_refused_by_their_length_before_anything_else_is_asked():
    offenders = []
    for name, field in of(drf.CharField):
        field.validators = [lambda text, name=name: offenders.append(name)]
        for text in ("x" * (field.limit + 1), "\ufdfa" * 650_000):
            if refusal(field, text) != ["max_length"]:
                offenders.append(name)

    assert offenders == []


def test_lists_are_refused_by_their_length_before_their_members_are_read():
    offenders = []
    for name, field in of(drf.ListField, drf.ListSerializer, drf.ManyRelatedField):
        limit = getattr(field, "limit", None) or field.max_length
        child = getattr(field, "child", None) or field.child_relation
        child.run_validation = child.to_internal_value = lambda data, name=name: offenders.append(name)
        if limit > serializers.MAX_ITEMS or "max_length" not in str(refusal(field, [{}] * (limit + 1))):
            offenders.append(name)

    assert offenders == []


def test_whole_numbers_fit_their_columns():
    lowest, highest = serializers.INTEGER_RANGE
    fields = of(drf.IntegerField)

    assert [name for name, field in fields if field.min_value < lowest or field.max_value > highest] == []
    assert [name for name, field in fields if refusal(field, field.max_value + 1) != ["max_value"]] == []
    assert [name for name, field in fields if refusal(field, field.min_value - 1) != ["min_value"]] == []


def test_numbers_have_so_many_digits():
    assert [name for name, field in of(drf.DecimalField) if field.max_digits is None] == []


def test_nothing_comes_in_that_has_no_bound():
    endless = drf.DictField, drf.JSONField, drf.FloatField

    assert [name for name, field in FIELDS if isinstance(field, endless)] == []


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("value", ["0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "x", 7, True, [], {}])
def test_a_row_that_is_not_there_is_told_of_in_words(value, language, db):
    offenders = []
    for name, field in of(drf.RelatedField):
        with translation.override(language), pytest.raises(drf.ValidationError) as caught:
            field.run_validation(value)
        told = str(caught.value.detail[0])
        if {"pk", "object", "type."} & set(told.split()) or "0193" in told or told.isascii() != (language == "en"):
            offenders.append((name, told))

    assert offenders == []
