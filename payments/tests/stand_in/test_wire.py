"""Stripe's wire format: keys, errors, parameters, idempotency."""

import base64
import threading

import pytest
import stripe

from .conftest import session_params
from .helpers import browse, wait_until

BEARER = {"Authorization": "Bearer sk_test_x"}


@pytest.mark.parametrize(
    "header",
    [
        "Bearer sk_test_x",
        "bearer rk_test_abc",
        "Basic " + base64.b64encode(b"sk_test_x:").decode(),
    ],
)
def test_test_keys_are_taken(server, header):
    assert browse(f"{server.base}/v1/products", headers={"Authorization": header}).status == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer pk_test_x", "Token sk_test_x", "Basic !", "sk_test_x"])
def test_other_keys_are_not(server, header):
    answer = browse(f"{server.base}/v1/products", headers={"Authorization": header})

    assert (answer.status, answer.json["error"]["type"]) == (401, "invalid_request_error")


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x"])
def test_a_live_key_is_refused_and_not_repeated(server, key):
    client = stripe.StripeClient(f"{key}secret", base_addresses={"api": server.base})

    with pytest.raises(stripe.AuthenticationError, match="live") as caught:
        client.v1.products.list()

    assert "secret" not in str(caught.value)
    assert "secret" not in browse(f"{server.base}/_control/state").text


def test_every_answer_has_a_request_id_and_the_version(server):
    headers = BEARER | {"Stripe-Version": "2026-10-28.endive"}

    answer = browse(f"{server.base}/v1/products", headers=headers)

    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"


def test_an_unknown_address(server):
    answer = browse(f"{server.base}/v1/nothing", headers=BEARER)

    assert answer.status == 404
    assert answer.json["error"]["message"].startswith("Unrecognized request URL (GET: /v1/nothing).")


def test_an_address_that_takes_no_such_method(server):
    answer = browse(f"{server.base}/v1/events", {}, headers=BEARER)

    assert (answer.status, "POST: /v1/events" in answer.text) == (404, True)


@pytest.mark.parametrize(
    ("resource", "id_", "message", "param"),
    [
        ("products", "prod_none", "No such product: 'prod_none'", "id"),
        ("checkout/sessions", "cs_none", "No such checkout.session: 'cs_none'", "session"),
        ("payment_intents", "pi_none", "No such payment_intent: 'pi_none'", "intent"),
    ],
)
def test_an_unknown_id(server, resource, id_, message, param):
    answer = browse(f"{server.base}/v1/{resource}/{id_}", headers=BEARER)

    assert answer.status == 404
    assert answer.json["error"] == {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "message": message,
        "param": param,
        "doc_url": "https://stripe.com/docs/error-codes/resource-missing",
    }


def line(**fields):
    return {"quantity": 1, **fields}


