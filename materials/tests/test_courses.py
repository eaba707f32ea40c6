"""POST /api/courses/ and one course: who makes which, what its fields take, and how it goes."""

import io
import json
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from common.ids import new_id
from materials.models import Course, CourseUpdate, Lesson
from materials.tests.factories import CategoryFactory, CourseFactory, EnrollmentFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory

URL = "/api/courses/"
LINK = "https://evil.example.com/a"


def one(course):
    return f"{URL}{course.pk}/"


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def picture(size=(3, 2), kind="PNG"):
    written = io.BytesIO()
    Image.new("RGB", size, "red").save(written, kind)
    return written.getvalue()


# --- Making one ------------------------------------------------------------------------------------------------------


def test_a_course_with_everything(client_for, teacher):
    CategoryFactory(slug="python", title="Python")
    body = {
        "title": "Python",
        "description": "From the start",
        "category": "python",
        "level": "advanced",
        "language": "en",
        "price": "4900.50",
        "currency": "usd",
        "status": "draft",
        "certificate_enabled": False,
        "completion": "final_quiz",
        "sequential": True,
        "access_days": 30,
    }

    answer = client_for("teacher").post(URL, body)

    assert answer.status_code == 201, answer.json()
    course = answer.json()
    assert {name: course[name] for name in body} == {**body, "currency": "USD", "category": course["category"]}
    assert course["category"]["slug"] == "python"
    assert course["owner"]["id"] == str(teacher.pk)


def test_a_title_is_enough(client_for, teacher):
    course = client_for("teacher").post(URL, {"title": "Python"}).json()

    kept = ("price", "currency", "status", "level", "language", "certificate_enabled", "sequential", "access_days")
    assert [course[name] for name in kept] == ["0.00", "RUB", "published", "beginner", "ru", True, False, None]
    assert (course["lessons"], course["lesson_count"], course["is_enrolled"]) == ([], 0, False)
    assert client_for("teacher").get(f"{URL}{course['id']}/").json() == course


def test_what_is_made_is_found(client_for, api, teacher):
    client_for("teacher").post(URL, {"title": "Основы Python"})

    assert api.get(URL, {"search": "основа"}).json()["count"] == 1


def test_a_student_shares_for_free_and_without_a_certificate(client_for, student):
    answer = client_for("student").post(URL, {"title": "Notes"})

    assert answer.status_code == 201
    course = Course.objects.get()
    assert (course.owner, course.price, course.certificate_enabled) == (student, 0, False)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"price": "100.00"}, ("price", "free_only")),
        ({"certificate_enabled": True}, ("certificate_enabled", "no_certificate")),
    ],
)
def test_what_a_student_may_not_make(client_for, body, error):
    answer = client_for("student").post(URL, {"title": "Notes", **body})

    assert codes(answer) == {error}
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"price": "100.00"}, ("price", "free_only")),
        ({"certificate_enabled": True}, ("certificate_enabled", "no_certificate")),
    ],
)
@pytest.mark.parametrize("who", ["student", "admin", "moderator"])
def test_nobody_puts_them_on_a_students_course_later(client_for, student, who, body, error):
    course = CourseFactory(owner=student, certificate_enabled=False)

    assert codes(client_for(who).patch(one(course), body)) == {error}
    course.refresh_from_db()
    assert (course.price, course.certificate_enabled) == (0, False)


def test_a_moderator_makes_none(client_for):
    answer = client_for("moderator").post(URL, {"title": "New"})

    assert answer.status_code == 403
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("student", 403), ("teacher", 201), ("moderator", 403), ("admin", 201)]
)
def test_the_roles_that_make_courses_can_be_set(client_for, settings, db, who, status):
    settings.COURSE_AUTHOR_ROLES = ["teacher"]

    answer = client_for(who).post(URL, {"title": "New"})

    assert answer.status_code == status
    assert Course.objects.exists() is (status == 201)


# --- Prices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "currency"),
    [("0", "RUB"), ("0.00", "JPY"), ("500", "JPY"), ("500.00", "JPY"), ("0.50", "USD"), ("999999.99", "RUB")],
)
def test_prices_that_stand(client_for, price, currency):
    answer = client_for("teacher").post(URL, {"title": "New", "price": price, "currency": currency})

    assert answer.status_code == 201, answer.json()
    assert answer.json()["price"] == f"{Decimal(price):.2f}"


