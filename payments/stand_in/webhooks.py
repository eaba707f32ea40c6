"""Signed webhooks and their retries: https://docs.stripe.com/webhooks."""

import hashlib
import hmac
import http.client
import json
import logging
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .templates import Object

log = logging.getLogger(__name__)

TIMEOUT = 10
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60
GIVE_UP_AFTER = 3 * 24 * 3600
# More than one, so that a receiver that hangs on one event does not keep the others waiting.
WORKERS = 4
ATTEMPTS_KEPT = 10
FINISHED_KEPT = 1000


@dataclass
class Delivery:
    """How sending one event goes. Times are Unix seconds; `state`: queued, sending, delivered, failed."""

    event: str
    type: str
    created: float
    due: float
    state: str = "queued"
    tries: int = 0
    attempts: list[dict[str, Any]] = field(default_factory=list)


def sign(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header of a body sent at this Unix time."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhooks:
    """Sends events to one URL from threads of its own; without a URL it takes none.

    Its lock is never held together with a network call, and nothing else is locked while it is held.
    """

    def __init__(self, url: str | None, secret: str) -> None:
        self.url = url
        self._secret = secret
        self._changed = threading.Condition()
        self._deliveries: dict[str, Delivery] = {}
        self._events: dict[str, Object] = {}
        self._paused = False
        self._stopped = False
        # Whether deliveries changed since somebody last set this to False, which the state file does.
        self.dirty = False

    def start(self) -> None:
        if self.url:
            for number in range(WORKERS):
                threading.Thread(target=self._work, name=f"stand-in-webhooks-{number}", daemon=True).start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def add(self, event: Object) -> None:
        """Queue an event. The event object is kept, and its `pending_webhooks` falls to 0 on delivery."""
        if not self.url:
            return
        now = time.time()
        with self._changed:
            self._deliveries[event["id"]] = Delivery(event["id"], event["type"], now, now)
            self._events[event["id"]] = event
            self._forget_old()
            self.dirty = True
            self._changed.notify()

    def pause(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def drop(self) -> int:
        """Forget what is queued, and say how many that were."""
        with self._changed:
            queued = [id_ for id_, delivery in self._deliveries.items() if delivery.state == "queued"]
            for id_ in queued:
                self._deliveries.pop(id_)
                self._events.pop(id_, None)
            self.dirty = True
            return len(queued)

    def clear(self) -> None:
        with self._changed:
            self._deliveries.clear()
            self._events.clear()
            self._paused = False
            self.dirty = True

    def send(self, event: Object) -> int | None:
        """Post the event now, freshly signed. The HTTP status, or None when there was no answer."""
        if not self.url:
            return None
        body = json.dumps(event, ensure_ascii=False, indent=2).encode()
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        connection_class = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connection_class(parts.hostname or "", parts.port, timeout=TIMEOUT)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": sign(body, self._secret, int(time.time())),
        }
        path = parts.path or "/"
        try:
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            log.info("webhook %s: no answer from %s (%s)", event["type"], self.url, error)
            return None
        else:
            return response.status
        finally:
            connection.close()

    def snapshot(self) -> dict[str, Any]:
        with self._changed:
            return {
                "url": self.url,
                "paused": self._paused,
                "deliveries": [asdict(delivery) for delivery in self._deliveries.values()],
            }

    def restore(self, deliveries: list[dict[str, Any]], events: dict[str, Object]) -> None:
        """Take up what a former run left; what it was sending when it ended is sent again."""
        with self._changed:
            for values in deliveries:
                delivery = Delivery(**values)
                if delivery.state == "sending":
                    delivery.state = "queued"
                if delivery.event in events:
                    self._deliveries[delivery.event] = delivery
                    self._events[delivery.event] = events[delivery.event]

    def _work(self) -> None:
        while True:
            with self._changed:
                delivery = self._next()
                if delivery is None:
                    return
                delivery.state = "sending"
                delivery.tries += 1
                event = self._events[delivery.event]
            status = self.send(event)
            with self._changed:
                self._record(delivery, event, status)

    def _next(self) -> Delivery | None:
        """Wait for a delivery that is due, and None at the end. The lock is held."""
        while not self._stopped:
            queued = [delivery for delivery in self._deliveries.values() if delivery.state == "queued"]
            first = min(queued, key=lambda delivery: delivery.due, default=None)
            if first is None or self._paused:
                self._changed.wait()
            elif (wait := first.due - time.time()) > 0:
                self._changed.wait(wait)
            else:
                return first
        return None

    def _record(self, delivery: Delivery, event: Object, status: int | None) -> None:
        now = time.time()
        delivery.attempts.append({"at": round(now, 3), "status": status})
        del delivery.attempts[:-ATTEMPTS_KEPT]
        if status is not None and 200 <= status < 300:
            delivery.state = "delivered"
            event["pending_webhooks"] = 0
        elif now - delivery.created > GIVE_UP_AFTER:
            delivery.state = "failed"
        else:
            delivery.state = "queued"
            delivery.due = now + min(FIRST_PAUSE * 2 ** min(delivery.tries - 1, 10), LONGEST_PAUSE)
        self.dirty = True
        self._changed.notify()

    def _forget_old(self) -> None:
        finished = [id_ for id_, delivery in self._deliveries.items() if delivery.state in ("delivered", "failed")]
        for id_ in finished[: max(0, len(finished) - FINISHED_KEPT)]:
            del self._deliveries[id_], self._events[id_]
