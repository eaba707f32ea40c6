"""Coupons: what they take off, when they may be used, and the admins' list of them."""

import random
import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from conftest import CAST
from materials.models import Course, LessonAccess
from materials.tests.factories import CourseFactory
from payments.models import Coupon, Payment
from payments.serializers import CouponSerializer
from payments.services import coupons, settling
from payments.tests.factories import CouponFactory, PaymentFactory
from payments.tests.helpers import (
    BOUGHT,
    browse,
    calls,
    control,
    event,
    made,
    pay,
    post_webhook,
    session_of,
    traces,
)
from users.models import Notification
from users.tests.factories import UserFactory

URL = "/api/payments/"
PREVIEW = "/api/payments/preview/"
COUPONS = "/api/coupons/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def code_of(answer):
    """The code of the problem; of a field's problem, with the field."""
    body = answer.json()
    return [(error["attr"], error["code"]) for error in body["errors"]] or body["code"]


@pytest.fixture
def office(client_for):
    """The admin's client."""
    return client_for("admin")


@pytest.fixture
def tenth(db):
    return CouponFactory(code="WELCOME10")


# --- What is taken off -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["WELCOME10", "welcome10", " Welcome10\t"])
def test_a_code_is_read_in_any_case(buyer, course, tenth, stripe, code):
    body = {"paid_course": course.pk, "coupon": code}

    quote = buyer.post(PREVIEW, body)
    answer = buyer.post(URL, body)

    assert quote.json() == {"price": "1000.00", "discount": "100.00", "amount": "900.00", "currency": "RUB"}
    assert (quote.status_code, answer.status_code, answer.json()["amount"]) == (200, 201, "900.00")
    assert made(stripe, "checkout.session")[0]["amount_total"] == 90000


@pytest.mark.parametrize("nothing", [{}, {"coupon": None}, {"coupon": ""}, {"coupon": "  "}])
def test_without_a_coupon(buyer, course, stripe, nothing):
    body = {"paid_course": course.pk, **nothing}

    assert buyer.post(PREVIEW, body).json()["discount"] == "0.00"
    assert buyer.post(URL, body).json()["amount"] == "1000.00"


def test_the_history_tells_of_it(buyer, course, tenth, stripe):
    pk = buyer.post(URL, {"paid_course": course.pk, "coupon": "welcome10"}).json()["payment_id"]

    for line in (buyer.get(URL).json()["results"][0], buyer.get(f"{URL}{pk}/").json()):
        assert (line["coupon"], line["discount"], line["amount"]) == ("WELCOME10", "100.00", "900.00")
    held = buyer.get("/api/users/me/export/").json()["payments"][0]
    assert (held["coupon__code"], held["discount"]) == ("WELCOME10", "100.00")


