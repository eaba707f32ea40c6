"""The demo: loading it as a whole, and what the apps' parts of it are built with.

A row of the demo is known by its id: a UUIDv7 dated to the first millisecond of 1970, which no row made by people has.
The same row has the same id in every load.
"""

import hashlib
import io
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, QuerySet
from PIL import Image, ImageOps

from common import registry

FIRST_RANDOM_BIT = 80
DEMO_IDS = (UUID(int=0), UUID(int=(1 << FIRST_RANDOM_BIT) - 1))
# The accounts for a first look, as keys of `people`.
ACCOUNTS = ("admin", "moderator", "teacher", "student", "student2")


class DemoError(Exception):
    """Why the demo cannot be loaded; nothing has been changed."""


# --- The whole -------------------------------------------------------------------------------------------------------


@transaction.atomic
def load_demo(*, force: bool = False) -> tuple[dict[str, Any], dict[str, int]]:
    """Clears the demo and loads it anew; returns its people by key, and how many rows of what there are.

    Raises DemoError if the database holds anything else, unless forced; what is not the demo's is kept in any case.
    """
    refuse_unless_on_loopback()
    strangers = merged(registry.demo_strangers.call_each())
    if any(strangers.values()) and not force:
        found = ", ".join(f"{name}: {count}" for name, count in strangers.items() if count)
        raise DemoError(f"The database holds other data than the demo ({found}).")
    for clear in reversed(registry.demo_clearers.parts):
        clear()
    people: dict[str, Any] = {}
    counts = merged(registry.demo_loaders.call_each(people))
    return people, counts


def refuse_unless_on_loopback() -> None:
    """Raises DemoError where others come: everybody knows the password of the demo's people, and one is an admin."""
    if not settings.ON_LOOPBACK:
        raise DemoError("The demo is for this machine alone: BASE_URL or ALLOWED_HOSTS let others in.")


def is_demo(pk: UUID) -> bool:
    """Whether the row of this id is one of the demo's."""
    return DEMO_IDS[0] <= pk <= DEMO_IDS[1]


def merged(parts: list[dict[str, int]]) -> dict[str, int]:
    return {name: count for part in parts for name, count in (part or {}).items()}


# --- Rows ------------------------------------------------------------------------------------------------------------


def demo_id(*names: str) -> UUID:
    """The id of what is called so: demo_id("course", "python")."""
    chance = int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:10], "big")
    version_and_variant = (0xF << 76) | (0b11 << 62)
    return UUID(int=chance & ~version_and_variant | (7 << 76) | (0b10 << 62))


def demo_rows(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.filter(pk__range=DEMO_IDS)


def other_rows(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.exclude(pk__range=DEMO_IDS)


def delete_demo_rows(model: type[Model]) -> None:
    """Deletes the demo's rows but for those that something hangs on, such as what somebody has bought since.

    Delete what hangs on them first: then all that is left is not the demo's, and must not go with them.
    """
    rows = demo_rows(model)
    relations: list[Any] = model._meta.get_fields(include_hidden=True)
    for relation in relations:
        related = relation.related_model
        is_foreign_key = relation.auto_created and (relation.one_to_many or relation.one_to_one)
        if is_foreign_key and not relation.concrete and not related._meta.auto_created:
            hanging = related._base_manager.filter(**{relation.field.name: OuterRef("pk")})
            rows = rows.exclude(Exists(hanging))
    rows.delete()


def save_demo_rows(rows: list[Any], *, overwrite: bool = False) -> None:
    """Inserts the rows, with the times that they carry: `auto_now` would make everything new.

    A row that stands in the way stays as it is; with `overwrite`, a row of the same id becomes the new one.
    """
    if not rows:
        return
    model = type(rows[0])
    times = [name for name in ("created_at", "updated_at") if hasattr(rows[0], name)]
    carried = [[getattr(row, name) or row.created_at for name in times] for row in rows]
    if overwrite:
        fields = [field.name for field in model._meta.concrete_fields if not field.primary_key]
        model._default_manager.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)
    else:
        model._default_manager.bulk_create(rows, ignore_conflicts=True)
    for row, moments in zip(rows, carried, strict=True):
        for name, moment in zip(times, moments, strict=True):
            setattr(row, name, moment)
    model._default_manager.bulk_update(rows, times)


# --- Pictures --------------------------------------------------------------------------------------------------------


def gradient(size: tuple[int, int], first: str, second: str, *, angle: int = 60) -> Image.Image:
    """A picture that goes from one colour to the other."""
    width, height = size[0] // 8, size[1] // 8  # so smooth that it can be made small and enlarged
    side = max(width, height)
    # Turned, then cut out of the middle, where the turning has left no corner empty.
    mask = Image.linear_gradient("L").resize((2 * side, 2 * side)).rotate(angle, Image.Resampling.BILINEAR)
    left, top = side - width // 2, side - height // 2
    mask = ImageOps.autocontrast(mask.crop((left, top, left + width, top + height)))
    small = Image.composite(Image.new("RGB", mask.size, second), Image.new("RGB", mask.size, first), mask)
    return small.resize(size, Image.Resampling.BILINEAR)


def save_picture(name: str, picture: Image.Image) -> str:
    """Stores the picture under exactly this name, in place of one that is there, and returns the name."""
    written = io.BytesIO()
    picture.save(written, "WEBP", quality=82, method=2)
    default_storage.delete(name)
    return default_storage.save(name, ContentFile(written.getvalue()))