@pytest.mark.parametrize(
    ("price", "currency", "error"),
    [
        ("500.50", "JPY", ("price", "not_in_currency")),
        ("100", "XXX", ("currency", "unknown_currency")),
        ("0", "XXX", ("currency", "unknown_currency")),
        ("0.10", "USD", ("price", "below_minimum")),
        ("49", "JPY", ("price", "below_minimum")),
        ("-1", "RUB", ("price", "min_value")),
        ("-0.01", "RUB", ("price", "min_value")),
        ("NaN", "RUB", ("price", "invalid")),
        ("Infinity", "RUB", ("price", "invalid")),
        ("-Infinity", "RUB", ("price", "invalid")),
        ("1e999", "RUB", ("price", "max_digits")),
        ("1.001", "RUB", ("price", "max_decimal_places")),
        ("100000000.00", "RUB", ("price", "max_digits")),
        ("100", "RUBLES", ("currency", "max_length")),
        ("100", "", ("currency", "blank")),
    ],
)
def test_prices_that_are_refused(client_for, price, currency, error):
    answer = client_for("teacher").post(URL, {"title": "New", "price": price, "currency": currency})

    assert error in codes(answer)
    assert not Course.objects.exists()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none_in_json(client_for, number):
    body = f'{{"title": "New", "price": {number}}}'

    answer = client_for("teacher").post(URL, body, content_type="application/json")

    assert answer.status_code == 400
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"currency": "JPY"}, ("price", "not_in_currency")),
        ({"price": "0.10", "currency": "USD"}, ("price", "below_minimum")),
        ({"price": "0.00", "currency": "JPY"}, ("currency", "not_in_currency")),
    ],
)
def test_a_change_has_to_fit_what_stands(client_for, course, body, error):
    Course.objects.update(price="1000.50")
    Lesson.objects.filter(order=2).update(price="9.50")

    assert codes(client_for("teacher").patch(one(course), body)) == {error}
    course.refresh_from_db()
    assert (course.price, course.currency) == (Decimal("1000.50"), "RUB")


# --- Text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["title", "description"])
def test_a_foreign_link_is_refused_and_named(client_for, db, name):
    answer = client_for("teacher").post(URL, {"title": "New", name: f"See {LINK}."})

    assert codes(answer) == {(name, "foreign_link")}
    assert LINK in answer.json()["errors"][0]["detail"]
    assert not Course.objects.exists()


@pytest.mark.parametrize("name", ["title", "description"])
def test_a_foreign_link_is_refused_in_a_change(client_for, course, name):
    answer = client_for("teacher").patch(one(course), {name: f"See {LINK}"})

    assert codes(answer) == {(name, "foreign_link")}
    course.refresh_from_db()
    assert LINK not in course.title + course.description


def test_a_link_to_youtube_stands(client_for, db):
    text = "See https://youtu.be/dQw4w9WgXcQ"

    assert client_for("teacher").post(URL, {"title": "New", "description": text}).json()["description"] == text


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("title", "", "blank"),
        ("title", "   ", "blank"),
        ("title", None, "null"),
        ("title", "x" * 201, "max_length"),
        ("title", "a\x00b", "null_characters_not_allowed"),
        ("description", "x" * 10_001, "max_length"),
        ("level", "expert", "invalid_choice"),
        ("language", "de", "invalid_choice"),
        ("status", "deleted", "invalid_choice"),
        ("category", "unknown", "does_not_exist"),
        ("category", "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "does_not_exist"),
        ("access_days", 0, "min_value"),
        ("access_days", 36_501, "max_value"),
        ("access_days", 10**30, "invalid"),
        ("preview", "https://youtu.be/dQw4w9WgXcQ", "invalid"),
    ],
    ids=lambda value: str(value)[:12] if len(str(value)) < 30 else "long",
)
def test_values_that_are_refused(client_for, course, name, value, code):
    before = Course.objects.values().get()

    answer = client_for("teacher").patch(one(course), {name: value})

    assert codes(answer) == {(name, code)}
    assert Course.objects.values().get() == before


def test_a_course_without_a_title(client_for, db):
    assert codes(client_for("teacher").post(URL, {})) == {("title", "required")}


WRITABLE = [
    "title",
    "description",
    "preview",
    "category",
    "level",
    "language",
    "price",
    "currency",
    "status",
    "certificate_enabled",
    "completion",
    "sequential",
    "access_days",
]
ODD = [None, True, 0, -1, 1.5, 10**400, "", "\ud800", "\x00", [], [[]], {}, {"a": {"b": []}}, ["x"], "x" * 20_000]


