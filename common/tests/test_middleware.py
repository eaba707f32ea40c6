"""What caches may keep, and what they must tell apart."""

import pytest

from users.tests.factories import PASSWORD

COURSES = "/api/courses/"
ME = "/api/users/me/"

pytestmark = pytest.mark.django_db


def directives(response):
    return {part.strip() for part in response["Cache-Control"].split(",")}


def test_what_everyone_sees_may_be_kept_but_is_asked_for_again(api, course):
    response = api.get(COURSES)

    assert directives(response) == {"public", "no-cache"}


@pytest.mark.parametrize("path", [COURSES, ME])
def test_answers_to_a_person_stay_out_of_shared_caches(client_for, path):
    response = client_for("student").get(path)

    assert directives(response) == {"private", "no-cache"}


def test_a_refused_token_counts_as_a_person(api, db):
    response = api.get(COURSES, headers={"Authorization": "Bearer dead"})

    assert directives(response) == {"private", "no-cache"}


def test_tokens_are_kept_nowhere(api, student):
    response = api.post("/api/auth/token/", {"email": student.email, "password": PASSWORD})

    assert response.status_code == 200
    assert directives(response) == {"private", "no-store"}


def test_answers_to_writes_are_kept_nowhere(client_for):
    response = client_for("student").patch(ME, {"city": "Omsk"})

    assert response.status_code == 200
    assert directives(response) == {"private", "no-store"}


@pytest.mark.parametrize("path", [COURSES, ME, "/api/nowhere/"])
def test_vary(api, path):
    response = api.get(path)

    assert {"Accept-Language", "Authorization"} <= {name.strip() for name in response["Vary"].split(",")}


def test_health_is_kept_nowhere(api):
    response = api.get("/healthz/")

    assert "no-store" in directives(response)


# --- ETags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["anonymous", "student", "teacher"])
def test_what_has_not_changed_is_not_sent_again(client_for, course, who):
    client = client_for(who)
    etag = client.get(COURSES)["ETag"]

    response = client.get(COURSES, headers={"If-None-Match": etag})

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == etag
    assert response["Cache-Control"]


def test_a_single_course_has_an_etag(api, course):
    etag = api.get(f"{COURSES}{course.pk}/")["ETag"]

    response = api.get(f"{COURSES}{course.pk}/", headers={"If-None-Match": etag})

    assert response.status_code == 304


def test_what_has_changed_is_sent_again(api, client_for, course):
    etag = api.get(COURSES)["ETag"]
    client_for("teacher").patch(f"{COURSES}{course.pk}/", {"title": "Python in depth"})

    response = api.get(COURSES, headers={"If-None-Match": etag})

    assert response.status_code == 200
    assert response["ETag"] != etag


@pytest.mark.parametrize("header", ["nonsense", '"other"', "W/", '"', "\x00"])
def test_an_etag_of_somebody_elses(api, course, header):
    response = api.get(COURSES, headers={"If-None-Match": header})

    assert response.status_code == 200


def test_an_error_is_told_again(api):
    etag = api.get("/nowhere/")["ETag"]

    response = api.get("/nowhere/", headers={"If-None-Match": etag})

    assert response.status_code == 404


def test_answers_to_writes_have_no_etag(client_for):
    response = client_for("student").patch(ME, {"city": "Omsk"})

    assert not response.has_header("ETag")


# --- Safety ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [COURSES, "/healthz/", "/nowhere/", "/admin/login/"])
def test_safety_headers(api, path):
    response = api.get(path)

    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert "default-src 'self'" in response["Content-Security-Policy"]


def test_strangers_pages_are_not_let_in(api):
    response = api.get(COURSES, headers={"Origin": "https://evil.test"})

    assert not response.has_header("Access-Control-Allow-Origin")


def test_a_page_of_ours_is_let_in(api, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://lyceum.test"]

    response = api.get(COURSES, headers={"Origin": "https://lyceum.test"})

    assert response["Access-Control-Allow-Origin"] == "https://lyceum.test"
    exposed = response["Access-Control-Expose-Headers"].split(", ")
    assert {"Content-Disposition", "ETag", "Retry-After"} <= set(exposed)


def test_a_preflight_is_answered(api, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://lyceum.test"]

    response = api.options(
        COURSES,
        headers={
            "Origin": "https://lyceum.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,accept-language,if-none-match",
        },
    )

    assert response.status_code == 200
    allowed = response["Access-Control-Allow-Headers"]
    assert {"authorization", "content-type", "if-none-match"} <= {name.strip() for name in allowed.split(",")}
