"""Choices of rows on admin pages: what cannot be the id of a row is no choice. Django asks the database for it, which
takes ids of one shape alone: to choose it, and to show again what was chosen."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError
from django.db.models import Model

LARGEST = 2**31  # what an id of a library's tables may be


def is_key(model: type[Model], value: Any) -> bool:
    try:
        key = model._meta.pk.to_python(value)  # type: ignore[union-attr] # every model has one
    except ValidationError:
        return False
    return "\0" not in key if isinstance(key, str) else not isinstance(key, int) or abs(key) < LARGEST


def guard(field: forms.Field) -> None:
    """Of a form's own copy of a field: it refuses what is no id, and its widget passes over it."""
    if not isinstance(field, forms.ModelChoiceField):
        return
    field.clean = partial(_clean, field, field.clean)  # type: ignore[method-assign]
    widget = getattr(field.widget, "widget", field.widget)
    if isinstance(widget, AutocompleteMixin):
        widget.optgroups = partial(_shown, field, widget.optgroups)  # type: ignore[method-assign]


def _clean(field: forms.ModelChoiceField, clean: Callable[..., Any], value: Any) -> Any:
    rows: Any = field.queryset
    for key in value if isinstance(value, list | tuple) else [value]:
        if key not in field.empty_values and not is_key(rows.model, key):
            raise ValidationError(
                field.error_messages["invalid_choice"], code="invalid_choice", params={"value": key, "pk": key}
            )
    return clean(value)


def _shown(
    field: forms.ModelChoiceField, optgroups: Callable[..., Any], name: str, value: list[Any], attrs: Any = None
) -> Any:
    rows: Any = field.queryset
    known = [key for key in value if key in field.empty_values or is_key(rows.model, key)]
    return optgroups(name, known, attrs)
