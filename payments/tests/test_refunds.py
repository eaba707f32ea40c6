"""POST /api/payments/{id}/refund/, and what is given back at Stripe's dashboard."""

from datetime import timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials.models import Course, Enrollment, LessonAccess
from materials.services import grant_access
from materials.tests.factories import CourseFactory
from payments import gateway, tasks
from payments.models import IdempotencyRecord, Payment, Refund, WebhookEvent
from payments.services import refunds, settling
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import (
    calls,
    control,
    deliver,
    dispute,
    events_of,
    failing_at,
    give_back_at_stripe,
    made,
    pay,
    session_of,
)
from users.models import Notification

BY_CUSTOMER = {"reason": "requested_by_customer"}


def url(payment, action="refund"):
    return f"/api/payments/{payment.pk}/{action}/"


def code_of(answer):
    body = answer.json()
    return [(error["attr"], error["code"]) for error in body["errors"]] or body["code"]


def is_open(payment):
    enrollment = Enrollment.objects.filter(user=payment.user, course=payment.paid_course).first()
    return enrollment is not None and enrollment.is_open


# --- In full and in part ---------------------------------------------------------------------------------------------


def test_a_full_refund(boss, paid, course, stripe):
    answer = boss.post(url(paid), BY_CUSTOMER)

    body = answer.json()
    assert (answer.status_code, body["status"], body["refunded_amount"]) == (200, "refunded", "1000.00")
    assert [(one["amount"], one["status"], one["reason"]) for one in body["refunds"]] == [
        ("1000.00", "succeeded", "requested_by_customer")
    ]
    assert [(one["amount"], one["reason"]) for one in made(stripe, "refund")] == [(100000, "requested_by_customer")]
    assert not is_open(paid)
    assert Course.objects.get(pk=course.pk).enrollment_count == 0


def test_a_refund_closes_the_content(buyer, boss, paid, course):
    lesson = f"/api/lessons/{course.lessons.get(order=2).pk}/"
    assert buyer.get(lesson).status_code == 200

    boss.post(url(paid), BY_CUSTOMER)

    answer = buyer.get(lesson)
    assert (answer.status_code, answer.json()["code"]) == (403, "payment_required")


def test_a_part_keeps_access(boss, paid):
    answer = boss.post(url(paid), {**BY_CUSTOMER, "amount": "250.50"})

    assert (answer.json()["status"], answer.json()["refunded_amount"]) == ("partially_refunded", "250.50")
    assert is_open(paid)


def test_part_by_part(boss, paid):
    for amount in ("400.00", "400.00"):
        boss.post(url(paid), {**BY_CUSTOMER, "amount": amount})
    assert is_open(paid)

    answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.json()["status"], answer.json()["refunded_amount"]) == ("refunded", "1000.00")
    assert list(Refund.objects.order_by("pk").values_list("amount", flat=True)) == [400, 400, 200]
    assert not is_open(paid)


def test_the_buyer_is_told(boss, paid):
    boss.post(url(paid), BY_CUSTOMER)

    told = Notification.objects.get(recipient=paid.user, kind="payment_refunded")
    assert "1\N{NO-BREAK SPACE}000,00\N{NO-BREAK SPACE}RUB" in told.message


def test_other_words_go_into_the_metadata(boss, paid, stripe):
    boss.post(url(paid), {"reason": "The teacher fell ill"})

    refund = made(stripe, "refund")[0]
    assert (refund["reason"], refund["metadata"]["comment"]) == (None, "The teacher fell ill")
    assert (Refund.objects.get().reason, Refund.objects.get().comment) == ("other", "The teacher fell ill")


@pytest.mark.parametrize(("currency", "price", "minor"), [("JPY", "500.00", 500), ("KWD", "1.50", 1500)])
def test_other_currencies(buyer, boss, teacher, stripe, settings, currency, price, minor):
    settings.CURRENCIES = [*settings.CURRENCIES, "KWD"]
    course = CourseFactory(owner=teacher, price=price, currency=currency)
    opened = buyer.post("/api/payments/", {"paid_course": course.pk}).json()
    pay(opened["payment_url"])
    buyer.get(f"/api/payments/{opened['payment_id']}/status/")

    answer = boss.post(f"/api/payments/{opened['payment_id']}/refund/", BY_CUSTOMER)

    assert (answer.json()["status"], answer.json()["refunded_amount"]) == ("refunded", price)
    assert [one["amount"] for one in made(stripe, "refund")] == [minor]


