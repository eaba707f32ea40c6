"""Stripe: the only module that imports its SDK. Everything here goes over the network; call none of it in a
transaction."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import orjson
import stripe
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from stripe.params import EventListParams, PriceCreateParams, ProductCreateParams, RefundCreateParams

from common.errors import RuleBroken, ServiceUnavailable
from common.money import from_minor_units, to_minor_units
from payments.models import Dispute, Payment, Refund, StripePrice, StripeProduct

logger = logging.getLogger(__name__)

SIGNATURE_TOLERANCE_SECONDS = 300
INQUIRY = ("warning_", "prevented")
# A page is closed at the end of its payment's hold (services.closing). Should nobody do that, it ends by itself soon
# after: at a time that depends on the payment alone, since asked again with the same key Stripe takes the same
# parameters alone. It must be half an hour ahead, so a payment without a session asks for one only for a while.
SESSION_LIFETIME = timedelta(minutes=35)
ASK_AGAIN_WITHIN = timedelta(minutes=4)
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


class RefundRefused(RuleBroken):
    """Stripe will not give this back: it has been already, or a dispute is open."""

    def __init__(self, reason: object) -> None:
        text = _("The payment service refused this refund: %(reason)s") % {"reason": reason}
        super().__init__("refund_refused", text)


class InvalidSignatureError(Exception):
    """An event that Stripe has not signed, or not within 300 seconds of now."""


class MalformedEventError(Exception):
    """A signed body that is no event."""


@dataclass(frozen=True)
class StripeRefund:
    """A refund; `refund_id` is our own, as we put it into the metadata, or empty. `status` is one of Refund.Status."""

    id: str
    amount: Decimal
    status: str
    reason: str
    refund_id: UUID | None


@dataclass(frozen=True)
class StripeDispute:
    """A dispute; `status` is one of Dispute.Status."""

    id: str
    amount: Decimal
    status: str


@dataclass(frozen=True)
class Session:
    """What a checkout session says at this moment. `status`: open, complete or expired; `payment_status`: unpaid, paid
    or no_payment_required; `has_failed`: its money was awaited after its completion, and will not come; with all
    refunds and disputes of its payment."""

    id: str
    url: str
    status: str
    payment_status: str
    amount: Decimal
    currency: str
    payment_intent: str
    client_reference_id: str
    has_failed: bool
    refunds: tuple[StripeRefund, ...] = ()
    disputes: tuple[StripeDispute, ...] = ()

    @property
    def is_paid(self) -> bool:
        return self.status == "complete" and self.payment_status in {"paid", "no_payment_required"}


def create_product(product: StripeProduct) -> str:
    """Makes the product and answers with its id. The idempotency key is the row's own, as that of a price is: asked
    again, Stripe answers with the same. Raises StripeUnavailable or ChargeRefused."""
    params: ProductCreateParams = {"name": product.name, "metadata": {"item_id": str(product.item_id)}}
    with _charging(f"product {product.pk}"):
        return _client().v1.products.create(params, {"idempotency_key": f"product-{product.pk}"}).id


def rename_product(product: StripeProduct, name: str) -> None:
    """Raises StripeUnavailable, or ChargeRefused if there is no such product any more."""
    with _charging(f"product {product.pk}"):
        _client().v1.products.update(product.stripe_id, {"name": name})


def is_active(kind: Literal["product", "price"], stripe_id: str) -> bool:
    """Whether something can be sold by it; what Stripe does not know is not active. Raises StripeUnavailable."""
    client = _client().v1
    try:
        found = client.products.retrieve(stripe_id) if kind == "product" else client.prices.retrieve(stripe_id)
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            return False
        raise _unavailable(error) from error
    except stripe.StripeError as error:
        raise _unavailable(error) from error
    return found.active


def check_amount(amount: Decimal, currency: str) -> int:
    """The amount in minor units. Raises ChargeRefused for one that the currency cannot express."""
    try:
        return to_minor_units(amount, currency)
    except ValueError as error:
        raise ChargeRefused(error) from error


def create_price(price: StripePrice) -> str:
    """Makes the price and answers with its id. Raises StripeUnavailable or ChargeRefused."""
    params: PriceCreateParams = {
        "product": price.product.stripe_id,
        "currency": price.currency.lower(),
        "unit_amount": check_amount(price.amount, price.currency),
    }
    with _charging(f"price {price.pk}"):
        return _client().v1.prices.create(params, {"idempotency_key": f"price-{price.pk}"}).id


def create_session(payment: Payment, price_id: str) -> Session:
    """Makes the payment's checkout session. The idempotency key derives from the payment: called again, after a
    time-out or a crash, Stripe answers with the same session. Raises StripeUnavailable or ChargeRefused."""
    metadata = {"payment_id": str(payment.pk)}
    with _charging(f"payment {payment.pk}"):
        session = _client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": price_id, "quantity": 1}],
                "success_url": f"{settings.BASE_URL}/success/?session_id={{CHECKOUT_SESSION_ID}}",
                "cancel_url": f"{settings.BASE_URL}/cancel/?session_id={{CHECKOUT_SESSION_ID}}",
                "client_reference_id": str(payment.pk),
                "customer_email": payment.user.email,
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "adaptive_pricing": {"enabled": False},
                "expires_at": int((payment.created_at + SESSION_LIFETIME).timestamp()),
            },
            {"idempotency_key": f"payment-{payment.pk}-{price_id}"},
        )
    return _session(session)


@contextmanager
def _charging(what: str) -> Iterator[None]:
    """What Stripe's refusals mean on the way to a session."""
    try:
        yield
    except stripe.StripeError as error:
        # With other parameters under the same key (the buyer's address has changed since) it will never be answered.
        other_parameters = isinstance(error, stripe.IdempotencyError) and error.http_status == 400
        if other_parameters or isinstance(error, stripe.InvalidRequestError):
            logger.error("Stripe refused %s: %s", what, error)
            raise ChargeRefused(error.user_message or error.code) from error
        raise _unavailable(error) from error


