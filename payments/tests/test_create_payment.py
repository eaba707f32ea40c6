"""POST /api/payments/: opening a payment, and what stands in its way."""

from unittest import mock

import pytest

from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonAccessFactory, LessonFactory
from payments import gateway
from payments.models import Payment, PaymentQuerySet, StripePrice, StripeProduct
from payments.services import buying
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import (
    browse,
    calls,
    control,
    event,
    failing_at,
    made,
    pay,
    post_webhook,
    session_of,
)
from users.models import User

URL = "/api/payments/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def code_of(answer):
    """The code of the problem; of a field's problem, with the field."""
    body = answer.json()
    return [(error["attr"], error["code"]) for error in body["errors"]] or body["code"]


# --- What is opened --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [URL, "/api/payments/create/"])
def test_the_answer(buyer, course, stripe, url):
    answer = buyer.post(url, {"paid_course": course.pk})

    payment = Payment.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "payment_id": str(payment.pk),
        "payment_url": f"{stripe.base}/c/pay/{payment.stripe_session_id}",
        "amount": "1000.00",
        "currency": "RUB",
        "status": "pending",
    }


def test_what_is_noted(pending, student, course, stripe):
    assert (pending.user, pending.paid_course, pending.paid_lesson) == (student, course, None)
    assert (pending.title, pending.payment_method) == ("Python basics", "card")
    assert pending.stripe_product_id == made(stripe, "product")[0]["id"]
    assert pending.stripe_price_id == made(stripe, "price")[0]["id"]


def test_a_lesson_is_bought_alone(buyer, lesson_for_sale, stripe):
    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk})

    payment = Payment.objects.get()
    assert (answer.status_code, answer.json()["amount"], answer.json()["currency"]) == (201, "150.00", "RUB")
    assert (payment.paid_course, payment.paid_lesson, payment.title) == (None, lesson_for_sale, "Closures")


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [("1990.50", "RUB", 199050), ("19.90", "USD", 1990), ("500.00", "JPY", 500), ("500.00", "ISK", 50000)],
)
def test_the_amount_at_stripe_is_in_minor_units(buyer, teacher, stripe, price, currency, minor):
    course = CourseFactory(owner=teacher, price=price, currency=currency)

    answer = buyer.post(URL, {"paid_course": course.pk})

    session = made(stripe, "checkout.session")[0]
    assert (answer.json()["amount"], answer.json()["currency"]) == (price, currency)
    assert (session["amount_total"], session["currency"]) == (minor, currency.lower())
    assert made(stripe, "price")[0]["unit_amount"] == minor


def test_what_stripe_is_told(pending, student, stripe, settings):
    metadata = {"payment_id": str(pending.pk)}
    product, session = made(stripe, "product")[0], made(stripe, "checkout.session")[0]
    assert (product["name"], product["metadata"]) == ("Python basics", {"item_id": str(pending.paid_course_id)})
    assert (session["client_reference_id"], session["metadata"]) == (str(pending.pk), metadata)
    assert session["customer_email"] == student.email
    assert session["success_url"] == f"{settings.BASE_URL}/success/?session_id={{CHECKOUT_SESSION_ID}}"
    assert session["cancel_url"] == f"{settings.BASE_URL}/cancel/?session_id={{CHECKOUT_SESSION_ID}}"
    assert session["adaptive_pricing"] == {"enabled": False}


def test_the_charge_carries_the_payments_id(pending, stripe):
    pay(pending.payment_url)

    assert made(stripe, "payment_intent")[0]["metadata"] == {"payment_id": str(pending.pk)}


@pytest.mark.parametrize("method", ["card", "CARD", "Card"])
def test_card_is_read_in_any_case(buyer, course, stripe, method):
    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": method})

    assert answer.status_code == 201
    assert Payment.objects.get().payment_method == "card"


@pytest.mark.parametrize(
    ("method", "noted"), [("cash", "cash"), ("CASH", "cash"), ("Transfer", "transfer"), ("transfer", "transfer")]
)
def test_cash_and_transfer_do_not_concern_stripe(buyer, course, stripe, method, noted):
    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": method})

    assert (answer.status_code, answer.json()["payment_url"]) == (201, None)
    assert Payment.objects.get().payment_method == noted
    assert calls(stripe) == []


