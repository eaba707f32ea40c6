"""Handing work in and grading it: …/assignments/{id}/submissions/."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone, translation
from django.utils.translation import gettext

from assignments.models import WORK_FIELDS, Assignment, Submission, SubmissionVersion
from assignments.services import submissions
from assignments.tasks import remind_due_assignments
from assignments.tests.factories import AssignmentFactory, SubmissionFactory, SubmissionVersionFactory
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonAccessFactory, LessonCompletionFactory
from users.models import Notification, User
from users.tests.factories import UserFactory

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def url(assignment, submission=None, rest=""):
    lesson = assignment.lesson
    where = f"/api/courses/{lesson.course_id}/lessons/{lesson.pk}/assignments/{assignment.pk}/submissions/"
    return where + (f"{submission.pk}/{rest}" if submission else "")


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def rows():
    """Everything that is stored of all submissions."""
    return [list(model.objects.order_by("pk").values()) for model in (Submission, SubmissionVersion)]


def text_file(name="work.txt", content=b"My work"):
    return SimpleUploadedFile(name, content)


def stored_files(settings):
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


@pytest.fixture
def assignment(lesson):
    return AssignmentFactory(lesson=lesson, title="Map")


@pytest.fixture
def submission(assignment, enrolled):
    """Handed in by the enrolled person, and not graded."""
    return SubmissionFactory(assignment=assignment, student=enrolled, text="First")


@pytest.fixture
def replaced(submission):
    """With a second version, and the first one behind it."""
    SubmissionVersionFactory(submission=submission, text="First")
    Submission.objects.update(version=2, text="Second")
    return submission


@pytest.fixture
def with_file(assignment, enrolled):
    submission = SubmissionFactory.build(assignment=assignment, student=enrolled, file_name="Карта неба.txt")
    submission.file.save("work.txt", ContentFile("Звёзды".encode()), save=False)
    submission.save(force_insert=True)
    return submission


@contextmanager
def unchanged():
    before = rows()
    yield
    assert rows() == before


# --- Handing in ------------------------------------------------------------------------------------------------------


def test_handing_in_text(client_for, assignment, enrolled):
    answer = client_for("enrolled").post(url(assignment), {"text": "  My\n work "})

    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert shown["assignment"] == str(assignment.pk)
    assert shown["student"]["id"] == str(enrolled.pk)
    assert (shown["version"], len(shown["versions"]), shown["status"]) == (1, 1, "submitted")
    assert (shown["text"], shown["file"], shown["file_name"]) == ("  My\n work ", None, "")
    assert (shown["score"], shown["raw_score"], shown["late_penalty"], shown["max_score"]) == (None, None, 0, 100)
    assert (shown["feedback"], shown["graded_at"], shown["graded_by"]) == ("", None, None)


def test_handing_in_a_file(client_for, assignment):
    answer = client_for("enrolled").post(url(assignment), {"file": text_file("Карта.txt")}, format="multipart")

    assert answer.status_code == 201, answer.json()
    submission = Submission.objects.get()
    assert answer.json()["file"] == "http://testserver" + url(assignment, submission, "file/")
    assert (answer.json()["file_name"], answer.json()["text"]) == ("Карта.txt", "")
    assert submission.file.name.startswith("private/submissions/")
    assert "Карта" not in submission.file.name
    assert submission.file.read() == b"My work"


def test_handing_in_both(client_for, assignment):
    body = {"text": "See the file", "file": text_file()}

    answer = client_for("enrolled").post(url(assignment), body, format="multipart")

    assert (answer.json()["text"], answer.json()["file_name"]) == ("See the file", "work.txt")


@pytest.mark.parametrize("kind", ["json", "multipart"])
@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n\t"}, {"file": ""}], ids=str)
def test_handing_in_nothing(client_for, assignment, body, kind):
    answer = client_for("enrolled").post(url(assignment), body, format=kind)

    assert answer.status_code == 400
    assert not Submission.objects.exists()


def test_whoever_hands_in_nothing_is_told_what_to_send(client_for, assignment):
    assert codes(client_for("enrolled").post(url(assignment), {"file": None})) == {("text", "required")}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"text": None}, ("text", "null")),
        ({"text": []}, ("text", "invalid")),
        ({"text": {}}, ("text", "invalid")),
        ({"text": True}, ("text", "invalid")),
        ({"text": "a\x00b"}, ("text", "null_characters_not_allowed")),
        ({"text": "x" * 100_001}, ("text", "max_length")),
        ({"text": "x", "file": "work.txt"}, ("file", "invalid")),
        ({"text": "x", "file": 1}, ("file", "invalid")),
        ({"text": "x", "file": {}}, ("file", "invalid")),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("method", ["post", "put"])
def test_content_that_is_refused(client_for, assignment, enrolled, method, body, error):
    submission = SubmissionFactory(assignment=assignment, student=enrolled) if method == "put" else None

    with unchanged():
        answer = getattr(client_for("enrolled"), method)(url(assignment, submission), body)

    assert codes(answer) == {error}


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", ""])
def test_wrong_bodies_are_refused(client_for, submission, body):
    client = client_for("enrolled")

    for method, address in (("put", url(submission.assignment, submission)), ("post", url(submission.assignment))):
        with unchanged():
            answer = getattr(client, method)(address, body, content_type="application/json")
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("teacher", 403),
        ("moderator", 403),
        ("admin", 403),
        ("enrolled", 201),
    ],
)
def test_who_hands_in(client_for, assignment, who, status):
    answer = client_for(who).post(url(assignment), {"text": "Mine"})

    assert answer.status_code == status
    assert Submission.objects.count() == (status == 201)


def test_a_lesson_bought_alone_is_enough(client_for, assignment, student, lesson):
    LessonAccessFactory(user=student, lesson=lesson)

    assert client_for("student").post(url(assignment), {"text": "Mine"}).status_code == 201


def test_a_preview_shows_its_work_and_takes_none(client_for, course):
    assignment = AssignmentFactory(lesson=course.lessons.get(order=1))
    client = client_for("student")

    assert client.get(url(assignment)).json()["results"] == []
    assert refusal(client.post(url(assignment), {"text": "Mine"})) == (403, "payment_required")


def test_a_sequential_course_takes_work_in_its_order(client_for, course, assignment, enrolled):
    Course.objects.update(sequential=True)
    client = client_for("enrolled")

    before = client.post(url(assignment), {"text": "Mine"})
    LessonCompletionFactory(
        enrollment=enrolled.enrollments.get(), lesson=course.lessons.get(order=1), completed_at=timezone.now()
    )
    after = client.post(url(assignment), {"text": "Mine"})

    assert refusal(before) == (403, "previous_lesson_required")
    assert after.status_code == 201


def test_a_second_one_is_refused(client_for, submission, settings):
    client = client_for("enrolled")

    with unchanged():
        answer = client.post(url(submission.assignment), {"file": text_file()}, format="multipart")

    assert refusal(answer) == (409, "already_submitted")
    assert stored_files(settings) == []


@pytest.mark.parametrize("status", ["graded", "returned"])
def test_a_second_one_is_refused_after_grading_too(client_for, assignment, enrolled, status):
    SubmissionFactory(assignment=assignment, student=enrolled, status=status, score=1, raw_score=1)

    assert refusal(client_for("enrolled").post(url(assignment), {"text": "x"})) == (409, "already_submitted")


def test_everyone_has_their_own(client_for, course, sign_in_as, submission):
    second = EnrollmentFactory(course=course).user

    answer = sign_in_as(second).post(url(submission.assignment), {"text": "Mine"})

    assert (answer.status_code, answer.json()["version"]) == (201, 1)


# --- Versions --------------------------------------------------------------------------------------------------------


def test_a_new_version_keeps_the_id(client_for, submission):
    answer = client_for("enrolled").put(url(submission.assignment, submission), {"text": "Second"})

    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert shown["id"] == str(submission.pk)
    assert (shown["version"], shown["text"], shown["status"]) == (2, "Second", "submitted")
    assert [(version["version"], version["text"]) for version in shown["versions"]] == [(1, "First"), (2, "Second")]


def test_an_old_version_stays_as_it_was(client_for, assignment, enrolled, teacher):
    submission = SubmissionFactory(
        assignment=assignment,
        student=enrolled,
        text="First",
        status="returned",
        raw_score=40,
        score=36,
        late_penalty=4,
        feedback="Again",
        graded_by=teacher,
        graded_at=timezone.now(),
    )
    before = Submission.objects.values(*WORK_FIELDS).get()

    answer = client_for("enrolled").put(url(assignment, submission), {"text": "Second"})

    assert SubmissionVersion.objects.values(*WORK_FIELDS).get() == before
    after = Submission.objects.values("pk", "version", "status", "raw_score", "score", "feedback", "graded_by").get()
    assert after == {
        "pk": submission.pk, "version": 2, "status": "submitted", "raw_score": None, "score": None, "feedback": "",
        "graded_by": None,
    }  # fmt: skip
    first = answer.json()["versions"][0]
    assert (first["status"], first["raw_score"], first["late_penalty"], first["score"]) == ("returned", 40, 4, 36)
    assert (first["feedback"], first["graded_by"]) == ("Again", str(teacher.pk))


def test_a_new_version_holds_what_was_sent_alone(client_for, with_file):
    answer = client_for("enrolled").put(url(with_file.assignment, with_file), {"text": "No file this time"})

    assert (answer.json()["file"], answer.json()["file_name"]) == (None, "")
    assert SubmissionVersion.objects.get().file.read().decode() == "Звёзды"


@pytest.mark.parametrize("who", ["enrolled", "teacher", "moderator", "admin"])
def test_versions_are_counted_and_one_of_them_counts(client_for, submission, who):
    for number in (2, 3, 4):
        client_for("enrolled").put(url(submission.assignment, submission), {"text": f"No. {number}"})
    client = client_for(who)

    (line,) = client.get(url(submission.assignment)).json()["results"]
    shown = client.get(url(submission.assignment, submission)).json()

    for answer in (line, shown):
        assert (answer["id"], answer["version"], answer["text"]) == (str(submission.pk), 4, "No. 4")
        texts = {version["version"]: version["text"] for version in answer["versions"]}
        assert texts == {1: "First", 2: "No. 2", 3: "No. 3", 4: "No. 4"}


@pytest.mark.parametrize("who", ["enrolled", "teacher"])
def test_the_file_of_each_version(client_for, with_file, who):
    body = {"file": text_file("new.txt", b"New")}
    client_for("enrolled").put(url(with_file.assignment, with_file), body, format="multipart")
    client = client_for(who)

    shown = client.get(url(with_file.assignment, with_file)).json()
    addresses = [*(version["file"] for version in shown["versions"]), shown["file"]]
    held = [b"".join(client.get(address).streaming_content).decode() for address in addresses]

    assert held == ["Звёзды", "New", "New"]


@pytest.mark.parametrize("version", ["0", "2", "x", "-1", "", "1" * 5000, "१"])
def test_a_version_that_is_none_has_no_file(client_for, with_file, version):
    answer = client_for("enrolled").get(url(with_file.assignment, with_file, "file/"), {"version": version})

    assert answer.status_code == 404


@pytest.mark.parametrize("reason", ["number", "size"])
def test_versions_have_an_end(client_for, submission, settings, monkeypatch, reason):
    """All of them are read at once."""
    if reason == "number":
        monkeypatch.setattr(submissions, "MAX_VERSIONS", 1)
    else:
        monkeypatch.setattr(submissions, "MAX_BYTES_OF_TEXTS", 20)

    with unchanged():
        answer = client_for("enrolled").put(url(submission.assignment, submission), {"text": "x" * 10})

    assert refusal(answer) == (409, "too_many_versions")


def test_lists_cut_long_texts(client_for, submission):
    Submission.objects.update(text="я" * 501, feedback="ю" * 500, version=2)
    SubmissionVersionFactory(submission=submission, text="ё" * 600)
    addresses = [(who, url(submission.assignment)) for who in ("enrolled", "teacher")]

    for who, address in [*addresses, ("enrolled", "/api/users/me/submissions/")]:
        (line,) = client_for(who).get(address).json()["results"]
        assert (line["text"], line["feedback"]) == ("я" * 500 + "…", "ю" * 500)
        assert line.get("versions", [{"text": "ё" * 500 + "…"}])[0]["text"] == "ё" * 500 + "…"
    shown = client_for("teacher").get(url(submission.assignment, submission)).json()
    assert [len(version["text"]) for version in shown["versions"]] == [600, 501]


@pytest.mark.parametrize(
    ("status", "answered"), [("submitted", (200, None)), ("returned", (200, None)), ("graded", (409, "already_graded"))]
)
def test_in_which_state_work_is_handed_in_again(client_for, assignment, enrolled, status, answered):
    submission = SubmissionFactory(assignment=assignment, student=enrolled, status=status, score=1, raw_score=1)

    answer = client_for("enrolled").put(url(assignment, submission), {"text": "Second"})

    assert (answer.status_code, answer.json().get("code")) == answered
    assert SubmissionVersion.objects.count() == (1 if answered[0] == 200 else 0)


@pytest.mark.parametrize("method", ["put", "delete"])
def test_what_is_handed_in_once_cannot_be_changed(client_for, submission, settings, method):
    Assignment.objects.update(resubmissions_allowed=False)

    with unchanged():
        answer = getattr(client_for("enrolled"), method)(
            url(submission.assignment, submission), {"file": text_file()}, format="multipart"
        )

    assert refusal(answer) == (403, "resubmissions_not_allowed")
    assert stored_files(settings) == []


def test_what_is_handed_in_once_is_handed_in_again_when_returned(client_for, submission):
    Assignment.objects.update(resubmissions_allowed=False)
    Submission.objects.update(status="returned")

    answer = client_for("enrolled").put(url(submission.assignment, submission), {"text": "Second"})

    assert (answer.status_code, answer.json()["version"]) == (200, 2)


def test_a_part_of_a_version_cannot_be_changed(client_for, submission):
    assert client_for("enrolled").patch(url(submission.assignment, submission), {"text": "x"}).status_code == 405


# --- Taking back -----------------------------------------------------------------------------------------------------


def test_taking_work_back(client_for, submission):
    answer = client_for("enrolled").delete(url(submission.assignment, submission))

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Submission.objects.exists()


def test_what_was_taken_back_can_be_handed_in_again(client_for, submission):
    client = client_for("enrolled")
    client.delete(url(submission.assignment, submission))

    answer = client.post(url(submission.assignment), {"text": "Again"})

    assert (answer.status_code, answer.json()["version"]) == (201, 1)


def test_its_file_goes_with_it(client_for, with_file, settings, django_capture_on_commit_callbacks):
    assert len(stored_files(settings)) == 1

    with django_capture_on_commit_callbacks(execute=True):
        client_for("enrolled").delete(url(with_file.assignment, with_file))

    assert stored_files(settings) == []


def test_all_versions_go_with_it(client_for, with_file, settings, django_capture_on_commit_callbacks):
    client = client_for("enrolled")
    for number in (2, 3):
        client.put(url(with_file.assignment, with_file), {"file": text_file(f"{number}.txt", b"x")}, format="multipart")
    assert len(stored_files(settings)) == 3

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.delete(url(with_file.assignment, with_file))

    assert answer.status_code == 204
    assert rows() == [[], []]
    assert stored_files(settings) == []


@pytest.mark.parametrize("status", ["graded", "returned"])
def test_what_a_teacher_has_said_of_an_earlier_version_stays(client_for, replaced, status):
    SubmissionVersion.objects.update(status=status, feedback="Again")

    with unchanged():
        answer = client_for("enrolled").delete(url(replaced.assignment, replaced))

    assert refusal(answer) == (409, "already_graded")


@pytest.mark.parametrize("status", ["graded", "returned"])
def test_what_a_teacher_has_looked_at_stays(client_for, assignment, enrolled, status):
    submission = SubmissionFactory(assignment=assignment, student=enrolled, status=status, score=1, raw_score=1)

    with unchanged():
        answer = client_for("enrolled").delete(url(assignment, submission))

    assert refusal(answer) == (409, "already_graded")


@pytest.mark.parametrize("method", ["put", "delete"])
@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("other", 403), ("teacher", 403), ("moderator", 403), ("admin", 403)],
)
def test_nobody_else_changes_it(client_for, submission, method, who, status):
    with unchanged():
        answer = getattr(client_for(who), method)(url(submission.assignment, submission), {"text": "Not mine"})

    assert answer.status_code == status


@pytest.mark.parametrize("method", ["put", "delete"])
@pytest.mark.parametrize("who", ["moderator", "admin"])
def test_not_even_one_who_studies_there_too(request, client_for, course, submission, method, who):
    EnrollmentFactory(course=course, user=request.getfixturevalue(who))

    with unchanged():
        answer = getattr(client_for(who), method)(url(submission.assignment, submission), {"text": "Not mine"})

    assert answer.status_code == 403


# --- In time, and late -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "allow_late", "status"),
    [
        (None, False, 201),
        (timedelta(hours=1), False, 201),
        (-SECOND, False, 403),
        (-SECOND, True, 201),
        (-365 * DAY, True, 201),
    ],
)
def test_late_work(client_for, assignment, settings, due, allow_late, status):
    Assignment.objects.update(due_at=due and timezone.now() + due, allow_late=allow_late)

    answer = client_for("enrolled").post(url(assignment), {"file": text_file()}, format="multipart")

    assert (answer.status_code, answer.json().get("code")) == (status, "deadline_passed" if status == 403 else None)
    assert (Submission.objects.count(), len(stored_files(settings))) == ((1, 1) if status == 201 else (0, 0))


@pytest.mark.parametrize(("late", "status"), [(timedelta(), 201), (timedelta(microseconds=1), 403)])
def test_the_very_moment_is_in_time(client_for, assignment, late, status):
    Assignment.objects.update(due_at=DUE, allow_late=False)

    with time_machine.travel(DUE + late, tick=False):
        assert client_for("enrolled").post(url(assignment), {"text": "x"}).status_code == status


@pytest.mark.parametrize(("state", "answered"), [("submitted", (403, "deadline_passed")), ("returned", (200, None))])
def test_a_new_version_after_the_date(client_for, assignment, enrolled, state, answered):
    """Whoever is asked to do it again may do so."""
    submission = SubmissionFactory(assignment=assignment, student=enrolled, status=state)
    Assignment.objects.update(due_at=timezone.now() - DAY, allow_late=False)

    answer = client_for("enrolled").put(url(assignment, submission), {"text": "Second"})

    assert (answer.status_code, answer.json().get("code")) == answered


@pytest.mark.parametrize(
    ("raw", "percent", "late", "penalty", "score"),
    [
        (80, 10, 1.5 * DAY, 16, 64),
        (80, 10, -DAY, 0, 80),
        (80, 10, 0 * DAY, 0, 80),
        (80, 10, SECOND, 8, 72),
        (80, 10, DAY, 8, 72),
        (80, 10, DAY + SECOND, 16, 64),
        (80, 10, 10 * DAY, 80, 0),
        (80, 10, 400 * DAY, 80, 0),
        (80, 100, SECOND, 80, 0),
        (80, 0, 400 * DAY, 0, 80),
        (0, 50, DAY, 0, 0),
        (100, 33, 2 * DAY, 66, 34),
        (33.33, 10, DAY, 3.33, 30),
        (0.01, 50, DAY, 0.01, 0),
    ],
    ids=str,
)
def test_the_penalty(client_for, submission, raw, percent, late, penalty, score):
    Assignment.objects.update(due_at=DUE, late_penalty_percent_per_day=percent)
    Submission.objects.update(submitted_at=DUE + late)

    shown = client_for("teacher").post(url(submission.assignment, submission, "grade/"), {"score": raw}).json()

    assert (shown["raw_score"], shown["late_penalty"], shown["score"]) == (raw, penalty, score)


@pytest.mark.parametrize(
    ("first", "second", "penalty"), [("returned", 9, 0), ("returned late", 9, 8), ("submitted", 2, 16)]
)
def test_work_that_was_returned_is_as_late_as_it_was_then(client_for, assignment, enrolled, first, second, penalty):
    Assignment.objects.update(due_at=DUE, late_penalty_percent_per_day=10)
    mine = {"assignment": assignment, "student": enrolled}
    moment = DUE + DAY if first == "returned late" else DUE
    again = SubmissionFactory(**mine, version=2, submitted_at=DUE + second * DAY)
    SubmissionVersionFactory(submission=again, status=first.split()[0], submitted_at=moment)

    assert client_for("teacher").post(grade_url(again), {"score": 80}).json()["late_penalty"] == penalty


def test_no_date_and_no_penalty(client_for, submission):
    Assignment.objects.update(late_penalty_percent_per_day=100)

    shown = client_for("teacher").post(url(submission.assignment, submission, "grade/"), {"score": 80}).json()

    assert (shown["late_penalty"], shown["score"]) == (0, 80)


# --- Grading ---------------------------------------------------------------------------------------------------------


def grade_url(submission):
    return url(submission.assignment, submission, "grade/")


def test_grading(client_for, submission, teacher):
    answer = client_for("teacher").post(grade_url(submission), {"score": 87.5, "feedback": "Good"})

    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert (shown["id"], shown["version"], shown["status"]) == (str(submission.pk), 1, "graded")
    assert (shown["raw_score"], shown["score"], shown["feedback"]) == (87.5, 87.5, "Good")
    assert (shown["graded_by"], shown["graded_at"] is not None) == (str(teacher.pk), True)


def test_returning_needs_no_score(client_for, submission):
    answer = client_for("teacher").post(grade_url(submission), {"status": "returned", "feedback": "Again"})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["score"], answer.json()["raw_score"]) == ("returned", None, None)


def test_a_grade_can_be_corrected(client_for, submission):
    client = client_for("teacher")
    client.post(grade_url(submission), {"score": 50, "feedback": "Hm"})

    answer = client.post(grade_url(submission), {"score": 60})

    assert (answer.json()["score"], answer.json()["feedback"], Submission.objects.count()) == (60, "", 1)


@pytest.mark.parametrize("score", [0, 100, "55.5", 99.99, 1e1])
def test_scores_that_are_taken(client_for, submission, score):
    answer = client_for("teacher").post(grade_url(submission), {"score": score})

    assert (answer.status_code, answer.json()["score"]) == (200, float(score))


@pytest.mark.parametrize(
    ("score", "code"),
    [
        (100.01, "max_value"),
        (101, "max_value"),
        (10_001, "max_value"),
        (99_999.99, "max_value"),
        (-0.01, "min_value"),
        (-1, "min_value"),
        (1.001, "max_decimal_places"),
        (10**6, "max_whole_digits"),
        ("NaN", "invalid"),
        ("Infinity", "invalid"),
        ("1e99", "max_digits"),
        ("many", "invalid"),
        ("x" * 1001, "max_string_length"),
        (True, "invalid"),
        ([], "invalid"),
        ({}, "invalid"),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("status", ["graded", "returned"])
def test_scores_that_are_refused(client_for, submission, status, score, code):
    with unchanged():
        answer = client_for("teacher").post(grade_url(submission), {"score": score, "status": status})

    assert codes(answer) == {("score", code)}
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("score", "required")),
        ({"score": None}, ("score", "required")),
        ({"score": ""}, ("score", "required")),
        ({"status": "graded"}, ("score", "required")),
        ({"score": 1, "status": "submitted"}, ("status", "invalid_choice")),
        ({"score": 1, "status": "lost"}, ("status", "invalid_choice")),
        ({"score": 1, "status": None}, ("status", "null")),
        ({"score": 1, "status": []}, ("status", "invalid_choice")),
        ({"score": 1, "feedback": None}, ("feedback", "null")),
        ({"score": 1, "feedback": []}, ("feedback", "invalid")),
        ({"score": 1, "feedback": "x" * 20_001}, ("feedback", "max_length")),
        ({"score": 1, "feedback": "a\x00b"}, ("feedback", "null_characters_not_allowed")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_grades_that_are_refused(client_for, submission, body, error):
    with unchanged():
        answer = client_for("teacher").post(grade_url(submission), body)

    assert codes(answer) == {error}


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("moderator", 403),
        ("teacher", 200),
        ("admin", 200),
    ],
)
def test_who_grades(client_for, submission, who, status):
    answer = client_for(who).post(grade_url(submission), {"score": 50})

    assert answer.status_code == status
    submission.refresh_from_db()
    assert (submission.score == 50) is (status == 200)


@pytest.mark.parametrize("body", [{}, {"version": 2}, {"version": "2"}], ids=str)
def test_a_teacher_grades_the_version_that_counts(client_for, replaced, body):
    answer = client_for("teacher").post(grade_url(replaced), {"score": 50, **body})

    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    first, second = answer.json()["versions"]
    assert (first["status"], first["score"]) == ("submitted", None)
    assert (second["status"], second["score"]) == ("graded", 50)


@pytest.mark.parametrize("version", [1, 3, 2**31 - 1])
@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_a_version_that_does_not_stand_is_not_graded(client_for, replaced, who, version):
    with unchanged():
        answer = client_for(who).post(grade_url(replaced), {"score": 50, "version": version})

    assert refusal(answer) == (409, "stale_version")
    assert not Notification.objects.exists()


@pytest.mark.parametrize("version", [0, -1, None, "x", [], {}, True, 1.5, "9" * 2000])
def test_a_version_that_is_no_number(client_for, submission, version):
    with unchanged():
        answer = client_for("teacher").post(grade_url(submission), {"score": 50, "version": version})

    assert {attr for attr, _code in codes(answer)} == {"version"}


# --- What cannot be forced -------------------------------------------------------------------------------------------

FORCED = {
    "id": UNKNOWN,
    "pk": UNKNOWN,
    "assignment": UNKNOWN,
    "assignment_id": UNKNOWN,
    "student": UNKNOWN,
    "student_id": UNKNOWN,
    "user": UNKNOWN,
    "version": 99,
    "versions": [],
    "is_latest": False,
    "file_name": "forced.txt",
    "status": "graded",
    "score": 100,
    "raw_score": 100,
    "late_penalty": 1,
    "max_score": 1000,
    "feedback": "Forced",
    "submitted_at": "2000-01-01T00:00:00Z",
    "created_at": "2000-01-01T00:00:00Z",
    "updated_at": "2000-01-01T00:00:00Z",
    "graded_at": "2000-01-01T00:00:00Z",
    "graded_by": UNKNOWN,
    "graded_by_id": UNKNOWN,
}


@pytest.mark.parametrize("kind", ["json", "multipart"])
@pytest.mark.parametrize("method", ["post", "put"])
def test_a_student_forces_nothing(client_for, assignment, enrolled, method, kind):
    submission = SubmissionFactory(assignment=assignment, student=enrolled) if method == "put" else None

    answer = getattr(client_for("enrolled"), method)(
        url(assignment, submission), {"text": "Forced", **FORCED}, format=kind
    )

    assert answer.status_code == (201 if method == "post" else 200), answer.json()
    written = Submission.objects.filter(text="Forced").values().get()
    assert str(written.pop("id")) == answer.json()["id"] != UNKNOWN
    assert method == "post" or answer.json()["id"] == str(submission.pk)
    assert all(written.pop(name).year > 2000 for name in ("submitted_at", "created_at", "updated_at"))
    assert written == {
        "assignment_id": assignment.pk,
        "student_id": enrolled.pk,
        "version": 1 if method == "post" else 2,
        "text": "Forced",
        "file": "",
        "file_name": "",
        "status": "submitted",
        "raw_score": None,
        "late_penalty": 0,
        "score": None,
        "feedback": "",
        "graded_at": None,
        "graded_by_id": None,
    }
    assignment.refresh_from_db()
    assert assignment.max_score == 100


@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_a_teacher_forces_nothing(client_for, submission, teacher, enrolled, kind):
    wanted = {"score": 50, "feedback": "Fine", "status": "graded"}
    forced = {**FORCED, "text": "Forced", "version": 1, **wanted}

    answer = client_for("teacher").post(grade_url(submission), forced, format=kind)

    assert answer.status_code == 200
    written = Submission.objects.get()
    assert (written.pk, written.version, written.earlier.count()) == (submission.pk, 1, 0)
    assert (written.text, written.file_name, written.student, written.graded_by) == ("First", "", enrolled, teacher)
    assert (written.raw_score, written.late_penalty, written.score) == (50, 0, 50)
    assert (written.submitted_at, written.created_at) == (submission.submitted_at, submission.created_at)
    assert written.graded_at.year > 2000


# --- Who sees what ---------------------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("rest", ["", "file/"])
def test_who_reads(client_for, with_file, who, status, rest):
    answer = client_for(who).get(url(with_file.assignment, with_file, rest))

    assert answer.status_code == status
    answer.close()


@pytest.mark.parametrize(
    ("method", "rest"),
    [("get", ""), ("get", "file/"), ("put", ""), ("delete", ""), ("post", "grade/"), ("get", "comments/")],
)
def test_another_students_submission_does_not_exist(client_for, course, sign_in_as, with_file, method, rest):
    second = EnrollmentFactory(course=course).user

    with unchanged():
        answer = getattr(sign_in_as(second), method)(url(with_file.assignment, with_file, rest), {"text": "x"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("who", "seen"), [("enrolled", {"enrolled@test.io"}), ("teacher", None), ("moderator", None), ("admin", None)]
)
def test_a_list_holds_ones_own_or_all(client_for, submission, who, seen):
    SubmissionFactory(assignment=submission.assignment)
    SubmissionFactory(student=submission.student)

    lines = client_for(who).get(url(submission.assignment)).json()["results"]

    emails = set(User.objects.filter(pk__in=[line["student"]["id"] for line in lines]).values_list("email", flat=True))
    assert emails == (seen or set(Submission.objects.values_list("student__email", flat=True)))
    assert len(lines) == len(emails)


@pytest.mark.parametrize("changes", [{"status": "expired"}, {"expires_at": DUE - 999 * DAY}], ids=str)
class TestAccessThatHasRunOut:
    @pytest.fixture(autouse=True)
    def _run_out(self, with_file, changes):
        Enrollment.objects.update(**changes)

    @pytest.mark.parametrize("rest", ["", "file/", "comments/"])
    def test_what_was_handed_in_stays_readable(self, client_for, with_file, rest):
        answer = client_for("enrolled").get(url(with_file.assignment, with_file, rest))

        assert answer.status_code == 200
        answer.close()

    def test_grades_stay_readable(self, client_for, with_file):
        client_for("teacher").post(grade_url(with_file), {"score": 64, "feedback": "Good"})

        line = client_for("enrolled").get(url(with_file.assignment)).json()["results"][0]

        assert (line["score"], line["feedback"]) == (64, "Good")

    @pytest.mark.parametrize(("method", "rest"), [("put", ""), ("delete", ""), ("post", "comments/")])
    def test_nothing_is_written(self, client_for, with_file, method, rest):
        with unchanged():
            answer = getattr(client_for("enrolled"), method)(
                url(with_file.assignment, with_file, rest), {"text": "More"}
            )

        assert refusal(answer) == (403, "access_expired")

    def test_nothing_new_is_handed_in(self, client_for, lesson):
        answer = client_for("enrolled").post(url(AssignmentFactory(lesson=lesson)), {"text": "Late"})

        assert refusal(answer) == (403, "access_expired")

    def test_work_is_still_graded(self, client_for, with_file):
        assert client_for("teacher").post(grade_url(with_file), {"score": 64}).status_code == 200


def test_access_that_was_taken_back_shows_nothing(client_for, submission):
    Enrollment.objects.update(status="revoked")

    answer = client_for("enrolled").get(url(submission.assignment, submission))

    assert refusal(answer) == (403, "payment_required")


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["enrolled", "teacher"])
def test_downloading_a_file(client_for, with_file, who):
    answer = client_for(who).get(url(with_file.assignment, with_file, "file/"))

    assert b"".join(answer.streaming_content).decode() == "Звёзды"
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''%D0%9A%D0%B0%D1%80%D1%82%D0%B0")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "disposition"),
    [
        ("work.txt", 'attachment; filename="work.txt"'),
        ("my work.txt", 'attachment; filename="my work.txt"'),
        ('a"b.txt', r'attachment; filename="a\"b.txt"'),
        ("Работа.txt", "attachment; filename*=utf-8''%D0%A0%D0%B0%D0%B1%D0%BE%D1%82%D0%B0.txt"),
    ],
)
def test_a_file_goes_out_under_the_name_it_came_with(client_for, with_file, sent, disposition):
    Submission.objects.update(file_name=sent)

    answer = client_for("enrolled").get(url(with_file.assignment, with_file, "file/"))

    assert answer["Content-Disposition"] == disposition
    answer.close()


def test_text_alone_has_no_file(client_for, submission):
    assert client_for("enrolled").get(url(submission.assignment, submission, "file/")).status_code == 404


def test_a_file_that_was_lost(client_for, with_file):
    Path(with_file.file.path).unlink()

    assert client_for("enrolled").get(url(with_file.assignment, with_file, "file/")).status_code == 404


@pytest.mark.parametrize("who", ["anonymous", "enrolled", "admin"])
def test_a_file_has_no_bare_address(client_for, with_file, who):
    assert Path(with_file.file.path).exists()

    assert client_for(who).get(f"/media/{with_file.file.name}").status_code == 404


@pytest.mark.parametrize("prefix", ["/media/public/../", "/media/public/%2e%2e/", "/media/public//../", "/media//"])
def test_no_detour_leads_to_a_file(api, with_file, prefix):
    assert api.get(prefix + with_file.file.name).status_code == 404


# --- Lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "texts"),
    [
        ({}, ["new", "mid", "old"]),
        ({"ordering": "-submitted_at"}, ["new", "mid", "old"]),
        ({"ordering": "submitted_at"}, ["old", "mid", "new"]),
        ({"status": "graded"}, ["mid"]),
        ({"status": "returned"}, ["old"]),
        ({"student": "{mine}"}, ["new"]),
        ({"student": UNKNOWN}, []),
        ({"page_size": "1", "page": "2"}, ["mid"]),
    ],
    ids=str,
)
def test_filters_and_ordering(client_for, assignment, enrolled, params, texts):
    SubmissionFactory(assignment=assignment, text="old", submitted_at=DUE, status="returned")
    SubmissionFactory(assignment=assignment, text="mid", submitted_at=DUE + DAY, graded=True)
    mine = SubmissionFactory(assignment=assignment, student=enrolled, text="new", submitted_at=DUE + 2 * DAY, version=2)
    SubmissionVersionFactory(submission=mine, submitted_at=DUE - DAY, status="returned")
    asked = {name: value.format(mine=enrolled.pk) for name, value in params.items()}

    lines = client_for("teacher").get(url(assignment), asked).json()["results"]

    assert [line["text"] for line in lines] == texts


def test_a_filter_shows_a_student_nobody_elses(client_for, submission):
    someone = SubmissionFactory(assignment=submission.assignment)

    answer = client_for("enrolled").get(url(submission.assignment), {"student": str(someone.student_id)})

    assert answer.json()["results"] == []


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"status": "lost"}, ("status", "invalid_choice")),
        ({"student": "me"}, ("student", "invalid")),
        ({"is_latest": "true"}, ("is_latest", "unknown_filter")),
        ({"version": "1"}, ("version", "unknown_filter")),
        ({"student__email": "x"}, ("student__email", "unknown_filter")),
        ({"ordering": "score"}, ("ordering", "unknown_ordering")),
        ({"ordering": "student__password"}, ("ordering", "unknown_ordering")),
    ],
    ids=str,
)
def test_parameters_that_are_refused(client_for, submission, params, error):
    assert codes(client_for("teacher").get(url(submission.assignment), params)) == {error}


@pytest.mark.parametrize("count", [1, 100])
def test_queries(client_for, assignment, django_assert_num_queries, count):
    work = [Submission(assignment=assignment, student=person, version=2) for person in UserFactory.create_batch(count)]
    Submission.objects.bulk_create(work)
    SubmissionVersion.objects.bulk_create(SubmissionVersion(submission=each, text="x") for each in work)
    client = client_for("teacher")

    # the caller; the assignment with its lesson and course; the page with its count; the earlier versions
    with django_assert_num_queries(4):
        answer = client.get(url(assignment), {"page_size": 100})

    assert (answer.json()["count"], len(answer.json()["results"])) == (count, count)


@pytest.mark.parametrize("count", [1, 30])
def test_queries_of_ones_own(client_for, submission, django_assert_num_queries, count):
    Submission.objects.update(version=count + 1)
    for version in range(1, count + 1):
        SubmissionVersionFactory(submission=submission, version=version, file="private/submissions/a.txt")
    client = client_for("enrolled")

    # the caller; the assignment with its lesson and course; the gate, twice; the page with its count; the versions
    with django_assert_num_queries(6):
        (line,) = client.get(url(submission.assignment)).json()["results"]

    assert len(line["versions"]) == count + 1


# --- The path --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["course", "lesson", "assignment"])
def wrong_parent(request, teacher, course, submission):
    """The address of a submission, with one parent replaced by another of the same teacher's."""
    lesson = submission.assignment.lesson
    ids = {"course": course.pk, "lesson": lesson.pk, "assignment": submission.assignment_id}
    another = {
        "course": lambda: CourseFactory(owner=teacher),
        "lesson": lambda: course.lessons.get(order=3),
        "assignment": lambda: AssignmentFactory(lesson=lesson),
    }
    ids[request.param] = another[request.param]().pk
    return f"/api/courses/{ids['course']}/lessons/{ids['lesson']}/assignments/{ids['assignment']}/submissions/"


