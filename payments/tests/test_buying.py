"""From Stripe's page to an open course: whichever of the four ways the news takes, access opens, exactly once."""

from datetime import timedelta
from itertools import permutations
from unittest import mock

import pytest
from django.utils import timezone

from materials.models import Course, Enrollment, LessonAccess
from materials.tests.factories import EnrollmentFactory
from payments import tasks
from payments.models import Payment
from payments.services import reasons
from payments.tests.helpers import (
    ASKING,
    BOUGHT,
    DECLINED,
    GOOD,
    NOT_BOUGHT,
    browse,
    control,
    event,
    made,
    pay,
    post_webhook,
    session_of,
    traces,
)
from payments.tests.stand_in.helpers import NO_FUNDS
from users.models import Notification

URL = "/api/payments/"


def by_webhook(client, payment):
    assert post_webhook(event(payment.stripe_session_id)).status_code == 200


def by_success_page(client, payment):
    assert client.get("/success/", {"session_id": payment.stripe_session_id}).status_code == 200


def by_status(client, payment):
    assert client.get(f"{URL}{payment.pk}/status/").status_code == 200


def by_reconciliation(client, payment):
    Payment.objects.filter(pk=payment.pk).update(created_at=timezone.now() - timedelta(minutes=20))
    tasks.reconcile_pending_payments()


WAYS = [by_webhook, by_success_page, by_status, by_reconciliation]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_opens_the_course(buyer, pending, student, course, way):
    pay(pending.payment_url)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "succeeded"
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("way", WAYS)
def test_before_it_is_paid_nothing_opens(buyer, pending, student, course, way):
    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "pending"
    assert traces(student, course) == NOT_BOUGHT


@pytest.mark.parametrize(
    "order", list(permutations(WAYS)), ids=lambda order: "-".join(way.__name__[3:] for way in order)
)
def test_all_ways_together_open_it_once(buyer, pending, student, course, order):
    pay(pending.payment_url)

    for way in order:
        way(buyer, pending)

    assert Payment.objects.get().status == "succeeded"
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("way", WAYS)
def test_the_same_way_again_and_again_opens_it_once(buyer, pending, student, course, way):
    pay(pending.payment_url)

    for _ in range(3):
        way(buyer, pending)

    assert Payment.objects.get().status == "succeeded"
    assert traces(student, course) == BOUGHT


def test_the_lessons_open(buyer, pending, course):
    lesson = course.lessons.get(order=2)
    before = buyer.get(f"/api/lessons/{lesson.pk}/")
    pay(pending.payment_url)
    by_status(buyer, pending)

    after = buyer.get(f"/api/lessons/{lesson.pk}/")

    assert (before.status_code, before.json()["code"]) == (403, "payment_required")
    assert (after.status_code, after.json()["body"]) == (200, lesson.body)


def test_what_is_noted_of_the_payment(buyer, pending, stripe):
    created = pending.payment_date
    pay(pending.payment_url)

    by_status(buyer, pending)

    pending.refresh_from_db()
    assert pending.payment_date > created
    assert pending.stripe_payment_intent_id == made(stripe, "payment_intent")[0]["id"]
    assert str(pending.amount) == "1000.00"


@pytest.mark.parametrize(("language", "word"), [("en", "Payment received"), ("ru", "Python basics")])
def test_the_notification(buyer, pending, student, course, settings, language, word):
    amount = {"en": "1,000.00\N{NO-BREAK SPACE}RUB", "ru": "1\N{NO-BREAK SPACE}000,00\N{NO-BREAK SPACE}RUB"}[language]
    type(student).objects.filter(pk=student.pk).update(language=language)
    pay(pending.payment_url)

    by_status(buyer, pending)

    told = Notification.objects.get(recipient=student, kind="payment_succeeded")
    assert word in told.subject
    assert amount in told.message
    assert told.url == f"{settings.FRONTEND_URL}/courses/{course.pk}"


def test_a_lesson_alone_opens_that_lesson_only(buyer, student, course, lesson_for_sale, stripe):
    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk}).json()
    pay(answer["payment_url"])

    by_status(buyer, Payment.objects.get())

    assert buyer.get(f"/api/lessons/{lesson_for_sale.pk}/").status_code == 200
    assert buyer.get(f"/api/lessons/{course.lessons.get(order=2).pk}/").status_code == 403
    assert LessonAccess.objects.get().source == "payment"
    assert traces(student, course) == {**NOT_BOUGHT, "notifications": 1}


