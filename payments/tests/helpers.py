"""A browser at Stripe's page, Stripe's webhooks, and what a purchase leaves behind."""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.conf import settings
from rest_framework.test import APIClient

from materials.models import Course, Enrollment
from payments.models import Payment
from payments.stand_in import StandIn
from payments.tests.stand_in.helpers import ASKING, DECLINED, GOOD, Answer, browse
from users.models import Notification, User

__all__ = ["ASKING", "DECLINED", "GOOD", "browse"]

numbers = itertools.count(1)


def pay(url: str, card: str = GOOD) -> Answer:
    return browse(url, {"card_number": card})


def control(stripe: StandIn, name: str, **fields: Any) -> Any:
    answer = browse(f"{stripe.base}/_control/{name}", fields)
    assert answer.status == 200, answer.text
    return answer.json


@contextmanager
def failing_at(
    stripe: StandIn, address: str, *, status: int = 500, hang: float = 0, cut: bool = False, times: int = 1000
) -> Iterator[None]:
    """Stripe fails, but only at this address: by status, by silence for `hang` seconds, or by half a body."""
    left = itertools.repeat({"status": status, "hang": hang, "cut": cut}, times)

    def take_fault() -> dict[str, Any] | None:
        return next(left, None) if stripe.store.requests[-1]["path"] == address else None

    with mock.patch.object(stripe._api, "_take_fault", take_fault):
        yield


def made(stripe: StandIn, kind: str) -> list[dict[str, Any]]:
    """All objects of a kind at Stripe, oldest first."""
    return browse(f"{stripe.base}/_control/state").json["objects"][kind]


def calls(stripe: StandIn, method: str = "") -> list[dict[str, Any]]:
    """What Stripe was asked so far."""
    requests = browse(f"{stripe.base}/_control/state").json["requests"]
    return [request for request in requests if method in ("", request["method"])]


def session_of(stripe: StandIn, payment: Payment) -> dict[str, Any]:
    """The payment's session, to look at and to tamper with."""
    return stripe.store.objects["checkout.session"][payment.stripe_session_id]


def give_back_at_stripe(stripe: StandIn, payment: Payment, **fields: Any) -> dict[str, Any]:
    """A refund that somebody makes at Stripe's dashboard; `amount` in minor units."""
    return control(stripe, "refund", payment_intent=session_of(stripe, payment)["payment_intent"], **fields)


def dispute(stripe: StandIn, payment: Payment, outcome: str = "open") -> dict[str, Any]:
    return control(stripe, "dispute", payment_intent=session_of(stripe, payment)["payment_intent"], outcome=outcome)


def events_of(stripe: StandIn, *types: str) -> list[dict[str, Any]]:
    """The events that Stripe has made, the oldest first; of these types, or all."""
    return [one for one in stripe.store.objects["event"].values() if not types or one["type"] in types]


def deliver(stripe: StandIn, *types: str) -> list[int]:
    """Posts them, as Stripe would, and says what was answered."""
    return [post_webhook(one).status_code for one in events_of(stripe, *types)]


def event(session_id: str, type_: str = "checkout.session.completed", **fields: Any) -> dict[str, Any]:
    """An event about a session, under a new id."""
    return {
        "id": f"evt_{next(numbers)}",
        "object": "event",
        "type": type_,
        "data": {"object": {"id": session_id, "object": "checkout.session"}},
        **fields,
    }


def digest(body: bytes, at: int | str, secret: str = "") -> str:
    signed = f"{at}.".encode() + body
    return hmac.new((secret or settings.STRIPE_WEBHOOK_SECRET).encode(), signed, hashlib.sha256).hexdigest()


def signature(body: bytes, *, at: int | None = None, secret: str = "") -> str:
    at = int(time.time()) if at is None else at
    return f"t={at},v1={digest(body, at, secret)}"


def post_webhook(content: dict[str, Any] | bytes, header: str | bytes | None = None) -> Any:
    """What the webhook answers to an event, or to a raw body; well signed unless a header says otherwise."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    extra = {"HTTP_STRIPE_SIGNATURE": signature(body) if header is None else header}
    client = APIClient(raise_request_exception=False)
    return client.generic("POST", "/api/payments/webhook/", body, "application/json", **extra)


def traces(user: User, course: Course) -> dict[str, Any]:
    """What the purchase of a course has left behind."""
    enrollments = Enrollment.objects.filter(user=user, course=course)
    return {
        "enrollments": list(enrollments.values_list("source", "status")),
        "enrollment_count": Course.objects.get(pk=course.pk).enrollment_count,
        "notifications": Notification.objects.filter(recipient=user, kind="payment_succeeded").count(),
    }


BOUGHT = {"enrollments": [("payment", "active")], "enrollment_count": 1, "notifications": 1}
NOT_BOUGHT: dict[str, Any] = {"enrollments": [], "enrollment_count": 0, "notifications": 0}
