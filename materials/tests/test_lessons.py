"""Lessons, in their course and by themselves: /api/courses/{id}/lessons/ and /api/lessons/."""

import json

import pytest

from materials.models import Course, CourseUpdate, Lesson
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory

FLAT = "/api/lessons/"
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
LINK = "https://evil.example.com/a"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"


def nested(course):
    return f"/api/courses/{course.pk}/lessons/"


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def count(course):
    """How many lessons there are, and how many the course says there are."""
    course.refresh_from_db()
    return course.lessons.count(), course.lesson_count


@pytest.fixture
def lesson(course):
    return course.lessons.get(order=2)


@pytest.fixture(params=["nested", "flat"])
def address(request, course, lesson):
    """One lesson under both of its addresses."""
    return f"{nested(course) if request.param == 'nested' else FLAT}{lesson.pk}/"


@pytest.fixture(params=["nested", "flat"])
def add(request, course):
    """Adds a lesson to the course under both addresses."""
    if request.param == "nested":
        return lambda client, body: client.post(nested(course), body)
    return lambda client, body: client.post(FLAT, {**body, "course": str(course.pk)})


# --- Adding one ------------------------------------------------------------------------------------------------------


def test_a_lesson_with_everything(client_for, course, teacher, add):
    body = {
        "title": "Functions",
        "description": "What they are",
        "body": "  # Functions\n",
        "video_url": VIDEO,
        "order": 7,
        "price": "10.00",
        "is_preview": True,
        "duration_seconds": 90,
    }

    answer = add(client_for("teacher"), body)

    assert answer.status_code == 201, answer.json()
    lesson = answer.json()
    assert {name: lesson[name] for name in body} == body
    assert (lesson["course"], lesson["owner"], lesson["currency"]) == (str(course.pk), str(teacher.pk), "RUB")
    assert (lesson["is_locked"], lesson["lock_reason"], lesson["attachments"]) == (False, None, [])


def test_a_new_lesson_comes_last(client_for, course, add):
    Lesson.objects.filter(order=3).update(order=30)

    assert add(client_for("teacher"), {"title": "New"}).json()["order"] == 31


def test_the_first_lesson(client_for, teacher):
    course = CourseFactory(owner=teacher)

    assert client_for("teacher").post(nested(course), {"title": "New"}).json()["order"] == 1
    assert count(course) == (1, 1)


def test_a_place_that_is_taken(client_for, course, add):
    assert codes(add(client_for("teacher"), {"title": "New", "order": 2})) == {("order", "unique")}
    assert course.lessons.count() == 3


def test_what_is_added_is_counted_told_and_found(client_for, api, course, add):
    add(client_for("teacher"), {"title": "Декораторы"})

    assert count(course) == (4, 4)
    assert list(CourseUpdate.objects.values_list("kind", "summary")) == [("lesson_added", "Декораторы")]
    assert api.get("/api/courses/", {"search": "декоратор"}).json()["count"] == 1


def test_an_admin_adds_to_anyones_course(client_for, course, admin, add):
    assert add(client_for("admin"), {"title": "New"}).json()["owner"] == str(admin.pk)


# --- The flat route --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "required"), ({"course": None}, "null"), ({"course": ""}, "invalid"), ({"course": "1"}, "invalid")],
)
def test_the_flat_route_needs_a_course(client_for, course, body, code):
    assert codes(client_for("teacher").post(FLAT, {"title": "New", **body})) == {("course", code)}


@pytest.mark.parametrize(("who", "status"), [("student", 404), ("other", 404), ("teacher", 201), ("moderator", 403)])
def test_the_flat_route_with_a_hidden_course(client_for, course, who, status):
    Course.objects.update(status="draft")

    answer = client_for(who).post(FLAT, {"title": "New", "course": str(course.pk)})

    assert answer.status_code == status
    assert (course.lessons.count() == 4) is (status == 201)


