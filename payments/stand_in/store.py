"""Everything that the stand-in remembers, behind one lock, and the file it survives a restart in."""

import contextlib
import copy
import json
import logging
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import stripe

from .errors import missing
from .objects import new
from .templates import TEMPLATES, Object
from .webhooks import Webhooks

log = logging.getLogger(__name__)

REQUESTS_KEPT = 1000
EVENTS_KEPT = 1000
# Stripe forgets idempotency keys after 24 hours too.
KEY_LIFETIME = 24 * 3600
# A shop subscribes its endpoint to the types it handles: these. Others are in the list of events alone.
POSTED = ("checkout.session.", "payment_intent.", "charge.", "refund.")

# What the state file holds besides the objects and the deliveries, by attribute.
KEPT = ("items", "intents", "challenges", "keys")

NO_REQUEST = {"id": None, "idempotency_key": None}


def is_posted(type_: str) -> bool:
    return type_.startswith(POSTED)


class Store:
    """Objects by kind and id, oldest first. Whoever reads or changes them holds `lock`.

    `items` are the line items by session id; `intents` what a session's payment intent will carry over;
    `challenges` the card by session id that 3-D Secure asks about; `keys` the stored answers by idempotency
    key; `in_flight` the keys being worked on.
    """

    def __init__(self, webhooks: Webhooks, file: Path | None) -> None:
        self.lock = threading.RLock()
        self.webhooks = webhooks
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        self.fault: dict[str, Any] | None = None
        self.in_flight: set[str] = set()
        self.dirty = False
        self._file = file
        self.clear()

    def clear(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {kind: {} for kind in TEMPLATES}
        self.items: dict[str, list[Object]] = {}
        self.intents: dict[str, Object] = {}
        self.challenges: dict[str, str] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.requests.clear()
        self.fault = None
        self.webhooks.clear()
        self.dirty = True

    def add(self, made: Object) -> Object:
        self.objects[made["object"]][made["id"]] = made
        self.dirty = True
        return made

    def get(self, kind: str, id_: str, *, param: str = "id", status: int = 404) -> Object:
        """Raises ApiError (resource_missing) when there is none."""
        found = self.objects[kind].get(id_)
        if found is None:
            raise missing(kind, id_, param=param, status=status)
        return found

    def emit(
        self,
        type_: str,
        subject: Object,
        request: dict[str, Any] | None = None,
        previous: Object | None = None,
    ) -> None:
        """Make an event of what just happened to an object, and queue it for the webhook URL."""
        posted = self.webhooks.url is not None and is_posted(type_)
        data = {"object": copy.deepcopy(subject)}
        if previous:
            data["previous_attributes"] = previous
        event = new(
            "event",
            type=type_,
            api_version=stripe.api_version,
            data=data,
            pending_webhooks=int(posted),
            request=request or dict(NO_REQUEST),
        )
        self.add(event)
        events = self.objects["event"]
        while len(events) > EVENTS_KEPT:
            del events[next(iter(events))]
        if posted:
            self.webhooks.add(event)

    def remember(self, key: str, answer: dict[str, Any]) -> None:
        """Store what a POST with this idempotency key answered, and forget the keys of yesterday."""
        horizon = time.time() - KEY_LIFETIME
        for old in [old for old, kept in self.keys.items() if kept["at"] < horizon]:
            del self.keys[old]
        self.keys[key] = {**answer, "at": time.time()}
        self.dirty = True

    def load(self) -> None:
        """Read the state file if there is one. An unreadable one is renamed to `….unreadable`."""
        if self._file is None or not self._file.exists():
            return
        try:
            state = json.loads(self._file.read_text("utf-8"))
            objects = {kind: dict(state["objects"][kind]) for kind in TEMPLATES}
            kept = {name: dict(state[name]) for name in KEPT}
            self.webhooks.restore(state["deliveries"], objects["event"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            aside = self._file.with_name(f"{self._file.name}.unreadable")
            log.warning("%s is unreadable (%s): put aside as %s, starting empty", self._file, error, aside.name)
            with contextlib.suppress(OSError):
                self._file.replace(aside)
            return
        self.objects = objects
        for name, value in kept.items():
            setattr(self, name, value)

    def save(self) -> None:
        """Write the state file if anything changed: whole or not at all."""
        if self._file is None or not (self.dirty or self.webhooks.dirty):
            return
        with self.lock:
            self.dirty = self.webhooks.dirty = False
            state = json.dumps(
                {
                    "objects": self.objects,
                    **{name: getattr(self, name) for name in KEPT},
                    "deliveries": self.webhooks.snapshot()["deliveries"],
                },
                ensure_ascii=False,
            )
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}.tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(state, "utf-8")
            temporary.replace(self._file)
        except OSError as error:
            # A full disk must not end the payments that run in memory; the next change tries again.
            log.warning("the state could not be written to %s: %s", self._file, error)
            self.dirty = True
