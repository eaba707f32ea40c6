"""payments.tasks.reconcile_pending_payments: what the webhooks should have told us, and did not."""

from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from materials.models import Enrollment
from materials.tests.factories import CourseFactory
from payments import tasks
from payments.models import Payment
from payments.services import settling
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import BOUGHT, calls, control, made, pay, traces


def age(payment, **ago):
    Payment.objects.filter(pk=payment.pk).update(created_at=timezone.now() - timedelta(**ago))


def questions(stripe):
    return len(calls(stripe, "GET"))


@pytest.mark.parametrize(("minutes", "asked"), [(9, 0), (11, 1)])
def test_only_old_ones_are_asked_about(pending, stripe, minutes, asked):
    age(pending, minutes=minutes)

    tasks.reconcile_pending_payments()

    assert questions(stripe) == asked


def test_how_old_is_a_setting(pending, stripe, settings):
    settings.RECONCILE_AFTER_MINUTES = 30
    age(pending, minutes=29)

    tasks.reconcile_pending_payments()

    assert questions(stripe) == 0


@pytest.mark.parametrize("status", [status for status in Payment.Status.values if status != "pending"])
def test_only_pending_ones_are_asked_about(pending, stripe, status):
    age(pending, hours=1)
    Payment.objects.filter(pk=pending.pk).update(status=status)

    assert tasks.reconcile_pending_payments() == 0
    assert questions(stripe) == 0


def test_all_webhooks_of_many_payments_are_lost(buyer, teacher, student, stripe):
    courses = [CourseFactory(owner=teacher, price="100.00") for _ in range(12)]
    for number, course in enumerate(courses):
        url = buyer.post("/api/payments/", {"paid_course": course.pk}).json()["payment_url"]
        if number % 3:
            pay(url)
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=1))

    moved = tasks.reconcile_pending_payments()

    assert moved == 8
    assert Payment.objects.filter(status="succeeded").count() == 8
    assert Enrollment.objects.filter(user=student, source="payment").count() == 8


def test_a_second_run_finds_nothing_to_do(pending, student, course):
    pay(pending.payment_url)
    age(pending, hours=1)
    tasks.reconcile_pending_payments()

    assert tasks.reconcile_pending_payments() == 0
    assert traces(student, course) == BOUGHT


def test_what_has_expired_at_stripe(pending, stripe):
    control(stripe, "expire", session=pending.stripe_session_id)
    age(pending, days=1, hours=1)

    assert tasks.reconcile_pending_payments() == 1
    pending.refresh_from_db()
    assert pending.status == "expired"


@pytest.mark.parametrize(("minutes", "status"), [(29, "pending"), (31, "expired")])
def test_without_a_session_it_is_given_up_with_its_hold(student, course, stripe, minutes, status):
    """Stripe was away when it was opened, and its buyer has not come back."""
    payment = PaymentFactory(user=student, paid_course=course, status="pending")
    age(payment, minutes=minutes)

    tasks.reconcile_pending_payments()

    payment.refresh_from_db()
    assert payment.status == status
    assert calls(stripe) == []


def test_stripe_away_ends_the_run_in_peace(buyer, teacher, stripe):
    for _ in range(3):
        course = CourseFactory(owner=teacher, price="100.00")
        pay(buyer.post("/api/payments/", {"paid_course": course.pk}).json()["payment_url"])
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=1))
    control(stripe, "fail", status=500, count=10)

    moved = tasks.reconcile_pending_payments()

    assert (moved, questions(stripe)) == (0, 1)
    assert set(Payment.objects.values_list("status", flat=True)) == {"pending"}


def test_the_next_run_goes_on(pending, stripe):
    pay(pending.payment_url)
    age(pending, hours=1)
    control(stripe, "fail", status=500)
    tasks.reconcile_pending_payments()

    assert tasks.reconcile_pending_payments() == 1


def test_one_that_cannot_be_settled_does_not_stop_the_others(buyer, teacher, stripe, caplog):
    for _ in range(2):
        course = CourseFactory(owner=teacher, price="100.00")
        pay(buyer.post("/api/payments/", {"paid_course": course.pk}).json()["payment_url"])
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=1))
    first = Payment.objects.order_by("created_at", "pk").first()
    real = settling.refresh

    def refresh(payment):
        if payment.pk == first.pk:
            raise ZeroDivisionError
        return real(payment)

    with mock.patch.object(settling, "refresh", refresh):
        moved = tasks.reconcile_pending_payments()

    assert moved == 1
    assert f"Payment {first.pk} could not be reconciled" in caplog.text


def test_it_makes_nothing_at_stripe(pending, stripe):
    age(pending, hours=1)

    tasks.reconcile_pending_payments()

    assert len(made(stripe, "checkout.session")) == 1
