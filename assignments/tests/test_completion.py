"""A course that its final quiz alone completes (`completion`: `final_quiz`)."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from assignments.models import Certificate
from assignments.tests.factories import AssignmentFactory, QuizFactory
from assignments.tests.test_progress import complete, done, is_completed, left, progress, take
from materials.models import Course, Enrollment


@pytest.fixture
def client(client_for):
    return client_for("enrolled")


@pytest.fixture
def final(course):
    return QuizFactory(course=course, title="Final", is_final=True)


@pytest.fixture
def by_quiz(course, final):
    AssignmentFactory(lesson=course.lessons.first())
    Course.objects.update(completion="final_quiz")


def ask_for(client, course, completion):
    return client.patch(f"/api/courses/{course.pk}/", {"completion": completion})


def test_everything_is_asked_for_unless_the_author_says_otherwise(client_for, teacher):
    teacher = client_for("teacher")

    first = teacher.post("/api/courses/", {"title": "One"}).json()
    second = teacher.post("/api/courses/", {"title": "Two", "completion": "final_quiz"}).json()

    assert [course["completion"] for course in (first, second)] == ["everything", "final_quiz"]
    cards = teacher.get("/api/courses/").json()["results"]
    assert {card["title"]: card["completion"] for card in cards} == {"One": "everything", "Two": "final_quiz"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("enrolled", 403), ("other", 403), ("teacher", 200), ("moderator", 200)],
)
def test_who_decides(client_for, course, enrolled, who, status):
    assert ask_for(client_for(who), course, "final_quiz").status_code == status
    course.refresh_from_db()
    assert course.completion == ("final_quiz" if status == 200 else "everything")


def test_an_unknown_way_is_refused(client_for, course):
    answer = ask_for(client_for("teacher"), course, "attendance")

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "completion")


def test_passing_the_final_quiz_alone_completes_once(client, course, enrolled, final, by_quiz):
    before = progress(client, course)

    take(client, final)
    first = Enrollment.objects.get().completed_at
    take(client, final)

    assert (before.json()["percent"], left(before)) == (0, [("quiz", "Final")])
    assert is_completed(enrolled)
    assert Enrollment.objects.get().completed_at == first
    assert Certificate.objects.get().student == enrolled
    after = progress(client, course)
    assert (after.json()["percent"], after.json()["completed_lessons"], left(after)) == (100, 0, [])


def test_all_lessons_are_not_enough(client, course, enrolled, by_quiz):
    done(course, enrolled, but=1)

    answer = complete(client, course.lessons.last())

    assert (answer.json()["percent"], left(answer)) == (99, [("quiz", "Final")])
    assert not is_completed(enrolled)


def test_failing_it_completes_nothing(client, course, enrolled, final, by_quiz):
    take(client, final, answers=[])

    assert not is_completed(enrolled)


def test_without_a_final_quiz_nobody_completes(client, course, enrolled, final, by_quiz):
    done(course, enrolled, but=1)
    final.delete()

    answer = complete(client, course.lessons.last())

    assert (answer.json()["percent"], left(answer)) == (99, [])
    assert not is_completed(enrolled)


def test_a_course_without_lessons_is_completed_by_its_quiz(client, course, enrolled, final, by_quiz):
    course.lessons.all().delete()

    take(client, final)

    assert is_completed(enrolled)


def test_the_next_lesson_is_offered_all_the_same(client, course, enrolled, by_quiz):
    shown = client.get("/api/users/me/courses/").json()["results"][0]

    assert shown["next_lesson"]["title"] == "Hello"


# --- What changes who has finished -----------------------------------------------------------------------------------


def admin_form(admin, course, **changed):
    office = Client()
    office.force_login(admin)
    path = reverse("admin:materials_course_change", args=[course.pk])
    form = office.get(path).context["adminform"].form
    inline = {"lessons-TOTAL_FORMS": 0, "lessons-INITIAL_FORMS": 0}
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return office.post(path, {name: value or "" for name, value in values.items()} | inline | changed)


def test_passing_before_it_was_enough_counts_when_it_is(client, client_for, course, enrolled, final, carry_out):
    take(client, final)
    assert not is_completed(enrolled)

    with carry_out():
        ask_for(client_for("teacher"), course, "final_quiz")

    assert is_completed(enrolled)
    assert Certificate.objects.count() == 1


def test_so_it_does_in_the_admin(client, admin, course, enrolled, final, carry_out):
    take(client, final)

    with carry_out():
        assert admin_form(admin, course, completion="final_quiz").status_code == 302

    assert is_completed(enrolled)


def test_having_done_everything_counts_when_the_quiz_is_asked_no_more(client_for, course, enrolled, carry_out):
    Course.objects.update(completion="final_quiz")
    done(course, enrolled)

    with carry_out():
        ask_for(client_for("teacher"), course, "everything")

    assert is_completed(enrolled)


@pytest.mark.parametrize("where", ["api", "admin"])
def test_a_quiz_that_becomes_final_counts_for_those_who_passed_it(
    client, client_for, admin, course, enrolled, carry_out, where
):
    quiz = QuizFactory(course=course)
    Course.objects.update(completion="final_quiz")
    take(client, quiz)

    with carry_out():
        if where == "api":
            client_for("teacher").patch(f"/api/courses/{course.pk}/quizzes/{quiz.pk}/", {"is_final": True})
        else:
            office = Client()
            office.force_login(admin)
            path = reverse("admin:assignments_quiz_change", args=[quiz.pk])
            body = {"title": "Quiz", "passing_score": 60, "is_final": "on"}
            office.post(path, body | {"questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0})

    assert is_completed(enrolled)


def test_another_change_looks_for_nobody(client_for, course, enrolled, final):
    ask_for(client_for("teacher"), course, "everything")
    client_for("teacher").patch(f"/api/courses/{course.pk}/", {"title": "New"})

    assert import_string("assignments.tasks.complete_waiting_enrollments")() == 0
