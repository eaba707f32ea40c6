"""One error shape, wherever the error arises."""

import json

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from common.ids import new_id
from materials.models.content import CourseQuerySet
from materials.views import CourseViewSet
from users.views import RegisterView

COURSES = "/api/courses/"
ME = "/api/users/me/"
PREFERENCES = "/api/users/notifications/preferences/"
TOKEN = "/api/auth/token/"
TOO_LARGE = 2 * 1024 * 1024 + 1

pytestmark = pytest.mark.django_db


def check_problem(response, status, code):
    """The whole shape; what differs between errors is their status and code."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"http://testserver/problems/{code}"
    assert body["title"]
    assert body["detail"]
    assert bool(body["errors"]) is (code == "validation_error")
    assert all(set(error) == {"attr", "code", "detail"} for error in body["errors"])


def raising(error):
    def method(*args, **kwargs):
        raise error

    return method


@pytest.fixture
def browser():
    """A failure of the server is an answer, as it is to a browser."""
    return APIClient(raise_request_exception=False)


# --- 400 -------------------------------------------------------------------------------------------------------------


def test_a_question_tells_of_its_key_and_of_the_rest(client_for, course):
    quiz = {"title": "x" * 500, "questions": [{"kind": "text", "text": "", "points": 0}]}

    response = client_for("teacher").post(f"{COURSES}{course.pk}/quizzes/", quiz)

    told = {error["attr"] for error in response.json()["errors"]}
    assert told == {"title", "questions.0.text", "questions.0.points", "questions.0.accepted_answers"}


def test_a_payment_tells_of_its_item_and_of_its_method(client_for):
    response = client_for("student").post("/api/payments/", {"payment_method": "shells"})

    assert {error["attr"] for error in response.json()["errors"]} == {"paid_course", "payment_method"}


def test_a_hundred_errors_are_told_of_at_most(client_for, course):
    quiz = {"title": "x", "questions": [{"kind": "x" * 5000}] * 200}

    response = client_for("teacher").post(f"{COURSES}{course.pk}/quizzes/", quiz)

    check_problem(response, 400, "validation_error")
    assert len(response.json()["errors"]) == 100
    assert len(response.content) < 100_000


def test_more_preferences_than_there_are_kinds(client_for):
    response = client_for("student").put(PREFERENCES, [{"kind": "x", "in_app": True}] * 60_000)

    check_problem(response, 400, "validation_error")
    assert [error["code"] for error in response.json()["errors"]] == ["max_length"]


def test_a_field_that_is_not_valid(api):
    response = api.post(TOKEN, {"email": "anna"})

    check_problem(response, 400, "validation_error")
    assert {error["attr"] for error in response.json()["errors"]} == {"email", "password"}


@pytest.mark.parametrize(
    ("body", "attrs"),
    [
        ([{"kind": "zzz"}], ["0.kind"]),
        ([None], ["0"]),
        (["enrolled"], ["0.non_field_errors"]),
        ([{"kind": "enrolled", "in_app": "x"}, {"kind": "zzz", "in_app": "x"}], ["0.in_app", "1.kind", "1.in_app"]),
        ({}, ["non_field_errors"]),
    ],
)
def test_what_is_wrong_in_a_list_is_told_with_its_index(client_for, body, attrs):
    response = client_for("student").put(PREFERENCES, body)

    check_problem(response, 400, "validation_error")
    assert [error["attr"] for error in response.json()["errors"]] == attrs


def test_what_two_validators_say_is_said_once(api):
    response = api.post("/api/auth/register/", {"email": "nobody", "password": "correct-horse-7"})

    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("email", "invalid")]


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"\xff", b'{"email": NaN}', b"[" * 100_000, b'{"a":' * 200 + b"1" + b"}" * 200],
    ids=["cut", "empty", "no UTF-8", "NaN", "open brackets", "200 levels"],
)
def test_a_body_that_is_no_json(browser, body):
    response = browser.generic("POST", TOKEN, body, "application/json")

    check_problem(response, 400, "validation_error" if body == b"" else "parse_error")


def test_a_hundred_levels_of_json_are_read(browser):
    body = b'{"a":' * 99 + b"1" + b"}" * 99

    response = browser.generic("POST", TOKEN, body, "application/json")

    check_problem(response, 400, "validation_error")


def test_a_form_without_a_boundary(browser):
    response = browser.generic("POST", TOKEN, b"x", "multipart/form-data")

    check_problem(response, 400, "parse_error")


def test_a_host_that_is_not_ours(browser):
    response = browser.get("/", headers={"Host": "evil.test"})

    check_problem(response, 400, "bad_request")


# --- 401, 403 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "not_authenticated"), ("Bearer abc", "token_not_valid"), ("Bearer a b", "authentication_failed")],
)
def test_without_credentials(api, header, code):
    response = api.get(ME, headers={"Authorization": header} if header else {})

    check_problem(response, 401, code)
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_wrong_password(api):
    response = api.post(TOKEN, {"email": "anna@test.io", "password": "wrong"})

    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_what_one_may_not_do(client_for, course):
    response = client_for("student").patch(f"{COURSES}{course.pk}/", {"title": "Mine"})

    check_problem(response, 403, "permission_denied")


def test_a_form_of_the_admin_without_its_token():
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a", "password": "b"})

    check_problem(response, 403, "csrf_failed")


# --- 404, 405, 413, 415 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/nowhere/", "/api/", "/api/nowhere/", "/api/courses", f"{COURSES}not-an-id/", f"{COURSES}1/", f"{COURSES}%00/"],
)
def test_unknown_paths(api, path):
    response = api.get(path)

    check_problem(response, 404, "not_found")


def test_an_unknown_id(api):
    response = api.get(f"{COURSES}{new_id()}/")

    check_problem(response, 404, "not_found")


def test_a_page_that_does_not_exist(api):
    response = api.get(COURSES, {"page": 2})

    check_problem(response, 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("delete", TOKEN), ("get", TOKEN), ("put", "/api/courses/popular/")])
def test_a_method_that_is_not_there(client_for, method, path):
    response = getattr(client_for("admin"), method)(path)

    check_problem(response, 405, "method_not_allowed")
    assert response["Allow"]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_over_2_mb(browser, content_type):
    response = browser.generic("POST", TOKEN, b"a" * TOO_LARGE, content_type)

    check_problem(response, 413, "body_too_large")


def test_a_form_field_over_2_mb(browser):
    response = browser.post(TOKEN, {"email": "a" * TOO_LARGE}, format="multipart")

    check_problem(response, 413, "body_too_large")


def test_a_body_of_just_2_mb(browser):
    body = b'{"email": "anna"}'.ljust(TOO_LARGE - 1)

    response = browser.generic("POST", TOKEN, body, "application/json")

    check_problem(response, 400, "validation_error")


def test_a_content_type_that_nobody_reads(browser):
    response = browser.generic("POST", TOKEN, b"<email/>", "application/xml")

    check_problem(response, 415, "unsupported_media_type")


# --- 409, 429, 500, 503 ----------------------------------------------------------------------------------------------


def test_a_race_that_the_database_decides(browser, monkeypatch):
    monkeypatch.setattr(RegisterView, "create", raising(IntegrityError("UNIQUE constraint failed")))

    response = browser.post("/api/auth/register/", {})

    check_problem(response, 409, "conflict")
    assert "UNIQUE" not in response.content.decode()


def test_too_many_requests(api, monkeypatch):
    monkeypatch.setattr(
        SimpleRateThrottle, "THROTTLE_RATES", {"anon": "1/min", "user": None, "login": None, "register": None}
    )
    api.get(COURSES)

    response = api.get(COURSES)

    check_problem(response, 429, "throttled")
    assert 0 < int(response["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("language", "wait", "detail"),
    [
        ("en", 1, "Too many requests. Try again in 1 second."),
        ("en", 2.5, "Too many requests. Try again in 3 seconds."),
        ("ru", 1, "Слишком много запросов. Попробуйте снова через 1 секунду."),
        ("ru", 22, "Слишком много запросов. Попробуйте снова через 22 секунды."),
        ("ru", 45, "Слишком много запросов. Попробуйте снова через 45 секунд."),
        ("ru", None, "Слишком много запросов."),
    ],
)
def test_when_to_come_back_is_said_in_the_callers_language(api, monkeypatch, language, wait, detail):
    monkeypatch.setattr(CourseViewSet, "get_queryset", raising(Throttled(wait)))

    response = api.get(COURSES, headers={"Accept-Language": language})

    check_problem(response, 429, "throttled")
    assert response.json()["detail"] == detail


def test_each_person_has_a_rate_of_their_own(client_for, monkeypatch):
    monkeypatch.setattr(
        SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": "1/min", "login": None, "register": None}
    )
    statuses = [client_for(who).get(ME).status_code for who in ("student", "student", "teacher")]

    assert statuses == [200, 429, 200]


def test_a_forwarded_address_is_not_believed(api, monkeypatch):
    monkeypatch.setattr(
        SimpleRateThrottle, "THROTTLE_RATES", {"anon": "1/min", "user": None, "login": None, "register": None}
    )
    statuses = [api.get(COURSES, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(3)]

    assert statuses == [200, 429, 429]


def test_a_fault_of_the_api(browser, monkeypatch):
    monkeypatch.setattr(CourseViewSet, "list", raising(RuntimeError("the secret cause")))

    response = browser.get(COURSES)

    check_problem(response, 500, "server_error")
    assert "secret" not in response.content.decode()


def test_a_fault_outside_the_api(browser, monkeypatch):
    monkeypatch.setattr("common.views.add_never_cache_headers", raising(RuntimeError("the secret cause")))

    response = browser.get("/healthz/")

    check_problem(response, 500, "server_error")
    assert "secret" not in response.content.decode()


def test_the_database_is_away_in_the_api(browser, monkeypatch):
    monkeypatch.setattr(CourseQuerySet, "listed_for", raising(OperationalError("server closed the connection")))

    response = browser.get(COURSES)

    check_problem(response, 503, "service_unavailable")
    assert int(response["Retry-After"]) > 0


def test_the_database_is_away_outside_the_api(browser, monkeypatch):
    monkeypatch.setattr("common.views.add_never_cache_headers", raising(OperationalError("no connection")))

    response = browser.get("/healthz/")

    check_problem(response, 503, "service_unavailable")
    assert int(response["Retry-After"]) > 0


# --- Language and negotiation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"), [(ME, "not_authenticated"), ("/nowhere/", "not_found"), (f"{COURSES}?x=1", "validation_error")]
)
def test_the_language_changes_the_words_alone(api, path, code):
    russian = api.get(path, headers={"Accept-Language": "ru"})
    english = api.get(path, headers={"Accept-Language": "en"})

    assert russian.json()["code"] == english.json()["code"] == code
    assert russian.json()["detail"] != english.json()["detail"]
    assert not russian.json()["detail"].isascii()


@pytest.mark.parametrize(("headers", "language"), [({}, "ru"), ({"Accept-Language": "en"}, "en")])
def test_whoever_says_no_language_is_answered_in_their_own(client_for, student, headers, language):
    student.language = "ru"
    student.save()

    response = client_for("student").get(COURSES, {"nonsense": 1}, headers=headers)

    assert response.headers["Content-Language"] == language
    assert response.json()["detail"].isascii() is (language == "en")


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("put", PREFERENCES, None, "Данных нет."),
        ("put", PREFERENCES, {}, "Нужен список."),
        ("put", PREFERENCES, [1], "Нужен объект с полями."),
        ("put", PREFERENCES, [{"kind": "enrolled", "in_app": 7}], "Нужно true или false."),
        ("post", "/api/payments/", {"paid_course": "x"}, "Нужен UUID."),
        ("post", "/api/conversations/", {"recipient": "x", "text": "x"}, "Нужен UUID."),
        ("post", "/api/payments/", {"paid_course": str(new_id())}, "Такого объекта нет."),
        ("patch", ME, {"first_name": []}, "Нужна строка."),
        ("patch", ME, {"first_name": "x" * 1000}, "Символов должно быть не больше 100."),
        ("get", f"{COURSES}?price_min=1.234", None, "Убедитесь, что вы ввели не более 2 цифр после запятой."),
    ],
)
def test_what_a_library_says_is_told_in_russian(client_for, method, path, body, detail):
    client = client_for("student")

    response = client.generic(method.upper(), path, json.dumps(body), "application/json", HTTP_ACCEPT_LANGUAGE="ru")

    assert [error["detail"] for error in response.json()["errors"]] == [detail]


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("Bearer abc", "Токен недействителен или просрочен."),
        ("Bearer a b", "В заголовке Authorization нужны два слова через пробел: Bearer и токен."),
    ],
)
def test_what_is_wrong_with_a_token_is_told_in_russian(api, header, detail):
    response = api.get(ME, headers={"Authorization": header, "Accept-Language": "ru"})

    assert response.json()["detail"] == detail


def test_a_bad_cursor_is_told_in_russian(client_for):
    response = client_for("student").get("/api/users/notifications/?cursor=x", headers={"Accept-Language": "ru"})

    assert response.json()["detail"] == "Недействительный курсор."


def test_a_language_that_we_do_not_speak(api):
    response = api.get(ME, headers={"Accept-Language": "de, fr;q=0.5"})

    check_problem(response, 401, "not_authenticated")


@pytest.mark.parametrize("accept", ["application/problem+json", "text/html", "image/png", "nonsense"])
def test_nothing_is_not_acceptable(api, accept):
    response = api.get(COURSES, headers={"Accept": accept})

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", ["application/problem+json", "text/html"])
def test_errors_have_one_shape_for_every_accept(api, accept):
    response = api.get(ME, headers={"Accept": accept})

    check_problem(response, 401, "not_authenticated")


# --- The pages of the admin: what makes no sense leads back to the list ----------------------------------------------


@pytest.fixture
def office(client, admin):
    client.force_login(admin)
    return client


@pytest.mark.parametrize("model", ["materials/category", "auth/group", "django_celery_beat/periodictask"])
def test_selecting_what_is_no_row(office, model):
    path = f"/admin/{model}/"

    response = office.post(path, {"action": "delete_selected", "_selected_action": "x", "index": "0"}, follow=True)

    assert response.redirect_chain == [(path, 302)]
    assert [message.level_tag for message in response.context["messages"]] == ["warning"]


@pytest.mark.parametrize("query", ["created_at__year=0", "created_at__year=99999", "created_at__range="])
@pytest.mark.parametrize("model", ["materials/category", "materials/course"])
def test_a_date_that_is_none(office, model, query):
    response = office.get(f"/admin/{model}/?{query}")

    assert (response.status_code, response["Location"]) == (302, f"/admin/{model}/?e=1")


def test_what_one_database_takes_and_the_other_does_not(office):
    """A year that no time zone reaches, and a number that is too large."""
    assert office.get("/admin/materials/course/?created_at__year=1").status_code in {200, 302}
    many = {"action": "delete_selected", "_selected_action": "9" * 40}
    assert office.post("/admin/auth/group/", many).status_code in {200, 302}


@pytest.mark.parametrize("query", ["course=x", "course=%00", "user=" + "9" * 40, "expires_at=2026-01-01"])
def test_a_new_row_with_a_value_that_is_none(office, query):
    assert office.get(f"/admin/materials/enrollment/add/?{query}").status_code == 200


def test_a_new_row_with_a_value(office, course):
    response = office.get(f"/admin/materials/enrollment/add/?course={course.pk}")

    assert response.context["adminform"].form.initial == {"course": str(course.pk)}


def test_looking_for_a_nul(office):
    """PostgreSQL takes none."""
    fields = "app_label=materials&model_name=enrollment&field_name=course"

    assert office.get(f"/admin/autocomplete/?{fields}&term=a%00").status_code == 200
