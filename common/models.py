"""Abstract bases: no tables here."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import new_id


class Language(models.TextChoices):
    RUSSIAN = "ru", _("Russian")
    ENGLISH = "en", _("English")


class Row(models.Model):
    """What every model has."""

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)

    class Meta:
        abstract = True


class EditableRow(Row):
    """A row that can change."""

    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        abstract = True
