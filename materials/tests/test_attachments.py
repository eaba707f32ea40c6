"""What accompanies a lesson."""

import pytest

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
        "http://example.com/slides.pdf?x=1#2",
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
