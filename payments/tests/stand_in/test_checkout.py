"""Sessions, and what the hosted page does to them."""

import threading
import time

import pytest
import stripe

from .helpers import ASKING, DECLINED, GOOD, NO_FUNDS, browse, wait_until


def types(client):
    return [event.type for event in client.v1.events.list({"limit": 100}).data][::-1]


def test_a_session_is_open_and_has_a_page(session, server):
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert session.url == f"{server.base}/c/pay/{session.id}"


def test_the_total_is_the_sum_of_the_items(client, new_session):
    product = client.v1.products.create({"name": "Course"})
    price = client.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 700})
    inline = {"currency": "usd", "unit_amount": 50, "product": product.id}

    session = new_session(line_items=[{"price": price.id, "quantity": 2}, {"price_data": inline, "quantity": 1}])

    items = client.v1.checkout.sessions.line_items.list(session.id).data
    assert session.amount_total == 1450
    assert [(item.description, item.amount_total, item.quantity) for item in items] == [
        ("Course", 1400, 2),
        ("Course", 50, 1),
    ]


def test_what_the_shop_wrote_is_carried_over(client, new_session):
    session = new_session(
        client_reference_id="42",
        customer_email="s@shop.test",
        metadata={"payment": "7"},
        payment_intent_data={"metadata": {"payment": "7", "kind": "course"}},
    )
    browse(session.url, {"card_number": GOOD})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (whole.client_reference_id, whole.customer_details.email) == ("42", "s@shop.test")
    assert whole.metadata.to_dict() == {"payment": "7"}
    assert whole.payment_intent.metadata.to_dict() == {"payment": "7", "kind": "course"}
    assert whole.payment_intent.latest_charge.metadata.to_dict() == {"payment": "7", "kind": "course"}


def test_a_good_card_pays(client, session):
    answer = browse(session.url, {"card_number": "4242 4242 4242 4242"})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (answer.status, answer.headers["Location"]) == (303, f"http://shop.test/ok?session={session.id}")
    assert (whole.status, whole.payment_status, whole.url) == ("complete", "paid", None)
    assert (whole.payment_intent.status, whole.payment_intent.amount_received) == ("succeeded", 1990)
    charges = client.v1.charges.list({"payment_intent": whole.payment_intent.id}).data
    assert [(charge.status, charge.amount, charge.paid) for charge in charges] == [("succeeded", 1990, True)]