@pytest.mark.parametrize(
    ("who", "method", "rest"),
    [
        ("teacher", "get", ""),
        ("teacher", "get", "file/"),
        ("teacher", "post", "grade/"),
        ("teacher", "get", "comments/"),
        ("teacher", "post", "comments/"),
    ],
)
def test_a_submission_is_under_its_own_parents_alone(client_for, submission, wrong_parent, who, method, rest):
    with unchanged():
        answer = getattr(client_for(who), method)(f"{wrong_parent}{submission.pk}/{rest}", {"text": "x", "score": 1})

    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["put", "delete"])
def test_ones_own_submission_is_under_its_own_parents_alone(client_for, submission, wrong_parent, method):
    with unchanged():
        answer = getattr(client_for("enrolled"), method)(f"{wrong_parent}{submission.pk}/", {"text": "x"})

    assert answer.status_code == 404


@pytest.mark.parametrize("value", ["1", "x", "%00", "0" * 32, UNKNOWN, UNKNOWN + "0"])
def test_what_is_no_submission_is_404(client_for, submission, value):
    where = url(submission.assignment)

    for address in (f"{where}{value}/", where.replace(str(submission.assignment_id), value)):
        assert client_for("admin").get(address).status_code == 404


def test_upper_case_is_answered_in_lower_case(client_for, submission):
    address = f"{url(submission.assignment)}{str(submission.pk).upper()}/"

    assert client_for("enrolled").get(address).json()["id"] == str(submission.pk)


