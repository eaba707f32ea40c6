"""`Idempotency-Key` on the writes that create or move money."""

from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from common.errors import RuleBroken
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from payments import idempotency, tasks
from payments.models import IdempotencyRecord, Payment, Refund
from payments.services import buying, closing
from payments.tests.helpers import failing_at, made

URL = "/api/payments/"
KEY = {"HTTP_IDEMPOTENCY_KEY": "5f0c-one"}


def replayed(answer):
    return answer.headers.get("Idempotent-Replayed")


def test_the_same_again(buyer, course, stripe):
    first = buyer.post(URL, {"paid_course": course.pk}, **KEY)
    Payment.objects.update(status="expired")  # by itself, the same request would open another

    again = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert (first.status_code, replayed(first)) == (201, None)
    assert (again.status_code, replayed(again), again.content) == (201, "true", first.content)
    assert Payment.objects.count() == 1


def test_an_alias_is_the_same_operation(buyer, course, stripe):
    first = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    again = buyer.post(f"{URL}create/", {"paid_course": course.pk}, **KEY)

    assert (again.status_code, replayed(again), again.content) == (201, "true", first.content)


def test_another_body(buyer, course, stripe):
    buyer.post(URL, {"paid_course": course.pk}, **KEY)

    answer = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"}, **KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Payment.objects.get().payment_method == "card"


def test_another_operation(buyer, course, stripe):
    buyer.post(URL, {"paid_course": course.pk}, **KEY)

    answer = buyer.post("/api/lessons/create-checkout-session/", {"course_id": course.pk}, **KEY)

    assert answer.status_code == 422


def test_the_checkout_session_too(buyer, course, stripe):
    body = {"course_id": course.pk}
    first = buyer.post("/api/lessons/create-checkout-session/", body, **KEY)

    again = buyer.post("/api/lessons/create-checkout-session/", body, **KEY)

    assert (again.status_code, replayed(again), again.content) == (200, "true", first.content)


def test_keys_are_one_s_own(buyer, client_for, course, stripe):
    buyer.post(URL, {"paid_course": course.pk}, **KEY)

    answer = client_for("other").post(URL, {"paid_course": course.pk}, **KEY)

    assert (answer.status_code, replayed(answer)) == (201, None)


def test_a_refusal_is_kept(buyer, course, stripe):
    first = buyer.post(URL, {"paid_course": "nonsense"}, **KEY)

    again = buyer.post(URL, {"paid_course": "nonsense"}, **KEY)

    assert (first.status_code, again.status_code, replayed(again)) == (400, 400, "true")
    assert again.content == first.content
    assert again.headers["Content-Type"] == first.headers["Content-Type"] == "application/problem+json"


def test_a_refusal_of_the_moment_is_not_kept(buyer, course, stripe):
    with mock.patch.object(buying, "open_payment", side_effect=closing.overtaken()):
        first = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    again = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert (first.status_code, again.status_code) == (409, 201)


def test_a_browser_may_send_it(api, settings):
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:5173"]

    answer = api.options(
        URL,
        HTTP_ORIGIN="http://localhost:5173",
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization,idempotency-key",
    )

    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"]


def test_a_5xx_is_not_kept(buyer, course, stripe):
    with failing_at(stripe, "/v1/checkout/sessions"):
        first = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    again = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert (first.status_code, again.status_code, replayed(again)) == (503, 200, None)
    assert len(made(stripe, "checkout.session")) == 1


def test_a_fault_of_ours_is_not_kept(buyer, course, stripe):
    with mock.patch.object(buying, "check_may_buy", side_effect=ZeroDivisionError):
        first = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    again = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert (first.status_code, again.status_code) == (500, 201)