def test_the_flat_route_with_an_unknown_course(client_for, db):
    assert client_for("teacher").post(FLAT, {"title": "New", "course": UNKNOWN}).status_code == 404


@pytest.mark.parametrize("who", ["student", "enrolled", "other", "moderator"])
def test_the_flat_route_with_somebody_elses_course(client_for, course, who):
    answer = client_for(who).post(FLAT, {"title": "New", "course": str(course.pk)})

    assert answer.status_code == 403
    assert course.lessons.count() == 3


@pytest.mark.parametrize("who", ["enrolled", "teacher", "moderator"])
def test_both_addresses_lead_to_the_same(client_for, course, lesson, who):
    client = client_for(who)

    one = client.get(f"{nested(course)}{lesson.pk}/")

    assert one.status_code == 200
    assert one.json() == client.get(f"{FLAT}{lesson.pk}/").json()


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("student", ["Hello"]),
        ("enrolled", ["Hello", "Loops", "Variables"]),
        ("teacher", ["Hello", "Loops", "Variables"]),
        ("other", ["Elsewhere", "Hello"]),
        ("moderator", ["Elsewhere", "Hello", "Loops", "Variables"]),
        ("admin", ["Elsewhere", "Hello", "Loops", "Variables"]),
    ],
)
def test_the_flat_list_holds_what_one_owns_or_may_open(client_for, course, other, who, found):
    LessonFactory(course=CourseFactory(owner=other), title="Elsewhere")

    lines = client_for(who).get(FLAT).json()["results"]

    assert sorted(line["title"] for line in lines) == found
    assert not any(line["is_locked"] for line in lines)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"is_preview": "true"}, ["Hello"]),
        ({"is_preview": "false"}, ["Loops", "Variables"]),
        ({"course": UNKNOWN}, []),
        ({"ordering": "order"}, ["Hello", "Variables", "Loops"]),
        ({"ordering": "-order"}, ["Loops", "Variables", "Hello"]),
        ({"ordering": "title"}, ["Hello", "Loops", "Variables"]),
        ({"ordering": "-title"}, ["Variables", "Loops", "Hello"]),
        ({"ordering": "created_at"}, ["Hello", "Variables", "Loops"]),
        ({"ordering": "-created_at"}, ["Loops", "Variables", "Hello"]),
    ],
    ids=str,
)
def test_the_flat_list_filtered_and_ordered(client_for, course, params, found):
    lines = client_for("teacher").get(FLAT, params).json()["results"]

    titles = [line["title"] for line in lines]
    assert (titles if "ordering" in params else sorted(titles)) == found


# --- Changing one ----------------------------------------------------------------------------------------------------


def test_a_lesson_changes_under_both_addresses(client_for, lesson, address):
    answer = client_for("teacher").patch(address, {"title": "New"})

    assert (answer.status_code, answer.json()["title"]) == (200, "New")
    lesson.refresh_from_db()
    assert (lesson.title, lesson.body) == ("New", "The secret body")
    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == ["lesson_changed"]


def test_a_change_of_nothing_is_told_to_nobody(client_for, address):
    client_for("teacher").patch(address, {"title": "Variables"})

    assert not CourseUpdate.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_lesson_never_moves(client_for, course, teacher, other, lesson, address, method):
    elsewhere = CourseFactory(owner=teacher)
    forced = {"course": str(elsewhere.pk), "owner": str(other.pk), "id": UNKNOWN, "is_completed": True}

    answer = getattr(client_for("teacher"), method)(address, {**forced, "title": "New"})

    assert (answer.status_code, answer.json()["course"]) == (200, str(course.pk))
    lesson.refresh_from_db()
    assert (lesson.title, lesson.course, lesson.owner) == ("New", course, teacher)
    assert not elsewhere.lessons.exists()


@pytest.mark.parametrize(("order", "status"), [(1, 400), (2, 200), (4, 200)])
def test_a_new_place(client_for, lesson, address, order, status):
    answer = client_for("teacher").patch(address, {"order": order})

    assert answer.status_code == status
    lesson.refresh_from_db()
    assert lesson.order == (order if status == 200 else 2)


