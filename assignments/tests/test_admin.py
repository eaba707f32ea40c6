"""The admin pages of studying."""

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.urls import reverse

from assignments.models import Answer, Assignment, Certificate
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    CommentFactory,
    QuizFactory,
    SubmissionFactory,
    SubmissionVersionFactory,
)

REGISTERED = [model for model in apps.get_app_config("assignments").get_models() if site.site.is_registered(model)]


@pytest.fixture
def office(client, admin):
    """Django's own client, signed in as an admin."""
    client.force_login(admin)
    return client


@pytest.fixture
def rows(course, enrolled):
    """One row of everything that has a page."""
    lesson = course.lessons.get(order=2)
    assignment = AssignmentFactory(lesson=lesson)
    submission = SubmissionFactory(assignment=assignment, student=enrolled, graded=True)
    quiz = QuizFactory(course=course)
    attempt = AttemptFactory(quiz=quiz, student=enrolled)
    for question in quiz.questions.all():
        chosen = [str(question.choices.first().pk)] if question.choices.exists() else []
        number = "3.5" if question.kind == "number" else None
        Answer.objects.create(attempt=attempt, question=question, chosen=chosen, text="Sirius", number=number)
    question = quiz.questions.get(order=0)
    made = [
        assignment,
        submission,
        CommentFactory(submission=submission),
        quiz,
        question,
        question.choices.first(),
        attempt,
        CertificateFactory(course=course, student=enrolled),
    ]
    return {type(row): row for row in made}


def page(model, name, *args):
    return reverse(f"admin:assignments_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", REGISTERED)
def test_every_list_opens(office, rows, model):
    assert str(rows[model].pk) in office.get(page(model, "changelist")).content.decode()


@pytest.mark.parametrize("model", REGISTERED)
def test_every_row_opens(office, rows, model):
    assert office.get(page(model, "change", rows[model].pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED)
def test_every_search_answers(office, rows, model):
    assert office.get(page(model, "changelist"), {"q": "a"}).status_code == 200


def test_the_key_of_a_quiz_stands_beside_its_questions(office, rows):
    quiz = next(row for model, row in rows.items() if model.__name__ == "Quiz")

    shown = office.get(page(type(quiz), "change", quiz.pk)).content.decode()

    assert "Sirius; Сириус" in shown
    assert "3.5" in shown


@pytest.mark.parametrize("given", ["latest", "earlier"])
def test_the_highest_score_is_not_lowered_under_one_that_was_given(office, enrolled, course, given):
    """As over the API."""
    work = SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled, version=2)
    if given == "latest":
        type(work).objects.update(status="graded", raw_score=90, score=90)
    else:
        SubmissionVersionFactory(submission=work, status="returned", raw_score=90, score=90)
    assignment = work.assignment
    body = {"title": "New", "max_score": 50, "late_penalty_percent_per_day": 0}

    answer = office.post(page(Assignment, "change", assignment.pk), body)

    assert "max_score" in answer.context["adminform"].form.errors
    assignment.refresh_from_db()
    assert (assignment.max_score, assignment.title != "New") == (100, True)


def test_a_certificate_is_issued_by_adding_it(office, admin, course, student):
    office.post(page(Certificate, "add"), {"student": student.pk, "course": course.pk})

    certificate = Certificate.objects.get()
    assert (certificate.student, certificate.course_title, certificate.issued_by) == (student, course.title, admin)


def test_a_second_certificate_is_refused_on_the_form(office, course, student):
    CertificateFactory(course=course, student=student)

    answer = office.post(page(Certificate, "add"), {"student": student.pk, "course": course.pk})

    assert "student" in answer.context["adminform"].form.errors
    assert Certificate.objects.count() == 1


def test_a_course_without_certificates_is_refused_on_the_form(office, course, student):
    course.certificate_enabled = False
    course.save()

    answer = office.post(page(Certificate, "add"), {"student": student.pk, "course": course.pk})

    assert "course" in answer.context["adminform"].form.errors


def test_a_certificate_is_revoked_by_writing_down_why(office, rows):
    certificate = rows[Certificate]

    office.post(page(Certificate, "change", certificate.pk), {"revocation_reason": "A mistake"})

    certificate.refresh_from_db()
    assert (certificate.status, certificate.revocation_reason) == ("revoked", "A mistake")
    assert certificate.revoked_at is not None


def test_a_certificate_is_never_deleted(office, rows):
    assert office.post(page(Certificate, "delete", rows[Certificate].pk), {"post": "yes"}).status_code == 403


def test_an_assignment_with_work_handed_in_is_not_deleted(office, rows):
    assignment = next(row for model, row in rows.items() if model.__name__ == "Assignment")

    office.post(page(type(assignment), "delete", assignment.pk), {"post": "yes"})

    assignment.refresh_from_db()


def test_an_assignment_is_deleted(office, course):
    assignment = AssignmentFactory(lesson=course.lessons.get(order=2))

    office.post(page(type(assignment), "delete", assignment.pk), {"post": "yes"})

    assert not type(assignment).objects.exists()


def test_a_quiz_that_is_final_no_more_lets_whoever_waited_complete(office, course):
    quiz = QuizFactory(course=course, is_final=True)
    form = {
        "course": course.pk, "title": quiz.title, "passing_score": 50, "is_final": "on",
        "questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0,
    }  # fmt: skip

    office.post(page(type(quiz), "change", quiz.pk), form)
    assert not course.completion_checks.exists()
    answer = office.post(page(type(quiz), "change", quiz.pk), {**form, "is_final": ""})

    assert answer.status_code == 302
    assert course.completion_checks.count() == 1


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
def test_nobody_else_gets_in(client, request, rows, who):
    client.force_login(request.getfixturevalue(who))

    assert client.get(page(Certificate, "changelist")).status_code in {302, 403}
