"""Receipts and credit notes: GET /api/payments/{id}/receipt/ and …/refunds/{id}/credit-note/."""

import re
from decimal import Decimal
from unittest import mock

import pytest
import time_machine
from django.utils import timezone

from common.money import format_money
from common.testing.databases import on_postgresql
from common.testing.pdfs import lines_of
from common.testing.threads import at_once
from payments import papers
from payments.models import Coupon, NumberSeries, Payment, Refund
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from payments.tests.helpers import pay
from users.models import User
from users.services import anonymise_user

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
PAID = ("succeeded", "partially_refunded", "refunded", "disputed")


def receipt_url(payment):
    return f"/api/payments/{payment.pk}/receipt/"


def note_url(refund, payment=None):
    return f"/api/payments/{(payment or refund.payment).pk}/refunds/{refund.pk}/credit-note/"


def pdf(client, url):
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.content


def read(client, url):
    return lines_of(pdf(client, url))


@pytest.fixture
def payment(student, course):
    """Of a person who reads English, by bank transfer."""
    User.objects.filter(pk=student.pk).update(language="en", first_name="Ilya", last_name="Morozov")
    return PaymentFactory(
        user=student,
        paid_course=course,
        title="Python basics",
        amount="4990.00",
        payment_method="transfer",
        reference="Statement 14",
        receipt_number="R-000007",
        payment_date="2026-03-31T21:30:00Z",  # the 1st of April in Moscow
    )


@pytest.fixture
def refund(payment):
    return RefundFactory(
        payment=payment, amount="990.00", credit_note_number="C-000003", accepted_at="2026-04-05T10:00:00Z"
    )


# --- Who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 200), ("other", 404), ("teacher", 404), ("moderator", 200), ("admin", 200)],
)
def test_who_may_read_them(client_for, refund, who, status):
    client = client_for(who)

    answers = [client.get(url) for url in (receipt_url(refund.payment), note_url(refund))]

    assert [answer.status_code for answer in answers] == [status, status]
    assert {answer["Content-Type"] for answer in answers} == {
        "application/pdf" if status == 200 else "application/problem+json"
    }


def test_under_which_name_they_are_kept(buyer, refund):
    names = [buyer.get(url)["Content-Disposition"] for url in (receipt_url(refund.payment), note_url(refund))]

    assert names == ['inline; filename="R-000007.pdf"', 'inline; filename="C-000003.pdf"']


# --- For what --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Payment.Status.values)
def test_what_has_a_receipt(buyer, student, course, status):
    payment = PaymentFactory(user=student, paid_course=course, status=status)

    answer = buyer.get(receipt_url(payment))

    payment.refresh_from_db()
    if status in PAID:
        assert (answer.status_code, payment.receipt_number) == (200, "R-000001")
    else:
        assert (answer.status_code, answer.json()["code"], payment.receipt_number) == (409, "no_receipt", "")
        assert not NumberSeries.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 200),
        ({"status": "pending"}, 200),
        ({"status": "pending", "accepted_at": None, "credit_note_number": ""}, 409),
        ({"status": "failed"}, 409),
        ({"status": "canceled"}, 409),
    ],
)
def test_what_has_a_credit_note(buyer, refund, fields, code):
    Refund.objects.filter(pk=refund.pk).update(**fields)

    answer = buyer.get(note_url(refund))

    assert answer.status_code == code
    if code == 409:
        assert answer.json()["code"] == "no_credit_note"


def test_a_refund_of_another_payment(buyer, student, refund):
    other = PaymentFactory(user=student)

    assert buyer.get(note_url(refund, other)).status_code == 404
    assert buyer.get(note_url(refund).replace(str(refund.pk), UNKNOWN)).status_code == 404


# --- Numbers ---------------------------------------------------------------------------------------------------------


def test_what_was_paid_has_its_number_from_then_on(buyer, pending):
    pay(pending.payment_url)
    buyer.get(f"/api/payments/{pending.pk}/status/")
    pending.refresh_from_db()

    assert pending.receipt_number == "R-000001"
    assert "Квитанция № R-000001" in read(buyer, receipt_url(pending))
    assert NumberSeries.objects.get().last == 1


def test_what_has_none_gets_one_once(buyer, student, refund):
    old = PaymentFactory(user=student, status="refunded")
    old_refund = RefundFactory(payment=old, credit_note_number="")

    for _ in range(2):
        read(buyer, note_url(old_refund))
        read(buyer, receipt_url(old))

    old.refresh_from_db()
    old_refund.refresh_from_db()
    assert (old.receipt_number, old_refund.credit_note_number) == ("R-000001", "C-000001")
    assert dict(NumberSeries.objects.values_list("name", "last")) == {"R": 1, "C": 1}


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_at_once_draw_one(sign_in_as, student, course):
    """The payment's lock, and that the number is looked for again under it."""
    payment = PaymentFactory(user=student, paid_course=course)
    refund = RefundFactory(payment=payment, credit_note_number="")
    clients = [sign_in_as(student) for _ in range(8)]
    urls = [receipt_url(payment), note_url(refund)] * 4

    answers = at_once(8, lambda number: clients[number].get(urls[number]))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 2
    assert dict(NumberSeries.objects.values_list("name", "last")) == {"R": 1, "C": 1}


# --- What they read --------------------------------------------------------------------------------------------------


