"""What the OpenAPI document says of errors, in one place."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, OpenApiTypes

from common.errors import PROBLEM_JSON

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people, in the language of Accept-Language."},
        "code": {"type": "string", "description": "For programs; the same in every language."},
        "errors": {
            "type": "array",
            "description": "The fields of a 400; empty otherwise.",
            "items": {
                "type": "object",
                "required": ["attr", "code", "detail"],
                "properties": {
                    "attr": {"type": "string", "nullable": True},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

# What is to be paid, beside the problem: the 402 of something that has to be bought.
PAYMENT_REQUIRED_SCHEMA = {
    **PROBLEM_SCHEMA,
    "required": [*PROBLEM_SCHEMA["required"], "price", "currency"],
    "properties": {
        **PROBLEM_SCHEMA["properties"],
        "price": {"type": "string", "format": "decimal", "pattern": r"^\d{1,8}\.\d{2}$"},
        "currency": {"type": "string", "description": "ISO 4217."},
    },
}
COMPONENTS = {402: "PaymentRequired"}  # a status whose problem carries more than others do

DESCRIPTIONS = {
    "400": "A field, a filter or the body is not valid.",
    "401": "No credentials, or bad ones.",
    "403": "You see this but may not do it; `code` says why.",
    "404": "It does not exist, as far as you may know.",
    "409": "Somebody else has just changed the same thing, or a rule of the thing itself stands against it.",
    "413": "The body is too large.",
    "415": "The content type is not accepted here.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "Something that the request needs is away for a moment; `Retry-After` says when to come back.",
}
EXAMPLES = {
    "400": (
        "validation_error",
        "Some fields are not valid.",
        [{"attr": "email", "code": "required", "detail": "This field is required."}],
    ),
    "401": ("not_authenticated", "Authentication credentials were not provided.", []),
    "403": ("permission_denied", "You do not have permission to perform this action.", []),
    "404": ("not_found", "Not found.", []),
    "409": ("conflict", "Somebody else has just changed the same thing. Try again.", []),
    "413": ("body_too_large", "The body is larger than 2 MB.", []),
    "415": ("unsupported_media_type", "Unsupported media type in request.", []),
    "429": ("throttled", "Too many requests. Try again in 30 seconds.", []),
    "503": ("service_unavailable", "The service is unavailable for a moment. Try again soon.", []),
}
TITLES = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "409": "Conflict",
    "413": "Request Entity Too Large",
    "415": "Unsupported Media Type",
    "429": "Too Many Requests",
    "503": "Service Unavailable",
}


def problems(**codes: str) -> dict[tuple[int, str], OpenApiResponse]:
    """For `extend_schema(responses=…)`: errors beyond the usual ones, as `_409="code: in which case"`."""
    return {
        (status, PROBLEM_JSON): OpenApiResponse(
            response=_problem_of(status),
            description=text,
            examples=[
                OpenApiExample(
                    name=text.partition(":")[0],
                    value={"code": text.partition(":")[0], "status": status, "errors": []},
                )
            ],
        )
        for status, text in ((int(name.lstrip("_")), text) for name, text in codes.items())
    }


def pages(*statuses: int) -> dict[tuple[int, str], Any]:
    """For `extend_schema(responses=…)`: what browsers get instead of JSON."""
    return {(status, "text/html"): OpenApiTypes.STR for status in statuses}


def _problem_of(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{COMPONENTS.get(status, 'Problem')}"}


def describe_errors(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook: the errors that follow from an operation's form, and the body that every error has."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update(Problem=PROBLEM_SCHEMA, PaymentRequired=PAYMENT_REQUIRED_SCHEMA)
    components["responses"] = {name: _response(name) for name in DESCRIPTIONS}
    for path, operations in result["paths"].items():
        if path.startswith("/api/schema/"):
            continue
        for method, operation in operations.items():
            responses = operation["responses"]
            for name in _statuses(path, method, operation) if path.startswith("/api/") else ():
                responses.setdefault(name, {"$ref": f"#/components/responses/{name}"})
            for name, response in responses.items():
                if name >= "400" and "$ref" not in response:
                    content = response.setdefault("content", {})
                    content.setdefault(PROBLEM_JSON, {"schema": _problem_of(int(name))})
            operation["responses"] = dict(sorted(responses.items()))
    return result


def say_what_may_be_null(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook: `nullable` means something only beside a `type` (OpenAPI 3.0.3), so a reference that may
    be null is written as one of two; and alternatives may overlap, as a public profile and one's own do."""
    _rewrite(result["paths"])
    _rewrite(result["components"])
    return result


def _rewrite(node: Any) -> None:
    if isinstance(node, list):
        for one in node:
            _rewrite(one)
    elif isinstance(node, dict):
        if isinstance(node.get("oneOf"), list) and "discriminator" not in node:
            node["anyOf"] = node.pop("oneOf")
        if node.get("nullable") is True and "type" not in node:
            del node["nullable"]
            alternatives = node.pop("anyOf", None) or node.pop("allOf", None)
            if alternatives:  # without any, it may be anything already
                node["anyOf"] = [*alternatives, {"enum": [None]}]
        for value in list(node.values()):
            _rewrite(value)


def _response(name: str) -> dict[str, Any]:
    code, detail, errors = EXAMPLES[name]
    return {
        "description": DESCRIPTIONS[name],
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": {
                    "type": f"https://example.com/problems/{code}",
                    "title": TITLES[name],
                    "status": int(name),
                    "detail": detail,
                    "code": code,
                    "errors": errors,
                },
            }
        },
    }


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    statuses = ["429", "503"]
    has_body = "requestBody" in operation
    queries = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    if has_body or queries:
        statuses.append("400")
    if method != "get":
        statuses.append("409")  # a race that the database decided
    if has_body:
        statuses += ["413", "415"]
    if operation.get("security") not in (None, [{}]):
        statuses += ["401", "403"]  # a bad token is refused even where none is needed
    if "{" in path or queries & {"page", "cursor"}:
        statuses.append("404")
    return statuses