@pytest.mark.parametrize(("leased_for", "status"), [(30, 409), (-1, 201)])
def test_one_that_was_killed_is_taken_over(buyer, student, course, stripe, leased_for, status):
    buyer.post(URL, {"paid_course": course.pk}, **KEY)
    Payment.objects.all().delete()
    leased_until = timezone.now() + timedelta(seconds=leased_for)
    IdempotencyRecord.objects.update(status_code=None, response="", leased_until=leased_until)

    answer = buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert answer.status_code == status
    if status == 409:
        assert answer.json()["code"] == "idempotency_key_in_use"
        assert answer.headers["Retry-After"]


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "tab\there"])
def test_keys_that_are_none(buyer, course, stripe, key):
    answer = buyer.post(URL, {"paid_course": course.pk}, HTTP_IDEMPOTENCY_KEY=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert not Payment.objects.exists()


def test_confirming(boss, cash):
    first = boss.post(f"{URL}{cash.pk}/confirm/", {"reference": "7"}, **KEY)

    again = boss.post(f"{URL}{cash.pk}/confirm/", {"reference": "7"}, **KEY)

    assert (again.status_code, replayed(again), again.content) == (200, "true", first.content)


def test_refunding(boss, paid, stripe):
    body = {"amount": "100", "reason": "requested_by_customer"}
    first = boss.post(f"{URL}{paid.pk}/refund/", body, **KEY)

    again = boss.post(f"{URL}{paid.pk}/refund/", body, **KEY)

    assert (again.status_code, replayed(again), again.content) == (200, "true", first.content)
    assert Refund.objects.count() == len(made(stripe, "refund")) == 1


def test_whoever_is_no_admin_any_more_is_not_answered_as_one(boss, admin, cash):
    boss.post(f"{URL}{cash.pk}/confirm/", {"reference": "7"}, **KEY)
    admin.role = "student"
    admin.save(update_fields=["role"])

    again = boss.post(f"{URL}{cash.pk}/confirm/", {"reference": "7"}, **KEY)

    assert (again.status_code, replayed(again)) == (422, None)


def test_old_ones_are_forgotten(buyer, course, stripe):
    buyer.post(URL, {"paid_course": course.pk}, **KEY)
    IdempotencyRecord.objects.update(
        created_at=timezone.now() - timedelta(days=2), leased_until=timezone.now() - timedelta(days=2)
    )

    again = buyer.post(URL, {"paid_course": course.pk, "payment_method": "cash"}, **KEY)

    assert (again.status_code, replayed(again)) == (201, None)
    assert tasks.forget_old_records() == 0


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once(sign_in_as, student, course, stripe):
    """A unique row per person and key: one answers, the others are told that it is being answered, or the answer."""
    clients = [sign_in_as(student) for _ in range(16)]

    answers = at_once(16, lambda number: clients[number].post(URL, {"paid_course": course.pk}, **KEY))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum(answer.status_code == 201 and not replayed(answer) for answer in answers) == 1
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("letters", [600, 9_000])
def test_a_refusal_that_repeats_much_is_not_kept(buyer, course, letters):
    """It repeats what was sent: the keys of many such requests would fill the disk."""
    with mock.patch.object(buying, "open_payment", side_effect=RuleBroken("already_owned", "a" * letters)):
        buyer.post(URL, {"paid_course": course.pk}, **KEY)

    assert IdempotencyRecord.objects.exists() is (letters < 1000)


def test_of_each_person_the_latest_are_kept(buyer, course, cash, other, monkeypatch):
    monkeypatch.setattr(idempotency, "KEPT_PER_PERSON", 3)
    theirs = IdempotencyRecord.objects.create(
        user=other, key="1", fingerprint="x", leased_until=timezone.now(), status_code=200, response="{}"
    )
    body = {"paid_course": course.pk, "payment_method": "cash"}
    for number in range(8):
        buyer.post(URL, body, HTTP_IDEMPOTENCY_KEY=f"key-{number}")

    assert set(IdempotencyRecord.objects.exclude(pk=theirs.pk).values_list("key", flat=True)) == {
        "key-5", "key-6", "key-7",
    }  # fmt: skip
    assert replayed(buyer.post(URL, body, HTTP_IDEMPOTENCY_KEY="key-7")) == "true"
    assert IdempotencyRecord.objects.filter(pk=theirs.pk).exists()