def test_a_lesson(buyer, boss, student, lesson_for_sale, stripe):
    opened = buyer.post("/api/payments/", {"paid_lesson": lesson_for_sale.pk}).json()
    pay(opened["payment_url"])
    buyer.get(f"/api/payments/{opened['payment_id']}/status/")
    assert LessonAccess.objects.filter(user=student).exists()

    boss.post(f"/api/payments/{opened['payment_id']}/refund/", BY_CUSTOMER)

    assert not LessonAccess.objects.exists()


def test_cash_goes_back_without_stripe(boss, cash, stripe):
    boss.post(url(cash, "confirm"), {"reference": "7"})

    answer = boss.post(url(cash), BY_CUSTOMER)

    assert (answer.json()["status"], answer.json()["refunds"][0]["status"]) == ("refunded", "succeeded")
    assert calls(stripe) == []
    assert not is_open(cash)


# --- Who, and what not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("other", 404), ("teacher", 404), ("moderator", 403), ("admin", 200)],
)
def test_who_may_refund(client_for, paid, who, status):
    answer = client_for(who).post(url(paid), BY_CUSTOMER)

    assert answer.status_code == status
    assert Refund.objects.exists() is (status == 200)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [("reason", "required")]),
        ({"reason": ""}, [("reason", "blank")]),
        ({"reason": "x" * 501}, [("reason", "max_length")]),
        ({**BY_CUSTOMER, "amount": "1000.01"}, [("amount", "amount_too_large")]),
        ({**BY_CUSTOMER, "amount": "0"}, [("amount", "min_value")]),
        ({**BY_CUSTOMER, "amount": "-5"}, [("amount", "min_value")]),
        ({**BY_CUSTOMER, "amount": "0.001"}, [("amount", "max_decimal_places")]),
        ({**BY_CUSTOMER, "amount": "NaN"}, [("amount", "invalid")]),
    ],
)
def test_bad_input(boss, paid, fields, expected):
    answer = boss.post(url(paid), fields)

    assert (answer.status_code, code_of(answer)) == (400, expected)
    assert not Refund.objects.exists()


def test_more_than_is_left(boss, paid):
    boss.post(url(paid), {**BY_CUSTOMER, "amount": "600"})

    answer = boss.post(url(paid), {**BY_CUSTOMER, "amount": "600"})

    assert (answer.status_code, code_of(answer)) == (400, [("amount", "amount_too_large")])
    assert "400" in answer.json()["errors"][0]["detail"]


def test_what_the_currency_cannot_express(boss, student, teacher):
    course = CourseFactory(owner=teacher, price="500.00", currency="JPY")
    payment = PaymentFactory(user=student, paid_course=course, amount="500.00", currency="JPY")

    answer = boss.post(url(payment), {**BY_CUSTOMER, "amount": "0.50"})

    assert (answer.status_code, code_of(answer)) == (400, [("amount", "not_in_currency")])


@pytest.mark.parametrize("status", ["pending", "expired", "canceled", "failed", "refunded", "disputed"])
def test_nothing_to_give_back(boss, student, course, status):
    payment = PaymentFactory(user=student, paid_course=course, status=status)

    answer = boss.post(url(payment), BY_CUSTOMER)

    assert (answer.status_code, code_of(answer)) == (409, "not_refundable")
    assert not Refund.objects.exists()


def test_twice(boss, paid, stripe):
    boss.post(url(paid), BY_CUSTOMER)

    answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.status_code, code_of(answer)) == (409, "not_refundable")
    assert len(made(stripe, "refund")) == 1


# --- Stripe's answer is lost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"cut": True}])
def test_stripe_away(boss, paid, stripe, fault):
    with failing_at(stripe, "/v1/refunds", **fault):
        answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert answer.headers["Retry-After"]
    paid.refresh_from_db()
    assert (paid.status, Refund.objects.get().status) == ("succeeded", "pending")
    assert is_open(paid)


def test_asking_again_goes_on_with_the_same_refund(boss, paid, stripe):
    with failing_at(stripe, "/v1/refunds", cut=True):
        boss.post(url(paid), BY_CUSTOMER)

    answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.status_code, answer.json()["status"]) == (200, "refunded")
    assert len(made(stripe, "refund")) == Refund.objects.count() == 1
    keys = [call["idempotency_key"] for call in calls(stripe, "POST") if call["path"] == "/v1/refunds"]
    assert keys == [f"refund-{Refund.objects.get().pk}"] * 2


