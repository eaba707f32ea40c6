"""A payment whose reason has ended: its page is closed, and what is paid all the same goes back by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conftest import sign_in
from materials.models import Course, Enrollment, Lesson, LessonAccess
from materials.services import grant_access, grant_lesson_access
from materials.tests.factories import EnrollmentFactory
from payments import gateway, tasks
from payments.models import Payment, Refund
from payments.tests.helpers import browse, control, deliver, failing_at, made, pay, session_of
from users.models import Notification, User
from users.services import deactivate_inactive
from users.tests.factories import PASSWORD

URL = "/api/payments/"


def buy_with_cash(payment, boss, **item):
    """The same person brings cash for it, and an admin confirms that."""
    opened = sign_in(payment.user).post(URL, {**item, "payment_method": "cash"})
    assert opened.status_code == 201, opened.json()
    confirmed = boss.post(f"{URL}{opened.json()['payment_id']}/confirm/", {"reference": "7"})
    assert confirmed.status_code == 200, confirmed.json()


def change(course_or_lesson, **fields):
    path = "courses" if isinstance(course_or_lesson, Course) else "lessons"
    owner = sign_in(course_or_lesson.owner)
    answer = owner.patch(f"/api/{path}/{course_or_lesson.pk}/", fields)
    assert answer.status_code == 200, answer.json()


def delete(course_or_lesson):
    path = "courses" if isinstance(course_or_lesson, Course) else "lessons"
    answer = sign_in(course_or_lesson.owner).delete(f"/api/{path}/{course_or_lesson.pk}/")
    assert answer.status_code == 204, answer.json()


def course_of(payment):
    return payment.paid_course or payment.paid_lesson.course


def delete_account(payment, boss):
    answer = sign_in(payment.user).delete("/api/users/me/", {"password": PASSWORD})
    assert answer.status_code == 204, answer.json()


def be_deactivated(payment, boss):
    assert boss.patch(f"/api/users/{payment.user_id}/", {"is_active": False}).status_code == 200


def fall_asleep(payment, boss):
    long_ago = timezone.now() - timedelta(days=90)
    User.objects.filter(pk=payment.user_id).update(last_login=long_ago, last_seen_at=long_ago, date_joined=long_ago)
    assert deactivate_inactive(before=timezone.now() - timedelta(days=30)) >= 1


def be_granted(payment, boss):
    grant_access(user=payment.user, course=course_of(payment), source="grant")


def enroll_while_free(payment, boss):
    course = course_of(payment)
    price = course.price
    change(course, price="0")
    assert sign_in(payment.user).post(f"/api/courses/{course.pk}/enrollment/").status_code == 201
    change(course, price=str(price))


def leave(payment, boss):
    EnrollmentFactory(user=payment.user, course=course_of(payment), status="expired", expires_at=timezone.now())
    assert sign_in(payment.user).delete(f"/api/courses/{course_of(payment).pk}/enrollment/").status_code == 204


def become_owner(payment, boss):
    Course.objects.filter(pk=course_of(payment).pk).update(owner=payment.user)


OF_BOTH = {
    "the account is deleted": delete_account,
    "the account is deactivated": be_deactivated,
    "the account is put to sleep": fall_asleep,
    "access is granted": be_granted,
    "enrolled while it was free": enroll_while_free,
    "the buyer has left": leave,
    "the course is the buyer's": become_owner,
    "the course is a draft": lambda payment, boss: change(course_of(payment), status="draft"),
    "the course is archived": lambda payment, boss: change(course_of(payment), status="archived"),
    "the course is deleted": lambda payment, boss: delete(course_of(payment)),
}
OF_COURSES = {
    "the course is free": lambda payment, boss: change(payment.paid_course, price="0"),
}
OF_LESSONS = {
    "the course is bought": lambda payment, boss: buy_with_cash(payment, boss, paid_course=course_of(payment).pk),
    "the lesson is granted": lambda payment, boss: grant_lesson_access(
        user=payment.user, lesson=payment.paid_lesson, source="grant"
    ),
    "the lesson is a preview": lambda payment, boss: change(payment.paid_lesson, is_preview=True),
    "the lesson is not sold alone": lambda payment, boss: change(payment.paid_lesson, price="0"),
    "the lesson is deleted": lambda payment, boss: delete(payment.paid_lesson),
}
WAYS = [
    *(pytest.param("course", way, id=f"course: {name}") for name, way in (OF_BOTH | OF_COURSES).items()),
    *(pytest.param("lesson", way, id=f"lesson: {name}") for name, way in (OF_BOTH | OF_LESSONS).items()),
]


@pytest.fixture
def opened(buyer, course, lesson_for_sale, stripe):
    """Opens the student's page for the course, or for a lesson of it."""

    def open_page(kind):
        item = {"paid_course": course.pk} if kind == "course" else {"paid_lesson": lesson_for_sale.pk}
        answer = buyer.post(URL, item)
        assert answer.status_code == 201, answer.json()
        return Payment.objects.select_related("user", "paid_course", "paid_lesson__course").get(
            pk=answer.json()["payment_id"]
        )

    return open_page


