"""The outline of a course: what each lesson asks for, and what it is to whoever looks."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assignments.models import Assignment, Quiz
from assignments.services import outline
from assignments.tests.factories import AssignmentFactory, AttemptFactory, QuizFactory, SubmissionFactory
from conftest import CAST
from materials.models import Course, Enrollment
from materials.tests.factories import LessonCompletionFactory, LessonFactory


@pytest.fixture
def programme(course):
    """The first lesson asks for nothing; the second for two assignments and a quiz; the course for two quizzes."""
    lesson = course.lessons.get(order=2)
    return {
        "map": AssignmentFactory(lesson=lesson, title="Map", due_at="2030-12-01T18:00:00Z"),
        "essay": AssignmentFactory(lesson=lesson, title="Essay"),
        "quiz": QuizFactory(course=course, lesson=lesson, title="Check"),
        "final": QuizFactory(course=course, title="Final", is_final=True),
        "extra": QuizFactory(course=course, title="Extra"),
    }


def shown(client, course):
    return client.get(f"/api/courses/{course.pk}/").json()


def states(answer):
    """State by title, over the course."""
    items = [item for place in (*answer["lessons"], answer) for item in place["items"]]
    return {item["title"]: item["state"] for item in items}


def test_an_item(client_for, course, programme):
    answer = shown(client_for("enrolled"), course)

    assert answer["lessons"][0]["items"] == answer["lessons"][2]["items"] == []
    assert answer["lessons"][1]["items"] == [
        {
            "kind": "assignment", "id": str(programme["map"].pk), "title": "Map", "due_at": "2030-12-01T18:00:00Z",
            "is_final": False, "state": "not_started",
        },
        {
            "kind": "assignment", "id": str(programme["essay"].pk), "title": "Essay", "due_at": None,
            "is_final": False, "state": "not_started",
        },
        {
            "kind": "quiz", "id": str(programme["quiz"].pk), "title": "Check", "due_at": None, "is_final": False,
            "state": "not_started",
        },
    ]  # fmt: skip
    assert [(item["kind"], item["title"], item["is_final"]) for item in answer["items"]] == [
        ("quiz", "Extra", False),
        ("quiz", "Final", True),
    ]


@pytest.mark.parametrize("who", CAST)
def test_everybody_who_sees_the_outline_sees_its_items(client_for, course, programme, who):
    answer = shown(client_for(who), course)

    assert set(states(answer)) == {"Map", "Essay", "Check", "Final", "Extra"}
    assert set(states(answer).values()) == {None if who == "anonymous" else "not_started"}


@pytest.mark.parametrize("status", ["submitted", "returned", "graded"])
def test_the_state_of_an_assignment(client_for, course, programme, enrolled, status):
    more = {"graded": True} if status == "graded" else {"status": status}
    SubmissionFactory(assignment=programme["map"], student=enrolled, **more)
    SubmissionFactory(assignment=programme["essay"], status="returned")  # somebody else's

    found = states(shown(client_for("enrolled"), course))

    assert (found["Map"], found["Essay"]) == (status, "not_started")


@pytest.mark.parametrize(
    ("attempts", "state"),
    [
        ([], "not_started"),
        ([None], "in_progress"),
        ([False], "failed"),
        ([True], "passed"),
        ([False, None], "in_progress"),
        ([True, None], "passed"),
        ([True, False], "passed"),
    ],
    ids=str,
)
def test_the_state_of_a_quiz(client_for, course, programme, enrolled, attempts, state):
    going_on = {"state": "in_progress", "submitted_at": None, "score": None, "points": None}
    for number, passed in enumerate(attempts):
        more = going_on if passed is None else {}
        AttemptFactory(quiz=programme["final"], student=enrolled, number=number, passed=passed, **more)
    AttemptFactory(quiz=programme["extra"])  # somebody else's

    found = states(shown(client_for("enrolled"), course))

    assert (found["Final"], found["Extra"]) == (state, "not_started")


def test_a_lesson_has_the_same_and_a_list_has_none(client_for, course, programme):
    client, lesson = client_for("enrolled"), course.lessons.get(order=2)
    expected = shown(client, course)["lessons"][1]["items"]

    for path in (f"/api/lessons/{lesson.pk}/", f"/api/courses/{course.pk}/lessons/{lesson.pk}/"):
        assert client.get(path).json()["items"] == expected
    for path in ("/api/lessons/", f"/api/courses/{course.pk}/lessons/"):
        assert "items" not in client.get(path).json()["results"][1]


def test_whoever_writes_gets_the_outline_too(client_for, course, programme):
    teacher, lesson = client_for("teacher"), course.lessons.get(order=2)

    assert len(teacher.patch(f"/api/courses/{course.pk}/", {"title": "New"}).json()["lessons"][1]["items"]) == 3
    assert len(teacher.patch(f"/api/lessons/{lesson.pk}/", {"title": "New"}).json()["items"]) == 3
    assert teacher.post("/api/courses/", {"title": "Empty"}).json()["items"] == []


def test_cards_have_none(client_for, course, programme):
    card = client_for("enrolled").get("/api/courses/").json()["results"][0]

    assert "items" not in card
    assert "items" not in card["lessons"][0]


@pytest.mark.parametrize("who", ["anonymous", "enrolled"])
def test_as_many_queries_for_one_as_for_a_hundred(client_for, course, who):
    client = client_for(who)
    path = f"/api/courses/{course.pk}/"
    with CaptureQueriesContext(connection) as first:
        client.get(path)
    lessons = [LessonFactory(course=course, order=order) for order in range(4, 104)]
    Assignment.objects.bulk_create(Assignment(lesson=lesson, title="Map") for lesson in lessons)
    Quiz.objects.bulk_create(Quiz(course=course, lesson=lesson, title="Quiz") for lesson in lessons)

    with CaptureQueriesContext(connection) as second:
        assert len(client.get(path).json()["lessons"][50]["items"]) == 2
    assert len(first) == len(second)


@pytest.mark.parametrize("kind", ["assignment", "quiz"])
def test_an_outline_has_an_end(client_for, course, programme, monkeypatch, kind):
    monkeypatch.setattr(outline, "MAX_ITEMS", 6)
    where = f"/api/courses/{course.pk}/"
    where += f"lessons/{course.lessons.get(order=1).pk}/assignments/" if kind == "assignment" else "quizzes/"
    teacher = client_for("teacher")

    sixth, seventh = (teacher.post(where, {"title": "One more"}) for _ in range(2))

    assert (sixth.status_code, seventh.status_code, seventh.json()["code"]) == (201, 409, "too_many_items")
    assert Assignment.objects.count() + Quiz.objects.count() == 6


# --- How long it takes, and where to go on ---------------------------------------------------------------------------


@pytest.fixture
def timed(course):
    for lesson in course.lessons.all():
        lesson.duration_seconds = lesson.order * 60
        lesson.save()
    return course


def test_how_long_a_course_takes(client_for, timed):
    client = client_for("anonymous")

    assert shown(client, timed)["duration_seconds"] == 360
    assert client.get("/api/courses/").json()["results"][0]["duration_seconds"] == 360


def next_lesson(client, course):
    lesson = shown(client, course)["next_lesson"]
    assert lesson is None or set(lesson) == {"id", "title"}
    return lesson and lesson["title"]


@pytest.mark.parametrize("sequential", [False, True])
def test_the_next_lesson_is_the_first_that_is_not_completed(client_for, course, enrolled, sequential):
    Course.objects.update(sequential=sequential)
    enrollment = Enrollment.objects.get(user=enrolled)
    client = client_for("enrolled")

    found = [next_lesson(client, course)]
    for lesson in course.lessons.order_by("order"):
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())
        found.append(next_lesson(client, course))

    assert found == ["Hello", "Variables", "Loops", None]


@pytest.mark.parametrize("who", ["anonymous", "student", "teacher", "other", "moderator", "admin"])
def test_who_does_not_study_has_no_next_lesson(client_for, course, who):
    assert next_lesson(client_for(who), course) is None


@pytest.mark.parametrize("change", [{"status": "expired"}, {"expires_at": "2020-01-01T00:00Z"}])
def test_nor_does_who_has_no_access_any_more(client_for, course, enrolled, change):
    Enrollment.objects.update(**change)

    assert next_lesson(client_for("enrolled"), course) is None