# --- Telling people --------------------------------------------------------------------------------------------------


def in_language(language, text, **values):
    with translation.override(language):
        return gettext(text) % values


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(
    ("body", "kind", "subject", "message"),
    [
        (
            {"score": 80, "feedback": "Good"},
            "submission_graded",
            "“%(title)s” has been graded",
            "Your score is %(score)s of %(max)s.",
        ),
        (
            {"status": "returned", "feedback": "Again"},
            "submission_returned",
            "“%(title)s” has been returned to you",
            "Have another look at it, and hand it in again.",
        ),
    ],
    ids=["graded", "returned"],
)
def test_a_grade_is_told_in_the_students_language(client_for, submission, language, body, kind, subject, message):
    User.objects.filter(pk=submission.student_id).update(language=language)

    client_for("teacher").post(grade_url(submission), body, headers={"accept-language": "en"})

    told = Notification.objects.get()
    assert (told.recipient_id, told.kind, told.is_read) == (submission.student_id, kind, False)
    assert told.subject == in_language(language, subject, title="Map")
    assert told.message == f"{in_language(language, message, score='80.00', max=100)}\n\n{body['feedback']}"


def test_a_grade_says_the_score_after_the_penalty(client_for, submission):
    Assignment.objects.update(due_at=DUE, late_penalty_percent_per_day=10)
    Submission.objects.update(submitted_at=DUE + 1.5 * DAY)
    User.objects.update(language="en")

    client_for("teacher").post(grade_url(submission), {"score": 80})

    assert Notification.objects.get().message.startswith("Your score is 64")