def test_it_is_paid_and_opened_like_any_other(buyer, student, course, tenth, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "coupon": "WELCOME10"})
    payment = Payment.objects.get()

    pay(answer.json()["payment_url"])
    post_webhook(event(payment.stripe_session_id))

    payment.refresh_from_db()
    assert (payment.status, payment.amount) == ("succeeded", Decimal(900))
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize(
    ("price", "currency", "coupon", "discount", "amount"),
    [
        ("100.00", "RUB", {"percent": "33.33"}, "33.33", "66.67"),
        ("2.50", "RUB", {"percent": "33.00"}, "0.83", "1.67"),  # 0.825
        ("1.50", "RUB", {"percent": "15.00"}, "0.23", "1.27"),  # 0.225: a half goes up, not to the even
        ("999.99", "RUB", {"percent": "0.01"}, "0.10", "999.89"),
        ("1001.00", "JPY", {"percent": "50.00"}, "501.00", "500.00"),
        ("999.00", "ISK", {"percent": "12.50"}, "125.00", "874.00"),
        ("10.50", "KWD", {"percent": "33.33"}, "3.50", "7.00"),
        ("1000.00", "RUB", {"amount": "250.50"}, "250.50", "749.50"),
        ("1000.00", "JPY", {"amount": "999.00"}, None, "below_minimum"),
        ("10.00", "USD", {"amount": "9.51"}, None, "below_minimum"),
        ("10.00", "USD", {"amount": "9.50"}, "9.50", "0.50"),
        ("10.00", "USD", {"percent": "99.00"}, None, "below_minimum"),
    ],
)
def test_how_much(buyer, teacher, price, currency, coupon, discount, amount):
    course = CourseFactory(owner=teacher, price=price, currency=currency)
    if "amount" in coupon:
        coupon = {**coupon, "percent": None, "currency": currency}
    body = {"paid_course": course.pk, "coupon": CouponFactory(**coupon).code}

    answer = buyer.post(PREVIEW, body)

    if discount is None:
        assert (answer.status_code, code_of(answer)) == (400, [("coupon", amount)])
        assert code_of(buyer.post(URL, body)) == [("coupon", amount)]
    else:
        assert answer.json() == {"price": price, "discount": discount, "amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("currency", "unit"), [("RUB", "0.01"), ("USD", "0.01"), ("JPY", "1"), ("ISK", "1"), ("KWD", "0.01")]
)
def test_the_preview_is_what_is_charged(buyer, teacher, stripe, currency, unit):
    """Whatever the price and the coupon: the preview, the payment, its session at Stripe."""
    chance = random.Random(currency)
    for _ in range(6):
        price = chance.randrange(100, 500_000) * Decimal(unit)
        course = CourseFactory(owner=teacher, price=price, currency=currency)
        if chance.random() < 0.6:
            coupon = CouponFactory(percent=chance.randrange(1, 10_001) / Decimal(100))
        else:
            coupon = CouponFactory.fixed(chance.randrange(1, 600_000) * Decimal(unit), currency)
        body = {"paid_course": course.pk, "coupon": coupon.code}
        told = (str(price), coupon.percent, coupon.amount)

        quote, answer = buyer.post(PREVIEW, body), buyer.post(URL, body)

        if quote.status_code == 400:
            assert code_of(quote) == code_of(answer) == [("coupon", "below_minimum")], told
            continue
        quote = {name: Decimal(value) for name, value in quote.json().items() if name != "currency"}
        payment = Payment.objects.get(pk=answer.json()["payment_id"])
        assert quote["price"] == price
        assert quote["price"] - quote["discount"] == quote["amount"] == payment.amount >= 0, told
        assert (payment.discount, Decimal(answer.json()["amount"])) == (quote["discount"], quote["amount"]), told
        if payment.amount:
            cents = {"JPY": 1, "KWD": 1000}.get(currency, 100)
            assert session_of(stripe, payment)["amount_total"] == payment.amount * cents, told


# --- When it may not be used -----------------------------------------------------------------------------------------


def in_hours(number):
    return timezone.now() + timedelta(hours=number)


def used(**fields):
    coupon = CouponFactory(**fields)
    PaymentFactory(coupon=coupon)
    return coupon


REFUSED = {
    "unknown_coupon": lambda course: "NOTHING",
    "coupon_not_valid_now": lambda course: CouponFactory(valid_until=in_hours(-1)).code,
    "coupon_not_for_this": lambda course: CouponFactory.limited_to(CourseFactory()).code,
    "coupon_other_currency": lambda course: CouponFactory.fixed("5.00", "USD").code,
    "coupon_used_up": lambda course: used(max_uses=1).code,
}


@pytest.mark.parametrize("method", ["card", "cash"])
@pytest.mark.parametrize("problem", REFUSED)
def test_what_is_refused(buyer, course, stripe, problem, method):
    body = {"paid_course": course.pk, "payment_method": method, "coupon": REFUSED[problem](course)}

    answers = [buyer.post(url, body) for url in (PREVIEW, URL)]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(400, [("coupon", problem)])] * 2
    assert not Payment.objects.exclude(coupon__code=body["coupon"]).exists()
    assert Payment.objects.filter(user__email="student@test.io").count() == 0
    assert calls(stripe) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"valid_from": -1, "valid_until": 1}, 200),
        ({"valid_from": -1}, 200),
        ({"valid_until": 1}, 200),
        ({"valid_from": 1}, 400),
        ({"valid_from": -2, "valid_until": -1}, 400),
    ],
)
def test_its_time(buyer, course, fields, status):
    coupon = CouponFactory(**{name: in_hours(hours) for name, hours in fields.items()})

    assert buyer.post(PREVIEW, {"paid_course": course.pk, "coupon": coupon.code}).status_code == status