def test_asking_again_for_another_amount(boss, paid, stripe):
    with failing_at(stripe, "/v1/refunds"):
        boss.post(url(paid), {**BY_CUSTOMER, "amount": "100"})

    answer = boss.post(url(paid), {**BY_CUSTOMER, "amount": "200"})

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_in_progress")
    assert boss.post(url(paid), BY_CUSTOMER).json()["code"] == "refund_in_progress"  # all of it is another amount, too


def test_the_sweeper_goes_on(boss, paid, stripe):
    with failing_at(stripe, "/v1/refunds", cut=True):
        boss.post(url(paid), BY_CUSTOMER)
    Refund.objects.update(created_at="2026-01-01T00:00Z")

    tasks.reconcile_pending_payments()

    paid.refresh_from_db()
    assert (paid.status, Refund.objects.get().status) == ("refunded", "succeeded")
    assert len(made(stripe, "refund")) == 1
    assert not is_open(paid)


def test_the_webhook_comes_before_the_answer(boss, paid, stripe):
    """The refund that it tells of carries our own id: it is that one, and not another."""
    with failing_at(stripe, "/v1/refunds", cut=True):
        boss.post(url(paid), BY_CUSTOMER)

    deliver(stripe, "refund.created", "charge.refunded")

    paid.refresh_from_db()
    assert (paid.status, Refund.objects.get().status) == ("refunded", "succeeded")
    assert boss.post(url(paid), BY_CUSTOMER).status_code == 409


def test_stripe_refuses(boss, paid, stripe):
    """It was given back at the dashboard, and nobody has told us yet."""
    give_back_at_stripe(stripe, paid)

    answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_refused")
    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount) == ("refunded", 1000)
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["failed", "succeeded"]
    assert not is_open(paid)


# --- At the dashboard ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["charge.refunded", "refund.created", "refund.updated"])
def test_a_refund_at_the_dashboard(paid, stripe, type_):
    give_back_at_stripe(stripe, paid)

    assert deliver(stripe, type_) == [200]

    paid.refresh_from_db()
    refund = Refund.objects.get()
    assert (paid.status, refund.amount, refund.created_by) == ("refunded", 1000, None)
    assert refund.credit_note_number
    assert not is_open(paid)


def test_parts_at_the_dashboard(paid, stripe):
    for amount in (100_00, 200_00):
        give_back_at_stripe(stripe, paid, amount=amount)

    deliver(stripe)

    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount) == ("partially_refunded", 300)
    assert Refund.objects.count() == 2
    assert is_open(paid)


def test_the_refund_is_told_before_the_payment(pending, stripe):
    """In any order: a payment that is paid and given back opens nothing, and its story is whole."""
    pay(pending.payment_url)
    give_back_at_stripe(stripe, pending)

    assert deliver(stripe, "charge.refunded") == [200]

    pending.refresh_from_db()
    assert (pending.status, pending.refunded_amount) == ("refunded", 1000)
    assert pending.receipt_number
    assert not is_open(pending)


def test_a_success_that_comes_late_opens_nothing(pending, stripe):
    pay(pending.payment_url)
    give_back_at_stripe(stripe, pending)
    deliver(stripe, "charge.refunded")

    deliver(stripe)

    pending.refresh_from_db()
    assert pending.status == "refunded"
    assert not is_open(pending)


def test_somebody_else_s_intent(stripe, db):
    """Our account may take money for other things."""
    from payments.tests.helpers import event, post_webhook

    told = event("re_1", "refund.created")
    told["data"]["object"]["payment_intent"] = "pi_unknown"

    assert post_webhook(told).status_code == 200


def test_a_refund_fails_later(boss, paid, stripe, admin):
    """The bank sends the money back: it is the buyer's no more, and the course is."""
    boss.post(url(paid), BY_CUSTOMER)
    assert not is_open(paid)

    control(stripe, "refund", refund=Refund.objects.get().stripe_refund_id)
    deliver(stripe, "refund.failed")

    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount, Refund.objects.get().status) == ("succeeded", 0, "failed")
    assert is_open(paid)
    assert Notification.objects.filter(recipient=admin, dedup_key__startswith="refund_failed").count() == 1


