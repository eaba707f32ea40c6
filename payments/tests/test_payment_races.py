"""The same thing at the same time, on PostgreSQL. Each guard that these tests hold on to is named in its docstring."""

import threading
from unittest import mock

import pytest
from rest_framework.test import APIClient

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials.models import LessonAccess
from payments import gateway, tasks
from payments.models import Payment, WebhookEvent
from payments.services import settling
from payments.tests.helpers import BOUGHT, event, made, pay, post_webhook, traces
from users.models import Notification

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]

TIMES = 16
URL = "/api/payments/"


def test_sixteen_checkouts(sign_in_as, student, course, stripe):
    """One open payment per person and item (a unique constraint), one session (Stripe's idempotency keys)."""
    clients = [sign_in_as(student) for _ in range(TIMES)]

    answers = at_once(TIMES, lambda number: clients[number].post(URL, {"paid_course": course.pk}))

    assert sorted(answer.status_code for answer in answers) == [200] * (TIMES - 1) + [201]
    assert len({answer.content for answer in answers}) == 1
    assert Payment.objects.count() == 1
    assert [len(made(stripe, kind)) for kind in ("product", "price", "checkout.session")] == [1, 1, 1]


def test_cash_and_card_at_once(sign_in_as, student, course, stripe):
    """Each closes the other's: whatever comes out, one is open, and no page at Stripe is open beside another method."""
    clients = [sign_in_as(student) for _ in range(8)]
    methods = ["card", "cash"] * 4

    answers = at_once(
        8, lambda number: clients[number].post(URL, {"paid_course": course.pk, "payment_method": methods[number]})
    )

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    waiting = Payment.objects.filter(status="pending")
    assert waiting.count() <= 1
    open_sessions = {session["id"] for session in made(stripe, "checkout.session") if session["status"] == "open"}
    assert open_sessions <= set(waiting.values_list("stripe_session_id", flat=True))


def settle_in_all_ways(client, session_id, payment_id):
    """Five webhooks (two of them the same event), four success pages, a status call and two reconciliations."""
    twice = event(session_id)
    calls = [
        *(lambda sent=sent: post_webhook(sent).status_code for sent in (twice, twice)),
        *(lambda: post_webhook(event(session_id)).status_code for _ in range(3)),
        *(lambda: client().get("/success/", {"session_id": session_id}).status_code for _ in range(4)),
        lambda: client().get(f"{URL}{payment_id}/status/").status_code,
        *(lambda: 200 if tasks.reconcile_pending_payments() <= 1 else 500 for _ in range(2)),
    ]
    return at_once(len(calls), lambda number: calls[number]())


@pytest.fixture
def old(pending):
    Payment.objects.filter(pk=pending.pk).update(created_at="2026-01-01T00:00Z")
    return pending


def test_all_news_at_once(old, sign_in_as, student, course, stripe):
    """Unique rows under everything that a success leaves behind."""
    pay(old.payment_url)

    statuses = settle_in_all_ways(lambda: sign_in_as(student), old.stripe_session_id, old.pk)

    assert set(statuses) == {200}
    assert traces(student, course) == BOUGHT
    assert Payment.objects.get().status == "succeeded"
    assert WebhookEvent.objects.count() == 4
    assert not WebhookEvent.objects.filter(processed_at=None).exists()


def test_all_news_at_once_about_a_session_that_was_not_noted(old, sign_in_as, student, course, stripe):
    """Whoever comes first notes it, and the others, who saw it without a session, find it."""
    pay(old.payment_url)
    Payment.objects.filter(pk=old.pk).update(stripe_session_id="", payment_url="")
    everyone_has_asked = threading.Barrier(8)
    real = gateway.retrieve_session

    def retrieve(session_id, **options):
        session = real(session_id, **options)
        everyone_has_asked.wait(timeout=10)
        return session

    with mock.patch.object(gateway, "retrieve_session", retrieve):
        answers = at_once(8, lambda number: APIClient().get("/success/", {"session_id": old.stripe_session_id}))

    assert {answer.status_code for answer in answers} == {200}
    assert traces(student, course) == BOUGHT


def test_one_at_a_time_fulfils(pending, student, course):
    """The payment's row lock: without it the second one finds the payment pending, too. A status that has moved on by
    then (to refunded, say) would be overwritten."""
    pay(pending.payment_url)
    inside = []
    second = threading.Event()
    real = settling._succeed

    def succeed(payment, siblings, session):
        inside.append(payment.pk)
        if len(inside) > 1:
            second.set()
        second.wait(timeout=0.5)  # time for another one to come in, if nothing holds it back
        real(payment, siblings, session)

    with mock.patch.object(settling, "_succeed", succeed):
        answers = at_once(4, lambda number: post_webhook(event(pending.stripe_session_id)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(inside) == 1
    assert traces(student, course) == BOUGHT


def test_all_news_at_once_about_a_lesson(buyer, sign_in_as, student, lesson_for_sale, stripe):
    url = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk}).json()["payment_url"]
    payment = Payment.objects.get()
    pay(url)

    statuses = settle_in_all_ways(lambda: sign_in_as(student), payment.stripe_session_id, payment.pk)

    assert set(statuses) == {200}
    assert LessonAccess.objects.count() == 1
    assert Notification.objects.filter(recipient=student).count() == 1


def test_the_same_event_sixteen_times(pending, student, course):
    """The event's unique id."""
    pay(pending.payment_url)
    sent = event(pending.stripe_session_id)

    answers = at_once(TIMES, lambda number: post_webhook(sent))

    assert {answer.status_code for answer in answers} == {200}
    assert WebhookEvent.objects.count() == 1
    assert traces(student, course) == BOUGHT


def test_paying_while_buying_again(pending, sign_in_as, student, course, stripe):
    """The POST that asks Stripe first, beside the webhook: nobody pays twice."""
    pay(pending.payment_url)
    clients = [sign_in_as(student) for _ in range(4)]
    calls = [
        *(lambda client=client: client.post(URL, {"paid_course": course.pk}).status_code for client in clients),
        *(lambda: post_webhook(event(pending.stripe_session_id)).status_code for _ in range(4)),
    ]

    statuses = at_once(len(calls), lambda number: calls[number]())

    assert (statuses[:4], statuses[4:]) == ([409] * 4, [200] * 4)
    assert traces(student, course) == BOUGHT
    assert len(made(stripe, "checkout.session")) == Payment.objects.count() == 1


def test_two_buyers_of_one_course(client_for, sign_in_as, student, other, course, stripe):
    """The count goes up in the database, not in Python."""
    for buyer in (student, other):
        pay(sign_in_as(buyer).post(URL, {"paid_course": course.pk}).json()["payment_url"])
    sessions = list(Payment.objects.values_list("stripe_session_id", flat=True))

    answers = at_once(2, lambda number: post_webhook(event(sessions[number])))

    course.refresh_from_db()
    assert {answer.status_code for answer in answers} == {200}
    assert course.enrollment_count == 2