@pytest.mark.parametrize(
    "code",
    ["\x00", "WELCOME10\x00", "é", "ＷＥＬＣＯＭＥ11", "welcomeß", "🙂", "%", "_", "-", "W" * 5000, 0, 1.5],
)
def test_odd_codes(buyer, course, tenth, code):
    answer = buyer.post(PREVIEW, {"paid_course": course.pk, "coupon": code})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "coupon"


def test_half_a_character_is_no_code(buyer, course, tenth):
    body = f'{{"paid_course": "{course.pk}", "coupon": "\\ud800"}}'

    assert buyer.generic("POST", PREVIEW, body, "application/json").status_code == 400


@pytest.mark.parametrize("code", [True, [], ["WELCOME10"], {}, {"code": "WELCOME10"}])
def test_codes_that_are_no_text(buyer, course, tenth, code):
    assert code_of(buyer.post(PREVIEW, {"paid_course": course.pk, "coupon": code})) == [("coupon", "invalid")]


def test_a_lesson_belongs_to_its_course(buyer, course, lesson_for_sale, stripe):
    coupon = CouponFactory.limited_to(CourseFactory(), course)

    answers = [
        buyer.post(URL, {**item, "coupon": coupon.code})
        for item in ({"paid_course": course.pk}, {"paid_lesson": lesson_for_sale.pk})
    ]

    assert [(answer.status_code, answer.json()["amount"]) for answer in answers] == [(201, "900.00"), (201, "135.00")]


def test_what_it_is_for_is_deleted(buyer, course):
    """What was for one course does not become one for all."""
    gone = CourseFactory()
    coupon = CouponFactory.limited_to(gone)
    gone.delete()

    answer = buyer.post(PREVIEW, {"paid_course": course.pk, "coupon": coupon.code})

    assert code_of(answer) == [("coupon", "coupon_not_for_this")]


def test_it_is_deleted_meanwhile(buyer, course, tenth, monkeypatch):
    real = coupons.hold_coupon

    def hold(coupon):
        Coupon.objects.all().delete()
        return real(coupon)

    monkeypatch.setattr(coupons, "hold_coupon", hold)
    answer = buyer.post(URL, {"paid_course": course.pk, "coupon": tenth.code})

    assert code_of(answer) == [("coupon", "unknown_coupon")]


# --- Uses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Payment.Status.values)
@pytest.mark.parametrize(
    ("limit", "whose", "problem"),
    [
        ("max_uses", "other", "coupon_used_up"),
        ("max_uses_per_user", "student", "coupon_used_by_you"),
        ("max_uses_per_user", "other", None),
    ],
)
def test_which_payments_use_it(request, buyer, course, status, limit, whose, problem):
    coupon = CouponFactory(**{limit: 2})
    for used_by in (request.getfixturevalue(whose), request.getfixturevalue(whose)):
        PaymentFactory(user=used_by, coupon=coupon, status=status)

    answer = buyer.post(PREVIEW, {"paid_course": course.pk, "coupon": coupon.code})

    is_used = problem and status not in ("failed", "expired", "canceled")
    assert (code_of(answer) if is_used else answer.status_code) == ([("coupon", problem)] if is_used else 200)


def expire(stripe, payment, buyer):
    control(stripe, "expire", session=payment.stripe_session_id)
    buyer.get(f"{URL}{payment.pk}/status/")


def fail_later(stripe, payment, buyer):
    browse(payment.payment_url, {"payment_method": "delayed"})
    control(stripe, "settle", session=payment.stripe_session_id, outcome="failed")
    buyer.get(f"{URL}{payment.pk}/status/")


@pytest.mark.parametrize("end", [expire, fail_later])
def test_a_payment_that_fails_gives_the_use_back(buyer, client_for, other, course, stripe, end):
    coupon = CouponFactory(max_uses=1)
    body = {"paid_course": course.pk, "coupon": coupon.code}
    buyer.post(URL, body)
    rival = client_for("other")
    assert code_of(rival.post(URL, body)) == [("coupon", "coupon_used_up")]

    end(stripe, Payment.objects.get(), buyer)

    assert Payment.objects.get().status in ("expired", "failed")
    assert rival.post(URL, body).status_code == 201
    assert code_of(buyer.post(URL, body)) == [("coupon", "coupon_used_up")]


