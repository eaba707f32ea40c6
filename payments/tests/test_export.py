"""The bookkeeper's file: GET /api/payments/export/."""

import csv
import io
from collections import defaultdict
from decimal import Decimal
from unittest import mock

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from materials.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from users.models import User
from users.services import anonymise_user

URL = "/api/payments/export/"
HEAD = [
    "date", "kind", "number", "receipt_number", "payment", "user", "email", "title", "paid_course", "paid_lesson",
    "payment_method", "amount", "currency", "status", "reference", "stripe_id",
]  # fmt: skip


@pytest.fixture
def client(client_for):
    return client_for("admin")


def lines(client, **params):
    """The lines of the file, each by its columns."""
    response = client.get(URL, params)
    assert response.status_code == 200, response.content
    head, *rows = csv.reader(io.StringIO(b"".join(response).decode("utf-8-sig"), newline=""))
    assert head == HEAD
    return [dict(zip(head, row, strict=True)) for row in rows]


def kinds(client, **params):
    return [(line["kind"], line["amount"]) for line in lines(client, **params)]


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("teacher", 403), ("moderator", 403), ("admin", 200)],
)
def test_who_may_read_it(client_for, who, status):
    response = client_for(who).get(URL)

    assert response.status_code == status
    assert response["Content-Type"] == ("text/csv; charset=utf-8" if status == 200 else "application/problem+json")


@pytest.mark.parametrize("params", [{}, {"format": "csv"}])
def test_the_file(client, params):
    response = client.get(URL, params, headers={"Accept": "text/csv"})

    assert response["Content-Disposition"] == 'attachment; filename="payments.csv"'
    assert b"".join(response) == b"\xef\xbb\xbf" + ",".join(HEAD).encode() + b"\r\n"


# --- Lines -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def payment(student, course):
    return PaymentFactory(
        user=student,
        paid_course=course,
        title="Python basics",
        amount="4990.00",
        payment_method="transfer",
        status="disputed",
        receipt_number="R-000007",
        reference="Statement 14",
        stripe_payment_intent_id="pi_1",
        payment_date="2026-03-31T21:30:00Z",  # the 1st of April in Moscow
    )


def test_the_lines(client, payment, student, course):
    refund = {"amount": "990.00", "credit_note_number": "C-000003", "stripe_refund_id": "re_1"}
    RefundFactory(payment=payment, accepted_at="2026-04-05T10:00:00Z", **refund)
    DisputeFactory(
        payment=payment, amount="4000.00", status="lost", closed_at="2026-05-02T10:00:00Z", stripe_dispute_id="dp_x"
    )

    bought = {
        "receipt_number": "R-000007",
        "payment": str(payment.pk),
        "user": str(student.pk),
        "email": "student@test.io",
        "title": "Python basics",
        "paid_course": str(course.pk),
        "paid_lesson": "",
        "payment_method": "transfer",
        "currency": "RUB",
        "reference": "Statement 14",
    }
    assert lines(client) == [
        {
            **bought,
            "date": "2026-04-01 00:30:00",
            "kind": "payment",
            "number": "R-000007",
            "amount": "4990.00",
            "status": "disputed",
            "stripe_id": "pi_1",
        },
        {
            **bought,
            "date": "2026-04-05 13:00:00",
            "kind": "refund",
            "number": "C-000003",
            "amount": "-990.00",
            "status": "succeeded",
            "stripe_id": "re_1",
        },
        {
            **bought,
            "date": "2026-05-02 13:00:00",
            "kind": "dispute",
            "number": "",
            "amount": "-4000.00",
            "status": "lost",
            "stripe_id": "dp_x",
        },
    ]


def test_only_money_that_moved(client, payment):
    for status in Payment.Status.values:
        PaymentFactory(status=status, title=status, amount="1.00", payment_date="2026-01-01T00:00:00Z")
    RefundFactory(payment=payment, status="pending", accepted_at=None, credit_note_number="")
    RefundFactory(payment=payment, status="failed", accepted_at=None, credit_note_number="")
    DisputeFactory(payment=payment, status="open")
    DisputeFactory(payment=payment, status="won", closed_at=timezone.now())

    found = lines(client)

    assert {line["title"] for line in found if line["amount"] == "1.00"} == {
        "succeeded", "partially_refunded", "refunded", "disputed",
    }  # fmt: skip
    assert [line["kind"] for line in found] == ["payment"] * 5


def test_a_refund_on_its_way_counts_and_one_that_came_back_keeps_its_number(client, payment):
    RefundFactory(payment=payment, status="pending", amount="1.00", accepted_at="2026-04-05T10:00:00Z")
    RefundFactory(
        payment=payment, status="failed", amount="2.00", accepted_at="2026-04-06T10:00:00Z", credit_note_number="C-9"
    )

    assert kinds(client)[1:] == [("refund", "-1.00"), ("refund", "0.00")]
    assert lines(client)[2]["number"] == "C-9"


