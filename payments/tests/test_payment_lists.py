"""The histories: GET /api/payments/, /api/users/payments/, /api/users/{id}/payments/, and one payment."""

from datetime import UTC, datetime

import pytest

from common.ids import new_id
from materials.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.tests.factories import CouponFactory, PaymentFactory

URL = "/api/payments/"
MINE = "/api/users/payments/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ids(answer):
    assert answer.status_code == 200, answer.json()
    return [line["id"] for line in answer.json()["results"]]


def found(client, **params):
    """The ids that a list of all payments answers with, in any order."""
    return set(ids(client.get(URL, params)))


@pytest.fixture
def mine(student, course):
    return PaymentFactory(user=student, paid_course=course, amount="1000.00")


@pytest.fixture
def theirs(other, course):
    return PaymentFactory(user=other, paid_course=course, amount="500.00")


# --- A line ----------------------------------------------------------------------------------------------------------


def test_a_line(buyer, mine, student, course):
    Payment.objects.filter(pk=mine.pk).update(payment_date=moment("2026-03-31T20:30:00"))

    line = buyer.get(URL).json()["results"][0]

    created_at, updated_at = line.pop("created_at"), line.pop("updated_at")
    assert created_at.endswith("Z")
    assert updated_at.endswith("Z")
    assert line == {
        "id": str(mine.pk),
        "user": str(student.pk),
        "user_name": student.full_name,
        "user_email": student.email,
        "paid_course": str(course.pk),
        "paid_lesson": None,
        "course": str(course.pk),
        "course_title": course.title,
        "title": "Course",
        "amount": "1000.00",
        "currency": "RUB",
        "coupon": None,
        "discount": "0.00",
        "refunded_amount": "0.00",
        "payment_method": "card",
        "status": "succeeded",
        "payment_date": "2026-03-31T20:30:00Z",
        "payment_url": None,
        "receipt_number": "",
        "reference": "",
    }


@pytest.mark.parametrize(
    ("status", "shown"), [("pending", "http://pay.test/1"), ("expired", None), ("succeeded", None)]
)
def test_a_page_is_shown_as_long_as_it_can_be_paid_at(buyer, mine, status, shown):
    Payment.objects.filter(pk=mine.pk).update(status=status, payment_url="http://pay.test/1")

    assert buyer.get(URL).json()["results"][0]["payment_url"] == shown


def test_no_shared_cache_keeps_it(buyer, mine):
    assert "private" in buyer.get(URL).headers["Cache-Control"]


# --- Whose -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("student", {"mine"}),
        ("other", {"theirs"}),
        ("teacher", set()),
        ("moderator", {"mine", "theirs"}),
        ("admin", {"mine", "theirs"}),
    ],
)
def test_whose_payments_one_sees(client_for, mine, theirs, who, sees):
    pks = {"mine": str(mine.pk), "theirs": str(theirs.pk)}

    assert found(client_for(who)) == {pks[name] for name in sees}


@pytest.mark.parametrize("who", ["student", "other", "teacher", "moderator", "admin"])
def test_my_payments_are_mine_alone(client_for, request, mine, theirs, who):
    own = {"student": [str(mine.pk)], "other": [str(theirs.pk)]}.get(who, [])

    assert ids(client_for(who).get(MINE)) == own


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 200), ("other", 403), ("teacher", 403), ("moderator", 403), ("admin", 200)],
)
def test_who_sees_the_payments_of_a_person(client_for, student, mine, theirs, who, status):
    answer = client_for(who).get(f"/api/users/{student.pk}/payments/")

    assert answer.status_code == status
    if status == 200:
        assert ids(answer) == [str(mine.pk)]


@pytest.mark.parametrize("who", ["student", "moderator", "admin"])
def test_payments_of_nobody(client_for, who):
    answer = client_for(who).get(f"/api/users/{UNKNOWN}/payments/")

    assert answer.status_code == 404


def test_payments_of_someone_who_left(client_for, other, theirs):
    other.deactivate("deleted")

    assert client_for("student").get(f"/api/users/{other.pk}/payments/").status_code == 404


def test_an_admin_sees_payments_of_someone_who_left(client_for, other, theirs):
    other.deactivate("deleted")

    assert ids(client_for("admin").get(f"/api/users/{other.pk}/payments/")) == [str(theirs.pk)]


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 200), ("other", 404), ("teacher", 404), ("moderator", 200), ("admin", 200)],
)
def test_who_opens_a_payment(client_for, mine, who, status):
    answer = client_for(who).get(f"{URL}{mine.pk}/")

    assert answer.status_code == status
    if status == 200:
        assert answer.json()["id"] == str(mine.pk)