def test_forms_are_taken_too(buyer, course, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"}, format="multipart")

    assert answer.status_code == 201


def test_upper_case_ids_are_accepted(buyer, course, stripe):
    answer = buyer.post(URL, {"paid_course": str(course.pk).upper(), "payment_method": "cash"})

    assert answer.status_code == 201


FORCED = {
    "amount": "1.00",
    "currency": "USD",
    "status": "succeeded",
    "user": "{other}",
    "user_id": "{other}",
    "id": UNKNOWN,
    "payment_id": UNKNOWN,
    "title": "A gift",
    "payment_date": "2020-01-01T00:00:00Z",
    "payment_url": "https://evil.example",
    "receipt_number": "1",
    "stripe_product_id": "prod_1",
    "stripe_price_id": "price_1",
    "stripe_session_id": "cs_test_1",
    "stripe_payment_intent_id": "pi_1",
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize("format_", ["json", "multipart"])
def test_nothing_else_can_be_chosen(buyer, course, other, student, stripe, format_):
    forced = {name: value.format(other=other.pk) for name, value in FORCED.items()}

    answer = buyer.post(URL, {**forced, "paid_course": course.pk, "payment_method": "cash"}, format=format_)

    payment = Payment.objects.get()
    assert answer.status_code == 201
    assert (str(payment.amount), payment.currency, payment.status) == ("1000.00", "RUB", "pending")
    assert (payment.user, payment.title, payment.receipt_number) == (student, "Python basics", "")
    assert str(payment.pk) != UNKNOWN
    assert payment.payment_date.year != 2020
    assert payment.created_at.year != 2020
    for name in ("payment_url", "stripe_product_id", "stripe_price_id", "stripe_session_id"):
        assert getattr(payment, name) == ""


# --- The open one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["card", "cash"])
def test_the_open_one_is_given_back(buyer, course, stripe, method):
    body = {"paid_course": course.pk, "payment_method": method}
    first = buyer.post(URL, body)

    second = buyer.post(URL, body)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert Payment.objects.count() == 1
    assert len(made(stripe, "checkout.session")) == (method == "card")


def test_a_course_and_its_lesson_are_two_things(buyer, pending, lesson_for_sale):
    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk})

    assert answer.status_code == 201
    assert answer.json()["payment_id"] != str(pending.pk)


def test_two_people_have_a_payment_each(client_for, pending, other, course):
    answer = client_for("other").post(URL, {"paid_course": course.pk})

    assert answer.status_code == 201
    assert answer.json()["payment_id"] != str(pending.pk)


def test_the_amount_is_what_was_asked_for(buyer, pending, course):
    Course.objects.filter(pk=course.pk).update(price="5000.00")

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, answer.json()["amount"]) == (200, "1000.00")


def test_the_next_payment_asks_for_the_new_price(buyer, pending, course, stripe):
    control(stripe, "expire", session=pending.stripe_session_id)
    Course.objects.filter(pk=course.pk).update(price="5000.00")

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, answer.json()["amount"]) == (201, "5000.00")


