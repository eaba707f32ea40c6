"""Each alias answers as its canonical route."""

import pytest
from django.urls import resolve

from config.compat_urls import ALIASES
from users.models import User
from users.tests.factories import PASSWORD
from users.tokens import issue_pair

pytestmark = pytest.mark.django_db


def keys(response):
    return sorted(response.json()) if response.content else []


def check_alike(first, second, status):
    assert (first.status_code, second.status_code) == (status, status)
    assert keys(first) == keys(second)
    assert first["Content-Type"] == second["Content-Type"]


def both(canonical, alias):
    return pytest.mark.parametrize("path", [canonical, alias], ids=["canonical", "alias"])


# --- Registering and logging in --------------------------------------------------------------------------------------


REGISTER_ROUTES = ["/api/auth/register/", "/api/users/register/", "/api/users/"]


@pytest.mark.parametrize("path", REGISTER_ROUTES)
def test_register(api, path):
    response = api.post(path, {"email": "boris@test.io", "password": "correct-horse-7"})

    assert response.status_code == 201, response.json()
    assert User.objects.get(email="boris@test.io").check_password("correct-horse-7")
    assert "password" not in response.json()


def test_registering_answers_alike(api):
    answers = [
        api.post(path, {"email": f"boris{number}@test.io", "password": "correct-horse-7"})
        for number, path in enumerate(REGISTER_ROUTES)
    ]

    for answer in answers[1:]:
        check_alike(answers[0], answer, 201)


@pytest.mark.parametrize("path", REGISTER_ROUTES)
def test_a_weak_password_is_refused_alike(api, path):
    response = api.post(path, {"email": "boris@test.io", "password": "1"})

    assert response.status_code == 400
    assert {error["attr"] for error in response.json()["errors"]} == {"password"}


@pytest.mark.parametrize("path", REGISTER_ROUTES)
def test_nobody_registers_an_admin(api, path):
    api.post(path, {"email": "boris@test.io", "password": "correct-horse-7", "role": "admin", "is_superuser": True})

    assert not any(user.is_staff for user in User.objects.filter(email="boris@test.io"))


@pytest.mark.parametrize("alias", ["/api/token/", "/api/auth/login/"])
def test_log_in(api, student, alias):
    body = {"email": student.email, "password": PASSWORD}

    check_alike(api.post("/api/auth/token/", body), api.post(alias, body), 200)


@pytest.mark.parametrize("alias", ["/api/token/", "/api/auth/login/"])
def test_log_in_with_a_wrong_password(api, student, alias):
    body = {"email": student.email, "password": "wrong"}

    check_alike(api.post("/api/auth/token/", body), api.post(alias, body), 401)


def test_refresh(api, student):
    canonical = api.post("/api/auth/token/refresh/", {"refresh": issue_pair(student)["refresh"]})
    alias = api.post("/api/token/refresh/", {"refresh": issue_pair(student)["refresh"]})

    check_alike(canonical, alias, 200)


def test_a_refresh_token_is_used_up_on_either_route(api, student):
    token = issue_pair(student)["refresh"]
    api.post("/api/token/refresh/", {"refresh": token})

    response = api.post("/api/auth/token/refresh/", {"refresh": token})

    assert response.status_code == 401


# --- The profile -----------------------------------------------------------------------------------------------------


def test_profile(client_for):
    client = client_for("student")

    check_alike(client.get("/api/users/me/"), client.get("/api/profile/"), 200)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_profile_is_changed(client_for, student, method):
    response = getattr(client_for("student"), method)("/api/profile/", {"city": "Omsk", "email": student.email})

    assert response.status_code == 200, response.json()
    student.refresh_from_db()
    assert student.city == "Omsk"


def test_profile_is_deleted(client_for, student):
    response = client_for("student").delete("/api/profile/", {"password": PASSWORD})

    assert response.status_code == 204
    student.refresh_from_db()
    assert not student.is_active


@both("/api/users/me/", "/api/profile/")
def test_profile_is_for_people_with_a_token(api, path):
    response = api.get(path)

    assert response.status_code == 401


# --- Courses and payments --------------------------------------------------------------------------------------------


def test_toggling_a_subscription(client_for, course):
    client = client_for("enrolled")

    on = client.post("/api/course-subscribe/", {"course_id": str(course.pk)})
    off = client.post("/api/courses/toggle-subscribe/", {"course_id": str(course.pk)})

    check_alike(on, off, 200)
    assert on.json() != off.json()


def test_buying(client_for, course, stripe):
    first = client_for("student").post("/api/payments/create/", {"paid_course": str(course.pk)})
    second = client_for("student").post("/api/payments/", {"paid_course": str(course.pk)})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["payment_id"] == second.json()["payment_id"]


def test_payments_of_my_own(client_for, course, stripe):
    client = client_for("student")
    client.post("/api/payments/", {"paid_course": str(course.pk)})

    canonical, alias = client.get("/api/payments/"), client.get("/api/users/payments/")

    assert canonical.json()["count"] == 1
    assert alias.json() == canonical.json()


@pytest.mark.parametrize("who", ["moderator", "admin"])
def test_payments_of_my_own_are_no_one_elses(client_for, course, stripe, who):
    client_for("student").post("/api/payments/", {"paid_course": str(course.pk)})

    response = client_for(who).get("/api/users/payments/")

    assert response.json()["count"] == 0


# --- All -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alias", sorted(ALIASES))
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_anonymous_requests_without_a_body_answer_alike(api, alias, method):
    if (alias, method) in {("/api/payments/create/", "get"), ("/api/users/payments/", "post")}:
        pytest.skip("this alias stands for the other half of its route")
    canonical, _view = ALIASES[alias]

    first, second = getattr(api, method)(canonical), getattr(api, method)(alias)

    assert first.status_code == second.status_code
    assert first["Content-Type"] == second["Content-Type"]


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_throttles_count_both_routes_as_one(alias):
    """An alias is no second chance to guess: what limits a route is kept by the view, not by its address."""
    canonical, _view = ALIASES[alias]

    def scope(path):
        view = resolve(path).func
        return getattr(getattr(view, "cls", view), "throttle_scope", None)

    assert scope(alias) == scope(canonical)
