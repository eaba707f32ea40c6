"""Bodies, at the edges of what is read."""

import pytest
from django.http import UnreadablePostError
from rest_framework.test import APIClient

from common.parsers import MAX_DEPTH

TOKEN = "/api/auth/token/"
FORM = "application/x-www-form-urlencoded"

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return APIClient(raise_request_exception=False)


def nested(levels):
    return b'{"email":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(("levels", "code"), [(MAX_DEPTH, "validation_error"), (MAX_DEPTH + 1, "parse_error")])
def test_levels_of_json(browser, levels, code):
    response = browser.generic("POST", TOKEN, nested(levels), "application/json")

    assert (response.status_code, response.json()["code"]) == (400, code)


def test_wide_is_not_deep(browser):
    body = b'{"email": [' + b",".join([b"[]"] * 10_000) + b"]}"

    response = browser.generic("POST", TOKEN, body, "application/json")

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")


def test_a_form_is_read(api, student):
    response = api.generic("POST", TOKEN, b"email=student%40test.io&password=correct-horse-7", FORM)

    assert response.status_code == 200


@pytest.mark.parametrize("body", [b"email=%ff%fe&password=%00", b"&&&===", b"email", b"\xff\xfe"])
def test_a_broken_form(browser, body):
    response = browser.generic("POST", TOKEN, body, FORM)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")


def multipart(fields):
    part = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\nvalue\r\n'
    return ("".join(part.format(number) for number in range(fields)) + "--x--\r\n").encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("&".join(f"{number}=value" for number in range(5000)).encode(), FORM),
        (multipart(5000), "multipart/form-data; boundary=x"),
        (b"no form at all", "multipart/form-data; boundary="),
        (b"no form at all", "multipart/form-data; boundary=\xff"),
    ],
    ids=["fields of a form", "fields of a multipart form", "no boundary", "odd boundary"],
)
def test_forms_that_are_refused(browser, body, content_type):
    response = browser.generic("POST", TOKEN, body, content_type)

    assert (response.status_code, response.json()["code"]) == (400, "parse_error")


def test_a_multipart_form_that_breaks_off(browser):
    response = browser.generic("POST", TOKEN, multipart(2)[:-30], "multipart/form-data; boundary=x")

    assert response.status_code == 400


def test_a_client_that_goes_away(browser, monkeypatch):
    def gone(stream):
        raise UnreadablePostError("connection reset")

    monkeypatch.setattr("common.parsers._read", gone)

    response = browser.post(TOKEN, {"email": "anna@test.io"})

    assert (response.status_code, response.json()["code"]) == (400, "parse_error")
