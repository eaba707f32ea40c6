"""POST /api/payments/webhook/: who is believed, what is kept, and what is tried again."""

import hashlib
import hmac
import json
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from payments import tasks
from payments.models import Payment, WebhookEvent
from payments.services import webhooks
from payments.stand_in import StandIn
from payments.tests.helpers import (
    BOUGHT,
    NOT_BOUGHT,
    calls,
    control,
    deliver,
    digest,
    event,
    pay,
    post_webhook,
    session_of,
    signature,
    traces,
)
from payments.tests.stand_in.helpers import wait_until

pytestmark = pytest.mark.django_db

BODY = json.dumps({"id": "evt_x", "type": "customer.created", "data": {"object": {"id": "cus_x"}}}).encode()
NOW = "now"


def make_old(minutes=5):
    """As if the events had come in a while ago: the sweeper leaves young ones to the request that took them."""
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(minutes=minutes))


# --- Who is believed -------------------------------------------------------------------------------------------------


def test_a_good_signature_and_its_effect(pending, student, course):
    pay(pending.payment_url)

    answer = post_webhook(event(pending.stripe_session_id))

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert traces(student, course) == BOUGHT
    assert WebhookEvent.objects.get().processed_at is not None


def header(*, at=0, v1=None, template="t={at},v1={v1}"):
    """A header of this form, `at` seconds from now."""
    at = int(time.time()) + at
    return template.format(at=at, v1=digest(BODY, at) if v1 is None else v1, zero="0" * 64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: header(),
        lambda: header(at=-298),
        lambda: header(at=298),
        lambda: header(template="t={at},v1={zero},v1={v1}"),
        lambda: header(template="t={at},v1={v1},v1={zero}"),
        lambda: header(template="t={at},v0={zero},v1={v1}"),
        lambda: header(template="v1={v1},t={at}"),
    ],
    ids=["now", "298 s ago", "298 s ahead", "the second v1", "the first v1", "beside a v0", "the other way round"],
)
def test_good_signatures(make):
    answer = post_webhook(BODY, make())

    assert answer.status_code == 200
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "v1",
        lambda: "t=,v1=",
        lambda: "t=1=2,v1=3",
        lambda: header(v1="0" * 64),
        lambda: header(v1=""),
        lambda: header(at=-302),
        lambda: header(at=302),
        lambda: header(template="v1={v1}"),
        lambda: header(template="t={at}"),
        lambda: header(template="t={at},v0={v1}"),
        lambda: header(template="t={at},V1={v1}"),
        lambda: header(template="t={at}.0,v1={v1}"),
        lambda: header(template="t=-{at},v1={v1}"),
        lambda: header(template="t=1{at},v1={v1}"),
        lambda: header(template="t=" + "9" * 400 + ",v1={v1}"),
        lambda: header(template="t=" + "9" * 10_000 + ",v1={v1}"),
        lambda: header(template="t=1,v1={v1},t={at}"),
        lambda: header(template="t=NaN,v1={v1}"),
        lambda: header(v1="é" * 64),
        lambda: header(v1="é" * 64).encode(),
        lambda: header(v1="\x80" * 64).encode("latin-1"),
        lambda: header(template="t=١٢٣,v1={v1}"),
        lambda: "t=1,v1=" * 10_000,
        lambda: "," * 100_000,
        lambda: "\x00",
    ],
)
def test_bad_signatures(make, caplog):
    answer = post_webhook(BODY, make())

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature"), caplog.text
    assert not WebhookEvent.objects.exists()


