"""Whether the server is alive, whether it can work, and what its API looks like."""

import asyncio
import dataclasses
from functools import lru_cache
from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.views.static import serve
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema, extend_schema_view
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView
from kombu.exceptions import OperationalError
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import serializers
from common.background import impatient_connection
from common.problems import PROBLEMS, type_of
from common.renderers import JSONRenderer
from common.schema import pages, problems


@dataclasses.dataclass
class Broker(HealthCheck):
    """The Celery broker accepts connections, whichever it is."""

    def run(self) -> None:
        try:
            with impatient_connection(settings.CELERY_BROKER_URL) as connection:
                connection.ensure_connection(max_retries=0)
        except (OSError, OperationalError) as error:
            raise ServiceUnavailable(f"Broker: {error}") from error


class ReadyView(HealthCheckView):
    """`/readyz/`: 200 if database, cache and broker answer, else 503; the body names each of them."""

    checks = ("health_check.checks.Database", "health_check.checks.Cache", Broker)

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with self.get_executor() as executor:
            results = await asyncio.gather(*(check.get_result(executor) for check in self.get_checks()))
        body = {type(r.check).__name__.lower(): "ok" if not r.error else "unavailable" for r in results}
        return JsonResponse(body, status=503 if any(r.error for r in results) else 200)


def alive(request: HttpRequest) -> HttpResponse:
    """`/healthz/`: the process answers; nothing else is asked."""
    response = JsonResponse({"status": "ok"})
    add_never_cache_headers(response)
    return response


def public_file(request: HttpRequest, path: str) -> HttpResponseBase:
    """`/media/public/…`: pictures that anyone may see. No `..` in the path leads out of that folder."""
    try:
        return serve(request, path, document_root=str(settings.MEDIA_ROOT / "public"))
    except (OSError, SuspiciousFileOperation):  # no file system has so long a name
        raise Http404 from None


# --- What a problem means --------------------------------------------------------------------------------------------


class ProblemMeaningSerializer(serializers.Serializer):
    """A problem that an answer may tell of."""

    type = serializers.URLField()
    code = serializers.CharField()
    statuses = serializers.ListField(child=serializers.IntegerField())
    meaning = serializers.CharField()
    advice = serializers.CharField()


@extend_schema_view(
    get=extend_schema(
        summary="What a problem means",
        description="Where the `type` of a problem document leads: a page for browsers, JSON for programs.",
        responses={
            (200, "application/json"): ProblemMeaningSerializer,
            **problems(_404="not_found: No problem has this code."),
            **pages(200, 404),
        },
    )
)
class ProblemView(APIView):
    """What a code means, and what to do about it."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request, code: str) -> HttpResponse:
        problem = PROBLEMS.get(code)
        if request.accepted_renderer.format == "html":
            context = {"code": code, "problem": problem}
            return render(request._request, "common/problem.html", context, status=200 if problem else 404)
        if problem is None:
            raise NotFound
        return Response(ProblemMeaningSerializer({"type": type_of(code), "code": code, **vars(problem)}).data)


# --- The API's own documentation -------------------------------------------------------------------------------------


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, generated once per process and language."""

    throttle_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        as_json = request.accepted_renderer.format == "json"
        return HttpResponse(schema_document(as_json=as_json), content_type=request.accepted_renderer.media_type)


@lru_cache(maxsize=4)
def schema_document(*, as_json: bool) -> bytes:
    """The document as bytes of JSON or YAML; in English, the language of developers."""
    with translation.override("en"):
        schema = SchemaGenerator().get_schema(request=None, public=True)
    renderer = OpenApiJsonRenderer() if as_json else OpenApiYamlRenderer()
    return renderer.render(schema, renderer_context={})


@method_decorator(csp_update({"style-src": [SELF, UNSAFE_INLINE]}), name="dispatch")
class SwaggerView(SpectacularSwaggerSplitView):
    url_name = "schema"
    throttle_classes = ()


# ReDoc builds its styles, and a worker for its search, as it runs.
@method_decorator(
    csp_update({"style-src": [SELF, UNSAFE_INLINE], "worker-src": [SELF, "blob:"], "font-src": [SELF, "data:"]}),
    name="dispatch",
)
class RedocView(SpectacularRedocView):
    url_name = "schema"
    throttle_classes = ()