@pytest.mark.parametrize("name", WRITABLE)
def test_wrong_types_are_never_a_5xx(client_for, course, name):
    client = client_for("teacher")
    statuses = set()

    for value in ODD:
        body = json.dumps({"title": "New", name: value})
        statuses.add(client.post(URL, body, content_type="application/json").status_code)
        statuses.add(client.patch(one(course), body, content_type="application/json").status_code)

    assert statuses <= {200, 201, 400}


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", "", '{"title": "\\ud800"}', "[" * 5000])
def test_wrong_bodies_are_never_a_5xx(client_for, db, body):
    answer = client_for("teacher").post(URL, body, content_type="application/json")

    assert answer.status_code == 400
    assert not Course.objects.exists()


# --- What is not the client's to say ---------------------------------------------------------------------------------


@pytest.fixture
def forced(other):
    return {
        "id": str(new_id()),
        "owner": str(other.pk),
        "owner_id": str(other.pk),
        "rating_average": "5.00",
        "rating_count": 9,
        "enrollment_count": 9,
        "lesson_count": 9,
        "published_at": "2020-01-01T00:00:00Z",
        "created_at": "2020-01-01T00:00:00Z",
        "announced_at": "2020-01-01T00:00:00Z",
        "is_subscribed": "true",
        "is_enrolled": "true",
        "is_staff": "true",
    }


FORCED_COLUMNS = ("owner", "rating_average", "rating_count", "enrollment_count", "lesson_count", "announced_at")


@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_fields_that_nobody_sets_on_a_new_course(client_for, teacher, forced, kind):
    answer = client_for("teacher").post(URL, {**forced, "title": "New", "status": "draft"}, format=kind)

    assert answer.status_code == 201, answer.json()
    assert list(Course.objects.values_list(*FORCED_COLUMNS)) == [(teacher.pk, 0, 0, 0, 0, None)]
    course = Course.objects.get()
    assert str(course.pk) != forced["id"]
    assert course.published_at is None
    assert course.created_at.year > 2020
    assert (answer.json()["is_subscribed"], answer.json()["is_enrolled"]) == (False, False)


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_fields_that_nobody_changes(client_for, course, teacher, forced, kind, method):
    Course.objects.update(lesson_count=3, status="draft")

    answer = getattr(client_for("teacher"), method)(one(course), {**forced, "title": "New"}, format=kind)

    assert answer.status_code == 200, answer.json()
    assert list(Course.objects.values_list("pk", "title", *FORCED_COLUMNS)) == [
        (course.pk, "New", teacher.pk, 0, 0, 0, 3, None)
    ]
    assert Course.objects.get().published_at is None


# --- Changing one ----------------------------------------------------------------------------------------------------


def test_put_leaves_what_it_does_not_name(client_for, course):
    answer = client_for("teacher").put(one(course), {"title": "New"})

    assert answer.status_code == 200
    course.refresh_from_db()
    assert (course.title, course.price) == ("New", 1000)


def test_put_needs_a_title(client_for, course):
    assert codes(client_for("teacher").put(one(course), {"price": "1.00"})) == {("title", "required")}


def test_a_change_by_multipart_touches_what_it_names(client_for, course):
    Course.objects.update(sequential=True)

    client_for("teacher").patch(one(course), {"title": "New"}, format="multipart")

    course.refresh_from_db()
    assert (course.title, course.sequential, course.certificate_enabled) == ("New", True, True)


def test_multipart_leaves_flags_that_it_does_not_name(client_for, teacher):
    response = client_for("teacher").post("/api/courses/", {"title": "By form"}, format="multipart")

    assert response.json()["certificate_enabled"] is True
    assert Course.objects.get().certificate_enabled is True


def test_a_moderator_does_not_become_the_owner(client_for, course, teacher):
    client_for("moderator").patch(one(course), {"title": "New"})

    course.refresh_from_db()
    assert (course.title, course.owner) == ("New", teacher)


def test_a_category_is_taken_off(client_for, course):
    Course.objects.update(category=CategoryFactory())

    assert client_for("teacher").patch(one(course), {"category": None}).json()["category"] is None


@pytest.mark.parametrize(
    ("status", "body", "kinds"),
    [
        ("published", {"title": "New"}, ["course_changed"]),
        ("published", {"title": "Python basics"}, []),
        ("published", {}, []),
        ("draft", {"title": "New"}, []),
    ],
)
def test_subscribers_hear_of_real_changes_of_what_is_published(client_for, course, status, body, kinds):
    Course.objects.update(status=status)

    client_for("teacher").patch(one(course), body)

    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == kinds


def test_publishing_is_remembered(client_for, teacher):
    course = CourseFactory(owner=teacher, status="draft")

    answer = client_for("teacher").patch(one(course), {"status": "published"})

    course.refresh_from_db()
    assert course.published_at is not None
    assert answer.json()["published_at"] is not None


def test_the_first_publishing_counts(client_for, teacher):
    client = client_for("teacher")
    made = client.post(URL, {"title": "New"}).json()
    client.patch(f"{URL}{made['id']}/", {"status": "archived"})

    again = client.patch(f"{URL}{made['id']}/", {"status": "published"}).json()

    assert again["published_at"] == made["published_at"] is not None


# --- Pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture(client_for, api, course, kind):
    upload = SimpleUploadedFile("../x.php", picture(kind=kind))

    answer = client_for("teacher").patch(one(course), {"preview": upload}, format="multipart")

    assert answer.status_code == 200, answer.json()
    course.refresh_from_db()
    assert course.preview.name.startswith("public/courses/")
    assert answer.json()["preview"] == f"http://testserver/media/{course.preview.name}"
    assert Image.open(course.preview).size == (3, 2)


def test_a_picture_with_a_new_course(client_for, db):
    body = {"title": "New", "preview": SimpleUploadedFile("x.png", picture())}

    answer = client_for("teacher").post(URL, body, format="multipart")

    assert answer.status_code == 201, answer.json()
    assert answer.json()["preview"].endswith(".png")


def test_a_picture_is_taken_off(client_for, course):
    client = client_for("teacher")
    client.patch(one(course), {"preview": SimpleUploadedFile("x.png", picture())}, format="multipart")

    answer = client.patch(one(course), {"preview": None})

    assert (answer.status_code, answer.json()["preview"]) == (200, None)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        (b"", "unsupported"),
        (picture()[:40], "unsupported"),
        (picture(kind="GIF"), "unsupported"),
        (picture((5001, 5001)), "too_many_pixels"),
        (picture() + b"x" * 5 * 1024**2, "too_large"),
    ],
    ids=["svg", "empty", "cut", "gif", "pixels", "bytes"],
)
def test_what_is_no_picture(client_for, course, content, code):
    upload = SimpleUploadedFile("x.png", content)

    answer = client_for("teacher").patch(one(course), {"preview": upload}, format="multipart")

    assert codes(answer) == {("preview", code)}
    course.refresh_from_db()
    assert not course.preview


