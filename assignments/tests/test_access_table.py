"""Who may do what: every route of learning, every method, every member of the cast."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.db import transaction
from django.urls import get_resolver, resolve
from django.utils import timezone

from assignments.models import Question
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    CommentFactory,
    QuizFactory,
    SubmissionFactory,
)
from conftest import CAST
from materials.models import Course, Enrollment, LessonCompletion
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonFactory
from materials.tests.test_access_table import cells, routes
from users.models import Notification

COURSE = "/api/courses/{course}/"
QUIZZES = COURSE + "quizzes/"
ATTEMPTS = QUIZZES + "{taken}/attempts/"
LESSON = COURSE + "lessons/{lesson}/"
ASSIGNMENTS = LESSON + "assignments/"
SUBMISSIONS = ASSIGNMENTS + "{handed_in}/submissions/"
CERTIFICATES = "/api/users/certificates/"

NEW = {"title": "New"}
TEXT = {"text": "New"}
GRADE = {"score": 50}
REVOKE = {"revocation_reason": "A mistake"}
ISSUE = {"student": "{classmate}", "course": "{course}"}
ANSWERS = {"answers": [{"question": "{question}", "number": 8}]}

# The lesson is a closed one. What a student has made, and the certificate, is `enrolled`'s.
# (method, path, body, the statuses of CAST in its order)
TABLE = [
    #                                                                      anon stud enro teac othe mode admi
    ("GET", "/api/users/me/courses/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/users/me/submissions/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/users/me/attempts/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/lessons/{lesson}/complete/", None, (401, 403, 200, 403, 403, 403, 403)),
    ("PUT", "/api/lessons/{lesson}/position/", {"position_seconds": 9}, (401, 403, 200, 403, 403, 403, 403)),
    ("GET", COURSE + "progress/", None, (401, 403, 200, 403, 403, 403, 403)),
    ("GET", COURSE + "students/", None, (401, 403, 403, 200, 403, 200, 200)),
    ("GET", COURSE + "gradebook/", None, (401, 403, 403, 200, 403, 200, 200)),
    ("GET", COURSE + "analytics/", None, (401, 403, 403, 200, 403, 200, 200)),
    ("GET", "/api/certificates/verify/{code}/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("GET", CERTIFICATES, None, (401, 200, 200, 200, 200, 200, 200)),
    ("POST", CERTIFICATES, ISSUE, (401, 403, 403, 201, 403, 403, 201)),
    ("GET", CERTIFICATES + "{certificate}/", None, (401, 404, 200, 200, 404, 200, 200)),
    ("PUT", CERTIFICATES + "{certificate}/", REVOKE, (401, 404, 403, 200, 404, 403, 200)),
    ("DELETE", CERTIFICATES + "{certificate}/", None, (401, 404, 403, 204, 404, 403, 204)),
    ("GET", CERTIFICATES + "{certificate}/pdf/", None, (401, 404, 200, 200, 404, 200, 200)),
    ("GET", QUIZZES, None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", QUIZZES, NEW, (401, 403, 403, 201, 403, 403, 201)),
    ("GET", QUIZZES + "{quiz}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", QUIZZES + "{quiz}/", NEW, (401, 403, 403, 200, 403, 200, 200)),
    ("PATCH", QUIZZES + "{quiz}/", NEW, (401, 403, 403, 200, 403, 200, 200)),
    ("DELETE", QUIZZES + "{quiz}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", QUIZZES + "{quiz}/attempts/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", QUIZZES + "{quiz}/attempts/", None, (401, 403, 201, 403, 403, 403, 403)),
    ("GET", ATTEMPTS + "{attempt}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", ATTEMPTS + "{attempt}/answers/", ANSWERS, (401, 403, 200, 403, 403, 403, 403)),
    ("POST", ATTEMPTS + "{attempt}/submit/", None, (401, 403, 200, 403, 403, 403, 403)),
    ("GET", LESSON + "comments/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", LESSON + "comments/", TEXT, (401, 403, 201, 201, 403, 201, 201)),
    ("GET", LESSON + "comments/{on_lesson}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", LESSON + "comments/{on_lesson}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("PATCH", LESSON + "comments/{on_lesson}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("DELETE", LESSON + "comments/{on_lesson}/", None, (401, 403, 204, 403, 403, 403, 204)),
    ("GET", ASSIGNMENTS, None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", ASSIGNMENTS, NEW, (401, 403, 403, 201, 403, 403, 201)),
    ("GET", ASSIGNMENTS + "{assignment}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", ASSIGNMENTS + "{assignment}/", NEW, (401, 403, 403, 200, 403, 200, 200)),
    ("PATCH", ASSIGNMENTS + "{assignment}/", NEW, (401, 403, 403, 200, 403, 200, 200)),
    ("DELETE", ASSIGNMENTS + "{assignment}/", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", ASSIGNMENTS + "{assignment}/comments/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", ASSIGNMENTS + "{assignment}/comments/", TEXT, (401, 403, 201, 201, 403, 201, 201)),
    ("GET", ASSIGNMENTS + "{assignment}/comments/{on_assignment}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", ASSIGNMENTS + "{assignment}/comments/{on_assignment}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("PATCH", ASSIGNMENTS + "{assignment}/comments/{on_assignment}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("DELETE", ASSIGNMENTS + "{assignment}/comments/{on_assignment}/", None, (401, 403, 204, 403, 403, 403, 204)),
    ("GET", ASSIGNMENTS + "{assignment}/submissions/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", ASSIGNMENTS + "{assignment}/submissions/", TEXT, (401, 403, 201, 403, 403, 403, 403)),
    ("GET", SUBMISSIONS + "{submission}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", SUBMISSIONS + "{submission}/", TEXT, (401, 403, 200, 403, 403, 403, 403)),
    ("DELETE", SUBMISSIONS + "{submission}/", None, (401, 403, 204, 403, 403, 403, 403)),
    ("GET", SUBMISSIONS + "{submission}/file/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", SUBMISSIONS + "{submission}/grade/", GRADE, (401, 403, 403, 200, 403, 403, 200)),
    ("GET", SUBMISSIONS + "{submission}/comments/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("POST", SUBMISSIONS + "{submission}/comments/", TEXT, (401, 403, 201, 201, 403, 201, 201)),
    ("GET", SUBMISSIONS + "{submission}/comments/{on_submission}/", None, (401, 403, 200, 200, 403, 200, 200)),
    ("PUT", SUBMISSIONS + "{submission}/comments/{on_submission}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("PATCH", SUBMISSIONS + "{submission}/comments/{on_submission}/", TEXT, (401, 403, 200, 403, 403, 403, 200)),
    ("DELETE", SUBMISSIONS + "{submission}/comments/{on_submission}/", None, (401, 403, 204, 403, 403, 403, 204)),
]
# Those that lead into one course, whether the path or the body names it.
IN_COURSE = [row for row in TABLE if any(name in f"{row[1]}{row[2]}" for name in ("{course}", "{lesson}"))]
# What `enrolled` may do because the content is open to them.
STUDY = [row for row in IN_COURSE if row[3][CAST.index("enrolled")] < 400]
# What stays readable when access has run out: one's own work, and what came of it.
STAYS = [row for row in STUDY if row[0] == "GET" and any(n in row[1] for n in ("progress", "submissions", "attempts"))]
# What does not hang on one lesson.
OF_THE_COURSE = [row for row in STUDY if row[1] in {QUIZZES, COURSE + "progress/"}]
# What is `enrolled`'s alone, or said by them where all may read it; beside them sits a classmate.
OWN = [row for row in TABLE if any(n in row[1] for n in ("{certificate}", "{attempt}", "{submission}"))]
SAID = [row for row in TABLE if "{on_lesson}" in row[1] or "{on_assignment}" in row[1]]
# What stands at the end of a path, where whoever finds the lesson closed does not get to: it is not looked for.
BEHIND_THE_GATE = {
    path: path.removesuffix(action).split("/")[-2]
    for path in {row[1] for row in TABLE}
    for action in ("file/", "grade/", "answers/", "submit/", "")
    if path.endswith(f"}}/{action}") and "{quiz}/" not in path
}
GATE = {"attempt", "submission", "on_lesson", "on_assignment", "on_submission"}
GATE = {"not_enrolled", "payment_required"}
UNKNOWN = "01939f00-0000-7000-8000-000000000000"


@pytest.fixture
def classmate(course):
    return EnrollmentFactory(user__email="classmate@test.io", course=course, source="payment").user


def build(course, lesson, student):
    """What the paths of the table lead to, of this course and this student."""
    quiz, taken = (QuizFactory(course=course, lesson=lesson, questions=False) for _ in range(2))
    asked = [Question.objects.create(quiz=q, kind="number", text="How many?", correct_number=8) for q in (quiz, taken)]
    assignment, handed_in = (AssignmentFactory(lesson=lesson) for _ in range(2))
    submission = SubmissionFactory(
        assignment=handed_in, student=student, file=ContentFile(b"Mine", name="mine.txt"), file_name="mine.txt"
    )
    attempt = AttemptFactory(
        quiz=taken, student=student, state="in_progress", submitted_at=None, points=None, score=None, passed=None,
        layout=[{"question": str(asked[1].pk), "choices": []}],
    )  # fmt: skip
    certificate = CertificateFactory(student=student, course=course)
    return {
        "course": course.pk,
        "lesson": lesson.pk,
        "quiz": quiz.pk,
        "taken": taken.pk,
        "question": asked[1].pk,
        "attempt": attempt.pk,
        "assignment": assignment.pk,
        "handed_in": handed_in.pk,
        "submission": submission.pk,
        "on_lesson": CommentFactory(author=student, lesson=lesson).pk,
        "on_assignment": CommentFactory(author=student, assignment=assignment).pk,
        "on_submission": CommentFactory(author=student, submission=submission).pk,
        "certificate": certificate.pk,
        "code": certificate.verification_code,
    }


@pytest.fixture
def ids(course, enrolled, classmate):
    """What the paths of the table are filled in with."""
    return {**build(course, course.lessons.get(order=2), enrolled), "classmate": classmate.pk}


def world():
    """Every row of the app, and what it leaves in others."""
    models = [*apps.get_app_config("assignments").get_models(), Enrollment, LessonCompletion, Notification]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def filled(body, ids):
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    return body.format(**ids) if isinstance(body, str) else body


def send(client, row, ids):
    method, path, body, _statuses = row
    return getattr(client, method.lower())(path.format(**ids), filled(body, ids))


def check(client, row, ids, status):
    before = world()
    response = send(client, row, ids)

    assert response.status_code == status, getattr(response, "content", b"")
    assert (world() == before) is (row[0] == "GET" or status >= 400)


def send_each(client, rows, ids, look=lambda response: response.status_code):
    """What is seen of the answer to each row; what a row changes is taken back, and a refused one changes nothing."""
    seen = {}
    before = world()
    for row in rows:
        with transaction.atomic():
            response = send(client, row, ids)
            assert response.status_code < 400 or world() == before, row[:2]
            transaction.set_rollback(True)
        seen[row[:2]] = look(response)
    return seen


def code(response):
    return response.status_code, response.json()["code"] if response.status_code >= 400 else None


def every(rows, status):
    return {row[:2]: status for row in rows}


def in_table(rows, who):
    return {row[:2]: row[3][CAST.index(who)] for row in rows}


# --- A published course ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "who"), cells(TABLE))
def test_published(client_for, ids, row, who):
    check(client_for(who), row, ids, row[3][CAST.index(who)])


def test_whoever_has_to_sign_in_is_told_how(api, ids):
    rows = [row for row in TABLE if row[3][0] == 401]

    told = send_each(api, rows, ids, lambda response: response.headers.get("WWW-Authenticate", "").split(" ")[0])

    assert told == every(rows, "Bearer")


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row[0]}-{row[1]}") for row in OWN])
def test_what_is_a_students_own_does_not_exist_for_a_classmate(client_for, ids, row):
    check(client_for("classmate"), row, ids, 404)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row[0]}-{row[1]}") for row in SAID])
def test_what_a_student_has_said_is_read_by_a_classmate_and_not_changed(client_for, ids, row):
    check(client_for("classmate"), row, ids, 200 if row[0] == "GET" else 403)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("enrolled", [1, 1, 1]),
        ("classmate", [0, 0, 0]),
        *((who, [1, 1, 1]) for who in ("teacher", "moderator", "admin")),
    ],
)
def test_lists_hold_what_one_may_open(client_for, ids, who, sees):
    client = client_for(who)

    lists = [client.get(path.format(**ids)) for path in (ATTEMPTS, SUBMISSIONS, CERTIFICATES)]

    assert [answer.json()["count"] for answer in lists] == sees


@pytest.mark.parametrize("who", ["student", "other"])
def test_a_stranger_has_no_certificates(client_for, ids, who):
    assert client_for(who).get(CERTIFICATES).json()["count"] == 0


# --- The gate's reasons ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["student", "other"])
@pytest.mark.parametrize(("price", "reason"), [("1000.00", "payment_required"), ("0.00", "not_enrolled")])
def test_who_has_no_part_in_the_course_is_told_what_is_missing(client_for, ids, who, price, reason):
    Course.objects.update(price=price)

    assert send_each(client_for(who), STUDY, ids, code) == every(STUDY, (403, reason))


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_whoever_looks_is_no_student(client_for, ids, who):
    closed = [row for row in STUDY if row[3][CAST.index(who)] == 403]
    students = [row for row in closed if not any(name in row[1] for name in ("{attempt}", "{submission}", "{on_"))]

    answers = send_each(client_for(who), students, ids, code)

    assert {status for status, _reason in answers.values()} == {403}
    assert {reason for _status, reason in answers.values()} <= GATE


@pytest.mark.parametrize("status", ["active", "expired"])
def test_access_that_has_run_out_leaves_ones_own_work_to_read(client_for, ids, status):
    Enrollment.objects.update(status=status, expires_at=timezone.now() - timedelta(days=1))
    # An attempt that was begun in time is carried through.
    rows = [row for row in STUDY if row[0] == "GET" or "{attempt}" not in row[1]]

    assert send_each(client_for("enrolled"), rows, ids, code) == {
        **every(rows, (403, "access_expired")),
        **every(STAYS, (200, None)),
    }


def test_a_course_taken_one_after_another_opens_nothing_before_its_time(client_for, ids):
    Course.objects.update(sequential=True)
    # What was begun before goes on, and stays readable: see test_my_work.
    begun = [row for row in STUDY if "{attempt}" in row[1] or "{submission}" in row[1] or row in STAYS]
    rows = [row for row in STUDY if row not in begun]
    of_the_course = [row for row in OF_THE_COURSE if row in rows]

    assert send_each(client_for("enrolled"), rows, ids, code) == {
        **every(rows, (403, "previous_lesson_required")),
        **every(of_the_course, (200, None)),
    }


def test_an_enrollment_taken_back_closes_everything(client_for, ids):
    Enrollment.objects.update(status="revoked")

    assert send_each(client_for("enrolled"), STUDY, ids, code) == every(STUDY, (403, "payment_required"))


# --- A draft, an archived course -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "who"),
    [
        *(("draft", who) for who in ("anonymous", "student", "enrolled", "other")),
        *(("archived", who) for who in ("anonymous", "student", "other")),
    ],
)
def test_a_course_that_is_hidden_does_not_exist(client_for, ids, status, who):
    Course.objects.update(status=status)

    assert send_each(client_for(who), IN_COURSE, ids) == every(IN_COURSE, 401 if who == "anonymous" else 404)


@pytest.mark.parametrize(
    ("status", "who"),
    [
        *(("draft", who) for who in ("teacher", "moderator", "admin")),
        *(("archived", who) for who in ("enrolled", "teacher", "moderator", "admin")),
    ],
)
def test_a_hidden_course_for_those_who_study_or_make_it(client_for, ids, status, who):
    Course.objects.update(status=status)

    assert send_each(client_for(who), IN_COURSE, ids) == in_table(IN_COURSE, who)


@pytest.mark.parametrize("who", CAST)
def test_certificates_outlive_their_course(client_for, ids, who):
    Course.objects.update(status="draft")
    rows = [row for row in TABLE if "certificate" in row[1] and row[0] != "POST"]

    assert send_each(client_for(who), rows, ids) == in_table(rows, who)


# --- What does not belong together -----------------------------------------------------------------------------------


def names(path):
    return [part.split("}")[0] for part in path.split("{")[1:]]


@pytest.mark.parametrize("who", CAST)
def test_what_belongs_to_another_course_is_404(client_for, ids, teacher, enrolled, who):
    """Each id of each path in turn is one of another course, of the same teacher and the same student."""
    course = CourseFactory(owner=teacher, price="1000.00")
    EnrollmentFactory(user=enrolled, course=course)
    elsewhere = build(course, LessonFactory(course=course), enrolled)
    client = client_for(who)
    before = world()
    wrong = {}
    for method, path, body, statuses in TABLE:
        for name in names(path) if len(names(path)) > 1 else ():
            status = send(client, (method, path, body, statuses), {**ids, name: elsewhere[name]}).status_code
            gated = who in {"student", "other"} and BEHIND_THE_GATE.get(path) == f"{{{name}}}"
            if status != (401 if who == "anonymous" else 403 if gated else 404):
                wrong[method, path, name] = status

    assert not wrong
    assert world() == before


@pytest.mark.parametrize("wrong", [UNKNOWN, "1", "x", "01939f00-0000-7000-8000-00000000000g"])
def test_what_does_not_exist_is_404(client_for, ids, wrong):
    client = client_for("admin")
    before = world()
    requests = [(row, name) for row in TABLE for name in names(row[1])]

    answers = {(*row[:2], name): send(client, row, {**ids, name: wrong}).status_code for row, name in requests}

    assert answers == dict.fromkeys(answers, 404)
    assert world() == before


# --- Nothing has been forgotten --------------------------------------------------------------------------------------


def test_every_route_stands_in_the_table():
    unknown = dict.fromkeys((name for row in TABLE for name in names(row[1])), UNKNOWN) | {"code": "X"}

    found = {(resolve(path.format(**unknown)).url_name, method) for method, path, _body, _statuses in TABLE}

    assert found == set(routes(get_resolver("assignments.urls")))


@pytest.mark.parametrize("path", sorted({row[1] for row in TABLE}))
def test_other_methods_are_405(client_for, ids, path):
    served = {row[0] for row in TABLE if row[1] == path}
    client = client_for("admin")
    before = world()

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - served:
        assert getattr(client, method.lower())(path.format(**ids), {}).status_code == 405, method

    assert world() == before
