from urllib.parse import parse_qs, urlsplit

import pytest

from materials.models import Course
from materials.tests.factories import CourseFactory

COURSES = "/api/courses/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue(teacher):
    """25 courses: more than a page."""
    return [CourseFactory(owner=teacher, title=f"Course {number:02}") for number in range(25)]


def ids(response):
    return [row["id"] for row in response.json()["results"]]


def query_of(link):
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def test_an_empty_list(api):
    response = api.get(COURSES)

    assert response.json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_first_page(api, catalogue):
    body = api.get(COURSES).json()

    assert (body["count"], len(body["results"]), body["previous"]) == (25, 20, None)
    assert body["next"] == "http://testserver/api/courses/?page=2"


def test_last_page(api, catalogue):
    body = api.get(COURSES, {"page": 2}).json()

    assert (body["count"], len(body["results"]), body["next"]) == (25, 5, None)
    assert body["previous"] == "http://testserver/api/courses/"


def test_a_page_in_the_middle(api, catalogue):
    body = api.get(COURSES, {"page": 2, "page_size": 10}).json()

    assert query_of(body["next"]) == {"page": "3", "page_size": "10"}
    assert query_of(body["previous"]) == {"page_size": "10"}


def test_a_page_that_is_just_full_is_the_last(api, catalogue):
    body = api.get(COURSES, {"page_size": 25}).json()

    assert (len(body["results"]), body["next"]) == (25, None)


def test_following_the_links_meets_every_row_once(api, catalogue):
    met, link = [], f"{COURSES}?page_size=4"
    while link:
        response = api.get(link)
        met += ids(response)
        link = response.json()["next"]

    assert sorted(met) == sorted(str(course.pk) for course in catalogue)


def test_rows_that_are_equal_in_order_are_met_once(api, catalogue):
    Course.objects.update(title="The same")

    met = [
        pk for page in range(1, 6) for pk in ids(api.get(COURSES, {"ordering": "title", "page": page, "page_size": 5}))
    ]

    assert len(set(met)) == 25


def test_links_keep_the_filters(api, catalogue):
    body = api.get(COURSES, {"is_free": "true", "ordering": "-title", "page_size": 10}).json()

    assert query_of(body["next"]) == {
        "is_free": "true", "ordering": "-title", "page_size": "10", "page": "2",
    }  # fmt: skip


def test_the_count_is_that_of_what_is_filtered(api, catalogue):
    Course.objects.filter(title__in=["Course 01", "Course 02"]).update(price="10.00")

    body = api.get(COURSES, {"is_free": "false", "page_size": 1}).json()

    assert (body["count"], len(body["results"])) == (2, 1)


def test_a_page_has_a_hundred_rows_at_most(api, teacher):
    CourseFactory.create_batch(101, owner=teacher)

    body = api.get(COURSES, {"page_size": 1000}).json()

    assert len(body["results"]) == 100
    assert body["next"]


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", " ", "1e3", "٣", "²", "+1", "1\x00", "0x1", "last"])
@pytest.mark.parametrize("name", ["page", "page_size"])
def test_garbage(api, catalogue, name, value):
    response = api.get(COURSES, {name: value})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [name]


@pytest.mark.parametrize("value", ["3", "10000000", "10000001", "9999999999", "1" * 300, "1" * 5000])
def test_pages_that_do_not_exist(api, catalogue, value):
    response = api.get(COURSES, {"page": value})

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("value", ["101", "9999999999", "1" * 300])
def test_sizes_beyond_the_limit(api, catalogue, value):
    response = api.get(COURSES, {"page_size": value})

    assert response.status_code == 200


def test_a_far_page_of_an_enormous_size(api, catalogue):
    response = api.get(COURSES, {"page": "10000000", "page_size": "100"})

    assert response.status_code == 404


@pytest.mark.parametrize("rows", [1, 5])
def test_a_page_and_its_count_are_one_query(client_for, rows, django_assert_num_queries, teacher):
    """The caller, the people with their number, and the courses that they teach."""
    client = client_for("admin")

    with django_assert_num_queries(3):
        client.get("/api/users/", {"page_size": rows})
