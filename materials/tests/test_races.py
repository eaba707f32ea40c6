"""The same thing at the same time, on PostgreSQL."""

import threading

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials import services
from materials.models import Course, CourseSearch, CourseUpdate, Enrollment, Review, SearchTerm, Subscription
from materials.tasks import announce_pending_updates, send_course_update_notification
from materials.tests.factories import CourseFactory, EnrollmentFactory, SubscriptionFactory
from users.models import Notification
from users.tests.factories import UserFactory

pytestmark = [
    on_postgresql,
    pytest.mark.django_db(transaction=True),
]

TIMES = 16


@pytest.fixture
def clients(sign_in_as):
    """`clients(user)`: one for each thread. A failure of the server is an answer, as it is to a browser."""

    def clients(*users):
        signed_in = [sign_in_as(users[number % len(users)]) for number in range(TIMES)]
        for client in signed_in:
            client.raise_request_exception = False
        return signed_in

    return clients


@pytest.fixture
def free(teacher):
    return CourseFactory(owner=teacher)


def count(course):
    return Course.objects.get(pk=course.pk).enrollment_count


def test_enrolling(clients, student, free):
    """One row (a unique constraint), counted once."""
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/enrollment/"))

    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 201}
    assert 201 in statuses
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count(free) == Enrollment.objects.count() == 1


def test_enrolling_of_many(clients, free):
    """The count goes up in the database, not in Python."""
    each = clients(*[UserFactory() for _ in range(TIMES)])

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/enrollment/"))

    assert {answer.status_code for answer in answers} == {201}
    assert count(free) == Enrollment.objects.count() == TIMES


def test_leaving(clients, student, free):
    """Counted down once: what closes the enrollment is a conditional update."""
    EnrollmentFactory(user=student, course=free)
    Course.objects.filter(pk=free.pk).update(enrollment_count=5)
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].delete(f"/api/courses/{free.pk}/enrollment/"))

    assert {answer.status_code for answer in answers} == {204}
    assert count(free) == 4


def test_coming_back(clients, student, free):
    """Counted up once: the row of whoever left is locked before its status is read."""
    EnrollmentFactory(user=student, course=free, status="revoked", removed_at=timezone.now())
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/enrollment/"))

    assert {answer.status_code for answer in answers} <= {200, 201}
    assert Enrollment.objects.get().status == "active"
    assert count(free) == 1


def test_coming_and_going(clients, student, free):
    each = clients(student)

    answers = at_once(
        TIMES,
        lambda number: getattr(each[number], "post" if number % 2 else "delete")(f"/api/courses/{free.pk}/enrollment/"),
    )

    assert {answer.status_code for answer in answers} <= {200, 201, 204}
    assert count(free) == Enrollment.objects.filter(status="active").count()


def test_reviewing(clients, student, free):
    """One review a person: a unique constraint, whose error is an answer."""
    EnrollmentFactory(user=student, course=free)
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/reviews/", {"rating": 4}))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (TIMES - 1)
    assert Review.objects.count() == 1
    assert Course.objects.get(pk=free.pk).rating_count == 1


def test_reviews_of_many(clients, free):
    """The course's lock: a rating is counted with all reviews that are there."""
    people = [EnrollmentFactory(course=free).user for _ in range(TIMES)]
    each = clients(*people)

    answers = at_once(
        TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/reviews/", {"rating": 1 + number % 2 * 4})
    )

    rated = Course.objects.get(pk=free.pk)
    assert {answer.status_code for answer in answers} == {201}
    assert (rated.rating_count, rated.rating_average) == (TIMES, 3)


def test_adding_lessons(clients, teacher, free):
    """The course's lock gives each a place of its own."""
    each = clients(teacher)

    answers = at_once(
        TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/lessons/", {"title": f"Lesson {number}"})
    )

    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["order"] for answer in answers) == list(range(1, TIMES + 1))
    assert Course.objects.get(pk=free.pk).lesson_count == free.lessons.count() == TIMES


def test_lessons_at_one_place(clients, teacher, free):
    each = clients(teacher)

    answers = at_once(
        TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/lessons/", {"title": "One", "order": 1})
    )

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (TIMES - 1)
    assert free.lessons.count() == 1


