"""The cabinet: what one studies, until it is completed, expires, or is left; and the dashboard."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from assignments.models import Assignment, Attempt, Certificate, Quiz, Submission
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    QuizFactory,
    SubmissionFactory,
)
from materials.models import Course, Enrollment, Lesson
from materials.services import grant_access
from materials.tasks import expire_enrollments, remove_completed_courses
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonCompletionFactory, LessonFactory
from payments.tests.helpers import pay
from users.models import Notification, User
from users.tasks import send_pending_emails
from users.tests.factories import NotificationFactory

CABINET = "/api/users/me/courses/"
DASHBOARD = "/api/users/me/dashboard/"
DAY = timedelta(days=1)


@pytest.fixture
def client(client_for):
    return client_for("enrolled")


@pytest.fixture
def enrollment(enrolled):
    return Enrollment.objects.get(user=enrolled)


@pytest.fixture
def free(teacher):
    course = CourseFactory(owner=teacher, title="Free")
    LessonFactory(course=course, order=1, title="Only")
    return course


def titles(client, **params):
    response = client.get(CABINET, params)
    assert response.status_code == 200, response.json()
    return [each["course"]["title"] for each in response.json()["results"]]


def opens(client, course):
    """What the course's last lesson answers."""
    answer = client.get(f"/api/lessons/{course.lessons.last().pk}/")
    return answer.json()["code"] if answer.status_code == 403 else answer.status_code


def buy(client, course):
    """The whole way of a purchase by card."""
    payment = client.post("/api/payments/", {"paid_course": course.pk}).json()
    pay(payment["payment_url"])
    return client.get(f"/api/payments/{payment['payment_id']}/status/").json()


def notes(user):
    return Notification.objects.filter(recipient=user, kind="enrolled")


# --- The list --------------------------------------------------------------------------------------------------------


def test_what_the_cabinet_says_of_a_course(client, course, enrollment):
    first, second, _third = course.lessons.order_by("order")
    LessonCompletionFactory(enrollment=enrollment, lesson=first, completed_at=timezone.now())

    (line,) = client.get(CABINET).json()["results"]

    assert (line["id"], line["source"], line["status"]) == (str(enrollment.pk), "payment", "active")
    assert (line["course"]["id"], line["course"]["title"]) == (str(course.pk), "Python basics")
    assert (line["completed_at"], line["expires_at"], line["removed_at"]) == (None, None, None)
    assert line["progress"].items() >= {"percent": 33, "completed_lessons": 1, "total_lessons": 3}.items()
    assert line["next_lesson"] == {"id": str(second.pk), "title": "Variables", "order": 2}


def test_a_list_holds_the_next_things_of_what_remains(client, course, enrollment):
    for number in range(30):
        AssignmentFactory(lesson=course.lessons.get(order=1), title=f"No. {number}")

    (line,) = client.get(CABINET).json()["results"]

    assert (len(line["progress"]["remaining"]), line["progress"]["remaining_count"]) == (20, 33)
    assert len(client.get(f"/api/courses/{course.pk}/progress/").json()["remaining"]) == 33


def test_no_next_lesson_after_the_last(client, course, enrollment):
    QuizFactory(course=course, is_final=True)
    for lesson in course.lessons.all():
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())

    (line,) = client.get(CABINET).json()["results"]

    assert (line["next_lesson"], line["progress"]["percent"]) == (None, 100)
    assert [item["kind"] for item in line["progress"]["remaining"]] == ["quiz"]


@pytest.fixture
def desk(enrolled):
    """One enrollment in each state, named after it."""
    now = timezone.now()
    done = {"status": "completed", "completed_at": now}
    for title, state in {
        "completed": done,
        "completed and past": {**done, "expires_at": now - DAY},
        "completed and removed": {**done, "removed_at": now},
        "expired": {"status": "expired", "expires_at": now - DAY},
        "past": {"expires_at": now - DAY},
        "for a while": {"expires_at": now + DAY},
        "revoked": {"status": "revoked"},
        "left": {"removed_at": now},
    }.items():
        EnrollmentFactory(user=enrolled, course__title=title, **state)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", {"Python basics", "for a while"}),
        ("completed", {"completed", "completed and past"}),
        ("expired", {"expired", "past"}),
        (None, {"Python basics", "for a while", "completed", "completed and past", "expired", "past"}),
        (
            "all",
            {"Python basics", "for a while", "completed", "completed and past", "expired", "past"}
            | {"completed and removed", "revoked", "left"},
        ),
    ],
)
def test_the_cabinet_by_status(client, desk, status, expected):
    found = titles(client, **({"status": status} if status else {}))

    assert (set(found), len(found)) == (expected, len(expected))


