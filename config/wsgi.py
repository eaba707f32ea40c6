"""The WSGI entry point, `config.wsgi:application`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.urls import get_resolver
from django.utils.http import parse_header_parameters


class UTF8Request(WSGIRequest):
    """A request in UTF-8, whatever charset its Content-Type names: Django would decode the address by it, and fail with
    a 500 where it is `hex` or `punycode`."""

    def _set_content_type_params(self, meta: dict) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    request_class = UTF8Request


django.setup(set_prefix=False)
application = Handler()

# Import every view now: otherwise the first visitor waits for it.
_ = get_resolver().url_patterns
