"""The API's addresses: what each takes, and what it does."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from stripe import params as p
from stripe.params import checkout as c

from . import catalog, checkout, payments
from .errors import ApiError, missing
from .objects import list_of
from .store import Store
from .templates import Object

DEFAULT_LIMIT = 10
LARGEST_LIMIT = 100
DEEPEST_EXPANSION = 4

# Which object an id in this field belongs to, for `expand[]`.
REFERENCES = {
    "charge": "charge",
    "default_price": "price",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
    "price": "price",
    "product": "product",
}
# What an unknown id in the path is called in the error's `param`.
PATH_PARAMS = {"checkout.session": "session", "payment_intent": "intent"}


@dataclass(frozen=True)
class Call:
    """One call: its checked parameters, the id in its path, and the request that its events will name."""

    store: Store
    params: Object
    target: str
    origin: dict[str, Any]
    base: str
    path: str

    def object(self, kind: str) -> Object:
        return self.store.get(kind, self.target, param=PATH_PARAMS.get(kind, "id"))


Work = Callable[[Call], Object]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    schema: Any
    work: Work


def find(method: str, path: str) -> tuple[Route, str]:
    """The route of an address and the id in it, empty where it has none. Raises ApiError (404)."""
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, unquote(match.groupdict().get("id", ""))
    hint = ""
    if path.endswith("/"):
        hint = (
            "If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an "
            "object, make sure you passed a valid (non-empty) identifier in your code. "
        )
    raise ApiError(
        f"Unrecognized request URL ({method}: {path}). {hint}Please see https://stripe.com/docs or we can "
        "help at https://support.stripe.com/.",
        status=404,
    )


def _route(method: str, path: str, schema: Any, work: Work) -> Route:
    def answer(call: Call) -> Object:
        return expand(call.store, copy.deepcopy(work(call)), call.params.get("expand", []))

    return Route(method, re.compile(path.replace("{id}", "(?P<id>[^/]+)")), schema, answer)


def _retrieve(kind: str) -> Work:
    return lambda call: call.object(kind)


def _list(kind: str) -> Work:
    return lambda call: page_of(call, [made for made in call.store.objects[kind].values() if _matches(call, made)])


def page_of(call: Call, objects: list[Object]) -> Object:
    """The newest first, or the line items of `objects` in their own order: cut by limit and cursor."""
    params = call.params
    limit = params.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= LARGEST_LIMIT:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {LARGEST_LIMIT}"
        raise ApiError(
            f"This value must be {bound} (it currently is '{limit}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    found = list(objects) if call.path.endswith("/line_items") else objects[::-1]
    ids = [made["id"] for made in found]
    for cursor in ("starting_after", "ending_before"):
        if cursor in params and params[cursor] not in ids:
            raise missing(call.path.rpartition("/")[2].removesuffix("s"), params[cursor], param=cursor, status=400)
    if "ending_before" in params:
        before = found[: ids.index(params["ending_before"])]
        return list_of(before[-limit:], url=call.path, has_more=len(before) > limit)
    if "starting_after" in params:
        found = found[ids.index(params["starting_after"]) + 1 :]
    return list_of(found[:limit], url=call.path, has_more=len(found) > limit)


def _matches(call: Call, made: Object) -> bool:
    """Whether an object has what the list's filters ask for."""
    for name, wanted in call.params.items():
        if name in ("limit", "starting_after", "ending_before", "expand"):
            continue
        if name == "created":
            fits = _in_interval(made["created"], wanted)
        elif name in ("ids", "lookup_keys", "types"):
            value = made[{"ids": "id", "lookup_keys": "lookup_key", "types": "type"}[name]]
            fits = value in wanted
        elif name == "type" and made["object"] == "event":
            fits = re.fullmatch(re.escape(wanted).replace(r"\*", ".*"), made["type"]) is not None
        elif name == "delivery_success":
            fits = (made["pending_webhooks"] == 0) == wanted
        elif name == "customer_details":
            fits = (made["customer_details"] or {}).get("email") == wanted["email"]
        elif name in made:
            fits = made[name] == wanted
        else:
            raise catalog.unsupported(name)
        if not fits:
            return False
    return True


def _in_interval(created: int, wanted: int | dict[str, int]) -> bool:
    if isinstance(wanted, int):
        return created == wanted
    return wanted.get("gte", created) <= created <= wanted.get("lte", created) and wanted.get(
        "gt", created - 1
    ) < created < wanted.get("lt", created + 1)


