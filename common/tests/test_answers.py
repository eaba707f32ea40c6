"""What holds the suite's answers to the OpenAPI document (common.testing.answers) sees each way to contradict it."""

import json

import pytest
import yaml
from django.http import HttpResponse
from rest_framework.test import APIClient

from common.testing import answers

PAPER = {
    "type": "object",
    "required": ["id", "title", "writer"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "title": {"type": "string", "nullable": True},
        "writer": {"anyOf": [{"$ref": "#/components/schemas/Writer"}, {"enum": [None]}]},
        "share": {"type": "number", "maximum": 1, "exclusiveMaximum": True},
        "free": {"type": "object", "additionalProperties": {}},
    },
}
SMALL = {
    "paths": {
        "/api/papers/{id}/": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Paper"}}}},
                    "204": {"description": "Nothing."},
                    "404": {"$ref": "#/components/responses/404"},
                }
            }
        },
        "/api/papers/new/": {"get": {"responses": {"204": {"description": "Nothing."}}}},
    },
    "components": {
        "schemas": {
            "Paper": PAPER,
            "Writer": {"type": "object", "properties": {"name": {"type": "string"}}},
            "Problem": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
        },
        "responses": {
            "404": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        },
    },
}
GOOD = {"id": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "title": None, "writer": None, "share": 0.5, "free": {"a": 1}}
CACHES = (answers.document, answers.template_of, answers._addresses, answers._registry, answers._validator)


@pytest.fixture
def _small_document(tmp_path, monkeypatch):
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(SMALL))
    monkeypatch.setattr(answers, "DOCUMENT", tmp_path / "openapi.yaml")
    forget()
    yield
    forget()


def forget():
    for cache in CACHES:
        cache.cache_clear()


def check(body, *, status=200, kind="application/json", method="GET", path="/api/papers/7/"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answers.check(method, path, HttpResponse(content, status=status, content_type=kind))


@pytest.mark.usefixtures("_small_document")
@pytest.mark.parametrize(
    "body", [GOOD, {**GOOD, "writer": {"name": "Anna"}}, {**GOOD, "writer": {}}, {**GOOD, "free": {}}]
)
def test_what_fits(body):
    check(body)


@pytest.mark.usefixtures("_small_document")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**GOOD, "extra": 1}, "extra"),
        ({**GOOD, "writer": {"name": "Anna", "age": 7}}, "age"),
        ({name: value for name, value in GOOD.items() if name != "title"}, "title"),
        ({**GOOD, "id": None}, "id"),
        ({**GOOD, "id": "seven"}, "uuid"),
        ({**GOOD, "share": 1}, "share"),
        ([GOOD], "object"),
    ],
    ids=["extra", "extra below", "missing", "null", "format", "bound", "list"],
)
def test_a_body_that_does_not_fit(body, told):
    with pytest.raises(answers.ContradictionError, match=told):
        check(body)


@pytest.mark.usefixtures("_small_document")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"body": GOOD, "status": 201}, "201 is not documented"),
        ({"body": GOOD, "kind": "text/plain"}, "text/plain is not documented"),
        ({"body": GOOD, "status": 204}, "no body"),
        ({"body": b"{", "status": 200}, "no JSON"),
        ({"body": {"code": "not_found"}, "status": 404}, "application/json is not documented"),
        ({"body": {"code": "x"}, "status": 404, "kind": "application/problem+json"}, "what 'x' means"),
        ({"body": {"detail": "x"}, "status": 404, "kind": "application/problem+json"}, "code"),
        ({"body": GOOD, "method": "POST"}, "method is not in the document"),
        ({"body": {}, "method": "POST", "status": 405, "kind": "application/problem+json"}, "code"),
        ({"body": {"code": "x"}, "path": "/api/elsewhere/", "status": 404}, "not application/problem"),
        ({"body": GOOD, "path": "/api/papers/new/"}, "200 is not documented"),
    ],
)
def test_an_answer_of_another_kind(answer, told):
    with pytest.raises(answers.ContradictionError, match=told):
        check(**answer)


@pytest.mark.django_db
def test_the_suites_clients_are_watched(client, monkeypatch):
    seen = []
    monkeypatch.setattr(answers, "check", lambda method, path, response: seen.append((method, path)))

    APIClient().get("/api/courses/")
    client.get("/api/courses/")

    assert seen == [("GET", "/api/courses/")] * 2


def test_schemas_are_joined_in_no_way_that_closing_them_would_break():
    """`allOf` of several closed objects would fit nothing: a schema that adds members to another spells all out."""
    assert not [path for path, node in each_node(answers.document()) if len(node.get("allOf", [])) > 1]


def test_what_may_be_null_says_so_beside_its_type():
    assert not [path for path, node in each_node(answers.document()) if node.get("nullable") and "type" not in node]


def each_node(node, path=""):
    if isinstance(node, dict):
        yield path, node
        for name, child in node.items():
            yield from each_node(child, f"{path}.{name}")
    elif isinstance(node, list):
        for child in node:
            yield from each_node(child, path)
