from typing import Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request

from common.renderers import JSONRenderer


class Metadata(SimpleMetadata):
    """The answer to OPTIONS: what a route is, and what it takes and gives. The shapes of bodies stand in the OpenAPI
    document; REST framework would look up rows and build serializers to tell of them here."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        # Some views answer with pages or files.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return {
            "name": view.get_view_name(),
            "description": view.get_view_description(),
            "renders": [renderer.media_type for renderer in view.renderer_classes],
            "parses": [parser.media_type for parser in view.parser_classes],
        }
