"""A change while somebody else's request is under way: neither of the two may undo the other.

Each test steps in before the view locks. What happens while it waits for the lock is tested on PostgreSQL, in
`test_waiting.py`.
"""

from decimal import Decimal

import pytest

from materials import access, services, views
from materials.models import Course, CourseUpdate, Lesson, Review
from materials.tests.factories import LessonFactory, ReviewFactory


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(call)`: what happens after the next request has come, before it has locked anything."""

    def meanwhile(call):
        for view in (views.CourseViewSet, views.LessonPages, views.ReviewViewSet):

            def step_in(view, locked=view.locked):
                call()
                return locked(view)

            monkeypatch.setattr(view, "locked", step_in)

    return meanwhile


def test_counts_and_ratings_survive_a_change_of_the_course(client_for, course, meanwhile):
    now = {"enrollment_count": 7, "rating_average": Decimal("4.50"), "rating_count": 2}
    meanwhile(lambda: Course.objects.filter(pk=course.pk).update(**now))

    response = client_for("teacher").patch(f"/api/courses/{course.pk}/", {"title": "New"})

    assert response.json()["title"] == "New"
    assert Course.objects.values(*now).get() == now


def test_the_window_of_letters_survives_a_change_of_the_course(client_for, course, meanwhile):
    now = services.timezone.now()
    meanwhile(lambda: Course.objects.filter(pk=course.pk).update(announced_at=now))

    client_for("teacher").patch(f"/api/courses/{course.pk}/", {"title": "New"})

    assert Course.objects.get().announced_at == now


def test_two_changes_of_one_lesson(client_for, course, meanwhile):
    lesson = course.lessons.get(order=2)
    meanwhile(lambda: Lesson.objects.filter(pk=lesson.pk).update(body="Theirs"))

    client_for("teacher").patch(f"/api/lessons/{lesson.pk}/", {"title": "Mine"})

    lesson.refresh_from_db()
    assert (lesson.title, lesson.body) == ("Mine", "Theirs")


def test_the_search_follows_the_title_as_it_is_now(client_for, api, course, meanwhile):
    meanwhile(lambda: Course.objects.filter(pk=course.pk).update(title="Astronomy"))

    client_for("teacher").patch(f"/api/lessons/{course.lessons.get(order=2).pk}/", {"title": "New"})

    assert api.get("/api/courses/", {"search": "astronomy"}).json()["count"] == 1


def test_a_draft_stays_silent_though_it_was_published_a_moment_ago(client_for, course, meanwhile):
    meanwhile(lambda: Course.objects.filter(pk=course.pk).update(status="draft"))

    client_for("teacher").patch(f"/api/lessons/{course.lessons.get(order=2).pk}/", {"title": "New"})

    assert not CourseUpdate.objects.exists()


def test_a_deleted_course_does_not_come_back(client_for, course, meanwhile):
    meanwhile(lambda: Course.objects.filter(pk=course.pk).delete())

    response = client_for("teacher").patch(f"/api/courses/{course.pk}/", {"title": "New"})

    assert response.status_code == 404
    assert not Course.objects.exists()


def test_a_deleted_lesson_does_not_come_back(client_for, course, meanwhile):
    lesson = LessonFactory(course=course, order=9)
    meanwhile(lambda: Lesson.objects.filter(pk=lesson.pk).delete())

    response = client_for("teacher").patch(f"/api/lessons/{lesson.pk}/", {"title": "New"})

    assert response.status_code == 404
    assert not Lesson.objects.filter(pk=lesson.pk).exists()


def test_a_deleted_review_does_not_come_back(client_for, enrolled, course, meanwhile):
    review = ReviewFactory(course=course, author=enrolled)
    meanwhile(lambda: Review.objects.filter(pk=review.pk).delete())

    response = client_for("enrolled").patch(f"/api/courses/{course.pk}/reviews/{review.pk}/", {"rating": 1})

    assert response.status_code == 404
    assert not Review.objects.exists()


def test_a_lesson_deleted_while_it_is_read_is_closed(course):
    """The gate asks again for what it judges; what is gone by then is not there to be opened."""
    lesson = course.lessons.get(order=2)
    Lesson.objects.filter(pk=lesson.pk).delete()

    access.set_lesson_locks(course.owner, [lesson])

    assert lesson.lock_reason == "not_enrolled"


@pytest.mark.parametrize("path", ["/api/courses/{course}/", "/api/lessons/{lesson}/"])
def test_a_change_of_nothing_leaves_the_times_alone(client_for, course, path):
    lesson = course.lessons.get(order=2)
    url = path.format(course=course.pk, lesson=lesson.pk)
    before = client_for("teacher").get(url).json()

    response = client_for("teacher").patch(url, {"title": before["title"]})

    assert response.json()["updated_at"] == before["updated_at"]
    assert Course.objects.get().updated_at == course.updated_at


def test_what_fails_halfway_leaves_nothing_behind(client_for, course, monkeypatch):
    """The lesson and its line in the outbox stand and fall together."""
    client = client_for("teacher")
    client.raise_request_exception = False
    monkeypatch.setattr(services, "enqueue", None)

    response = client.post(f"/api/courses/{course.pk}/lessons/", {"title": "New"})

    assert response.status_code == 500
    assert course.lessons.count() == 3
    assert not CourseUpdate.objects.exists()
