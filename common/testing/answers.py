"""Holds every answer that a test gets from the API to the committed `openapi.yaml`, in both directions.

`watch()` is called once, before the first test. From then on each request that a test sends through Django's or DRF's
client to an address of the document fails the test if the answer's status is not documented for the operation, its
content type is another one, or its body does not fit the schema. An object of the schema is closed unless it says
`additionalProperties`: a member that the document does not name is as wrong as one that is missing.

The document is read once a process, and a schema is compiled when the first answer of its kind arrives: a check takes
some microseconds.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import yaml
from django.test import Client

from common.errors import PROBLEM_JSON
from common.problems import PROBLEMS

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "openapi.yaml"
PROBLEM = {"$ref": "#/components/schemas/Problem"}
ROOT = "urn:lyceum"


class ContradictionError(AssertionError):
    """An answer and the OpenAPI document contradict each other."""


def watch() -> None:
    """Make Django's test client, which DRF's is built on, check each answer."""
    request = Client.request

    def checked(self: Client, **environ: Any) -> Any:
        response = request(self, **environ)
        check(response.request["REQUEST_METHOD"], response.request["PATH_INFO"], response)
        return response

    Client.request = checked  # type: ignore[method-assign]


def check(method: str, path: str, response: Any) -> None:
    """Raise ContradictionError if the document says something else of this answer."""
    found = template_of(path)
    if found is None:
        if path.startswith("/api/") and response.status_code >= 400:
            _check_body(method, path, response, PROBLEM)
        return
    operation = document()["paths"][found].get("get" if method == "HEAD" else method.lower())
    where = f"{method} {found} ({path})"
    if operation is None:
        # Nothing is said of a method that an address does not have: it is refused, OPTIONS apart.
        if response.status_code >= 400:
            _check_body(method, path, response, PROBLEM)
        elif method != "OPTIONS":
            _fail(where, response, "this method is not in the document")
        return
    status = str(response.status_code)
    if status == "304" and method in ("GET", "HEAD"):
        return  # the caller holds the answer already; it has no body
    if status not in operation["responses"]:
        if status == "500":  # a test broke something on purpose; no client is promised such an answer
            _check_body(method, path, response, PROBLEM)
            return
        _fail(where, response, f"status {status} is not documented; documented are {sorted(operation['responses'])}")
    content = _resolved(operation["responses"][status]).get("content", {})
    if method == "HEAD" or not content:
        if _body(response):
            _fail(where, response, "the document says that this answer has no body")
        return
    kind = _kind(response)
    if kind not in content:
        _fail(where, response, f"content type {kind or 'none'} is not documented; documented are {sorted(content)}")
    if kind.endswith("json"):
        _check_body(method, path, response, content[kind].get("schema", {}), where=where)


def _check_body(method: str, path: str, response: Any, schema: dict[str, Any], *, where: str = "") -> None:
    where = where or f"{method} {path}"
    if method == "HEAD":
        return
    if schema is PROBLEM and _kind(response) != PROBLEM_JSON:
        _fail(where, response, f"an error has content type {_kind(response)}, not {PROBLEM_JSON}")
    try:
        value = orjson.loads(_body(response))
    except ValueError as error:
        _fail(where, response, f"the body is no JSON: {error}")
    validator = _validator(orjson.dumps(schema))
    if not validator.is_valid(value):
        told = [f"{_place(error)}: {error.message[:300]}" for error in _causes(validator.iter_errors(value))]
        _fail(where, response, "the body does not fit the schema:\n  " + "\n  ".join(dict.fromkeys(told)))
    if _kind(response) == PROBLEM_JSON and value["code"] not in PROBLEMS:
        _fail(where, response, f"common/problems.py does not say what {value['code']!r} means")


def _causes(errors: Any) -> list[Any]:
    """The innermost errors: "is not valid under any of the given schemas" helps nobody."""
    found = []
    for error in errors:
        branches = getattr(error.kind, "context", None) or []
        found += [cause for branch in branches for cause in _causes(branch)] or [error]
    return found[:20]


def _place(error: Any) -> str:
    return ".".join(map(str, error.instance_path)) or "(whole body)"


def _fail(where: str, response: Any, reason: str) -> None:
    raise ContradictionError(
        f"{where} answered {response.status_code}, which contradicts openapi.yaml: {reason}\n"
        "Either the answer is wrong, or what the serializer or extend_schema says of it. After a change of these run "
        f"`make schema`.\nAnswer: {_body(response)[:600].decode(errors='replace')}"
    )


def _kind(response: Any) -> str:
    return response.get("Content-Type", "").partition(";")[0].strip()


def _body(response: Any) -> bytes:
    """A file that is sent piece by piece is left for the test to read."""
    return b"" if response.streaming else response.content


# --- The document ----------------------------------------------------------------------------------------------------


@cache
def document() -> dict[str, Any]:
    return yaml.load(DOCUMENT.read_bytes(), yaml.CSafeLoader)  # ten times faster than the one in Python


@cache
def template_of(path: str) -> str | None:
    """The documented address that a path is one of; a literal segment is preferred to a variable one."""
    return _descend(_addresses(), path.split("/"))


def _descend(node: dict[str, Any], segments: list[str]) -> str | None:
    if not segments:
        return node.get("address")
    first, rest = segments[0], segments[1:]
    for key in (f"={first}", "variable") if first else ("=",):
        if key in node and (found := _descend(node[key], rest)):
            return found
    return None


@cache
def _addresses() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for address in document()["paths"]:
        node = root
        for segment in address.split("/"):
            node = node.setdefault("variable" if segment.startswith("{") else f"={segment}", {})
        node["address"] = address
    return root


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in response:
        return document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return response


@cache
def _registry() -> jsonschema_rs.Registry:
    schemas = {name: _closed(schema) for name, schema in document()["components"]["schemas"].items()}
    return jsonschema_rs.Registry([(ROOT, {"components": {"schemas": schemas}})])


@cache
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.Draft202012Validator(
        _closed(orjson.loads(schema)),
        registry=_registry(),
        validate_formats=True,
        formats={"email": _email().is_valid},
        base_uri=f"{ROOT}:answer",
    )


@cache
def _email() -> Any:
    """An address may hold letters of any language, for which JSON Schema has a format of its own."""
    return jsonschema_rs.Draft202012Validator({"format": "idn-email"}, validate_formats=True)


def _closed(schema: Any) -> Any:
    """The JSON Schema that says what OpenAPI 3.0's says, with objects closed."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: {name: _closed(one) for name, one in value.items()} if key == "properties" else _closed(value)
        for key, value in schema.items()
        if key not in ("nullable", "example", "default", "discriminator")
    }
    if "$ref" in result:
        result["$ref"] = ROOT + result["$ref"]
    for bound in ("Maximum", "Minimum"):
        if result.pop(f"exclusive{bound}", None):
            result[f"exclusive{bound}"] = result.pop(bound.lower())
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    if schema.get("nullable") is True and "type" in result:
        result["type"] = [result["type"], "null"]
    return result