def test_a_grade_leads_to_the_work_and_sends_a_letter(client_for, submission, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client_for("teacher").post(grade_url(submission), {"score": 80})

    told = Notification.objects.get()
    assert told.email_status == "pending"
    assert told.url.startswith("https://lyceum.test/")
    assert told.url.endswith(f"/assignments/{submission.assignment_id}/submissions/{submission.pk}")
    assert mail.outbox == []


def test_each_grade_is_told(client_for, submission):
    client = client_for("teacher")
    for score in (50, 60):
        client.post(grade_url(submission), {"score": score})

    assert Notification.objects.filter(kind="submission_graded").count() == 2


def test_a_long_title_fits_a_notification(client_for, submission):
    Assignment.objects.update(title="x" * 200)

    assert client_for("teacher").post(grade_url(submission), {"score": 80}).status_code == 200
    assert "x" * 200 in Notification.objects.get().subject


# --- The hourly reminder ---------------------------------------------------------------------------------------------


@pytest.fixture
def clock():
    with time_machine.travel(DUE - timedelta(hours=5), tick=False) as traveller:
        yield traveller


@pytest.fixture
def due(clock, assignment, enrolled):
    """An assignment that is due in five hours."""
    Assignment.objects.update(due_at=DUE)
    assignment.refresh_from_db()
    return assignment


def reminded():
    remind_due_assignments()
    return set(Notification.objects.filter(kind="due_soon").values_list("recipient__email", flat=True))


def test_the_reminder(due):
    User.objects.update(language="en", time_zone="Asia/Vladivostok")

    remind_due_assignments()

    told = Notification.objects.get()
    assert (told.recipient.email, told.kind, told.email_status) == ("enrolled@test.io", "due_soon", "pending")
    assert told.subject == "“Map” is due soon"
    assert told.message == "Hand it in by March 2, 2026, 10 p.m.."
    assert told.url == f"https://lyceum.test/courses/{due.lesson.course_id}/lessons/{due.lesson_id}"


def test_the_reminder_speaks_the_students_language(due):
    User.objects.update(language="ru", time_zone="Europe/Moscow")

    remind_due_assignments()

    told = Notification.objects.get()
    assert told.subject == in_language("ru", "“%(title)s” is due soon", title="Map")
    assert "2 марта 2026" in told.message
    assert "15:00" in told.message


def test_once_however_often_it_runs(due, clock):
    for hours in (1, 2, 3, 4, 5, 6):
        remind_due_assignments()
        clock.move_to(DUE - timedelta(hours=5 - hours))

    assert Notification.objects.count() == 1


def test_a_new_date_is_a_new_reminder(due):
    remind_due_assignments()
    Assignment.objects.update(due_at=DUE + timedelta(hours=1))

    remind_due_assignments()

    assert Notification.objects.count() == 2


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (None, False),
        (-DAY, False),
        (-SECOND, False),
        (timedelta(), False),
        (SECOND, True),
        (DAY, True),
        (DAY + SECOND, False),
    ],
    ids=str,
)
def test_what_is_due_within_a_day(due, ahead, told):
    Assignment.objects.update(due_at=(ahead is not None and timezone.now() + ahead) or None)

    assert reminded() == ({"enrolled@test.io"} if told else set())


