"""Abstract bases: no tables here."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import new_id
from common.sorting import sort_keys
from common.text import normalised, trimmed


class Language(models.TextChoices):
    RUSSIAN = "ru", _("Russian")
    ENGLISH = "en", _("English")


class Row(models.Model):
    """What every model has."""

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """With a text goes what it is sorted by, also where the fields to be saved are named."""
        if update_fields is not None:
            names = set(update_fields)
            update_fields = names | {key.name for key in sort_keys(type(self)) if names & set(key.sources)}
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean_fields(self, exclude: Any = None) -> None:
        """Text is brought into its normal form before it is judged, as the API does (`common.text`)."""
        for field in self._meta.concrete_fields:
            value = getattr(self, field.attname) if isinstance(field, models.CharField | models.TextField) else None
            if isinstance(value, str) and field.name not in (exclude or ()):
                text = normalised(value)
                setattr(self, field.attname, trimmed(text) if isinstance(field, models.CharField) else text)
        super().clean_fields(exclude=exclude)

    def as_stored(self) -> "Row | None":
        """The row as it stands in the database; None if it is new. For rules over what changes: hold its lock."""
        return None if self._state.adding else type(self)._base_manager.filter(pk=self.pk).first()


class EditableRow(Row):
    """A row that can change."""

    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        abstract = True