# --- What its fields take --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (VIDEO, VIDEO),
        ("http://youtu.be/dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ"),
        ("https://www.youtube.com/playlist?list=PL123", "https://www.youtube.com/playlist?list=PL123"),
        ("", ""),
    ],
)
def test_videos(client_for, course, add, sent, stored):
    assert add(client_for("teacher"), {"title": "New", "video_url": sent}).json()["video_url"] == stored


@pytest.mark.parametrize(
    "url",
    [
        LINK,
        "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
        "https://youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
        "https://evil.example/?u=https://youtu.be/dQw4w9WgXcQ",
        "javascript:alert(1)//youtube.com",
        "ftp://youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/@somebody",
        "dQw4w9WgXcQ",
    ],
)
def test_what_is_no_video(client_for, lesson, address, url):
    assert codes(client_for("teacher").patch(address, {"video_url": url})) == {("video_url", "not_youtube")}
    lesson.refresh_from_db()
    assert lesson.video_url == VIDEO


@pytest.mark.parametrize("name", ["title", "description", "body"])
def test_a_foreign_link_is_refused_and_named(client_for, course, add, name):
    answer = add(client_for("teacher"), {"title": "New", name: f"See {LINK} now"})

    assert codes(answer) == {(name, "foreign_link")}
    assert LINK in answer.json()["errors"][0]["detail"]
    assert course.lessons.count() == 3


@pytest.mark.parametrize(
    ("currency", "price", "code"),
    [
        ("JPY", "9.50", "not_in_currency"),
        ("USD", "0.10", "below_minimum"),
        ("RUB", "-1", "min_value"),
        ("RUB", "NaN", "invalid"),
        ("RUB", "1e999", "max_digits"),
        ("RUB", "1.001", "max_decimal_places"),
    ],
)
def test_prices_that_are_refused(client_for, lesson, address, currency, price, code):
    Course.objects.update(currency=currency)

    assert ("price", code) in codes(client_for("teacher").patch(address, {"price": price}))
    lesson.refresh_from_db()
    assert lesson.price == 0