def test_a_dispute_that_was_heard_of_after_its_end(client, payment):
    DisputeFactory(payment=payment, status="lost", amount="1.00")

    assert kinds(client)[1:] == [("dispute", "-1.00")]


def test_a_person_who_left(client, payment, student):
    anonymise_user(student)

    (line,) = lines(client)
    assert (line["user"], line["email"]) == (str(student.pk), "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "x;=1"])
def test_no_text_is_a_formula(client, payment, student, text):
    Payment.objects.update(title=text, reference=text)
    User.objects.filter(pk=student.pk).update(email=f"{text}@test.io")

    (line,) = lines(client)

    harmless, stripped = (each.replace("=1", "'=1") if ";" in each else f"'{each}" for each in (text, text.strip()))
    # An address is stored without the spaces around it.
    assert (line["title"], line["reference"], line["email"]) == (harmless, harmless, f"{stripped}@test.io")


# --- Dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["payment", "refund", "dispute"]),
        ({"date_from": "2026-04-01"}, ["payment", "refund", "dispute"]),
        ({"date_from": "2026-04-02"}, ["refund", "dispute"]),
        ({"date_to": "2026-03-31"}, []),
        ({"date_to": "2026-04-05"}, ["payment", "refund"]),
        ({"date_from": "2026-04-05T13:00", "date_to": "2026-04-05T10:00:00Z"}, ["refund"]),
        ({"date_from": "2026-04-05T13:00:01"}, ["dispute"]),
        ({"date_from": "2026-06-01", "date_to": "2026-05-01"}, []),
        ({"date_from": "", "date_to": ""}, ["payment", "refund", "dispute"]),
    ],
)
def test_each_line_has_its_own_date(client, payment, params, found):
    """Inclusive, in the project's time zone: a refund counts when it was accepted, whenever its payment was."""
    RefundFactory(payment=payment, accepted_at="2026-04-05T10:00:00Z")
    DisputeFactory(payment=payment, status="lost", closed_at="2026-05-02T10:00:00Z")

    assert [kind for kind, _amount in kinds(client, **params)] == found


@pytest.mark.parametrize(
    ("params", "attr"),
    [
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "2026-02-30"}, "date_to"),
        ({"date_to": "9999-12-31"}, "date_to"),
        ({"status": "succeeded"}, "status"),
        ({"format": "json"}, "format"),
        ({"format": "xlsx"}, "format"),
    ],
)
def test_what_is_refused(client, params, attr):
    answer = client.get(URL, params)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, attr)


# --- The whole -------------------------------------------------------------------------------------------------------


def every(client, path):
    found, page = [], f"{path}?page_size=100"
    while page:
        answer = client.get(page).json()
        found += answer["results"]
        page = answer["next"]
    return found


def test_it_adds_up_to_what_the_payments_say(client, teacher, django_assert_num_queries):
    """By currency: what came in, less what went back, less what disputes took."""
    course = CourseFactory(owner=teacher)
    lesson = LessonFactory(course=course)
    lost = defaultdict(Decimal)
    for number, (currency, status) in enumerate(
        (currency, status) for currency in ("RUB", "USD", "JPY") for status in Payment.Status.values
    ):
        item = {"paid_course": None, "paid_lesson": lesson} if number % 2 else {"paid_course": course}
        amount = Decimal(f"{number}10.00" if currency == "JPY" else f"{number}10.{number:02}")
        refunded = {"refunded": amount, "partially_refunded": Decimal("3.00")}.get(status, Decimal(0))
        payment = PaymentFactory(
            amount=amount, currency=currency, status=status, refunded_amount=refunded, user__password="", **item
        )
        if refunded:
            RefundFactory(payment=payment, amount=refunded - 1)
            RefundFactory(payment=payment, amount=1)
        if status == "disputed":
            DisputeFactory(payment=payment, amount=amount, status="lost", closed_at=timezone.now())
            lost[currency] += amount

    # 1. the caller, with their group; 2. the lines
    with django_assert_num_queries(2):
        found = lines(client)

    expected = {currency: -amount for currency, amount in lost.items()}
    for payment in every(client, "/api/payments/"):
        if payment["status"] in {"succeeded", "partially_refunded", "refunded", "disputed"}:
            expected[payment["currency"]] += Decimal(payment["amount"]) - Decimal(payment["refunded_amount"])
    added = defaultdict(Decimal)
    for line in found:
        added[line["currency"]] += Decimal(line["amount"])
    assert added == expected
    # a payment of each paid status, two refunds for each of two of them, a dispute
    assert len(found) == 3 * (4 + 4 + 1)
    assert [line["date"] for line in found] == sorted(line["date"] for line in found)


def test_the_rows_are_never_all_in_memory(client, course):
    """They come by a cursor: a queryset that is iterated over as it is fetches all of them first."""
    PaymentFactory.create_batch(3, paid_course=course, user__password="")
    response = client.get(URL)

    with mock.patch.object(QuerySet, "_fetch_all", side_effect=AssertionError):
        written = b"".join(response)

    assert written.count(b"\r\n") == 4