def test_no_header_at_all(api):
    answer = api.generic("POST", "/api/payments/webhook/", BODY, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature")


def test_an_old_event_cannot_be_made_young(settings):
    """The signature covers the time: a recorded one with a new time is not Stripe's."""
    old = int(time.time()) - 1000

    answer = post_webhook(BODY, f"t={int(time.time())},v1={digest(BODY, old)}")

    assert answer.status_code == 400


@pytest.mark.parametrize("body", [BODY + b" ", BODY.replace(b"cus_x", b"cus_y"), b"", b"{}", b"\xff" + BODY])
def test_another_body_under_the_signature(body):
    answer = post_webhook(body, signature(BODY))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature")
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("secret", ["whsec_other", "sk_test_x", "whsec_test"])
def test_another_secret(secret):
    assert post_webhook(BODY, signature(BODY, secret=secret)).status_code == 400


@pytest.mark.parametrize(
    ("secret", "status"), [("whsec_old", 200), ("whsec_new", 200), ("whsec_tests", 400), ("whsec_old,whsec_new", 400)]
)
def test_while_one_secret_replaces_the_other(settings, secret, status):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", "whsec_old"]

    assert post_webhook(BODY, signature(BODY, secret=secret)).status_code == status


@pytest.mark.parametrize(("secrets", "status"), [([], 503), ([""], 400)])
def test_no_secret_means_no_trust(settings, secrets, status):
    settings.STRIPE_WEBHOOK_SECRETS = secrets
    at = int(time.time())
    empty = hmac.new(b"", f"{at}.".encode() + BODY, hashlib.sha256).hexdigest()

    for sent in (signature(BODY), f"t={at},v1={empty}"):
        assert post_webhook(BODY, sent).status_code == status


def test_no_secret_is_told(settings, caplog):
    settings.STRIPE_WEBHOOK_SECRETS = []

    response = post_webhook(BODY, signature(BODY))

    assert response.json()["code"] == "webhook_secret_missing"
    assert "STRIPE_WEBHOOK_SECRET" in response.json()["detail"]
    assert response.headers["Retry-After"]
    assert "A webhook was refused: STRIPE_WEBHOOK_SECRET is not set" in caplog.messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"{",
        b"null",
        b"1",
        b'"evt_x"',
        b"[]",
        b"{}",
        b'{"id": "evt_x"}',
        b'{"type": "a.b"}',
        b'{"id": 1, "type": "a.b"}',
        b'{"id": "evt_x", "type": null}',
        b'{"id": "evt_\\ud800", "type": "a.b"}',
        b"[" * 200_000,
        b'{"id": "evt_x", "type": "a.b", "data": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
    ids=lambda body: body[:40].decode(),
)
def test_well_signed_nonsense(body):
    answer = post_webhook(body)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_event")
    assert not WebhookEvent.objects.exists()


@on_postgresql
@pytest.mark.parametrize(
    "content",
    [
        {"id": "evt_\x00", "type": "a.b"},
        {"id": "e" * 300, "type": "a.b"},
        {"id": "evt_x", "type": "t" * 300},
    ],
)
def test_what_the_database_cannot_hold(content):
    answer = post_webhook(content)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_event")
    assert not WebhookEvent.objects.exists()


def test_a_body_that_is_no_text():
    body = b"\xff\xfe\x00"

    assert post_webhook(body, signature(body)).status_code == 400


@pytest.mark.parametrize(("size", "status"), [(2 * 1024 * 1024, 200), (2 * 1024 * 1024 + 1, 413)])
def test_the_largest_body(size, status):
    frame = len(json.dumps({"id": "evt_x", "type": "a.b", "data": ""}))
    body = json.dumps({"id": "evt_x", "type": "a.b", "data": "x" * (size - frame)}).encode()

    assert len(body) == size
    assert post_webhook(body).status_code == status


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""])
def test_the_content_type_does_not_matter(api, content_type):
    answer = api.generic(
        "POST", "/api/payments/webhook/", BODY, content_type, headers={"Stripe-Signature": signature(BODY)}
    )

    assert answer.status_code == 200


