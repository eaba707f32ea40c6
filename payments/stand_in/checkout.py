"""Checkout sessions and how they are paid: https://docs.stripe.com/api/checkout/sessions."""

import re
import time
from typing import Any
from urllib.parse import urlsplit

from . import cards, money, payments
from .catalog import inline_price, known_currency, merge, unsupported
from .errors import ApiError, required
from .objects import client_secret, new
from .store import Store
from .templates import Object

SHORTEST = 30 * 60
LONGEST = 24 * 3600
REFERENCE_LENGTH = 200
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

# Named by the API, but they would change what is charged or when, which the stand-in does not do.
UNSUPPORTED = [
    "after_expiration",
    "automatic_tax",
    "consent_collection",
    "custom_fields",
    "discounts",
    "invoice_creation",
    "optional_items",
    "payment_method_data",
    "setup_intent_data",
    "shipping_address_collection",
    "shipping_options",
    "subscription_data",
    "tax_id_collection",
]
UNSUPPORTED_OF_INTENTS = ["application_fee_amount", "on_behalf_of", "transfer_data", "transfer_group"]
CARRIED_TO_SESSION = [
    "adaptive_pricing",
    "allow_promotion_codes",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer_creation",
    "customer_email",
    "integration_identifier",
    "locale",
    "origin_context",
    "payment_method_collection",
    "payment_method_types",
    "phone_number_collection",
    "submit_type",
    "success_url",
]
CARRIED_TO_INTENT = [
    "capture_method",
    "description",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
]


def create_session(store: Store, params: Object, origin: dict[str, Any], base: str) -> Object:
    """An open session, its page at `{base}/c/pay/{id}`. Raises ApiError as Stripe would."""
    _check_modes(params)
    _check_addresses(params)
    now = int(time.time())
    expires_at = params.get("expires_at", now + LONGEST)
    if expires_at < now + SHORTEST:
        raise ApiError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if expires_at > now + LONGEST:
        raise ApiError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    items = _line_items(store, params, origin)
    currency, total = items[0]["currency"], sum(item["amount_total"] for item in items)
    _check_amount(total, currency)

    carried = {name: params[name] for name in CARRIED_TO_SESSION if name in params}
    session = new(
        "checkout.session",
        **carried,
        amount_subtotal=total,
        amount_total=total,
        currency=currency,
        expires_at=expires_at,
        metadata=merge({}, params.get("metadata", {})),
        payment_status="unpaid" if total else "no_payment_required",
        ui_mode=params.get("ui_mode", "hosted_page"),
    )
    if session["ui_mode"] == "hosted_page":
        session["url"] = f"{base}/c/pay/{session['id']}"
    else:
        session["client_secret"] = client_secret(session["id"])
        session["return_url"] = params.get("return_url")
        session["redirect_on_completion"] = params.get("redirect_on_completion", "always")
    store.add(session)
    store.items[session["id"]] = items
    data = params.get("payment_intent_data", {})
    store.intents[session["id"]] = {
        **{name: data[name] for name in CARRIED_TO_INTENT if name in data},
        "metadata": merge({}, data.get("metadata", {})),
    }
    return session


def expire_session(store: Store, session: Object, origin: dict[str, Any] | None = None) -> Object:
    """End an open session. Raises ApiError for one that is complete or expired."""
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
    session.update(status="expired", url=None)
    store.dirty = True
    if session["payment_intent"]:
        payments.cancel(store, store.get("payment_intent", session["payment_intent"]))
    store.emit("checkout.session.expired", session, origin)
    return session


def expire_due(store: Store) -> None:
    now = time.time()
    for session in list(store.objects["checkout.session"].values()):
        if session["status"] == "open" and session["expires_at"] <= now:
            expire_session(store, session)


def pay(store: Store, session: Object, number: str, *, authenticated: bool = False) -> None:
    """Charge an open session to a card and complete it."""
    if session["amount_total"]:
        intent = payments.intent_of(store, session)
        payments.succeed(store, intent, session, number, authenticated=authenticated)
    _complete(store, session, "paid" if session["amount_total"] else "no_payment_required")


def pay_later(store: Store, session: Object) -> None:
    """Complete an open session by a method whose money comes later, or does not: see `settle`."""
    payments.process(store, payments.intent_of(store, session))
    _complete(store, session, "unpaid")


def settle(store: Store, session: Object, *, succeeded: bool) -> Object:
    """The end of a delayed payment. Raises ApiError when none is awaited."""
    intent = store.objects["payment_intent"].get(session["payment_intent"] or "")
    if intent is None or intent["status"] != "processing":
        raise ApiError("This Checkout Session does not await a delayed payment.", param="session")
    if succeeded:
        payments.succeed(store, intent, session, "4242424242424242")
        session["payment_status"] = "paid"
        store.emit("checkout.session.async_payment_succeeded", session)
    else:
        payments.fail(store, intent, session, cards.DELAYED_FAILED)
        store.emit("checkout.session.async_payment_failed", session)
    return session


def after_payment(session: Object) -> str | None:
    """Where the customer goes when the session is complete."""
    return _address(session, session["success_url"] or session.get("return_url"))


def way_back(session: Object) -> str | None:
    """Where the customer goes who does not pay."""
    return _address(session, session["cancel_url"])


