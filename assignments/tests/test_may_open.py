"""Nothing that people are offered (a reminder, a letter, a digest, the dashboard, a next step) leads to what answers
401, 403 or 404 to them at that moment. All reasons of a refusal stand in one table, all that offers in another."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assignments.models import Assignment
from assignments.tasks import remind_due_assignments
from assignments.tests.factories import AssignmentFactory, SubmissionFactory
from conftest import sign_in
from materials import access
from materials.models import Course, CourseUpdate, Enrollment, Lesson, LessonCompletion
from materials.tasks import announce_pending_updates
from materials.tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LessonAccessFactory,
    LessonFactory,
    SubscriptionFactory,
)
from users.models import Notification, NotificationPreference, User
from users.services import anonymise_user
from users.tasks import send_daily_digests, send_pending_emails
from users.tests.factories import AdminFactory, ModeratorFactory, UserFactory

UUID = "[0-9a-f-]{36}"


@pytest.fixture
def course(teacher):
    course = CourseFactory(owner=teacher, title="Stars")
    LessonFactory.create_batch(3, course=course)
    return course


@pytest.fixture
def student(course):
    user = UserFactory(email="student@test.io", language="en")
    EnrollmentFactory(user=user, course=course)
    SubscriptionFactory(user=user, course=course)
    return user


@pytest.fixture
def assignment(course):
    """Of the second lesson, due today."""
    return AssignmentFactory(lesson=course.lessons.order_by("order")[1], due_at=timezone.now() + timedelta(hours=5))


REFUSALS = {
    "draft": lambda student: Course.objects.update(status="draft"),
    "archived, and left": lambda student: (
        Course.objects.update(status="archived"),
        Enrollment.objects.update(status="revoked", removed_at=timezone.now()),
    ),
    "a lesson comes first": lambda student: Course.objects.update(sequential=True),
    "expired": lambda student: Enrollment.objects.update(status="expired"),
    "just expired": lambda student: Enrollment.objects.update(expires_at=timezone.now()),
    "completed, and expired": lambda student: Enrollment.objects.update(
        status="completed", completed_at=timezone.now(), expires_at=timezone.now()
    ),
    "revoked": lambda student: Enrollment.objects.update(status="revoked"),
    "not enrolled": lambda student: Enrollment.objects.all().delete(),
    "deactivated": lambda student: student.deactivate("inactivity"),
    "gone": anonymise_user,
    "no such assignment": lambda student: Assignment.objects.all().delete(),
    "no such lesson": lambda student: Lesson.objects.all().delete(),
    "no such course": lambda student: (Lesson.objects.all().delete(), Course.objects.all().delete()),
}
each_refusal = pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS.keys())


def lesson_path(url):
    """Where a client that follows the link asks."""
    lesson = re.search(rf"/lessons/({UUID})", url)
    return f"/api/lessons/{lesson[1]}/" if lesson else f"/api/courses/{re.search(f'/courses/({UUID})', url)[1]}/"


def dashboard(client, student):
    answer = client.get("/api/users/me/dashboard/").json()
    for due in answer.get("due_assignments", ()):
        yield f"/api/courses/{due['course']}/lessons/{due['lesson']}/assignments/{due['id']}/"
    for line in answer.get("courses_in_progress", ()):
        yield f"/api/courses/{line['course']['id']}/"
        yield from next_step(line)


def cabinet(client, student):
    for line in client.get("/api/users/me/courses/?status=all").json().get("results", ()):
        yield from next_step(line)


def course_page(client, student):
    for card in client.get("/api/courses/").json().get("results", ()):
        yield from next_step(client.get(f"/api/courses/{card['id']}/").json())


def next_step(line):
    if line["next_lesson"]:
        yield f"/api/lessons/{line['next_lesson']['id']}/"


def reminders(client, student):
    """As they are written."""
    Notification.objects.all().delete()
    remind_due_assignments()
    for told in Notification.objects.filter(kind="due_soon"):
        yield lesson_path(told.url)


def update_letters(client, student):
    """As they are written."""
    Notification.objects.all().delete()
    for each in Course.objects.all():
        CourseUpdate.objects.create(course=each, kind="lesson_added", summary="News")
    announce_pending_updates()
    for told in Notification.objects.filter(kind="course_updated"):
        yield lesson_path(told.url)


PRODUCERS = [dashboard, cabinet, course_page, reminders, update_letters]


@pytest.mark.parametrize("producer", PRODUCERS, ids=lambda each: each.__name__)
def test_what_is_open_is_offered(student, assignment, producer):
    client = sign_in(student)
    paths = list(producer(client, student))

    assert paths
    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


@each_refusal
@pytest.mark.parametrize("producer", PRODUCERS, ids=lambda each: each.__name__)
def test_nothing_is_offered_that_is_closed(student, assignment, producer, refuse):
    client = sign_in(student)
    refuse(student)

    paths = list(producer(client, student))

    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


@pytest.fixture(params=["at once", "daily"])
def written(request, student, assignment, course):
    """What has been written while all of it was open, and waits to be sent."""
    if request.param == "daily":
        for kind in ("due_soon", "course_updated"):
            NotificationPreference.objects.create(user=student, kind=kind, email="daily")
    remind_due_assignments()
    CourseUpdate.objects.create(course=course, kind="lesson_added", summary="News")
    announce_pending_updates()
    assert Notification.objects.count() == 2


def sent(mailoutbox):
    """Where the links lead that go out now."""
    send_daily_digests()
    send_pending_emails()
    links = {
        link
        for letter in mailoutbox
        for link in re.findall(r"https://lyceum.test(/courses/[-a-f0-9/a-z]+)", letter.body)
    }
    return {lesson_path(link) for link in links}


def test_a_letter_goes_out(student, written, mailoutbox):
    client = sign_in(student)
    paths = sent(mailoutbox)

    assert len(paths) == 2
    assert {client.get(path).status_code for path in paths} == {200}
    assert set(Notification.objects.values_list("email_status", flat=True)) == {"sent"}


@each_refusal
def test_a_letter_is_looked_at_again_when_it_goes_out(student, written, mailoutbox, refuse):
    client = sign_in(student)
    refuse(student)

    paths = sent(mailoutbox)

    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    # What is left unsaid waits for nothing.
    assert not Notification.objects.filter(email_status__in=["pending", "digest"]).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda assignment, student: SubmissionFactory(assignment=assignment, student=student),
        lambda assignment, student: Assignment.objects.update(due_at=timezone.now() + timedelta(days=9)),
        lambda assignment, student: Assignment.objects.update(due_at=None),
        lambda assignment, student: Assignment.objects.update(due_at=timezone.now() - timedelta(hours=1)),
    ],
    ids=["handed in", "put off", "without a date", "past"],
)
def test_nobody_is_reminded_of_what_is_settled(student, assignment, written, mailoutbox, change):
    change(assignment, student)

    assert len(sent(mailoutbox)) == 1  # the update of the course


def test_other_letters_go_out_without_a_link_that_is_closed(student, course, mailoutbox):
    Notification.objects.create(
        recipient=student, kind="announcement", subject="Hello", message="Have a look", dedup_key="x",
        url=f"https://lyceum.test/courses/{course.pk}",
    )  # fmt: skip
    Course.objects.update(status="draft")

    assert sent(mailoutbox) == set()
    assert "Have a look" in mailoutbox[0].body


def test_ones_graded_work_stays_readable_when_access_has_run_out(student, assignment, mailoutbox):
    work = SubmissionFactory(assignment=assignment, student=student)
    where = (
        f"/courses/{assignment.lesson.course_id}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions"
    )
    Notification.objects.create(
        recipient=student, kind="submission_graded", subject="Graded", message="5", dedup_key="x",
        url=f"https://lyceum.test{where}/{work.pk}",
    )  # fmt: skip
    Enrollment.objects.update(status="expired")

    sent(mailoutbox)

    assert f"https://lyceum.test{where}/{work.pk}" in mailoutbox[0].body
    assert sign_in(student).get(f"/api{where}/{work.pk}/").status_code == 200


def test_who_bought_the_lesson_alone_is_reminded_and_shown_what_is_due(assignment):
    buyer = UserFactory()
    LessonAccessFactory(user=buyer, lesson=assignment.lesson)

    remind_due_assignments()

    assert [told.recipient for told in Notification.objects.filter(kind="due_soon")] == [buyer]
    assert len(sign_in(buyer).get("/api/users/me/dashboard/").json()["due_assignments"]) == 1


# --- The question itself ---------------------------------------------------------------------------------------------

PEOPLE = {
    "stranger": lambda course: UserFactory(),
    "enrolled": lambda course: EnrollmentFactory(course=course).user,
    "expired": lambda course: EnrollmentFactory(course=course, expires_at=timezone.now()).user,
    "revoked": lambda course: EnrollmentFactory(course=course, status="revoked").user,
    "buyer of the second lesson": lambda course: LessonAccessFactory(lesson=course.lessons.order_by("order")[1]).user,
    "half-way": lambda course: (
        LessonCompletion.objects.create(
            enrollment=EnrollmentFactory(course=course),
            lesson=course.lessons.order_by("order")[0],
            completed_at=timezone.now(),
        ).enrollment.user
    ),
    "owner": lambda course: course.owner,
    "moderator": lambda course: ModeratorFactory(),
    "admin": lambda course: AdminFactory(),
    "asleep": lambda course: EnrollmentFactory(course=course, user__is_active=False).user,
}


@pytest.mark.parametrize("status", ["published", "draft", "archived"])
@pytest.mark.parametrize("sequential", [False, True])
def test_one_question_for_one_person_and_for_many(course, status, sequential):
    """The API, the filter for one person and the answer for many say the same of everybody and every lesson."""
    people = {name: make(course) for name, make in PEOPLE.items()}
    Course.objects.update(status=status, sequential=sequential)
    Lesson.objects.filter(pk=course.lessons.order_by("order")[2].pk).update(is_preview=True)
    lessons = list(course.lessons.all())
    pairs = {(user.pk, lesson.pk) for user in people.values() for lesson in lessons}
    clients = {name: sign_in(user) for name, user in people.items()}

    asked = {
        (people[name].pk, lesson.pk)
        for name, client in clients.items()
        for lesson in lessons
        if client.get(f"/api/lessons/{lesson.pk}/").status_code == 200
    }
    seeing = {
        people[name].pk
        for name, client in clients.items()
        if client.get(f"/api/courses/{course.pk}/").status_code == 200
    }
    active = [user for user in User.objects.all() if user.is_active]

    assert access.openable(pairs) == asked
    assert {(user.pk, pk) for user in active for pk in access.open_lessons(user).values_list("pk", flat=True)} == asked
    assert access.seen_courses([(user.pk, course.pk) for user in people.values()]) == {(pk, course.pk) for pk in seeing}


@pytest.mark.parametrize("sequential", [False, True])
def test_asking_for_a_hundred_takes_no_more_queries(course, sequential):
    Course.objects.update(sequential=sequential)

    def queries(number):
        users = [enrollment.user_id for enrollment in EnrollmentFactory.create_batch(number, course=course)]
        pairs = [(user, lesson.pk) for user in users for lesson in course.lessons.all()]
        with CaptureQueriesContext(connection) as captured:
            access.openable(pairs)
        return len(captured)

    assert queries(1) == queries(100) <= 8