def test_a_charge_that_stripe_refuses_gives_the_use_back(buyer, client_for, other, course, stripe):
    coupon = CouponFactory(max_uses=1)
    body = {"paid_course": course.pk, "coupon": coupon.code}
    Course.objects.filter(pk=course.pk).update(currency="XXX")
    assert code_of(buyer.post(URL, body)) == "payment_refused"
    Course.objects.filter(pk=course.pk).update(currency="RUB")

    assert client_for("other").post(URL, body).status_code == 201


# --- The open payment ------------------------------------------------------------------------------------------------


def test_the_same_coupon_gives_the_open_one_back(buyer, course, stripe):
    """Its own use is not held against it, and neither is what has become of the coupon since."""
    coupon = CouponFactory(max_uses=1, max_uses_per_user=1)
    body = {"paid_course": course.pk, "coupon": coupon.code}
    first = buyer.post(URL, body)
    Coupon.objects.update(percent="50.00", valid_until=in_hours(-1))
    Course.objects.filter(pk=course.pk).update(price="5000.00")

    quote, second = buyer.post(PREVIEW, body), buyer.post(URL, {**body, "coupon": coupon.code.lower()})

    assert (second.status_code, second.json()) == (200, first.json())
    assert quote.json() == {"price": "1000.00", "discount": "100.00", "amount": "900.00", "currency": "RUB"}


@pytest.mark.parametrize("steps", [("A", ""), ("", "A"), ("A", "B"), ("A", "", "A", "B", "A")])
def test_another_coupon_closes_the_open_payment(buyer, course, stripe, steps):
    codes = {"": ""}
    for name, percent in (("A", "10.00"), ("B", "20.00")):
        codes[name] = CouponFactory(percent=percent, max_uses=1, max_uses_per_user=1).code

    for step in steps:
        body = {"paid_course": course.pk, "coupon": codes[step]}
        quote, answer = buyer.post(PREVIEW, body), buyer.post(URL, body)
        assert (answer.status_code, answer.json()["amount"]) == (201, quote.json()["amount"])

    *closed, standing = Payment.objects.order_by("pk")
    assert standing.status == "pending"
    assert {(payment.status, session_of(stripe, payment)["status"]) for payment in closed} == {("canceled", "expired")}
    assert len(closed) == len(steps) - 1


def test_another_method_keeps_the_use(buyer, course, stripe):
    body = {"paid_course": course.pk, "coupon": CouponFactory(max_uses=1).code}
    buyer.post(URL, body)

    body["payment_method"] = "cash"
    quote, answer = buyer.post(PREVIEW, body), buyer.post(URL, body)

    assert (quote.status_code, answer.status_code, answer.json()["amount"]) == (200, 201, "900.00")


def test_a_coupon_that_may_not_be_used_closes_nothing(buyer, pending, course, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "coupon": used(max_uses=1).code})

    pending.refresh_from_db()
    assert code_of(answer) == [("coupon", "coupon_used_up")]
    assert (pending.status, session_of(stripe, pending)["status"]) == ("pending", "open")


def test_a_checkout_session_knows_no_coupon(buyer, course, tenth, stripe):
    buyer.post(URL, {"paid_course": course.pk, "coupon": tenth.code})

    buyer.post("/api/lessons/create-checkout-session/", {"course_id": course.pk, "coupon": tenth.code})

    amounts = Payment.objects.order_by("pk").values_list("status", "amount")
    assert list(amounts) == [("canceled", Decimal(900)), ("pending", Decimal(1000))]


# --- Nothing left to pay ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["card", "cash", "transfer"])
@pytest.mark.parametrize("coupon", [{"percent": "100.00"}, {"percent": None, "amount": "1500.00", "currency": "RUB"}])
def test_nothing_left_to_pay(buyer, student, course, stripe, coupon, method):
    body = {"paid_course": course.pk, "payment_method": method, "coupon": CouponFactory(**coupon).code}

    quote, answer = buyer.post(PREVIEW, body), buyer.post(URL, body)

    payment = Payment.objects.get()
    assert quote.json() == {"price": "1000.00", "discount": "1000.00", "amount": "0.00", "currency": "RUB"}
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "payment_id": str(payment.pk),
            "payment_url": None,
            "amount": "0.00",
            "currency": "RUB",
            "status": "succeeded",
        },
    )
    assert (payment.payment_method, payment.receipt_number) == (method, "R-000001")
    assert traces(student, course) == BOUGHT
    told = Notification.objects.get(recipient=student, kind="payment_succeeded")
    assert (told.subject, "RUB" in told.message) == ("Теперь ваш: «Python basics»", False)
    assert buyer.get(f"/api/lessons/{course.lessons.get(order=2).pk}/").status_code == 200
    assert calls(stripe) == []
    for url in (PREVIEW, URL):
        again = buyer.post(url, body)
        assert (again.status_code, code_of(again)) == (409, "already_owned")
    assert Payment.objects.count() == 1


