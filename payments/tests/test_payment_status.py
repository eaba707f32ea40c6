"""GET /api/payments/{id}/status/: asks Stripe, and brings the payment up to date."""

import pytest

from payments.tests.factories import PaymentFactory
from payments.tests.helpers import calls, control, give_back_at_stripe, made, pay

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def url(payment):
    return f"/api/payments/{payment.pk}/status/"


def test_before_and_after(buyer, pending, course):
    before = buyer.get(url(pending)).json()
    pay(pending.payment_url)

    after = buyer.get(url(pending)).json()

    asked = {
        "id": str(pending.pk),
        "paid_course": str(course.pk),
        "paid_lesson": None,
        "amount": "1000.00",
        "currency": "RUB",
    }
    assert before == {**asked, "status": "pending", "payment_status": "unpaid"}
    assert after == {**asked, "status": "succeeded", "payment_status": "paid"}


@pytest.mark.parametrize(
    ("status", "payment_status"),
    [
        ("pending", "unpaid"),
        ("failed", "unpaid"),
        ("canceled", "unpaid"),
        ("expired", "unpaid"),
        ("succeeded", "paid"),
        ("refunded", "paid"),
        ("partially_refunded", "paid"),
        ("disputed", "paid"),
    ],
)
def test_stripes_word_for_it(buyer, student, course, stripe, status, payment_status):
    payment = PaymentFactory(user=student, paid_course=course, status=status)

    answer = buyer.get(url(payment)).json()

    assert (answer["status"], answer["payment_status"]) == (status, payment_status)


@pytest.mark.parametrize("method", ["cash", "transfer"])
def test_stripe_knows_nothing_of_cash(buyer, student, course, stripe, method):
    payment = PaymentFactory(user=student, paid_course=course, status="pending", payment_method=method)

    answer = buyer.get(url(payment))

    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert calls(stripe) == []


def test_what_was_given_back_at_stripe_meanwhile(buyer, pending, stripe):
    """Nobody told us: a payment that has succeeded is asked about, too."""
    pay(pending.payment_url)
    buyer.get(url(pending))
    give_back_at_stripe(stripe, pending)

    answer = buyer.get(url(pending))

    assert (answer.json()["status"], answer.json()["payment_status"]) == ("refunded", "paid")


def test_stripe_away(buyer, pending, stripe):
    control(stripe, "fail", status=500)

    answer = buyer.get(url(pending))

    pending.refresh_from_db()
    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert (answer.headers["Retry-After"], pending.status) == ("5", "pending")


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("other", 404), ("teacher", 404), ("student", 200), ("moderator", 200), ("admin", 200)],
)
def test_who_may_ask(client_for, pending, who, status):
    pay(pending.payment_url)

    answer = client_for(who).get(url(pending))

    pending.refresh_from_db()
    assert answer.status_code == status
    assert pending.status == ("succeeded" if status == 200 else "pending")


@pytest.mark.parametrize("path", [UNKNOWN, "one"])
def test_no_such_payment(buyer, stripe, path):
    assert buyer.get(f"/api/payments/{path}/status/").status_code == 404


def test_it_is_a_question(buyer, pending):
    assert buyer.post(url(pending)).status_code == 405


def test_a_second_question_makes_nothing_at_stripe(buyer, pending, stripe):
    for _ in range(3):
        buyer.get(url(pending))

    assert len(made(stripe, "checkout.session")) == 1