def test_another_method_closes_the_card_payment(buyer, pending, course, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    pending.refresh_from_db()
    assert answer.status_code == 201
    assert answer.json()["payment_id"] != str(pending.pk)
    assert (pending.status, session_of(stripe, pending)["status"]) == ("canceled", "expired")


def test_a_card_closes_the_cash_payment(buyer, course, stripe):
    cash = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    card = buyer.post(URL, {"paid_course": course.pk, "payment_method": "card"})

    assert (card.status_code, card.json()["status"]) == (201, "pending")
    assert card.json()["payment_url"]
    assert Payment.objects.get(pk=cash.json()["payment_id"]).status == "canceled"


def test_what_is_paid_already_is_not_closed(buyer, pending, course, stripe):
    pay(pending.payment_url)

    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert list(Payment.objects.values_list("status", flat=True)) == ["succeeded"]


def test_what_is_paid_at_the_last_moment_is_not_closed(buyer, pending, course):
    """Between the question to Stripe and the closing of the session."""
    real = buying.close_payment

    def cancel(payment):
        pay(pending.payment_url)
        real(payment)

    with mock.patch.object(buying, "close_payment", cancel):
        answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert list(Payment.objects.values_list("status", flat=True)) == ["succeeded"]


def test_money_that_is_on_its_way_is_waited_for(buyer, pending, course, stripe):
    """A delayed method: the session is complete, its money comes later, and nobody can call it back."""
    browse(pending.payment_url, {"payment_method": "delayed"})

    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert (answer.status_code, code_of(answer)) == (409, "payment_processing")
    assert list(Payment.objects.values_list("status", flat=True)) == ["pending"]


def test_another_method_waits_for_stripe(buyer, pending, course, stripe):
    """Were it closed here alone, the page at Stripe would still take money."""
    control(stripe, "fail", status=500, count=5)

    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert answer.status_code == 503
    assert list(Payment.objects.values_list("status", "payment_method")) == [("pending", "card")]


def test_its_own_expiry_event_may_come_first(buyer, pending, course, stripe):
    """Between the call to Stripe and the note that the payment is canceled."""
    real = gateway.expire_session

    def expire(session_id):
        session = real(session_id)
        Payment.objects.filter(pk=pending.pk).update(status="expired")
        return session

    with mock.patch.object(gateway, "expire_session", expire):
        answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    pending.refresh_from_db()
    assert (answer.status_code, pending.status) == (201, "canceled")


# --- What is not for sale --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("paid_course", "exactly_one_item")]),
        ({"paid_course": None, "paid_lesson": None}, [("paid_course", "exactly_one_item")]),
        ({"paid_course": "{course}", "paid_lesson": "{lesson}"}, [("paid_course", "exactly_one_item")]),
        ({"paid_course": UNKNOWN}, [("paid_course", "does_not_exist")]),
        ({"paid_lesson": UNKNOWN}, [("paid_lesson", "does_not_exist")]),
        ({"paid_course": "{lesson}"}, [("paid_course", "does_not_exist")]),
        ({"paid_course": "one"}, [("paid_course", "invalid")]),
        ({"paid_lesson": "one"}, [("paid_lesson", "invalid")]),
        ({"paid_course": "{course}", "payment_method": "bitcoin"}, [("payment_method", "invalid_choice")]),
        ({"paid_course": "{course}", "payment_method": None}, [("payment_method", "null")]),
        ({"paid_course": "{course}", "payment_method": ""}, [("payment_method", "invalid_choice")]),
    ],
)
def test_bad_bodies(buyer, course, lesson_for_sale, stripe, body, expected):
    places = {"course": course.pk, "lesson": lesson_for_sale.pk}
    body = {name: value.format(**places) if isinstance(value, str) else value for name, value in body.items()}

    answer = buyer.post(URL, body)

    assert (answer.status_code, code_of(answer)) == (400, expected)
    assert not Payment.objects.exists()
    assert calls(stripe) == []


@pytest.mark.parametrize("field", ["paid_course", "paid_lesson", "payment_method"])
@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, False, [], {}, [[]], {"id": 1}, 10**18, " ", "\x00", "é", "{}", "x" * 5000]
)
def test_odd_values_are_refused(buyer, course, stripe, field, value):
    answer = buyer.post(URL, {"paid_course": str(course.pk), "payment_method": "cash", field: value})

    assert answer.status_code == 400, answer.content
    assert not Payment.objects.exists()


def test_the_empty_field_of_a_form_is_no_lesson(buyer, course, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "paid_lesson": "", "payment_method": "cash"})

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"null", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "application/json", 400),
        (b'"\\ud800"', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"paid_course": "' + b"a" * (2 * 1024 * 1024) + b'"}', "application/json", 413),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x", "multipart/form-data", 400),
        (b"paid_course=%00", "application/x-www-form-urlencoded", 400),
        (b"<a/>", "application/xml", 415),
    ],
)
def test_broken_bodies(buyer, stripe, body, content_type, status):
    answer = buyer.generic("POST", URL, body, content_type)

    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b'{"a":', b"\xff", b"<a/>"])
