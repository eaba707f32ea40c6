"""Lists carry what their screen shows: nobody can draw the id of a course. Each list of the OpenAPI document is looked
at, in lists of lists too."""

from pathlib import Path

import pytest
import yaml

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "openapi.yaml"
TITLED = {"course", "lesson", "assignment", "quiz", "paid_course", "paid_lesson"}
# The ids in a coupon are those of a form where an admin picks courses; a comment stands under what it is about.
FORMS = ("/coupons/", "/comments/")


def schema_of(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def objects_in(document, schema):
    """The properties of every object of an answer, at any depth."""
    schema = schema_of(document, schema)
    for part in [*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from objects_in(document, part)
    if "items" in schema:
        yield from objects_in(document, schema["items"])
    if "properties" in schema:
        yield schema["properties"]
        for part in schema["properties"].values():
            yield from objects_in(document, part)


def is_id(document, schema):
    return schema_of(document, schema).get("format") == "uuid"


@pytest.fixture(scope="module")
def document():
    return yaml.load(DOCUMENT.read_text(), Loader=yaml.CSafeLoader)


@pytest.fixture(scope="module")
def lists(document):
    """{path: schema of its 200} of every list, and of what is one's own, where lists stand within."""
    found = {}
    for path, operations in document["paths"].items():
        answer = operations.get("get", {}).get("responses", {}).get("200", {})
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            continue
        properties = schema_of(document, schema).get("properties", {})
        if "results" in properties or path.startswith("/api/users/me/") or path.endswith("/progress/"):
            found[path] = schema
    return found


def test_what_a_list_names_it_names_by_title(document, lists):
    nameless = [
        (path, name)
        for path, schema in lists.items()
        if not any(form in path for form in FORMS)
        for members in objects_in(document, schema)
        for name in TITLED & set(members)
        if is_id(document, members[name])
        # The client has asked for what stands in the path, and for what the row itself is sold as.
        and f"{name}_pk}}" not in path
        and f"{name}_title" not in members
        and not (name.startswith("paid_") and "title" in members)
        and not (path.endswith("/sales/") and "title" in members)
    ]

    assert len(lists) > 20
    assert not nameless
