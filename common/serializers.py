"""REST framework's serializers and fields, with what it leaves open closed: every text, list and number that comes in
has a bound, which is judged before anything else is done with it; text is in one normal form; and whatever is wrong
with a body is said at once, in words.

Serializers import this module in place of `rest_framework.serializers`; `make lint` refuses the other.
"""

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers as drf
from rest_framework.relations import MANY_RELATION_KWARGS
from rest_framework.serializers import BooleanField as BooleanField
from rest_framework.serializers import DateField as DateField
from rest_framework.serializers import DateTimeField as DateTimeField
from rest_framework.serializers import DecimalField as DecimalField
from rest_framework.serializers import DictField as DictField
from rest_framework.serializers import Field as Field
from rest_framework.serializers import FileField as FileField
from rest_framework.serializers import ImageField as ImageField
from rest_framework.serializers import JSONField as JSONField
from rest_framework.serializers import RelatedField as RelatedField
from rest_framework.serializers import SerializerMethodField as SerializerMethodField
from rest_framework.serializers import UUIDField as UUIDField
from rest_framework.serializers import ValidationError as ValidationError
from rest_framework.serializers import as_serializer_error as as_serializer_error
from rest_framework.serializers import empty as empty
from rest_framework.settings import api_settings

from common.ids import is_id
from common.text import normalised, trimmed

# Where a field says nothing else.
MAX_TEXT = 10_000
MAX_ITEMS = 1_000
INTEGER_RANGE = (-(2**31), 2**31 - 1)

# --- Text ------------------------------------------------------------------------------------------------------------


class _Text(drf.CharField):
    @property
    def limit(self) -> int:
        return self.max_length or MAX_TEXT

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, list | dict):
            self.fail("invalid")  # REST framework would write it out first
        if isinstance(data, str):
            data = self._read(data)
        return super().run_validation(data)

    def _read(self, text: str) -> str:
        text = trimmed(text) if self.trim_whitespace else text
        # Four characters may become one; more never do.
        if len(text) <= 4 * self.limit:
            text = normalised(text)
        if len(text) > self.limit:
            # Before the validators, and alone: some of them take their time over a long text.
            self.fail("max_length", max_length=self.limit)
        return text


class CharField(_Text): ...


class EmailField(_Text, drf.EmailField): ...


class URLField(_Text, drf.URLField): ...


class RegexField(_Text, drf.RegexField): ...


class SlugField(_Text, drf.SlugField): ...


