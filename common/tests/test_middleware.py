"""What caches may keep, and what they must tell apart."""

import logging
import logging.config

import pytest
from django.conf import settings as project
from django.core.exceptions import SuspiciousOperation

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
    exposed = set(response["Access-Control-Expose-Headers"].split(", "))
    assert {"Content-Disposition", "ETag", "Retry-After", "Location", "X-Request-ID", "Upload-Offset"} <= exposed


@pytest.mark.parametrize("port", ["", ":3000", ":4200", ":5173", ":8080", ":65000"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_pages_of_this_machine_are_let_in_while_nobody_else_comes(api, host, port):
    response = api.get(COURSES, headers={"Origin": f"http://{host}{port}"})

    assert response["Access-Control-Allow-Origin"] == f"http://{host}{port}"


@pytest.mark.parametrize(
    "origin", ["http://localhost.evil.test", "http://127.0.0.1.evil.test:3000", "http://evil.test:5173", "null"]
)
def test_what_only_looks_like_this_machine_is_not_let_in(api, origin):
    assert not api.get(COURSES, headers={"Origin": origin}).has_header("Access-Control-Allow-Origin")


@pytest.mark.parametrize(
    "header",
    ["authorization", "content-type", "accept-language", "if-none-match", "idempotency-key", "traceparent",
     "tracestate", "x-request-id", "x-requested-with", "tus-resumable", "upload-length", "upload-offset",
     "upload-metadata", "upload-checksum", "cache-control", "range"],
)  # fmt: skip
def test_a_preflight_lets_a_header_in(api, settings, header):
    settings.CORS_ALLOWED_ORIGINS = ["https://lyceum.test"]
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}

    response = api.options(COURSES, headers={"Origin": "https://lyceum.test", **asked})

    assert response.status_code == 200
    assert header in [name.strip() for name in response["Access-Control-Allow-Headers"].split(",")]
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(response["Access-Control-Allow-Methods"].split(", "))


# --- Hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", [COURSES, "/nowhere/", "/admin/login/"])
@pytest.mark.parametrize("host", ["evil.test", "evil test", "a" * 5000, "[::", "<b>"])
def test_a_wrong_host_is_a_400_and_a_line(client, settings, caplog, path, host, debug):
    settings.DEBUG = debug

    response = client.get(path, headers={"Host": host, "Accept-Language": "ru"})

    assert response.status_code == 400
    assert response["Content-Type"].startswith("application/problem+json")
    assert response.json()["code"] == "bad_request"
    assert "имен" in response.json()["detail"]
    (line,) = caplog.messages
    assert "Refused a request from 127.0.0.1 for the host" in line
    assert len(line) < 250
    assert all(record.exc_info is None for record in caplog.records)


def test_what_django_logs_of_malformed_requests_is_a_line(capfd):
    logging.config.dictConfig(project.LOGGING)
    try:
        raise SuspiciousOperation("odd")
    except SuspiciousOperation as error:
        logging.getLogger("django.security.SuspiciousOperation").error(str(error), exc_info=error)

    assert len(capfd.readouterr().err.splitlines()) == 1