def by_webhook(stripe):
    assert set(deliver(stripe, "checkout.session.completed")) == {200}
    tasks.reconcile_pending_payments()


def by_reconciliation(stripe):
    Payment.objects.update(created_at=timezone.now() - timedelta(minutes=20))
    Enrollment.objects.exclude(removed_at=None).update(removed_at=timezone.now())
    tasks.reconcile_pending_payments()
    tasks.reconcile_pending_payments()


@pytest.mark.parametrize(("kind", "end"), WAYS)
def test_the_page_is_closed(opened, boss, stripe, kind, end):
    payment = opened(kind)

    end(payment, boss)
    tasks.close_stale_payments()

    assert session_of(stripe, payment)["status"] == "expired"
    assert not Payment.objects.filter(pk=payment.pk, status="pending").exists()
    assert not Payment.objects.filter(paid_course=None, paid_lesson=None).exists()
    assert made(stripe, "charge") == []


@pytest.mark.parametrize("news", [by_webhook, by_reconciliation])
@pytest.mark.parametrize(("kind", "end"), WAYS)
def test_what_is_paid_all_the_same_goes_back(opened, boss, stripe, kind, end, news):
    payment = opened(kind)
    buyer, course = payment.user, course_of(payment)

    end(payment, boss)
    pay(payment.payment_url)
    news(stripe)

    (charge,) = made(stripe, "charge")
    assert charge["amount_refunded"] == charge["amount"]
    payment = Payment.objects.get(pk=payment.pk)
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
    assert payment.returned_because
    assert payment.receipt_number
    assert payment.refunds.get().credit_note_number
    # It has opened nothing.
    others = Payment.objects.exclude(pk=payment.pk).filter(user=buyer)
    assert Enrollment.objects.filter(user=buyer, course=course, source="payment").count() == others.count()
    assert not LessonAccess.objects.filter(user=buyer, source="payment").exists()
    assert Course.objects.filter(pk=course.pk, status="draft").exists() is (end is OF_BOTH["the course is a draft"])
    letters = Notification.objects.filter(recipient=buyer, dedup_key__contains=str(payment.refunds.get().pk))
    assert letters.count() == (0 if end is delete_account else 1)
    assert not Notification.objects.filter(recipient=buyer, dedup_key__contains=str(payment.pk)).exists()


@pytest.mark.parametrize(("kind", "end"), WAYS)
def test_cash_is_not_taken_for_it(buyer, boss, course, lesson_for_sale, kind, end):
    item = {"paid_course": course.pk} if kind == "course" else {"paid_lesson": lesson_for_sale.pk}
    opened = buyer.post(URL, {**item, "payment_method": "cash"}).json()
    payment = Payment.objects.get(pk=opened["payment_id"])

    end(payment, boss)

    answer = boss.post(f"{URL}{payment.pk}/confirm/", {"reference": "8"})
    if Payment.objects.filter(pk=payment.pk).exists():
        assert (answer.status_code, answer.json()["code"]) in {(409, "already_owned"), (409, "nothing_to_pay_for")}
    else:
        assert answer.status_code == 404


def test_what_has_its_reason_stays_open(opened, stripe):
    payment = opened("course")
    change(payment.paid_course, price="5000.00", title="Another")

    tasks.close_stale_payments()

    assert session_of(stripe, payment)["status"] == "open"
    pay(payment.payment_url)
    by_webhook(stripe)
    assert Payment.objects.get().status == "succeeded"
    assert not Refund.objects.exists()


