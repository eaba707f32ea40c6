"""The switches for tests under /_control/: no key is asked for, and forms and JSON are both taken."""

import random
from collections.abc import Callable
from typing import Any

from . import checkout, payments
from .errors import ApiError, required
from .store import NO_REQUEST, Store, is_posted
from .templates import Object
from .wire import Request, Response, as_json

PREFIX = "/_control/"
STATE_KEPT = 1000

Fields = dict[str, Any]


def answer(store: Store, request: Request) -> Response:
    name = request.path.removeprefix(PREFIX)
    if request.method == "GET" and name == "state":
        return as_json(state(store))
    if request.method != "POST" or name not in SWITCHES:
        known = ", ".join(f"POST {PREFIX}{switch}" for switch in SWITCHES)
        raise ApiError(f"There are GET {PREFIX}state, {known}.", status=404)
    try:
        fields = request.fields()
    except ValueError as error:
        raise ApiError(f"The body cannot be read: {error}") from None
    return as_json(SWITCHES[name](store, fields))


def state(store: Store) -> Object:
    """Everything: objects by kind, events and API calls (oldest first, the newest 1000), deliveries."""
    with store.lock:
        objects = {kind: list(made.values()) for kind, made in store.objects.items() if kind not in ("event", "item")}
        return {
            "objects": objects,
            "line_items": dict(store.items),
            "events": list(store.objects["event"].values())[-STATE_KEPT:],
            "webhooks": store.webhooks.snapshot(),
            "requests": list(store.requests),
            "failing": store.fault,
        }


def fail(store: Store, fields: Fields) -> Object:
    """Let the next `count` API calls fail: by `status`, by silence for `hang` seconds, or by `body=half`."""
    body = _text(fields, "body")
    if body not in ("", "half"):
        raise ApiError("body can be: half", param="body")
    fault = {
        "status": _number(fields, "status", 500),
        "hang": float(_number(fields, "hang", 0, float)),
        "cut": body == "half",
        "count": _number(fields, "count", 1),
    }
    if not 400 <= fault["status"] <= 599:
        raise ApiError("status is a number from 400 to 599", param="status")
    with store.lock:
        store.fault = fault if fault["count"] > 0 else None
        return {"failing": store.fault}


def webhooks(store: Store, fields: Fields) -> Object:
    """`paused` holds events back or sends what was held; `drop` forgets what is queued."""
    dropped = store.webhooks.drop() if _flag(fields, "drop") else 0
    if "paused" in fields:
        store.webhooks.pause(_flag(fields, "paused"))
    return {"paused": store.webhooks.snapshot()["paused"], "dropped": dropped}


def deliver(store: Store, fields: Fields) -> Object:
    """Send events now, once more, whatever the queue holds, and wait for the answers.

    `event` is an id; `session` takes all that speak of it, its payment, refunds and disputes; without either
    all are sent.
    """
    with store.lock:
        events = [event for event in store.objects["event"].values() if is_posted(event["type"])]
        if id_ := _text(fields, "event"):
            events = [store.get("event", id_, param="event")]
        elif id_ := _text(fields, "session"):
            session = store.get("checkout.session", id_, param="session")
            names = {session["id"], session["payment_intent"]} - {None}
            events = [event for event in events if names & _names(event["data"]["object"])]
    events = events * _number(fields, "times", 1)
    if _flag(fields, "shuffle"):
        random.shuffle(events)
    # Not under the lock: whoever receives an event may well ask the API about it.
    sent = [{"event": event["id"], "type": event["type"], "status": store.webhooks.send(event)} for event in events]
    return {"deliveries": sent}


def dispute(store: Store, fields: Fields) -> Object:
    """`outcome` open disputes a `payment_intent`; won and lost close its dispute, opened first if none is."""
    outcome = _text(fields, "outcome") or "open"
    if outcome not in ("open", "won", "lost"):
        raise ApiError("outcome is one of: open, won, lost", param="outcome")
    with store.lock:
        intent = store.get("payment_intent", _needed(fields, "payment_intent"), param="payment_intent")
        if outcome == "open":
            return payments.open_dispute(store, intent)
        return payments.close_dispute(store, intent, outcome)


def refund(store: Store, fields: Fields) -> Object:
    """Refund a `payment_intent` as at the dashboard: all that is left, or `amount` in minor units. Or let a `refund`
    fail, by its id."""
    with store.lock:
        if id_ := _text(fields, "refund"):
            return payments.fail_refund(store, store.get("refund", id_, param="refund"))
        asked: Object = {"payment_intent": _needed(fields, "payment_intent")}
        if "amount" in fields:
            asked["amount"] = _number(fields, "amount", 0)
        return payments.create_refund(store, asked, dict(NO_REQUEST))


def settle(store: Store, fields: Fields) -> Object:
    """End a delayed payment of a `session`: `outcome` is succeeded or failed."""
    outcome = _text(fields, "outcome") or "succeeded"
    if outcome not in ("succeeded", "failed"):
        raise ApiError("outcome is one of: succeeded, failed", param="outcome")
    with store.lock:
        return checkout.settle(store, _session(store, fields), succeeded=outcome == "succeeded")


def expire(store: Store, fields: Fields) -> Object:
    """End a `session` as if its time had come."""
    with store.lock:
        return checkout.expire_session(store, _session(store, fields))


def reset(store: Store, _: Fields) -> Object:
    """Forget everything, the failures and the pause of webhooks too."""
    with store.lock:
        store.clear()
    return {"reset": True}


SWITCHES: dict[str, Callable[[Store, Fields], Object]] = {
    "fail": fail,
    "webhooks": webhooks,
    "deliver": deliver,
    "dispute": dispute,
    "refund": refund,
    "settle": settle,
    "expire": expire,
    "reset": reset,
}


def _names(subject: Object) -> set[str]:
    return {value for value in (subject["id"], subject.get("payment_intent")) if isinstance(value, str)}


def _session(store: Store, fields: Fields) -> Object:
    return store.get("checkout.session", _needed(fields, "session"), param="session")


def _needed(fields: Fields, name: str) -> str:
    if not _text(fields, name):
        raise required(name)
    return _text(fields, name)


def _text(fields: Fields, name: str) -> str:
    return str(fields.get(name) or "")


def _number(fields: Fields, name: str, default: int, kind: type[int] | type[float] = int) -> Any:
    try:
        number = kind(fields.get(name, default))
    except (TypeError, ValueError):
        raise ApiError(f"{name} is a number", code="parameter_invalid_integer", param=name) from None
    if number < 0:
        raise ApiError(f"{name} is zero or more", code="parameter_invalid_integer", param=name)
    return number


def _flag(fields: Fields, name: str) -> bool:
    value = str(fields.get(name, "false")).lower()
    if value not in ("true", "false", "1", "0"):
        raise ApiError(f"{name} is true or false", param=name)
    return value in ("true", "1")
