"""The WSGI entry point, `config.wsgi:application`."""

import os
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponseBase
from django.urls import get_resolver
from django.utils import translation
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext_lazy as _

from common.errors import problem_response

CHUNK_BYTES = 64 * 1024
BODY_MAX_BYTES = 32 * 1024 * 1024  # more than any upload that is taken


class UTF8Request(WSGIRequest):
    """A request in UTF-8, whatever charset its Content-Type names: Django would decode the address by it, and fail with
    a 500 where it is `hex` or `punycode`."""

    def _set_content_type_params(self, meta: dict) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    request_class = UTF8Request

    def __call__(self, environ: dict, start_response: Callable) -> HttpResponseBase:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            _measure(environ)
        response = super().__call__(environ, start_response)
        _read_to_the_end(environ["wsgi.input"])
        return response


def refuse_slow_body(environ: dict, start_response: Callable) -> list[bytes]:
    """An application that answers nothing else (see config.asgi)."""
    request = UTF8Request(environ | {"CONTENT_LENGTH": "0"})
    with translation.override(translation.get_language_from_request(request)):
        response = problem_response(408, "request_timeout", _("The body did not arrive in time."))
    headers = [*response.items(), ("Content-Length", str(len(response.content))), ("Connection", "close")]
    start_response("408 Request Timeout", headers)
    return [response.content]


def _measure(environ: dict) -> None:
    """Gives a body that came in chunks its length: Django reads as much as CONTENT_LENGTH says, and nothing without."""
    body = SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - it lives as long as the request
    while body.tell() < BODY_MAX_BYTES and (chunk := environ["wsgi.input"].read(CHUNK_BYTES)):
        body.write(chunk)
    environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    environ["wsgi.input"] = body


def _read_to_the_end(body: BinaryIO) -> None:
    """What was refused unread is read all the same: the server would close the connection under the client, which then
    may not see why it was refused, or sends its next request for nothing (RFC 9112, 9.6)."""
    left = BODY_MAX_BYTES
    while left > 0 and (chunk := body.read(CHUNK_BYTES)):
        left -= len(chunk)


django.setup(set_prefix=False)
application = Handler()

# Import every view now: otherwise the first visitor waits for it.
get_resolver().url_patterns  # noqa: B018 - the property imports them
