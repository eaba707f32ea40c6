"""Stripe: the only module that imports its SDK. Everything here goes over the network; call none of it in a
transaction."""

import logging
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson
import stripe
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from common.errors import RuleBroken, ServiceUnavailable
from common.money import from_minor_units, to_minor_units
from payments.models import Payment

logger = logging.getLogger(__name__)

SIGNATURE_TOLERANCE_SECONDS = 300
SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


class StripeUnavailable(ServiceUnavailable):
    """Stripe does not answer, or not sensibly. Nothing is decided; the same call may be made again."""

    default_code = "payment_provider_unavailable"
    default_detail = _("The payment service does not answer. Nothing has been charged; try again soon.")


class ChargeRefused(RuleBroken):
    """Stripe will not charge this, however often it is asked. `reason` is in Stripe's words."""

    def __init__(self, reason: object) -> None:
        text = _("The payment service refused this charge: %(reason)s") % {"reason": reason}
        super().__init__("payment_refused", text, status_code=400)


class InvalidSignatureError(Exception):
    """An event that Stripe has not signed, or not within 300 seconds of now."""


class MalformedEventError(Exception):
    """A signed body that is no event."""


@dataclass(frozen=True)
class Session:
    """What a checkout session says at this moment. `status`: open, complete or expired; `payment_status`: unpaid, paid
    or no_payment_required; `has_failed`: its money was awaited after its completion, and will not come."""

    id: str
    url: str
    status: str
    payment_status: str
    amount: Decimal
    currency: str
    payment_intent: str
    client_reference_id: str
    has_failed: bool

    @property
    def is_paid(self) -> bool:
        return self.status == "complete" and self.payment_status in {"paid", "no_payment_required"}


def create_session(payment: Payment) -> tuple[str, str, Session]:
    """Creates product, price and checkout session for the payment, and answers with the ids of the first two and the
    session.

    The idempotency keys derive from the payment: called again, after a time-out or a crash, Stripe answers with the
    same objects. Raises StripeUnavailable or ChargeRefused.
    """
    try:
        unit_amount = to_minor_units(payment.amount, payment.currency)
    except ValueError as error:
        raise ChargeRefused(error) from error
    key = f"payment-{payment.pk}"
    metadata = {"payment_id": str(payment.pk)}
    client = _client()
    try:
        product = client.v1.products.create(
            {"name": payment.title, "metadata": metadata}, {"idempotency_key": f"{key}-product"}
        )
        price = client.v1.prices.create(
            {
                "product": product.id,
                "currency": payment.currency.lower(),
                "unit_amount": unit_amount,
            },
            {"idempotency_key": f"{key}-price"},
        )
        session = client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": price.id, "quantity": 1}],
                "success_url": f"{settings.BASE_URL}/success/?session_id={{CHECKOUT_SESSION_ID}}",
                "cancel_url": f"{settings.BASE_URL}/cancel/?session_id={{CHECKOUT_SESSION_ID}}",
                "client_reference_id": str(payment.pk),
                "customer_email": payment.user.email,
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "adaptive_pricing": {"enabled": False},
            },
            {"idempotency_key": f"{key}-session"},
        )
    except stripe.StripeError as error:
        # With other parameters under the same key (the buyer's address has changed since) it will never be answered.
        other_parameters = isinstance(error, stripe.IdempotencyError) and error.http_status == 400
        if other_parameters or isinstance(error, stripe.InvalidRequestError):
            logger.error("Stripe refused payment %s: %s", payment.pk, error)
            raise ChargeRefused(error.user_message or error.code) from error
        raise _unavailable(error) from error
    return product.id, price.id, _session(session)


def retrieve_session(session_id: str) -> Session | None:
    """The session as Stripe has it now; None if Stripe knows none of this id."""
    if not SESSION_ID.fullmatch(session_id):
        return None  # it would become part of a path, such as that of the list of all sessions
    try:
        return _session(_client().v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]}))
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            return None
        raise _unavailable(error) from error
    except stripe.StripeError as error:
        raise _unavailable(error) from error


def expire_session(session_id: str) -> Session | None:
    """Closes an open session, so that nobody can pay it any more, and answers with what it is now. One that is not open
    stays as it is."""
    try:
        _client().v1.checkout.sessions.expire(session_id)
    except stripe.InvalidRequestError as error:
        logger.info("Session %s was not open any more: %s", session_id, error)
    except stripe.StripeError as error:
        raise _unavailable(error) from error
    return retrieve_session(session_id)


def read_event(body: bytes, signature: str) -> dict[str, Any]:
    """The event in a webhook's body. Raises InvalidSignatureError unless Stripe signed it within 300 s either way, and
    MalformedEventError for a signed body that is no event."""
    # The SDK takes non-ASCII digests for a fault of the program, and accepts times in the future.
    if not signature.isascii() or not _is_recent(signature) or not _is_signed(body, signature):
        raise InvalidSignatureError
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedEventError from error
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise MalformedEventError
    return event


def _is_recent(signature: str) -> bool:
    times = [part.removeprefix("t=") for part in signature.split(",") if part.startswith("t=")]
    try:
        return abs(int(time.time()) - int(times[0])) <= SIGNATURE_TOLERANCE_SECONDS
    except (IndexError, ValueError):
        return False


def _is_signed(body: bytes, signature: str) -> bool:
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            return stripe.WebhookSignature.verify_header(body, signature, secret, SIGNATURE_TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            continue
    return False


@lru_cache(maxsize=1)
def _client() -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=4,
        http_client=_HTTPClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
    )


class _HTTPClient(stripe.RequestsClient):
    """Retries only while another request with the same idempotency key is in flight (409). Anything else the caller may
    try again, with the same keys, and a person waits for the answer."""

    def _should_retry(
        self, response: Any, api_connection_error: Any, num_retries: int, max_network_retries: int | None
    ) -> bool:
        in_flight = response is not None and response[1] == 409
        return in_flight and num_retries < (max_network_retries or 0)


def _session(session: Any) -> Session:
    currency = (session.currency or "").upper()
    intent = session.payment_intent  # an object where it was expanded, else its id
    is_whole = intent is not None and not isinstance(intent, str)
    return Session(
        id=session.id,
        url=session.url or "",
        status=session.status,
        payment_status=session.payment_status,
        amount=from_minor_units(session.amount_total or 0, currency),
        currency=currency,
        payment_intent=(intent.id if is_whole else intent) or "",
        client_reference_id=session.client_reference_id or "",
        has_failed=session.status == "complete"
        and session.payment_status == "unpaid"
        and is_whole
        and intent.status in {"requires_payment_method", "canceled"},
    )


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    logger.warning("Stripe is unavailable (%s): %s", error.http_status, error)
    return StripeUnavailable()
