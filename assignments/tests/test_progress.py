"""Going through a course: completing lessons, progress, and the moment when the course is completed."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from assignments.models import Certificate, Submission
from assignments.services.progress import courses_to_check
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    QuizFactory,
    SubmissionFactory,
    SubmissionVersionFactory,
    right_answers,
)
from materials.models import CompletionCheck, Course, Enrollment, Lesson, LessonCompletion
from materials.services import look_for_completed
from materials.tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LessonAccessFactory,
    LessonCompletionFactory,
    LessonFactory,
)
from users.tests.factories import UserFactory

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
NOTHING_DONE = {"percent": 0, "completed_lessons": 0, "total_lessons": 3, "completed_at": None}
STRANGERS = [
    ("anonymous", 401, "not_authenticated"),
    ("student", 403, "payment_required"),
    ("teacher", 403, "not_enrolled"),
    ("other", 403, "payment_required"),
    ("moderator", 403, "payment_required"),
    ("admin", 403, "payment_required"),
]


@pytest.fixture
def client(client_for):
    return client_for("enrolled")


@pytest.fixture
def enrollment(enrolled):
    return Enrollment.objects.get(user=enrolled)


@pytest.fixture
def lesson(course):
    return course.lessons.get(order=2)


@pytest.fixture
def waiting(course, enrolled):
    """The enrolled student has one lesson left, the last."""
    return one_left(course, enrolled)


@pytest.fixture
def work(course, enrolled):
    """All lessons are done; the student has handed in the one assignment, which nobody has graded."""
    done(course, enrolled)
    return SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled)


@pytest.fixture
def final(course):
    return QuizFactory(course=course, title="Final", is_final=True)


def done(course, user, but=0):
    """The user has completed all the course's lessons but so many at the end."""
    enrollment = Enrollment.objects.get(course=course, user=user)
    lessons = list(course.lessons.order_by("order"))
    for lesson in lessons[: len(lessons) - but]:
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())
    return enrollment


def one_left(course, user):
    done(course, user, but=1)
    return course.lessons.order_by("order").last()


def complete(client, lesson):
    return client.post(f"/api/lessons/{lesson.pk}/complete/")


def position(client, lesson, seconds=120):
    return client.put(f"/api/lessons/{lesson.pk}/position/", {"position_seconds": seconds})


def progress(client, course):
    return client.get(f"/api/courses/{course.pk}/progress/")


def grade(client, submission, **body):
    assignment = submission.assignment
    path = f"/api/courses/{assignment.lesson.course_id}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}"
    return client.post(f"{path}/submissions/{submission.pk}/grade/", body)


def take(client, quiz, answers=None):
    """A whole attempt; with the right answers unless told otherwise."""
    path = f"/api/courses/{quiz.course_id}/quizzes/{quiz.pk}/attempts/"
    attempt = client.post(path).json()
    body = right_answers(attempt) if answers is None else {"answers": answers}
    return client.post(f"{path}{attempt['id']}/submit/", body)


def is_completed(user):
    enrollment = Enrollment.objects.get(user=user)
    assert (enrollment.status == "completed") is (enrollment.completed_at is not None)
    return enrollment.completed_at is not None


def left(response):
    """(kind, title) of all that remains."""
    return [(item["kind"], item["title"]) for item in response.json()["remaining"]]


# --- Completing a lesson ---------------------------------------------------------------------------------------------


def test_completing_a_lesson(client, course, lesson):
    response = complete(client, lesson)

    assert response.status_code == 200
    assert response.json() == {
        "percent": 33,
        "completed_lessons": 1,
        "total_lessons": 3,
        "completed_at": None,
        "remaining": [
            {
                "kind": "lesson",
                "id": str(course.lessons.get(order=order).pk),
                "title": title,
                "lesson": str(course.lessons.get(order=order).pk),
                "lesson_title": title,
                "course": str(course.pk),
                "course_title": "Python basics",
            }
            for order, title in ((1, "Hello"), (3, "Loops"))
        ],
    }


