"""Failures on request, the state, and surviving a restart."""

import http.client
import json
import time

import pytest
import stripe

from payments.stand_in import StandIn

from .conftest import client_of, session_params
from .helpers import GOOD, SECRET, browse, wait_until

BEARER = {"Authorization": "Bearer sk_test_x"}


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, stripe.APIError), (503, stripe.APIError), (429, stripe.RateLimitError)],
)
def test_the_next_calls_fail(client, control, status, error):
    control("fail", status=status, count=2)

    for _ in range(2):
        with pytest.raises(error) as caught:
            client.v1.products.list()
        assert caught.value.http_status == status
    assert client.v1.products.list().data == []


def test_a_failed_call_does_nothing(client, control, server):
    control("fail", status=500)
    with pytest.raises(stripe.APIError):
        client.v1.products.create({"name": "Course"})

    assert server.store.objects["product"] == {}


def test_failures_can_be_called_off(client, control):
    control("fail", status=500, count=5)
    control("fail", count=0)

    assert client.v1.products.list().data == []


def test_a_hanging_call_is_silent_and_then_closed(server, control):
    control("fail", hang=0.3)
    began = time.monotonic()

    with pytest.raises(http.client.RemoteDisconnected):
        browse(f"{server.base}/v1/products", {"name": "Course"}, headers=BEARER)

    assert time.monotonic() - began >= 0.3
    assert server.store.objects["product"] == {}


def test_half_an_answer_belongs_to_a_whole_deed(server, control):
    control("fail", body="half")

    with pytest.raises(http.client.IncompleteRead):
        browse(f"{server.base}/v1/products", {"name": "Course"}, headers=BEARER)

    assert len(server.store.objects["product"]) == 1


def test_a_retry_after_half_an_answer_finds_the_deed(client, control, server):
    control("fail", body="half")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

    product = client.v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

    assert list(server.store.objects["product"]) == [product.id]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("fail", {"status": "none"}),
        ("fail", {"status": 200}),
        ("fail", {"count": -1}),
        ("fail", {"body": "third"}),
        ("webhooks", {"paused": "maybe"}),
        ("settle", {}),
        ("dispute", {"outcome": "draw"}),
    ],
)
def test_wrong_switches_are_refused(control, name, fields):
    assert control(name, **fields).status == 400


def test_switches_take_json(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    body = json.dumps({"status": 503, "count": 1})
    connection.request("POST", "/_control/fail", body, {"Content-Type": "application/json"})

    assert json.loads(connection.getresponse().read())["failing"]["status"] == 503
    connection.close()


def test_the_state_shows_what_happened(client, control, server, paid):
    client.v1.products.create({"name": "Other"}, {"idempotency_key": "one"})

    state = browse(f"{server.base}/_control/state").json

    assert state["objects"]["checkout.session"][0]["id"] == paid.id
    assert state["events"][-1]["type"] == "product.created"
    call = state["requests"][-1]
    assert (call["path"], call["params"], call["idempotency_key"], call["status"]) == (
        "/v1/products",
        {"name": "Other"},
        "one",
        200,
    )


def test_a_reset_forgets_everything(client, control, paid):
    control("fail", status=500, count=9)
    control("reset")

    assert client.v1.checkout.sessions.list().data == []
    assert client.v1.events.list().data == []


def test_healthz(server):
    assert browse(f"{server.base}/healthz").status == 200


def ask_again(connection):
    connection.request("GET", "/healthz")
    return connection.getresponse()


def test_a_stopped_server_answers_no_open_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    server.stop()

    with pytest.raises((OSError, http.client.HTTPException)):
        ask_again(connection)


def test_a_taken_port_is_an_error(server):
    with pytest.raises(OSError, match="in use"):
        StandIn(port=server.port)


class TestStateFile:
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "var" / "state.json"

    def test_a_page_survives_a_restart(self, file):
        with StandIn(port=0, state_file=file) as first:
            session = client_of(first).v1.checkout.sessions.create(session_params())
        with StandIn(port=0, state_file=file) as second:
            answer = browse(f"{second.base}/c/pay/{session.id}", {"card_number": GOOD})

            assert answer.status == 303
            assert client_of(second).v1.checkout.sessions.retrieve(session.id).payment_status == "paid"

    def test_an_idempotency_key_survives_a_restart(self, file):
        with StandIn(port=0, state_file=file) as first:
            made = client_of(first).v1.products.create({"name": "Course"}, {"idempotency_key": "one"})
        with StandIn(port=0, state_file=file) as second:
            again = client_of(second).v1.products.create({"name": "Course"}, {"idempotency_key": "one"})

            assert again.id == made.id

    def test_an_undelivered_event_survives_a_restart(self, file, receiver):
        settings = {"webhook_url": receiver.url, "webhook_secret": SECRET, "state_file": file}
        with StandIn(port=0, **settings) as first:
            browse(f"{first.base}/_control/webhooks", {"paused": "true"})
            client = client_of(first)
            client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(session_params()).id)
        with StandIn(port=0, **settings):
            wait_until(lambda: receiver.types() == ["checkout.session.expired"])

    def test_it_is_written_while_the_server_runs(self, file):
        with StandIn(port=0, state_file=file) as server:
            product = client_of(server).v1.products.create({"name": "Course"})

            wait_until(lambda: file.exists() and product.id in file.read_text("utf-8"), seconds=2)
            assert [one.name for one in file.parent.iterdir()] == [file.name]

    @pytest.mark.parametrize("content", ["{", "[]", '{"objects": {}}', "\x00"])
    def test_an_unreadable_one_is_put_aside(self, file, content, caplog):
        file.parent.mkdir()
        file.write_text(content)

        with StandIn(port=0, state_file=file) as server:
            assert client_of(server).v1.products.list().data == []

        assert file.with_name("state.json.unreadable").read_text() == content
        assert "unreadable" in caplog.text