def test_an_answer_from_before_a_refund_failed_changes_nothing(boss, paid, stripe):
    """Two asked Stripe, and the one that asked first comes last."""
    boss.post(url(paid), BY_CUSTOMER)
    before = gateway.retrieve_session(paid.stripe_session_id)
    control(stripe, "refund", refund=Refund.objects.get().stripe_refund_id)
    deliver(stripe, "refund.failed")

    settling.settle(paid.pk, before)

    paid.refresh_from_db()
    assert (paid.status, Refund.objects.get().status) == ("succeeded", "failed")


def test_events_were_lost(boss, paid, stripe):
    """What Stripe could not deliver is asked for."""
    give_back_at_stripe(stripe, paid)
    for one in events_of(stripe):
        one["pending_webhooks"] = 1

    tasks.fetch_missed_events()

    paid.refresh_from_db()
    assert paid.status == "refunded"
    assert not is_open(paid)
    assert tasks.fetch_missed_events() == 0


def test_what_was_lost_and_fails_is_left_to_whoever_tries_again(paid, stripe, monkeypatch):
    """Not once more at every fetching: it waits ever longer, and is given up at last."""
    give_back_at_stripe(stripe, paid)
    for one in events_of(stripe):
        one["pending_webhooks"] = 1
    monkeypatch.setattr(settling, "settle_intent", lambda *about, event: 1 / 0)

    for _ in range(3):
        tasks.fetch_missed_events()

    assert set(WebhookEvent.objects.filter(processed_at=None).values_list("attempts", flat=True)) == {1}


# --- What else opens it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granted", ["before", "after"])
def test_a_grant_stays(boss, pending, student, course, granted):
    if granted == "before":
        grant_access(user=student, course=course, source="grant")
    pay(pending.payment_url)
    boss.get(url(pending, "status"))
    if granted == "after":
        grant_access(user=student, course=course, source="grant")

    boss.post(url(pending), BY_CUSTOMER)

    enrollment = Enrollment.objects.get(user=student, course=course)
    assert (enrollment.source, enrollment.is_open) == ("grant", True)
    assert Course.objects.get(pk=course.pk).enrollment_count == 1


def test_another_payment_stays(boss, student, course):
    """Paid for again after access had run out, and the first one is given back."""
    Course.objects.filter(pk=course.pk).update(access_days=30)
    first, second = (PaymentFactory(user=student, paid_course=course) for _ in range(2))
    Payment.objects.filter(pk=first.pk).update(access_until="2026-01-31T00:00Z")
    grant_access(user=student, course=course, source="payment")

    boss.post(url(first), BY_CUSTOMER)
    assert is_open(second)

    boss.post(url(second), BY_CUSTOMER)
    assert not is_open(second)


def test_what_was_learned_stays(boss, paid, course):
    """Grades and certificates hang on the enrollment: it is closed, not deleted. Buying again opens it as it was."""
    enrollment = Enrollment.objects.get(user=paid.user, course=course)

    boss.post(url(paid), BY_CUSTOMER)

    assert Enrollment.objects.get(user=paid.user, course=course).pk == enrollment.pk


# --- At the same time ------------------------------------------------------------------------------------------------


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_sixteen_refunds_of_all(sign_in_as, admin, paid, stripe):
    """The payment's row lock: without it each of them finds all of the money."""
    clients = [sign_in_as(admin) for _ in range(16)]

    answers = at_once(16, lambda number: clients[number].post(url(paid), BY_CUSTOMER))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    assert [one["amount"] for one in made(stripe, "refund")] == [100000]
    assert Refund.objects.standing().count() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_parts_at_once_never_exceed_the_whole(sign_in_as, admin, cash, stripe):
    clients = [sign_in_as(admin) for _ in range(16)]
    clients[0].post(url(cash, "confirm"), {"reference": "7"})

    at_once(16, lambda number: clients[number].post(url(cash), {**BY_CUSTOMER, "amount": "150"}))

    cash.refresh_from_db()
    assert cash.refunded_amount == sum(Refund.objects.values_list("amount", flat=True), Decimal(0)) == 900
    numbers = sorted(Refund.objects.values_list("credit_note_number", flat=True))
    assert numbers == [f"C-{number:06d}" for number in range(1, 7)]


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_refund_and_webhook_at_once(sign_in_as, admin, paid, stripe):
    """One refund, told in three ways while its own answer is being noted."""
    client = sign_in_as(admin)
    real = gateway.create_refund

    def create_refund(refund):
        answer = real(refund)
        at_once(3, lambda _number: deliver(stripe, "charge.refunded", "refund.created"))
        return answer

    refunds.gateway.create_refund = create_refund
    try:
        answer = client.post(url(paid), BY_CUSTOMER)
    finally:
        refunds.gateway.create_refund = real

    assert (answer.status_code, answer.json()["status"]) == (200, "refunded")
    assert Refund.objects.count() == 1
    assert Notification.objects.filter(kind="payment_refunded").count() == 1


