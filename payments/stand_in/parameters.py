"""Form parameters: decoding Stripe's bracket notation, and checking it against the SDK's own types.

The SDK's `stripe.params` are TypedDicts generated from Stripe's OpenAPI description, so their names, nesting,
kinds and allowed values are those of the API.
"""

import functools
import re
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from stripe import RequestOptions

from .errors import ApiError, required

# The SDK writes values that may grow as `Literal[...] | str`: the literals are what the API takes today.
KEY = re.compile(r"\[([^\[\]]*)\]")
INTEGER = re.compile(r"[+-]?\d{1,18}")

METADATA_KEYS = 50
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


def decode(text: str) -> dict[str, Any]:
    """`a[b][0]=c&d[]=e` as `{"a": {"b": {"0": "c"}}, "d": {"0": "e"}}`: the schema knows what is a list."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = name.partition("[")
        keys = [head, *KEY.findall(f"[{rest}" if rest else "")]
        node = tree
        for key in keys[:-1]:
            node = node.setdefault(key or str(len(node)), {})
            if not isinstance(node, dict):
                raise ApiError(f"Invalid object: {name}", param=head)
        node[keys[-1] or str(len(node))] = value
    return tree


def check(values: dict[str, Any], schema: Any, at: str = "") -> dict[str, Any]:
    """The decoded parameters with their Python types: int, bool, Decimal, str, lists and dicts.

    Raises ApiError naming the parameter in bracket notation: unknown names first, then missing ones, then
    values.
    """
    hints = _hints(schema)
    unknown = [_path(at, name) for name in values if name not in hints]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise ApiError(
            f"Received unknown parameter{plural}: {', '.join(unknown)}",
            code="parameter_unknown",
            param=unknown[0],
        )
    for name in sorted(schema.__required_keys__ & hints.keys()):
        if name not in values:
            raise required(_path(at, name))
    return {name: _value(value, hints[name], _path(at, name)) for name, value in values.items()}


@functools.cache
def _hints(schema: Any) -> dict[str, Any]:
    """The parameters of a TypedDict of the SDK and their types, without the SDK's own request options."""
    # The SDK imports these two names for type checkers only.
    hints = typing.get_type_hints(schema, localns={"StripeContext": object, "Mapping": Mapping})
    return {name: hint for name, hint in hints.items() if name not in RequestOptions.__annotations__}


def _path(at: str, name: str) -> str:
    return f"{at}[{name}]" if at else name


def _value(value: Any, hint: Any, path: str) -> Any:
    options = _options(hint)
    if isinstance(value, dict):
        return _nested(value, options, path)
    literals = [literal for option in options for literal in typing.get_args(option) if _is_literal(option)]
    if value in literals:
        return value
    if value == "":
        raise ApiError(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{path}' cannot be unset. You should remove '{path}' from your request or "
            "supply a non-empty value.",
            code="parameter_invalid_empty",
            param=path,
        )
    named = [literal for literal in literals if literal]
    scalars = [option for option in options if option in (int, float, Decimal, bool)]
    if named and not scalars:
        words = named[0] if len(named) == 1 else f"{', '.join(named[:-1])}, or {named[-1]}"
        raise ApiError(f"Invalid {path}: must be one of {words}", param=path)
    if scalars:
        return _scalar(value, scalars[0], path)
    if str in options:
        return value
    kind = "array" if any(typing.get_origin(option) is list for option in options) else "object"
    raise ApiError(f"Invalid {kind}", param=path)


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _is_literal(option: Any) -> bool:
    return typing.get_origin(option) is typing.Literal


def _scalar(value: str, kind: type, path: str) -> Any:
    if kind is bool:
        if value not in ("true", "false"):
            raise ApiError(f"Invalid boolean: {value}", param=path)
        return value == "true"
    if kind is int:
        if not INTEGER.fullmatch(value):
            raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
        return int(value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ApiError(f"Invalid decimal: {value}", param=path)
    return float(number) if kind is float else number


def _nested(value: dict[str, Any], options: tuple[Any, ...], path: str) -> Any:
    for option in options:
        arguments = typing.get_args(option)
        if hasattr(option, "__required_keys__"):
            return check(value, option, path)
        if typing.get_origin(option) is list:
            if not all(key.isdecimal() for key in value):
                raise ApiError("Invalid array", param=path)
            return [_value(value[key], arguments[0], f"{path}[{key}]") for key in sorted(value, key=int)]
        if typing.get_origin(option) is dict:
            return _metadata(value, path) if arguments[1] is str else _mapping(value, arguments[1], path)
    raise ApiError(f"Invalid string: {value}", param=path)


def _mapping(value: dict[str, Any], hint: Any, path: str) -> dict[str, Any]:
    return {key: _value(item, hint, f"{path}[{key}]") for key, item in value.items()}


def _metadata(value: dict[str, Any], path: str) -> dict[str, str]:
    if len(value) > METADATA_KEYS:
        raise ApiError(f"Metadata can have up to {METADATA_KEYS} keys, but you passed {len(value)}.", param=path)
    for key, item in value.items():
        if not isinstance(item, str):
            raise ApiError(f"Invalid string: {item}", param=f"{path}[{key}]")
        if len(key) > METADATA_KEY_LENGTH:
            raise ApiError(
                f"Metadata keys can have up to {METADATA_KEY_LENGTH} characters, but you passed in a key "
                f"that is {len(key)} characters. Invalid key: {key}",
                param=path,
            )
        if len(item) > METADATA_VALUE_LENGTH:
            raise ApiError(
                f"Metadata values can have up to {METADATA_VALUE_LENGTH} characters, but you passed in a "
                f"value that is {len(item)} characters. Invalid value: {item}",
                param=path,
            )
    return value