def test_paying_makes_the_events(client, paid):
    assert types(client)[-4:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_session_is_found_by_its_payment_intent(client, paid):
    found = client.v1.checkout.sessions.list({"payment_intent": paid.payment_intent})

    assert [one.id for one in found.data] == [paid.id]


@pytest.mark.parametrize(
    ("card", "words", "russian"),
    [
        (DECLINED, "Your card was declined.", "Карта отклонена."),
        (NO_FUNDS, "Your card has insufficient funds.", "На карте недостаточно средств."),
    ],
)
def test_a_declined_card_leaves_the_session_open(client, session, card, words, russian):
    answer = browse(session.url, {"card_number": card})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (answer.status, russian in answer.text, words in answer.text) == (402, True, False)
    assert (whole.status, whole.payment_status) == ("open", "unpaid")
    assert whole.payment_intent.last_payment_error.message == words
    assert types(client)[-1] == "payment_intent.payment_failed"


def test_a_good_card_pays_after_a_declined_one(client, session):
    browse(session.url, {"card_number": DECLINED})
    browse(session.url, {"card_number": GOOD})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (whole.payment_intent.status, whole.payment_intent.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize("number", ["4242424242424241", "4111111111111111", "soon", "١٢٣"])
def test_a_number_that_is_no_test_card_is_refused(client, session, number):
    answer = browse(session.url, {"card_number": number})

    assert (answer.status, "Неверный номер карты." in answer.text) == (402, True)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_intent is None


def test_3d_secure_asks_first(client, session):
    answer = browse(session.url, {"card_number": ASKING})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (answer.status, 'name="confirm"' in answer.text) == (200, True)
    assert (whole.status, whole.payment_intent.status) == ("open", "requires_action")


def test_3d_secure_confirmed_pays(client, session):
    browse(session.url, {"card_number": ASKING})

    answer = browse(session.url, {"confirm": "yes"})

    assert answer.status == 303
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_3d_secure_refused_declines(client, session):
    browse(session.url, {"card_number": ASKING})

    answer = browse(session.url, {"confirm": "no"})

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert answer.status == 402
    assert whole.payment_intent.last_payment_error.code == "payment_intent_authentication_failure"


def test_a_confirmation_that_nobody_asked_for_pays_nothing(client, session):
    answer = browse(session.url, {"confirm": "yes"})

    assert answer.status == 400
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_two_payments_at_once_charge_once(client, session):
    start, answers = threading.Barrier(6), []

    def post():
        start.wait()
        answers.append(browse(session.url, {"card_number": GOOD}).status)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [303] * 6
    assert len(client.v1.charges.list().data) == 1


def test_a_complete_session_leads_to_the_shop(paid, server):
    answer = browse(f"{server.base}/c/pay/{paid.id}")

    assert (answer.status, answer.headers["Location"]) == (303, f"http://shop.test/ok?session={paid.id}")


def test_an_expired_session_cannot_be_paid(client, session):
    client.v1.checkout.sessions.expire(session.id)

    answer = browse(session.url, {"card_number": GOOD})

    assert (answer.status, "http://shop.test/cancel" in answer.text) == (410, True)
    assert client.v1.charges.list().data == []


def test_expiring_makes_an_event(client, session):
    client.v1.checkout.sessions.expire(session.id)

    assert types(client)[-1] == "checkout.session.expired"


def test_a_complete_session_cannot_be_expired(client, paid):
    with pytest.raises(stripe.InvalidRequestError, match=r'status in \["open"\] can be expired') as caught:
        client.v1.checkout.sessions.expire(paid.id)

    assert caught.value.http_status == 400


def test_time_expires_a_session_when_it_is_asked_for(client, server, session):
    server.store.objects["checkout.session"][session.id]["expires_at"] = int(time.time()) - 1

    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_time_expires_a_session_in_the_background(server, session):
    kept = server.store.objects["checkout.session"][session.id]
    kept["expires_at"] = int(time.time()) - 1

    wait_until(lambda: kept["status"] == "expired")


def test_the_control_expires_a_session(client, control, session):
    assert control("expire", session=session.id).status == 200
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"


@pytest.mark.parametrize(
    ("outcome", "payment_status", "event"),
    [
        ("succeeded", "paid", "checkout.session.async_payment_succeeded"),
        ("failed", "unpaid", "checkout.session.async_payment_failed"),
    ],
)
def test_a_delayed_payment_is_settled_later(client, control, session, outcome, payment_status, event):
    browse(session.url, {"payment_method": "delayed"})
    before = client.v1.checkout.sessions.retrieve(session.id)

    control("settle", session=session.id, outcome=outcome)

    after = client.v1.checkout.sessions.retrieve(session.id)
    assert (before.status, before.payment_status) == ("complete", "unpaid")
    assert (after.status, after.payment_status) == ("complete", payment_status)
    assert types(client)[-1] == event


def test_a_payment_is_settled_once(control, session):
    browse(session.url, {"payment_method": "delayed"})
    control("settle", session=session.id)

    assert control("settle", session=session.id).status == 400


def test_nothing_to_pay_needs_no_card(client, new_session):
    data = {"currency": "usd", "unit_amount": 0, "product_data": {"name": "Free"}}
    session = new_session(line_items=[{"price_data": data, "quantity": 1}])

    browse(session.url, {})

    whole = client.v1.checkout.sessions.retrieve(session.id)
    assert (whole.status, whole.payment_status) == ("complete", "no_payment_required")


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [("usd", 49, "amount_too_small"), ("gbp", 29, "amount_too_small"), ("jpy", 49, "amount_too_small")],
)
def test_less_than_the_minimum_charge_is_refused(new_session, currency, amount, code):
    data = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Course"}}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(line_items=[{"price_data": data, "quantity": 1}])

    assert caught.value.code == code


@pytest.mark.parametrize(("minutes", "accepted"), [(29, False), (31, True), (1439, True), (1441, False)])
def test_a_session_lives_from_half_an_hour_to_a_day(new_session, minutes, accepted):
    expires_at = int(time.time()) + minutes * 60

    if accepted:
        assert new_session(expires_at=expires_at).expires_at == expires_at
    else:
        with pytest.raises(stripe.InvalidRequestError, match="expires_at"):
            new_session(expires_at=expires_at)


def test_an_archived_price_cannot_be_sold(client, new_session):
    product = client.v1.products.create({"name": "Course"})
    price = client.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 700})
    client.v1.prices.update(price.id, {"active": False})

    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        new_session(line_items=[{"price": price.id, "quantity": 1}])


@pytest.mark.parametrize("url", ["javascript:alert(1)", "shop.test/ok", "http://", "http://a b/"])
def test_a_bad_address_is_refused(new_session, url):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(success_url=url)

    assert (caught.value.code, caught.value.param) == ("url_invalid", "success_url")


def test_a_parameter_that_would_change_the_amount_is_not_ignored(new_session):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(discounts=[{"coupon": "half"}])

    assert caught.value.param == "discounts"
