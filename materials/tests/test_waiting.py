"""Two requests in hand, on PostgreSQL: the second waits for the first, then judges what that has left."""

from decimal import Decimal

import pytest
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import after_waiting
from materials import services
from materials.models import Attachment, Category, Course, Enrollment, Lesson, Review
from materials.tests.factories import AttachmentFactory, CategoryFactory, CourseFactory, EnrollmentFactory

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def free(teacher):
    return CourseFactory(owner=teacher)


def change(course, **values):
    """What another request is about to commit."""
    return lambda: Course.objects.filter(pk=course.pk).update(**values)


def change_lesson(lesson, **values):
    def act():
        services.lock_course(lesson.course)
        Lesson.objects.filter(pk=lesson.pk).update(**values)

    return act


def code(response):
    problem = response.json()
    return response.status_code, problem["errors"][0]["code"] if problem["errors"] else problem["code"]


def test_a_price_beside_another_currency(client_for, course):
    client, url = client_for("teacher"), f"/api/courses/{course.pk}/"

    response = after_waiting(change(course, currency="JPY"), lambda: client.patch(url, {"price": "10.50"}))

    assert code(response) == (400, "not_in_currency")
    assert Course.objects.get().price == Decimal(1000)


def test_a_currency_beside_the_price_of_a_lesson(client_for, course):
    client, url = client_for("teacher"), f"/api/courses/{course.pk}/"
    step = change_lesson(course.lessons.get(order=2), price="100.50")

    response = after_waiting(step, lambda: client.patch(url, {"currency": "JPY"}))

    assert code(response) == (400, "not_in_currency")


def test_a_title_beside_publication(client_for, course):
    Course.objects.update(status="draft", published_at=None)
    client, url, now = client_for("teacher"), f"/api/courses/{course.pk}/", timezone.now()

    response = after_waiting(
        change(course, status="published", published_at=now), lambda: client.patch(url, {"title": "New"})
    )

    assert (response.status_code, response.json()["status"]) == (200, "published")
    assert Course.objects.values_list("title", "published_at").get() == ("New", now)


def test_taking_back_beside_a_payment(client_for, course, student):
    client, url = client_for("teacher"), f"/api/courses/{course.pk}/"

    response = after_waiting(
        lambda: services.grant_access(user=student, course=course, source=Enrollment.Source.PAYMENT),
        lambda: client.patch(url, {"status": "draft"}),
    )

    assert code(response) == (409, "has_students")
    assert Course.objects.get().status == "published"


def test_a_lessons_price_beside_another_currency(client_for, course):
    client, url = client_for("teacher"), f"/api/lessons/{course.lessons.get(order=2).pk}/"

    response = after_waiting(change(course, currency="JPY"), lambda: client.patch(url, {"price": "100.50"}))

    assert code(response) == (400, "not_in_currency")


@pytest.mark.parametrize("method", ["patch", "post"])
def test_a_place_that_is_being_taken(client_for, course, method):
    client, lesson = client_for("teacher"), course.lessons.get(order=2)
    url = f"/api/lessons/{lesson.pk}/" if method == "patch" else f"/api/courses/{course.pk}/lessons/"
    step = change_lesson(course.lessons.get(order=3), order=9)

    response = after_waiting(step, lambda: getattr(client, method)(url, {"title": "New", "order": 9}))

    assert code(response) == (400, "unique")


def test_two_changes_of_one_lesson(client_for, course):
    client, lesson = client_for("teacher"), course.lessons.get(order=2)

    after_waiting(
        change_lesson(lesson, body="Theirs"), lambda: client.patch(f"/api/lessons/{lesson.pk}/", {"title": "Mine"})
    )

    lesson.refresh_from_db()
    assert (lesson.title, lesson.body) == ("Mine", "Theirs")


def gone(model, pk, course):
    def act():
        services.lock_course(course)
        model.objects.filter(pk=pk).delete()

    return act


@pytest.mark.parametrize("method", ["patch", "delete"])
@pytest.mark.parametrize("model", [Course, Lesson, Attachment, Review, Category])
def test_what_is_being_deleted(client_for, course, enrolled, method, model):
    if (model, method) == (Attachment, "patch"):
        return
    lesson = course.lessons.get(order=2)
    category, attachment = CategoryFactory(), AttachmentFactory(lesson=lesson)
    review = Review.objects.create(course=course, author=enrolled, rating=5)
    row, path = {
        Course: (course, "courses/{course}/"),
        Lesson: (lesson, "lessons/{lesson}/"),
        Attachment: (attachment, "lessons/{lesson}/attachments/{row}/"),
        Review: (review, "courses/{course}/reviews/{row}/"),
        Category: (category, "categories/{row}/"),
    }[model]
    client = client_for("admin")
    url = "/api/" + path.format(course=course.pk, lesson=lesson.pk, row=row.pk)

    response = after_waiting(
        gone(model, row.pk, course), lambda: getattr(client, method)(url, {"title": "New", "rating": 1})
    )

    assert response.status_code == 404
    assert not model.objects.filter(pk=row.pk).exists()


def test_an_attachment_to_a_lesson_that_is_being_deleted(client_for, course):
    lesson = course.lessons.get(order=2)
    client, sent = client_for("teacher"), {"title": "Slides", "url": "https://example.com/slides.pdf"}

    response = after_waiting(
        gone(Lesson, lesson.pk, course), lambda: client.post(f"/api/lessons/{lesson.pk}/attachments/", sent)
    )

    assert response.status_code == 404


def test_entering_a_course_that_gets_a_price(client_for, student, free):
    client = client_for("student")

    response = after_waiting(change(free, price="500.00"), lambda: client.post(f"/api/courses/{free.pk}/enrollment/"))

    assert code(response) == (402, "payment_required")
    assert not Enrollment.objects.exists()
    assert Course.objects.get(pk=free.pk).enrollment_count == 0


def test_entering_a_course_that_is_taken_back(client_for, student, free):
    client = client_for("student")

    response = after_waiting(change(free, status="draft"), lambda: client.post(f"/api/courses/{free.pk}/enrollment/"))

    assert response.status_code in {404, 409}
    assert Course.objects.get(pk=free.pk).status == "draft"


def test_the_enrollment_page_of_the_admin_beside_a_completion(client, admin, course):
    enrollment = EnrollmentFactory(course=course)
    client.force_login(admin)
    url = f"/admin/materials/enrollment/{enrollment.pk}/change/"

    def complete():
        Enrollment.objects.filter(pk=enrollment.pk).update(status="completed", completed_at=timezone.now())

    sent = {"status": "active", "expires_at_0": "", "expires_at_1": "", "removed_at_0": "", "removed_at_1": ""}
    after_waiting(complete, lambda: client.post(url, sent))

    enrollment.refresh_from_db()
    assert enrollment.status == "completed"
