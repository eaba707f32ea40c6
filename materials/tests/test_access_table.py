"""Who may do what: every route of the catalogue, every method, every member of the cast."""

import itertools

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.urls import URLPattern, get_resolver, resolve

from conftest import CAST
from materials.models import Course, Lesson, Review
from materials.tests.factories import (
    AttachmentFactory,
    CategoryFactory,
    EnrollmentFactory,
    ReviewFactory,
    SubscriptionFactory,
)
from users.models import User

COURSE = {"title": "New"}
LESSON = {"title": "New"}
CATEGORY = {"slug": "new", "title": "New"}
ATTACHMENT = {"title": "New", "url": "https://www.youtube.com/watch?v=9bZkp7q19f0"}
REVIEW = {"rating": 4}

# The lesson is a closed one, the review somebody else's; everyone is subscribed; the course costs something.
# (method, path, body, the statuses of CAST in its order)
TABLE = [
    #                                                             anon stud enro teac othe mode admi
    ("GET", "/api/courses/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/courses/", COURSE, (401, 201, 201, 201, 201, 403, 201)),
    ("GET", "/api/courses/popular/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/courses/{course}/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("PUT", "/api/courses/{course}/", COURSE, (401, 403, 403, 200, 403, 200, 200)),
    ("PATCH", "/api/courses/{course}/", COURSE, (401, 403, 403, 200, 403, 200, 200)),
    ("DELETE", "/api/courses/{course}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("POST", "/api/courses/{course}/subscription/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("DELETE", "/api/courses/{course}/subscription/", None, (401, 204, 204, 204, 204, 204, 204)),
    ("POST", "/api/courses/{course}/enrollment/", None, (401, 402, 200, 409, 402, 402, 402)),
    ("DELETE", "/api/courses/{course}/enrollment/", None, (401, 204, 204, 204, 204, 204, 204)),
    ("POST", "/api/courses/toggle-subscribe/", {"course_id": "{course}"}, (401, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/users/me/materials/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/categories/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/categories/", CATEGORY, (401, 403, 403, 403, 403, 403, 201)),
    ("GET", "/api/categories/{category}/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("PUT", "/api/categories/{category}/", CATEGORY, (401, 403, 403, 403, 403, 403, 200)),
    ("PATCH", "/api/categories/{category}/", CATEGORY, (401, 403, 403, 403, 403, 403, 200)),
    ("DELETE", "/api/categories/{category}/", None, (401, 403, 403, 403, 403, 403, 204)),
    ("GET", "/api/lessons/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/lessons/", {**LESSON, "course": "{course}"}, (401, 403, 403, 201, 403, 403, 201)),
    ("GET", "/api/lessons/{lesson}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", "/api/lessons/{lesson}/", LESSON, (401, 403, 403, 200, 403, 200, 200)),
    ("PATCH", "/api/lessons/{lesson}/", LESSON, (401, 403, 403, 200, 403, 200, 200)),
    ("DELETE", "/api/lessons/{lesson}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", "/api/courses/{course}/lessons/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/courses/{course}/lessons/", LESSON, (401, 403, 403, 201, 403, 403, 201)),
    ("GET", "/api/courses/{course}/lessons/{lesson}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", "/api/courses/{course}/lessons/{lesson}/", LESSON, (401, 403, 403, 200, 403, 200, 200)),
    ("PATCH", "/api/courses/{course}/lessons/{lesson}/", LESSON, (401, 403, 403, 200, 403, 200, 200)),
    ("DELETE", "/api/courses/{course}/lessons/{lesson}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", "/api/lessons/{lesson}/attachments/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", "/api/lessons/{lesson}/attachments/", ATTACHMENT, (401, 403, 403, 201, 403, 403, 201)),
    ("DELETE", "/api/lessons/{lesson}/attachments/{attachment}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", "/api/lessons/{lesson}/attachments/{attachment}/file/", None, (401, 403, 200, 200, 403, 200, 200)),
    (
        "GET",
        "/api/courses/{course}/lessons/{lesson}/attachments/{attachment}/file/",
        None,
        (401, 403, 200, 200, 403, 200, 200),
    ),
    ("GET", "/api/courses/{course}/lessons/{lesson}/attachments/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", "/api/courses/{course}/lessons/{lesson}/attachments/", ATTACHMENT, (401, 403, 403, 201, 403, 403, 201)),
    (
        "DELETE",
        "/api/courses/{course}/lessons/{lesson}/attachments/{attachment}/",
        None,
        (401, 403, 403, 204, 403, 403, 204),
    ),
    ("GET", "/api/courses/{course}/reviews/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/courses/{course}/reviews/", REVIEW, (401, 403, 201, 403, 403, 403, 403)),
    ("GET", "/api/courses/{course}/reviews/{review}/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("PUT", "/api/courses/{course}/reviews/{review}/", REVIEW, (401, 403, 403, 403, 403, 403, 200)),
    ("PATCH", "/api/courses/{course}/reviews/{review}/", REVIEW, (401, 403, 403, 403, 403, 403, 200)),
    ("DELETE", "/api/courses/{course}/reviews/{review}/", None, (401, 403, 403, 403, 403, 403, 204)),
]
# Those that lead into one course, whether the path or the body names it.
IN_COURSE = [row for row in TABLE if "{course}" in f"{row[1]}{row[2]}" or "{lesson}" in row[1]]
ENROLLMENT = ("POST", "/api/courses/{course}/enrollment/")
# What answers with success to somebody for whom it was so already.
NOTHING_TO_DO = {
    ("POST", "/api/courses/{course}/subscription/"): set(CAST),
    ("DELETE", "/api/courses/{course}/enrollment/"): set(CAST) - {"enrolled"},
    ENROLLMENT: {"enrolled"},
}


@pytest.fixture
def ids(request, db):
    """What the paths of the table are filled in with."""
    people = {who: request.getfixturevalue(who) for who in CAST if who != "anonymous"}
    course = request.getfixturevalue("course")
    for user in people.values():
        SubscriptionFactory(user=user, course=course)
    lesson = course.lessons.get(order=2)
    reviewer = EnrollmentFactory(course=course).user
    return {
        "course": course.pk,
        "lesson": lesson.pk,
        "attachment": AttachmentFactory(lesson=lesson, url="", file=ContentFile(b"text", name="notes.txt")).pk,
        "review": ReviewFactory(course=course, author=reviewer).pk,
        "category": CategoryFactory().pk,
    }


def world():
    """Every row of the app, and what an access rule must not touch beside it."""
    models = apps.get_app_config("materials").get_models()
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def send(client, row, ids):
    method, path, body, _statuses = row
    filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in (body or {}).items()}
    return getattr(client, method.lower())(path.format(**ids), filled if body else None)


def cells(rows, cast=CAST):
    return [pytest.param(row, who, id=f"{row[0]}-{row[1]}-{who}") for row, who in itertools.product(rows, cast)]


def check(client, row, who, ids, status):
    before = world()
    response = send(client, row, ids)

    assert response.status_code == status, response.content
    silent = row[0] == "GET" or status >= 400 or who in NOTHING_TO_DO.get(row[:2], ())
    assert (world() == before) is silent


# --- A published course ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "who"), cells(TABLE))
def test_published(client_for, ids, row, who):
    check(client_for(who), row, who, ids, row[3][CAST.index(who)])


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row[0]}-{row[1]}") for row in TABLE if row[3][0] == 401])
def test_whoever_has_to_sign_in_is_told_how(api, ids, row):
    assert send(api, row, ids).headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_whoever_wrote_a_review_changes_it(sign_in_as, ids, method):
    client = sign_in_as(Review.objects.get(pk=ids["review"]).author)
    row = next(row for row in TABLE if row[:2] == (method, "/api/courses/{course}/reviews/{review}/"))

    check(client, row, "reviewer", ids, 204 if method == "DELETE" else 200)


# --- A draft ---------------------------------------------------------------------------------------------------------


def hidden(row, who):
    """What somebody hears who may not know that there is such a course."""
    return 401 if who == "anonymous" and row[0] != "GET" else 404


@pytest.mark.parametrize(("row", "who"), cells(IN_COURSE, ("anonymous", "student", "enrolled", "other")))
def test_a_draft_does_not_exist_for_others(client_for, ids, row, who):
    Course.objects.update(status="draft")

    check(client_for(who), row, who, ids, hidden(row, who))


@pytest.mark.parametrize(("row", "who"), cells(IN_COURSE, ("teacher", "moderator", "admin")))
def test_a_draft_for_those_who_make_it(client_for, ids, row, who):
    Course.objects.update(status="draft")

    check(client_for(who), row, who, ids, 409 if row[:2] == ENROLLMENT else row[3][CAST.index(who)])


# --- An archived course ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "who"), cells(IN_COURSE, ("anonymous", "student", "other")))
def test_an_archived_course_does_not_exist_for_others(client_for, ids, row, who):
    Course.objects.update(status="archived")

    check(client_for(who), row, who, ids, hidden(row, who))


@pytest.mark.parametrize(("row", "who"), cells(IN_COURSE, ("enrolled", "teacher", "moderator", "admin")))
def test_an_archived_course_for_those_who_study_or_make_it(client_for, ids, row, who):
    Course.objects.update(status="archived")
    closed = row[:2] == ENROLLMENT and who != "enrolled"

    check(client_for(who), row, who, ids, 409 if closed else row[3][CAST.index(who)])


# --- Nothing has been forgotten --------------------------------------------------------------------------------------


def routes(resolver):
    """The (name, method) pairs that the resolver serves."""
    for entry in resolver.url_patterns:
        if not isinstance(entry, URLPattern):
            yield from routes(entry)
        elif actions := getattr(entry.callback, "actions", None):
            served = {*entry.callback.cls.http_method_names} - {"head"}
            yield from ((entry.name, method.upper()) for method in actions if method in served)
        else:
            view = entry.callback.view_class
            methods = [method for method in view.http_method_names if method not in {"head", "options"}]
            yield from ((entry.name, method.upper()) for method in methods if hasattr(view, method))


def test_every_route_stands_in_the_table():
    unknown = dict.fromkeys(
        ("course", "lesson", "attachment", "review", "category"), "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    )

    in_table = {(resolve(path.format(**unknown)).url_name, method) for method, path, _body, _statuses in TABLE}

    assert in_table == set(routes(get_resolver("materials.urls")))


@pytest.mark.parametrize("path", sorted({row[1] for row in TABLE}))
def test_other_methods_are_405(client_for, ids, path):
    served = {row[0] for row in TABLE if row[1] == path}
    client = client_for("admin")
    before = world()

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - served:
        assert getattr(client, method.lower())(path.format(**ids), {}).status_code == 405, method

    assert world() == before


# --- Whose token it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["Bearer x", "Bearer a.b.c", "Bearer ", "Bearer \x00"])
def test_a_bad_token_is_401_even_where_anyone_reads(api, course, token):
    api.credentials(HTTP_AUTHORIZATION=token)

    assert api.get("/api/courses/").status_code == 401


def test_someone_deactivated_is_401(client_for, teacher, course):
    client = client_for("teacher")
    User.objects.filter(pk=teacher.pk).update(is_active=False)

    assert client.patch(f"/api/courses/{course.pk}/", COURSE).status_code == 401
    assert Course.objects.get().title == "Python basics"


def test_the_owner_of_the_course_manages_lessons_that_someone_else_added(client_for, course, admin):
    lesson = course.lessons.get(order=2)
    Lesson.objects.filter(pk=lesson.pk).update(owner=admin)

    assert client_for("teacher").patch(f"/api/lessons/{lesson.pk}/", LESSON).status_code == 200
