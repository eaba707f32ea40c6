"""What Stripe would refuse, and what the stand-in does not do: each names the parameter."""

import pytest
import stripe

from .conftest import session_params
from .helpers import ASKING, browse

BEARER = {"Authorization": "Bearer sk_test_x"}
COURSE = {"currency": "usd", "unit_amount": 1990, "product_data": {"name": "Course"}}
LINE = {"price_data": COURSE, "quantity": 1}


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("products", {"name": "x", "id": "taken"}, "id"),
        ("products", {"name": "x", "metadata": "y"}, "metadata"),
        ("products", {"name": "x", "metadata[a][b]": "y"}, "metadata[a]"),
        ("products", {"name": "x", **{f"metadata[{n}]": "y" for n in range(51)}}, "metadata"),
        ("products", {"name": "x", "name[y]": "z"}, "name"),
        ("products", {"name[y]": "z"}, "name"),
        ("products", {"name": "x", "images[y]": "z"}, "images"),
        ("products/taken", {"default_price": "price_none"}, "default_price"),
        ("prices", {"currency": "usd", "unit_amount": "1"}, "product"),
        ("prices", {"currency": "usd", "unit_amount": "1", "product": "taken", "product_data[name]": "x"}, "product"),
        ("prices", {"currency": "usd", "product": "taken"}, "unit_amount"),
        ("prices", {"currency": "usd", "product": "taken", "unit_amount": "-1"}, "unit_amount"),
        ("prices", {"currency": "usd", "product": "taken", "unit_amount_decimal": "0.5"}, "unit_amount_decimal"),
        ("prices", {"currency": "usd", "product": "taken", "unit_amount_decimal": "x"}, "unit_amount_decimal"),
        ("prices", {"currency": "usd", "product": "taken", "unit_amount": "100000000"}, "unit_amount"),
        ("prices", {"currency": "usd", "product": "taken", "unit_amount": "1", "lookup_key": "held"}, "lookup_key"),
        ("refunds", {"payment_intent": "pi_none"}, "payment_intent"),
        ("refunds", {"reason": "duplicate"}, "payment_intent"),
    ],
)  # fmt: skip
def test_refusals(server, client, path, fields, param):
    client.v1.products.create({"id": "taken", "name": "Course"})
    client.v1.prices.create({"product": "taken", "currency": "usd", "unit_amount": 1, "lookup_key": "held"})

    answer = browse(f"{server.base}/v1/{path}", fields, headers=BEARER)

    assert 400 <= answer.status <= 404
    assert answer.json["error"].get("param") == param


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": "subscription"}, "mode"),
        ({"currency": "eur"}, "line_items[0]"),
        ({"success_url": "http://[x"}, "success_url"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"payment_intent_data": {"capture_method": "manual"}}, "payment_intent_data[capture_method]"),
        ({"payment_intent_data": {"on_behalf_of": "acct_x"}}, "payment_intent_data[on_behalf_of]"),
        ({"line_items": [{**LINE, "tax_rates": ["txr_x"]}]}, "line_items[0][tax_rates]"),
        ({"line_items": [{**LINE, "quantity": 0}]}, "line_items[0][quantity]"),
        ({"line_items": [{"price_data": {"currency": "usd", "unit_amount": 1}, "quantity": 1}]},
         "line_items[0][price_data][product]"),
        ({"line_items": [{"price_data": {**COURSE, "recurring": {"interval": "month"}}, "quantity": 1}]},
         "line_items[0][price]"),
        ({"line_items": [{"price_data": {**COURSE, "unit_amount": 99_999_999}, "quantity": 2}]}, None),
    ],
)  # fmt: skip
def test_refusals_of_sessions(new_session, changes, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(**changes)

    assert (caught.value.http_status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("products?limit=0", "limit"),
        ("products?limit=101", "limit"),
        ("products?starting_after=prod_none", "starting_after"),
        ("products?expand[]=data.a.b.c.d", "expand"),
    ],
)
def test_refusals_of_lists(server, query, param):
    answer = browse(f"{server.base}/v1/{query}", headers=BEARER)

    assert (answer.status, answer.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize("path", ["products/", "checkout/sessions/"])
def test_a_trailing_slash_is_explained(server, path):
    answer = browse(f"{server.base}/v1/{path}", headers=BEARER)

    assert answer.status == 404
    assert "trailing slash" in answer.json["error"]["message"]


def test_lists_by_time(client):
    product = client.v1.products.create({"name": "Course"})
    later = product.created + 1000

    assert [one.id for one in client.v1.products.list({"created": product.created}).data] == [product.id]
    assert client.v1.products.list({"created": {"gte": later}}).data == []
    assert [one.id for one in client.v1.products.list({"created": {"lt": later}}).data] == [product.id]


def test_lists_by_key(client):
    product = client.v1.products.create({"name": "Course"})
    price = client.v1.prices.create(
        {"product": product.id, "currency": "usd", "unit_amount": 1, "lookup_key": "course", "metadata": {"a": "b"}}
    )

    assert [one.id for one in client.v1.prices.list({"lookup_keys": ["course"]}).data] == [price.id]
    assert client.v1.prices.list({"lookup_keys": ["other"]}).data == []
    assert [one.id for one in client.v1.products.list({"ids": [product.id]}).data] == [product.id]


def test_lists_of_sessions_by_customer(client, paid):
    assert client.v1.checkout.sessions.list({"customer_details": {"email": "nobody@shop.test"}}).data == []


def test_a_product_with_its_price(client):
    product = client.v1.products.create(
        {"name": "Course", "default_price_data": {"currency": "usd", "unit_amount_decimal": "1990"}}
    )

    price = client.v1.prices.retrieve(product.default_price)
    assert (price.product, price.unit_amount) == (product.id, 1990)


def test_a_product_takes_a_price(client):
    product = client.v1.products.create({"name": "Course"})
    price = client.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1})

    assert client.v1.products.update(product.id, {"default_price": price.id}).default_price == price.id


