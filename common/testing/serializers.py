"""Walks over everything that the API reads, for tests of what holds for each of its members."""

from collections.abc import Iterator

from django.urls import get_resolver
from django_filters import FilterSet
from rest_framework import serializers

OURS = ("assignments", "common", "community", "config", "materials", "payments", "users")


def _classes(base: type) -> Iterator[type]:
    for child in base.__subclasses__():
        yield from _classes(child)
        package, *rest = child.__module__.split(".")
        if package in OURS and "tests" not in rest and child.__module__ != "common.serializers":
            yield child


def _all_of(base: type) -> list[type]:
    get_resolver().url_patterns  # noqa: B018 - imports all views, and with them what they use
    return sorted(set(_classes(base)), key=lambda each: (each.__module__, each.__qualname__))


def serializer_classes() -> list[type[serializers.Serializer]]:
    return [
        each
        for each in _all_of(serializers.Serializer)
        if not issubclass(each, serializers.ModelSerializer) or hasattr(each, "Meta")  # without, it is a base of others
    ]


def filterset_classes() -> list[type[FilterSet]]:
    return _all_of(FilterSet)


def fields_of(serializer: serializers.Serializer) -> Iterator[tuple[str, serializers.Field]]:
    """Each field with its path, those of nested serializers and lists too."""
    for name, field in serializer.fields.items():
        yield from _field(name, field)


def _field(path: str, field: serializers.Field) -> Iterator[tuple[str, serializers.Field]]:
    yield path, field
    child = getattr(field, "child", None)
    if child is not None:
        yield from _field(f"{path}[]", child)
    elif isinstance(field, serializers.Serializer):
        for name, nested in fields_of(field):
            yield f"{path}.{name}", nested
