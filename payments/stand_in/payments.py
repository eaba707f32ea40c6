"""Payment intents, charges, refunds and disputes: https://docs.stripe.com/api/payment_intents and onwards."""

import copy
import time
from collections.abc import Iterable
from typing import Any

from . import cards, money
from .catalog import merge
from .errors import ApiError
from .objects import client_secret, list_of, new, new_id
from .store import Store
from .templates import CARD_DETAILS, THREE_D_SECURE, Object

EVIDENCE_DUE = 9 * 24 * 3600


def intent_of(store: Store, session: Object) -> Object:
    """The session's payment intent, made at the first attempt to pay as Stripe does."""
    if session["payment_intent"]:
        return store.get("payment_intent", session["payment_intent"])
    intent = new(
        "payment_intent",
        **copy.deepcopy(store.intents.get(session["id"], {})),
        amount=session["amount_total"],
        currency=session["currency"],
    )
    intent["client_secret"] = client_secret(intent["id"])
    session["payment_intent"] = intent["id"]
    store.add(intent)
    store.emit("payment_intent.created", intent)
    return intent


def succeed(store: Store, intent: Object, session: Object, number: str, *, authenticated: bool = False) -> None:
    charge = _charge(intent, session, number)
    if authenticated:
        charge["payment_method_details"]["card"]["three_d_secure"] = dict(THREE_D_SECURE)
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=charge["payment_method"],
        processing=None,
    )
    store.add(charge)
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)


def fail(store: Store, intent: Object, session: Object, decline: cards.Decline, number: str = "") -> None:
    """A payment that did not go through. With a card number the bank said so, and a failed charge is made."""
    error = {"code": decline.code, "message": decline.message, "type": "card_error"}
    error["doc_url"] = f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}"
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    if number:
        charge = _charge(intent, session, number)
        charge.update(
            amount_captured=0,
            captured=False,
            failure_code=decline.code,
            failure_message=decline.message,
            paid=False,
            status="failed",
        )
        charge["outcome"].update(
            network_status="declined_by_network",
            reason=decline.decline_code or decline.code,
            seller_message="The bank did not return any further details with this decline.",
            type="issuer_declined",
        )
        error["charge"] = charge["id"]
        intent["latest_charge"] = charge["id"]
        store.add(charge)
        store.emit("charge.failed", charge)
    intent.update(status="requires_payment_method", last_payment_error=error, next_action=None, processing=None)
    store.dirty = True
    store.emit("payment_intent.payment_failed", intent)


def challenge(store: Store, intent: Object, page: str) -> None:
    """Wait for the customer's 3-D Secure confirmation on a page."""
    intent.update(
        status="requires_action",
        next_action={"type": "redirect_to_url", "redirect_to_url": {"return_url": page, "url": page}},
    )
    store.dirty = True
    store.emit("payment_intent.requires_action", intent)


def process(store: Store, intent: Object) -> None:
    """Wait for money that comes later than the order."""
    intent.update(status="processing", next_action=None, last_payment_error=None)
    store.dirty = True
    store.emit("payment_intent.processing", intent)


def cancel(store: Store, intent: Object) -> None:
    intent.update(status="canceled", canceled_at=int(time.time()), cancellation_reason="automatic", next_action=None)
    store.dirty = True
    store.emit("payment_intent.canceled", intent)


def create_refund(store: Store, params: Object, origin: dict[str, Any]) -> Object:
    """Raises ApiError when nothing, or less than that, is left to refund, and for a disputed charge."""
    charge = _charge_to_refund(store, params)
    if any(dispute["charge"] == charge["id"] and dispute["status"] != "won" for dispute in _disputes(store)):
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left <= 0:
        raise ApiError(
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
            param="charge",
        )
    amount = params.get("amount", left)
    if amount < 1:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        asked, rest = money.plain(amount, charge["currency"]), money.plain(left, charge["currency"])
        raise ApiError(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})",
            code="amount_too_large",
            param="amount",
        )
    refund = new(
        "refund",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        metadata=merge({}, params.get("metadata", {})),
        payment_intent=charge["payment_intent"],
        reason=params.get("reason"),
    )
    before = charge["amount_refunded"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    charge["refunds"]["data"].insert(0, refund)
    store.add(refund)
    store.emit("refund.created", refund, origin)
    store.emit("charge.refunded", charge, origin, {"amount_refunded": before})
    # Stripe sends this when the bank's reference for the refund arrives, which here is at once.
    store.emit("refund.updated", refund, origin)
    return refund


def fail_refund(store: Store, refund: Object) -> Object:
    """The buyer's bank sends the money back. Raises ApiError for a refund that has failed already."""
    if refund["status"] == "failed":
        raise ApiError(f"Refund {refund['id']} has failed already.", param="refund")
    charge = store.get("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    refund.update(status="failed", failure_reason="lost_or_stolen_card")
    store.dirty = True
    store.emit("charge.refund.updated", refund)
    store.emit("refund.failed", refund, previous={"status": "succeeded"})
    return refund


def open_dispute(store: Store, intent: Object) -> Object:
    """The customer's bank takes the money back until the dispute is closed."""
    charge = store.objects["charge"].get(intent["latest_charge"] or "")
    if charge is None or not charge["paid"]:
        raise ApiError("This payment intent has no charge to dispute.", param="payment_intent")
    dispute = new(
        "dispute",
        amount=charge["amount"] - charge["amount_refunded"],
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=intent["id"],
    )
    dispute["evidence_details"]["due_by"] = int(time.time()) + EVIDENCE_DUE
    charge["disputed"] = True
    store.add(dispute)
    store.emit("charge.dispute.created", dispute)
    return dispute


def close_dispute(store: Store, intent: Object, outcome: str) -> Object:
    """`outcome` is won or lost. Opens the dispute first where none is open."""
    opened = (
        dispute
        for dispute in _disputes(store)
        if dispute["payment_intent"] == intent["id"] and dispute["status"] not in ("won", "lost")
    )
    dispute = next(opened, None) or open_dispute(store, intent)
    dispute["status"] = outcome
    store.dirty = True
    store.emit("charge.dispute.closed", dispute)
    return dispute


def _disputes(store: Store) -> Iterable[Object]:
    return store.objects["dispute"].values()


def _charge(intent: Object, session: Object, number: str) -> Object:
    amount, brand = intent["amount"], cards.brand(number)
    charge = new(
        "charge",
        amount=amount,
        amount_captured=amount,
        currency=intent["currency"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=new_id("payment_method"),
        receipt_email=intent["receipt_email"],
    )
    charge["billing_details"]["email"] = session["customer_email"]
    charge["refunds"] = list_of([], url=f"/v1/charges/{charge['id']}/refunds")
    card = copy.deepcopy(CARD_DETAILS)
    card.update(amount_authorized=amount, brand=brand, last4=number[-4:], network=brand)
    card["overcapture"]["maximum_amount_capturable"] = amount
    charge["payment_method_details"] = {"card": card, "type": "card"}
    return charge


def _charge_to_refund(store: Store, params: Object) -> Object:
    if "charge" in params:
        charge = store.get("charge", params["charge"], param="charge")
        if params.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise ApiError("The charge does not belong to this payment intent.", param="payment_intent")
    elif "payment_intent" in params:
        intent = store.get("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise ApiError(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
                param="payment_intent",
            )
        charge = store.get("charge", intent["latest_charge"], param="payment_intent")
    else:
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    if not charge["paid"]:
        raise ApiError(f"Charge {charge['id']} failed, so it cannot be refunded.", param="charge")
    return charge
