"""No single request is dear: each operation of the OpenAPI document, with the largest body that it takes and with a
larger one, as a student and as nobody, in a world of large courses. `make promises` measures it, the suite does not.

At most 1 s of CPU, 64 MB more memory and 2 MB of answer.
"""

import re
import time
from pathlib import Path

import orjson
import pytest
import yaml
from django.core.cache import cache
from django.db import transaction

from assignments.tests.factories import AssignmentFactory, QuizFactory
from common.testing.routes import WORDS
from common.testing.scale import size
from materials.models import Lesson
from materials.tests.factories import CourseFactory, EnrollmentFactory

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete", "options")
CPU_SECONDS, MEGABYTES_MORE, ANSWER_BYTES = 1.0, 64, 2_000_000
BODY_BYTES = 2_000_000
GROWS = "\ufdfa"  # eighteen letters in Unicode's compatibility form
STATUS = Path("/proc/self/status")
pytestmark = [
    pytest.mark.skipif(size(0, 1) == 0, reason="measured by make promises"),
    pytest.mark.skipif(not STATUS.exists(), reason="reads the memory's peak from Linux"),
    pytest.mark.timeout(1800),
]


@pytest.fixture
def ids(teacher, enrolled, course):
    """A course as large as one may be, that the student studies."""
    large = CourseFactory(owner=teacher, price=0, description="я" * 10_000)
    lessons = [
        Lesson(course=large, owner=teacher, title="Ё" * 200, description="я" * 10_000, body="я" * 200_000, order=order)
        for order in range(1, 1001)
    ]
    Lesson.objects.bulk_create(lessons, batch_size=50)
    large.lesson_count = 1000
    large.save(update_fields=["lesson_count"])
    EnrollmentFactory(user=enrolled, course=large, source="free")
    CourseFactory.create_batch(150, owner=teacher, description="я" * 10_000)
    return {
        "course": large.pk,
        "lesson": lessons[0].pk,
        "quiz": QuizFactory(course=large).pk,
        "assignment": AssignmentFactory(lesson=lessons[0], description="я" * 10_000).pk,
        "user": teacher.pk,
    }


@pytest.fixture(scope="module")
def document():
    return yaml.load(DOCUMENT.read_text(), Loader=yaml.CSafeLoader)


def filled(path, ids):
    unknown = "01939f00-0000-7000-8000-000000000000"
    return re.sub(r"(\w+)/\{\w+\}", lambda found: f"{found[1]}/{ids.get(WORDS.get(found[1], ''), unknown)}", path)


def largest(document, schema, most):
    """A value as large as the schema lets it be, with lists of at most so many."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return largest(document, schema[key][0], most)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: largest(document, part, most) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [largest(document, schema["items"], most)] * min(schema.get("maxItems", most), most)
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        return int(schema.get("maximum", 1))
    if schema.get("format") == "email":
        return "x@test.io"
    if schema.get("format") == "uuid":
        return "01939f00-0000-7000-8000-000000000000"
    return "я" * min(schema.get("maxLength", 1000), 200_000)


def far_larger(value, count):
    """The same shape, each text and each list as long as this: far beyond what is taken."""
    if isinstance(value, dict):
        return {name: far_larger(part, count) for name, part in value.items()}
    if isinstance(value, list):
        return [far_larger(value[0], 1) if value else 0] * count
    return GROWS * count if isinstance(value, str) else 10**15


def encoded(make):
    """A body of at most 2 MB: whatever is larger is refused unread."""
    count = 1_000_000
    while len(body := orjson.dumps(make(count), default=str)) > BODY_BYTES:
        count //= 2
    return body


def operations(document):
    for path, methods in sorted(document["paths"].items()):
        for method in METHODS:
            if method not in methods and method != "options":
                continue
            content = methods.get(method, {}).get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema is None:
                yield method, path, None
                continue
            yield method, path, encoded(lambda count, schema=schema: largest(document, schema, min(count, 1000)))
            shape = largest(document, schema, 1)
            yield method, path, encoded(lambda count, shape=shape: far_larger(shape, count))


def memory(field):
    return int(re.search(rf"{field}:\s+(\d+)", STATUS.read_text())[1]) / 1024


def measured(client, method, path, body):
    """(seconds of CPU, megabytes more, bytes of answer, status)"""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = memory("VmRSS"), time.process_time()
    response = client.generic(method.upper(), path, body or b"", content_type="application/json")
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return time.process_time() - start, memory("VmHWM") - before, len(content), response.status_code


@pytest.mark.parametrize("who", ["enrolled", "anonymous"])
def test_no_single_request_is_dear(client_for, ids, document, who, stripe, capsys):
    client_for(who).get("/api/courses/")
    rows = []
    for method, path, body in operations(document):
        if "{format}" in path or path.startswith("/api/schema"):
            continue
        cache.clear()
        with transaction.atomic():  # nobody has left or logged out for the next
            rows.append((*measured(client_for(who), method, filled(path, ids), body), method.upper(), path))
            transaction.set_rollback(True)

    with capsys.disabled():
        for column, what in enumerate(("seconds of CPU", "megabytes more", "bytes of answer")):
            print(f"\nThe dearest ten by {what}, as {who}")  # noqa: T201
            for row in sorted(rows, key=lambda each: -each[column])[:10]:
                print(f"  {row[0]:6.3f} s {row[1]:6.1f} MB {row[2]:9d} B  {row[3]} {row[4]} {row[5]}")  # noqa: T201
    assert not [row for row in rows if row[3] >= 500]
    assert not [row for row in rows if row[0] > CPU_SECONDS or row[1] > MEGABYTES_MORE or row[2] > ANSWER_BYTES]
