"""What is promised of money, with all that can happen to it: `PROMISES=full` does it in full."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from rest_framework.test import APIClient

from common.testing.databases import on_postgresql
from common.testing.scale import size
from conftest import sign_in
from materials.models import Enrollment
from materials.tests.factories import CourseFactory
from payments import tasks
from payments.models import NumberSeries, Payment, WebhookEvent
from payments.stand_in import store
from payments.tests.helpers import control, events_of, made, pay, post_webhook
from users.models import Notification
from users.tests.factories import UserFactory

PAYMENTS = size(15, 200)
SEEDS = size(1, 20)
TIMES = 5
PAGES = 4


def buy(teacher, number):
    """So many payments, each of another person for another course, all of them paid at Stripe."""
    payments = []
    for _ in range(number):
        course = CourseFactory(owner=teacher, price="100.00")
        answer = sign_in(UserFactory()).post("/api/payments/", {"paid_course": course.pk})
        payments.append(Payment.objects.get(pk=answer.json()["payment_id"]))
        pay(payments[-1].payment_url)
    return payments


def visit(session_id):
    return APIClient(raise_request_exception=False).get("/success/", {"session_id": session_id}).status_code


def in_parallel(calls, workers=8):
    def run(call):
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, calls))


def check_each_counts_once(payments):
    ids = [payment.pk for payment in payments]
    settled = Payment.objects.filter(pk__in=ids)
    assert set(settled.values_list("status", flat=True)) == {"succeeded"}
    receipts = list(settled.values_list("receipt_number", flat=True))
    assert len(set(receipts)) == len(payments)
    for payment in settled:
        enrollments = Enrollment.objects.filter(user=payment.user, course=payment.paid_course)
        assert list(enrollments.values_list("source", "status")) == [("payment", "active")]
        assert enrollments.get().course.enrollment_count == 1
        told = Notification.objects.filter(recipient=payment.user)
        assert sorted(told.values_list("kind", flat=True)) == ["enrolled", "payment_succeeded"]
    # Without gaps: the last number drawn is how many there are.
    assert NumberSeries.objects.get(name="R").last == Payment.objects.exclude(receipt_number="").count()


@on_postgresql
@pytest.mark.timeout(size(120, 3600))
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_payment_counts_once(teacher, stripe, monkeypatch, seed):
    """Every event five times, shuffled, beside four success pages each, eight at a time."""
    monkeypatch.setattr(store, "EVENTS_KEPT", 10_000)
    payments = buy(teacher, PAYMENTS)
    events = [one for one in events_of(stripe) if store.is_posted(one["type"])]
    calls = [lambda one=one: post_webhook(one).status_code for one in events * TIMES]
    calls += [lambda payment=payment: visit(payment.stripe_session_id) for payment in payments * PAGES]
    random.Random(seed).shuffle(calls)

    statuses = in_parallel(calls)

    assert set(statuses) == {200}
    check_each_counts_once(payments)
    assert WebhookEvent.objects.count() == len(events)
    assert not WebhookEvent.objects.filter(processed_at=None).exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_lost_webhooks_cost_nothing(teacher, stripe):
    """All of them, of all payments: one reconciliation repairs it."""
    payments = buy(teacher, PAYMENTS)
    Payment.objects.update(created_at="2026-01-01T00:00Z")

    assert tasks.reconcile_pending_payments() == len(payments)

    check_each_counts_once(payments)


def timed(took, call):
    began = time.monotonic()
    answer = call()
    took.append(time.monotonic() - began)
    return answer


FAULTS = [{"status": 500}, {"status": 429}, {"hang": size(0, 11) or 0.4}, {"body": "half"}]


@pytest.mark.timeout(size(120, 600))
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.django_db
def test_stripe_down_is_a_pause(teacher, stripe, settings, quick_timeout, fault):
    """While it lasts, whoever buys or comes back is told to try later. Afterwards nothing is doubled or lost."""
    patience = size(0, 10)
    if patience:
        settings.STRIPE_TIMEOUT_SECONDS = patience
    paid = buy(teacher, 2)
    course, buyer = CourseFactory(owner=teacher, price="100.00"), sign_in(UserFactory())
    told = [one for one in events_of(stripe) if one["type"] == "checkout.session.completed"]
    control(stripe, "fail", count=10_000, **fault)

    took: list[float] = []
    opening = [timed(took, lambda: buyer.post("/api/payments/", {"paid_course": course.pk})) for _ in range(2)]
    pages = [timed(took, lambda payment=payment: visit(payment.stripe_session_id)) for payment in paid]
    hooks = [timed(took, lambda one=one: post_webhook(one).status_code) for one in told]
    tasks.reconcile_pending_payments()

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in opening] == [(503, "5")] * 2
    assert (pages, hooks) == ([503] * 2, [200] * 2)  # an event that is kept is ours to repeat
    assert not patience or max(took) < 12
    assert not Enrollment.objects.exists()

    control(stripe, "fail", count=0)
    assert buyer.post("/api/payments/", {"paid_course": course.pk}).status_code == 200
    assert len(made(stripe, "checkout.session")) == 3
    Payment.objects.update(created_at="2026-01-01T00:00Z")
    WebhookEvent.objects.update(received_at="2026-01-01T00:00Z")
    tasks.process_failed_webhook_events()
    check_each_counts_once(paid)