@pytest.mark.parametrize(("state", "told"), [("submitted", False), ("graded", False), ("returned", True)])
def test_whoever_has_handed_in_is_left_alone(due, enrolled, state, told):
    SubmissionFactory(assignment=due, student=enrolled, status=state, score=1, raw_score=1)

    assert reminded() == ({"enrolled@test.io"} if told else set())


@pytest.mark.parametrize(("first", "second", "told"), [("returned", "submitted", 0), ("submitted", "returned", 1)])
def test_the_latest_version_alone_counts(due, enrolled, first, second, told):
    submission = SubmissionFactory(assignment=due, student=enrolled, status=second, version=2)
    SubmissionVersionFactory(submission=submission, status=first)

    assert len(reminded()) == told


def test_anothers_work_is_not_ones_own(due):
    SubmissionFactory(assignment=due)

    assert reminded() == {"enrolled@test.io"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "active"}, True),
        ({"status": "completed"}, True),
        ({"status": "expired"}, False),
        ({"status": "revoked"}, False),
        ({"expires_at": DUE}, True),
        ({"expires_at": DUE - timedelta(hours=5)}, False),
    ],
    ids=str,
)
def test_only_whom_the_course_is_open_to(due, changes, told):
    Enrollment.objects.update(**changes)

    assert reminded() == ({"enrolled@test.io"} if told else set())


def test_whoever_is_deactivated_is_left_alone(due, enrolled):
    User.objects.filter(pk=enrolled.pk).update(is_active=False)

    assert reminded() == set()


def test_a_reminder_goes_to_everyone_in_the_course_and_nobody_else(due, course, student, teacher):
    second = EnrollmentFactory(course=course).user
    EnrollmentFactory()

    assert reminded() == {"enrolled@test.io", second.email}


@pytest.mark.parametrize("people", [1, 7])
def test_a_large_course_is_reminded_in_batches(due, course, monkeypatch, people):
    monkeypatch.setattr("assignments.services.submissions.REMINDERS_PER_BATCH", 3)
    EnrollmentFactory.create_batch(people, course=course)

    assert remind_due_assignments() == people + 1
    assert Notification.objects.count() == people + 1
