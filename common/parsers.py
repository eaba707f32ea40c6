"""How bodies are read: with a limit, and with nothing lost on the way."""

import io
from typing import Any

import orjson
from django.conf import settings
from django.http.multipartparser import MultiPartParser as DjangoMultiPartParser
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from common.errors import BodyTooLarge

# Far more than any body of ours. Code that recurses, `str()` among it, gives up at some hundreds.
MAX_DEPTH = 100


class JSONParser(parsers.BaseParser):
    """UTF-8 JSON of at most `MAX_JSON_BYTES` and `MAX_DEPTH` levels. What is nested deeper or holds a lone surrogate is
    no JSON: 400 `parse_error`, as for any broken body."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = _read(stream)
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(_("The body is not valid JSON: %(problem)s") % {"problem": error}) from None
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(data):
            raise ParseError(_("The body is nested too deeply."))
        return data


class FormParser(parsers.FormParser):
    """A form without files, of at most `MAX_FORM_BYTES`: each escape of it takes many times its length."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = _read(stream)
        if len(body) > settings.MAX_FORM_BYTES:
            raise BodyTooLarge
        return super().parse(io.BytesIO(body), media_type, parser_context)


class MultiPartParser(parsers.MultiPartParser):
    """A form with files. One named `..`, say, is a file like any other: Django would drop it without a word."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> parsers.DataAndFiles:
        context = parser_context or {}
        request = context["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        encoding = context.get("encoding", settings.DEFAULT_CHARSET)
        try:
            data, files = _KeepsEveryFile(meta, stream, request.upload_handlers, encoding).parse()
        except MultiPartParserError as error:
            raise ParseError(_("The form is broken: %(problem)s") % {"problem": error}) from None
        return parsers.DataAndFiles(data, files)


class _KeepsEveryFile(DjangoMultiPartParser):
    def sanitize_file_name(self, file_name: str) -> str:
        return super().sanitize_file_name(file_name) or "file"


def _is_deep(data: Any) -> bool:
    level = [data]
    for _depth in range(MAX_DEPTH + 1):
        containers = [value for value in level if isinstance(value, list | dict)]
        if not containers:
            return False
        level = [child for value in containers for child in (value.values() if isinstance(value, dict) else value)]
    return True


def _read(stream: Any) -> bytes:
    # The stream is the request itself: nothing before this line has limited it.
    body = stream.read(settings.MAX_JSON_BYTES + 1)
    if len(body) > settings.MAX_JSON_BYTES:
        raise BodyTooLarge
    return body