def retrieve_session(session_id: str, *, with_refunds: bool = False) -> Session | None:
    """The session as Stripe has it now; None if Stripe knows none of this id.

    `with_refunds` looks for refunds even where the charge names no refunded amount, as after one that failed.
    """
    if not SESSION_ID.fullmatch(session_id):
        return None  # it would become part of a path, such as that of the list of all sessions
    client = _client().v1
    try:
        said: Any = client.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent.latest_charge"]})
        session = _session(said)
        charge = said.payment_intent and said.payment_intent.latest_charge
        if charge and (charge.amount_refunded or with_refunds):
            refunds = client.refunds.list({"charge": charge.id, "limit": 100}).auto_paging_iter()
            session = replace(session, refunds=tuple(map(_refund, refunds)))
        if charge and charge.disputed:
            opened = client.disputes.list({"charge": charge.id, "limit": 100}).data
            # An inquiry takes no money, unless it becomes a dispute proper.
            disputes = (_dispute(one) for one in opened if not one.status.startswith(INQUIRY))
            session = replace(session, disputes=tuple(disputes))
        return session
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            return None
        raise _unavailable(error) from error
    except stripe.StripeError as error:
        raise _unavailable(error) from error


def session_of_intent(intent_id: str) -> str | None:
    """The id of the session that a payment intent belongs to; None if it came about in another way."""
    try:
        sessions = _client().v1.checkout.sessions.list({"payment_intent": intent_id, "limit": 1}).data
    except stripe.InvalidRequestError as error:
        logger.info("Stripe knows no payment intent %s: %s", intent_id, error)
        return None
    except stripe.StripeError as error:
        raise _unavailable(error) from error
    return sessions[0].id if sessions else None


def create_refund(refund: Refund) -> StripeRefund:
    """Gives the refund's amount back. The idempotency key is the refund's own: asked again, after a time-out or a
    crash, Stripe answers with the same refund. Raises StripeUnavailable or RefundRefused."""
    payment = refund.payment
    metadata = {"refund_id": str(refund.pk), "payment_id": str(payment.pk)}
    if refund.comment:
        metadata["comment"] = refund.comment
    params: RefundCreateParams = {
        "payment_intent": payment.stripe_payment_intent_id,
        "amount": to_minor_units(refund.amount, payment.currency),
        "metadata": metadata,
    }
    if refund.reason != Refund.Reason.OTHER:
        params["reason"] = refund.reason  # type: ignore[typeddict-item] # Refund.Reason's others are Stripe's
    try:
        return _refund(_client().v1.refunds.create(params, {"idempotency_key": f"refund-{refund.pk}"}))
    except stripe.InvalidRequestError as error:
        logger.error("Stripe refused refund %s: %s", refund.pk, error)
        raise RefundRefused(error.user_message or error.code) from error
    except stripe.StripeError as error:
        raise _unavailable(error) from error


def undelivered_events(types: Iterable[str], since: datetime) -> list[dict[str, Any]]:
    """Events that we have not taken yet, the oldest first."""
    params: EventListParams = {
        "types": sorted(types),
        "delivery_success": False,
        "created": {"gte": int(since.timestamp())},
        "limit": 100,
    }
    try:
        events = [event.to_dict() for event in _client().v1.events.list(params).auto_paging_iter()]
    except stripe.StripeError as error:
        raise _unavailable(error) from error
    return events[::-1]


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
    try again, with the same keys, and a person waits for the answer.

    At most `STRIPE_MAX_CALLS` are under way at once: while Stripe hangs, each holds a thread of the server. The others
    wait a moment for a place; once one has waited in vain, nobody waits for a while.
    """

    PLACE_WITHIN_SECONDS = 1.0
    NO_WAITING_SECONDS = 5.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._places = threading.BoundedSemaphore(settings.STRIPE_MAX_CALLS)
        self._full_until = 0.0

    def request(self, *args: Any, **kwargs: Any) -> Any:
        may_wait = time.monotonic() >= self._full_until
        if not self._places.acquire(timeout=self.PLACE_WITHIN_SECONDS if may_wait else 0):
            if may_wait:
                self._full_until = time.monotonic() + self.NO_WAITING_SECONDS
            raise stripe.APIConnectionError("Too many calls are under way.", should_retry=False)
        try:
            return super().request(*args, **kwargs)
        finally:
            self._places.release()

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


def _refund(refund: Any) -> StripeRefund:
    try:
        refund_id = UUID(refund.metadata["refund_id"])
    except (KeyError, TypeError, ValueError):
        refund_id = None
    return StripeRefund(
        id=refund.id,
        amount=from_minor_units(refund.amount, refund.currency.upper()),
        status=refund.status if refund.status in Refund.Status.values else Refund.Status.PENDING,  # requires_action
        reason=refund.reason if refund.reason in Refund.Reason.values else Refund.Reason.OTHER,
        refund_id=refund_id,
    )


def _dispute(dispute: Any) -> StripeDispute:
    closed = dispute.status in {Dispute.Status.WON, Dispute.Status.LOST}
    return StripeDispute(
        id=dispute.id,
        amount=from_minor_units(dispute.amount, dispute.currency.upper()),
        status=dispute.status if closed else Dispute.Status.OPEN,
    )


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    logger.warning("Stripe is unavailable (%s): %s", error.http_status, error)
    return StripeUnavailable()