@pytest.mark.parametrize("of", ["lesson", "course"])
def test_what_remains_is_shown_with_what_it_stands_under(client, course, enrolled, of):
    under = course.lessons.get(order=2)
    AssignmentFactory(lesson=under, title="Map")
    QuizFactory(course=course, title="Exam", is_final=True, lesson=under if of == "lesson" else None, questions=False)

    shown = {item["title"]: item for item in progress(client, course).json()["remaining"]}

    place = {"lesson": str(under.pk), "lesson_title": "Variables"}
    nowhere = {"lesson": None, "lesson_title": None}
    assert shown["Map"].items() >= {**place, "kind": "assignment", "course_title": "Python basics"}.items()
    assert shown["Exam"].items() >= {**(place if of == "lesson" else nowhere), "kind": "quiz"}.items()


def test_completing_a_lesson_again_changes_nothing(client, lesson):
    first = complete(client, lesson).json()
    noted = LessonCompletion.objects.get().completed_at

    again = complete(client, lesson)

    assert (again.status_code, again.json()) == (200, first)
    assert LessonCompletion.objects.get().completed_at == noted


def test_completing_is_ones_own(client, course, lesson):
    neighbour = EnrollmentFactory(course=course)

    complete(client, lesson)

    assert not neighbour.completions.exists()


@pytest.mark.parametrize(("who", "status", "code"), STRANGERS)
@pytest.mark.parametrize("act", [complete, position])
def test_who_does_not_study_the_course_has_no_lessons_to_do(client_for, lesson, enrolled, act, who, status, code):
    response = act(client_for(who), lesson)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not LessonCompletion.objects.exists()


@pytest.mark.parametrize("act", [complete, position])
def test_a_preview_is_looked_at_and_not_done(client_for, course, act):
    response = act(client_for("student"), course.lessons.get(order=1))

    assert (response.status_code, response.json()["code"]) == (403, "payment_required")
    assert not LessonCompletion.objects.exists()