def test_nothing_left_to_pay_for_a_lesson(buyer, student, lesson_for_sale, stripe):
    coupon = CouponFactory.limited_to(lesson_for_sale.course, percent="100.00")

    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk, "coupon": coupon.code})

    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
    assert LessonAccess.objects.filter(user=student, lesson=lesson_for_sale).exists()


def test_nothing_left_to_pay_closes_the_open_payment(buyer, pending, course, stripe):
    answer = buyer.post(URL, {"paid_course": course.pk, "coupon": CouponFactory(percent="100.00").code})

    pending.refresh_from_db()
    assert answer.json()["status"] == "succeeded"
    assert (pending.status, session_of(stripe, pending)["status"]) == ("canceled", "expired")


def test_money_of_an_earlier_payment_turns_up_meanwhile(buyer, student, course, monkeypatch):
    """Between the last look and the lock: nobody uses a coupon up for what they have."""
    earlier = PaymentFactory(user=student, paid_course=course, status="expired")
    real = settling.locked

    def locked(payment_id):
        Payment.objects.filter(pk=earlier.pk).update(status="succeeded")
        return real(payment_id)

    monkeypatch.setattr(settling, "locked", locked)
    answer = buyer.post(URL, {"paid_course": course.pk, "coupon": CouponFactory(percent="100.00").code})

    assert (answer.status_code, code_of(answer)) == (409, "already_owned")
    assert Payment.objects.get() == earlier


def test_what_was_free_is_not_given_back(buyer, office, course, stripe):
    buyer.post(URL, {"paid_course": course.pk, "coupon": CouponFactory(percent="100.00").code})

    answer = office.post(f"{URL}{Payment.objects.get().pk}/refund/", {"reason": "requested_by_customer"})

    assert (answer.status_code, code_of(answer)) == (409, "not_refundable")
    assert Payment.objects.get().status == "succeeded"


# --- The preview -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("anonymous", 401, "not_authenticated"),
        ("student", 200, None),
        ("enrolled", 409, "already_owned"),
        ("teacher", 409, "own_course"),
        ("other", 200, None),
        ("moderator", 200, None),
        ("admin", 200, None),
    ],
)
def test_who_sees_what_it_costs(client_for, enrolled, course, tenth, stripe, who, status, code):
    answer = client_for(who).post(PREVIEW, {"paid_course": course.pk, "coupon": tenth.code})

    assert answer.status_code == status
    assert code is None or code_of(answer) == code
    assert not Payment.objects.exists()
    assert calls(stripe) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("paid_course", "exactly_one_item")]),
        ({"paid_course": UNKNOWN}, [("paid_course", "does_not_exist")]),
        ({"paid_course": "{free}"}, "free"),
        ({"paid_lesson": "{lesson}"}, "free"),
        ({"paid_course": "{draft}"}, [("paid_course", "does_not_exist")]),
        ({"paid_course": "{course}", "payment_method": "bitcoin"}, [("payment_method", "invalid_choice")]),
    ],
)
def test_the_preview_refuses_what_the_payment_would(buyer, course, stripe, body, expected):
    places = {
        "course": course.pk,
        "lesson": course.lessons.first().pk,
        "free": CourseFactory(price="0.00").pk,
        "draft": CourseFactory(price="10.00", status="draft").pk,
    }
    body = {name: value.format(**places) for name, value in body.items()}

    answers = [buyer.post(url, body) for url in (PREVIEW, URL)]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(400, expected)] * 2