def test_the_status_is_that_of_this_moment(client, desk):
    lines = client.get(CABINET, {"status": "expired"}).json()["results"]

    assert {line["status"] for line in lines} == {"expired"}


@pytest.mark.parametrize(
    ("params", "attr", "code"),
    [
        ({"status": "revoked"}, "status", "invalid_choice"),
        ({"status": "junk"}, "status", "invalid_choice"),
        ({"user": "1"}, "user", "unknown_filter"),
        ({"ordering": "title"}, "ordering", "unknown_ordering"),
    ],
)
def test_what_the_cabinet_does_not_know(client, params, attr, code):
    response = client.get(CABINET, params)

    assert response.status_code == 400
    assert (response.json()["errors"][0]["attr"], response.json()["errors"][0]["code"]) == (attr, code)


def test_the_cabinet_needs_somebody(api):
    assert api.get(CABINET).status_code == 401


def test_the_cabinet_of_somebody_else_stays_theirs(client_for, enrolled):
    assert titles(client_for("student"), status="all") == []


def test_the_newest_stands_first(client, enrolled):
    for title in ("Second", "Third"):
        EnrollmentFactory(user=enrolled, course__title=title)

    assert titles(client) == ["Third", "Second", "Python basics"]
    assert titles(client, ordering="created_at") == ["Python basics", "Second", "Third"]


def test_the_cabinet_in_pages(client, enrolled):
    for number in range(5):
        EnrollmentFactory(user=enrolled, course__title=str(number))

    pages = [titles(client, page_size=4, page=page) for page in (1, 2)]

    assert pages == [["4", "3", "2", "1"], ["0", "Python basics"]]


@pytest.fixture
def studies(enrolled, teacher):
    """`studies(200)`: so many courses more, each with lessons, an assignment and a final quiz."""

    def make(number):
        courses = Course.objects.bulk_create(Course(owner=teacher, title=f"{n}") for n in range(number))
        lessons = Lesson.objects.bulk_create(
            Lesson(course=course, owner=teacher, title=f"{n}", order=n) for course in courses for n in (1, 2)
        )
        due = timezone.now() + DAY
        Assignment.objects.bulk_create(Assignment(lesson=lesson, title="Map", due_at=due) for lesson in lessons[::2])
        Quiz.objects.bulk_create(Quiz(course=course, title="Final", is_final=True) for course in courses)
        Enrollment.objects.bulk_create(Enrollment(user=enrolled, course=each, source="free") for each in courses)
        Certificate.objects.bulk_create(Certificate(student=enrolled, course=each, language="ru") for each in courses)

    return make


@pytest.mark.parametrize("number", [0, 199])
def test_queries_of_the_cabinet(client, studies, number, django_assert_max_num_queries):
    studies(number)

    with django_assert_max_num_queries(3):  # the user, the page with its count, the progress
        response = client.get(CABINET, {"page_size": 100})

    assert response.json()["count"] == number + 1


# --- Completed long ago ----------------------------------------------------------------------------------------------


@pytest.fixture
def completed(course, enrollment):
    """`completed(30)`: the course was completed so many days ago."""

    def so_long_ago(days):
        Enrollment.objects.filter(pk=enrollment.pk).update(
            status="completed", completed_at=timezone.now() - timedelta(days=days)
        )

    return so_long_ago


@pytest.mark.parametrize(("days", "removed"), [(0, 0), (29, 0), (30, 1), (400, 1)])
def test_a_completed_course_leaves_the_cabinet_after_a_month(client, completed, days, removed):
    completed(days)

    assert remove_completed_courses() == removed
    assert len(titles(client)) == 1 - removed


