"""Signed deliveries, and the controls that hold, repeat and shuffle them."""

import json

import pytest
import stripe

from payments.stand_in import StandIn

from .conftest import client_of, session_params
from .helpers import GOOD, SECRET, Receiver, browse, wait_until

PURCHASE = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}


@pytest.fixture
def buy(sender):
    """Pays a new session, and gives its id."""

    def pay():
        session = client_of(sender).v1.checkout.sessions.create(session_params())
        browse(session.url, {"card_number": GOOD})
        return session.id

    return pay


@pytest.fixture
def switch(sender):
    return lambda name, **fields: browse(f"{sender.base}/_control/{name}", fields).json


def test_a_purchase_is_told(receiver, buy):
    buy()

    assert set(wait_until(lambda: len(receiver.types()) == 4 and receiver.types())) == PURCHASE


def test_an_event_is_signed_as_stripe_signs(receiver, buy):
    buy()
    headers, body, _ = wait_until(lambda: receiver.received and receiver.received[0])

    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET)

    assert event.type in PURCHASE
    assert headers["User-Agent"].startswith("Stripe/1.0")


def test_another_secret_does_not_fit(receiver, buy):
    buy()
    headers, body, _ = wait_until(lambda: receiver.received and receiver.received[0])

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_other")


def test_the_event_holds_a_snapshot_of_its_moment(receiver, buy, sender):
    session = buy()
    wait_until(lambda: len(receiver.types()) == 4)
    sender.store.objects["checkout.session"][session]["metadata"]["later"] = "x"

    told = [json.loads(body) for _, body, _ in receiver.received]
    (completed,) = [event for event in told if event["type"] == "checkout.session.completed"]
    assert (completed["data"]["object"]["payment_status"], completed["data"]["object"]["metadata"]) == (
        "paid",
        {},
    )


def test_an_event_names_the_request_that_caused_it(receiver, sender):
    client = client_of(sender)
    session = client.v1.checkout.sessions.create(session_params())

    client.v1.checkout.sessions.expire(session.id, options={"idempotency_key": "one"})

    _, body, _ = wait_until(lambda: receiver.received and receiver.received[0])
    assert json.loads(body)["request"]["idempotency_key"] == "one"


def test_a_refusal_is_retried_with_a_new_signature(receiver, sender):
    receiver.statuses += [500, 302]
    client = client_of(sender)
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(session_params()).id)

    wait_until(lambda: receiver.types() == ["checkout.session.expired"])

    assert [status for _, _, status in receiver.received] == [500, 302, 200]
    assert len({headers["Stripe-Signature"] for headers, _, _ in receiver.received}) > 1


def test_a_delivered_event_is_pending_no_more(receiver, buy, sender):
    buy()

    events = client_of(sender).v1.events
    wait_until(lambda: all(event.pending_webhooks == 0 for event in events.list({"limit": 100}).data))


def test_a_silent_receiver_does_not_hold_up_the_page(receiver):
    receiver.stop()
    with StandIn(port=0, webhook_url=receiver.url, webhook_secret=SECRET) as server:
        session = client_of(server).v1.checkout.sessions.create(session_params())

        assert browse(session.url, {"card_number": GOOD}).status == 303
        state = wait_until(lambda: attempted(server))

    assert state["attempts"][0]["status"] is None


def attempted(server):
    deliveries = browse(f"{server.base}/_control/state").json["webhooks"]["deliveries"]
    return next((delivery for delivery in deliveries if delivery["attempts"]), None)


def test_products_and_prices_are_not_told(sender):
    client_of(sender).v1.products.create({"name": "Course"})

    assert sender.store.webhooks.snapshot()["deliveries"] == []


def test_without_an_address_there_are_events_and_no_deliveries(client, paid, server):
    assert len(client.v1.events.list({"type": "checkout.session.completed"}).data) == 1
    assert server.store.webhooks.snapshot()["deliveries"] == []


def test_paused_events_are_sent_later(receiver, buy, switch):
    switch("webhooks", paused="true")
    buy()
    assert receiver.received == []

    switch("webhooks", paused="false")

    wait_until(lambda: set(receiver.types()) == PURCHASE)


def test_dropped_events_are_not_sent(receiver, buy, sender, switch):
    switch("webhooks", paused="true")
    buy()

    assert switch("webhooks", drop="true", paused="false") == {"paused": False, "dropped": 4}
    client = client_of(sender)
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(session_params()).id)

    wait_until(lambda: receiver.types() == ["checkout.session.expired"])


def test_events_of_a_session_are_delivered_on_request(receiver, buy, switch):
    switch("webhooks", paused="true")
    buy()
    session = buy()

    answer = switch("deliver", session=session, times=2, shuffle="true")

    assert [sent["status"] for sent in answer["deliveries"]] == [200] * 8
    assert sorted(receiver.types()) == sorted([*PURCHASE, *PURCHASE])


def test_one_event_is_delivered_on_request(receiver, buy, sender, switch):
    switch("webhooks", paused="true")
    buy()
    event = client_of(sender).v1.events.list({"type": "charge.*"}).data[0]

    answer = switch("deliver", event=event.id)

    assert answer["deliveries"] == [{"event": event.id, "type": "charge.succeeded", "status": 200}]
    assert receiver.types() == ["charge.succeeded"]


def test_the_answers_of_the_receiver_are_shown(receiver, buy, switch):
    switch("webhooks", paused="true")
    buy()
    receiver.statuses += [400, 503]

    answer = switch("deliver")

    assert [sent["status"] for sent in answer["deliveries"]] == [400, 503, 200, 200]


def test_a_stopped_receiver_can_come_back(receiver, sender):
    client = client_of(sender)
    receiver.stop()
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(session_params()).id)
    wait_until(lambda: attempted(sender))
    other = Receiver()
    sender.store.webhooks.url = other.url

    wait_until(lambda: other.types() == ["checkout.session.expired"])
    other.stop()
