"""The four hours between two letters where they are hard to keep: writers that are late, courses that are withdrawn."""

from datetime import timedelta

import pytest
import time_machine

from materials import services
from materials.models import Course, CourseUpdate
from materials.tasks import announce_pending_updates, send_course_update_notification
from materials.tests.factories import EnrollmentFactory, SubscriptionFactory
from users.models import Notification
from users.tests.factories import UserFactory

WINDOW = timedelta(hours=4)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-03-02T09:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def subscribers(course):
    users = [UserFactory(language="en") for _ in range(3)]
    for user in users:
        SubscriptionFactory(user=user, course=course)
    return users


@pytest.fixture
def change(client_for, course):
    def change(title="News"):
        return client_for("teacher").post(f"/api/courses/{course.pk}/lessons/", {"title": title})

    return change


def times(user):
    return sorted(
        Notification.objects.filter(recipient=user, kind="course_updated").values_list("created_at", flat=True)
    )


def assert_nobody_was_written_to_twice_within_the_window(users):
    for user in users:
        sent = times(user)
        assert len(sent) == 2
        assert sent[1] - sent[0] >= WINDOW


def test_a_digest_that_was_finished_late_begins_the_window_anew(subscribers, change, clock, course, monkeypatch):
    real = services.notify
    monkeypatch.setattr(services, "SUBSCRIBERS_PER_BATCH", 2)
    monkeypatch.setattr(services, "notify", lambda notifications: real(notifications[:1]) or 1 / 0)
    change("One")
    with pytest.raises(ZeroDivisionError):
        send_course_update_notification(str(course.pk))
    monkeypatch.setattr(services, "notify", real)
    change("Two")

    # Every worker is away for almost four hours; then they look every minute.
    clock.shift(WINDOW - timedelta(minutes=1))
    for _minute in range(10):
        announce_pending_updates()
        clock.shift(60)
    clock.shift(WINDOW)
    announce_pending_updates()

    late = subscribers[1:]
    assert_nobody_was_written_to_twice_within_the_window(late)
    assert not CourseUpdate.objects.filter(announced_at=None).exists()


def test_the_window_begins_with_the_last_letter_of_a_long_list(subscribers, change, clock, course, monkeypatch):
    real = services.notify

    def take_an_hour(notifications):
        clock.shift(3600)
        real(notifications)

    monkeypatch.setattr(services, "SUBSCRIBERS_PER_BATCH", 1)
    monkeypatch.setattr(services, "notify", take_an_hour)
    change("One")
    send_course_update_notification(str(course.pk))
    monkeypatch.setattr(services, "notify", real)
    change("Two")

    for _minute in range(4 * 60 + 1):
        announce_pending_updates()
        clock.shift(60)

    assert_nobody_was_written_to_twice_within_the_window(subscribers)


def test_a_course_that_was_withdrawn_keeps_its_letters_back(subscribers, change, course):
    """Their link would lead to a 404. They go out once it is there again."""
    change()
    Course.objects.update(status="draft")

    written = send_course_update_notification(str(course.pk)), announce_pending_updates()

    assert written == (0, 0)
    assert not Notification.objects.exists()
    Course.objects.update(status="published")
    assert announce_pending_updates() == len(subscribers)


def test_an_archived_course_tells_those_who_still_see_it_what_happened_before(subscribers, change, course):
    for user in subscribers[:2]:
        EnrollmentFactory(user=user, course=course)
    change()
    Course.objects.update(status="archived")

    assert announce_pending_updates() == 2
