"""Files that rows hold. One that is replaced, or whose row is deleted, leaves the storage once the transaction has
committed, whoever wrote: the API, the admin pages, a command or a cascade. What that misses (a transaction that was
rolled back, a process that was killed, rows that were changed in bulk) is found by `sweep`.

Every model takes its file fields from here.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.apps import apps
from django.core.files.storage import Storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from common.pictures import rewritten

logger = logging.getLogger(__name__)

# A file is stored before its row is: one as young as this may still wait for it.
GRACE = timedelta(hours=1)
SWEPT_AT_A_TIME = 500


class FileField(models.FileField):
    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.__class__.__name__}", args, kwargs  # the same column

    def contribute_to_class(self, cls: type[models.Model], name: str, **kwargs: Any) -> None:  # type: ignore[override]
        super().contribute_to_class(cls, name, **kwargs)
        if not cls._meta.abstract:
            # The only hook that rows pass which are deleted along with others.
            post_delete.connect(self._row_deleted, sender=cls)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        before = "" if add or model_instance._state.adding else self._stored(model_instance)
        file = super().pre_save(model_instance, add)
        if before and before != file.name:
            self._forget(before)
        return file

    def _stored(self, row: models.Model) -> str:
        return row._meta.base_manager.filter(pk=row.pk).values_list(self.attname, flat=True).first() or ""

    def _row_deleted(self, instance: models.Model, **kwargs: Any) -> None:
        if name := getattr(instance, self.attname).name:
            self._forget(name)

    def _forget(self, name: str) -> None:
        transaction.on_commit(partial(_delete_unused, self.storage, [name]))


class ImageField(FileField, models.ImageField):
    """A picture, written anew wherever a form sends one (see `common.pictures`)."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": PictureFormField, **kwargs})


class PictureFormField(forms.FileField):
    def clean(self, data: Any, initial: Any = None) -> Any:
        file = super().clean(data, initial)
        return rewritten(file) if isinstance(file, UploadedFile) else file


def file_fields() -> list[models.FileField]:
    """Of every model."""
    return [
        field
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.FileField)
    ]


def sweep() -> int:
    """Deletes the files that no row holds. Says how many."""
    folders = {(field.storage, str(field.upload_to)) for field in file_fields()}
    return sum(
        _delete_unused(storage, batch)
        for storage, folder in sorted(folders, key=lambda pair: pair[1])
        for batch in _old_files(storage, folder)
    )


def _old_files(storage: Storage, folder: str) -> Iterator[list[str]]:
    try:
        _folders, names = storage.listdir(folder)
    except FileNotFoundError:
        return
    paths = [f"{folder}/{name}" for name in names]
    for start in range(0, len(paths), SWEPT_AT_A_TIME):
        yield [path for path in paths[start : start + SWEPT_AT_A_TIME] if _is_old(storage, path)]


def _is_old(storage: Storage, path: str) -> bool:
    try:
        return storage.get_modified_time(path) < timezone.now() - GRACE
    except FileNotFoundError:  # somebody else deletes it
        return False


def _delete_unused(storage: Storage, names: list[str]) -> int:
    used: set[str] = set()
    for field in file_fields():
        if field.storage == storage:
            held = field.model._base_manager.filter(**{f"{field.attname}__in": names})
            used |= set(held.values_list(field.attname, flat=True))
    unused = [name for name in names if name not in used]
    for name in unused:
        try:
            storage.delete(name)
        except OSError as error:
            logger.warning("A file could not be deleted, the sweeper tries again: %s", error)
    return len(unused)
