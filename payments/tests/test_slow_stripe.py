"""A Stripe that hangs, and callers whom nobody knows: neither takes the server's threads from the others."""

import threading
import time

import pytest
from rest_framework.test import APIClient

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from payments import gateway
from payments.models import Payment
from payments.tests.helpers import calls, control, failing_at, pay

PAGES = ["/success/", "/cancel/"]


@pytest.fixture
def few_places(settings, stripe, monkeypatch):
    """Two calls at once; the others wait a tenth of a second."""
    settings.STRIPE_MAX_CALLS = 2
    settings.STRIPE_TIMEOUT_SECONDS = 1.5
    monkeypatch.setattr(gateway._HTTPClient, "PLACE_WITHIN_SECONDS", 0.1)
    gateway._client.cache_clear()


def test_at_most_so_many_calls_hang(few_places, stripe):
    """The semaphore of the HTTP client: by it passes every call there is."""
    control(stripe, "fail", hang=3, count=24)
    took = []

    def ask(_number):
        began = time.monotonic()
        with pytest.raises(gateway.StripeUnavailable):
            gateway.retrieve_session("cs_test_x")
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls(stripe)) == 2
    assert sum(seconds > 1 for seconds in took) == 2


def test_places_are_given_back(few_places, stripe):
    control(stripe, "fail", status=500, count=5)
    for _ in range(5):
        with pytest.raises(gateway.StripeUnavailable):
            gateway.retrieve_session("cs_test_x")

    assert gateway.retrieve_session("cs_test_x") is None


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_24_come_back_while_stripe_hangs(few_places, pending, stripe):
    control(stripe, "fail", hang=3, count=24)
    address = {"session_id": pending.stripe_session_id}

    answers = at_once(24, lambda _number: APIClient().get("/success/", address))

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert len(calls(stripe, "GET")) == 2


@pytest.mark.parametrize("page", PAGES)
def test_unknown_sessions_are_not_asked_about(api, pending, stripe, page):
    for number in range(30):
        assert api.get(page, {"session_id": f"cs_test_{number}"}).status_code == 404

    assert calls(stripe, "GET") == []


@pytest.fixture
def unnoted(pending):
    """We died before its session was noted."""
    Payment.objects.update(stripe_session_id="", payment_url="")
    return pending


def test_while_a_session_is_not_noted_a_few_are_asked_about(api, unnoted, stripe):
    answers = {api.get("/success/", {"session_id": f"cs_test_{number}"}).status_code for number in range(30)}

    assert answers == {404}
    assert len(calls(stripe, "GET")) == 10


def test_many_addresses_are_asked_for_a_few_together(api, unnoted, stripe):
    for number in range(60):
        api.get("/success/", {"session_id": f"cs_test_{number}"}, REMOTE_ADDR=f"192.0.2.{number}")

    assert len(calls(stripe, "GET")) == 20


def test_a_session_that_is_not_noted_is_found(api, unnoted, stripe):
    pay(unnoted.payment_url)

    answer = api.get("/success/", {"session_id": unnoted.stripe_session_id})

    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")


def test_unknown_sessions_while_stripe_hangs(quick_timeout, api, pending, stripe):
    with failing_at(stripe, "/v1/checkout/sessions/cs_test_x", hang=3):
        began = time.monotonic()
        answers = {api.get("/success/", {"session_id": "cs_test_x"}).status_code for _ in range(24)}

    assert answers == {404}
    assert time.monotonic() - began < 3