@pytest.mark.parametrize("act", [complete, position])
def test_a_lesson_bought_on_its_own_makes_no_student_of_the_course(client_for, student, lesson, act):
    LessonAccessFactory(user=student, lesson=lesson)

    response = act(client_for("student"), lesson)

    assert (response.status_code, response.json()["code"]) == (403, "payment_required")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "revoked"}, "payment_required"),
        ({"status": "expired"}, "access_expired"),
        ({"expires_at": "2020-01-01T00:00Z"}, "access_expired"),
        ({"status": "completed", "completed_at": "2019-01-01T00:00Z", "expires_at": "2020-01-01T00:00Z"},
         "access_expired"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("act", [complete, position])
def test_a_closed_course_is_not_gone_on_with(client, lesson, act, change, code):
    Enrollment.objects.update(**change)

    response = act(client, lesson)

    assert (response.status_code, response.json()["code"]) == (403, code)
    assert not LessonCompletion.objects.exists()


@pytest.mark.parametrize("act", [complete, position])
def test_a_free_course_wants_to_be_entered_first(client_for, lesson, act):
    Course.objects.update(price="0.00")

    response = act(client_for("student"), lesson)

    assert (response.status_code, response.json()["code"]) == (403, "not_enrolled")


@pytest.mark.parametrize("path", ["complete/", "position/"])
@pytest.mark.parametrize("lesson_id", [UNKNOWN, "1", "None"])
def test_no_such_lesson(client, path, lesson_id):
    act = client.post if path == "complete/" else client.put

    assert act(f"/api/lessons/{lesson_id}/{path}", {"position_seconds": 1}).status_code == 404


@pytest.mark.parametrize("act", [complete, position])
def test_a_lesson_of_a_hidden_draft(client_for, lesson, act):
    Course.objects.update(status="draft")

    assert act(client_for("student"), lesson).status_code == 404


def test_an_archived_course_is_finished_all_the_same(client, lesson):
    Course.objects.update(status="archived")

    assert complete(client, lesson).status_code == 200


# --- Where the video was stopped -------------------------------------------------------------------------------------


def test_remembering_a_position(client, lesson):
    response = position(client, lesson, 120)

    assert (response.status_code, response.json()["position_seconds"]) == (200, 120)
    assert LessonCompletion.objects.get().position_seconds == 120


@pytest.mark.parametrize("seconds", [12.9, 12.0])
def test_parts_of_a_second_do_not_count(client, lesson, seconds):
    assert position(client, lesson, seconds).json()["position_seconds"] == 12


def test_the_lesson_shows_the_position(client, lesson):
    position(client, lesson, 120)

    assert client.get(f"/api/lessons/{lesson.pk}/").json()["position_seconds"] == 120


def test_the_lesson_shows_nobody_elses_position(client, client_for, lesson):
    position(client, lesson, 120)

    assert client_for("teacher").get(f"/api/lessons/{lesson.pk}/").json()["position_seconds"] == 0


def test_the_last_position_counts(client, lesson):
    position(client, lesson, 120)

    position(client, lesson, 0)

    assert LessonCompletion.objects.get().position_seconds == 0


def test_a_position_completes_nothing(client, course, lesson):
    position(client, lesson)

    assert progress(client, course).json().items() >= NOTHING_DONE.items()


def test_a_position_leaves_a_completed_lesson_completed(client, course, lesson):
    complete(client, lesson)

    answer = position(client, lesson, 5).json()

    assert answer == {**progress(client, course).json(), "position_seconds": 5}
    assert answer["completed_lessons"] == 1


def test_completing_leaves_the_position(client, lesson):
    position(client, lesson, 120)

    complete(client, lesson)

    assert LessonCompletion.objects.get().position_seconds == 120


@pytest.mark.parametrize("seconds", [-1, 1_000_001, 2**64, "", "soon", None, True, [1], {}])
def test_a_bad_position(client, lesson, seconds):
    response = position(client, lesson, seconds)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["position_seconds"]
    assert not LessonCompletion.objects.exists()


def test_no_position_at_all(client, lesson):
    response = client.put(f"/api/lessons/{lesson.pk}/position/", {})

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "required"


# --- Progress --------------------------------------------------------------------------------------------------------


def test_progress_at_the_start(client, course):
    response = progress(client, course)

    assert response.status_code == 200
    assert response.json().items() >= NOTHING_DONE.items()
    assert left(response) == [("lesson", "Hello"), ("lesson", "Variables"), ("lesson", "Loops")]


@pytest.mark.parametrize(("number", "percent"), [(0, 0), (1, 33), (2, 66), (3, 100)])
def test_percent_are_of_the_lessons_and_rounded_down(client, course, enrolled, number, percent):
    done(course, enrolled, but=3 - number)

    response = progress(client, course).json()

    assert (response["percent"], response["completed_lessons"]) == (percent, number)


def test_what_remains_stands_in_the_order_of_the_course(client, course, final):
    first, second, third = course.lessons.order_by("order")
    AssignmentFactory(lesson=third, title="Essay")
    AssignmentFactory(lesson=first, title="Map")
    AssignmentFactory(lesson=first, title="Drawing")
    Lesson.objects.filter(pk=second.pk).update(order=9)

    assert left(progress(client, course)) == [
        ("lesson", "Hello"),
        ("assignment", "Map"),
        ("assignment", "Drawing"),
        ("lesson", "Loops"),
        ("assignment", "Essay"),
        ("lesson", "Variables"),
        ("quiz", "Final"),
    ]


def test_what_is_done_does_not_remain(client, course, enrolled, final):
    first, second, _third = course.lessons.order_by("order")
    for lesson in (first, second):
        SubmissionFactory(assignment__lesson=lesson, student=enrolled, graded=True)
    AttemptFactory(quiz=final, student=enrolled)
    complete(client, first)

    assert left(progress(client, course)) == [("lesson", "Variables"), ("lesson", "Loops")]


def test_only_the_final_quiz_is_asked_for(client, course, enrolled):
    QuizFactory(course=course)
    QuizFactory(course=course, lesson=course.lessons.first())
    done(course, enrolled)

    assert left(progress(client, course)) == []


@pytest.mark.parametrize("version", [{}, {"status": "returned"}, {"status": "returned", "score": 90, "raw_score": 90}])
def test_only_graded_work_is_done(client, course, enrolled, version):
    submission = SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled, **version)

    assert ("assignment", submission.assignment.title) in left(progress(client, course))


def test_an_earlier_version_that_was_returned_is_no_hindrance(client, course, enrolled):
    work = SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled, version=2, graded=True)
    SubmissionVersionFactory(submission=work, status="returned")

    assert ("assignment", work.assignment.title) not in left(progress(client, course))


@pytest.mark.parametrize("attempt", [{"passed": False, "score": 40}, {"state": "in_progress", "submitted_at": None}])
def test_an_attempt_that_did_not_pass_is_not_enough(client, course, enrolled, final, attempt):
    AttemptFactory(quiz=final, student=enrolled, **attempt)

    assert ("quiz", "Final") in left(progress(client, course))


