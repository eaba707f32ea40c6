"""What a search entry is made of, and what the vocabulary keeps."""

import random

import pytest
from django.urls import reverse

from materials import indexing, tasks
from materials.models import Category, Course, CourseWord, SearchRefresh, SearchTerm
from materials.tests.factories import CategoryFactory, CourseFactory
from materials.tests.test_admin import form_of
from users.services import anonymise_user

NEW = "Zymurgy"


def found(api, text):
    return [each["title"] for each in api.get("/api/courses/", {"search": text}).json()["results"]]


@pytest.fixture
def described(course, teacher):
    """A course each of whose ingredients has a word of its own, all of them indexed."""
    teacher.first_name, teacher.last_name, teacher.username = "Wilhelmina", "Archimedean", "quaternion"
    teacher.save()
    course.category = CategoryFactory(title="Ornithology")
    course.title, course.description = "Xylophone", "Mandolin"
    course.save()
    course.lessons.filter(order=2).update(title="Euphonium", description="Clavichord")
    indexing.index_course(course.pk)
    return course


@pytest.fixture
def office(client, admin):
    client.force_login(admin)
    return client


def by_api(path, **sent):
    def write(world):
        course = world["course"]
        url = "/api/" + path.format(
            course=course.pk, lesson=course.lessons.get(order=2).pk, category=course.category_id, owner=course.owner_id
        )
        answer = world["client_for"]("teacher" if "me" in path else "admin").patch(url, sent)
        assert answer.status_code == 200, answer.json()

    return write


def by_page(what, **sent):
    def write(world):
        course, office = world["course"], world["office"]
        row = {"course": course, "lesson": course.lessons.get(order=2), "category": course.category}.get(
            what, course.owner
        )
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        form = {name: value for name, value in form_of(office.get(url)).items() if value != "[]"}
        answer = office.post(url, {**form, **sent})
        assert answer.status_code == 302, answer.context["errors"]

    return write


WRITES = {
    "title": ("xylophone", by_api("courses/{course}/", title=NEW), by_page("course", title=NEW)),
    "description": ("mandolin", by_api("courses/{course}/", description=NEW), by_page("course", description=NEW)),
    "lesson's title": ("euphonium", by_api("lessons/{lesson}/", title=NEW), by_page("lesson", title=NEW)),
    "lesson's description": (
        "clavichord", by_api("lessons/{lesson}/", description=NEW), by_page("lesson", description=NEW)
    ),
    "category's title": ("ornithology", by_api("categories/{category}/", title=NEW), by_page("category", title=NEW)),
    "owner's first name": ("wilhelmina", by_api("users/me/", first_name=NEW), by_page("owner", first_name=NEW)),
    "owner's last name": ("archimedean", by_api("users/{owner}/", last_name=NEW), by_page("owner", last_name=NEW)),
    "owner's handle": ("quaternion", by_api("users/me/", username=NEW), by_page("owner", username=NEW)),
}  # fmt: skip


@pytest.mark.parametrize("way", [1, 2], ids=["api", "admin"])
@pytest.mark.parametrize("ingredient", WRITES)
def test_every_ingredient_refreshes_the_entry(api, client_for, office, described, ingredient, way):
    old = WRITES[ingredient][0]
    assert len(found(api, old)) == 1

    WRITES[ingredient][way]({"course": described, "client_for": client_for, "office": office})

    assert (len(found(api, old)), len(found(api, NEW))) == (0, 1)


def test_a_category_that_is_deleted(api, client_for, described):
    client_for("admin").delete(f"/api/categories/{described.category_id}/")

    assert (found(api, "ornithology"), len(found(api, "xylophone"))) == ([], 1)
    assert not Category.objects.exists()


def test_an_author_who_leaves(client_for, described, teacher):
    anonymise_user(teacher)

    admin = client_for("admin")
    assert (found(admin, "wilhelmina"), found(admin, "archimedean"), found(admin, "quaternion")) == ([], [], [])
    assert len(found(admin, "xylophone")) == 1


def test_many_courses_of_one_person(api, client_for, teacher, monkeypatch):
    """The first follow at once, the others by the task."""
    monkeypatch.setattr(indexing, "AT_ONCE", 1)
    for course in CourseFactory.create_batch(3, owner=teacher):
        indexing.index_course(course.pk)

    client_for("teacher").patch("/api/users/me/", {"first_name": NEW})

    assert len(found(api, NEW)) == 1
    assert tasks.refresh_search() == 2
    assert len(found(api, NEW)) == 3
    assert not SearchRefresh.objects.exists()


# --- The vocabulary --------------------------------------------------------------------------------------------------


def random_words(number):
    dice = random.Random(number)
    return " ".join("".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(number))


def test_the_vocabulary_of_a_course_is_bounded(client_for, course):
    """9.9 kB of random words left 13,000 rows."""
    client_for("teacher").patch(f"/api/courses/{course.pk}/", {"description": random_words(1100)})

    assert CourseWord.objects.filter(course=course).count() <= 2 * indexing.MAX_SPELLINGS
    assert SearchTerm.objects.count() < 4500


def test_words_that_are_used_no_more_leave_the_vocabulary(client_for, course):
    client, url = client_for("teacher"), f"/api/courses/{course.pk}/"
    client.patch(url, {"description": "Python"})
    before = set(SearchTerm.objects.values_list("deletion", "term"))
    client.patch(url, {"description": random_words(1100)})

    client.patch(url, {"description": "Python"})

    assert set(SearchTerm.objects.values_list("deletion", "term")) == before


def test_words_of_another_course_stay(api, client_for, teacher):
    one, two = CourseFactory.create_batch(2, owner=teacher, description="harpsichord")
    indexing.index_course(one.pk)
    indexing.index_course(two.pk)

    client_for("teacher").patch(f"/api/courses/{one.pk}/", {"description": ""})

    assert found(api, "harpsicord") == [two.title]


@pytest.mark.parametrize("way", ["api", "otherwise"])
def test_words_of_a_deleted_course_leave_the_vocabulary(client_for, teacher, way):
    course = CourseFactory(owner=teacher, description=random_words(30))
    indexing.index_course(course.pk)

    if way == "api":
        assert client_for("teacher").delete(f"/api/courses/{course.pk}/").status_code == 204
    else:
        Course.objects.all().delete()
        tasks.tidy_vocabulary()

    assert not SearchTerm.objects.exists()


def test_words_that_are_missing_come_back(api, teacher):
    course = CourseFactory(owner=teacher, description="harpsichord")
    indexing.index_course(course.pk)
    SearchTerm.objects.all().delete()

    tasks.tidy_vocabulary()

    assert found(api, "harpsicord") == [course.title]