@pytest.mark.parametrize("url", [URL, "/api/payments/create/", "/api/payments/preview/"])
def test_a_broken_body_of_nobody_is_asked_to_sign_in(api, url, body):
    assert api.generic("POST", url, body, "application/json").status_code == 401


def test_a_lesson_of_a_free_course_is_not_sold(buyer, teacher, stripe):
    course = CourseFactory(owner=teacher, price=0)
    lesson = LessonFactory(course=course, price="500.00")

    answer = buyer.post(URL, {"paid_lesson": lesson.pk})

    assert (answer.status_code, answer.json()["code"]) == (400, "free")


def test_a_free_course(buyer, teacher, stripe):
    course = CourseFactory(owner=teacher)

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (400, "free")
    assert not Payment.objects.exists()


def test_a_lesson_that_is_not_sold_alone(buyer, course, stripe):
    answer = buyer.post(URL, {"paid_lesson": course.lessons.last().pk})

    assert (answer.status_code, code_of(answer)) == (400, "free")
    assert not Payment.objects.exists()


@pytest.mark.parametrize("what", ["paid_course", "paid_lesson"])
def test_ones_own(client_for, course, lesson_for_sale, stripe, what):
    item = course if what == "paid_course" else lesson_for_sale

    answer = client_for("teacher").post(URL, {what: item.pk})

    assert (answer.status_code, code_of(answer)) == (409, "own_course")
    assert not Payment.objects.exists()


@pytest.mark.parametrize("what", ["paid_course", "paid_lesson"])
@pytest.mark.parametrize("who", ["student", "other"])
def test_anothers_draft_does_not_exist(client_for, course, lesson_for_sale, stripe, who, what):
    Course.objects.filter(pk=course.pk).update(status="draft")
    item = course if what == "paid_course" else lesson_for_sale

    answer = client_for(who).post(URL, {what: item.pk})

    assert (answer.status_code, code_of(answer)) == (400, [(what, "does_not_exist")])
    assert not Payment.objects.exists()


@pytest.mark.parametrize("who", ["moderator", "admin"])
def test_a_draft_is_not_for_sale(client_for, course, stripe, who):
    Course.objects.filter(pk=course.pk).update(status="draft")

    answer = client_for(who).post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (409, "not_published")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("student", 400, [("paid_course", "does_not_exist")]), ("enrolled", 409, "not_published")],
)
def test_an_archived_course_is_not_for_sale(client_for, enrolled, course, stripe, who, status, code):
    Course.objects.filter(pk=course.pk).update(status="archived")

    answer = client_for(who).post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (status, code)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("what", ["paid_course", "paid_lesson"])
def test_what_the_enrolled_own(client_for, enrolled, course, lesson_for_sale, stripe, what):
    item = course if what == "paid_course" else lesson_for_sale

    answer = client_for("enrolled").post(URL, {what: item.pk})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert not Payment.objects.exists()


def test_a_lesson_that_was_bought(buyer, student, lesson_for_sale, stripe):
    LessonAccessFactory(user=student, lesson=lesson_for_sale)

    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")


def test_a_bought_lesson_does_not_own_its_course(buyer, student, course, lesson_for_sale, stripe):
    LessonAccessFactory(user=student, lesson=lesson_for_sale)

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert answer.status_code == 201


def test_access_that_has_expired_is_sold_again(buyer, student, course, stripe):
    EnrollmentFactory(
        user=student, course=course, source="payment", expires_at="2020-01-01T00:00Z", status=Enrollment.Status.ACTIVE
    )

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert answer.status_code == 201