def test_what_others_do_is_not_ones_own(client, course, final):
    neighbour = EnrollmentFactory(course=course).user
    done(course, neighbour)
    SubmissionFactory(assignment__lesson=course.lessons.first(), student=neighbour, graded=True)
    AttemptFactory(quiz=final, student=neighbour)

    response = progress(client, course)

    assert response.json()["percent"] == 0
    assert len(left(response)) == 5


def test_what_one_does_elsewhere_does_not_count_here(client, course, enrolled):
    elsewhere = CourseFactory()
    LessonFactory(course=elsewhere)
    EnrollmentFactory(user=enrolled, course=elsewhere)
    done(elsewhere, enrolled)

    assert progress(client, course).json()["percent"] == 0
    assert progress(client, elsewhere).json()["percent"] == 100


def test_a_course_without_lessons(client_for, student):
    course = CourseFactory()
    EnrollmentFactory(user=student, course=course)

    response = progress(client_for("student"), course)

    assert response.json() == {
        "percent": 0, "completed_lessons": 0, "total_lessons": 0, "completed_at": None, "remaining": []
    }  # fmt: skip


@pytest.mark.parametrize(("who", "status", "code"), STRANGERS)
def test_whoever_does_not_study_has_no_progress(client_for, course, who, status, code):
    response = progress(client_for(who), course)

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize("change", [{"status": "expired"}, {"expires_at": "2020-01-01T00:00Z"}])
def test_progress_is_read_when_access_has_expired(client, course, enrollment, change):
    done(course, enrollment.user, but=2)
    Enrollment.objects.update(**change)

    response = progress(client, course)

    assert (response.status_code, response.json()["percent"]) == (200, 33)


def test_no_progress_in_what_was_taken_back(client, course):
    Enrollment.objects.update(status="revoked")

    assert progress(client, course).status_code == 403


@pytest.mark.parametrize("status", ["draft", "missing"])
def test_no_progress_in_what_one_may_not_know_of(client_for, course, status):
    Course.objects.update(status="draft")
    path = f"/api/courses/{course.pk if status == 'draft' else UNKNOWN}/progress/"

    assert client_for("student").get(path).status_code == 404


@pytest.mark.parametrize("things", [1, 30])
def test_queries_of_progress(client, course, things, django_assert_max_num_queries):
    for _ in range(things):
        AssignmentFactory(lesson=LessonFactory(course=course, order=course.lessons.count() + 1))

    with django_assert_max_num_queries(4):  # the user, the course, the enrollment, what is asked for and done
        progress(client, course)


# --- One lesson after another ----------------------------------------------------------------------------------------


@pytest.fixture
def sequential(course):
    Course.objects.update(sequential=True)
    return list(course.lessons.order_by("order"))


@pytest.mark.parametrize("act", [complete, position])
def test_the_next_lesson_waits_for_this_one(client, sequential, act):
    response = act(client, sequential[1])

    assert (response.status_code, response.json()["code"]) == (403, "previous_lesson_required")


def test_completing_a_lesson_opens_the_next_one_and_no_more(client, sequential):
    complete(client, sequential[0])

    opened = [client.get(f"/api/lessons/{lesson.pk}/").status_code for lesson in sequential]

    assert opened == [200, 200, 403]


def test_a_whole_course_one_by_one(client, enrolled, sequential):
    answers = [complete(client, lesson).json()["percent"] for lesson in sequential]

    assert answers == [33, 66, 100]
    assert is_completed(enrolled)


def test_a_remembered_position_opens_nothing(client, sequential):
    position(client, sequential[0])

    assert client.get(f"/api/lessons/{sequential[1].pk}/").status_code == 403


# --- Completing the course -------------------------------------------------------------------------------------------


def test_the_last_lesson_completes_the_course(client_for, course, enrolled, waiting):
    with time_machine.travel("2026-03-02T09:00Z", tick=False):
        response = complete(client_for("enrolled"), waiting)

    assert response.json() == {
        "percent": 100,
        "completed_lessons": 3,
        "total_lessons": 3,
        "completed_at": "2026-03-02T09:00:00Z",
        "remaining": [],
    }
    assert is_completed(enrolled)


def test_the_certificate_comes_with_completion(client, course, enrolled, waiting):
    complete(client, waiting)

    certificate = Certificate.objects.get()
    assert (certificate.student, certificate.course, certificate.issued_by) == (enrolled, course, None)
    assert certificate.status == "issued"