class ChoiceField(drf.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        # What is no choice is repeated in the answer.
        if not isinstance(data, str | int | float):
            self.fail("invalid_choice", input=type(data).__name__)
        text = str(data)
        return super().to_internal_value(text if len(text) <= 100 else f"{text[:100]}…")


# --- Numbers ---------------------------------------------------------------------------------------------------------


class IntegerField(drf.IntegerField):
    """Within what a column of four bytes holds, unless it is bounded more tightly."""

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get("read_only"):
            lowest, highest = INTEGER_RANGE
            kwargs = {"min_value": lowest, "max_value": highest, **kwargs}
        super().__init__(**kwargs)


# --- Lists -----------------------------------------------------------------------------------------------------------


class ListField(drf.ListField):
    @property
    def limit(self) -> int:
        return self.max_length or MAX_ITEMS

    def to_internal_value(self, data: Any) -> Any:
        # REST framework looks at every member first.
        if hasattr(data, "__len__") and not isinstance(data, str) and len(data) > self.limit:
            self.fail("max_length", max_length=self.limit)
        return super().to_internal_value(data)


class ListSerializer(drf.ListSerializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": MAX_ITEMS, **kwargs})


class ManyRelatedField(drf.ManyRelatedField):
    default_error_messages = {"max_length": _("Ensure this field has no more than {max_length} elements.")}
    limit = MAX_ITEMS

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list | tuple) and len(data) > self.limit:
            self.fail("max_length", max_length=self.limit)
        return super().to_internal_value(data)


# --- Other rows ------------------------------------------------------------------------------------------------------


class _Related(drf.RelatedField):
    default_error_messages = {
        "does_not_exist": _("There is nothing of this kind with this id."),
        "incorrect_type": _("An id is needed."),
        "invalid": _("An id is needed."),
    }

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> ManyRelatedField:
        child = cls(*args, **kwargs)
        return ManyRelatedField(
            child_relation=child, **{name: kwargs[name] for name in MANY_RELATION_KWARGS if name in kwargs}
        )


class PrimaryKeyRelatedField(_Related, drf.PrimaryKeyRelatedField):
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and not is_id(data):
            self.fail("invalid")
        if not isinstance(data, str | int | UUID):
            self.fail("incorrect_type")
        return super().to_internal_value(data)


class SlugRelatedField(_Related, drf.SlugRelatedField): ...


# --- Serializers -----------------------------------------------------------------------------------------------------


def rule(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a serializer's method as a check of what these fields say together: `check(self, attrs)`, which raises. It
    is made where nothing is wrong with any of them by itself, whatever is wrong with other fields, so that a person
    hears of everything at once; `validate` is called only when all else is right."""

    def mark(check: Callable[..., None]) -> Callable[..., None]:
        check.names = names  # type: ignore[attr-defined]
        return check

    return mark


class Serializer(drf.Serializer):
    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> drf.ListSerializer:
        kwargs.setdefault("max_length", MAX_ITEMS)
        many: Any = super().many_init(*args, **kwargs)
        return many

    # What has been read of the body so far.
    _read: MutableMapping[str, Any]

    def set_value(self, dictionary: MutableMapping[str, Any], keys: Sequence[str], value: Any) -> None:
        self._read = dictionary
        super().set_value(dictionary, keys, value)

    def to_internal_value(self, data: Any) -> Any:
        self._read = {}
        errors: dict[str, Any] = {}
        try:
            attrs = super().to_internal_value(data)
        except ValidationError as error:
            attrs, errors = self._read, dict(error.detail) if isinstance(error.detail, dict) else {}
            if api_settings.NON_FIELD_ERRORS_KEY in errors:
                raise
        broken: dict[str, Any] = {}
        for check in self._rules():
            if not errors.keys() & set(check.names):  # type: ignore[attr-defined]
                try:
                    check(self, attrs)
                except (ValidationError, DjangoValidationError) as error:
                    broken |= as_serializer_error(error)
        if errors or broken:
            raise ValidationError({**broken, **errors})
        return attrs

    @classmethod
    def _rules(cls) -> list[Callable[..., None]]:
        found = {name: getattr(cls, name) for base in reversed(cls.__mro__) for name in vars(base)}
        return [check for check in found.values() if hasattr(check, "names") and callable(check)]


class ModelSerializer(Serializer, drf.ModelSerializer):
    serializer_field_mapping = {
        **drf.ModelSerializer.serializer_field_mapping,
        models.CharField: CharField,
        models.TextField: CharField,
        models.EmailField: EmailField,
        models.SlugField: SlugField,
        models.URLField: URLField,
        models.IntegerField: IntegerField,
        models.PositiveIntegerField: IntegerField,
        models.PositiveSmallIntegerField: IntegerField,
        models.SmallIntegerField: IntegerField,
    }
    serializer_choice_field = ChoiceField
    serializer_related_field = PrimaryKeyRelatedField

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """A whole number has the bounds of PostgreSQL's column on every database."""
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        bounds = BaseDatabaseOperations.integer_field_ranges.get(model_field.get_internal_type())
        if bounds and issubclass(field_class, drf.IntegerField):
            kwargs["min_value"] = max(bounds[0], kwargs.get("min_value", bounds[0]))
            kwargs["max_value"] = min(bounds[1], kwargs.get("max_value", bounds[1]))
        return field_class, kwargs
