"""What accompanies a lesson."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from materials.models import Attachment, Course
from materials.tests.factories import AttachmentFactory, LessonFactory

LINK = {"title": "Slides", "url": "https://example.com/slides.pdf"}
ROUTES = pytest.mark.parametrize("route", ["/api/lessons/{lesson}/", "/api/courses/{course}/lessons/{lesson}/"])


def url(lesson, attachment=None, route="/api/lessons/{lesson}/"):
    where = route.format(lesson=lesson.pk, course=lesson.course_id)
    return f"{where}attachments/" + (f"{attachment.pk}/" if attachment else "")


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


@ROUTES
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("teacher", 201),
        ("moderator", 403),
        ("admin", 201),
    ],
)
def test_who_adds(client_for, lesson, route, who, status):
    response = client_for(who).post(url(lesson, route=route), LINK)

    assert response.status_code == status
    assert list(lesson.attachments.values_list("url", flat=True)) == ([LINK["url"]] if status == 201 else [])


@ROUTES
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("teacher", 204),
        ("moderator", 403),
        ("admin", 204),
    ],
)
def test_who_removes(client_for, lesson, route, who, status):
    attachment = AttachmentFactory(lesson=lesson)

    response = client_for(who).delete(url(lesson, attachment, route))

    assert response.status_code == status
    assert Attachment.objects.exists() is (status != 204)


@ROUTES
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("enrolled", 200),
        ("teacher", 200),
        ("moderator", 200),
        ("admin", 200),
    ],
)
def test_who_sees_those_of_a_closed_lesson(client_for, lesson, route, who, status):
    attachment = AttachmentFactory(lesson=lesson)

    response = client_for(who).get(url(lesson, route=route))

    assert response.status_code == status
    assert (str(attachment.pk) in response.content.decode()) is (status == 200)


@pytest.mark.parametrize("who", ["anonymous", "student", "enrolled"])
def test_everyone_sees_those_of_a_preview(client_for, course, who):
    attachment = AttachmentFactory(lesson=course.lessons.get(order=1))

    response = client_for(who).get(url(attachment.lesson))

    assert response.status_code == 200
    assert [line["url"] for line in response.json()["results"]] == [attachment.url]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("who", ["anonymous", "student", "other"])
def test_those_of_a_hidden_draft(client_for, course, lesson, method, who):
    Course.objects.filter(pk=course.pk).update(status="draft")

    response = getattr(client_for(who), method)(url(lesson), LINK)

    assert response.status_code == (401 if (who, method) == ("anonymous", "post") else 404)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/slides.pdf",
        "https://example.com/slides.pdf?x=1#2",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        f"https://example.com/{'x' * 480}",
    ],
)
def test_good_addresses(client_for, lesson, address):
    response = client_for("teacher").post(url(lesson), {"title": "Slides", "url": address})

    assert response.status_code == 201, response.json()
    assert response.json()["url"] == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        None,
        "slides.pdf",
        "example.com/slides.pdf",
        "//example.com/slides.pdf",
        "javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "vbscript:x",
        "mailto:me@example.com",
        "https://",
        "https://exa mple.com/",
        f"https://example.com/{'x' * 481}",
        [],
        {},
    ],
)
def test_bad_addresses(client_for, lesson, address):
    response = client_for("teacher").post(url(lesson), {"title": "Slides", "url": address})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["url"]
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("missing", ["title", "url"])
def test_both_fields_are_needed(client_for, lesson, missing):
    sent = {name: value for name, value in LINK.items() if name != missing}

    response = client_for("teacher").post(url(lesson), sent)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [missing]


def test_an_attachment_is_not_under_another_lesson(client_for, course, lesson):
    attachment = AttachmentFactory(lesson=lesson)

    response = client_for("teacher").delete(url(course.lessons.get(order=3), attachment))

    assert response.status_code == 404
    assert Attachment.objects.exists()


def test_a_lesson_is_not_under_another_course(client_for, lesson, teacher):
    elsewhere = LessonFactory(course__owner=teacher).course

    response = client_for("teacher").get(f"/api/courses/{elsewhere.pk}/lessons/{lesson.pk}/attachments/")

    assert response.status_code == 404


@pytest.mark.parametrize(("who", "seen"), [("student", False), ("enrolled", True), ("teacher", True)])
def test_lessons_bring_them_where_they_are_open(client_for, course, lesson, who, seen):
    attachment = AttachmentFactory(lesson=lesson)

    lines = client_for(who).get(f"/api/courses/{course.pk}/").json()["lessons"]

    shown = lines[1]["attachments"]
    assert shown is None if not seen else [line["id"] for line in shown] == [str(attachment.pk)]


# --- Files -----------------------------------------------------------------------------------------------------------


def test_a_file(client_for, lesson):
    notes = SimpleUploadedFile("Конспект.txt", "Привет".encode())

    created = client_for("teacher").post(url(lesson), {"title": "Конспект", "file": notes}, format="multipart")

    assert created.status_code == 201, created.json()
    assert created.json()["url"] is None
    answer = client_for("enrolled").get(created.json()["file"])
    assert b"".join(answer).decode() == "Привет"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''")


@pytest.mark.parametrize(
    ("body", "attr", "code"),
    [
        ({"title": "Both", "url": "https://example.com/", "file": ("a.txt", b"a")}, "url", "exactly_one_source"),
        ({"title": "Neither"}, "url", "exactly_one_source"),
        ({"title": "A program", "file": ("a.exe", b"MZ")}, "file", "unsupported"),
        ({"title": "A page in disguise", "file": ("a.pdf", b"<html>")}, "file", "mismatch"),
    ],
)
def test_refused_files(client_for, lesson, body, attr, code):
    sent = {name: SimpleUploadedFile(*value) if name == "file" else value for name, value in body.items()}

    answer = client_for("teacher").post(url(lesson), sent, format="multipart")

    assert answer.status_code == 400
    assert [(error["attr"], error["code"]) for error in answer.json()["errors"]] == [(attr, code)]
    assert not Attachment.objects.exists()


def test_a_file_goes_with_its_attachment(client_for, lesson, django_capture_on_commit_callbacks):
    attachment = AttachmentFactory(lesson=lesson, url="", file=ContentFile(b"text", name="notes.txt"))

    with django_capture_on_commit_callbacks(execute=True):
        client_for("teacher").delete(url(lesson, attachment))

    assert not default_storage.exists(attachment.file.name)


def test_a_link_has_no_file(client_for, lesson):
    assert client_for("enrolled").get(f"{url(lesson, AttachmentFactory(lesson=lesson))}file/").status_code == 404


def test_the_bare_address_of_a_file_leads_nowhere(client_for, lesson):
    attachment = AttachmentFactory(lesson=lesson, url="", file=ContentFile(b"text", name="notes.txt"))

    assert client_for("enrolled").get(f"/media/{attachment.file.name}").status_code == 404
