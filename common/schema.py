"""What the OpenAPI document says of errors, in one place."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from common.errors import PROBLEM_JSON

PROBLEM_SCHEMA = {
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

DESCRIPTIONS = {
    "400": "A field, a filter or the body is not valid.",
    "401": "No credentials, or bad ones.",
    "403": "You see this but may not do it; `code` says why.",
    "404": "It does not exist, as far as you may know.",
    "413": "The body is too large.",
    "415": "The content type is not accepted here.",
    "429": "Too many requests; `Retry-After` says when to come back.",
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
    "413": ("body_too_large", "The body is larger than 2 MB.", []),
    "415": ("unsupported_media_type", "Unsupported media type in request.", []),
    "429": ("throttled", "Too many requests. Try again in 30 seconds.", []),
}
TITLES = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "413": "Request Entity Too Large",
    "415": "Unsupported Media Type",
    "429": "Too Many Requests",
}


def problems(**codes: str) -> dict[tuple[int, str], OpenApiResponse]:
    """For `extend_schema(responses=…)`: errors beyond the usual ones, as `_409="code: in which case"`."""
    return {
        (int(name.lstrip("_")), PROBLEM_JSON): OpenApiResponse(
            response={"$ref": "#/components/schemas/Problem"},
            description=text,
            examples=[
                OpenApiExample(
                    name=text.partition(":")[0],
                    value={"code": text.partition(":")[0], "status": int(name.lstrip("_")), "errors": []},
                )
            ],
        )
        for name, text in codes.items()
    }


def describe_errors(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook: the errors that follow from an operation's form."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["responses"] = {name: _response(name) for name in DESCRIPTIONS}
    for path, operations in result["paths"].items():
        if not path.startswith("/api/") or path.startswith("/api/schema/"):
            continue
        for operation in operations.values():
            for name in _statuses(path, operation):
                operation["responses"].setdefault(name, {"$ref": f"#/components/responses/{name}"})
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


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


def _statuses(path: str, operation: dict[str, Any]) -> list[str]:
    statuses = ["429"]
    has_body = "requestBody" in operation
    if has_body or any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        statuses.append("400")
    if has_body:
        statuses += ["413", "415"]
    if operation.get("security") and {} not in operation["security"]:
        statuses += ["401", "403"]
    elif operation.get("security"):
        statuses.append("401")  # a bad token is refused even where none is needed
    if "{" in path:
        statuses.append("404")
    return statuses
