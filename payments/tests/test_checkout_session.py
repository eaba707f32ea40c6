"""POST /api/lessons/create-checkout-session/: a course, by card, for clients that hold Stripe's own library."""

import pytest

from materials.models import Course
from materials.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.helpers import calls, control, made, pay

URL = "/api/lessons/create-checkout-session/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def test_the_answer(buyer, course, stripe):
    answer = buyer.post(URL, {"course_id": course.pk})

    session = made(stripe, "checkout.session")[0]
    assert answer.status_code == 200
    assert answer.json() == {
        "checkout_url": session["url"],
        "session_id": session["id"],
        "payment_id": str(Payment.objects.get().pk),
    }


def test_it_is_the_same_payment_as_the_other_routes(buyer, pending, course, stripe):
    answer = buyer.post(URL, {"course_id": course.pk})

    assert answer.status_code == 200
    assert answer.json() == {
        "checkout_url": pending.payment_url,
        "session_id": pending.stripe_session_id,
        "payment_id": str(pending.pk),
    }


def test_cash_that_was_chosen_before_is_closed(buyer, course, stripe):
    cash = buyer.post("/api/payments/", {"paid_course": course.pk, "payment_method": "cash"}).json()

    answer = buyer.post(URL, {"course_id": course.pk})

    assert answer.status_code == 200
    assert answer.json()["checkout_url"]
    assert Payment.objects.get(pk=cash["payment_id"]).status == "canceled"


def test_the_method_is_not_to_be_chosen(buyer, course, stripe):
    buyer.post(URL, {"course_id": course.pk, "payment_method": "cash", "amount": "1.00", "status": "succeeded"})

    payment = Payment.objects.get()
    assert (payment.payment_method, str(payment.amount), payment.status) == ("card", "1000.00", "pending")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "required"),
        ({"course_id": None}, 400, "null"),
        ({"course_id": "one"}, 400, "invalid"),
        ({"course_id": [1]}, 400, "invalid"),
        ({"course_id": UNKNOWN}, 404, "not_found"),
    ],
)
def test_bad_bodies(buyer, stripe, body, status, code):
    answer = buyer.post(URL, body)

    problem = answer.json()
    assert answer.status_code == status
    assert [error["code"] for error in problem["errors"]] == ([code] if status == 400 else [])
    assert problem["code"] == ("validation_error" if status == 400 else code)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 50_000])
def test_broken_bodies(buyer, stripe, body):
    answer = buyer.generic("POST", URL, body, "application/json")

    assert answer.status_code == 400


def test_a_free_course(buyer, teacher, stripe):
    answer = buyer.post(URL, {"course_id": CourseFactory(owner=teacher).pk})

    assert (answer.status_code, answer.json()["code"]) == (400, "free")


@pytest.mark.parametrize(("who", "code"), [("teacher", "own_course"), ("enrolled", "already_owned")])
def test_who_has_it_already(client_for, enrolled, course, stripe, who, code):
    answer = client_for(who).post(URL, {"course_id": course.pk})

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert not Payment.objects.exists()


def test_anothers_draft(buyer, course, stripe):
    Course.objects.filter(pk=course.pk).update(status="draft")

    answer = buyer.post(URL, {"course_id": course.pk})

    assert answer.status_code == 404
    assert not Payment.objects.exists()


def test_paid_while_the_event_was_lost(buyer, pending, course, stripe):
    pay(pending.payment_url)

    answer = buyer.post(URL, {"course_id": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, answer.json()["code"]) == (409, "already_owned")
    assert pending.status == "succeeded"


def test_stripe_away(buyer, course, stripe):
    control(stripe, "fail", status=500)

    answer = buyer.post(URL, {"course_id": course.pk})

    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_a_second_attempt_after_that(buyer, course, stripe):
    control(stripe, "fail", status=500)
    buyer.post(URL, {"course_id": course.pk})

    answer = buyer.post(URL, {"course_id": course.pk})

    assert answer.status_code == 200
    assert len(made(stripe, "checkout.session")) == Payment.objects.count() == 1


def test_anonymous(api, course, stripe):
    answer = api.post(URL, {"course_id": course.pk})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert calls(stripe) == []
