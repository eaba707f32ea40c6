import json
from itertools import product

import pytest
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users.models import User
from users.tests.factories import PASSWORD, UserFactory

URL = "/api/auth/register/"
ANNA = {"email": "anna@test.io", "password": "korrekt-horse-9"}

# What nobody may say of themselves: (field, value).
FORBIDDEN = [
    ("id", "01a1fc36-b10d-7069-8ba8-62c24965f34f"),
    ("is_staff", True),
    ("is_superuser", True),
    ("is_active", False),
    ("is_moderator", True),
    ("groups", [1]),
    ("user_permissions", [1]),
    ("email_verified_at", "2020-01-01T00:00:00Z"),
    ("last_login", "2020-01-01T00:00:00Z"),
    ("last_seen_at", "2020-01-01T00:00:00Z"),
    ("date_joined", "2020-01-01T00:00:00Z"),
    ("created_at", "2020-01-01T00:00:00Z"),
    ("updated_at", "2020-01-01T00:00:00Z"),
    ("deactivated_at", "2020-01-01T00:00:00Z"),
    ("deactivation_reason", "deleted"),
    ("token_version", 7),
    ("in_moderators", True),
]

pytestmark = pytest.mark.django_db


def errors_of(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def test_answers_with_the_profile(api):
    response = api.post(URL, {**ANNA, "first_name": "Анна", "username": "anna.k", "phone": "+7 900 123-45-67"})

    assert response.status_code == 201, response.json()
    body = response.json()
    assert body["id"] == str(User.objects.get().pk)
    assert (body["email"], body["first_name"], body["username"]) == ("anna@test.io", "Анна", "anna.k")
    assert (body["role"], body["is_active"], body["email_verified_at"]) == ("student", True, None)
    assert body["date_joined"].endswith("Z")


def test_answer_holds_no_password(api):
    response = api.post(URL, ANNA)

    assert "password" not in response.json()
    assert ANNA["password"] not in response.content.decode()


def test_password_is_stored_as_a_hash(api):
    api.post(URL, ANNA)

    user = User.objects.get()
    assert user.password != ANNA["password"]
    assert user.check_password(ANNA["password"])


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_roles_to_choose_from(api, role):
    response = api.post(URL, {**ANNA, "role": role})

    assert response.status_code == 201
    assert User.objects.get().role == role


@pytest.mark.parametrize("role", ["admin", "moderator", "superuser", "TEACHER", "", None, 1, ["teacher"]])
def test_other_roles_are_refused(api, role):
    response = api.post(URL, {**ANNA, "role": role})

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "role"
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short-1", "password_too_short"),
        ("password123", "password_too_common"),
        ("49302715820", "password_entirely_numeric"),
        ("anna@test.io", "password_too_similar"),
        ("Krasnoyarskaya", "password_too_similar"),
        ("x" * 129, "max_length"),
        ("", "blank"),
        (None, "null"),
        ("korrekt\x00horse-9", "null_characters_not_allowed"),
    ],
)
def test_weak_passwords(api, password, code):
    response = api.post(URL, {**ANNA, "last_name": "Krasnoyarskaya", "password": password})

    assert response.status_code == 400
    assert errors_of(response) == [("password", code)]
    assert not User.objects.exists()


def test_spaces_around_a_password_belong_to_it(api):
    api.post(URL, {**ANNA, "password": "  korrekt-horse-9 "})

    assert User.objects.get().check_password("  korrekt-horse-9 ")


@pytest.mark.parametrize("email", ["anna@test.io", "ANNA@test.io", "Anna@Test.IO", " anna@test.io "])
def test_taken_email_in_any_case(api, email):
    UserFactory(email="anna@test.io")

    response = api.post(URL, {**ANNA, "email": email})

    assert response.status_code == 400
    assert errors_of(response) == [("email", "unique")]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "email", ["", None, "anna", "anna@", "@test.io", "a b@test.io", "a@test.io\nBcc: b@test.io", 5]
)
def test_no_email(api, email):
    response = api.post(URL, {**ANNA, "email": email})

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "email"