def test_a_completed_course_stays_open(client, lesson, waiting):
    complete(client, waiting)

    assert client.get(f"/api/lessons/{lesson.pk}/").status_code == 200


def test_completing_again_gives_no_second_certificate(client, enrolled, waiting):
    complete(client, waiting)
    completed_at = Enrollment.objects.get().completed_at

    complete(client, waiting)

    assert Certificate.objects.count() == 1
    assert Enrollment.objects.get().completed_at == completed_at


def test_completing_again_gives_back_no_revoked_certificate(client, waiting):
    complete(client, waiting)
    Certificate.objects.update(status="revoked", revoked_at=timezone.now())

    complete(client, waiting)

    assert Certificate.objects.count() == 1


def test_a_certificate_that_the_teacher_gave_before_is_the_one(client, course, enrolled, waiting):
    CertificateFactory(student=enrolled, course=course)

    response = complete(client, waiting)

    assert response.status_code == 200
    assert is_completed(enrolled)
    assert Certificate.objects.count() == 1


def test_no_certificate_from_a_course_that_gives_none(client, enrolled, waiting):
    Course.objects.update(certificate_enabled=False)

    complete(client, waiting)

    assert is_completed(enrolled)
    assert not Certificate.objects.exists()


def test_no_certificate_from_a_students_course(client_for, student):
    lesson = LessonFactory(course__owner=UserFactory(role="student"))
    EnrollmentFactory(user=student, course=lesson.course)

    complete(client_for("student"), lesson)

    assert is_completed(student)
    assert not Certificate.objects.exists()


def test_lessons_alone_do_not_complete_a_course_with_an_assignment(client, course, enrolled, waiting):
    AssignmentFactory(lesson=course.lessons.first())

    response = complete(client, waiting)

    assert (response.json()["percent"], response.json()["completed_at"]) == (100, None)
    assert not is_completed(enrolled)


def test_work_that_waits_for_its_grade_does_not_complete(client, course, enrolled, waiting):
    SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled)

    complete(client, waiting)

    assert not is_completed(enrolled)


def test_the_last_grade_completes_the_course(client_for, course, enrolled, work):
    grade(client_for("teacher"), work, score=0)

    assert is_completed(enrolled)
    assert Certificate.objects.count() == 1


def test_work_that_is_returned_does_not_complete(client_for, enrolled, work):
    response = grade(client_for("teacher"), work, status="returned", feedback="Again")

    assert response.status_code == 200
    assert not is_completed(enrolled)


def test_every_assignment_is_asked_for(client_for, course, enrolled, work):
    AssignmentFactory(lesson=course.lessons.last())

    grade(client_for("teacher"), work, score=100)

    assert not is_completed(enrolled)


def test_a_grade_completes_nothing_while_a_lesson_is_left(client_for, course, enrolled, waiting):
    work = SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled)

    grade(client_for("teacher"), work, score=100)

    assert not is_completed(enrolled)


def test_a_grade_after_completion_changes_neither_date_nor_certificate(client_for, course, enrolled, work):
    teacher = client_for("teacher")
    grade(teacher, work, score=80)
    before = Enrollment.objects.values().get(), Certificate.objects.values().get()

    grade(teacher, work, status="returned")
    grade(teacher, work, score=10)

    assert (Enrollment.objects.values().get(), Certificate.objects.values().get()) == before


def test_lessons_alone_do_not_complete_a_course_with_a_final_quiz(client, enrolled, waiting, final):
    complete(client, waiting)

    assert not is_completed(enrolled)


def test_passing_the_final_quiz_completes_the_course(client, course, enrolled, final):
    done(course, enrolled)

    assert take(client, final).json()["passed"] is True
    assert is_completed(enrolled)
    assert Certificate.objects.get().score == 100


def test_failing_the_final_quiz_completes_nothing(client, course, enrolled, final):
    done(course, enrolled)

    assert take(client, final, answers=[]).json()["passed"] is False
    assert not is_completed(enrolled)


def test_passing_another_quiz_completes_nothing(client, course, enrolled, final):
    done(course, enrolled)

    take(client, QuizFactory(course=course))

    assert not is_completed(enrolled)


def test_the_final_quiz_before_the_last_lesson(client, enrolled, waiting, final):
    take(client, final)
    between = is_completed(enrolled)

    complete(client, waiting)

    assert (between, is_completed(enrolled)) == (False, True)


