"""Whoever manages a course sees its students by name and email; everyone else sees public profiles.

Every address under /api/ is walked as each member of the cast, with ids around one student, whose last name, email,
phone and city stand nowhere else."""

import csv
import io
import json
import re

import pytest

from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    CommentFactory,
    QuizFactory,
    SubmissionFactory,
    SubmissionVersionFactory,
)
from common.testing.routes import paths
from materials.tests.factories import EnrollmentFactory, ReviewFactory
from users.services import anonymise_user
from users.tests.factories import UserFactory

NAMES = {"first_name": "Zora", "last_name": "Qvist-7f3a", "email": "zora-9c1e@test.io"}
SECRETS = {NAMES["last_name"], NAMES["email"], "+7 999 765-43-21", "Quillayute-5d2b"}
# Of nobody's courses, or not of people.
PASSED_OVER = re.compile("api/(schema|auth|token)/")
# Where whoever manages the course sees its students by name. By route, what they stand under.
LESSON = "api/courses/{course}/lessons/{lesson}/"
WORK = LESSON + "assignments/{assignment}/submissions/"
OF_MANAGERS = {
    "api/courses/{course}/students/": ("student",),
    "api/courses/{course}/gradebook/": ("student",),
    WORK: ("student",),
    WORK + "{submission}/": ("student",),
    WORK + "{submission}/comments/": ("author",),
    WORK + "{submission}/comments/{comment}/": ("author",),
    "api/courses/{course}/quizzes/{quiz}/attempts/": ("student_profile",),
    "api/courses/{course}/quizzes/{quiz}/attempts/{attempt}/": ("student_profile",),
    "api/users/certificates/": ("student_profile",),
    "api/users/certificates/{certificate}/": ("student_profile",),
}


@pytest.fixture
def zora(course):
    """Studies the course beside the enrolled person."""
    zora = UserFactory(**NAMES, phone="+7 999 765-43-21", city="Quillayute-5d2b")
    EnrollmentFactory(user=zora, course=course)
    return zora


@pytest.fixture
def ids(course, zora):
    lesson = course.lessons.get(order=1)
    submission = SubmissionFactory(assignment=AssignmentFactory(lesson=lesson), student=zora, graded=True, version=2)
    SubmissionVersionFactory(submission=submission)
    quiz = QuizFactory(course=course)
    CommentFactory(lesson=lesson, author=zora)
    CommentFactory(assignment=submission.assignment, author=zora)
    return {
        "course": course.pk,
        "lesson": lesson.pk,
        "assignment": submission.assignment_id,
        "submission": submission.pk,
        "comment": CommentFactory(submission=submission, author=zora).pk,
        "quiz": quiz.pk,
        "attempt": AttemptFactory(quiz=quiz, student=zora).pk,
        "certificate": CertificateFactory(student=zora, course=course, student_name="Z").pk,
        "review": ReviewFactory(course=course, author=zora).pk,
        "user": zora.pk,
    }


def people_in(data, members):
    """Every object under one of these names, at any depth."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name in members and isinstance(value, dict):
                yield value
            else:
                yield from people_in(value, members)
    elif isinstance(data, list):
        for value in data:
            yield from people_in(value, members)


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_whoever_manages_the_course_sees_names(client_for, ids, enrolled, who):
    client = client_for(who)
    for template, members in OF_MANAGERS.items():
        answer = client.get("/" + template.format(**ids))

        assert answer.status_code == 200, template
        shown = [person for person in people_in(answer.json(), members) if person["id"] == str(ids["user"])]
        assert shown, template
        for person in shown:
            assert {name: person[name] for name in NAMES} == NAMES, template
            assert not {"phone", "city"} & set(person), template


@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_names_stand_in_the_answer_to_a_grade_too(client_for, ids, who):
    answer = client_for(who).post(f"/{WORK.format(**ids)}{ids['submission']}/grade/", {"score": 5, "version": 2})

    assert (answer.status_code, answer.json()["student"]["last_name"]) == (200, NAMES["last_name"])


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_names_stand_in_the_file_of_the_gradebook(client_for, ids, who):
    answer = client_for(who).get(f"/api/courses/{ids['course']}/gradebook/?format=csv", HTTP_ACCEPT_LANGUAGE="en")

    (line,) = csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig")))
    assert (line["Last name"], line["First name"], line["Email"]) == tuple(
        NAMES[name] for name in ("last_name", "first_name", "email")
    )


@pytest.mark.parametrize("search", ["qvist", "zora-9c1e"])
def test_students_are_found_by_name(client_for, ids, enrolled, search):
    found = client_for("teacher").get(f"/api/courses/{ids['course']}/students/", {"search": search}).json()

    assert [line["student"]["email"] for line in found["results"]] == [NAMES["email"]]


@pytest.mark.parametrize("who", ["anonymous", "student", "enrolled", "other"])
def test_nobody_else_sees_more_than_a_public_profile(client_for, ids, enrolled, who):
    client, seen = client_for(who), []
    for path in paths(ids):
        if PASSED_OVER.match(path):
            continue
        answer = client.get(f"/{path}")
        seen.append(answer.status_code)
        told = answer.getvalue().decode(errors="replace")
        assert not {secret for secret in SECRETS if secret in told or json.dumps(secret)[1:-1] in told}, path
    assert seen.count(200) >= (5 if who == "anonymous" else 15)


def test_the_teacher_sees_names_there_alone(client_for, ids):
    """Where people are not the course's students, they are whoever has a public profile."""
    client = client_for("teacher")
    told = {path for path in paths(ids) if NAMES["email"] in client.get(f"/{path}").getvalue().decode(errors="replace")}

    assert told == {template.format(**ids) for template in OF_MANAGERS}


@pytest.mark.parametrize("who", ["enrolled", "teacher", "moderator"])
def test_a_student_sees_whoever_answers_by_their_public_profile(request, client_for, sign_in_as, zora, ids, who):
    """Names are for those who teach; that somebody does, does not show theirs."""
    author = request.getfixturevalue(who)
    type(author).objects.filter(pk=author.pk).update(last_name="Hidden-1b7e")
    CommentFactory(submission_id=ids["submission"], author=author)

    for reader in (sign_in_as(zora), client_for("teacher")):
        told = reader.get("/" + WORK.format(**ids) + f"{ids['submission']}/comments/").content.decode()
        assert "Hidden-1b7e" not in told


def test_those_who_left_have_neither(client_for, ids, zora):
    anonymise_user(zora)

    client = client_for("teacher")
    for template, members in OF_MANAGERS.items():
        for person in people_in(client.get("/" + template.format(**ids)).json(), members):
            assert (person["last_name"], person["email"]) == ("", None), template
    file = client.get(f"/api/courses/{ids['course']}/gradebook/?format=csv").getvalue().decode()
    assert "@" not in file
