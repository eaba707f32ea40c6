"""Making the API's objects, and ids that look like Stripe's."""

import copy
import secrets
import string
import time
from typing import Any

from .templates import TEMPLATES, Object

ALPHABET = string.ascii_letters + string.digits
# The prefix and the length of the random part, as in Stripe's own ids.
ID_SHAPES = {
    "product": ("prod_", 14),
    "price": ("price_1", 23),
    "checkout.session": ("cs_test_a1", 58),
    "item": ("li_1", 23),
    "payment_intent": ("pi_3", 23),
    "payment_method": ("pm_1", 23),
    "charge": ("ch_3", 23),
    "refund": ("re_3", 23),
    "dispute": ("du_1", 23),
    "event": ("evt_1", 23),
    "request": ("req_", 14),
}


def new_id(kind: str) -> str:
    prefix, length = ID_SHAPES[kind]
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


def client_secret(id_: str) -> str:
    return f"{id_}_secret_{secrets.token_hex(12)}"


def new(kind: str, **values: Any) -> Object:
    """An object of the API with a fresh id; fields that are not given are those of a plain one."""
    made = {"id": new_id(kind), "object": kind, **copy.deepcopy(TEMPLATES[kind])}
    if kind != "item":
        made["created"] = int(time.time())
    return made | values


def list_of(data: list[Object], *, url: str, has_more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
