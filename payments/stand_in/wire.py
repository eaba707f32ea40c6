"""What passes between the HTTP server and the three things behind it: the API, the page, the controls."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/json")

    def fields(self) -> dict[str, Any]:
        """The flat fields of a form or a JSON object, later ones winning.

        Raises ValueError when the body is not what its content type says.
        """
        if not self.is_json:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        fields = json.loads(self.body or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("a JSON object is expected")
        return fields


@dataclass
class Response:
    """An answer, or one of two ways to fail: `cut` sends half of the body, `silent` sends nothing."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


def as_json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=2).encode()
    return Response(status, body, "application/json", headers or {})


def as_html(text: str, *, status: int = 200) -> Response:
    # The page shows what a shop wrote into its product names, so it may run and load nothing.
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Response(status, text.encode(), "text/html; charset=utf-8", headers)