def test_a_lesson_alone_is_opened_once(buyer, student, lesson_for_sale, stripe):
    answer = buyer.post(URL, {"paid_lesson": lesson_for_sale.pk}).json()
    payment = Payment.objects.get()
    pay(answer["payment_url"])

    for way in (*WAYS, *WAYS):
        way(buyer, payment)

    assert LessonAccess.objects.count() == 1
    assert Notification.objects.filter(recipient=student).count() == 1


def test_buying_again_what_has_expired_renews_it(buyer, student, course, stripe):
    EnrollmentFactory(user=student, course=course, expires_at="2020-01-01T00:00Z", status="expired")
    answer = buyer.post(URL, {"paid_course": course.pk}).json()
    pay(answer["payment_url"])

    by_status(buyer, Payment.objects.get())

    assert Enrollment.objects.get().is_open
    assert Enrollment.objects.get().source == "payment"


# --- Cards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", [DECLINED, NO_FUNDS])
@pytest.mark.parametrize("way", WAYS)
def test_a_declined_card_leaves_it_pending(buyer, pending, student, course, way, card):
    pay(pending.payment_url, card)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "pending"
    assert traces(student, course) == NOT_BOUGHT


def test_after_a_declined_card_another_one_pays(buyer, pending, student, course):
    pay(pending.payment_url, DECLINED)
    again = buyer.post(URL, {"paid_course": course.pk})
    pay(again.json()["payment_url"], GOOD)

    by_status(buyer, pending)

    assert (again.status_code, again.json()["payment_id"]) == (200, str(pending.pk))
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize(
    ("confirm", "status", "left"),
    [("yes", "succeeded", BOUGHT), ("no", "pending", NOT_BOUGHT), ("", "pending", NOT_BOUGHT)],
)
def test_a_card_that_asks_for_3_d_secure(buyer, pending, student, course, confirm, status, left):
    pay(pending.payment_url, ASKING)
    if confirm:
        browse(pending.payment_url, {"confirm": confirm})

    by_status(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == status
    assert traces(student, course) == left


# --- Money that comes later ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_an_order_is_not_money(buyer, pending, student, course, way):
    """The session is complete, and unpaid."""
    browse(pending.payment_url, {"payment_method": "delayed"})

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "pending"
    assert traces(student, course) == NOT_BOUGHT


@pytest.mark.parametrize("way", WAYS)
def test_the_money_comes(buyer, pending, student, course, stripe, way):
    browse(pending.payment_url, {"payment_method": "delayed"})
    by_status(buyer, pending)
    control(stripe, "settle", session=pending.stripe_session_id)

    way(buyer, pending)

    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("way", WAYS)
def test_the_money_does_not_come(buyer, pending, student, course, stripe, way):
    browse(pending.payment_url, {"payment_method": "delayed"})
    control(stripe, "settle", session=pending.stripe_session_id, outcome="failed")

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "failed"
    assert traces(student, course) == NOT_BOUGHT


def test_after_that_one_may_buy_again(buyer, pending, course, stripe):
    browse(pending.payment_url, {"payment_method": "delayed"})
    control(stripe, "settle", session=pending.stripe_session_id, outcome="failed")

    answer = buyer.post(URL, {"paid_course": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, pending.status) == (201, "failed")
    assert answer.json()["payment_id"] != str(pending.pk)


# --- The end of a session --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_has_expired(buyer, pending, student, course, stripe, way):
    control(stripe, "expire", session=pending.stripe_session_id)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "expired"
    assert traces(student, course) == NOT_BOUGHT


def test_after_that_a_new_payment_opens(buyer, pending, course, stripe):
    control(stripe, "expire", session=pending.stripe_session_id)

    answer = buyer.post(URL, {"paid_course": course.pk})

    pending.refresh_from_db()
    assert (answer.status_code, pending.status) == (201, "expired")
    assert answer.json()["payment_id"] != str(pending.pk)
    assert answer.json()["payment_url"] != pending.payment_url


def test_expired_after_succeeded_changes_nothing(buyer, pending, student, course):
    pay(pending.payment_url)
    by_status(buyer, pending)

    post_webhook(event(pending.stripe_session_id, "checkout.session.expired"))

    pending.refresh_from_db()
    assert pending.status == "succeeded"
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("way", [by_webhook, by_success_page, by_status])
@pytest.mark.parametrize("closed", ["canceled", "expired", "failed"])
def test_money_that_comes_after_all_opens_it(buyer, pending, student, course, closed, way):
    Payment.objects.filter(pk=pending.pk).update(status=closed)
    pay(pending.payment_url)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "succeeded"
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("way", [by_webhook, by_success_page, by_status])
@pytest.mark.parametrize("status", ["refunded", "partially_refunded", "disputed"])
def test_what_was_given_back_is_not_paid_again(buyer, pending, student, course, status, way):
    pay(pending.payment_url)
    Payment.objects.filter(pk=pending.pk).update(status=status)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == status
    assert traces(student, course) == NOT_BOUGHT


@pytest.mark.parametrize("way", [by_status, by_reconciliation])
def test_a_session_that_stripe_does_not_know(buyer, pending, student, course, stripe, way):
    stripe.store.clear()

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "expired"
    assert traces(student, course) == NOT_BOUGHT


# --- Not what was asked for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("changes", [{"amount_total": 1}, {"amount_total": 100_001}, {"currency": "usd"}])
def test_another_amount_opens_nothing(buyer, pending, student, course, stripe, caplog, changes, way):
    pay(pending.payment_url)
    session_of(stripe, pending).update(changes)

    way(buyer, pending)

    pending.refresh_from_db()
    assert pending.status == "pending"
    assert traces(student, course) == NOT_BOUGHT
    assert f"Payment {pending.pk} asked for 1000.00 RUB" in caplog.text


def test_the_price_of_today_does_not_matter(buyer, pending, student, course):
    Course.objects.filter(pk=course.pk).update(price="9000.00")
    pay(pending.payment_url)

    by_status(buyer, pending)

    assert traces(student, course) == BOUGHT


# --- Sessions that were not noted ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [by_webhook, by_success_page])
def test_a_session_names_its_payment(buyer, pending, student, course, way):
    """We died between making the session and noting it, and it was paid all the same."""
    pay(pending.payment_url)
    Payment.objects.filter(pk=pending.pk).update(stripe_session_id="", payment_url="")

    way(buyer, pending)

    noted = Payment.objects.get()
    assert (noted.status, noted.stripe_session_id) == ("succeeded", pending.stripe_session_id)
    assert traces(student, course) == BOUGHT


@pytest.mark.parametrize("reference", ["", "42", "x" * 36, "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", None])
def test_a_session_of_something_else_in_the_same_account(api, buyer, pending, student, course, stripe, reference):
    pay(pending.payment_url)
    session_of(stripe, pending)["client_reference_id"] = reference
    Payment.objects.filter(pk=pending.pk).update(stripe_session_id="", payment_url="")

    answer = api.get("/success/", {"session_id": pending.stripe_session_id})

    assert answer.status_code == 404
    assert traces(student, course) == NOT_BOUGHT


def test_another_session_in_its_name_is_not_taken(api, pending, student, course, stripe):
    """A payment has one session: money of another one that names it is nothing that we asked for."""
    pay(pending.payment_url)
    Payment.objects.filter(pk=pending.pk).update(stripe_session_id="cs_test_its_own")

    answer = api.get("/success/", {"session_id": pending.stripe_session_id})

    assert answer.status_code == 404
    assert traces(student, course) == NOT_BOUGHT


def test_whoever_was_shut_out_does_not_buy_their_way_in(buyer, pending, course, stripe):
    """An admin has closed what is paid for: another payment would go back by itself and leave it open."""
    pay(pending.payment_url)
    by_status(buyer, pending)
    Enrollment.objects.update(status="revoked")

    answer = buyer.post("/api/payments/", {"paid_course": course.pk})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_owned")


def test_a_course_with_a_lesson_that_was_sold_is_not_taken_back(buyer, client_for, lesson_for_sale, stripe):
    opened = buyer.post("/api/payments/", {"paid_lesson": lesson_for_sale.pk}).json()
    pay(opened["payment_url"])
    buyer.get(f"/api/payments/{opened['payment_id']}/status/")

    answer = client_for("teacher").patch(f"/api/courses/{lesson_for_sale.course_id}/", {"status": "draft"})

    assert (answer.status_code, answer.json()["code"]) == (409, "has_students")
    assert buyer.get(f"/api/lessons/{lesson_for_sale.pk}/").status_code == 200


def test_what_is_paid_at_the_moment_when_its_course_is_taken_back_is_seen(buyer, lesson_for_sale, stripe):
    opened = buyer.post("/api/payments/", {"paid_lesson": lesson_for_sale.pk}).json()
    pay(opened["payment_url"])
    real = reasons.why_ended

    def take_back(payment):
        ended = real(payment)
        Course.objects.update(status="draft")
        return ended

    with mock.patch.object(reasons, "why_ended", take_back):
        buyer.get(f"/api/payments/{opened['payment_id']}/status/")

    assert buyer.get(f"/api/lessons/{lesson_for_sale.pk}/").status_code == 200