def test_the_month_is_a_setting(client, completed, settings):
    settings.COMPLETED_COURSE_DAYS = 7
    completed(8)

    assert remove_completed_courses() == 1


def test_removing_twice_changes_nothing(completed):
    completed(31)
    remove_completed_courses()
    before = Enrollment.objects.values().get()

    assert remove_completed_courses() == 0
    assert Enrollment.objects.values().get() == before


def test_what_was_removed_is_still_found_among_all(client, completed):
    completed(31)
    remove_completed_courses()

    (line,) = client.get(CABINET, {"status": "all"}).json()["results"]

    assert line["status"] == "completed"
    assert line["removed_at"] is not None


def test_what_was_removed_stays_open(client, course, completed):
    completed(31)
    remove_completed_courses()

    assert opens(client, course) == 200


def test_certificate_and_grades_stay_when_the_course_leaves_the_cabinet(client, course, enrolled, completed):
    CertificateFactory(student=enrolled, course=course)
    completed(31)
    remove_completed_courses()

    assert client.get("/api/users/certificates/").json()["count"] == 1
    assert client.get(f"/api/courses/{course.pk}/progress/").status_code == 200


@pytest.mark.parametrize("status", ["active", "expired", "revoked"])
def test_only_completed_courses_leave_the_cabinet(enrollment, status):
    Enrollment.objects.update(status=status, created_at=timezone.now() - timedelta(days=400))

    assert remove_completed_courses() == 0


def test_removing_goes_on_over_all_of_them(completed, monkeypatch):
    monkeypatch.setattr("materials.services.ENROLLMENTS_PER_BATCH", 2)
    completed(31)
    for _ in range(4):
        EnrollmentFactory(status="completed", completed_at=timezone.now() - 31 * DAY)

    assert remove_completed_courses() == 5


# --- Access that runs out --------------------------------------------------------------------------------------------


@pytest.fixture
def past(course, enrollment):
    """Access has run out a minute ago; the task has not come by."""
    Enrollment.objects.update(expires_at=timezone.now() - timedelta(minutes=1))


def test_access_ends_at_its_moment(client, course, past):
    assert opens(client, course) == "access_expired"
    assert Enrollment.objects.get().status == "active"


def test_the_task_writes_down_what_has_expired(client, course, past):
    assert expire_enrollments() == 1
    assert Enrollment.objects.get().status == "expired"
    assert opens(client, course) == "access_expired"


@pytest.mark.parametrize(
    ("status", "expires_in"),
    [("active", DAY), ("active", None), ("completed", -DAY), ("revoked", -DAY), ("expired", -DAY)],
)
def test_the_task_touches_nothing_else(enrollment, status, expires_in):
    done = timezone.now() if status == "completed" else None
    expires_at = timezone.now() + expires_in if expires_in else None
    Enrollment.objects.update(status=status, expires_at=expires_at, completed_at=done)

    assert expire_enrollments() == 0
    assert Enrollment.objects.get().status == status


def test_expiring_goes_on_over_all_of_them(past, monkeypatch):
    monkeypatch.setattr("materials.services.ENROLLMENTS_PER_BATCH", 2)
    for _ in range(4):
        EnrollmentFactory(expires_at=timezone.now() - DAY)

    assert (expire_enrollments(), expire_enrollments()) == (5, 0)


@pytest.fixture(params=["before the task", "after the task"])
def expired(request, past):
    if request.param == "after the task":
        expire_enrollments()


def test_grades_stay_readable(client, course, enrolled, expired):
    submission = SubmissionFactory(assignment__lesson=course.lessons.last(), student=enrolled, graded=True)
    path = f"/api/courses/{course.pk}/lessons/{submission.assignment.lesson_id}/assignments/"

    response = client.get(f"{path}{submission.assignment_id}/submissions/")

    assert response.status_code == 200
    assert response.json()["results"][0]["score"] == 80


