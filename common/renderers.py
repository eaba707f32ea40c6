from datetime import UTC, datetime
from typing import Any

import orjson
from drf_orjson_renderer.renderers import ORJSONRenderer
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation


class JSONRenderer(ORJSONRenderer):
    """JSON in which every time is UTC, written with a Z."""

    options = orjson.OPT_PASSTHROUGH_DATETIME

    @staticmethod
    def default(obj: Any) -> Any:
        if isinstance(obj, datetime):
            return obj.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return ORJSONRenderer.default(obj)


class LenientNegotiation(DefaultContentNegotiation):
    """Answers in JSON whatever the client would rather have: a 406 helps nobody (RFC 9110, 12.5.1 allows it)."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            return renderers[0], renderers[0].media_type