def test_a_bad_token_does_not_matter(api):
    headers = {"Stripe-Signature": signature(BODY), "Authorization": "Bearer nonsense"}

    answer = api.generic("POST", "/api/payments/webhook/", BODY, "application/json", headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post(api, method):
    assert getattr(api, method)("/api/payments/webhook/").status_code == 405


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_what_is_used_of_an_event_is_kept():
    sent = event("cs_test_x", "customer.created")

    post_webhook(sent)

    kept = WebhookEvent.objects.get()
    about = {"id": "cs_test_x", "object": "checkout.session"}
    used = {"id": sent["id"], "type": "customer.created", "data": {"object": about}}
    assert (kept.stripe_event_id, kept.type, kept.payload) == (sent["id"], "customer.created", used)
    assert (kept.error, kept.processed_at is not None) == ("", True)


@pytest.mark.parametrize("type_", ["customer.created", "charge.refunded", "payment_intent.succeeded", "no.such.type"])
def test_other_types_ask_nothing(pending, student, course, stripe, type_):
    pay(pending.payment_url)
    before = len(calls(stripe))

    answer = post_webhook(event(pending.stripe_session_id, type_))

    assert answer.status_code == 200
    assert len(calls(stripe)) == before
    assert WebhookEvent.objects.get().type == type_


@pytest.mark.parametrize("session", ["cs_test_unknown", "", ".", "..", "../products", "x" * 300, "cs_test_é"])
def test_a_session_that_is_not_ours(stripe, session):
    answer = post_webhook(event(session))

    kept = WebhookEvent.objects.get()
    assert answer.status_code == 200
    assert (kept.error, kept.processed_at is not None) == ("", True)


def test_of_the_event_nothing_but_the_session_is_believed(pending, student, course):
    """A signed event that says paid, about a session that is not."""
    sent = event(pending.stripe_session_id)
    sent["data"]["object"] |= {"status": "complete", "payment_status": "paid", "amount_total": 100_000}

    post_webhook(sent)

    pending.refresh_from_db()
    assert pending.status == "pending"
    assert traces(student, course) == NOT_BOUGHT


@pytest.mark.parametrize(
    "type_",
    ["checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.expired"],
)
def test_every_event_of_a_session_brings_it_up_to_date(pending, student, course, type_):
    pay(pending.payment_url)

    post_webhook(event(pending.stripe_session_id, type_))

    assert traces(student, course) == BOUGHT


def test_an_event_that_comes_twice_is_processed_once(pending, student, course, stripe):
    pay(pending.payment_url)
    sent = event(pending.stripe_session_id)
    post_webhook(sent)
    before = len(calls(stripe))

    answer = post_webhook(sent)

    assert answer.status_code == 200
    assert len(calls(stripe)) == before
    assert WebhookEvent.objects.get().attempts == 1
    assert traces(student, course) == BOUGHT


# --- What is tried again ---------------------------------------------------------------------------------------------


def test_stripe_away_is_noted_and_repaired(pending, student, course, stripe):
    pay(pending.payment_url)
    control(stripe, "fail", status=500)

    answer = post_webhook(event(pending.stripe_session_id))

    kept = WebhookEvent.objects.get()
    assert answer.status_code == 200
    assert "StripeUnavailable" in kept.error
    assert kept.processed_at is None
    assert traces(student, course) == NOT_BOUGHT

    make_old()

    assert tasks.process_failed_webhook_events() == 1
    kept.refresh_from_db()
    assert (kept.error, kept.processed_at is not None) == ("", True)
    assert traces(student, course) == BOUGHT


def test_a_second_delivery_repairs_it_too(pending, student, course, stripe):
    pay(pending.payment_url)
    sent = event(pending.stripe_session_id)
    control(stripe, "fail", status=500)
    post_webhook(sent)

    post_webhook(sent)

    assert traces(student, course) == BOUGHT
    assert WebhookEvent.objects.get().processed_at is not None


def test_one_event_as_a_task(pending, student, course, stripe):
    pay(pending.payment_url)
    control(stripe, "fail", status=500)
    post_webhook(event(pending.stripe_session_id))

    assert tasks.process_webhook_event(str(WebhookEvent.objects.get().pk)) is True
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("data", [None, {}, [], {"object": None}, {"object": {}}, {"object": {"id": 7}}])
def test_an_event_without_a_session(stripe, data):
    answer = post_webhook({**event("cs_test_x"), "data": data})

    kept = WebhookEvent.objects.get()
    assert answer.status_code == 200
    assert kept.error
    assert (kept.attempts, kept.processed_at) == (1, None)


def test_young_events_are_left_to_their_request(pending, stripe):
    pay(pending.payment_url)
    control(stripe, "fail", status=500)
    post_webhook(event(pending.stripe_session_id))

    assert tasks.process_failed_webhook_events() == 0


def test_a_hopeless_event_does_not_keep_the_others(pending, student, course, stripe):
    post_webhook({**event("cs_test_x"), "data": None})
    pay(pending.payment_url)
    control(stripe, "fail", status=500)
    post_webhook(event(pending.stripe_session_id))
    make_old()

    assert tasks.process_failed_webhook_events() == 1
    assert traces(student, course) == BOUGHT


def test_a_hopeless_event_is_given_up(stripe):
    post_webhook({**event("cs_test_x"), "data": None})
    make_old(minutes=7 * 24 * 60)
    WebhookEvent.objects.update(attempts=WebhookEvent.MAX_ATTEMPTS - 1)

    for _ in range(3):
        tasks.process_failed_webhook_events()

    assert WebhookEvent.objects.get().attempts == WebhookEvent.MAX_ATTEMPTS


def test_while_stripe_is_away_one_event_asks_for_all(stripe):
    """Each would wait for the same time-out, and the next run begins in a minute."""
    control(stripe, "fail", status=500, count=20)
    for _ in range(3):
        post_webhook(event("cs_test_x"))
    make_old()
    before = len(calls(stripe))

    assert tasks.process_failed_webhook_events() == 0
    assert len(calls(stripe)) == before + 1


def test_a_long_outage_uses_up_no_attempts(stripe):
    control(stripe, "fail", status=500, count=20)
    post_webhook(event("cs_test_x"))
    make_old()
    for _ in range(5):
        tasks.process_failed_webhook_events()

    assert WebhookEvent.objects.get().attempts == 0


def test_nothing_personal_is_kept_of_an_event(pending, student, stripe):
    pay(pending.payment_url)

    deliver(stripe)

    assert WebhookEvent.objects.exists()
    assert not [one for one in WebhookEvent.objects.all() if student.email in str(one.payload)]


@pytest.mark.parametrize(("attempts", "minutes", "tried"), [(1, 2, 0), (1, 4, 1), (10, 60, 0), (10, 67, 1)])
def test_what_fails_is_tried_ever_more_rarely(stripe, attempts, minutes, tried):
    """Three days and a half, and not a hundred minutes, until it is given up."""
    post_webhook({**event("cs_test_x"), "data": None})
    WebhookEvent.objects.update(attempts=attempts, received_at=timezone.now() - timedelta(minutes=minutes))

    tasks.process_failed_webhook_events()

    assert WebhookEvent.objects.get().attempts == attempts + tried


def test_events_of_last_month_are_forgotten(stripe, db):
    for days in (29, 31):
        WebhookEvent.objects.create(
            stripe_event_id=f"evt_{days}", type="x", payload={}, processed_at=timezone.now() - timedelta(days=days)
        )

    tasks.forget_old_records()

    assert WebhookEvent.objects.get().stripe_event_id == "evt_29"


def test_killed_in_the_middle(pending, student, course):
    """The row was committed, the process was not there any more."""
    pay(pending.payment_url)
    with mock.patch.object(webhooks, "try_event"):
        post_webhook(event(pending.stripe_session_id))
    make_old()

    tasks.process_failed_webhook_events()

    assert traces(student, course) == BOUGHT


def test_killed_between_the_effect_and_the_note(pending, student, course):
    pay(pending.payment_url)
    post_webhook(event(pending.stripe_session_id))
    WebhookEvent.objects.update(processed_at=None)
    make_old()

    tasks.process_failed_webhook_events()

    assert traces(student, course) == BOUGHT
    assert WebhookEvent.objects.get().processed_at is not None


def test_a_mismatch_is_no_failure_of_the_event(pending, stripe):
    pay(pending.payment_url)
    session_of(stripe, pending)["amount_total"] = 1

    post_webhook(event(pending.stripe_session_id))

    assert WebhookEvent.objects.get().processed_at is not None
    assert Payment.objects.get().status == "pending"


# --- With a real sender ----------------------------------------------------------------------------------------------


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_stripe_delivers(live_server, sign_in_as, student, course, settings):
    """The whole way: the stand-in's own signature, over a socket, to a running server."""
    from payments import gateway

    hook = f"{live_server.url}/api/payments/webhook/"
    with StandIn(port=0, webhook_url=hook, webhook_secret=settings.STRIPE_WEBHOOK_SECRET) as stripe:
        settings.STRIPE_API_BASE = stripe.base
        gateway._client.cache_clear()
        answer = sign_in_as(student).post("/api/payments/", {"paid_course": course.pk}).json()

        pay(answer["payment_url"])

        wait_until(lambda: Payment.objects.get().status == "succeeded", 10)
        wait_until(lambda: all(d["state"] == "delivered" for d in stripe.store.webhooks.snapshot()["deliveries"]), 10)
    gateway._client.cache_clear()
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("name", ["id", "type"])
def test_an_event_of_endless_names_is_none(db, name):
    answer = post_webhook({**event("cs_test_x"), name: "e" * 300})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_event")
    assert not WebhookEvent.objects.exists()


def test_of_an_event_little_is_kept(stripe):
    about = {"id": "cs_test_x" + "x" * 10_000, "object": "checkout.session", "metadata": {"a": "b" * 100_000}}

    assert post_webhook({**event(""), "data": {"object": about}, "more": "c" * 100_000}).status_code == 200

    assert len(str(WebhookEvent.objects.get().payload)) < 600


@pytest.mark.parametrize(("days", "left"), [(89, 1), (91, 0)])
def test_what_nobody_could_process_is_forgotten_at_last(db, days, left):
    received = timezone.now() - timedelta(days=days)
    WebhookEvent.objects.create(stripe_event_id="evt_1", type="x", payload={}, received_at=received, attempts=100)

    tasks.forget_old_records()

    assert WebhookEvent.objects.count() == left
