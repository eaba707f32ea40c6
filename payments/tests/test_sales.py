"""What courses bring in: GET /api/payments/sales/."""

from decimal import Decimal

import pytest

from common.ids import new_id
from materials.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory

URL = "/api/payments/sales/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


@pytest.fixture
def client(client_for):
    return client_for("teacher")


def sales(client, **params):
    answer = client.get(URL, params)
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def short(client, **params):
    """(month, payments, gross, refunded, net) of each line."""
    return [
        (line["month"], line["payments"], line["gross"], line["refunded"], line["net"])
        for line in sales(client, **params)
    ]


def sold(course, amount, at, **fields):
    return PaymentFactory(paid_course=course, amount=amount, payment_date=at, user__password="", **fields)


# --- Whose -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("teacher", {"Python basics"}),
        ("other", {"Others'"}),
        ("admin", {"Python basics", "Others'"}),
    ],
)
def test_whose_sales_one_sees(client_for, course, other, who, seen):
    PaymentFactory(paid_course=course)
    PaymentFactory(paid_course=CourseFactory(owner=other, title="Others'"))

    assert {line["title"] for line in sales(client_for(who))} == seen


def test_a_moderator_who_teaches(client_for, moderator, course):
    PaymentFactory(paid_course=course)
    PaymentFactory(paid_course=CourseFactory(owner=moderator, title="Mine"))

    assert [line["title"] for line in sales(client_for("moderator"))] == ["Mine"]


def test_nobody_else(client_for):
    assert client_for("anonymous").get(URL).status_code == 401


def test_nothing_was_sold(client, course):
    assert client.get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


# --- Lines -----------------------------------------------------------------------------------------------------------


def test_a_line(client, course):
    sold(course, "1000.00", "2026-11-02T10:00:00Z")
    payment = sold(course, "0.10", "2026-11-05T10:00:00Z", status="partially_refunded")
    RefundFactory(payment=payment, amount="0.03", accepted_at="2026-11-06T10:00:00Z")

    assert sales(client) == [
        {
            "course": str(course.pk),
            "title": "Python basics",
            "month": "2026-11",
            "currency": "RUB",
            "payments": 2,
            "gross": "1000.10",
            "refunded": "0.03",
            "net": "1000.07",
        }
    ]


@pytest.mark.parametrize("status", Payment.Status.values)
def test_what_counts_as_sold(client, course, status):
    sold(course, "10.00", "2026-11-02T10:00:00Z", status=status)

    assert bool(sales(client)) is (status in {"succeeded", "partially_refunded", "refunded", "disputed"})


def test_a_refund_counts_in_its_own_month(client, course):
    payment = sold(course, "1000.00", "2026-09-30T10:00:00Z", status="refunded")
    RefundFactory(payment=payment, amount="400.00", accepted_at="2026-10-15T10:00:00Z")
    RefundFactory(payment=payment, amount="600.00", status="pending", accepted_at="2026-11-15T10:00:00Z")
    RefundFactory(payment=payment, amount="5.00", status="failed", accepted_at="2026-11-15T10:00:00Z")
    RefundFactory(payment=payment, amount="6.00", status="pending", accepted_at=None, credit_note_number="")

    assert short(client) == [
        ("2026-11", 0, "0.00", "600.00", "-600.00"),
        ("2026-10", 0, "0.00", "400.00", "-400.00"),
        ("2026-09", 1, "1000.00", "0.00", "1000.00"),
    ]


def test_a_lost_dispute_counts_in_the_month_when_it_was_closed(client, course):
    payment = sold(course, "1000.00", "2026-09-30T10:00:00Z", status="disputed")
    DisputeFactory(payment=payment, status="lost", closed_at="2026-10-15T10:00:00Z")
    DisputeFactory(payment=payment, status="open")
    DisputeFactory(payment=payment, status="won", closed_at="2026-11-15T10:00:00Z")

    assert short(client) == [
        ("2026-10", 0, "0.00", "1000.00", "-1000.00"),
        ("2026-09", 1, "1000.00", "0.00", "1000.00"),
    ]


def test_lessons_count_under_their_course(client, course):
    lesson = LessonFactory(course=course, order=10)
    bought = sold(None, "150.00", "2026-11-02T10:00:00Z", paid_lesson=lesson, status="disputed")
    RefundFactory(payment=bought, amount="50.00", accepted_at="2026-11-03T10:00:00Z")
    DisputeFactory(payment=bought, amount="20.00", status="lost", closed_at="2026-11-04T10:00:00Z")
    sold(course, "1000.00", "2026-11-05T10:00:00Z")

    assert short(client) == [("2026-11", 2, "1150.00", "70.00", "1080.00")]


