"""Two paid sessions for one thing: the second goes back by itself, and buyer and admins are told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials.models import Course, Enrollment, LessonAccess
from payments import tasks
from payments.models import Payment, Refund
from payments.tests.helpers import deliver, made, pay, session_of
from users.models import Notification


def open_two(buyer, **item):
    """Two open sessions: the first payment is taken for expired, and is not."""
    first = Payment.objects.get(pk=buyer.post("/api/payments/", item).json()["payment_id"])
    Payment.objects.filter(pk=first.pk).update(status="expired")
    second = Payment.objects.get(pk=buyer.post("/api/payments/", item).json()["payment_id"])
    assert first.pk != second.pk
    return first, second


@pytest.fixture
def two(buyer, course, stripe):
    return open_two(buyer, paid_course=course.pk)


def send_refunds():
    Refund.objects.update(created_at="2026-01-01T00:00Z")
    tasks.reconcile_pending_payments()


def test_the_second_goes_back(two, stripe, student, course, admin):
    for payment in two:
        pay(payment.payment_url)
    deliver(stripe, "checkout.session.completed")

    send_refunds()

    assert [Payment.objects.get(pk=payment.pk).status for payment in two] == ["succeeded", "refunded"]
    assert [(one["amount"], one["reason"]) for one in made(stripe, "refund")] == [(100000, "duplicate")]
    enrollment = Enrollment.objects.get(user=student, course=course)
    assert enrollment.is_open
    assert Course.objects.get(pk=course.pk).enrollment_count == 1
    told = Notification.objects.filter(recipient=student).values_list("kind", flat=True)
    assert sorted(told) == ["enrolled", "payment_refunded", "payment_succeeded", "payment_succeeded"]
    assert Notification.objects.filter(recipient=admin, dedup_key__startswith="payment_duplicate").count() == 1


def test_of_a_lesson(buyer, lesson_for_sale, stripe):
    two = open_two(buyer, paid_lesson=lesson_for_sale.pk)
    for payment in two:
        pay(payment.payment_url)
    deliver(stripe, "checkout.session.completed")

    send_refunds()

    assert [Payment.objects.get(pk=payment.pk).status for payment in two] == ["succeeded", "refunded"]
    assert LessonAccess.objects.count() == 1


def test_when_the_first_is_given_back_the_second_has_been_too(two, boss, stripe):
    for payment in two:
        pay(payment.payment_url)
    deliver(stripe, "checkout.session.completed")
    boss.post(f"/api/payments/{two[0].pk}/refund/", {"reason": "requested_by_customer"})

    send_refunds()

    assert {Payment.objects.get(pk=payment.pk).status for payment in two} == {"refunded"}
    assert not Enrollment.objects.get().is_open


def test_paying_again_after_access_ran_out_is_no_duplicate(buyer, paid, course, stripe):
    Payment.objects.update(access_until="2026-01-31T00:00Z")
    Enrollment.objects.update(expires_at="2026-01-31T00:00Z")
    opened = buyer.post("/api/payments/", {"paid_course": course.pk})
    assert opened.status_code == 201

    pay(opened.json()["payment_url"])
    deliver(stripe, "checkout.session.completed")

    assert not Refund.objects.exists()
    assert Enrollment.objects.get().is_open


def test_a_renewal_is_not_closed_under_its_buyer_s_hands(buyer, paid, course, stripe):
    Payment.objects.update(access_until="2026-01-31T00:00Z")
    Enrollment.objects.update(expires_at="2026-01-31T00:00Z")
    opened = buyer.post("/api/payments/", {"paid_course": course.pk}).json()
    Payment.objects.update(created_at=timezone.now() - timedelta(minutes=20))

    tasks.reconcile_pending_payments()

    assert Payment.objects.get(pk=opened["payment_id"]).status == "pending"


def test_reconciliation_closes_a_page_that_nobody_should_pay_at(two, stripe):
    pay(two[0].payment_url)
    deliver(stripe, "checkout.session.completed")

    tasks.reconcile_pending_payments()

    assert Payment.objects.get(pk=two[1].pk).status == "canceled"
    assert session_of(stripe, two[1])["status"] == "expired"


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_both_at_once(two, stripe, student, course):
    """The locks of all of the buyer's payments for the thing: alone, each would find the other unpaid."""
    for payment in two:
        pay(payment.payment_url)

    at_once(8, lambda _number: deliver(stripe, "checkout.session.completed"))
    send_refunds()

    assert sorted(Payment.objects.values_list("status", flat=True)) == ["refunded", "succeeded"]
    assert len(made(stripe, "refund")) == 1
    assert Enrollment.objects.get(user=student, course=course).is_open