@pytest.mark.parametrize("username", ["ann", "a" * 30, "Anna.K_9-x", None])
def test_usernames(api, username):
    response = api.post(URL, {**ANNA, "username": username})

    assert response.status_code == 201
    assert response.json()["username"] == username


@pytest.mark.parametrize("username", ["", "an", "a" * 31, "a b c", "anna!", "anna@test.io", "анна", "an\nna", "<b>x"])
def test_bad_usernames(api, username):
    response = api.post(URL, {**ANNA, "username": username})

    assert response.status_code == 400
    assert {attr for attr, _code in errors_of(response)} == {"username"}
    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["Anna", "anna", "ANNA"])
def test_taken_username_in_any_case(api, username):
    UserFactory(username="Anna")

    response = api.post(URL, {**ANNA, "username": username})

    assert response.status_code == 400
    assert errors_of(response) == [("username", "unique")]
    assert User.objects.count() == 1


def test_many_people_without_a_username(api):
    UserFactory(username=None)

    response = api.post(URL, ANNA)

    assert response.status_code == 201


@pytest.mark.parametrize("phone", ["abc", "+7 900 123-45-67 89 01 23", "12", "<script>"])
def test_bad_phones(api, phone):
    response = api.post(URL, {**ANNA, "phone": phone})

    assert errors_of(response)[0][0] == "phone"


def test_unknown_fields_are_ignored(api):
    response = api.post(URL, {**ANNA, "favourite_colour": "green"})

    assert response.status_code == 201


@pytest.mark.parametrize(("field", "value"), FORBIDDEN)
@pytest.mark.parametrize("form", ["json", "multipart"])
def test_fields_that_nobody_forces(api, field, value, form):
    response = api.post(URL, {**ANNA, field: value}, format=form)

    assert response.status_code == 201
    user = User.objects.get()
    assert user.pk.hex != "01a1fc36b10d70698ba862c24965f34f"
    assert (user.role, user.is_staff, user.is_superuser, user.is_active) == ("student", False, False, True)
    assert (user.token_version, user.deactivation_reason, user.deactivated_at) == (0, "", None)
    assert (user.email_verified_at, user.last_login, user.last_seen_at) == (None, None, None)
    assert user.date_joined.year > 2020
    assert user.created_at.year > 2020
    assert not user.groups.exists()
    assert not user.user_permissions.exists()


BODIES = {
    "broken": b'{"email": "anna@test.io", ',
    "not utf-8": b'{"email": "\xff\xfe"}',
    "nested 5,000 deep": b'{"email": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "nested 900 deep": b'{"email": ' + b"[" * 900 + b"]" * 900 + b"}",
    "NUL": b'{"email": "anna\\u0000@test.io", "password": "korrekt-horse-9"}',
    "NUL in a name": b'{"email": "anna@test.io", "password": "korrekt-horse-9", "first_name": "a\\u0000"}',
    "lone surrogate": b'{"email": "anna@test.io", "password": "korrekt-horse-9", "first_name": "\\ud800"}',
    "list": b'[{"email": "anna@test.io", "password": "korrekt-horse-9"}]',
    "string": b'"anna@test.io"',
    "number": b"1e400",
    "null": b"null",
    "NaN": b'{"email": NaN}',
    "empty": b"",
    "objects for strings": b'{"email": {"a": 1}, "password": {"b": 2}, "first_name": [3]}',
    "huge number": b'{"email": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_that_are_no_registration(api, body):
    response = api.post(URL, body, content_type="application/json")

    assert response.status_code == 400, response.content[:300]
    assert response["Content-Type"] == "application/problem+json"
    assert not User.objects.exists()


def test_body_of_more_than_2_mb(api):
    response = api.post(URL, {**ANNA, "city": "x" * (2 * 1024 * 1024)})

    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


def test_body_of_almost_2_mb_is_read(api):
    body = json.dumps({**ANNA, "ignored": "x" * (2 * 1024 * 1024 - 200)})

    response = api.post(URL, body, content_type="application/json")

    assert response.status_code == 201


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/octet-stream", "text/json", "x"]
)
def test_other_content_types(api, content_type):
    response = api.post(URL, json.dumps(ANNA).encode(), content_type=content_type)

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


def test_multipart_without_a_boundary(api):
    response = api.post(URL, b"--x\r\n", content_type="multipart/form-data")

    assert response.status_code == 400


def test_multipart_with_a_nul(api):
    response = api.post(URL, {**ANNA, "first_name": "a\x00b"}, format="multipart")

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "first_name"


@pytest.mark.parametrize(("header", "language"), [("ru", "ru"), ("en-GB, ru;q=0.5", "en"), ("de", "en"), (None, "en")])
def test_language_is_that_of_the_request(api, header, language):
    """English is the tests' own, for whoever names none that we speak."""
    response = api.post(URL, ANNA, headers={"Accept-Language": header} if header else {})

    assert response.json()["language"] == language


def test_register_does_not_ask_who_calls(api):
    api.credentials(HTTP_AUTHORIZATION="Bearer of-bad-news")

    response = api.post(URL, ANNA)

    assert response.status_code == 201


def test_throttle(api, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "register": "2/hour"})
    statuses = [api.post(URL, {**ANNA, "email": f"{n}@test.io"}).status_code for n in range(3)]

    assert statuses == [201, 201, 429]