def test_bought_again_while_the_event_is_lost(buyer, pending, student, course, stripe):
    pay(pending.payment_url)

    answer = buyer.post(URL, {"paid_course": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert pending.status == "succeeded"
    assert Enrollment.objects.filter(user=student, course=course).exists()
    assert len(made(stripe, "checkout.session")) == 1


@pytest.mark.parametrize("status", ["failed", "canceled", "expired", "refunded"])
def test_what_is_over_does_not_stand_in_the_way(buyer, student, course, stripe, status):
    PaymentFactory(user=student, paid_course=course, status=status)

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert answer.status_code == 201


def test_a_session_that_stripe_has_forgotten(buyer, pending, course, stripe):
    stripe.store.clear()

    answer = buyer.post(URL, {"paid_course": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, pending.status) == (201, "expired")
    assert len(made(stripe, "checkout.session")) == 1


# --- Stripe is away --------------------------------------------------------------------------------------------------

FAULTS = {
    "500": {"status": 500},
    "503": {"status": 503},
    "429": {"status": 429},
    "401": {"status": 401},
    "403": {"status": 403},
    "half a body": {"cut": True},
    "silence": {"hang": 0.4},
}
ADDRESSES = ["/v1/products", "/v1/prices", "/v1/checkout/sessions"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_stripe_away_is_a_pause(quick_timeout, buyer, course, stripe, fault, address):
    with failing_at(stripe, address, **FAULTS[fault]):
        answer = buyer.post(URL, {"paid_course": course.pk})

    payment = Payment.objects.get()
    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (payment.status, payment.stripe_session_id) == ("pending", "")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_the_next_attempt_goes_on_with_the_same_payment(quick_timeout, buyer, course, stripe, fault, address):
    with failing_at(stripe, address, **FAULTS[fault]):
        buyer.post(URL, {"paid_course": course.pk})

    answer = buyer.post(URL, {"paid_course": course.pk})

    payment = Payment.objects.get()
    assert (answer.status_code, answer.json()["payment_id"]) == (200, str(payment.pk))
    assert answer.json()["payment_url"] == made(stripe, "checkout.session")[0]["url"]
    assert [len(made(stripe, kind)) for kind in ("product", "price", "checkout.session")] == [1, 1, 1]
    keys = {request["idempotency_key"] for request in calls(stripe, "POST")}
    product, price = StripeProduct.objects.get(), StripePrice.objects.get()
    assert keys == {f"product-{product.pk}", f"price-{price.pk}", f"payment-{payment.pk}-{price.stripe_id}"}


def test_nobody_listens(buyer, course, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    gateway._client.cache_clear()

    answer = buyer.post(URL, {"paid_course": course.pk})

    gateway._client.cache_clear()
    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert Payment.objects.get().status == "pending"


def test_stripe_away_while_a_payment_is_open(buyer, pending, course, stripe):
    control(stripe, "fail", status=500)

    answer = buyer.post(URL, {"paid_course": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, pending.status) == (503, "pending")


def test_a_crash_before_the_session_was_noted(buyer, course, stripe):
    with mock.patch.object(gateway, "_session", side_effect=SystemError("killed")):
        assert buyer.post(URL, {"paid_course": course.pk}).status_code == 500
    session = made(stripe, "checkout.session")[0]

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, answer.json()["payment_url"]) == (200, session["url"])
    assert len(made(stripe, "checkout.session")) == 1


def test_the_buyers_address_changes_after_a_crash(buyer, student, course, stripe):
    """Stripe takes other parameters under the same key for a mistake: the old payment must not block the new one."""
    with mock.patch.object(gateway, "_session", side_effect=SystemError("killed")):
        buyer.post(URL, {"paid_course": course.pk})
    User.objects.filter(pk=student.pk).update(email="new@test.io")

    refused, answer = (buyer.post(URL, {"paid_course": course.pk}) for _ in range(2))

    assert (refused.status_code, answer.status_code) == (400, 201)
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["failed", "pending"]


# --- Stripe refuses --------------------------------------------------------------------------------------------------


def test_a_charge_that_stripe_refuses(buyer, teacher, stripe):
    """The least charge in złoty is Stripe's to know."""
    course = CourseFactory(owner=teacher, price="1.00", currency="PLN")

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (400, "payment_refused")
    assert "2.00 pln" in answer.json()["detail"]
    assert Payment.objects.get().status == "failed"


def test_after_a_refusal_one_may_try_again(buyer, course, stripe):
    control(stripe, "fail", status=400)
    refused = buyer.post(URL, {"paid_course": course.pk})

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (refused.status_code, answer.status_code) == (400, 201)
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["failed", "pending"]


def test_after_a_refusal_one_may_pay_in_cash(buyer, teacher, stripe):
    course = CourseFactory(owner=teacher, price="1.00", currency="PLN")
    buyer.post(URL, {"paid_course": course.pk})

    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert answer.status_code == 201


def test_a_price_that_the_currency_cannot_express(buyer, teacher, stripe):
    course = CourseFactory(owner=teacher, price="10.50", currency="JPY")

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (400, "payment_refused")
    assert calls(stripe) == []


# --- Overtaken by another request ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_closed_while_the_session_was_being_made(buyer, course, stripe, status):
    """Another tab chose cash meanwhile: the session must not stay open beside it."""
    real = gateway.create_session

    def create(payment, price_id):
        made_ = real(payment, price_id)
        Payment.objects.filter(pk=payment.pk).update(status=status)
        return made_

    with mock.patch.object(gateway, "create_session", create):
        answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (409, "conflict")
    assert made(stripe, "checkout.session")[0]["status"] == "expired"


def test_a_session_is_noted_while_its_payment_is_being_closed(buyer, student, course, stripe):
    """The other way round: what is closed must not have got a session since it was looked at."""
    payment = PaymentFactory(user=student, paid_course=course, status="pending")
    real = buying.close_payment

    def cancel(seen):
        Payment.objects.filter(pk=payment.pk).update(stripe_session_id="cs_test_new")
        real(seen)

    with mock.patch.object(buying, "close_payment", cancel):
        answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    payment.refresh_from_db()
    assert (answer.status_code, code_of(answer)) == (409, "conflict")
    assert payment.status == "pending"


def test_two_tabs_open_the_first_payment(buyer, student, course, stripe):
    """Neither sees the other's, and the database lets one through: the other one gets the same."""
    first = PaymentFactory(user=student, paid_course=course, status="pending", payment_method="cash")
    real = PaymentQuerySet.open_for
    too_early = [1, 2]

    def open_for(self, *args):
        found = real(self, *args)
        return found.none() if too_early and too_early.pop() else found

    with mock.patch.object(PaymentQuerySet, "open_for", open_for):
        answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert (answer.status_code, answer.json()["payment_id"]) == (200, str(first.pk))
    assert Payment.objects.count() == 1


def test_two_tabs_and_the_first_is_over_by_now(buyer, student, course, stripe):
    PaymentFactory(user=student, paid_course=course, status="pending", payment_method="cash")

    with mock.patch.object(PaymentQuerySet, "open_for", return_value=Payment.objects.none()):
        answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"})

    assert (answer.status_code, code_of(answer)) == (409, "conflict")


def test_paid_while_buying_again(buyer, pending, course, stripe):
    """The webhook comes between the question to Stripe and the new payment."""
    real = buying._get_or_create_pending

    def get_or_create(*args):
        pay(pending.payment_url)
        post_webhook(event(pending.stripe_session_id))
        return real(*args)

    with mock.patch.object(buying, "_get_or_create_pending", get_or_create):
        answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert list(Payment.objects.values_list("status", flat=True)) == ["succeeded"]


def test_another_tab_chose_another_method(buyer, student, course, stripe):
    """Both found nothing open; the other one was first."""
    real = buying._get_or_create_pending

    def get_or_create(*args):
        PaymentFactory(user=student, paid_course=course, status="pending", payment_method="cash")
        return real(*args)

    with mock.patch.object(buying, "_get_or_create_pending", get_or_create):
        answer = buyer.post(URL, {"paid_course": course.pk})

    assert (answer.status_code, code_of(answer)) == (409, "conflict")
    assert calls(stripe) == []