def test_a_price_with_its_product(client):
    price = client.v1.prices.create({"product_data": {"name": "Course"}, "currency": "usd", "unit_amount": 1})

    assert client.v1.products.retrieve(price.product).name == "Course"


def test_metadata_of_a_price(client):
    price = client.v1.prices.create(
        {"product_data": {"name": "x"}, "currency": "usd", "unit_amount": 1, "metadata": {"a": "b"}}
    )

    assert client.v1.prices.update(price.id, {"metadata": {"c": "d"}}).metadata.to_dict() == {"a": "b", "c": "d"}
    assert client.v1.prices.update(price.id, {"metadata": ""}).metadata.to_dict() == {}


def test_an_expired_session_gives_up_its_intent(client, session):
    browse(session.url, {"card_number": ASKING})
    client.v1.checkout.sessions.expire(session.id)

    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (whole.status, whole.payment_intent.status) == ("expired", "canceled")


def test_a_session_without_a_page_of_its_own(client):
    params = session_params(ui_mode="embedded_page", return_url="http://shop.test/back")
    del params["success_url"], params["cancel_url"]

    session = client.v1.checkout.sessions.create(params)

    assert (session.url, session.return_url) == (None, "http://shop.test/back")
    assert session.client_secret.startswith(session.id)


def test_what_was_not_paid_has_no_dispute(server, session, client):
    browse(session.url, {"card_number": "4000000000000002"})
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent

    answer = browse(f"{server.base}/_control/dispute", {"payment_intent": intent})

    assert (answer.status, answer.json["error"]["param"]) == (400, "payment_intent")


def test_what_was_not_paid_is_not_refunded(session, client):
    browse(session.url, {"card_number": "4000000000000002"})
    intent = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]}).payment_intent

    for charge in ({"payment_intent": intent.id}, {"charge": intent.latest_charge}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create(charge)