def test_guessing_codes_is_slow(buyer, client_for, other, course, tenth, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "coupon": "3/min"})
    body = {"paid_course": course.pk, "payment_method": "cash"}

    statuses = [buyer.post(url, {**body, "coupon": "GUESS"}).status_code for url in (PREVIEW, URL, PREVIEW, URL)]

    assert statuses == [400, 400, 400, 429]
    assert client_for("other").post(PREVIEW, {**body, "coupon": tenth.code}).status_code == 200
    assert [buyer.post(URL, body).status_code, buyer.get(URL).status_code] == [201, 200]
    assert buyer.post(URL, [body]).status_code == 400


# --- At once, on PostgreSQL ------------------------------------------------------------------------------------------


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("percent", ["10.00", "100.00"])
def test_sixteen_people_want_the_last_use(sign_in_as, course, percent):
    """The coupon's row lock: without it each of them counts none before."""
    coupon = CouponFactory(percent=percent, max_uses=1)
    clients = [sign_in_as(UserFactory()) for _ in range(16)]
    body = {"paid_course": course.pk, "payment_method": "cash", "coupon": coupon.code}

    answers = at_once(16, lambda number: clients[number].post(URL, body))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 15
    assert {code_of(answer)[0] for answer in answers if answer.status_code == 400} == {("coupon", "coupon_used_up")}
    assert Payment.objects.count() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("percent", "rest"), [("10.00", 200), ("100.00", 409)])
def test_one_person_asks_eight_times(sign_in_as, student, course, percent, rest):
    """They are not told that they have used it already: it is the same purchase."""
    coupon = CouponFactory(percent=percent, max_uses_per_user=1)
    clients = [sign_in_as(student) for _ in range(8)]
    body = {"paid_course": course.pk, "payment_method": "cash", "coupon": coupon.code}

    answers = at_once(8, lambda number: clients[number].post(URL, body))

    assert sorted(answer.status_code for answer in answers) == sorted([201] + [rest] * 7)
    assert Payment.objects.count() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_admins_change_a_coupon(sign_in_as, admin, tenth, monkeypatch):
    """The row lock of a change: without it, each writes back what the other one has just changed."""
    inside = []
    second = threading.Event()
    real = CouponSerializer.validate

    def validate(self, attrs):
        inside.append(attrs)
        if len(inside) > 1:
            second.set()
        second.wait(timeout=0.5)  # time for the other one to come in, if nothing holds it back
        return real(self, attrs)

    monkeypatch.setattr(CouponSerializer, "validate", validate)
    clients = [sign_in_as(admin) for _ in range(2)]
    changes = [{"max_uses": 5}, {"max_uses_per_user": 2}]

    answers = at_once(2, lambda number: clients[number].patch(f"{COUPONS}{tenth.pk}/", changes[number]))

    tenth.refresh_from_db()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (tenth.max_uses, tenth.max_uses_per_user) == (5, 2)


# --- The admins' list ------------------------------------------------------------------------------------------------

NEW = {"code": "spring", "percent": "15.00"}


@pytest.mark.parametrize("who", CAST)
def test_who_may(client_for, enrolled, tenth, who):
    client = client_for(who)
    before = list(Coupon.objects.values())
    path = f"{COUPONS}{tenth.pk}/"

    answers = [
        client.get(COUPONS),
        client.get(path),
        client.get(f"{COUPONS}{UNKNOWN}/"),
        client.post(COUPONS, NEW),
        client.put(path, NEW | {"code": "SUMMER"}),
        client.patch(path, {"percent": "20.00"}),
        client.delete(path),
    ]

    allowed = [200, 200, 404, 201, 200, 200, 204]
    refusal = 401 if who == "anonymous" else 403
    assert [answer.status_code for answer in answers] == (allowed if who == "admin" else [refusal] * 7)
    assert (list(Coupon.objects.values()) == before) is (who != "admin")


