"""What the `type` of a problem leads to, and the one list that it is made from."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from common.problems import PROBLEMS, document
from common.testing import answers

ROOT = Path(settings.BASE_DIR)
APPS = ("common", "users", "materials", "payments", "assignments", "community", "config")
# Which argument of a call is the code of a problem, by the name of what is called.
CODE_OF = {
    "RuleBroken": 0,
    "problem": 1,
    "problem_response": 1,
    "AuthenticationFailed": "code",
    "PermissionDenied": "code",
}


def codes_in_the_source():
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if not {"tests", "testing", "stand_in", "migrations"} & set(path.relative_to(ROOT).parts):
                yield from codes_of(ast.parse(path.read_text()))


def codes_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            place = CODE_OF.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            if isinstance(place, int) and len(node.args) > place:
                yield from texts(node.args[place])
            yield from (code for word in node.keywords if word.arg == place for code in texts(word.value))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "default_code":
            yield from texts(node.value)


def texts(node):
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def codes_in_the_schema():
    """What the operations say of their errors, as `common.schema.problems` writes it."""
    for operations in answers.document()["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "description" in response:
                    yield from re.findall(r"^([a-z_]+): ", response["description"])
                    # What a 400 names besides is found in `errors`, at the fields.
                    yield from re.findall(r"`([a-z]+_[a-z_]+)`", response["description"]) if status != "400" else ()


def test_the_walk_finds_codes():
    assert {"own_course", "server_error", "no_active_account", "payment_provider_unavailable"} <= set(
        codes_in_the_source()
    )
    assert {"own_course", "payment_required", "email_not_verified"} <= set(codes_in_the_schema())


@pytest.mark.parametrize("code", sorted({*codes_in_the_source(), *codes_in_the_schema()}))
def test_every_code_of_the_product_is_in_the_list(code):
    assert code in PROBLEMS, "say in common/problems.py what it means, and run make schema"


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_each_has_a_page(api, code):
    in_json = api.get(f"/problems/{code}/")
    page = api.get(f"/problems/{code}", headers={"Accept": "text/html", "Accept-Language": "ru"})

    assert (in_json.status_code, in_json["Content-Type"]) == (200, "application/json")
    assert in_json.json()["code"] == code
    assert in_json.json()["type"] == f"http://testserver/problems/{code}"
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert code in page.text
    with translation.override("ru"):
        assert str(PROBLEMS[code].meaning) in page.text.replace("&#x27;", "'").replace("&quot;", '"')
        assert re.search("[а-я]", str(PROBLEMS[code].meaning))
        assert re.search("[а-я]", str(PROBLEMS[code].advice))


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_an_unknown_code(api, accept):
    response = api.get("/problems/no_such_code/", headers={"Accept": accept})

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html" if accept == "text/html" else "application/problem+json")


def test_the_list_in_the_documents_is_that_of_the_code():
    with translation.override("en"):
        assert (ROOT / "docs" / "problems.md").read_text() == document(), "run make schema"