@pytest.mark.parametrize("path", [UNKNOWN, "one", "0", "%00", UNKNOWN + "0"])
def test_no_such_payment(client_for, path):
    assert client_for("admin").get(f"{URL}{path}/").status_code == 404


def test_upper_case_ids_are_accepted(buyer, mine):
    answer = buyer.get(f"{URL}{str(mine.pk).upper()}/")

    assert (answer.status_code, answer.json()["id"]) == (200, str(mine.pk))


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("who", ["student", "admin"])
def test_payments_are_not_written_by_hand(client_for, mine, who, method):
    answer = getattr(client_for(who), method)(f"{URL}{mine.pk}/", {"amount": "1.00", "status": "refunded"})

    mine.refresh_from_db()
    assert answer.status_code == 405
    assert (str(mine.amount), mine.status) == ("1000.00", "succeeded")


# --- Filters ---------------------------------------------------------------------------------------------------------


def test_by_course(client_for, admin, mine):
    PaymentFactory()

    assert found(client_for("admin"), paid_course=mine.paid_course_id) == {str(mine.pk)}


def test_by_lesson(client_for, mine, student, lesson_for_sale):
    lesson = PaymentFactory(user=student, paid_course=None, paid_lesson=lesson_for_sale)

    assert found(client_for("admin"), paid_lesson=lesson_for_sale.pk) == {str(lesson.pk)}


@pytest.mark.parametrize("method", ["cash", "CASH", "Cash"])
def test_by_method_in_any_case(client_for, mine, student, course, method):
    cash = PaymentFactory(user=student, paid_course=course, payment_method="cash")

    assert found(client_for("admin"), payment_method=method) == {str(cash.pk)}


@pytest.mark.parametrize("status", Payment.Status.values)
def test_by_status(client_for, course, status):
    payments = {value: PaymentFactory(paid_course=course, status=value) for value in Payment.Status.values}

    assert found(client_for("admin"), status=status) == {str(payments[status].pk)}


def test_by_user(client_for, mine, theirs, other):
    assert found(client_for("admin"), user=other.pk) == {str(theirs.pk)}


def test_a_filter_does_not_widen_what_one_sees(client_for, mine, theirs, other):
    assert found(client_for("student"), user=other.pk) == set()


def test_filters_go_together(client_for, mine, theirs, other, course):
    PaymentFactory(user=other, paid_course=course, payment_method="cash")

    assert found(client_for("admin"), user=other.pk, payment_method="card") == {str(theirs.pk)}


# Moscow is three hours ahead of UTC: the 31st of March begins at 21:00 of the 30th.
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"date_from": "2026-03-31"}, {"first", "last", "after"}),
        ({"date_to": "2026-03-31"}, {"before", "first", "last"}),
        ({"date_from": "2026-03-31", "date_to": "2026-03-31"}, {"first", "last"}),
        ({"date_from": "2026-04-01"}, {"after"}),
        ({"date_to": "2026-03-30"}, {"before"}),
        ({"date_from": "2026-03-31T23:59:59"}, {"last", "after"}),
        ({"date_from": "2026-03-31 23:59:59"}, {"last", "after"}),
        ({"date_from": "2026-04-01T00:00"}, {"after"}),
        ({"date_from": "2026-03-31T20:59:59Z"}, {"last", "after"}),
        ({"date_from": "2026-03-31T21:00:00Z"}, {"after"}),
        ({"date_to": "2026-03-31T00:00:00"}, {"before", "first"}),
        ({"date_to": "2026-03-30T21:00:00Z"}, {"before", "first"}),
        ({"date_to": "2026-03-31T02:00:00+05:00"}, {"before", "first"}),
        ({"date_from": "", "date_to": ""}, {"before", "first", "last", "after"}),
    ],
)
def test_by_date_inclusive_in_the_projects_time_zone(client_for, course, params, expected):
    moments = {
        "before": "2026-03-30T20:59:59",
        "first": "2026-03-30T21:00:00",
        "last": "2026-03-31T20:59:59",
        "after": "2026-03-31T21:00:00",
    }
    pks = {
        str(PaymentFactory(paid_course=course, payment_date=moment(text)).pk): name for name, text in moments.items()
    }

    answer = found(client_for("admin"), **params)

    assert {pks[pk] for pk in answer} == expected


@pytest.mark.parametrize("name", ["date_from", "date_to"])
@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-03-31T25:00",
        "2026-03-31T10:00:00+99:00",
        "0001-01-01",
        "9999-12-31",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31",
        "3000-01-01",
        "-1",
        "0",
        "99999999999999999999",
        "2026-03-31\x00",
        "２０２６-03-31T99:00",
        "🙂",
    ],
)
def test_bad_dates(client_for, name, value):
    answer = client_for("admin").get(URL, {name: value})

    assert answer.status_code == 400, answer.json()
    assert answer.json()["errors"][0]["attr"] == name


