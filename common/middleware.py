import logging
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import SAFE_METHODS

from common.addresses import client_address
from common.errors import RETRY_AFTER_SECONDS, ServiceUnavailable, problem_response

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


class CacheControlMiddleware:
    """Keeps what belongs to one person out of shared caches, and answers to writes (tokens among them) out of all;
    ETags go on working for everyone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/"):
            patch_vary_headers(response, ["Accept-Language", "Authorization"])
            if not response.has_header("Cache-Control"):
                if request.method not in SAFE_METHODS:
                    patch_cache_control(response, private=True, no_store=True)
                elif "Authorization" in request.headers:
                    patch_cache_control(response, private=True, no_cache=True)
                else:
                    patch_cache_control(response, public=True, no_cache=True)
        return response


class DatabaseOutageMiddleware:
    """A database that is away is a pause (503 with Retry-After), not a fault of the program."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        response = problem_response(503, ServiceUnavailable.default_code, ServiceUnavailable.default_detail)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response


class HostMiddleware:
    """Refuses a request for a host that is none of ours, before anything else asks for it: Django itself would log a
    traceback, and show a page for developers while DEBUG is on."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            host = request.META.get("HTTP_HOST", "")
            logger.warning("Refused a request from %s for the host %.100r", client_address(request) or "-", host)
            return problem_response(400, "bad_request", _("This server does not answer under that host name."))
        return self.get_response(request)


class OneLine(logging.Filter):
    """A malformed request is the caller's affair: what Django logs of it goes without the traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True
