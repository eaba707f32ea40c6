"""Subscribing to a course's updates: the toggle, its alias, and the two idempotent calls."""

import pytest

from common.ids import new_id
from materials.models import Subscription
from materials.tests.factories import CourseFactory

TOGGLE = "/api/courses/toggle-subscribe/"
ALIAS = "/api/course-subscribe/"
BOTH = pytest.mark.parametrize("url", [TOGGLE, ALIAS])


def subscribed(user, course):
    return Subscription.objects.filter(user=user, course=course).count()


@pytest.fixture
def draft(teacher):
    return CourseFactory(owner=teacher, status="draft")


@BOTH
def test_toggling(client_for, student, course, url):
    client = client_for("student")

    answers = [client.post(url, {"course_id": course.pk}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json()["is_subscribed"] for answer in answers] == [True, False, True]
    assert all(answer.json()["message"] for answer in answers)
    assert subscribed(student, course) == 1


@BOTH
def test_toggling_is_each_ones_own(client_for, student, other, course, url):
    client_for("other").post(url, {"course_id": course.pk})

    response = client_for("student").post(url, {"course_id": course.pk})

    assert response.json()["is_subscribed"] is True
    assert (subscribed(student, course), subscribed(other, course)) == (1, 1)


def test_the_alias_toggles_the_same(client_for, student, course):
    client = client_for("student")
    client.post(TOGGLE, {"course_id": course.pk})

    response = client.post(ALIAS, {"course_id": course.pk})

    assert response.json()["is_subscribed"] is False
    assert subscribed(student, course) == 0


@BOTH
@pytest.mark.parametrize("body", [{}, *({"course_id": bad} for bad in ("", None, "nonsense", "7", [], {}, "0" * 31))])
def test_a_bad_course_id(client_for, student, course, url, body):
    response = client_for("student").post(url, body)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["course_id"]
    assert not Subscription.objects.exists()


@BOTH
def test_an_unknown_course(client_for, student, url):
    response = client_for("student").post(url, {"course_id": new_id()})

    assert response.status_code == 404


@BOTH
@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 404), ("other", 404), ("teacher", 200), ("moderator", 200), ("admin", 200)],
)
def test_who_may_toggle_a_draft(client_for, draft, url, who, status):
    response = client_for(who).post(url, {"course_id": draft.pk})

    assert response.status_code == status
    assert Subscription.objects.count() == (status == 200)


def test_subscribing(client_for, student, course):
    response = client_for("student").post(f"/api/courses/{course.pk}/subscription/")

    assert response.status_code == 201
    assert response.json()["is_subscribed"] is True
    assert subscribed(student, course) == 1


def test_subscribing_again(client_for, student, course):
    client = client_for("student")
    client.post(f"/api/courses/{course.pk}/subscription/")

    response = client.post(f"/api/courses/{course.pk}/subscription/")

    assert response.status_code == 200
    assert response.json()["is_subscribed"] is True
    assert subscribed(student, course) == 1


def test_unsubscribing_twice(client_for, student, course):
    client = client_for("student")
    client.post(f"/api/courses/{course.pk}/subscription/")

    statuses = [client.delete(f"/api/courses/{course.pk}/subscription/").status_code for _ in range(2)]

    assert statuses == [204, 204]
    assert subscribed(student, course) == 0


def test_unsubscribing_leaves_others_alone(client_for, student, other, course):
    client_for("other").post(f"/api/courses/{course.pk}/subscription/")

    client_for("student").delete(f"/api/courses/{course.pk}/subscription/")

    assert subscribed(other, course) == 1


@pytest.mark.parametrize("method", ["post", "delete"])
@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("student", 404), ("other", 404)])
def test_a_hidden_draft(client_for, draft, method, who, status):
    response = getattr(client_for(who), method)(f"/api/courses/{draft.pk}/subscription/")

    assert response.status_code == status
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("who", ["student", "enrolled", "other", "moderator", "admin"])
def test_courses_say_whether_the_caller_is_subscribed(client_for, course, who):
    client = client_for(who)
    before = client.get(f"/api/courses/{course.pk}/").json()["is_subscribed"]
    client.post(TOGGLE, {"course_id": course.pk})

    detail = client.get(f"/api/courses/{course.pk}/").json()["is_subscribed"]
    card = client.get("/api/courses/").json()["results"][0]["is_subscribed"]

    assert (before, detail, card) == (False, True, True)


def test_nobody_else_looks_subscribed(client_for, api, course):
    client_for("student").post(TOGGLE, {"course_id": course.pk})

    seen = [client.get(f"/api/courses/{course.pk}/").json()["is_subscribed"] for client in (api, client_for("other"))]

    assert seen == [False, False]


def test_no_get(client_for, course):
    response = client_for("student").get(TOGGLE)

    assert response.status_code == 405
