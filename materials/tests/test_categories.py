"""Categories, which admins keep and everyone reads."""

import pytest

from materials.models import Category, Course
from materials.tests.factories import CategoryFactory, CourseFactory

URL = "/api/categories/"
NEW = {"slug": "design", "title": "Дизайн", "order": 3}


@pytest.fixture
def category(db):
    return CategoryFactory(slug="python", title="Python", order=1)


@pytest.mark.parametrize("who", ["anonymous", "student", "teacher", "moderator", "admin"])
def test_everyone_reads(client_for, category, who):
    client = client_for(who)

    listed, one = client.get(URL), client.get(f"{URL}{category.pk}/")

    assert (listed.status_code, one.status_code) == (200, 200)
    assert listed.json()["results"] == [one.json()]
    assert one.json() == {"id": str(category.pk), "slug": "python", "title": "Python", "order": 1, "course_count": 0}


WRITERS = [("anonymous", 401), ("student", 403), ("teacher", 403), ("moderator", 403), ("admin", None)]


@pytest.mark.parametrize(("who", "refusal"), WRITERS)
def test_who_creates(client_for, db, who, refusal):
    response = client_for(who).post(URL, NEW)

    assert response.status_code == (refusal or 201)
    assert Category.objects.filter(slug="design").count() == (refusal is None)


@pytest.mark.parametrize("method", ["patch", "put"])
@pytest.mark.parametrize(("who", "refusal"), WRITERS)
def test_who_changes(client_for, category, method, who, refusal):
    response = getattr(client_for(who), method)(f"{URL}{category.pk}/", NEW)

    category.refresh_from_db()
    assert response.status_code == (refusal or 200)
    assert (category.title == "Дизайн") is (refusal is None)


@pytest.mark.parametrize(("who", "refusal"), WRITERS)
def test_who_deletes(client_for, category, who, refusal):
    response = client_for(who).delete(f"{URL}{category.pk}/")

    assert response.status_code == (refusal or 204)
    assert Category.objects.exists() is (refusal is not None)


def test_courses_outlive_their_category(client_for, category):
    course = CourseFactory(category=category)

    client_for("admin").delete(f"{URL}{category.pk}/")

    assert Course.objects.get(pk=course.pk).category is None


@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_slug_is_unique(client_for, category, method):
    where = URL if method == "post" else f"{URL}{CategoryFactory().pk}/"

    response = getattr(client_for("admin"), method)(where, {"slug": "python", "title": "Another"})

    assert response.status_code == 400
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("slug", "unique")]


@pytest.mark.parametrize("slug", ["", "two words", "дизайн", "a/b", "x" * 51, None])
def test_bad_slugs(client_for, db, slug):
    response = client_for("admin").post(URL, {"slug": slug, "title": "New"})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["slug"]


@pytest.mark.parametrize("who", ["anonymous", "student", "teacher", "admin"])
def test_only_published_courses_are_counted(client_for, category, teacher, who):
    for status in ("published", "published", "draft", "archived"):
        CourseFactory(owner=teacher, category=category, status=status)
    CourseFactory()

    response = client_for(who).get(URL)

    assert [line["course_count"] for line in response.json()["results"]] == [2]


def test_the_order(api, db):
    for slug, title, order in (("c", "В", 1), ("b", "Б", 2), ("a", "А", 2)):
        CategoryFactory(slug=slug, title=title, order=order)

    response = api.get(URL)

    assert [line["slug"] for line in response.json()["results"]] == ["c", "a", "b"]


def test_courses_of_a_category(api, category):
    CourseFactory(category=category, title="In it")
    CourseFactory(title="Outside")

    answers = [api.get("/api/courses/", {"category": name}).json() for name in ("python", str(category.pk), "none")]

    assert [[course["title"] for course in answer["results"]] for answer in answers] == [["In it"], ["In it"], []]


@pytest.mark.parametrize("by", ["slug", "pk"])
def test_a_course_names_its_category(client_for, category, by):
    response = client_for("teacher").post("/api/courses/", {"title": "New", "category": str(getattr(category, by))})

    assert response.status_code == 201
    assert response.json()["category"] == {"id": str(category.pk), "slug": "python", "title": "Python"}


@pytest.mark.parametrize("name", ["none", "00000000-0000-0000-0000-000000000000", 1, [], {}])
def test_a_course_names_a_category_that_is_not_there(client_for, category, name):
    response = client_for("teacher").post("/api/courses/", {"title": "New", "category": name})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["category"]


@pytest.mark.parametrize("categories", [1, 5])
def test_queries(api, db, django_assert_max_num_queries, categories):
    for _ in range(categories):
        CourseFactory(category=CategoryFactory())

    with django_assert_max_num_queries(2):
        response = api.get(URL)

    assert [line["course_count"] for line in response.json()["results"]] == [1] * categories
