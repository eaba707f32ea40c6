"""Letters about changes of a course: the first at once, the rest as a digest, none lost and none twice.

Every test stands at a moment of its own; the background tasks are run by hand, as a worker would.
"""

from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.ids import new_id
from common.testing.databases import on_postgresql
from materials import services
from materials.models import Course, CourseUpdate, Subscription
from materials.tasks import announce_pending_updates, send_course_update_notification
from materials.tests.factories import AttachmentFactory, CourseFactory, SubscriptionFactory
from users.models import Notification, User
from users.tests.factories import UserFactory

WINDOW = timedelta(hours=4)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-03-02T09:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def subscriber(course):
    user = UserFactory(language="en")
    SubscriptionFactory(user=user, course=course)
    return user


@pytest.fixture
def subscribers(course):
    users = [UserFactory() for _ in range(5)]
    for user in users:
        SubscriptionFactory(user=user, course=course)
    return users


@pytest.fixture
def change(clock, client_for, course):
    """Adds a lesson to the course, as its author, and a second passes."""

    def change(title="News"):
        clock.shift(1)
        response = client_for("teacher").post(f"/api/courses/{course.pk}/lessons/", {"title": title})
        assert response.status_code == 201, response.json()

    return change


def letters(user=None):
    sent = Notification.objects.filter(kind="course_updated").order_by("created_at", "pk")
    return list(sent.filter(recipient=user) if user else sent)


def send(course):
    return send_course_update_notification(str(course.pk))


def test_the_first_change_is_announced_at_once(subscriber, change, course):
    change("Closures")

    written = send(course)

    (letter,) = letters(subscriber)
    assert written == 1
    assert "Python basics" in letter.subject
    assert "Closures" in letter.message
    assert letter.url.endswith(f"/courses/{course.pk}")
    assert letter.email_status == "pending"


def test_a_change_asks_for_the_task(subscriber, change, course, monkeypatch):
    asked = []
    monkeypatch.setattr(services, "enqueue", lambda *call: asked.append(call))

    change()

    assert asked == [("materials.tasks.send_course_update_notification", str(course.pk))]


def test_the_task_twice(subscriber, change, course):
    change()

    written = [send(course), send(course)]

    assert written == [1, 0]
    assert len(letters()) == 1


def test_nobody_is_written_to_twice_within_four_hours(subscriber, change, clock, course):
    change("One")
    send(course)
    clock.shift(WINDOW - timedelta(seconds=2))
    change("Two")

    written = send(course), announce_pending_updates()

    assert written == (0, 0)
    assert len(letters()) == 1


def test_one_digest_after_the_window(subscriber, change, clock, course):
    change("One")
    send(course)
    for title in ("Two", "Three"):
        clock.shift(timedelta(hours=1))
        change(title)
        send(course)
    clock.shift(WINDOW)

    written = announce_pending_updates()

    _first, digest = letters(subscriber)
    assert written == 1
    assert [title in digest.message for title in ("One", "Two", "Three")] == [False, True, True]
    assert digest.message.index("Two") < digest.message.index("Three")
    assert not CourseUpdate.objects.filter(announced_at=None).exists()


def test_the_window_ends_on_the_second(subscriber, change, clock, course):
    change("One")
    send(course)
    change("Two")
    clock.move_to(Course.objects.get(pk=course.pk).announced_at + WINDOW - timedelta(seconds=1))
    too_early = announce_pending_updates()
    clock.shift(1)

    written = announce_pending_updates()

    assert (too_early, written) == (0, 1)


def test_a_digest_begins_a_window_too(subscriber, change, clock, course):
    change("One")
    send(course)
    change("Two")
    clock.shift(WINDOW)
    announce_pending_updates()
    change("Three")

    written = send(course), announce_pending_updates()

    assert written == (0, 0)
    assert len(letters()) == 2


def test_a_quiet_course_announces_at_once_again(subscriber, change, clock, course):
    change("One")
    send(course)
    clock.shift(WINDOW)
    change("Two")

    written = send(course)

    assert written == 1


def test_nothing_waits_once_all_is_announced(subscriber, change, clock, course):
    change()
    send(course)
    clock.shift(WINDOW)

    written = announce_pending_updates()

    assert written == 0
    assert len(letters()) == 1