def test_a_quiz_failed_after_it_was_passed_takes_nothing_away(client, course, enrolled, waiting, final):
    take(client, final)
    take(client, final, answers=[])

    complete(client, waiting)

    assert is_completed(enrolled)


def test_the_grade_after_the_final_quiz_completes(client, client_for, enrolled, work, final):
    take(client, final)
    between = is_completed(enrolled)

    grade(client_for("teacher"), work, score=50)

    assert (between, is_completed(enrolled)) == (False, True)


def test_a_grade_after_access_has_expired_completes_and_opens_nothing(client, client_for, lesson, enrolled, work):
    Enrollment.objects.update(status="expired", expires_at="2020-01-01T00:00Z")

    grade(client_for("teacher"), work, score=50)

    assert is_completed(enrolled)
    assert Certificate.objects.count() == 1
    assert client.get(f"/api/lessons/{lesson.pk}/").json()["code"] == "access_expired"


def test_a_grade_for_whom_the_course_was_taken_from_completes_nothing(client_for, enrolled, work):
    Enrollment.objects.update(status="revoked")

    grade(client_for("teacher"), work, score=50)

    assert Enrollment.objects.get().completed_at is None
    assert not Certificate.objects.exists()


def test_one_persons_completion_is_nobody_elses(client, course, enrolled, waiting):
    neighbour = EnrollmentFactory(course=course)
    done(course, neighbour.user)

    complete(client, waiting)

    neighbour.refresh_from_db()
    assert neighbour.completed_at is None


# --- What is added and taken out afterwards --------------------------------------------------------------------------


@pytest.fixture
def completed(client, enrolled, waiting):
    complete(client, waiting)
    return as_it_stands()


def as_it_stands():
    """The enrollment, but for when it was last touched, and the certificate."""
    enrollment = Enrollment.objects.values().get()
    del enrollment["updated_at"]
    return enrollment, Certificate.objects.values().get()


def test_a_lesson_added_after_completion_changes_neither_date_nor_certificate(client, client_for, course, completed):
    client_for("teacher").post(f"/api/courses/{course.pk}/lessons/", {"title": "Closures"})

    response = progress(client, course)

    assert as_it_stands() == completed
    assert response.json()["completed_at"] is not None
    assert left(response) == [("lesson", "Closures")]
    assert response.json()["percent"] == 75


def test_doing_what_was_added_changes_neither_date_nor_certificate(client, course, completed):
    complete(client, LessonFactory(course=course, order=9))

    assert as_it_stands() == completed


@pytest.mark.parametrize("path", ["/api/courses/{course}/lessons/{lesson}/", "/api/lessons/{lesson}/"])
def test_deleting_the_missing_lesson_completes_those_who_waited(client_for, course, enrolled, waiting, carry_out, path):
    neighbour = EnrollmentFactory(course=course)

    with carry_out():
        response = client_for("teacher").delete(path.format(course=course.pk, lesson=waiting.pk))

    assert response.status_code == 204
    assert is_completed(enrolled)
    assert Certificate.objects.get().student == enrolled
    neighbour.refresh_from_db()
    assert neighbour.completed_at is None


def test_deleting_the_missing_lesson_in_the_admin_does_the_same(admin, enrolled, waiting, carry_out):
    office = Client()
    office.force_login(admin)

    with carry_out():
        response = office.post(reverse("admin:materials_lesson_delete", args=[waiting.pk]), {"post": "yes"})

    assert response.status_code == 302
    assert is_completed(enrolled)


def test_deleting_the_missing_assignment_completes_those_who_waited(client_for, course, enrolled, carry_out):
    done(course, enrolled)
    assignment = AssignmentFactory(lesson=course.lessons.first())
    path = f"/api/courses/{course.pk}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/"

    with carry_out():
        response = client_for("teacher").delete(path)

    assert response.status_code == 204
    assert is_completed(enrolled)


def test_deleting_the_final_quiz_completes_those_who_waited(client_for, course, enrolled, final, carry_out):
    done(course, enrolled)

    with carry_out():
        response = client_for("teacher").delete(f"/api/courses/{course.pk}/quizzes/{final.pk}/")

    assert response.status_code == 204
    assert is_completed(enrolled)


def test_deleting_one_of_two_missing_things_completes_nobody(client_for, course, enrolled, waiting, final, carry_out):
    with carry_out():
        client_for("teacher").delete(f"/api/lessons/{waiting.pk}/")

    assert not is_completed(enrolled)