def _address(session: Object, url: str | None) -> str | None:
    return url and url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _complete(store: Store, session: Object, payment_status: str) -> None:
    details = {"business_name": None, "individual_name": None, "name": None, "phone": None}
    session.update(
        status="complete",
        payment_status=payment_status,
        url=None,
        customer_details={
            **details,
            "address": None,
            "email": session["customer_email"],
            "tax_exempt": "none",
            "tax_ids": [],
        },
    )
    store.dirty = True
    store.emit("checkout.session.completed", session)


def _check_modes(params: Object) -> None:
    if "mode" not in params:
        raise required("mode")
    if params["mode"] != "payment":
        raise unsupported("mode")
    for name in UNSUPPORTED:
        # Automatic tax, for one, may be named in order to be switched off.
        if params.get(name) and params[name] != {"enabled": False}:
            raise unsupported(name)
    for name in UNSUPPORTED_OF_INTENTS:
        if name in params.get("payment_intent_data", {}):
            raise unsupported(f"payment_intent_data[{name}]")
    if params.get("payment_intent_data", {}).get("capture_method") == "manual":
        raise unsupported("payment_intent_data[capture_method]")
    if "customer" in params:
        # There are no customers here, so none can be known.
        raise ApiError(f"No such customer: '{params['customer']}'", code="resource_missing", param="customer")
    if not params.get("line_items"):
        raise required("line_items")


def _check_addresses(params: Object) -> None:
    if params.get("ui_mode", "hosted_page") == "hosted_page":
        if "success_url" not in params:
            raise required("success_url")
    elif "return_url" not in params and params.get("redirect_on_completion") != "never":
        raise required("return_url")
    for name in ("success_url", "cancel_url", "return_url"):
        if name in params:
            _check_url(params[name], name)
    email = params.get("customer_email")
    if email and not EMAIL.fullmatch(email):
        raise ApiError(f"Invalid email address: {email}", code="email_invalid", param="customer_email")
    reference = params.get("client_reference_id", "")
    if len(reference) > REFERENCE_LENGTH:
        raise ApiError(
            f"Invalid string: {reference[:15]}...; must be at most {REFERENCE_LENGTH} characters",
            param="client_reference_id",
        )


def _check_url(url: str, name: str) -> None:
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        raise ApiError("Not a valid URL", code="url_invalid", param=name) from None
    if parts.scheme not in ("http", "https"):
        message = "Invalid URL: An explicit scheme (such as https) must be provided."
        raise ApiError(message, code="url_invalid", param=name)
    if not valid:
        raise ApiError("Not a valid URL", code="url_invalid", param=name)


def _line_items(store: Store, params: Object, origin: dict[str, Any]) -> list[Object]:
    items = []
    currency = params.get("currency") and known_currency(params["currency"], "currency")
    for number, line in enumerate(params["line_items"]):
        price = _price_of(store, line, origin, f"line_items[{number}]")
        currency = currency or price["currency"]
        if price["currency"] != currency:
            raise ApiError(
                "All prices on a Checkout Session must have the same currency. Expected all line items to "
                f"have currency `{currency}`, but found `{price['currency']}`.",
                param=f"line_items[{number}]",
            )
        amount = price["unit_amount"] * line["quantity"]
        item = new(
            "item",
            amount_subtotal=amount,
            amount_total=amount,
            currency=currency,
            description=store.get("product", price["product"])["name"],
            metadata=merge({}, line.get("metadata", {})),
            price=price,
            quantity=line["quantity"],
        )
        items.append(item)
    return items


def _price_of(store: Store, line: Object, origin: dict[str, Any], at: str) -> Object:
    for name in ("adjustable_quantity", "tax_rates"):
        if line.get(name) and line[name] != {"enabled": False}:
            raise unsupported(f"{at}[{name}]")
    if "quantity" not in line:
        raise required(f"{at}[quantity]")
    if line["quantity"] < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{at}[quantity]",
        )
    if "price" in line:
        price = store.get("price", line["price"], param=f"{at}[price]", status=400)
        if not price["active"]:
            raise ApiError(
                "The price specified is inactive. This field only accepts active prices.",
                param=f"{at}[price]",
            )
    elif "price_data" in line:
        price = inline_price(store, line["price_data"], origin, f"{at}[price_data]")
    else:
        raise ApiError(
            "You must specify either `price` or `price_data` for every line item.",
            code="parameter_missing",
            param=f"{at}[price]",
        )
    if price["type"] == "recurring":
        raise ApiError(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode "
            "or use only one-time prices.",
            param=f"{at}[price]",
        )
    return price


def _check_amount(total: int, currency: str) -> None:
    minimum = money.MINIMUM_CHARGE.get(currency, 0)
    if 0 < total < minimum:
        named = money.plain(minimum, currency)
        named = named if named.endswith(currency) else f"{named} {currency}"
        raise ApiError(
            f"The Checkout Session's total amount due must add up to at least {named}",
            code="amount_too_small",
        )
    if total > money.maximum_amount(currency):
        most = money.plain(money.maximum_amount(currency), currency)
        raise ApiError(f"The Checkout Session's total amount due must be no more than {most}", code="amount_too_large")
