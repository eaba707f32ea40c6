"""What the caller has authored: courses and quizzes. Posts are a matter of the blog's tests."""

import pytest

from assignments.tests.factories import QuizFactory
from materials.tests.factories import CourseFactory, LessonFactory

MINE = "/api/users/me/materials/"


def test_ones_courses_and_their_quizzes(client_for, teacher, other):
    first, second = (
        CourseFactory(owner=teacher, title=title, status=status)
        for title, status in (("First", "published"), ("Second", "draft"))
    )
    lesson = LessonFactory(course=first, title="Hello")
    under = QuizFactory(course=first, lesson=lesson, title="Under", questions=False)
    final = QuizFactory(course=second, title="Final", is_final=True, questions=False)
    QuizFactory(course__owner=other, questions=False)

    mine = client_for("teacher").get(MINE).json()

    assert [(line["id"], line["title"], line["status"]) for line in mine["courses"]] == [
        (str(second.pk), "Second", "draft"), (str(first.pk), "First", "published"),
    ]  # fmt: skip
    assert [course["id"] for course in mine["results"]] == [line["id"] for line in mine["courses"]]
    assert mine["posts"] == []
    latest, earlier = mine["quizzes"]
    assert latest.items() >= {
        "id": str(final.pk), "title": "Final", "course": str(second.pk), "course_title": "Second", "lesson": None,
        "lesson_title": None, "is_final": True,
    }.items()  # fmt: skip
    assert earlier.items() >= {
        "id": str(under.pk), "lesson": str(lesson.pk), "lesson_title": "Hello", "is_final": False
    }.items()  # fmt: skip


def test_they_have_an_end(client_for, teacher):
    course = CourseFactory(owner=teacher)
    for number in range(101):
        QuizFactory(course=course, title=f"No. {number}", questions=False)
    CourseFactory.create_batch(100, owner=teacher)

    mine = client_for("teacher").get(MINE).json()

    assert (len(mine["courses"]), len(mine["quizzes"])) == (100, 100)
    assert mine["quizzes"][0]["title"] == "No. 100"


def test_a_student_who_has_made_nothing(client_for):
    mine = client_for("student").get(MINE).json()

    assert (mine["courses"], mine["quizzes"], mine["posts"], mine["results"]) == ([], [], [], [])


@pytest.mark.parametrize("number", [1, 30])
def test_queries_do_not_grow(client_for, teacher, django_assert_num_queries, number):
    for _ in range(number):
        lesson = LessonFactory(course=CourseFactory(owner=teacher))
        QuizFactory(course=lesson.course, lesson=lesson, questions=False)
    client = client_for("teacher")

    # the caller; the page with its count, its outlines and their attachments; the courses; the quizzes; the posts
    with django_assert_num_queries(6):
        client.get(MINE)