def test_adding_and_deleting_lessons(clients, teacher, free):
    """Whatever comes first, the count is right in the end."""
    first = clients(teacher)[0]
    there = [
        first.post(f"/api/courses/{free.pk}/lessons/", {"title": f"Lesson {number}"}).json()["id"]
        for number in range(TIMES // 2)
    ]
    each = clients(teacher)

    def call(number):
        if number < len(there):
            return each[number].delete(f"/api/lessons/{there[number]}/")
        return each[number].post(f"/api/courses/{free.pk}/lessons/", {"title": "More"})

    answers = at_once(TIMES, call)

    assert {answer.status_code for answer in answers} == {201, 204}
    assert Course.objects.get(pk=free.pk).lesson_count == free.lessons.count() == TIMES - len(there)


def test_new_courses_with_the_same_words(clients, teacher):
    """The vocabulary is written in one order, so that nobody waits in a circle."""
    each = clients(teacher)
    words = [f"слово{number}" for number in range(200)]

    answers = at_once(
        TIMES,
        lambda number: each[number].post(
            "/api/courses/", {"title": "Словарь", "description": " ".join(words if number % 2 else reversed(words))}
        ),
    )

    assert {answer.status_code for answer in answers} == {201}
    assert CourseSearch.objects.count() == TIMES
    assert SearchTerm.objects.filter(deletion="слово7", term="слово7").count() == 1


def test_toggling(clients, student, free):
    """An even number of toggles leaves nothing: each sees what the one before has done."""
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].post("/api/courses/toggle-subscribe/", {"course_id": free.pk}))

    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["is_subscribed"] for answer in answers) == TIMES // 2
    assert not Subscription.objects.exists()


def test_subscribing(clients, student, free):
    each = clients(student)

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/courses/{free.pk}/subscription/"))

    assert sorted(answer.status_code for answer in answers) == [200] * (TIMES - 1) + [201]
    assert Subscription.objects.count() == 1


@pytest.fixture
def changed(free):
    """A course with a change that waits, and five subscribers."""
    for _ in range(5):
        SubscriptionFactory(course=free)
    CourseUpdate.objects.create(course=free, kind="lesson_added", summary="News")
    return free


def letters():
    return Notification.objects.filter(kind="course_updated")


@pytest.mark.parametrize("announcers", [2, TIMES])
def test_announcing(changed, announcers):
    """A digest is claimed by one."""
    calls = [announce_pending_updates, lambda: send_course_update_notification(str(changed.pk))]

    written = at_once(announcers, lambda number: calls[number % 2]())

    assert sorted(written) == [0] * (announcers - 1) + [5]
    assert sorted(letters().values_list("recipient", flat=True)) == sorted(
        Subscription.objects.values_list("user", flat=True)
    )


def test_announcing_what_was_left_half_written(changed, monkeypatch):
    """The lease is taken by one."""
    services._claim_digests([changed.pk], changed.created_at)
    Course.objects.filter(pk=changed.pk).update(digest_leased_until=changed.created_at)

    written = at_once(8, lambda number: announce_pending_updates())

    assert sorted(written) == [0] * 7 + [5]
    assert letters().count() == 5


def test_two_writers_of_one_digest(changed, monkeypatch):
    """The first one was thought dead and was only slow: every letter has a key, and exists once."""
    both_write = threading.Barrier(2)
    real = services.notify

    def notify(notifications):
        both_write.wait(timeout=10)
        real(notifications)

    monkeypatch.setattr(services, "notify", notify)
    # Over before it began: whichever of the two looked at the clock first, neither keeps the other out.
    monkeypatch.setattr(services, "DIGEST_LEASE", -services.DIGEST_LEASE)

    at_once(2, lambda number: services.announce_updates([changed.pk]))

    assert letters().count() == 5


def test_a_change_while_a_digest_is_written(changed, clients, teacher):
    """It is in this digest or in the next one."""
    each = clients(teacher)
    calls = [
        lambda: announce_pending_updates() and 201,
        *(
            lambda client=client: client.post(f"/api/courses/{changed.pk}/lessons/", {"title": "More"}).status_code
            for client in each[:5]
        ),
    ]

    statuses = at_once(6, lambda number: calls[number]())

    assert set(statuses) == {201}
    announced = CourseUpdate.objects.exclude(announced_at=None)
    waiting = CourseUpdate.objects.filter(announced_at=None, claimed_at=None)
    assert announced.count() + waiting.count() == 6
    assert {letter.message.count("•") for letter in letters()} == {announced.count()}