def test_what_the_broker_lost_is_announced(subscriber, change):
    change()

    written = announce_pending_updates()

    assert written == 1


def test_every_course_has_a_window_of_its_own(subscriber, change, client_for, course):
    change()
    send(course)
    created = client_for("teacher").post("/api/courses/", {"title": "Second"}).json()["id"]
    SubscriptionFactory(user=subscriber, course_id=created, course=None)
    client_for("teacher").patch(f"/api/courses/{created}/", {"title": "Second, better"})

    written = send_course_update_notification(created)

    assert written == 1
    assert len(letters(subscriber)) == 2


def test_no_window_without_subscribers(change, course):
    change("Unheard")
    nobody = send(course)
    user = UserFactory()
    SubscriptionFactory(user=user, course=course)
    change("Heard")

    written = send(course)

    (letter,) = letters(user)
    assert (nobody, written) == (0, 1)
    assert "Heard" in letter.message
    assert "Unheard" not in letter.message


def test_whoever_unsubscribed_gets_none(subscriber, change, client_for, sign_in_as, course):
    change()
    sign_in_as(subscriber).delete(f"/api/courses/{course.pk}/subscription/")

    written = send(course)

    assert written == 0
    assert letters() == []


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_not_published_announces_nothing(subscriber, change, course, status):
    Course.objects.filter(pk=course.pk).update(status=status)
    change()

    written = send(course), announce_pending_updates()

    assert written == (0, 0)
    assert not CourseUpdate.objects.exists()


def test_a_new_course_announces_nothing(client_for, teacher):
    client_for("teacher").post("/api/courses/", {"title": "New"})

    assert not CourseUpdate.objects.exists()


LESSON = "/api/lessons/{lesson}/"
COURSE = "/api/courses/{course}/"


@pytest.mark.parametrize(
    ("method", "url", "body", "kinds"),
    [
        ("patch", COURSE, {"title": "Python for all"}, ["course_changed"]),
        ("patch", COURSE, {"description": "More"}, ["course_changed"]),
        ("patch", COURSE, {"title": "Python basics"}, []),
        ("patch", COURSE, {"title": "Python basics", "price": "1000.00", "currency": "rub", "status": "published"}, []),
        ("patch", COURSE, {}, []),
        ("patch", COURSE, {"nonsense": 1, "rating_count": 7}, []),
        ("patch", COURSE, {"title": ""}, []),
        ("post", "/api/courses/{course}/lessons/", {"title": "New"}, ["lesson_added"]),
        ("post", "/api/lessons/", {"title": "New", "course": "{course}"}, ["lesson_added"]),
        ("post", "/api/lessons/", {"course": "{course}"}, []),
        ("patch", LESSON, {"title": "Loops, again"}, ["lesson_changed"]),
        ("patch", LESSON, {"body": "New text"}, ["lesson_changed"]),
        ("patch", LESSON, {"title": "Loops", "order": 3}, []),
        ("patch", LESSON, {"video_url": "http://www.youtube.com/watch?v=dQw4w9WgXcQ"}, []),
        ("patch", LESSON, {}, []),
        ("patch", LESSON, {"video_url": "https://vimeo.com/1"}, []),
        ("delete", LESSON, {}, ["lesson_removed"]),
        ("post", LESSON + "attachments/", {"title": "Slides", "url": "https://example.com/"}, ["lesson_changed"]),
        ("post", "/api/courses/{course}/subscription/", {}, []),
    ],
)
def test_what_is_a_change(client_for, course, method, url, body, kinds):
    lesson = course.lessons.get(title="Loops")
    sent = {name: str(course.pk) if value == "{course}" else value for name, value in body.items()}

    getattr(client_for("teacher"), method)(url.format(course=course.pk, lesson=lesson.pk), sent)

    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == kinds


def test_removing_an_attachment_is_a_change(client_for, course):
    attachment = AttachmentFactory(lesson=course.lessons.get(title="Loops"))

    client_for("teacher").delete(f"/api/lessons/{attachment.lesson_id}/attachments/{attachment.pk}/")

    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == ["lesson_changed"]