def test_a_receipt(buyer, payment, settings):
    settings.SELLER_NAME, settings.SELLER_DETAILS = "School Ltd", "Tax number 7700\nMoscow"
    payment.coupon = Coupon.objects.create(code="SPRING", percent=10)
    payment.discount = Decimal("10.00")
    payment.save()

    assert read(buyer, receipt_url(payment)) == [
        "School Ltd",
        "Tax number 7700",
        "Moscow",
        "Receipt No. R-000007",
        "April 1, 2026",
        "Seller",
        "School Ltd",
        "Buyer",
        "Ilya Morozov, student@test.io",
        "Payment method",
        "Bank transfer",
        "Reference",
        "Statement 14",
        "Online course",
        "Python basics",
        "5,000.00 RUB",
        "Price",
        "−10.00 RUB",
        "Discount SPRING",
        "4,990.00 RUB",
        "Paid",
        f"Payment {payment.pk}",
    ]


def test_what_became_of_it(buyer, refund):
    payment = refund.payment
    RefundFactory(payment=payment, amount="1000.00", accepted_at="2026-05-01T09:00:00Z", credit_note_number="C-000009")
    RefundFactory(payment=payment, amount="500.00", status="failed")
    DisputeFactory(payment=payment, amount="1.00", status="lost", closed_at="2026-06-01T09:00:00Z")
    DisputeFactory(payment=payment, status="won", closed_at=timezone.now())

    lines = read(buyer, receipt_url(payment))

    start = lines.index("Refunds") + 1
    assert lines[start:-1] == [
        "−990.00 RUB",
        "April 5, 2026 · C-000003",
        "−1,000.00 RUB",
        "May 1, 2026 · C-000009",
        "−1.00 RUB",
        "June 1, 2026 · taken back by the bank",
        "2,999.00 RUB",
        "Remains paid",
    ]


def test_a_credit_note(buyer, refund):
    refund.reason = "duplicate"
    refund.save()

    lines = read(buyer, note_url(refund))

    assert lines[:2] == ["Lyceum", "Credit note No. C-000003"]
    assert {"April 5, 2026", "No. R-000007 of April 1, 2026", "Duplicate", "Python basics"} <= set(lines)
    assert lines[lines.index("990.00 RUB") + 1] == "Given back"


def test_in_the_buyers_language(client_for, refund, student):
    """Whoever reads it."""
    User.objects.filter(pk=student.pk).update(language="ru")
    first, second = client_for("student"), client_for("admin")
    second.credentials(**second._credentials, HTTP_ACCEPT_LANGUAGE="en")

    for url in (receipt_url(refund.payment), note_url(refund)):
        assert pdf(first, url) == pdf(second, url)
        assert {"Покупатель", "4 990,00 RUB"} <= set(read(first, url))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("500", "JPY", "500\xa0JPY"),
        ("10.5", "EUR", "10.50\xa0EUR"),
        ("5", "ISK", "5\xa0ISK"),
        ("1.5", "KWD", "1.500\xa0KWD"),
    ],
)
def test_with_the_decimals_of_the_currency(amount, currency, text):
    assert format_money(Decimal(amount), currency) == text


def test_of_somebody_who_left(client_for, refund, student):
    anonymise_user(student)
    client = client_for("admin")

    for url in (receipt_url(refund.payment), note_url(refund)):
        text = "".join(read(client, url))
        assert "Покупатель" not in text
        assert "deleted" not in text


def test_the_same_each_time(buyer, refund):
    for url in (receipt_url(refund.payment), note_url(refund)):
        with time_machine.travel(timezone.now() + timezone.timedelta(minutes=2)):
            later = pdf(buyer, url)
        assert pdf(buyer, url) == later


# --- One page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Щ" * 100, "W" * 100, "слово " * 16])
def test_no_letter_is_lost_and_nothing_leaves_the_page(buyer, refund, student, settings, word):
    settings.SELLER_DETAILS = word * 20
    word = word.strip()
    User.objects.filter(pk=student.pk).update(first_name=word, last_name=word)
    payment = refund.payment
    payment.title, payment.reference = word + word, word
    payment.save()
    RefundFactory.create_batch(20, payment=payment, amount="10.00")

    with mock.patch.object(papers.Sheet, "content", autospec=True, side_effect=papers.Sheet.content) as drawn:
        document = pdf(buyer, receipt_url(payment))

    (sheet,) = drawn.call_args.args
    assert sheet.y > papers.BOTTOM
    text = "".join(lines_of(document)).replace(" ", "")
    # 20 times in the seller's details, twice in the buyer's name, once in the reference, twice in the title
    assert text.count(word.replace(" ", "")) == 25
    assert [part for part in ("Others:9", "−90.00RUB", "3,800.00RUB") if part not in text] == []
    assert len(re.findall(rb"/Type /Page\s", document)) == 1


def test_queries(buyer, refund, django_assert_num_queries):
    RefundFactory.create_batch(3, payment=refund.payment)
    # 1. the caller; 2. the payment with its buyer and coupon; 3. its refunds; 4. its disputes
    with django_assert_num_queries(4):
        pdf(buyer, receipt_url(refund.payment))
    # 1. the caller; 2. the payment; 3. the refund with them
    with django_assert_num_queries(3):
        pdf(buyer, note_url(refund))