@pytest.mark.parametrize(
    ("params", "attr"),
    [
        ({"paid_course": "one"}, "paid_course"),
        ({"paid_lesson": "one"}, "paid_lesson"),
        ({"user": "\x00"}, "user"),
        ({"payment_method": "bitcoin"}, "payment_method"),
        ({"payment_method": "\x00"}, "payment_method"),
        ({"status": "done"}, "status"),
        ({"status": "SUCCEEDED"}, "status"),
        ({"amount": "1000.00"}, "amount"),
        ({"ordering": "user"}, "ordering"),
        ({"ordering": "payment_date,user__password"}, "ordering"),
        ({"ordering": "--amount"}, "ordering"),
        ({"ordering": "?"}, "ordering"),
        ({"page": "0"}, "page"),
        ({"page": "x"}, "page"),
        ({"page_size": "-1"}, "page_size"),
    ],
)
@pytest.mark.parametrize("url", [URL, MINE])
def test_unknown_filters_and_values(client_for, url, params, attr):
    answer = client_for("admin").get(url, params)

    assert answer.status_code == 400, answer.json()
    assert answer.json()["errors"][0]["attr"] == attr


# --- Order and pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        (None, ["new", "middle", "old"]),
        ("", ["new", "middle", "old"]),
        ("payment_date", ["old", "middle", "new"]),
        ("-payment_date", ["new", "middle", "old"]),
        ("amount", ["middle", "old", "new"]),
        ("-amount", ["new", "old", "middle"]),
        ("amount,-payment_date", ["middle", "old", "new"]),
    ],
)
@pytest.mark.parametrize("url", [URL, MINE])
def test_order(buyer, student, course, url, ordering, expected):
    rows = {"old": ("2026-01-01T00:00", 20), "middle": ("2026-02-01T00:00", 10), "new": ("2026-03-01T00:00", 30)}
    names = {
        str(PaymentFactory(user=student, paid_course=course, payment_date=moment(at), amount=amount).pk): name
        for name, (at, amount) in rows.items()
    }

    answer = buyer.get(url, {} if ordering is None else {"ordering": ordering})

    assert [names[pk] for pk in ids(answer)] == expected


def test_pages(buyer, student, course):
    at = moment("2026-01-01T00:00")
    pks = {str(PaymentFactory(user=student, paid_course=course, payment_date=at).pk) for _ in range(5)}

    pages = [buyer.get(URL, {"page_size": 2, "page": number}).json() for number in (1, 2, 3)]

    assert [page["count"] for page in pages] == [5, 5, 5]
    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert {line["id"] for page in pages for line in page["results"]} == pks
    assert pages[0]["previous"] is None
    assert pages[2]["next"] is None
    assert buyer.get(pages[0]["next"]).json() == pages[1]


def test_a_page_that_is_not_there(buyer, mine):
    assert buyer.get(URL, {"page": 2}).status_code == 404


def test_nobody_has_paid(buyer, student):
    assert buyer.get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize(
    ("who", "url"),
    [("student", URL), ("admin", URL), ("student", MINE), ("student", "/api/users/{student}/payments/")],
)
def test_queries_do_not_grow(client_for, student, teacher, django_assert_num_queries, who, url, rows):
    coupon = CouponFactory()
    sold = {"user": student, "title": "x", "amount": 1, "currency": "RUB", "coupon": coupon}
    lessons = [LessonFactory(course=CourseFactory(owner=teacher)) for _ in range(rows)]
    things = [{"paid_lesson": one} if place % 2 else {"paid_course": one.course} for place, one in enumerate(lessons)]
    Payment.objects.bulk_create(Payment(id=new_id(), status="succeeded", **sold, **thing) for thing in things)
    client = client_for(who)
    # 1. the caller, with their group; 2. the page with its count; of a person: 3. whose payments they are
    with django_assert_num_queries(3 if "{" in url else 2):
        answer = client.get(url.format(student=student.pk), {"page_size": 100})

    assert len(answer.json()["results"]) == rows
    assert answer.json()["results"][0]["coupon"] == coupon.code


def test_queries_of_one_payment(buyer, mine, django_assert_num_queries):
    # 1. the caller; 2. the payment; 3. its refunds; 4. requests for one
    with django_assert_num_queries(4):
        answer = buyer.get(f"{URL}{mine.pk}/")

    assert answer.status_code == 200