DATA = {"currency": "usd", "unit_amount": 1990, "product_data": {"name": "Course"}}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"sucess_url": "http://x"}, "parameter_unknown", "sucess_url"),
        ({"line_items": [line(prise="p")]}, "parameter_unknown", "line_items[0][prise]"),
        (
            {"line_items": [line(price_data=DATA | {"product_data": {"name": "C", "titel": "x"}})]},
            "parameter_unknown",
            "line_items[0][price_data][product_data][titel]",
        ),
        (
            {"payment_intent_data": {"meta": {"a": "1"}}},
            "parameter_unknown",
            "payment_intent_data[meta]",
        ),
        (
            {"line_items": [line(price_data={"unit_amount": 100})]},
            "parameter_missing",
            "line_items[0][price_data][currency]",
        ),
        (
            {"line_items": [line(price_data=DATA), {"price_data": DATA}]},
            "parameter_missing",
            "line_items[1][quantity]",
        ),
        ({"line_items": [line(price="")]}, "parameter_invalid_empty", "line_items[0][price]"),
        ({"line_items": [line(price="price_none")]}, "resource_missing", "line_items[0][price]"),
        (
            {"line_items": [line(price_data=DATA, quantity="two")]},
            "parameter_invalid_integer",
            "line_items[0][quantity]",
        ),
        (
            {"line_items": [line(price_data=DATA, quantity=0)]},
            "parameter_invalid_integer",
            "line_items[0][quantity]",
        ),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        ({"mode": "pay"}, None, "mode"),
        ({"line_items": "price"}, None, "line_items"),
        ({"adaptive_pricing": {"enabled": "maybe"}}, None, "adaptive_pricing[enabled]"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"customer_email": "nobody"}, "email_invalid", "customer_email"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata"),
    ],
)
def test_a_wrong_parameter_is_named(client, changes, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(session_params(**changes))

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize("name", ["mode", "line_items", "success_url"])
def test_a_missing_parameter_is_named(client, name):
    params = session_params()
    del params[name]

    with pytest.raises(stripe.InvalidRequestError, match=f"Missing required param: {name}.") as caught:
        client.v1.checkout.sessions.create(params)

    assert (caught.value.code, caught.value.param) == ("parameter_missing", name)


def test_an_embedded_page_needs_another_address(client):
    params = session_params(ui_mode="embedded_page")
    del params["success_url"], params["cancel_url"]

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(params)

    assert caught.value.param == "return_url"


def test_only_objects_are_expanded(client, session):
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.checkout.sessions.retrieve(session.id, {"expand": ["metadata.status"]})


def test_lists_are_expanded(client, paid):
    found = client.v1.checkout.sessions.list({"expand": ["data.payment_intent", "data.line_items"]}).data[0]

    assert (found.payment_intent.status, found.line_items.data[0].amount_total) == ("succeeded", 1990)


@pytest.mark.parametrize("body", ["a=1&a[b]=2", "metadata[a][b]=1&name=x", "[a]=1", "a[=1", "%ff=%fe", "name[]=x"])
def test_odd_forms_are_bad_requests(server, body):
    headers = BEARER | {"Content-Type": "application/x-www-form-urlencoded"}

    connection = browse(f"{server.base}/v1/products?{body}", {"odd[": body}, headers=headers)

    assert connection.status == 400


class TestIdempotency:
    def test_the_same_request_is_answered_as_before(self, server):
        headers = BEARER | {"Idempotency-Key": "one"}

        first = browse(f"{server.base}/v1/products", {"name": "Course"}, headers=headers)
        second = browse(f"{server.base}/v1/products", {"name": "Course"}, headers=headers)

        assert second.text == first.text
        assert first.headers["Idempotent-Replayed"] is None
        assert second.headers["Idempotent-Replayed"] == "true"
        assert second.headers["Original-Request"] == first.headers["Request-Id"]

    def test_other_parameters_are_an_error(self, client):
        client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

        with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
            client.v1.products.create({"name": "Other"}, {"idempotency_key": "one"})

        assert caught.value.http_status == 400

    def test_another_address_is_an_error(self, client):
        client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

        with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
            client.v1.checkout.sessions.create(session_params(), {"idempotency_key": "one"})

    def test_a_refusal_is_kept(self, client, paid):
        refund = {"payment_intent": paid.payment_intent, "amount": 5000}
        for _ in range(2):
            with pytest.raises(stripe.InvalidRequestError) as caught:
                client.v1.refunds.create(refund, {"idempotency_key": "one"})

        assert caught.value.headers["idempotent-replayed"] == "true"

    def test_a_key_can_be_used_again_after_a_wrong_parameter(self, client):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.products.create({"titel": "Course"}, {"idempotency_key": "one"})

        assert client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"}).name == "Course"

    def test_a_key_can_be_used_again_after_a_failure(self, client, control):
        control("fail", status=500)
        with pytest.raises(stripe.APIError):
            client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

        assert client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"}).name == "Course"

    def test_a_key_in_flight_is_refused(self, server, control):
        control("fail", hang=30)
        headers = BEARER | {"Idempotency-Key": "one"}

        def hang():
            with pytest.raises(OSError, match=r"timed out|reset|closed"):
                browse(f"{server.base}/v1/products", {"name": "Course"}, headers=headers)

        thread = threading.Thread(target=hang)
        thread.start()
        wait_until(lambda: server.store.in_flight)
        answer = browse(f"{server.base}/v1/products", {"name": "Course"}, headers=headers)
        server.stop()
        thread.join()

        assert (answer.status, answer.json["error"]["code"]) == (409, "idempotency_key_in_use")

    def test_the_same_key_at_once_makes_one_object(self, server):
        statuses = []
        headers = BEARER | {"Idempotency-Key": "one"}

        def create():
            statuses.append(browse(f"{server.base}/v1/products", {"name": "Course"}, headers=headers).status)

        threads = [threading.Thread(target=create) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(statuses) <= {200, 409}
        assert len(server.store.objects["product"]) == 1