def test_deleting_the_only_lesson_completes_nobody(client_for, teacher, carry_out):
    lesson = LessonFactory(course__owner=teacher)
    student = EnrollmentFactory(course=lesson.course).user

    with carry_out():
        client_for("teacher").delete(f"/api/lessons/{lesson.pk}/")

    assert not is_completed(student)


def test_deleting_completes_nobody_whom_the_course_was_taken_from(client_for, waiting, enrolled, carry_out):
    Enrollment.objects.update(status="revoked")

    with carry_out():
        client_for("teacher").delete(f"/api/lessons/{waiting.pk}/")

    assert Enrollment.objects.get().completed_at is None


def test_deleting_changes_nothing_for_those_who_had_completed(client_for, course, completed, carry_out):
    with carry_out():
        client_for("teacher").delete(f"/api/lessons/{course.lessons.last().pk}/")

    assert as_it_stands() == completed


def test_looking_for_those_who_waited_goes_on_over_all_of_them(course, waiting):
    people = EnrollmentFactory.create_batch(101, course=course, user__password="")
    for enrollment in people[::50]:
        done(course, enrollment.user)
    Enrollment.objects.update(created_at=timezone.now())  # written together
    look_for_completed(course.pk)

    looked_at = import_string("assignments.tasks.complete_finished_enrollments")(str(course.pk))

    assert looked_at == 102
    assert Enrollment.objects.filter(status="completed").count() == 3
    assert not CompletionCheck.objects.exists()


def sweep():
    return import_string("assignments.tasks.complete_waiting_enrollments")()


def test_what_the_broker_lost_is_found(client_for, course, enrolled, waiting):
    client_for("teacher").delete(f"/api/lessons/{waiting.pk}/")  # nobody carries the task out

    assert not is_completed(enrolled)
    assert sweep() == 1
    assert is_completed(enrolled)
    assert sweep() == 0


def test_looking_asks_the_same_for_one_and_for_a_hundred(course, waiting, django_assert_num_queries):
    """The courses that wait; and of each: it, its checks, the lease, students, progress, lease, none, the end."""
    for number in 1, 99:
        EnrollmentFactory.create_batch(number - (number == 1), course=course, user__password="")
        for _ in range(number):
            look_for_completed(course.pk)
        with django_assert_num_queries(9):
            sweep()


def test_one_looks_at_a_time_until_it_falls_silent(course, waiting, monkeypatch):
    look_for_completed(course.pk)
    monkeypatch.setattr("assignments.services.progress.progress_of", lambda batch: 1 / 0)

    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert sweep() == 0  # it died, and the schedule goes on
        monkeypatch.undo()
        assert sweep() == 0
        clock.shift(120)
        assert sweep() == 1


def test_what_is_asked_for_while_one_looks_waits_for_the_end_of_it(course, waiting):
    """Whoever leaves a course and enters it again, over and over, sets no more than one to look over its students."""
    CompletionCheck.objects.create(course=course, leased_until=timezone.now() + timedelta(minutes=1))
    look_for_completed(course.pk)

    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert sweep() == 0
        clock.shift(60)
        assert sweep() == 1
    assert not CompletionCheck.objects.exists()


def test_many_checks_of_a_course_do_not_hide_another(course, monkeypatch):
    monkeypatch.setattr("assignments.services.progress.COURSES_PER_RUN", 2)
    other = CourseFactory()
    for each in (course, course, other):
        look_for_completed(each.pk)

    assert courses_to_check(timezone.now()) == [course.pk, other.pk]


def test_a_course_that_is_gone_by_then(db):
    assert import_string("assignments.tasks.complete_finished_enrollments")(UNKNOWN) == 0


@pytest.mark.parametrize("what", ["lesson", "assignment", "quiz"])
def test_what_people_have_worked_on_is_not_taken_out(client_for, course, enrolled, final, what):
    submission = SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled)
    AttemptFactory(quiz=final, student=enrolled)
    lesson = f"/api/courses/{course.pk}/lessons/{submission.assignment.lesson_id}/"
    path = {
        "lesson": lesson,
        "assignment": f"{lesson}assignments/{submission.assignment_id}/",
        "quiz": f"/api/courses/{course.pk}/quizzes/{final.pk}/",
    }[what]

    response = client_for("teacher").delete(path)

    assert (response.status_code, response.json()["code"]) == (409, "in_use")
    assert Submission.objects.exists()