def test_throttle_counts_the_alias_in(api, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "register": "2/hour"})
    urls = [URL, "/api/users/register/", "/api/users/"]
    statuses = [api.post(url, {**ANNA, "email": f"{n}@test.io"}).status_code for n, url in enumerate(urls)]

    assert statuses == [201, 201, 429]


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attr", ["email", "username"])
def test_sixteen_at_once_register_one(attr):
    variants = ["".join(letters) for letters in product("aA", "nN", "nN", "aA")]

    def register(number):
        body = {"email": f"username{number}@test.io", "password": PASSWORD}
        body[attr] = f"{variants[number]}@Test.io" if attr == "email" else variants[number]
        client = APIClient(raise_request_exception=False)
        return client.post(URL, body)

    responses = at_once(16, register)

    assert sorted(response.status_code for response in responses) == [201] + [400] * 15
    assert {errors_of(r)[0] for r in responses if r.status_code == 400} == {(attr, "unique")}
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "email",
    [
        "=?utf-8?q?victim?=@test.io",
        "=?iso8859_13?B?_?=@test.io",
        '"a b"@test.io',
        '""@test.io',
        "\u043aelvin@test.io",  # Cyrillic
    ],
)
def test_an_address_is_what_it_says(api, email):
    """The standard library decodes some of these: their letters would go to another's mailbox."""
    response = api.post(URL, {**ANNA, "email": email})

    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "email")
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["o'neill@test.io", "a+b@test.io", "x_y.z-1@test.io"])
def test_addresses_that_people_have(api, email):
    assert api.post(URL, {**ANNA, "email": email}).status_code == 201


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"email": "bad", "password": "1"}, {"email", "password"}),
        ({"email": "new@test.io", "password": "1", "first_name": "x" * 999}, {"first_name", "password"}),
        ({"email": "taken@test.io", "password": "1"}, {"email", "password"}),
        ({"email": "bad", "password": "1", "username": "a b"}, {"email", "password", "username"}),
        ({"email": "bad", "password": "1", "role": "nope"}, {"email", "password", "role"}),
        ({"email": "bad", "password": "long-enough-9", "username": "taken"}, {"email", "username"}),
    ],
)
def test_all_that_is_wrong_is_named_at_once(api, db, body, wrong):
    UserFactory(email="taken@test.io", username="taken")

    answer = api.post("/api/auth/register/", body)

    assert answer.status_code == 400
    assert {error["attr"] for error in answer.json()["errors"]} == wrong


def test_a_token_opens_no_other_account_of_attempts(api, sign_in_as, monkeypatch):
    """Each person that an address has registered would have a number of their own to register."""
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "register": "1/hour"})
    body = {"email": "first@test.io", "password": PASSWORD}
    assert api.post("/api/users/", body).status_code == 201
    signed_in = sign_in_as(User.objects.get(email="first@test.io"))

    assert signed_in.post("/api/users/", {**body, "email": "second@test.io"}).status_code == 429