# --- Deleting one ----------------------------------------------------------------------------------------------------


def test_a_course_goes_with_all_that_it_holds(client_for, course):
    EnrollmentFactory(course=course)

    answer = client_for("teacher").delete(one(course))

    assert (answer.status_code, answer.content) == (204, b"")
    assert (Course.objects.count(), Lesson.objects.count()) == (0, 0)
    assert client_for("teacher").get(one(course)).status_code == 404


@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_a_course_that_someone_paid_for_stays(client_for, course, who):
    PaymentFactory(paid_course=course)

    answer = client_for(who).delete(one(course))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert (Course.objects.count(), Lesson.objects.count(), Payment.objects.count()) == (1, 3, 1)


def test_so_does_one_with_a_lesson_that_someone_paid_for(client_for, course):
    PaymentFactory(paid_course=None, paid_lesson=course.lessons.get(order=3))

    answer = client_for("teacher").delete(one(course))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert (Course.objects.count(), Lesson.objects.count()) == (1, 3)


# --- Its address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["1", "x", "%00", "0" * 32, "..%2f", "019fc1c8-0000-0000-0000"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_what_is_no_id_is_404(client_for, course, path, method):
    assert getattr(client_for("admin"), method)(f"{URL}{path}/", {}).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_course_that_is_not_there_is_404(client_for, course, method):
    assert getattr(client_for("admin"), method)(f"{URL}{new_id()}/", {}).status_code == 404


def test_upper_case_is_answered_in_lower_case(api, course):
    answer = api.get(f"{URL}{str(course.pk).upper()}/")

    assert (answer.status_code, answer.json()["id"]) == (200, str(course.pk))
