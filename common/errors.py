"""One error shape: RFC 9457 `application/problem+json`.

`{"type", "title", "status", "detail", "code", "errors": [{"attr", "code", "detail"}]}`. `code` never changes with the
language and is what a client acts on; `errors` names the fields of a 400 and is empty elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework import exceptions, status

from common.problems import type_of
from common.renderers import JSONRenderer

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class RuleBroken(exceptions.APIException):
    """A rule of the domain that the request breaks: the one exception that services raise.

    `code` is for programs, `detail` for people, `status_code` 409 unless said otherwise. `extra` adds members to the
    problem document (the price of a 402, say); `wait` becomes Retry-After, in seconds.
    """

    status_code: int = status.HTTP_409_CONFLICT

    def __init__(
        self,
        code: str,
        detail: Any,
        *,
        status_code: int = status.HTTP_409_CONFLICT,
        extra: dict[str, Any] | None = None,
        wait: int | None = None,
    ) -> None:
        super().__init__(detail=detail, code=code)
        self.status_code = status_code
        self.extra = extra or {}
        self.wait = wait


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = _("The body is larger than 2 MB.")


class ServiceUnavailable(exceptions.APIException):
    """Something that the request needs is away for the moment: asking again is right."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "service_unavailable"
    default_detail = _("The service is unavailable for a moment. Try again soon.")
    wait = RETRY_AFTER_SECONDS


def try_again(wait: int) -> str:
    """`wait` in seconds."""
    return ngettext("Try again in %(n)s second.", "Try again in %(n)s seconds.", wait) % {"n": wait}


def invalid(attr: str, code: str, detail: Any) -> exceptions.ValidationError:
    """A 400 about one field."""
    return exceptions.ValidationError({attr: [exceptions.ErrorDetail(str(detail), code)]})


@contextmanager
def as_model_errors() -> Iterator[None]:
    """A 400 about fields, raised within, as the error that a model's `clean` raises."""
    try:
        yield
    except exceptions.ValidationError as error:
        by_field: Any = error.detail
        raise ValidationError(
            {attr: [ValidationError(str(each), each.code) for each in details] for attr, details in by_field.items()}
        ) from error


def texts_of(error: exceptions.APIException) -> list[str]:
    """What it says to a person, each thing once."""

    def each(detail: Any) -> Iterator[str]:
        if isinstance(detail, dict | list):
            for part in detail.values() if isinstance(detail, dict) else detail:
                yield from each(part)
        else:
            yield str(detail)

    return list(dict.fromkeys(each(error.detail)))


def problem(status_code: int, code: str, detail: Any, *, errors: list[dict] | None = None) -> dict[str, Any]:
    """The body of an error."""
    return {
        "type": type_of(code),
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
        "detail": str(detail),
        "code": code,
        "errors": errors or [],
    }


def problem_response(status_code: int, code: str, detail: Any) -> HttpResponse:
    """The same shape for errors that arise outside DRF."""
    body = JSONRenderer().render(problem(status_code, code, detail))
    return HttpResponse(body, status=status_code, content_type=PROBLEM_JSON)
