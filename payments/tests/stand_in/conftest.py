from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from payments.stand_in import StandIn

from .helpers import GOOD, SECRET, Answer, Receiver, browse


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in that sends no webhooks."""
    with StandIn(port=0) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.stop()


@pytest.fixture
def sender(receiver: Receiver) -> Iterator[StandIn]:
    """A stand-in that sends its webhooks to the receiver."""
    with StandIn(port=0, webhook_url=receiver.url, webhook_secret=SECRET) as running:
        yield running


def client_of(server: StandIn) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_x", base_addresses={"api": server.base}, max_network_retries=0)


@pytest.fixture
def client(server: StandIn) -> stripe.StripeClient:
    return client_of(server)


def session_params(**changes: Any) -> dict[str, Any]:
    data = {"currency": "usd", "unit_amount": 1990, "product_data": {"name": "Course <b>one</b>"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": data, "quantity": 1}],
        "success_url": "http://shop.test/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.test/cancel",
    } | changes


@pytest.fixture
def new_session(client: stripe.StripeClient) -> Callable[..., stripe.checkout.Session]:
    return lambda **changes: client.v1.checkout.sessions.create(session_params(**changes))


@pytest.fixture
def session(new_session: Callable[..., stripe.checkout.Session]) -> stripe.checkout.Session:
    return new_session()


@pytest.fixture
def paid(client: stripe.StripeClient, session: stripe.checkout.Session) -> stripe.checkout.Session:
    browse(session.url, {"card_number": GOOD})
    return client.v1.checkout.sessions.retrieve(session.id)


@pytest.fixture
def control(server: StandIn) -> Callable[..., Answer]:
    return lambda name, **fields: browse(f"{server.base}/_control/{name}", fields)