def test_a_change_by_a_moderator_is_announced_too(subscriber, client_for, course):
    client_for("moderator").patch(f"/api/courses/{course.pk}/", {"title": "Python for all"})

    written = send(course)

    assert written == 1


@pytest.mark.parametrize(("language", "words"), [("ru", "Добавлен урок"), ("en", "Lesson added")])
def test_the_language_is_the_recipients(subscriber, change, course, language, words):
    User.objects.filter(pk=subscriber.pk).update(language=language)
    change("Closures")

    send(course)

    (letter,) = letters(subscriber)
    assert f"{words}: Closures" in letter.message


def test_inactive_subscribers_get_none(subscribers, change, course):
    User.objects.filter(pk__in=[user.pk for user in subscribers[:2]]).update(is_active=False)
    change()

    written = send(course)

    assert written == 3
    assert {letter.recipient for letter in letters()} == set(subscribers[2:])


def test_only_inactive_subscribers_begin_no_window(subscriber, change, course):
    User.objects.filter(pk=subscriber.pk).update(is_active=False)
    change()

    written = send(course)

    assert written == 0
    assert Course.objects.get(pk=course.pk).announced_at is None


def test_a_course_that_is_gone(db):
    written = send_course_update_notification(str(new_id()))

    assert written == 0


def test_a_course_that_went_with_its_changes(subscriber, change, client_for, course):
    change()
    client_for("teacher").delete(f"/api/courses/{course.pk}/")

    written = send(course), announce_pending_updates()

    assert written == (0, 0)


# --- Many courses ----------------------------------------------------------------------------------------------------


def changed_courses(*subscribers):
    """A published course with a change for each number of subscribers."""
    courses = CourseFactory.create_batch(len(subscribers), status="published")
    for course, number in zip(courses, subscribers, strict=True):
        SubscriptionFactory.create_batch(number, course=course)
        CourseUpdate.objects.create(course=course, kind="lesson_changed", summary="News")
    return courses


def test_subscribers_of_several_courses_in_batches(monkeypatch, db):
    """However the batches cut the courses."""
    monkeypatch.setattr(services, "SUBSCRIBERS_PER_BATCH", 2)
    courses = changed_courses(1, 0, 2, 5, 4, 1, 3)

    written = announce_pending_updates()

    assert written == 16
    assert Counter((letter.recipient_id, letter.url[-36:]) for letter in letters()) == Counter(
        (each.user_id, str(each.course_id)) for each in Subscription.objects.filter(course__in=courses)
    )


def test_courses_are_announced_together(db):
    numbers = []
    for courses in (1, 20):
        changed_courses(*[1] * courses)
        with CaptureQueriesContext(connection) as queries:
            announce_pending_updates()
        numbers.append(len(queries))

    assert numbers[0] == numbers[1]


def test_a_digest_tells_what_is_its_own(clock, db):
    """Though another's, of the same moment as an old one of the course, is finished together with it."""
    course, other = changed_courses(1, 1)
    CourseUpdate.objects.filter(course=other).update(claimed_at=timezone.now())  # its writer died
    CourseUpdate.objects.create(
        course=course, kind="lesson_added", summary="Old", claimed_at=timezone.now(), announced_at=timezone.now()
    )
    clock.shift(WINDOW)

    announce_pending_updates()

    assert len(letters()) == 2
    assert not any("Old" in letter.message for letter in letters())


def test_a_writer_that_has_many_to_write_to_keeps_its_courses(clock, monkeypatch, db):
    changed_courses(2, 2, 2)
    real, by_others = services.notify, []

    def slowly(notifications):
        clock.shift(services.DIGEST_LEASE * 0.9)
        by_others.append(announce_pending_updates() if len(by_others) % 2 else 0)
        real(notifications)

    monkeypatch.setattr(services, "SUBSCRIBERS_PER_BATCH", 2)
    monkeypatch.setattr(services, "notify", slowly)

    assert announce_pending_updates() == 6
    assert set(by_others) == {0}