def expand(store: Store, answer: Object, paths: list[str]) -> Object:
    """Put whole objects in the place of ids, as `expand[]` asks. The answer is changed: pass a copy."""
    for path in paths:
        keys = path.split(".")
        if len(keys) > DEEPEST_EXPANSION:
            raise ApiError("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(store, answer, keys, path)
    return answer


def _expand(store: Store, node: Object, keys: list[str], path: str) -> None:
    if not keys:
        return
    key, rest = keys[0], keys[1:]
    if node.get("object") == "list" and key == "data":
        for made in node["data"]:
            _expand(store, made, rest, path)
        return
    if node.get("object") == "checkout.session" and key == "line_items":
        items = store.items[node["id"]]
        node["line_items"] = copy.deepcopy(
            list_of(items[:DEFAULT_LIMIT], url=_items_url(node["id"]), has_more=len(items) > DEFAULT_LIMIT)
        )
    if key not in node or (key not in REFERENCES and not isinstance(node[key], dict)):
        raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(node[key], str):
        node[key] = copy.deepcopy(store.get(REFERENCES[key], node[key]))
    if node[key] is not None:
        _expand(store, node[key], rest, path)


def _items_url(session: str) -> str:
    return f"/v1/checkout/sessions/{session}/line_items"


def _line_items(call: Call) -> Object:
    session = call.object("checkout.session")
    return page_of(call, call.store.items[session["id"]])


ROUTES = (
    _route(
        "POST",
        "/v1/products",
        p.ProductCreateParams,
        lambda call: catalog.create_product(call.store, call.params, call.origin),
    ),
    _route("GET", "/v1/products", p.ProductListParams, _list("product")),
    _route("GET", "/v1/products/{id}", p.ProductRetrieveParams, _retrieve("product")),
    _route(
        "POST",
        "/v1/products/{id}",
        p.ProductUpdateParams,
        lambda call: catalog.update_product(call.store, call.params, call.origin, call.target),
    ),
    _route(
        "POST",
        "/v1/prices",
        p.PriceCreateParams,
        lambda call: catalog.create_price(call.store, call.params, call.origin),
    ),
    _route("GET", "/v1/prices", p.PriceListParams, _list("price")),
    _route("GET", "/v1/prices/{id}", p.PriceRetrieveParams, _retrieve("price")),
    _route(
        "POST",
        "/v1/prices/{id}",
        p.PriceUpdateParams,
        lambda call: catalog.update_price(call.store, call.params, call.origin, call.target),
    ),
    _route(
        "POST",
        "/v1/checkout/sessions",
        c.SessionCreateParams,
        lambda call: checkout.create_session(call.store, call.params, call.origin, call.base),
    ),
    _route("GET", "/v1/checkout/sessions", c.SessionListParams, _list("checkout.session")),
    _route("GET", "/v1/checkout/sessions/{id}", c.SessionRetrieveParams, _retrieve("checkout.session")),
    _route(
        "POST",
        "/v1/checkout/sessions/{id}/expire",
        c.SessionExpireParams,
        lambda call: checkout.expire_session(call.store, call.object("checkout.session"), call.origin),
    ),
    _route("GET", _items_url("{id}"), c.SessionListLineItemsParams, _line_items),
    _route("GET", "/v1/payment_intents", p.PaymentIntentListParams, _list("payment_intent")),
    _route("GET", "/v1/payment_intents/{id}", p.PaymentIntentRetrieveParams, _retrieve("payment_intent")),
    _route("GET", "/v1/charges", p.ChargeListParams, _list("charge")),
    _route("GET", "/v1/charges/{id}", p.ChargeRetrieveParams, _retrieve("charge")),
    _route(
        "POST",
        "/v1/refunds",
        p.RefundCreateParams,
        lambda call: payments.create_refund(call.store, call.params, call.origin),
    ),
    _route("GET", "/v1/refunds", p.RefundListParams, _list("refund")),
    _route("GET", "/v1/refunds/{id}", p.RefundRetrieveParams, _retrieve("refund")),
    _route("GET", "/v1/disputes", p.DisputeListParams, _list("dispute")),
    _route("GET", "/v1/disputes/{id}", p.DisputeRetrieveParams, _retrieve("dispute")),
    _route("GET", "/v1/events", p.EventListParams, _list("event")),
    _route("GET", "/v1/events/{id}", p.EventRetrieveParams, _retrieve("event")),
)