def test_disputed_money_is_not_given_back(boss, paid, stripe):
    dispute(stripe, paid)
    deliver(stripe, "charge.dispute.created")

    answer = boss.post(url(paid), BY_CUSTOMER)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_refundable")
    assert session_of(stripe, paid)["payment_status"] == "paid"


# --- Once for each key, and for each time that money went back ------------------------------------------------------

KEY = {"HTTP_IDEMPOTENCY_KEY": "5f0c-one"}
A_PART = {**BY_CUSTOMER, "amount": "100"}


def test_one_key_is_one_refund_also_when_the_answer_was_lost(boss, paid, stripe):
    """The webhook has noted the refund by the time that the client asks again."""
    with failing_at(stripe, "/v1/refunds", cut=True):
        assert boss.post(url(paid), A_PART, **KEY).status_code == 503
    deliver(stripe, "refund.created")

    answer = boss.post(url(paid), A_PART, **KEY)

    assert (answer.status_code, answer.json()["refunded_amount"]) == (200, "100.00")
    assert len(made(stripe, "refund")) == Refund.objects.count() == 1


def test_one_key_is_one_refund_also_after_a_kill(boss, cash):
    boss.post(url(cash, "confirm"), {"reference": "7"})
    with mock.patch("payments.idempotency._keep", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        boss.post(url(cash), A_PART, **KEY)
    IdempotencyRecord.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    answer = boss.post(url(cash), A_PART, **KEY)

    assert (answer.status_code, Refund.objects.count()) == (200, 1)


@pytest.mark.parametrize("amount", [None, "100"])
def test_stripe_has_done_it_and_forgotten_the_key(boss, paid, stripe, amount):
    """We were down for days, and nothing was told: what it has given back is looked for before it is asked again."""
    body = BY_CUSTOMER if amount is None else A_PART
    with failing_at(stripe, "/v1/refunds", cut=True):
        boss.post(url(paid), body)
    Refund.objects.update(created_at="2026-01-01T00:00Z")
    stripe.store.keys.clear()

    tasks.reconcile_pending_payments()

    paid.refresh_from_db()
    assert len(made(stripe, "refund")) == 1
    assert paid.status == ("refunded" if amount is None else "partially_refunded")
    assert is_open(paid) is (amount is not None)


def test_a_refund_that_stripe_refuses_by_itself_is_told(paid, stripe, admin):
    """Nobody waits for the answer of one that goes back by itself."""
    refund = Refund.objects.create(payment=paid, amount="1000.00", reason="duplicate")
    with mock.patch.object(gateway, "create_refund", side_effect=gateway.RefundRefused("no balance")):
        tasks.send_refund(str(refund.pk))

    refund.refresh_from_db()
    assert (refund.status, "no balance" in refund.error) == ("failed", True)
    assert Notification.objects.filter(recipient=admin, dedup_key__startswith="refund_failed").count() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_who_draw_numbers_do_not_wait_for_each_other(sign_in_as, student, other, admin, course, stripe):
    """Numbers are drawn last: whoever holds a series waits for nobody's course."""
    payments = []
    for buyer in (student, other):
        opened = sign_in_as(buyer).post("/api/payments/", {"paid_course": course.pk}).json()
        payments.append(Payment.objects.get(pk=opened["payment_id"]))
        pay(payments[-1].payment_url)
    unheard_of, settled = payments
    settling.refresh(settled)
    settled.refresh_from_db()
    give_back_at_stripe(stripe, unheard_of)
    calls = [
        lambda: settling.refresh(unheard_of).status,
        lambda: refunds.refund_payment(payment=settled, amount=None, reason="duplicate", admin=admin).status,
    ]

    assert at_once(2, lambda number: calls[number]()) == ["refunded", "refunded"]

    assert Payment.objects.exclude(receipt_number="").count() == 2
