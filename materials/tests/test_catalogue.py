"""GET /api/courses/ and the other lists: what they hold, in which order, and at which price in queries."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.ids import new_id
from materials.models import Course, Enrollment, Lesson
from materials.tests.factories import (
    AttachmentFactory,
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    ReviewFactory,
    SubscriptionFactory,
)

URL = "/api/courses/"
POPULAR = "/api/courses/popular/"
MINE = "/api/users/me/materials/"


def titles(answer):
    assert answer.status_code == 200, answer.json()
    return [line["title"] for line in answer.json()["results"]]


def refused(answer, attr):
    assert answer.status_code == 400, answer.json()
    return {error["attr"] for error in answer.json()["errors"]} == {attr}


@pytest.fixture
def shelf(teacher, other):
    """Three published courses that differ in everything, A the cheapest, the lowest rated and the first."""
    python = CategoryFactory(slug="python", title="Python")
    courses = [
        CourseFactory(owner=teacher, title="A", category=python, level="beginner", language="ru", price="0.00"),
        CourseFactory(owner=teacher, title="B", level="intermediate", language="en", price="100.00"),
        CourseFactory(owner=other, title="C", level="advanced", language="ru", price="200.00"),
    ]
    for n, course in enumerate(courses):
        Course.objects.filter(pk=course.pk).update(
            rating_average=Decimal("2.50") + n, enrollment_count=10 * n, created_at=timezone.now() + timedelta(days=n)
        )
    return courses


# --- Filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"category": "python"}, "A"),
        ({"category": "unknown"}, ""),
        ({"level": "intermediate"}, "B"),
        ({"language": "en"}, "B"),
        ({"language": "ru"}, "AC"),
        ({"status": "published"}, "ABC"),
        ({"status": "draft"}, ""),
        ({"price_min": "100"}, "BC"),
        ({"price_max": "100.00"}, "AB"),
        ({"price_min": "1", "price_max": "150"}, "B"),
        ({"is_free": "true"}, "A"),
        ({"is_free": "false"}, "BC"),
        ({"is_free": "True"}, "A"),
        ({"is_free": "0"}, "BC"),
        ({"rating_min": "3.5"}, "BC"),
        ({"rating_min": "5"}, ""),
        ({"level": ""}, "ABC"),
        ({"level": "advanced", "language": "en"}, ""),
    ],
    ids=str,
)
def test_filters(api, shelf, params, found):
    assert sorted(titles(api.get(URL, params))) == list(found)


def test_a_category_by_its_id(api, shelf):
    assert titles(api.get(URL, {"category": str(shelf[0].category_id).upper()})) == ["A"]


def test_the_courses_of_an_owner(api, shelf, other):
    assert titles(api.get(URL, {"owner": str(other.pk)})) == ["C"]


@pytest.mark.parametrize(("who", "found"), [("teacher", "AB"), ("other", "C"), ("student", ""), ("anonymous", "")])
def test_mine(client_for, shelf, who, found):
    assert sorted(titles(client_for(who).get(URL, {"mine": "true"}))) == list(found)


@pytest.mark.parametrize(("who", "found"), [("teacher", "C"), ("student", "ABC"), ("anonymous", "ABC")])
def test_not_mine(client_for, shelf, who, found):
    assert sorted(titles(client_for(who).get(URL, {"mine": "false"}))) == list(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"),
        ("Level", "beginner"),
        ("level", "expert"),
        ("language", "de"),
        ("status", "deleted"),
        ("owner", "1"),
        ("mine", "yes"),
        ("is_free", "2"),
        ("price_min", "cheap"),
        ("price_max", "NaN"),
        ("price_max", "1e999"),
        ("price_min", "Infinity"),
        ("rating_min", "good"),
        ("ordering", "colour"),
        ("ordering", "owner__email"),
        ("ordering", "title,password"),
        ("ordering", "--title"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "one"),
        ("page_size", "0"),
        ("page_size", "many"),
        ("category", "x" * 101),
        ("search", "x" * 201),
    ],
)
def test_what_the_catalogue_does_not_know_is_400(api, shelf, name, value):
    assert refused(api.get(URL, {name: value}), name)


@pytest.mark.parametrize("value", ["\x00", "%00", "' OR 1=1 --", "🐍"])
@pytest.mark.parametrize("name", ["category", "level", "owner", "price_min", "search", "ordering", "page"])
def test_nothing_odd_is_a_5xx(api, shelf, name, value):
    assert api.get(URL, {name: value}).status_code < 500


# --- Orderings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["created_at", "price", "rating", "popularity", "title"])
def test_orderings(api, shelf, name):
    assert titles(api.get(URL, {"ordering": name})) == ["A", "B", "C"]


@pytest.mark.parametrize("name", ["created_at", "price", "rating", "popularity", "title"])
def test_orderings_the_other_way_round(api, shelf, name):
    assert titles(api.get(URL, {"ordering": f"-{name}"})) == ["C", "B", "A"]


def test_several_orderings(api, shelf):
    Course.objects.filter(title__in="AB").update(price="5.00")

    assert titles(api.get(URL, {"ordering": "price,-title"})) == ["B", "A", "C"]


def test_the_newest_come_first(api, shelf):
    assert titles(api.get(URL)) == ["C", "B", "A"]


@pytest.mark.parametrize("ordering", ["price", "-price"])
def test_pages_of_equals_do_not_overlap(api, teacher, ordering):
    CourseFactory.create_batch(7, owner=teacher)

    pages = [api.get(URL, {"ordering": ordering, "page_size": 3, "page": n}) for n in (1, 2, 3)]

    assert len({title for page in pages for title in titles(page)}) == 7


# --- Which courses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("anonymous", "A"),
        ("student", "A"),
        ("other", "A"),
        ("teacher", "ABC"),
        ("moderator", "ABC"),
        ("admin", "ABC"),
    ],
)
def test_whose_drafts_are_listed(client_for, teacher, who, found):
    for title, status in (("A", "published"), ("B", "draft"), ("C", "archived")):
        CourseFactory(owner=teacher, title=title, status=status)

    assert sorted(titles(client_for(who).get(URL))) == list(found)


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_a_filter_does_not_open_what_is_hidden(client_for, teacher, status):
    CourseFactory(owner=teacher, status=status)

    assert titles(client_for("student").get(URL, {"status": status, "owner": str(teacher.pk)})) == []


def test_my_materials_hold_drafts_and_nobody_elses(client_for, teacher, other):
    CourseFactory(owner=teacher, title="A", status="draft")
    CourseFactory(owner=teacher, title="B", status="archived")
    CourseFactory(owner=other, title="C")

    assert sorted(titles(client_for("teacher").get(MINE))) == ["A", "B"]


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_pages(api, teacher):
    CourseFactory.create_batch(21, owner=teacher)

    first = api.get(URL).json()

    assert (first["count"], len(first["results"]), first["previous"]) == (21, 20, None)
    second = api.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (1, None)
    assert second["previous"] == "http://testserver/api/courses/"


def test_links_keep_the_filters(api, shelf):
    following = api.get(URL, {"language": "ru", "page_size": 1}).json()["next"]

    assert titles(api.get(following)) == ["A"]


def test_no_page_holds_more_than_100(api, teacher):
    CourseFactory.create_batch(101, owner=teacher)

    assert len(api.get(URL, {"page_size": 1000}).json()["results"]) == 100


def test_an_empty_catalogue(api, db):
    assert api.get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize("page", ["2", "10000001", "9" * 5000])
def test_a_page_that_is_not_there(api, shelf, page):
    assert api.get(URL, {"page": page}).status_code == 404


# --- A card ----------------------------------------------------------------------------------------------------------


def test_a_card(api, course, teacher):
    Course.objects.update(published_at=timezone.now(), lesson_count=3)

    card = api.get(URL).json()["results"][0]

    times = {name: card.pop(name) for name in ("created_at", "updated_at", "published_at")}
    assert all(value.endswith("Z") for value in times.values())
    assert card.pop("owner").keys() == {"id", "username", "first_name", "avatar", "role", "date_joined"}
    assert [line["title"] for line in card.pop("lessons")] == ["Hello", "Variables", "Loops"]
    assert card == {
        "id": str(course.pk),
        "title": "Python basics",
        "description": "",
        "preview": None,
        "category": None,
        "level": "beginner",
        "language": "ru",
        "price": "1000.00",
        "currency": "RUB",
        "status": "published",
        "certificate_enabled": True,
        "completion": "everything",
        "sequential": False,
        "access_days": None,
        "lesson_count": 3,
        "duration_seconds": 0,
        "rating_average": "0.00",
        "rating_count": 0,
        "enrollment_count": 0,
        "is_subscribed": False,
        "is_enrolled": False,
    }


def test_a_lesson_on_a_card(client_for, course):
    assert client_for("student").get(URL).json()["results"][0]["lessons"][1] == {
        "id": str(course.lessons.get(order=2).pk),
        "title": "Variables",
        "order": 2,
        "price": "0.00",
        "is_preview": False,
        "duration_seconds": 0,
        "is_locked": True,
        "lock_reason": "payment_required",
        "video_url": None,
        "video": None,
        "attachments": None,
    }


@pytest.mark.parametrize("who", ["anonymous", "student", "enrolled", "teacher", "moderator", "admin"])
@pytest.mark.parametrize("url", [URL, POPULAR])
def test_cards_never_carry_content(client_for, course, who, url):
    body = client_for(who).get(url).content.decode()

    assert "Variables" in body
    assert "The secret body" not in body
    assert "youtube" not in body


def test_my_cards_carry_no_content_either(client_for, course):
    assert "The secret body" not in client_for("teacher").get(MINE).content.decode()


def test_a_card_names_no_private_data(api, course, teacher):
    assert teacher.email not in api.get(URL).content.decode()


@pytest.mark.parametrize(("who", "is_subscribed"), [("student", True), ("other", False), ("anonymous", False)])
def test_a_card_says_whether_one_is_subscribed(client_for, course, student, who, is_subscribed):
    SubscriptionFactory(user=student, course=course)

    assert client_for(who).get(URL).json()["results"][0]["is_subscribed"] is is_subscribed


@pytest.mark.parametrize(
    ("changes", "is_enrolled"),
    [
        ({}, True),
        ({"status": "completed"}, True),
        ({"status": "expired"}, False),
        ({"status": "revoked"}, False),
        ({"expires_at": timezone.now() - timedelta(days=1)}, False),
    ],
    ids=["active", "completed", "expired", "revoked", "run out"],
)
def test_a_card_says_whether_one_is_enrolled(client_for, course, enrolled, changes, is_enrolled):
    Enrollment.objects.update(**changes)

    assert client_for("enrolled").get(URL).json()["results"][0]["is_enrolled"] is is_enrolled


# --- Popular ---------------------------------------------------------------------------------------------------------


def test_the_most_enrolled_of_the_last_month_come_first(api, shelf):
    EnrollmentFactory.create_batch(2, course=shelf[1])
    EnrollmentFactory(course=shelf[0])
    Enrollment.objects.filter(pk__in=[EnrollmentFactory(course=shelf[2]).pk for _ in range(3)]).update(
        created_at=timezone.now() - timedelta(days=31)
    )

    assert [card["title"] for card in api.get(POPULAR).json()["results"]] == ["B", "A", "C"]


def test_at_most_ten_are_popular(api, teacher):
    CourseFactory.create_batch(11, owner=teacher)

    assert api.get(POPULAR).json()["count"] == 10


@pytest.mark.parametrize("params", [{"level": "beginner"}, {"search": "x"}, {"ordering": "title"}])
def test_what_is_popular_has_no_filters(api, shelf, params):
    assert api.get(POPULAR, params).status_code == 400


def test_a_course_that_is_hidden_since_is_popular_no_more(api, shelf):
    api.get(POPULAR)
    Course.objects.filter(title="B").update(status="draft")

    assert sorted(card["title"] for card in api.get(POPULAR).json()["results"]) == ["A", "C"]


def test_drafts_are_not_popular_even_with_their_author(client_for, teacher):
    CourseFactory(owner=teacher, status="draft")

    assert client_for("teacher").get(POPULAR).json() == {"count": 0, "next": None, "previous": None, "results": []}


# --- Queries ---------------------------------------------------------------------------------------------------------


def queries(client, url):
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url)

    assert response.status_code == 200, response.json()
    return response.json(), [query["sql"] for query in captured]


def fill(owner, courses, lessons=10):
    for course in CourseFactory.create_batch(courses, owner=owner, category=CategoryFactory()):
        LessonFactory.create_batch(lessons, course=course)


def test_the_catalogue_takes_three_queries(client_for, teacher, student):
    client = client_for("student")
    fill(teacher, 1)
    EnrollmentFactory(user=student, course=Course.objects.get())
    _few, first = queries(client, URL)
    fill(teacher, 29)

    many, second = queries(client, f"{URL}?page_size=100")

    assert [len(card["lessons"]) for card in many["results"]] == [10] * 30
    # The user of the token with their group; the courses with owner, category, flags and count; all their lessons.
    assert len(first) == len(second) == 3, second


def test_the_catalogue_takes_two_queries_without_a_token(api, teacher):
    fill(teacher, 1)
    _few, first = queries(api, URL)
    fill(teacher, 29)

    _many, second = queries(api, f"{URL}?page_size=100")

    # The courses; their lessons.
    assert len(first) == len(second) == 2, second


def one_more_lesson(course):
    AttachmentFactory(lesson=LessonFactory(course=course))


def one_more_lesson_elsewhere(course):
    AttachmentFactory(lesson=LessonFactory(course=CourseFactory(owner=course.owner)))


def one_more_review(course):
    ReviewFactory(course=course)


def one_more_attachment(course):
    AttachmentFactory(lesson=course.lessons.get(order=2))


def one_more_course(course):
    LessonFactory(course=CourseFactory(owner=course.owner, category=CategoryFactory()))


@pytest.mark.parametrize(
    ("url", "add"),
    [
        # The user; the lessons; their attachments; the courses' other lessons, for the gate; the courses with flags.
        ("/api/courses/{course}/lessons/", one_more_lesson),
        ("/api/lessons/", one_more_lesson_elsewhere),
        # The user; the course; the reviews with their authors.
        ("/api/courses/{course}/reviews/", one_more_review),
        # The user; the lesson with its course; the course's lessons and the course, for the gate; the attachments.
        ("/api/courses/{course}/lessons/{lesson}/attachments/", one_more_attachment),
        ("/api/lessons/{lesson}/attachments/", one_more_attachment),
        # The user; the categories with their counts.
        ("/api/categories/", one_more_course),
    ],
)
def test_no_list_asks_more_for_more_rows(client_for, course, url, add):
    client = client_for("teacher")
    url = url.format(course=course.pk, lesson=course.lessons.get(order=2).pk)
    add(course)
    few, first = queries(client, url)
    for _ in range(9):
        add(course)

    many, second = queries(client, f"{url}?page_size=100")

    assert many["count"] == few["count"] + 9
    assert len(first) == len(second) <= 5, second


def test_what_i_made_takes_six_queries(client_for, course):
    """The user; how many courses; the courses; their lessons; the quizzes; the posts."""
    client = client_for("teacher")
    one_more_course(course)
    _few, first = queries(client, MINE)
    for _ in range(9):
        one_more_course(course)

    _many, second = queries(client, MINE)

    assert len(first) == len(second) == 6, second


def test_popular_courses_take_four_queries(client_for, course):
    client = client_for("student")
    _few, first = queries(client, POPULAR)
    for _ in range(9):
        one_more_course(course)
    _cached, again = queries(client, POPULAR)

    # The user; the ids of the popular ones, which are kept for a while; the courses; their lessons.
    assert (len(first), len(again)) == (4, 3), again


def test_opening_a_course_takes_six_queries(client_for, course):
    client = client_for("enrolled")
    url = f"{URL}{course.pk}/"
    _few, first = queries(client, url)
    for _ in range(9):
        one_more_lesson(course)

    _many, second = queries(client, url)

    # The user; the course; its lessons; their attachments; assignments; quizzes.
    assert len(first) == len(second) == 6, second


# --- Asking again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["anonymous", "student"])
@pytest.mark.parametrize("url", [URL, "/api/courses/{course}/"])
def test_what_has_not_changed_is_304(client_for, course, url, who):
    client = client_for(who)
    etag = client.get(url.format(course=course.pk)).headers["ETag"]

    answer = client.get(url.format(course=course.pk), HTTP_IF_NONE_MATCH=etag)

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize("url", [URL, "/api/courses/{course}/"])
def test_what_has_changed_is_sent_anew(api, course, url):
    etag = api.get(url.format(course=course.pk)).headers["ETag"]
    Course.objects.update(title="New")

    answer = api.get(url.format(course=course.pk), HTTP_IF_NONE_MATCH=etag)

    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag


@pytest.mark.parametrize(("who", "scope"), [("anonymous", "public"), ("student", "private")])
def test_who_may_keep_the_catalogue(client_for, course, who, scope):
    assert scope in client_for(who).get(URL).headers["Cache-Control"]


# --- Categories and reviews ------------------------------------------------------------------------------------------


def test_a_category_counts_published_courses(api, shelf, teacher):
    CourseFactory(owner=teacher, category=shelf[0].category, status="draft")

    assert [line["course_count"] for line in api.get("/api/categories/").json()["results"]] == [1]


def test_categories_by_place_then_title(api, db):
    for title, order in (("C", 1), ("B", 2), ("A", 2)):
        CategoryFactory(title=title, order=order)

    assert titles(api.get("/api/categories/")) == ["C", "A", "B"]


@pytest.mark.parametrize(("ordering", "ratings"), [("rating", [1, 3, 5]), ("-rating", [5, 3, 1])])
def test_reviews_by_rating(api, course, ordering, ratings):
    for rating in (3, 1, 5):
        ReviewFactory(course=course, rating=rating)

    lines = api.get(f"{URL}{course.pk}/reviews/", {"ordering": ordering}).json()["results"]

    assert [line["rating"] for line in lines] == ratings


def test_reviews_of_one_rating(api, course):
    for rating in (3, 5):
        ReviewFactory(course=course, rating=rating)

    lines = api.get(f"{URL}{course.pk}/reviews/", {"rating": 3}).json()["results"]

    assert [line["rating"] for line in lines] == [3]


@pytest.mark.parametrize("path", ["lessons", "reviews"])
@pytest.mark.parametrize(("name", "value"), [("colour", "red"), ("ordering", "colour"), ("page", "x")])
def test_lists_in_a_course_are_as_strict(api, course, path, name, value):
    assert refused(api.get(f"{URL}{course.pk}/{path}/", {name: value}), name)


@pytest.mark.parametrize("path", ["lessons", "reviews"])
def test_lists_of_no_course(api, course, path):
    assert api.get(f"{URL}{new_id()}/{path}/").status_code == 404


# --- However much there is -------------------------------------------------------------------------------------------


def test_a_card_shows_the_first_fifty_lessons(api, course):
    Lesson.objects.bulk_create(
        Lesson(course=course, owner=course.owner, title=f"L{order}", order=order) for order in range(4, 101)
    )
    Course.objects.filter(pk=course.pk).update(lesson_count=100)
    CourseFactory(owner=course.owner, title="Small")

    small, large = sorted(api.get(URL).json()["results"], key=lambda card: card["lesson_count"])
    assert [line["order"] for line in large["lessons"]] == list(range(1, 51))
    assert small["lessons"] == []
    assert len(api.get(f"{URL}{course.pk}/").json()["lessons"]) == 100


def test_a_course_has_a_thousand_lessons_at_most(client_for, course):
    Lesson.objects.bulk_create(
        Lesson(course=course, owner=course.owner, title="ы" * 200, order=order, description="ы" * 10_000)
        for order in range(4, 1001)
    )
    client = client_for("teacher")
    client.patch(f"{URL}{course.pk}/", {"title": "Long"})

    refused = client.post(f"{URL}{course.pk}/lessons/", {"title": "One more"})

    assert refused.status_code == 400
    assert [error["code"] for error in refused.json()["errors"]] == ["too_many_lessons"]
    answer = client.get(f"{URL}{course.pk}/")
    assert len(answer.json()["lessons"]) == 1000
    assert answer.json()["lessons"][-1]["description"] == "ы" * 250
    assert len(answer.content) < 2_000_000


def test_lists_of_lessons_carry_no_bodies(client_for, course):
    client = client_for("teacher")

    for path in (f"{URL}{course.pk}/lessons/", "/api/lessons/"):
        rows = client.get(path).json()["results"]
        assert rows
        assert all("body" not in row and row["attachments"] == [] for row in rows)
    assert "body" in client.get(f"/api/lessons/{rows[0]['id']}/").json()