def test_a_coupon(office, course):
    answer = office.post(
        COUPONS,
        {
            "code": " spring-26 ",
            "amount": "250.00",
            "valid_from": "2026-03-01T00:00:00+03:00",
            "valid_until": "2026-06-01T00:00:00Z",
            "max_uses": 100,
            "max_uses_per_user": 1,
            "courses": [str(course.pk).upper()],
        },
    )

    body = answer.json()
    created_at, updated_at = body.pop("created_at"), body.pop("updated_at")
    assert (answer.status_code, created_at[-1], updated_at[-1]) == (201, "Z", "Z")
    assert body == {
        "id": str(Coupon.objects.get().pk),
        "code": "SPRING-26",
        "percent": None,
        "amount": "250.00",
        "currency": "RUB",
        "valid_from": "2026-02-28T21:00:00Z",
        "valid_until": "2026-06-01T00:00:00Z",
        "max_uses": 100,
        "max_uses_per_user": 1,
        "courses": [str(course.pk)],
        "is_limited": True,
        "uses": 0,
    }
    assert office.get(f"{COUPONS}{body['id']}/").json()["courses"] == [str(course.pk)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"percent": None}, ("percent", "percent_or_amount")),
        ({"amount": "5.00"}, ("percent", "percent_or_amount")),
        ({"percent": "0"}, ("percent", "min_value")),
        ({"percent": "-1"}, ("percent", "min_value")),
        ({"percent": "100.01"}, ("percent", "max_value")),
        ({"percent": "NaN"}, ("percent", "invalid")),
        ({"percent": None, "amount": "0"}, ("amount", "min_value")),
        ({"percent": None, "amount": "5.005"}, ("amount", "max_decimal_places")),
        ({"percent": None, "amount": "5.50", "currency": "JPY"}, ("amount", "not_in_currency")),
        ({"percent": None, "amount": "5.00", "currency": "XXX"}, ("currency", "unknown_currency")),
        (
            {"valid_from": "2026-02-01T00:00Z", "valid_until": "2026-01-01T00:00Z"},
            ("valid_until", "ends_before_it_begins"),
        ),
        ({"valid_from": "0001-01-01T00:00:00"}, ("valid_from", "overflow")),
        ({"valid_until": "soon"}, ("valid_until", "invalid")),
        ({"max_uses": 0}, ("max_uses", "min_value")),
        ({"max_uses_per_user": -1}, ("max_uses_per_user", "min_value")),
        ({"courses": [UNKNOWN]}, ("courses", "does_not_exist")),
        ({"courses": ["one"]}, ("courses.0", "invalid")),
        ({"courses": UNKNOWN}, ("courses", "not_a_list")),
        ({"code": "Welcome10"}, ("code", "unique")),
        ({"code": "ab"}, ("code", "invalid")),
        ({"code": "a b c"}, ("code", "invalid")),
        ({"code": "straße"}, ("code", "invalid")),
        ({"code": "x" * 41}, ("code", "max_length")),
        ({"code": ""}, ("code", "blank")),
    ],
)
def test_what_is_no_coupon(office, tenth, fields, error):
    answer = office.post(COUPONS, {**NEW, **fields})

    assert (answer.status_code, error in code_of(answer)) == (400, True), answer.json()
    assert Coupon.objects.count() == 1


def test_a_null_character_in_a_code(office):
    assert office.post(COUPONS, {**NEW, "code": "ABC\x00"}).status_code == 400


def test_a_coupon_changes(office, buyer, course, tenth, stripe):
    """What was opened with it keeps what it asks for."""
    body = {"paid_course": course.pk, "payment_method": "cash", "coupon": tenth.code}
    buyer.post(URL, body)
    path = f"{COUPONS}{tenth.pk}/"

    answers = [
        office.patch(path, {"percent": None, "amount": "300.00"}),
        office.patch(path, {"courses": [course.pk]}),
        office.patch(path, {"valid_from": "2030-01-01T00:00Z", "valid_until": "2030-01-02T00:00Z"}),
        office.patch(path, {"valid_until": "2029-12-31T00:00Z"}),
        office.patch(path, {"percent": "50.00"}),
        office.patch(path, {"amount": None, "percent": "50.00", "currency": "RUB"}),
        office.patch(path, {"courses": []}),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 200, 200]
    shown = [answers[number].json() for number in (0, 1, 5, 6)]
    assert [(now["amount"], now["currency"], now["is_limited"]) for now in shown] == [
        ("300.00", "RUB", False),
        ("300.00", "RUB", True),
        (None, "", True),
        (None, "", False),
    ]
    assert shown[-1]["uses"] == 1
    assert Payment.objects.get().amount == Decimal(900)


