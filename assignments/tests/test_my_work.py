"""Everything that one has handed in and answered, wherever it was, and what is open to whom when courses change."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from assignments.models import Answer, Attempt, Submission
from assignments.tasks import close_expired_attempts
from assignments.tests.factories import AssignmentFactory, AttemptFactory, QuizFactory, SubmissionFactory
from materials.models import Course, Enrollment, LessonCompletion
from materials.tests.factories import CourseFactory, LessonFactory


@pytest.fixture
def client(client_for):
    return client_for("enrolled")


@pytest.fixture
def handed_in(course, enrolled):
    lesson = course.lessons.get(order=3)
    return SubmissionFactory(assignment=AssignmentFactory(lesson=lesson), student=enrolled, graded=True)


@pytest.mark.parametrize("status", ["active", "expired", "revoked"])
def test_my_submissions_outlive_access(client, handed_in, status):
    SubmissionFactory(assignment=handed_in.assignment)
    Enrollment.objects.update(status=status)

    results = client.get("/api/users/me/submissions/").json()["results"]

    assert [(row["id"], row["score"]) for row in results] == [(str(handed_in.pk), 80)]


@pytest.mark.parametrize("status", ["active", "expired", "revoked"])
def test_my_attempts_outlive_access(client, course, enrolled, status):
    quiz = QuizFactory(course=course)
    mine = AttemptFactory(quiz=quiz, student=enrolled)
    AttemptFactory(quiz=quiz)
    Enrollment.objects.update(status=status)

    results = client.get("/api/users/me/attempts/").json()["results"]

    assert [(row["id"], row["score"]) for row in results] == [(str(mine.pk), 100)]


@pytest.mark.parametrize("path", ["submissions", "attempts"])
def test_mine_of_one_course(client, course, enrolled, handed_in, path):
    AttemptFactory(quiz=QuizFactory(course=course), student=enrolled)
    AttemptFactory(quiz=QuizFactory(questions=False), student=enrolled)
    SubmissionFactory(student=enrolled)

    assert client.get(f"/api/users/me/{path}/", {"course": course.pk}).json()["count"] == 1


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize("path", ["submissions", "attempts"])
def test_mine_in_two_queries(client, course, enrolled, django_assert_num_queries, path, rows):
    for number in range(rows):
        lesson = LessonFactory(course=CourseFactory())
        if path == "submissions":
            work = AssignmentFactory(lesson=lesson)
            SubmissionFactory(assignment=work, student=enrolled, file="private/submissions/a.txt")
        else:
            quiz = QuizFactory(course=lesson.course, lesson=lesson if number % 2 else None, questions=False)
            AttemptFactory(quiz=quiz, student=enrolled)

    with django_assert_num_queries(2):  # the caller, the page with its count
        assert len(client.get(f"/api/users/me/{path}/", {"page_size": 100}).json()["results"]) == rows


def test_mine_say_what_they_belong_to(client, course, handed_in, enrolled):
    lesson = handed_in.assignment.lesson
    place = {
        "lesson": str(lesson.pk), "lesson_title": lesson.title, "course": str(course.pk),
        "course_title": "Python basics",
    }  # fmt: skip
    AttemptFactory(quiz=QuizFactory(course=course, lesson=lesson, title="Test"), student=enrolled)

    (work,) = client.get("/api/users/me/submissions/").json()["results"]
    (attempt,) = client.get("/api/users/me/attempts/").json()["results"]

    title = handed_in.assignment.title
    assert work.items() >= {**place, "assignment_title": title, "max_score": 100, "due_at": None}.items()
    assert attempt.items() >= {**place, "quiz_title": "Test", "is_final": False, "passing_score": 60}.items()


# --- A course that changes under its students ------------------------------------------------------------------------


@pytest.fixture
def inserted(course, enrolled):
    """A sequential course of which everything was done before a lesson was put in between."""
    Course.objects.update(sequential=True)
    for lesson in course.lessons.all():
        LessonCompletion.objects.create(enrollment=Enrollment.objects.get(), lesson=lesson, completed_at=timezone.now())
    course.lessons.filter(order=3).update(order=9)
    return LessonFactory(course=course, order=3)


def test_what_has_been_completed_is_never_locked_again(client, course, inserted):
    last = course.lessons.get(order=9)

    assert client.get(f"/api/lessons/{last.pk}/").status_code == 200
    assert str(last.pk) in client.get("/api/lessons/").content.decode()


def test_what_comes_after_the_new_lesson_waits_for_it(client, course, inserted):
    after = LessonFactory(course=course, order=10)

    assert client.get(f"/api/lessons/{after.pk}/").json()["code"] == "previous_lesson_required"


def test_an_attempt_goes_on_when_a_lesson_is_put_before_its_quiz(client, course, inserted):
    inserted.delete()
    quiz = QuizFactory(course=course, is_final=True)
    url = f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/"
    attempt = client.post(url).json()
    LessonFactory(course=course, order=4)

    assert client.put(f"{url}{attempt['id']}/answers/", {"answers": []}).status_code == 200
    assert client.post(f"{url}{attempt['id']}/submit/").json()["state"] == "submitted"
    assert client.get(f"{url}{attempt['id']}/").status_code == 200
    assert client.post(url).json()["code"] == "previous_lesson_required"


def test_the_last_grade_comes_while_the_student_is_away(client, client_for, course, enrolled, carry_out):
    Course.objects.update(price=0)
    Enrollment.objects.update(source="free")
    for lesson in course.lessons.all():
        LessonCompletion.objects.create(enrollment=Enrollment.objects.get(), lesson=lesson, completed_at=timezone.now())
    work = SubmissionFactory(assignment=AssignmentFactory(lesson=course.lessons.get(order=3)), student=enrolled)
    client.delete(f"/api/courses/{course.pk}/enrollment/")
    Submission.objects.filter(pk=work.pk).update(status="graded", raw_score=9, score=9)

    with carry_out():
        client.post(f"/api/courses/{course.pk}/enrollment/")

    assert Enrollment.objects.get().completed_at is not None


# --- Figures that must not break anything ----------------------------------------------------------------------------


def test_the_highest_score_does_not_sink_under_one_that_was_given(client_for, course, handed_in):
    url = f"/api/courses/{course.pk}/lessons/{handed_in.assignment.lesson_id}/assignments/{handed_in.assignment_id}/"

    answer = client_for("teacher").patch(url, {"max_score": 79})

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "max_score")
    assert client_for("teacher").patch(url, {"max_score": 80}).status_code == 200


def test_one_attempt_that_cannot_be_closed_stops_no_other(course, monkeypatch):
    quiz = QuizFactory(course=course, time_limit_minutes=5)
    gone = {"state": "in_progress", "submitted_at": None, "score": None, "passed": None, "points": None}
    past = timezone.now() - timedelta(minutes=1)
    broken = AttemptFactory(quiz=quiz, **gone, expires_at=past - timedelta(minutes=1), layout=[{"question": "none"}])
    sound = AttemptFactory(quiz=quiz, **gone, expires_at=past, layout=[])

    close_expired_attempts()

    assert Attempt.objects.get(pk=broken.pk).state == "in_progress"
    assert Attempt.objects.get(pk=sound.pk).state == "submitted"


@pytest.mark.parametrize("number", [999_999_999.999999, 0.000001, -123_456_789.123456])
def test_a_number_is_kept_to_its_last_digit(client, course, number):
    quiz = QuizFactory(course=course)
    url = f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/"
    attempt = client.post(url).json()
    asked = next(question["id"] for question in attempt["questions"] if question["kind"] == "number")

    answer = client.put(f"{url}{attempt['id']}/answers/", {"answers": [{"question": asked, "number": number}]})

    assert answer.json()["answers"][0]["number"] == number
    assert Answer.objects.get().number == Decimal(str(number))


@pytest.mark.parametrize("number", ["999999999999.99999999", 10**9, "1e400", 1e300])
def test_a_number_with_more_digits_is_none(client, course, number):
    quiz = QuizFactory(course=course)
    url = f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/"
    attempt = client.post(url).json()
    asked = next(question["id"] for question in attempt["questions"] if question["kind"] == "number")

    answer = client.put(f"{url}{attempt['id']}/answers/", {"answers": [{"question": asked, "number": number}]})

    (saved,) = answer.json()["answers"]
    assert (answer.status_code, saved["number"], saved["problem"]) == (200, None, "invalid_number")
    assert Answer.objects.get().number is None


# --- Handing in again ------------------------------------------------------------------------------------------------


def test_work_that_was_returned_is_as_late_as_it_was_then(client, client_for, course, enrolled):
    due_at = timezone.now() - timedelta(days=3)
    assignment = AssignmentFactory(
        lesson=course.lessons.get(order=3), due_at=due_at, late_penalty_percent_per_day=10, allow_late=False
    )
    first = SubmissionFactory(
        assignment=assignment, student=enrolled, submitted_at=due_at - timedelta(hours=1), status="returned"
    )
    url = f"/api/courses/{course.pk}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions/"

    second = client.put(f"{url}{first.pk}/", {"text": "Better"}).json()

    graded = client_for("teacher").post(f"{url}{second['id']}/grade/", {"score": 80, "version": 2}).json()
    assert (graded["late_penalty"], graded["score"]) == (0, 80)


def test_what_is_handed_in_once_is_not_taken_back(client, course, enrolled):
    assignment = AssignmentFactory(lesson=course.lessons.get(order=3), resubmissions_allowed=False)
    work = SubmissionFactory(assignment=assignment, student=enrolled)
    url = f"/api/courses/{course.pk}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions/{work.pk}/"

    assert client.delete(url).json()["code"] == "resubmissions_not_allowed"
    assert Submission.objects.exists()


def test_what_is_returned_may_be_done_again_even_if_it_is_handed_in_once(client, course, enrolled):
    assignment = AssignmentFactory(lesson=course.lessons.get(order=3), resubmissions_allowed=False)
    work = SubmissionFactory(assignment=assignment, student=enrolled, status="returned")
    url = f"/api/courses/{course.pk}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions/{work.pk}/"

    assert client.put(url, {"text": "Again"}).json()["version"] == 2


# --- Which quizzes are listed ----------------------------------------------------------------------------------------


@pytest.fixture
def quizzes(course):
    """Of the preview, of a closed lesson, of the whole course."""
    of = {"preview": course.lessons.get(order=1), "closed": course.lessons.get(order=3), "course": None}
    for title, lesson in of.items():
        QuizFactory(course=course, lesson=lesson, title=title, questions=False)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("student", ["preview"]),
        ("enrolled", ["closed", "course", "preview"]),
        ("teacher", ["closed", "course", "preview"]),
    ],
)
def test_quizzes_are_listed_for_those_who_may_open_them(client_for, course, quizzes, who, sees):
    results = client_for(who).get(f"/api/courses/{course.pk}/quizzes/").json()["results"]

    assert sorted(quiz["title"] for quiz in results) == sees


def test_the_quiz_of_a_lesson_that_is_locked_is_not_listed(client, course, quizzes):
    Course.objects.update(sequential=True)

    results = client.get(f"/api/courses/{course.pk}/quizzes/").json()["results"]

    assert sorted(quiz["title"] for quiz in results) == ["course", "preview"]


def test_quizzes_of_one_lesson(client, course, quizzes):
    lesson = course.lessons.get(order=3)

    results = client.get(f"/api/courses/{course.pk}/quizzes/", {"lesson": lesson.pk}).json()["results"]

    assert [quiz["title"] for quiz in results] == ["closed"]
