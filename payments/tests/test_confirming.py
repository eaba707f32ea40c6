"""POST /api/payments/{id}/confirm/: cash and transfers, and what is told of those that wait."""

from datetime import timedelta

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from payments import tasks
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import BOUGHT, NOT_BOUGHT, traces
from users.models import Notification

REFERENCE = {"reference": "Cash receipt 17"}


def url(payment):
    return f"/api/payments/{payment.pk}/confirm/"


@pytest.mark.parametrize("method", ["cash", "transfer"])
def test_confirming_opens(buyer, boss, student, admin, course, method):
    opened = buyer.post("/api/payments/", {"paid_course": course.pk, "payment_method": method}).json()
    assert (opened["status"], opened["payment_url"]) == ("pending", None)
    assert traces(student, course) == NOT_BOUGHT

    answer = boss.post(f"/api/payments/{opened['payment_id']}/confirm/", REFERENCE)

    body = answer.json()
    assert (answer.status_code, body["status"], body["reference"]) == (200, "succeeded", "Cash receipt 17")
    assert body["receipt_number"] == "R-000001"
    assert traces(student, course) == BOUGHT
    assert Payment.objects.get().confirmed_by == admin


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("other", 404), ("teacher", 404), ("moderator", 403), ("admin", 200)],
)
def test_who_may_confirm(client_for, cash, who, status):
    answer = client_for(who).post(url(cash), REFERENCE)

    cash.refresh_from_db()
    assert answer.status_code == status
    assert (cash.status == "succeeded") is (status == 200)


@pytest.mark.parametrize("fields", [{}, {"reference": ""}, {"reference": " "}, {"reference": "x" * 101}])
def test_it_takes_a_reference(boss, cash, fields):
    answer = boss.post(url(cash), fields)

    cash.refresh_from_db()
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "reference")
    assert cash.status == "pending"


def test_stripe_confirms_cards(boss, pending):
    answer = boss.post(url(pending), REFERENCE)

    assert (answer.status_code, answer.json()["code"]) == (409, "paid_by_card")


@pytest.mark.parametrize(
    "status", [status for status in Payment.Status.values if status not in {"pending", "canceled", "expired"}]
)
def test_what_awaits_no_money(boss, student, course, status):
    payment = PaymentFactory(user=student, paid_course=course, payment_method="cash", status=status)

    answer = boss.post(url(payment), REFERENCE)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_pending")


def test_money_that_comes_after_another_way_was_chosen(buyer, boss, cash, course, stripe):
    """A transfer was on its way when its buyer thought of a card."""
    buyer.post("/api/payments/", {"paid_course": course.pk})
    cash.refresh_from_db()
    assert cash.status == "canceled"

    answer = boss.post(url(cash), REFERENCE)

    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")


def test_bought_otherwise_meanwhile(boss, cash, student, course):
    PaymentFactory(user=student, paid_course=course)

    answer = boss.post(url(cash), REFERENCE)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_owned")


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once(sign_in_as, admin, cash, student, course):
    """The payment's row lock."""
    clients = [sign_in_as(admin) for _ in range(16)]

    answers = at_once(16, lambda number: clients[number].post(url(cash), REFERENCE))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    assert traces(student, course) == BOUGHT
    assert Payment.objects.get().receipt_number == "R-000001"


# --- Waiting for long ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "reminders"), [(1, 0), (2.5, 1)])
def test_reminders(cash, student, admin, days, reminders):
    Payment.objects.update(created_at=timezone.now() - timedelta(days=days))

    for _ in range(2):
        tasks.remind_pending_payments()

    for person in (student, admin):
        told = Notification.objects.filter(recipient=person, dedup_key__startswith="payment_waits")
        assert told.count() == reminders


@pytest.mark.parametrize(("hours", "status"), [(71, "pending"), (73, "expired")])
def test_after_three_days_it_keeps_no_place(cash, boss, hours, status):
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=hours))

    tasks.close_stale_payments()

    cash.refresh_from_db()
    assert cash.status == status
    assert boss.post(url(cash), REFERENCE).status_code == 200  # a transfer may take its time


@pytest.mark.parametrize("changes", [{"status": "succeeded"}, {"payment_method": "card"}])
def test_no_reminder(cash, changes):
    Payment.objects.update(created_at=timezone.now() - timedelta(days=30), **changes)

    assert tasks.remind_pending_payments() == 0
