"""`Idempotency-Key`: a write that is sent again is answered as it was, and done once.

The same key and body: the stored answer, with `Idempotent-Replayed: true`. The same key with another body or for
another operation: 422. While the first one is still being answered: 409. An answer of 5xx is not kept.
"""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import orjson
from django.db import transaction
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
        record = _claim(cast(User, request.user), key, _fingerprint(view, handler, kwargs, request.data))
        if record.status_code is not None:
            return _replay(record.status_code, record.response)
        try:
            response = handler(view, request, *args, **kwargs)
        except Exception as error:
            try:
                response = view.handle_exception(error)
            except Exception:
                record.delete()
                raise
        _keep(record, response)
        return response

    return answer


def _fingerprint(view: APIView, handler: Handler, path: dict[str, Any], body: Any) -> str:
    asked = [type(view).__qualname__, handler.__name__, path, body]
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
        if not abandoned.update(leased_until=now + IdempotencyRecord.LEASE, updated_at=now):
            raise RuleBroken("idempotency_key_in_use", _("A request with this key is being answered."), wait=1)
    return record


def _keep(record: IdempotencyRecord, response: Response) -> None:
    if response.status_code >= 500:
        record.delete()
        return
    IdempotencyRecord.objects.filter(pk=record.pk).update(
        status_code=response.status_code,
        response=JSONRenderer().render(response.data).decode(),
        updated_at=timezone.now(),
    )


def _replay(status_code: int, body: str) -> Response:
    content_type = PROBLEM_JSON if status_code >= 400 else None
    headers = {"Idempotent-Replayed": "true"}
    return Response(orjson.loads(body), status=status_code, headers=headers, content_type=content_type)


def forget() -> int:
    """Deletes what is older than a day; says how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - IdempotencyRecord.KEPT).delete()[0]
