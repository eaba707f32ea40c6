"""The order of texts in lists, as people expect it: «Арбуз» before «Ёлка», «apple» beside «Apple».

Databases sort by their own collations, or by code points where they have none. So the key that a text is sorted by is
computed here and stored beside it, in digits, which all collations put in one order: all databases sort alike.
"""

import unicodedata
from typing import Any

from django.db import models

# Characters of the text that are compared. What agrees in so many is sorted by id.
COMPARED = 40
# Two letters that are no other letter with a mark, for whoever reads Russian.
WHOLE = {"й": "й"}


def sort_key(text: str) -> str:
    """At most 244 characters, of 0-9 and a-f alone. Case, accents, and whether it is ё or е count only where all else
    is the same; signs before the first letter or digit do not count."""
    small = unicodedata.normalize("NFC", text).casefold()[: 4 * COMPARED]
    plain = "".join(WHOLE.get(letter) or _without_marks(letter) for letter in small)
    start = next((at for at, letter in enumerate(plain) if letter.isalnum()), 0)
    first = " ".join(plain[start:].split())[:COMPARED]
    # Shorter texts come first, as zero stands before all that is compared.
    return _digits(first) + "0000" + _digits(small[:20])


def _without_marks(letter: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(each))


def _digits(text: str) -> str:
    """Four hexadecimal digits a character; the few beyond U+FFFF come last, in their own order."""
    return "".join(f"{min(ord(letter), 0xFFFF):04x}" for letter in text)


class SortKeyField(models.CharField):
    """What rows are sorted by instead of the texts that it names. It is written whenever one of them is (see
    `common.models.Row.save`, and bulk inserts)."""

    def __init__(self, *sources: str, **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(**{"max_length": 255, "editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        name, path, _args, kwargs = super().deconstruct()
        return name, path, list(self.sources), kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = sort_key("  ".join(getattr(model_instance, source) or "" for source in self.sources))
        setattr(model_instance, self.attname, key)
        return key


def sort_keys(model: type[models.Model]) -> list[SortKeyField]:
    return [field for field in model._meta.concrete_fields if isinstance(field, SortKeyField)]


def sorted_by(model: type[models.Model], column: str) -> str:
    """The column to sort by where this one is asked for, with its minus: `-title` → `-title_key`."""
    name = column.removeprefix("-")
    for key in sort_keys(model):
        if key.sources[0] == name:
            return column.replace(name, key.name)
    return column
