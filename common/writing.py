"""How rows are changed, by the API and by the admin pages alike: they are judged and saved while nobody else can change
them, what is saved is what has changed, and the rules of a model (its `clean`) hold for whoever writes."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models, transaction
from rest_framework.request import Request
from rest_framework.response import Response


def lock(rows: models.QuerySet) -> None:
    """Nobody else changes these rows until the transaction ends. In one order everywhere: two who have several in hand
    must not wait for each other.

    The lock leaves the keys alone: rows that refer to these may be written meanwhile.
    """
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def lock_row(row: models.Model) -> None:
    lock(type(row)._base_manager.filter(pk=row.pk))


def save_fields(row: models.Model, names: Iterable[str]) -> None:
    """Saves these fields, and when that was, and nothing else. Names that are no columns are passed over."""
    wanted = set(names)
    columns = [field.name for field in row._meta.concrete_fields if field.name in wanted and not field.primary_key]
    if columns:
        times = [field.name for field in row._meta.concrete_fields if getattr(field, "auto_now", False)]
        row.save(update_fields=[*columns, *times])


class Locked:
    """For views: what the address names is locked before it is looked at, so that it is judged, saved and answered
    before anybody else can change it. Of two at once, the second judges what the first has left."""

    request: Request
    queryset: Any
    kwargs: Any
    lookup_field: str
    lookup_url_kwarg: str | None

    def lock_rows(self) -> None:
        """The row itself; what belongs to something larger may have to lock that instead."""
        value = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        lock(self.queryset.model._base_manager.filter(**{self.lookup_field: value}))

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.request.data  # noqa: B018 - the body has arrived before anything is locked
        with transaction.atomic():
            self.lock_rows()
            yield


class LockedUpdate(Locked):
    """PUT and PATCH."""

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.locked():
            return super().update(request, *args, **kwargs)  # type: ignore[misc] # of DRF's mixins


class LockedDestroy(Locked):
    """DELETE."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.locked():
            return super().destroy(request, *args, **kwargs)  # type: ignore[misc] # of DRF's mixins


class LockedWrites(LockedUpdate, LockedDestroy):
    """All three."""


class SavesWhatWasSent:
    """For serializers: what was not sent stays as it stands in the database."""

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        save_fields(instance, validated_data)
        return instance


class HoldsRules:
    """For serializers: what is sent has to keep the rules that the model's `clean` states, as on every admin page.

    `clean` may bring a value into its one form (an address, say), or set what was left open: that is what is saved.
    """

    instance: Any
    Meta: Any

    def new_row(self) -> models.Model:
        """What a new row has before anything of it was sent: whose it is, say."""
        return self.Meta.model()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)  # type: ignore[misc] # of DRF's serializers
        self.judged = copy.copy(self.instance) if self.instance is not None else self.new_row()
        for name, value in attrs.items():
            setattr(self.judged, name, value)
        self.judged.clean()  # what it raises, DRF turns into a 400 on the fields
        return {
            name: getattr(self.judged, name) if isinstance(value, str | bool) else value
            for name, value in attrs.items()
        }

    def create(self, validated_data: dict[str, Any]) -> Any:
        """The row that was judged, and what the view adds."""
        for name, value in validated_data.items():
            setattr(self.judged, name, value)
        self.judged.save(force_insert=True)
        return self.judged