def test_months_are_those_of_the_projects_time_zone(client, course):
    """Moscow is three hours ahead of UTC: November ends there at 21:00."""
    for at in ("2026-11-30T20:59:59Z", "2026-11-30T21:00:00Z", "2026-12-31T20:59:59Z"):
        sold(course, "1.00", at)

    assert [(line[0], line[1]) for line in short(client)] == [("2026-12", 2), ("2026-11", 1)]


def test_currencies_stay_apart(client, course):
    for currency, amount in (("USD", "10.00"), ("RUB", "1000.00"), ("USD", "0.50")):
        sold(course, amount, "2026-11-02T10:00:00Z", currency=currency)

    assert [(line["currency"], line["gross"]) for line in sales(client)] == [("RUB", "1000.00"), ("USD", "10.50")]


def test_cents_add_up(client, course):
    Payment.objects.bulk_create(
        Payment(
            id=new_id(), user=course.owner, paid_course=course, title="x", amount=Decimal("0.10"), currency="RUB",
            status="succeeded", payment_date="2026-11-02T10:00:00Z",
        )
        for _ in range(999)
    )  # fmt: skip
    sold(course, "99999999.99", "2026-11-02T10:00:00Z")

    assert short(client) == [("2026-11", 1000, "100000099.89", "0.00", "100000099.89")]


# --- Filters, order, pages -------------------------------------------------------------------------------------------


@pytest.fixture
def three(course, teacher):
    """Three months of the course, and one of another of the same teacher's."""
    for month in (9, 10, 11):
        sold(course, "10.00", f"2026-{month:02}-15T10:00:00Z")
    early = CourseFactory(owner=teacher, title="A course")
    sold(early, "20.00", "2026-10-15T10:00:00Z")
    return early


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "11P 10A 10P 09P"),
        ({"ordering": "-month"}, "11P 10A 10P 09P"),
        ({"ordering": "month"}, "09P 10A 10P 11P"),
        ({"date_from": "2026-10-15"}, "11P 10A 10P"),
        ({"date_from": "2026-10-16"}, "11P"),
        ({"date_to": "2026-10-15T13:00"}, "10A 10P 09P"),
        ({"date_to": "2026-10-15T12:59"}, "09P"),
        ({"date_from": "2026-10-01", "date_to": "2026-10-31", "ordering": "month"}, "10A 10P"),
        ({"page_size": 3}, "11P 10A 10P"),
        ({"page_size": 3, "page": 2}, "09P"),
    ],
)
def test_limits_and_order(client, three, params, expected):
    """Within a month by title, whichever way the months go."""
    assert " ".join(line["month"][-2:] + line["title"][0] for line in sales(client, **params)) == expected


def test_by_course(client, three, other):
    foreign = sold(CourseFactory(owner=other), "10.00", "2026-10-15T10:00:00Z").paid_course

    assert [line["title"] for line in sales(client, course=three.pk)] == ["A course"]
    assert sales(client, course=foreign.pk) == sales(client, course=UNKNOWN) == []


def test_pages(client, three):
    first = client.get(URL, {"page_size": 3}).json()

    assert (first["count"], first["previous"]) == (4, None)
    assert client.get(first["next"]).json()["next"] is None
    assert client.get(URL, {"page": 3}).status_code == 404


@pytest.mark.parametrize(
    ("params", "attr"),
    [
        ({"date_from": "2026-11"}, "date_from"),
        ({"date_to": "x"}, "date_to"),
        ({"course": "one"}, "course"),
        ({"month": "2026-11"}, "month"),
        ({"ordering": "net"}, "ordering"),
        ({"page": "x"}, "page"),
    ],
)
def test_what_is_refused(client, params, attr):
    answer = client.get(URL, params)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, attr)


@pytest.mark.parametrize("courses", [1, 20])
@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_queries_do_not_grow(client_for, teacher, django_assert_num_queries, who, courses):
    for number in range(courses):
        payment = sold(CourseFactory(owner=teacher, title=f"{number}"), "10.00", "2026-10-15T10:00:00Z")
        RefundFactory(payment=payment, amount="1.00", accepted_at="2026-10-16T10:00:00Z")
    client = client_for(who)
    # 1. the caller, with their group; 2. everything that was sold and given back
    with django_assert_num_queries(2):
        assert len(sales(client)) == courses