def test_what_was_used_is_not_deleted(office):
    coupon = used()
    Payment.objects.update(status="failed")

    answer = office.delete(f"{COUPONS}{coupon.pk}/")

    assert (answer.status_code, code_of(answer)) == (409, "in_use")
    assert Coupon.objects.exists()


def test_the_list(office):
    codes = {name: CouponFactory(code=name) for name in ("BBB-1", "AAA-2", "CCC-1")}
    for status in ("succeeded", "pending", "failed"):
        PaymentFactory(coupon=codes["AAA-2"], status=status)

    def found(**params):
        return [line["code"] for line in office.get(COUPONS, params).json()["results"]]

    assert found() == ["CCC-1", "AAA-2", "BBB-1"]
    assert found(ordering="code") == ["AAA-2", "BBB-1", "CCC-1"]
    assert found(ordering="created_at", page_size=2, page=2) == ["CCC-1"]
    assert found(search="-1") == ["CCC-1", "BBB-1"]
    assert found(search="aaa") == ["AAA-2"]
    assert found(search="_") == []
    assert [line["uses"] for line in office.get(COUPONS).json()["results"]] == [0, 2, 0]


@pytest.mark.parametrize("params", [{"code": "AAA"}, {"ordering": "percent"}, {"page": "0"}, {"search": "\x00"}])
def test_strict_parameters(office, params):
    answer = office.get(COUPONS, params)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, next(iter(params)))


@pytest.mark.parametrize("rows", [1, 20])
def test_queries_do_not_grow(office, course, django_assert_num_queries, rows):
    for _ in range(rows):
        PaymentFactory(coupon=CouponFactory.limited_to(course, CourseFactory()))

    # 1. who asks; 2. the page with its count and uses; 3. their courses
    with django_assert_num_queries(3):
        answer = office.get(COUPONS)

    assert answer.json()["count"] == rows


# --- Django admin ----------------------------------------------------------------------------------------------------

ADMIN = "/admin/payments/coupon/"
FORM = {"code": "autumn", "percent": "5", "amount": "", "currency": "", "max_uses": "", "max_uses_per_user": ""}


@pytest.fixture
def desk(admin):
    client = Client()
    client.force_login(admin)
    return client


def test_admin_pages(desk, course):
    coupon = used()
    PaymentFactory(coupon=coupon, status="failed")

    page = desk.get(ADMIN, {"q": "coupon"})

    assert '<td class="field-uses">1</td>' in page.content.decode()
    assert desk.get(f"{ADMIN}{coupon.pk}/change/").status_code == 200
    assert desk.get(f"{ADMIN}add/").status_code == 200


def test_admin_writes(desk, course):
    added = desk.post(f"{ADMIN}add/", {**FORM, "courses": [str(course.pk)]})

    coupon = Coupon.objects.get()
    assert (added.status_code, coupon.code, coupon.is_limited) == (302, "AUTUMN", True)
    changed = desk.post(f"{ADMIN}{coupon.pk}/change/", {**FORM, "percent": "", "amount": "50"})
    coupon.refresh_from_db()
    assert (changed.status_code, coupon.amount, coupon.currency, coupon.is_limited) == (302, 50, "RUB", False)


@pytest.mark.parametrize(
    "fields", [{"amount": "50"}, {"percent": ""}, {"percent": "101"}, {"code": "a"}, {"percent": "", "amount": "0"}]
)
def test_admin_refuses(desk, db, fields):
    answer = desk.post(f"{ADMIN}add/", {**FORM, **fields})

    assert answer.status_code == 200
    assert not Coupon.objects.exists()


def test_a_limited_coupon_that_has_lost_its_course_is_none_for_all(client_for, course, teacher):
    """Neither when the admin's client sends back what it has read, nor when something else of it is changed."""
    gone = CourseFactory(owner=teacher)
    coupon = CouponFactory(percent="100.00", is_limited=True)
    coupon.courses.set([gone])
    gone.delete()
    admin = client_for("admin")
    url = f"/api/coupons/{coupon.pk}/"

    for body in (admin.get(url).json(), {"max_uses": 5}):
        assert admin.patch(url, body).status_code == 200
        coupon.refresh_from_db()
        assert coupon.is_limited

    preview = client_for("student").post("/api/payments/preview/", {"paid_course": course.pk, "coupon": coupon.code})
    assert preview.status_code == 400
