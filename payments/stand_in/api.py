"""The API under /v1: authentication, idempotency, dispatch. https://docs.stripe.com/api."""

import base64
import binascii
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from . import checkout
from .errors import ApiError
from .objects import new_id
from .parameters import check, decode
from .routes import Call, find
from .store import Store
from .wire import Request, Response, as_json

LIVE = re.compile(r"(sk|rk)_live_")
TEST_KEY = re.compile(r"(sk|rk)_test_\w+")
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.\w+)?")
KEY_LENGTH = 255


class Api:
    """Answers requests of the API. `stopping` ends the waits of hanging requests."""

    def __init__(self, store: Store, base: str, stopping: threading.Event) -> None:
        self._store = store
        self._base = base
        self._stopping = stopping

    def answer(self, request: Request) -> Response:
        """The answer of Stripe, or the failure that was asked for through /_control/fail."""
        id_, key = new_id("request"), request.headers.get("idempotency-key")
        entry: dict[str, Any] = {
            "id": id_,
            "time": time.time(),
            "method": request.method,
            "path": request.path,
            "params": {},
            "idempotency_key": key,
            "status": None,
        }
        with self._store.lock:
            self._store.requests.append(entry)
            fault = self._take_fault()
        try:
            entry["params"] = _parameters(request)
            response = self._fail(fault, request, entry, key) if fault else self._idempotent(request, entry, key)
        except ApiError as error:
            response = as_json(error.body(), status=error.status)
        response.headers["Request-Id"] = id_
        if version := request.headers.get("stripe-version"):
            response.headers["Stripe-Version"] = version
        if key:
            response.headers["Idempotency-Key"] = key
        entry["status"] = None if response.silent else response.status
        return response

    def _take_fault(self) -> dict[str, Any] | None:
        fault = self._store.fault
        if fault:
            fault["count"] -= 1
            if fault["count"] <= 0:
                self._store.fault = None
        return fault

    def _fail(self, fault: dict[str, Any], request: Request, entry: dict[str, Any], key: str | None) -> Response:
        if fault["hang"]:
            with self._in_flight(key if request.method == "POST" else None):
                self._stopping.wait(fault["hang"])
            return Response(0, silent=True)
        if fault["cut"]:
            # The work is done and its answer lost on the way.
            response = self._idempotent(request, entry, key)
            response.cut = True
            return response
        status = fault["status"]
        if status == 429:
            raise ApiError("Too many requests.", status=429, code="rate_limit")
        if status >= 500:
            raise ApiError("An unknown error occurred.", status=status, type_="api_error")
        raise ApiError("The failure that was asked for.", status=status)

    def _idempotent(self, request: Request, entry: dict[str, Any], key: str | None) -> Response:
        """Answer a POST with a key that was seen before as it was answered then."""
        _authenticate(request)
        if request.method != "POST" or not key:
            return self._call(request, entry)
        if len(key) > KEY_LENGTH:
            raise ApiError(f"Idempotency keys can be up to {KEY_LENGTH} characters long.")
        with self._in_flight(key):
            with self._store.lock:
                kept = self._store.keys.get(key)
            if kept:
                return _replay(kept, key, entry)
            return self._first(request, entry, key)

    def _first(self, request: Request, entry: dict[str, Any], key: str) -> Response:
        """Work on the first request with this key, and keep its answer unless the parameters failed."""
        try:
            response = self._call(request, entry)
        except ApiError as error:
            if error.is_validation:
                raise
            response = as_json(error.body(), status=error.status)
        with self._store.lock:
            answer = {"path": entry["path"], "params": entry["params"], "request": entry["id"]}
            self._store.remember(key, {**answer, "status": response.status, "body": response.body.decode()})
        return response

    @contextlib.contextmanager
    def _in_flight(self, key: str | None) -> Iterator[None]:
        """Hold an idempotency key while its request is worked on. Raises ApiError (409) if it is held."""
        if key is None:
            yield
            return
        with self._store.lock:
            if key in self._store.in_flight:
                raise ApiError(
                    "There is currently another in-progress request using this Idempotent Key (that probably "
                    f"means you submitted twice, and the other request is still going through): {key}. "
                    "Please try again later.",
                    status=409,
                    code="idempotency_key_in_use",
                    type_="idempotency_error",
                )
            self._store.in_flight.add(key)
        try:
            yield
        finally:
            with self._store.lock:
                self._store.in_flight.discard(key)

    def _call(self, request: Request, entry: dict[str, Any]) -> Response:
        route, target = find(request.method, request.path)
        version = request.headers.get("stripe-version")
        if version and not VERSION.fullmatch(version):
            raise ApiError(f"Invalid Stripe API version: {version}")
        params = check(entry["params"], route.schema)
        origin = {"id": entry["id"], "idempotency_key": entry["idempotency_key"]}
        with self._store.lock:
            checkout.expire_due(self._store)
            call = Call(self._store, params, target, origin, self._base, request.path)
            return as_json(route.work(call))


def _parameters(request: Request) -> dict[str, Any]:
    """The decoded parameters, of the query for GET and of the form for POST."""
    if request.method == "GET":
        return decode(request.query)
    if request.is_json:
        raise ApiError(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If "
            "you have questions, we can help at https://support.stripe.com/."
        )
    try:
        return decode(request.body.decode())
    except UnicodeDecodeError:
        raise ApiError("Invalid UTF-8 in the request.") from None


def _authenticate(request: Request) -> None:
    header = request.headers.get("authorization", "")
    scheme, _, credentials = header.partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if scheme.lower() not in ("basic", "bearer") or not key:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/.",
            status=401,
        )
    if LIVE.match(key):
        raise ApiError("This is the Stripe stand-in: it refuses live keys. Revoke this one if it leaked.", status=401)
    if not TEST_KEY.fullmatch(key):
        raise ApiError(f"Invalid API Key provided: {key[:8]}{'*' * 8}", status=401)


def _replay(kept: dict[str, Any], key: str, entry: dict[str, Any]) -> Response:
    if kept["path"] != entry["path"]:
        raise ApiError(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{entry['path']}' vs '{kept['path']}'). Try using a key other than '{key}' if you meant to "
            "execute a different request.",
            type_="idempotency_error",
        )
    if kept["params"] != entry["params"]:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were first used "
            f"with. Try using a key other than '{key}' if you meant to execute a different request.",
            type_="idempotency_error",
        )
    headers = {"Idempotent-Replayed": "true", "Original-Request": kept["request"]}
    return Response(kept["status"], kept["body"].encode(), headers=headers)
