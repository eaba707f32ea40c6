"""The content gate: who opens which lesson, and the code that tells the others why not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from materials.models import Course, Enrollment, Lesson
from materials.tests.factories import (
    AttachmentFactory,
    CourseFactory,
    LessonAccessFactory,
    LessonCompletionFactory,
    LessonFactory,
)

CONTENT = ("video_url", "video", "attachments")


def lesson_url(lesson):
    return f"/api/lessons/{lesson.pk}/"


def outline(client, course):
    return client.get(f"/api/courses/{course.pk}/").json()["lessons"]


def reasons(client, course):
    """Why each lesson is closed, in their order, as every place that shows them says it."""
    shown = outline(client, course)
    nested = client.get(f"/api/courses/{course.pk}/lessons/").json()["results"]
    cards = client.get("/api/courses/").json()["results"]
    card = next((card["lessons"] for card in cards if card["id"] == str(course.pk)), shown)

    said = [[(line["is_locked"], line["lock_reason"]) for line in lines] for lines in (shown, nested, card)]
    assert said[0] == said[1] == said[2]
    assert all(is_locked is (reason is not None) for is_locked, reason in said[0])
    return [reason for _is_locked, reason in said[0]]


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


@pytest.fixture
def enrollment(enrolled):
    return Enrollment.objects.get(user=enrolled)


def change(enrollment, **changes):
    Enrollment.objects.filter(pk=enrollment.pk).update(**changes)


# --- The outline -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["anonymous", "student", "other"])
def test_the_outline_of_a_course_that_is_not_open(client_for, course, who):
    hello, variables, loops = outline(client_for(who), course)

    assert [line["title"] for line in (hello, variables, loops)] == ["Hello", "Variables", "Loops"]
    assert (hello["is_locked"], hello["lock_reason"], hello["attachments"]) == (False, None, [])
    for line in (variables, loops):
        assert (line["is_locked"], line["lock_reason"]) == (True, "payment_required")
        assert [line[name] for name in CONTENT] == [None, None, None]


@pytest.mark.parametrize("who", ["enrolled", "teacher", "moderator", "admin"])
def test_the_outline_of_a_course_that_is_open(client_for, course, lesson, who):
    AttachmentFactory(lesson=lesson)

    line = outline(client_for(who), course)[1]

    assert (line["is_locked"], line["lock_reason"]) == (False, None)
    assert "body" not in line
    assert [attachment["title"] for attachment in line["attachments"]] == ["Slides"]


def test_a_closed_lesson_is_closed_in_every_answer(client_for, course):
    client = client_for("student")
    Lesson.objects.filter(is_preview=True).delete()

    for url in ("/api/courses/", f"/api/courses/{course.pk}/", f"/api/courses/{course.pk}/lessons/", "/api/lessons/"):
        body = client.get(url).content.decode()
        assert "The secret body" not in body, url
        assert "youtube" not in body, url


# --- The codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "code"), [("0.00", "not_enrolled"), ("10.00", "payment_required")])
def test_whoever_is_not_in_the_course(client_for, course, lesson, price, code):
    Course.objects.update(price=price)
    client = client_for("student")

    answer = client.get(lesson_url(lesson))

    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert "The secret body" not in answer.content.decode()
    assert reasons(client, course) == [None, code, code]


@pytest.mark.parametrize(
    ("changes", "days", "code"),
    [
        ({"status": "active"}, None, None),
        ({"status": "completed"}, None, None),
        ({"status": "active"}, 1, None),
        ({"status": "completed"}, 1, None),
        ({"status": "active"}, -1, "access_expired"),
        ({"status": "completed"}, -1, "access_expired"),
        ({"status": "expired"}, None, "access_expired"),
        ({"status": "expired"}, 1, "access_expired"),
        ({"status": "revoked"}, None, "payment_required"),
        ({"status": "revoked"}, 1, "payment_required"),
    ],
)
def test_an_enrollment_in_each_state(client_for, course, lesson, enrollment, changes, days, code):
    change(enrollment, expires_at=None if days is None else timezone.now() + timedelta(days=days), **changes)
    client = client_for("enrolled")

    answer = client.get(lesson_url(lesson))

    assert (answer.status_code, answer.json().get("code")) == (403 if code else 200, code)
    assert reasons(client, course) == [None, code, code]


def test_an_enrollment_in_a_free_course_that_was_revoked(client_for, course, lesson, enrollment):
    Course.objects.update(price=0)
    change(enrollment, status="revoked")

    assert client_for("enrolled").get(lesson_url(lesson)).json()["code"] == "not_enrolled"


@pytest.mark.parametrize("state", [{"status": "expired"}, {"status": "revoked"}])
def test_the_flat_list_follows_the_gate(client_for, enrollment, state):
    change(enrollment, **state)

    lines = client_for("enrolled").get("/api/lessons/").json()["results"]

    assert [line["title"] for line in lines] == ["Hello"]


def test_the_code_does_not_depend_on_the_language(client_for, lesson):
    answers = [client_for("student").get(lesson_url(lesson), HTTP_ACCEPT_LANGUAGE=lang).json() for lang in ("ru", "en")]

    assert answers[0]["code"] == answers[1]["code"]
    assert answers[0]["detail"] != answers[1]["detail"]


def test_the_anonymous_are_asked_to_sign_in(api, lesson):
    answer = api.get(lesson_url(lesson))

    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("who", ["anonymous", "student", "enrolled", "other", "teacher", "moderator", "admin"])
def test_a_preview_is_open_to_everyone(client_for, course, who):
    answer = client_for(who).get(lesson_url(course.lessons.get(is_preview=True)))

    assert (answer.status_code, answer.json()["body"]) == (200, "The secret body")


@pytest.mark.parametrize("state", [{"status": "expired"}, {"status": "revoked"}])
def test_a_preview_stays_open_afterwards(client_for, course, enrollment, state):
    change(enrollment, **state)

    assert client_for("enrolled").get(lesson_url(course.lessons.get(is_preview=True))).status_code == 200


def test_a_preview_of_a_draft_is_not_there(api, course):
    Course.objects.update(status="draft")

    assert api.get(lesson_url(course.lessons.get(is_preview=True))).status_code == 404


# --- One after another -----------------------------------------------------------------------------------------------


@pytest.fixture
def sequential(course):
    """Lessons 1 to 3, closed ones all of them, one after another."""
    Course.objects.update(sequential=True)
    Lesson.objects.update(is_preview=False)
    return course


def complete(enrollment, course, *orders):
    for order in orders:
        lesson = course.lessons.get(order=order)
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())


WAIT = "previous_lesson_required"


@pytest.mark.parametrize(
    ("completed", "closed"),
    [
        ([], [None, WAIT, WAIT]),
        ([1], [None, None, WAIT]),
        ([1, 2], [None, None, None]),
        ([1, 2, 3], [None, None, None]),
        ([2], [None, None, WAIT]),  # what has been completed is never locked again
    ],
)
def test_lessons_open_one_after_another(client_for, sequential, enrollment, completed, closed):
    complete(enrollment, sequential, *completed)
    client = client_for("enrolled")

    answers = [client.get(lesson_url(lesson)) for lesson in sequential.lessons.order_by("order")]

    assert [answer.json().get("code") for answer in answers] == closed
    assert reasons(client, sequential) == closed
    listed = {line["order"] for line in client.get("/api/lessons/").json()["results"]}
    assert listed == {order for order, reason in enumerate(closed, 1) if reason is None}


def test_a_lesson_that_was_begun_is_not_completed(client_for, sequential, enrollment):
    LessonCompletionFactory(enrollment=enrollment, lesson=sequential.lessons.get(order=1), position_seconds=9)

    assert reasons(client_for("enrolled"), sequential) == [None, WAIT, WAIT]


def test_a_preview_opens_out_of_turn(client_for, sequential, enrollment):
    Lesson.objects.filter(order=3).update(is_preview=True)

    assert reasons(client_for("enrolled"), sequential) == [None, WAIT, None]


def test_an_end_of_access_comes_before_the_turn(client_for, sequential, enrollment):
    change(enrollment, status="expired")

    assert reasons(client_for("enrolled"), sequential) == ["access_expired"] * 3


def test_somebody_elses_progress_opens_nothing(client_for, sequential, enrollment, student):
    theirs = Enrollment.objects.create(user=student, course=sequential, source="free")
    complete(theirs, sequential, 1, 2)

    assert reasons(client_for("enrolled"), sequential) == [None, WAIT, WAIT]


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_those_who_manage_it_need_not_wait(client_for, sequential, who):
    assert reasons(client_for(who), sequential) == [None, None, None]


# --- A lesson bought alone -------------------------------------------------------------------------------------------


def test_a_lesson_bought_alone(client_for, course, lesson, student):
    LessonAccessFactory(user=student, lesson=lesson)
    client = client_for("student")

    answer = client.get(lesson_url(lesson))

    assert (answer.status_code, answer.json()["body"]) == (200, "The secret body")
    assert reasons(client, course) == [None, None, "payment_required"]
    assert {line["title"] for line in client.get("/api/lessons/").json()["results"]} == {"Hello", "Variables"}


def test_it_opens_to_the_buyer_alone(client_for, lesson, student):
    LessonAccessFactory(user=student, lesson=lesson)

    assert client_for("other").get(lesson_url(lesson)).status_code == 403


def test_it_stays_open_when_the_course_is_archived(client_for, lesson, student):
    LessonAccessFactory(user=student, lesson=lesson)
    Course.objects.update(status="archived")

    assert client_for("student").get(lesson_url(lesson)).status_code == 200


def test_it_opens_out_of_turn(client_for, sequential, lesson, student):
    LessonAccessFactory(user=student, lesson=lesson)

    assert client_for("student").get(lesson_url(lesson)).status_code == 200


# --- Those who manage it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["draft", "published", "archived"])
@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_those_who_manage_it_open_everything(client_for, course, lesson, who, status):
    Course.objects.update(status=status)

    assert client_for(who).get(lesson_url(lesson)).json()["body"] == "The secret body"


def test_to_own_one_course_opens_no_other(client_for, lesson, other):
    LessonFactory(course=CourseFactory(owner=other))

    assert client_for("other").get(lesson_url(lesson)).status_code == 403


# --- What stands under a lesson --------------------------------------------------------------------------------------


@pytest.fixture(params=["/api/lessons/{lesson}/attachments/", "/api/courses/{course}/lessons/{lesson}/attachments/"])
def attachments(request, lesson):
    """Their address, under both routes; there is one."""
    AttachmentFactory(lesson=lesson)
    return request.param.format(course=lesson.course_id, lesson=lesson.pk)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"status": "active"}, None),
        ({"status": "expired"}, "access_expired"),
        ({"status": "revoked"}, "payment_required"),
    ],
    ids=str,
)
def test_attachments_stand_behind_the_gate(client_for, attachments, enrollment, state, code):
    change(enrollment, **state)

    answer = client_for("enrolled").get(attachments)

    assert (answer.status_code, answer.json().get("code")) == (403 if code else 200, code)
    assert ("Slides" in answer.content.decode()) is (code is None)


def test_attachments_wait_for_their_turn(client_for, sequential, attachments, enrolled):
    assert client_for("enrolled").get(attachments).json()["code"] == WAIT


def test_attachments_of_a_closed_lesson_ask_the_anonymous_to_sign_in(api, attachments):
    assert api.get(attachments).status_code == 401


def test_attachments_of_a_preview_are_open(api, course):
    preview = course.lessons.get(is_preview=True)
    AttachmentFactory(lesson=preview)

    assert api.get(f"/api/lessons/{preview.pk}/attachments/").json()["count"] == 1