@on_postgresql
def test_courses_are_locked_in_one_order(db):
    """Before they are written to together: by whoever announces, and whoever leaves."""
    courses = changed_courses(1, 1)
    with CaptureQueriesContext(connection) as queries:
        announce_pending_updates()
        services.anonymise_author(courses[0].owner)

    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    writes = [n for n, sql in enumerate(statements) if sql.startswith('UPDATE "materials_course" ')]
    ends, leaves = writes[-2:]
    for before in statements[ends - 1], statements[leaves - 1]:
        assert before.endswith("ASC FOR NO KEY UPDATE")


# --- A writer that dies ----------------------------------------------------------------------------------------------


class WorkerDied(BaseException):
    """No Exception: nothing in between may catch it."""


def die_at(monkeypatch, batch, *, before):
    """The writer dies at that batch: before its letters are written, or after. Returns the real thing for later."""
    real = services.notify
    batches = []

    def notify(notifications):
        batches.append(notifications)
        if len(batches) == batch and before:
            raise WorkerDied
        real(notifications)
        if len(batches) == batch:
            raise WorkerDied

    monkeypatch.setattr(services, "SUBSCRIBERS_PER_BATCH", 2)
    monkeypatch.setattr(services, "notify", notify)
    return real


@pytest.mark.parametrize(("batch", "before"), [(batch, before) for batch in (1, 2, 3) for before in (True, False)])
def test_a_digest_is_finished_by_another(subscribers, change, clock, course, monkeypatch, batch, before):
    change("One")
    real = die_at(monkeypatch, batch, before=before)
    with pytest.raises(WorkerDied):
        send(course)
    left_behind = len(letters())
    monkeypatch.setattr(services, "notify", real)
    clock.shift(services.DIGEST_LEASE)

    announce_pending_updates()

    assert left_behind < len(subscribers) or (batch, before) == (3, False)
    assert sorted(letter.recipient_id for letter in letters()) == sorted(user.pk for user in subscribers)
    assert len({letter.message for letter in letters()}) <= 2  # one for each language
    assert not CourseUpdate.objects.filter(announced_at=None).exists()


def test_nobody_takes_a_digest_over_within_the_lease(subscribers, change, clock, course, monkeypatch):
    change()
    real = die_at(monkeypatch, 2, before=True)
    with pytest.raises(WorkerDied):
        send(course)
    monkeypatch.setattr(services, "notify", real)
    clock.shift(services.DIGEST_LEASE - timedelta(seconds=1))

    written = send(course), announce_pending_updates()

    assert written == (0, 0)
    assert len(letters()) == 2


def test_what_came_after_the_death_waits_for_the_next_digest(subscribers, change, clock, course, monkeypatch):
    change("One")
    real = die_at(monkeypatch, 2, before=True)
    with pytest.raises(WorkerDied):
        send(course)
    monkeypatch.setattr(services, "notify", real)
    change("Two")
    clock.shift(services.DIGEST_LEASE)
    announce_pending_updates()
    finished = letters()
    clock.shift(WINDOW)

    announce_pending_updates()

    digest = letters()[len(finished) :]
    assert (len(finished), len(digest)) == (5, 5)
    assert not any("Two" in letter.message for letter in finished)
    assert not any("One" in letter.message for letter in digest)


def test_a_writer_that_dies_before_it_wrote_anything(subscribers, change, clock, course, monkeypatch):
    change()
    services._claim_digests([course.pk], timezone.now())
    clock.shift(services.DIGEST_LEASE)

    written = announce_pending_updates()

    assert written == 5
    assert len(letters()) == 5


def test_one_course_that_fails_does_not_silence_the_others(subscriber, change, client_for, course, monkeypatch):
    change()
    created = client_for("teacher").post("/api/courses/", {"title": "Second"}).json()["id"]
    SubscriptionFactory(user=subscriber, course_id=created, course=None)
    client_for("teacher").patch(f"/api/courses/{created}/", {"title": "Second, better"})
    real = services._update_notification

    def fail_for_the_first(user, of_course, *args):
        if of_course.pk == course.pk:
            raise RuntimeError
        return real(user, of_course, *args)

    monkeypatch.setattr(services, "_update_notification", fail_for_the_first)

    announce_pending_updates()

    assert [letter.subject for letter in letters()] == ["“Second, better” has been updated"]
