"""POST /api/payments/{id}/refund-request/: a buyer asks, an admin decides."""

from datetime import timedelta

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from conftest import sign_in
from payments.models import Payment, RefundRequest
from payments.tests.factories import PaymentFactory
from users.models import Notification

ASKED = {"reason": "It is not what I expected"}


def url(payment):
    return f"/api/payments/{payment.pk}/refund-request/"


@pytest.fixture
def mine(student, course):
    return PaymentFactory(user=student, paid_course=course, payment_method="cash")


def test_asking(buyer, mine, admin):
    answer = buyer.post(url(mine), ASKED)

    body = answer.json()
    assert answer.status_code == 201
    assert (body["payment"], body["reason"], body["status"]) == (str(mine.pk), ASKED["reason"], "open")
    assert Notification.objects.filter(recipient=admin, dedup_key__startswith="refund_requested").count() == 1
    mine.refresh_from_db()
    assert mine.status == "succeeded"


def test_it_is_seen_with_the_payment(buyer, mine):
    assert buyer.get(f"/api/payments/{mine.pk}/").json()["refundable_until"] > "2026"
    buyer.post(url(mine), ASKED)

    seen = buyer.get(f"/api/payments/{mine.pk}/").json()["refund_requests"]

    assert [(one["status"], one["reason"]) for one in seen] == [("open", ASKED["reason"])]


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 201), ("other", 404), ("teacher", 404), ("moderator", 403), ("admin", 403)],
)
def test_who_may_ask(client_for, mine, who, status):
    assert client_for(who).post(url(mine), ASKED).status_code == status
    assert RefundRequest.objects.exists() is (status == 201)


@pytest.mark.parametrize("fields", [{}, {"reason": ""}, {"reason": "x" * 2001}])
def test_bad_input(buyer, mine, fields):
    answer = buyer.post(url(mine), fields)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "reason")


@pytest.mark.parametrize(("days", "status"), [(13, 201), (15, 409)])
def test_within_the_window(buyer, mine, days, status):
    Payment.objects.update(payment_date=timezone.now() - timedelta(days=days))

    answer = buyer.post(url(mine), ASKED)

    assert answer.status_code == status
    if status == 409:
        assert answer.json()["code"] == "refund_window_closed"


@pytest.mark.parametrize(("days", "words"), [(1, "1 дня"), (3, "3 дней"), (21, "21 дня")])
def test_the_window_is_a_setting(buyer, mine, settings, days, words):
    settings.REFUND_WINDOW_DAYS = days
    Payment.objects.update(payment_date=timezone.now() - timedelta(days=days + 1))

    answer = buyer.post(url(mine), ASKED, headers={"Accept-Language": "ru"})

    assert (answer.status_code, answer.json()["detail"]) == (409, f"Запросить возврат можно в течение {words}.")


@pytest.mark.parametrize("status", ["pending", "expired", "canceled", "failed", "refunded", "disputed"])
def test_nothing_to_give_back(buyer, mine, status):
    Payment.objects.update(status=status)

    answer = buyer.post(url(mine), ASKED)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_refundable")


def test_once(buyer, mine):
    buyer.post(url(mine), ASKED)

    answer = buyer.post(url(mine), ASKED)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_requested")


def test_a_refund_approves(buyer, boss, admin, mine):
    buyer.post(url(mine), ASKED)

    boss.post(f"/api/payments/{mine.pk}/refund/", {"reason": "requested_by_customer"})

    request = RefundRequest.objects.get()
    assert (request.status, request.decided_by) == ("approved", admin)


def test_what_somebody_wrote_leaves_with_them(buyer, student, mine):
    student.set_password("correct-horse-7")
    student.save()
    buyer.post(url(mine), ASKED)

    answer = sign_in(student).delete("/api/users/me/", {"password": "correct-horse-7"})

    assert answer.status_code == 204
    assert RefundRequest.objects.get().reason == ""
    assert Payment.objects.filter(pk=mine.pk, amount="1000.00").exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once(sign_in_as, student, mine):
    """The payment's row lock, and a unique constraint under it."""
    clients = [sign_in_as(student) for _ in range(16)]

    answers = at_once(16, lambda number: clients[number].post(url(mine), ASKED))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
