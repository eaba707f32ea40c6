"""`Idempotency-Key`: a write that is sent again is answered as it was, and done once.

The same key and body: the stored answer, with `Idempotent-Replayed: true`. The same key with another body or for
another operation: 422. While the first one is still being answered: 409. An answer of 5xx is not kept.
"""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from uuid import uuid5

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import PROBLEM_JSON, RuleBroken
from common.renderers import JSONRenderer
from payments.models import IdempotencyRecord
from users.models import User

LONGEST_KEY = 255
# In bytes. A refusal may repeat what it refuses: a long one is not kept, and the same request is refused anew.
LONGEST_ANSWER, LONGEST_REFUSAL = 16 * 1024, 1024
# Of each person the latest; the rest is forgotten before its day is over.
KEPT_PER_PERSON = 500
# Refusals of the moment, as a 5xx is: the same request may well be answered otherwise.
TRY_AGAIN = frozenset({"conflict", "payment_processing", "refund_in_progress"})

PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Up to 255 ASCII characters of your own, such as a UUID. Sent again with the same body within a day, "
    "the request is answered as before, with `Idempotent-Replayed: true`.",
)
PROBLEMS = {
    "_409": "idempotency_key_in_use: A request with this key is being answered.",
    "_422": "idempotency_key_reused: This key came with another body before.",
}

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """For a view's method that creates or moves money."""

    @wraps(handler)
    def answer(view: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return handler(view, request, *args, **kwargs)
        user = cast(User, request.user)
        fingerprint = _fingerprint(view, handler, kwargs, request)
        record = _claim(user, key, fingerprint)
        # The same for the same request, also when its answer was lost and nothing has been kept.
        request.idempotent_id = uuid5(user.pk, f"{key} {fingerprint}")  # type: ignore[attr-defined]
        if record.status_code is not None:
            return _replay(record.status_code, record.response)
        try:
            response = handler(view, request, *args, **kwargs)
        except Exception as error:
            try:
                response = view.handle_exception(error)
            except Exception:
                _mine(record).delete()
                raise
        _keep(record, response)
        return response

    return answer


def _fingerprint(view: APIView, handler: Handler, path: dict[str, Any], request: Request) -> str:
    """Of the operation, the body, and the caller's rank: whoever is no admin any more is not answered as one."""
    rank = cast(User, request.user).is_staff
    asked = [type(view).__qualname__, handler.__name__, path, request.data, rank]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _claim(user: User, key: str, fingerprint: str) -> IdempotencyRecord:
    """The key's record: ours to answer, or answered already. Raises RuleBroken where it is neither."""
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise RuleBroken("invalid_idempotency_key", _("A key has 1 to 255 ASCII characters."), status_code=400)
    now = timezone.now()
    records = IdempotencyRecord.objects.filter(user=user, key=key)
    records.filter(created_at__lt=now - IdempotencyRecord.KEPT, leased_until__lt=now).delete()
    with transaction.atomic():
        record, is_new = IdempotencyRecord.objects.get_or_create(
            user=user, key=key, defaults={"fingerprint": fingerprint, "leased_until": now + IdempotencyRecord.LEASE}
        )
    if is_new:
        return record
    if record.fingerprint != fingerprint:
        raise RuleBroken("idempotency_key_reused", _("This key came with another request before."), status_code=422)
    if record.status_code is None:
        abandoned = records.filter(status_code__isnull=True, leased_until__lt=now)
        record.leased_until = now + IdempotencyRecord.LEASE
        if not abandoned.update(leased_until=record.leased_until, updated_at=now):
            raise RuleBroken("idempotency_key_in_use", _("A request with this key is being answered."), wait=1)
    return record


def _mine(record: IdempotencyRecord) -> QuerySet[IdempotencyRecord]:
    """The row, unless another request has taken it over."""
    return IdempotencyRecord.objects.filter(pk=record.pk, leased_until=record.leased_until, status_code__isnull=True)


def _keep(record: IdempotencyRecord, response: Response) -> None:
    body = JSONRenderer().render(response.data)
    longest = LONGEST_REFUSAL if response.status_code >= 400 else LONGEST_ANSWER
    if response.status_code >= 500 or response.data.get("code") in TRY_AGAIN or len(body) > longest:
        _mine(record).delete()
        return
    _mine(record).update(
        status_code=response.status_code,
        response=body.decode(),
        updated_at=timezone.now(),
    )
    answered = IdempotencyRecord.objects.filter(user=record.user_id, status_code__isnull=False)
    surplus = answered.order_by("-created_at", "-pk").values_list("pk", flat=True)[KEPT_PER_PERSON:]
    if surplus:
        answered.filter(pk__in=list(surplus)).delete()


def _replay(status_code: int, body: str) -> Response:
    content_type = PROBLEM_JSON if status_code >= 400 else None
    headers = {"Idempotent-Replayed": "true"}
    return Response(orjson.loads(body), status=status_code, headers=headers, content_type=content_type)


def forget() -> int:
    """Deletes what is older than a day; says how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - IdempotencyRecord.KEPT).delete()[0]
