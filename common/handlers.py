"""Where errors become answers: DRF's exceptions, and Django's own error pages, all in the shape of `common.errors`."""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler as BaseExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse
from rest_framework import exceptions
from rest_framework.response import Response

from common.errors import (
    PROBLEM_JSON,
    BodyTooLarge,
    RuleBroken,
    ServiceUnavailable,
    problem,
    problem_response,
    try_again,
)
from common.renderers import JSONRenderer
from common.serializers import as_serializer_error
from common.throttling import count_what_was_refused

logger = logging.getLogger(__name__)

MAX_ERRORS = 100
MAX_DETAIL = 1000


# Two transactions waited for each other, and PostgreSQL has ended this one: nothing of it is done.
DEADLOCK = "40P01"


def known_problem(error: Exception) -> exceptions.APIException:
    """What the API would answer, for pages that are none of the API's."""
    context: Any = {}
    known = ExceptionHandler(error, context).convert_known_exceptions(error)
    if isinstance(known, ValidationError):  # of a model
        known = exceptions.ValidationError(as_serializer_error(known))
    return known if isinstance(known, exceptions.APIException) else exceptions.APIException(SERVER_ERROR)


SERVER_ERROR = _("Something broke on our side. We have been told.")


class ExceptionHandler(BaseExceptionHandler):
    def run(self) -> Response | None:
        try:
            count_what_was_refused(self.context["view"], self.context["request"])
        except exceptions.Throttled as throttled:
            self.exc = throttled
        except exceptions.APIException:
            pass  # a throttle that looks at the body cannot read it: the refusal that is being answered came first
        return super().run()

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, ProtectedError | RestrictedError):
            return RuleBroken("in_use", _("People have paid for this or worked on it: it cannot be deleted."))
        if isinstance(exc, IntegrityError):
            # Two requests raced past the validators; the database let one through. (A constraint that no validator
            # mirrors would show here too, which is why it is logged.)
            logger.warning("Answered with a conflict: %s", exc)
            return RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))
        if isinstance(exc, OperationalError) and getattr(exc.__cause__, "pgcode", None) == DEADLOCK:
            logger.warning("Answered with a conflict: %s", exc)
            return RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))
        if isinstance(exc, OperationalError | InterfaceError):
            return ServiceUnavailable()
        if isinstance(exc, RequestDataTooBig):
            return BodyTooLarge()
        if isinstance(exc, SuspiciousOperation):
            return exceptions.ParseError(_("The request is malformed."))
        if isinstance(exc, exceptions.Throttled):
            # DRF's own sentence is in half of a language.
            wait = getattr(exc, "wait", None)
            text = gettext("Too many requests.")
            exc.detail = exceptions.ErrorDetail(f"{text} {try_again(wait)}" if wait else text, exc.default_code)
        if isinstance(exc, UnreadablePostError):
            return exceptions.ParseError(_("The body ended too early."))
        return super().convert_known_exceptions(exc)

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        if isinstance(exc, exceptions.APIException):
            return exc
        return exceptions.APIException(SERVER_ERROR, code="server_error")

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """A pause of something outside is no fault of the program: whoever met it has logged it."""
        if not isinstance(exc, ServiceUnavailable):
            super().report_exception(exc, response)

    def get_response(self, exc: exceptions.APIException, data: dict) -> Response:
        # Views that answer with pages or YAML fail in JSON, like all others.
        request: Any = self.context["request"]
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        response = super().get_response(exc, data)
        response.content_type = PROBLEM_JSON
        return response


class ProblemFormatter(ExceptionFormatter):
    def get_errors(self) -> list[Error]:
        # Each of a thousand members may be wrong in many ways: nobody reads on so far.
        return list(islice(_flat(self.exc.detail), MAX_ERRORS))

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        is_validation = isinstance(self.exc, exceptions.ValidationError)
        first = error_response.errors[0]
        code = "validation_error" if is_validation else first.code
        detail = gettext("Some fields are not valid.") if is_validation else first.detail
        # Two validators may say the same of a field: it is said once.
        told = dict.fromkeys((e.attr, e.code, str(e.detail)) for e in error_response.errors if is_validation)
        errors = [dict(zip(("attr", "code", "detail"), error, strict=True)) for error in told]
        return {
            **problem(self.exc.status_code, code, detail, errors=errors),
            **getattr(self.exc, "extra", {}),
        }


def _flat(detail: Any, path: tuple[str, ...] = ()) -> Iterator[Error]:
    """Errors one by one, each with its path: `0.kind`. The library loses the index of a list's first element, since
    DRF gives it as the number 0."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _flat(value, (*path, str(key)))
    elif isinstance(detail, list):
        for index, item in enumerate(detail):
            yield from _flat(item, path if isinstance(item, exceptions.ErrorDetail) else (*path, str(index)))
    else:
        # The one text that DRF does not translate.
        text = gettext("No data provided") if detail == "No data provided" else str(detail)
        # Some texts, and names of members, repeat what was sent.
        yield Error(detail.code, text[:MAX_DETAIL], ".".join(path)[:MAX_DETAIL] or None)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return problem_response(400, "bad_request", _("The request is malformed."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return problem_response(403, "permission_denied", _("You may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return problem_response(404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    return problem_response(500, "server_error", SERVER_ERROR)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return problem_response(403, "csrf_failed", _("The form is out of date. Reload the page and send it again."))
