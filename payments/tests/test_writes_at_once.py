"""Two requests in hand: each write judges what the other has left, and undoes nothing of it. Sixteen refunds, requests,
confirmations and checkouts at once are with their own tests."""

from contextlib import suppress
from decimal import Decimal

import pytest

from common.errors import RuleBroken
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials.tests.factories import CourseFactory
from payments.models import Coupon, Payment, RefundRequest
from payments.services import refunds
from payments.tests.factories import CouponFactory, PaymentFactory
from users.tests.factories import UserFactory

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]

URL, COUPONS = "/api/payments/", "/api/coupons/"


def test_two_changes_of_a_coupon_that_do_not_go_together(sign_in_as, admin):
    for _ in range(5):
        coupon = CouponFactory()
        clients = [sign_in_as(admin) for _ in range(2)]
        changes = [{"valid_from": "2026-06-01"}, {"valid_until": "2026-05-01"}]

        answers = at_once(2, lambda number: clients[number].patch(f"{COUPONS}{coupon.pk}/", changes[number]))  # noqa: B023

        assert sorted(answer.status_code for answer in answers) == [200, 400]


def test_two_changes_of_a_coupon_that_go_together(sign_in_as, admin, client):
    """Neither takes back what the other has written, by the API or in the admin."""
    client.force_login(admin)
    for _ in range(5):
        coupon = CouponFactory(max_uses=1)
        api = sign_in_as(admin)
        form = {"code": coupon.code, "percent": "10.00", "max_uses": "1", "max_uses_per_user": "7"}
        calls = [
            lambda: api.patch(f"{COUPONS}{coupon.pk}/", {"max_uses": 5}).status_code,  # noqa: B023
            lambda: client.post(f"/admin/payments/coupon/{coupon.pk}/change/", form).status_code,  # noqa: B023
        ]

        assert at_once(2, lambda number: calls[number]()) == [200, 302]  # noqa: B023

        coupon.refresh_from_db()
        assert coupon.max_uses_per_user == 7
        assert coupon.max_uses in {1, 5}  # whoever came last has said so


def test_a_coupon_is_changed_beside_purchases(sign_in_as, admin, teacher):
    """What is asked for is what the coupon said at one of the two moments, and no use is too many."""
    courses = [CourseFactory(owner=teacher, price="1000.00") for _ in range(6)]
    coupon = CouponFactory(max_uses=10)
    buyers = [sign_in_as(UserFactory()) for _ in courses]
    boss = sign_in_as(admin)
    body = {"coupon": coupon.code, "payment_method": "cash"}
    calls = [
        *(
            lambda buyer=buyer, course=course: buyer.post(URL, {**body, "paid_course": course.pk}).status_code
            for buyer, course in zip(buyers, courses, strict=True)
        ),
        lambda: boss.patch(f"{COUPONS}{coupon.pk}/", {"percent": "50", "max_uses": 3}).status_code,
    ]

    statuses = at_once(len(calls), lambda number: calls[number]())

    assert statuses[-1] == 200
    assert set(statuses) <= {200, 201, 400}
    amounts = list(Payment.objects.order_by("created_at").values_list("amount", flat=True))
    assert set(amounts) <= {Decimal(900), Decimal(500)}
    assert amounts.count(Decimal(500)) <= 3
    assert Coupon.objects.get().percent == 50


def test_one_person_s_orders_hold_two_uses(sign_in_as, student, teacher):
    courses = [CourseFactory(owner=teacher, price="1000.00") for _ in range(5)]
    coupon = CouponFactory(max_uses=5)
    clients = [sign_in_as(student) for _ in courses]
    body = {"coupon": coupon.code, "payment_method": "cash"}

    answers = at_once(5, lambda number: clients[number].post(URL, {**body, "paid_course": courses[number].pk}))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 400, 400, 400]
    refused = next(answer for answer in answers if answer.status_code == 400).json()["errors"][0]
    assert (refused["attr"], refused["code"]) == ("coupon", "coupon_on_hold")
    assert sign_in_as(UserFactory()).post(URL, {**body, "paid_course": courses[0].pk}).status_code == 201


def test_a_request_is_declined_beside_its_refund(sign_in_as, admin, student, course):
    for _ in range(5):
        payment = PaymentFactory(user=student, payment_method="cash", amount="100.00")
        request = refunds.request_refund(payment=payment, reason="Too hard")
        boss = sign_in_as(admin)

        def decline():
            refunds.decline_request(payment=payment, admin=admin, answer="No")  # noqa: B023

        def give_back():
            assert boss.post(f"{URL}{payment.pk}/refund/", {"reason": "duplicate"}).status_code == 200  # noqa: B023

        def run(number):
            with suppress(RuleBroken):  # it has been decided by the refund
                (decline, give_back)[number]()

        at_once(2, run)

        request.refresh_from_db()
        payment.refresh_from_db()
        assert payment.status == "refunded"
        assert request.status in {RefundRequest.Status.DECLINED, RefundRequest.Status.APPROVED}


def test_a_course_is_deleted_beside_its_payments(sign_in_as, admin, teacher, student):
    """Either somebody has paid, and it stays, or it is gone, and nothing opens it."""
    for _ in range(5):
        course = CourseFactory(owner=teacher, price="1000.00")
        payment = PaymentFactory(user=student, paid_course=course, status="pending", payment_method="cash")
        boss, owner = sign_in_as(admin), sign_in_as(teacher)
        calls = [
            lambda: owner.delete(f"/api/courses/{course.pk}/").status_code,  # noqa: B023
            lambda: boss.post(f"{URL}{payment.pk}/confirm/", {"reference": "7"}).status_code,  # noqa: B023
        ]

        outcome = tuple(at_once(2, lambda number: calls[number]()))  # noqa: B023

        assert outcome in {(204, 404), (204, 409), (409, 200)}
        assert Payment.objects.filter(pk=payment.pk, status="succeeded").exists() is (outcome == (409, 200))