def test_stripe_is_asked_again_until_it_answers(opened, boss, stripe):
    payment = opened("course")
    be_granted(payment, boss)
    with failing_at(stripe, f"/v1/checkout/sessions/{payment.stripe_session_id}/expire"):
        tasks.close_stale_payments()
    assert session_of(stripe, payment)["status"] == "open"
    assert Payment.objects.get().status == "pending"

    tasks.close_stale_payments()

    assert session_of(stripe, payment)["status"] == "expired"
    assert Payment.objects.get().status == "canceled"


def test_money_on_its_way_is_waited_for_and_goes_back(opened, boss, stripe):
    """A delayed method: the page is complete before the reason ends, its money comes after."""
    payment = opened("course")
    browse(payment.payment_url, {"payment_method": "delayed"})
    delete(course_of(payment))
    for _ in range(2):
        tasks.close_stale_payments()
    assert Payment.objects.get().status == "pending"

    control(stripe, "settle", session=payment.stripe_session_id, outcome="succeeded")
    deliver(stripe, "checkout.session.async_payment_succeeded")
    tasks.reconcile_pending_payments()

    assert Payment.objects.get().status == "refunded"
    assert [one["amount"] for one in made(stripe, "refund")] == [100000]


def test_a_deleted_course_is_sold_to_nobody(opened, stripe, buyer, boss):
    """Its unpaid payments are in nobody's history, not even before their pages are closed."""
    payment = opened("course")

    delete(course_of(payment))

    assert buyer.get(URL).json()["count"] == 0
    assert buyer.get(f"{URL}{payment.pk}/").status_code == 404


@pytest.mark.parametrize("status", ["succeeded", "refunded", "partially_refunded", "disputed"])
@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_what_was_paid_keeps_it(opened, stripe, kind, status):
    payment = opened(kind)
    Payment.objects.filter(pk=payment.pk).update(status=status)
    item = payment.paid_course or payment.paid_lesson

    answer = sign_in(item.owner).delete(f"/api/{'courses' if kind == 'course' else 'lessons'}/{item.pk}/")

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert type(item).objects.filter(pk=item.pk).exists()


def test_a_page_that_is_made_while_its_course_is_deleted_is_closed(buyer, course, stripe, monkeypatch):
    real = gateway.create_session

    def create(payment, *args):
        made_now = real(payment, *args)
        delete(course)
        tasks.close_stale_payments()
        return made_now

    monkeypatch.setattr(gateway, "create_session", create)

    answer = buyer.post(URL, {"paid_course": course.pk})

    assert answer.status_code == 409
    assert [one["status"] for one in made(stripe, "checkout.session")] == ["expired"]


def test_a_refund_that_the_bank_sends_back_opens_what_was_paid_for(opened, boss, stripe):
    """Money that stays with us opens what it was for, as any other."""
    payment = opened("lesson")
    change(course_of(payment), status="archived")
    pay(payment.payment_url)
    by_webhook(stripe)
    assert Payment.objects.get().status == "refunded"

    control(stripe, "refund", refund=made(stripe, "refund")[0]["id"], outcome="failed")
    deliver(stripe, "refund.failed")

    assert Payment.objects.get().status == "succeeded"
    assert LessonAccess.objects.filter(user=payment.user).exists()
    assert len(made(stripe, "refund")) == 1


def test_deleting_a_lesson_leaves_other_payments_alone(opened, stripe, lesson_for_sale):
    payment = opened("course")

    delete(Lesson.objects.get(pk=lesson_for_sale.pk))
    tasks.close_stale_payments()

    assert Payment.objects.get(pk=payment.pk).status == "pending"


def test_payments_of_something_deleted_keep_their_shape(opened, stripe, boss):
    """For nothing any more, they are shown where they are in the books."""
    payment = opened("course")
    pay(payment.payment_url)
    delete(course_of(payment))
    by_webhook(stripe)

    for client in (sign_in(payment.user), boss):
        told = client.get(f"{URL}{payment.pk}/").json()
        assert (told["status"], told["paid_course"], told["course"], told["course_title"]) == (
            "refunded", None, None, None,
        )  # fmt: skip
        assert client.get(f"{URL}{payment.pk}/receipt/").status_code == 200
    assert boss.get(f"{URL}export/").status_code == boss.get(f"{URL}sales/").status_code == 200