def test_attempts_stay_readable(client, course, enrolled, expired):
    attempt = AttemptFactory(quiz__course=course, student=enrolled)

    response = client.get(f"/api/courses/{course.pk}/quizzes/{attempt.quiz_id}/attempts/")

    assert response.status_code == 200
    assert response.json()["results"][0]["score"] == 100


@pytest.mark.parametrize("path", ["", "pdf/"])
def test_the_certificate_stays_readable(client, course, enrolled, expired, path):
    certificate = CertificateFactory(student=enrolled, course=course)

    assert client.get(f"/api/users/certificates/{certificate.pk}/{path}").status_code == 200


def test_nothing_new_is_handed_in_after_access_has_expired(client, course, enrolled, expired):
    assignment = AssignmentFactory(lesson=course.lessons.last())
    path = f"/api/courses/{course.pk}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions/"

    response = client.post(path, {"text": "Late"})

    assert (response.status_code, response.json()["code"]) == (403, "access_expired")
    assert not Submission.objects.exists()


def test_no_attempt_is_started_after_access_has_expired(client, course, expired):
    quiz = QuizFactory(course=course)

    response = client.post(f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/")

    assert (response.status_code, response.json()["code"]) == (403, "access_expired")
    assert not Attempt.objects.exists()


def test_buying_again_extends_and_keeps_the_progress(client, course, enrollment, expired, stripe):
    Course.objects.update(access_days=30)
    LessonCompletionFactory(enrollment=enrollment, lesson=course.lessons.first(), completed_at=timezone.now())
    before = opens(client, course)

    assert buy(client, course)["status"] == "succeeded"

    (line,) = client.get(CABINET, {"status": "active"}).json()["results"]
    assert (before, opens(client, course)) == ("access_expired", 200)
    assert line["progress"]["percent"] == 33
    assert timezone.datetime.fromisoformat(line["expires_at"]) > timezone.now() + 29 * DAY


@pytest.mark.usefixtures("expired")
def test_entering_a_free_course_again_extends_and_keeps_the_progress(client, course, enrollment):
    Course.objects.update(price="0.00")
    LessonCompletionFactory(enrollment=enrollment, lesson=course.lessons.first(), completed_at=timezone.now())

    response = client.post(f"/api/courses/{course.pk}/enrollment/")

    (line,) = client.get(CABINET, {"status": "active"}).json()["results"]
    assert (response.status_code, opens(client, course)) == (201, 200)
    assert (line["progress"]["percent"], line["expires_at"]) == (33, None)


def test_a_completed_course_that_is_entered_again_is_still_completed(client, course, completed):
    Course.objects.update(price="0.00")
    completed(3)
    before = Enrollment.objects.values("completed_at").get()
    Enrollment.objects.update(expires_at=timezone.now() - DAY)

    client.post(f"/api/courses/{course.pk}/enrollment/")

    assert Enrollment.objects.values("completed_at").get() == before
    assert titles(client, status="completed") == ["Python basics"]
    assert opens(client, course) == 200


# --- Taken back, and left --------------------------------------------------------------------------------------------


def test_what_was_taken_back_is_closed_and_gone(client, course, enrollment):
    Enrollment.objects.update(status="revoked")

    assert opens(client, course) == "payment_required"
    assert titles(client) == []


def test_leaving_takes_a_course_out_of_the_cabinet(client_for, free):
    client = client_for("student")
    path = f"/api/courses/{free.pk}/enrollment/"
    client.post(path)
    before = titles(client)

    client.delete(path)

    assert (before, titles(client)) == (["Free"], [])
    assert opens(client, free) == "not_enrolled"


def test_coming_back_finds_the_progress_as_it_was(client_for, free):
    LessonFactory(course=free, order=2)
    client = client_for("student")
    path = f"/api/courses/{free.pk}/enrollment/"
    client.post(path)
    client.post(f"/api/lessons/{free.lessons.first().pk}/complete/")
    client.delete(path)

    client.post(path)

    (line,) = client.get(CABINET).json()["results"]
    assert line["progress"]["percent"] == 50


def test_leaving_a_bought_course_takes_it_out_of_the_cabinet_and_leaves_it_open(client, course):
    client.delete(f"/api/courses/{course.pk}/enrollment/")

    assert titles(client) == []
    assert opens(client, course) == 200


# --- The note that one is enrolled -----------------------------------------------------------------------------------


def test_entering_is_noted(client_for, student, free):
    client_for("student").post(f"/api/courses/{free.pk}/enrollment/")

    note = notes(student).get()
    assert "Free" in note.subject
    assert note.url == f"https://lyceum.test/courses/{free.pk}"


def test_buying_is_noted_as_entering(client_for, student, course, stripe):
    buy(client_for("student"), course)

    assert notes(student).count() == 1


def test_entering_where_one_is_already_is_no_news(client_for, student, free):
    for _ in range(3):
        client_for("student").post(f"/api/courses/{free.pk}/enrollment/")

    assert notes(student).count() == 1


def test_access_that_is_extended_while_it_lasts_is_no_news(student, free):
    for source in ("free", "grant", "payment"):
        grant_access(user=student, course=free, source=source)

    assert notes(student).count() == 1


def test_coming_back_after_leaving_is_news(client_for, student, free):
    client = client_for("student")
    for method in (client.post, client.delete, client.post):
        method(f"/api/courses/{free.pk}/enrollment/")

    assert notes(student).count() == 2


@pytest.mark.parametrize("task", [lambda: None, expire_enrollments], ids=["no task yet", "after the task"])
def test_coming_back_after_access_has_expired_is_news(client_for, student, free, task):
    Course.objects.update(access_days=30)
    client = client_for("student")
    client.post(f"/api/courses/{free.pk}/enrollment/")
    Enrollment.objects.update(expires_at=timezone.now() - DAY)
    task()

    client.post(f"/api/courses/{free.pk}/enrollment/")

    assert notes(student).count() == 2


def test_coming_back_to_a_bought_course_that_one_left_is_no_news(client, course, enrolled):
    client.delete(f"/api/courses/{course.pk}/enrollment/")
    client.post(f"/api/courses/{course.pk}/enrollment/")

    assert not notes(enrolled).exists()


@pytest.mark.parametrize(
    ("language", "subject"), [("ru", "Вы записаны на курс «Free»"), ("en", "You are enrolled in “Free”")]
)
def test_the_note_is_in_the_persons_language(client_for, student, free, language, subject):
    User.objects.filter(pk=student.pk).update(language=language)

    client_for("student").post(f"/api/courses/{free.pk}/enrollment/", HTTP_ACCEPT_LANGUAGE="en")

    assert notes(student).get().subject == subject


def test_the_note_is_a_letter_too(client_for, student, free):
    client_for("student").post(f"/api/courses/{free.pk}/enrollment/")

    send_pending_emails()

    assert notes(student).get().email_status == "sent"
    assert [letter.to for letter in mail.outbox] == [[student.email]]


# --- The dashboard ---------------------------------------------------------------------------------------------------


def dashboard(client):
    response = client.get(DASHBOARD)
    assert response.status_code == 200, response.json()
    return response.json()


def test_the_dashboard_of_a_beginner(client_for, student):
    assert dashboard(client_for("student")) == {
        "courses_in_progress": [],
        "due_assignments": [],
        "unread_notifications": 0,
        "unread_messages": 0,
        "certificates": [],
    }


def test_the_dashboard_needs_somebody(api):
    assert api.get(DASHBOARD).status_code == 401


def test_a_course_on_the_dashboard(client, course, enrollment):
    first, second, _third = course.lessons.order_by("order")
    LessonCompletionFactory(enrollment=enrollment, lesson=first, completed_at=timezone.now())

    (line,) = dashboard(client)["courses_in_progress"]

    assert (line["course"]["id"], line["course"]["title"]) == (str(course.pk), "Python basics")
    assert (line["percent"], line["next_lesson"]) == (33, {"id": str(second.pk), "title": "Variables", "order": 2})


def test_only_open_courses_that_are_not_completed_are_in_progress(client, desk):
    lines = dashboard(client)["courses_in_progress"]

    assert {line["course"]["title"] for line in lines} == {"Python basics", "for a while"}


def test_the_ten_latest_courses_are_on_the_dashboard(client, enrolled):
    for number in range(10):
        EnrollmentFactory(user=enrolled, course__title=str(number))

    lines = dashboard(client)["courses_in_progress"]

    assert [line["course"]["title"] for line in lines] == list("9876543210")


def test_what_is_due_stands_in_the_order_of_its_dates(client, course, enrolled):
    lesson = course.lessons.first()
    for days in (3, 1, 2):
        AssignmentFactory(lesson=lesson, title=f"in {days}", due_at=timezone.now() + days * DAY)

    lines = dashboard(client)["due_assignments"]

    assert [line["title"] for line in lines] == ["in 1", "in 2", "in 3"]
    assert lines[0].items() >= {
        "lesson": str(lesson.pk), "lesson_title": lesson.title, "course": str(course.pk),
        "course_title": "Python basics", "max_score": 100,
    }.items()  # fmt: skip


def test_at_most_ten_things_are_due(client, course, enrolled):
    for days in range(1, 13):
        AssignmentFactory(lesson=course.lessons.first(), due_at=timezone.now() + days * DAY)

    assert len(dashboard(client)["due_assignments"]) == 10


@pytest.mark.parametrize("due_in", [None, -DAY])
def test_what_is_not_due_any_more_or_never(client, course, enrolled, due_in):
    AssignmentFactory(lesson=course.lessons.first(), due_at=timezone.now() + due_in if due_in else None)

    assert dashboard(client)["due_assignments"] == []


@pytest.mark.parametrize(("version", "due"), [({}, 0), ({"graded": True}, 0), ({"status": "returned"}, 1)])
def test_what_was_handed_in_is_due_only_if_it_was_returned(client, course, enrolled, version, due):
    assignment = AssignmentFactory(lesson=course.lessons.first(), due_at=timezone.now() + DAY)
    SubmissionFactory(assignment=assignment, student=enrolled, **version)

    assert len(dashboard(client)["due_assignments"]) == due


def test_what_somebody_else_handed_in_is_still_due(client, course, enrolled):
    assignment = AssignmentFactory(lesson=course.lessons.first(), due_at=timezone.now() + DAY)
    SubmissionFactory(assignment=assignment)

    assert len(dashboard(client)["due_assignments"]) == 1


@pytest.mark.parametrize("change", [{"status": "revoked"}, {"status": "expired"}, {"expires_at": "2020-01-01T00:00Z"}])
def test_nothing_is_due_in_what_is_closed(client, course, enrolled, change):
    AssignmentFactory(lesson=course.lessons.first(), due_at=timezone.now() + DAY)
    Enrollment.objects.update(**change)

    assert dashboard(client)["due_assignments"] == []


def test_nothing_is_due_elsewhere(client, enrolled):
    AssignmentFactory(due_at=timezone.now() + DAY)

    assert dashboard(client)["due_assignments"] == []


def test_the_five_latest_valid_certificates(client, enrolled):
    now = timezone.now()
    for number in range(7):
        CertificateFactory(student=enrolled, course_title=str(number), issued_at=now - number * DAY)
    Certificate.objects.filter(course_title="1").update(status="revoked", revoked_at=now)
    CertificateFactory(course_title="somebody else's")

    lines = dashboard(client)["certificates"]

    assert [line["course_title"] for line in lines] == list("02345")
    assert lines[0]["pdf_url"] == f"http://testserver/api/users/certificates/{lines[0]['id']}/pdf/"


def test_what_was_not_read_is_counted(client, enrolled):
    NotificationFactory.create_batch(2, recipient=enrolled)
    NotificationFactory(recipient=enrolled, is_read=True, read_at=timezone.now())
    NotificationFactory()

    assert dashboard(client)["unread_notifications"] == 2


@pytest.mark.parametrize("number", [0, 199])
def test_queries_of_the_dashboard(client, studies, number, django_assert_max_num_queries):
    studies(number)

    # The user; the courses, their progress, what is due, the certificates; notifications and messages not read.
    with django_assert_max_num_queries(6):
        response = client.get(DASHBOARD)

    assert len(response.json()["courses_in_progress"]) == min(number + 1, 10)