@pytest.mark.parametrize("who", ["student", "admin"])
def test_no_price_in_a_students_course(client_for, student, who):
    course = CourseFactory(owner=student)

    answer = client_for(who).post(nested(course), {"title": "New", "price": "10.00"})

    assert codes(answer) == {("price", "free_only")}
    assert not course.lessons.exists()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("title", "", "blank"),
        ("title", "x" * 201, "max_length"),
        ("body", "x" * 200_001, "max_length"),
        ("order", 0, "min_value"),
        ("order", -1, "min_value"),
        ("order", 1_000_001, "max_value"),
        ("order", None, "null"),
        ("duration_seconds", -1, "min_value"),
        ("is_preview", "maybe", "invalid"),
        ("preview", "x", "invalid"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_values_that_are_refused(client_for, course, lesson, address, name, value, code):
    before = Lesson.objects.filter(pk=lesson.pk).values().get()

    assert codes(client_for("teacher").patch(address, {name: value})) == {(name, code)}
    assert Lesson.objects.filter(pk=lesson.pk).values().get() == before


ODD = [None, True, 0, -1, 1.5, 10**400, "", "\ud800", "\x00", [], [[]], {}, {"a": {"b": []}}, ["x"], "x" * 20_000]


@pytest.mark.parametrize(
    "name",
    [
        "course",
        "title",
        "description",
        "body",
        "preview",
        "video_url",
        "order",
        "price",
        "is_preview",
        "duration_seconds",
    ],
)
def test_wrong_types_are_never_a_5xx(client_for, course, lesson, name):
    client = client_for("teacher")
    statuses = set()

    for value in ODD:
        body = json.dumps({"title": "New", "course": str(course.pk), name: value})
        statuses.add(client.post(FLAT, body, content_type="application/json").status_code)
        statuses.add(client.post(nested(course), body, content_type="application/json").status_code)
        statuses.add(client.patch(f"{FLAT}{lesson.pk}/", body, content_type="application/json").status_code)

    # A course given as a number is an id that nothing has.
    assert statuses <= ({200, 201, 400, 404} if name == "course" else {200, 201, 400})


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", ""])
def test_wrong_bodies_are_never_a_5xx(client_for, course, body):
    for url in (FLAT, nested(course)):
        assert client_for("teacher").post(url, body, content_type="application/json").status_code == 400


# --- Deleting one ----------------------------------------------------------------------------------------------------


def test_a_lesson_is_deleted(client_for, course, address):
    answer = client_for("teacher").delete(address)

    assert (answer.status_code, answer.content) == (204, b"")
    assert count(course) == (2, 2)
    assert list(CourseUpdate.objects.values_list("kind", "summary")) == [("lesson_removed", "Variables")]


@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_a_lesson_that_someone_paid_for_stays(client_for, course, lesson, address, who):
    PaymentFactory(paid_course=None, paid_lesson=lesson)

    answer = client_for(who).delete(address)

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert (course.lessons.count(), Payment.objects.count(), CourseUpdate.objects.count()) == (3, 1, 0)


# --- Its address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_lesson_of_another_course_in_the_path(client_for, teacher, lesson, method):
    elsewhere = CourseFactory(owner=teacher)

    answer = getattr(client_for("teacher"), method)(f"{nested(elsewhere)}{lesson.pk}/", {"title": "New"})

    assert answer.status_code == 404
    lesson.refresh_from_db()
    assert lesson.title == "Variables"


@pytest.mark.parametrize("path", ["1", "x", "%00", "0" * 32, UNKNOWN, UNKNOWN + "0"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_what_is_no_lesson_is_404(client_for, course, path, method):
    client = client_for("admin")

    assert getattr(client, method)(f"{FLAT}{path}/", {}).status_code == 404
    assert getattr(client, method)(f"{nested(course)}{path}/", {}).status_code == 404


@pytest.mark.parametrize("path", ["1", "x", "0" * 32, UNKNOWN])
def test_lessons_of_what_is_no_course(client_for, db, path):
    assert client_for("admin").get(f"/api/courses/{path}/lessons/").status_code == 404
    assert client_for("admin").post(f"/api/courses/{path}/lessons/", {"title": "New"}).status_code == 404


def test_upper_case_is_answered_in_lower_case(client_for, course, lesson):
    client = client_for("teacher")

    flat = client.get(f"{FLAT}{str(lesson.pk).upper()}/")
    deep = client.get(f"/api/courses/{str(course.pk).upper()}/lessons/{str(lesson.pk).upper()}/")
    listed = client.get(FLAT, {"course": str(course.pk).upper()})

    assert flat.json() == deep.json()
    assert (flat.json()["id"], flat.json()["course"]) == (str(lesson.pk), str(course.pk))
    assert listed.json()["count"] == 3


def test_an_upper_case_course_in_the_body(client_for, course):
    answer = client_for("teacher").post(FLAT, {"title": "New", "course": str(course.pk).upper()})

    assert (answer.status_code, answer.json()["course"]) == (201, str(course.pk))


def test_lessons_come_in_their_order(api, course):
    Lesson.objects.filter(title="Hello").update(order=9)

    lines = api.get(nested(course)).json()["results"]

    assert [line["title"] for line in lines] == ["Variables", "Loops", "Hello"]


def test_an_empty_course_has_no_lessons(api, teacher):
    assert api.get(nested(CourseFactory(owner=teacher))).json()["results"] == []


def test_lessons_of_a_draft_stay_out_of_the_flat_list(client_for, student, other):
    course = CourseFactory(owner=other, status="draft")
    LessonFactory(course=course, is_preview=True)
    EnrollmentFactory(user=student, course=course)

    assert client_for("student").get(FLAT).json()["count"] == 0
