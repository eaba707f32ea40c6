"""The admin pages of courses and what hangs on them."""

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.urls import reverse
from django.utils import timezone

from materials.models import CompletionCheck, Course, CourseUpdate, Enrollment, Lesson
from materials.tests.factories import (
    AttachmentFactory,
    CategoryFactory,
    CourseFactory,
    LessonAccessFactory,
    LessonCompletionFactory,
    ReviewFactory,
    SubscriptionFactory,
)
from payments.tests.factories import PaymentFactory

REGISTERED = [model for model in apps.get_app_config("materials").get_models() if site.site.is_registered(model)]


@pytest.fixture
def office(client, admin):
    """Django's own client, signed in as an admin."""
    client.force_login(admin)
    return client


@pytest.fixture
def rows(course, enrolled):
    """One row of everything that has a page."""
    enrollment = Enrollment.objects.get()
    lesson = course.lessons.get(order=2)
    AttachmentFactory(lesson=lesson)
    CourseUpdate.objects.create(course=course, kind="course_changed", summary="Python basics")
    made = [
        CategoryFactory(),
        course,
        lesson,
        enrollment,
        ReviewFactory(course=course),
        SubscriptionFactory(course=course),
        CourseUpdate.objects.get(),
        CompletionCheck.objects.create(course=course),
        LessonAccessFactory(lesson=lesson),
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now()),
    ]
    return {type(row): row for row in made}


def page(model, name, *args):
    return reverse(f"admin:materials_{model._meta.model_name}_{name}", args=args)


def form_of(response):
    """What a browser would send back, nothing changed."""
    context = response.context
    sent = {}
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            widget = bound.field.widget
            if hasattr(widget, "decompress"):
                parts = value if isinstance(value, list) else widget.decompress(value)
                sent |= {f"{bound.html_name}_{n}": part or "" for n, part in enumerate(parts)}
            elif value is True:
                sent[bound.html_name] = "on"
            elif value is not None and value is not False:
                sent[bound.html_name] = str(value)
            if bound.field.show_hidden_initial:
                sent[bound.html_initial_name] = str(value)
    return sent


def act(office, model, name, *rows):
    return office.post(page(model, "changelist"), {"action": name, "_selected_action": [row.pk for row in rows]})


# --- Pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_every_list_opens(office, rows, model):
    assert office.get(page(model, "changelist")).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_every_row_opens(office, rows, model):
    assert office.get(page(model, "change", rows[model].pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_every_search_answers(office, rows, model):
    assert office.get(page(model, "changelist"), {"q": "python"}).status_code == 200


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
def test_nobody_else_gets_in(client, request, course, who):
    client.force_login(request.getfixturevalue(who))

    assert client.get(page(Course, "changelist")).status_code == 302


# --- Courses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [({"title": "New"}, ["course_changed"]), ({"lessons-0-title": "New"}, ["course_changed"]), ({}, [])],
    ids=["course", "lesson", "nothing"],
)
def test_a_course_saved(office, course, changes, kinds):
    url = page(Course, "change", course.pk)

    answer = office.post(url, {**form_of(office.get(url)), **changes})

    assert answer.status_code == 302, answer.context["errors"]
    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == kinds
    course.refresh_from_db()
    assert course.lesson_count == 3


def test_a_course_that_is_saved_as_published(office, course):
    Course.objects.update(status="draft")
    url = page(Course, "change", course.pk)

    office.post(url, {**form_of(office.get(url)), "status": "published"})

    course.refresh_from_db()
    assert course.published_at is not None


@pytest.mark.parametrize(
    ("action", "before", "after"), [("publish", "draft", "published"), ("archive", "published", "archived")]
)
def test_actions(office, teacher, action, before, after):
    one, two, untouched = CourseFactory.create_batch(3, owner=teacher, status=before)

    act(office, Course, action, one, two)

    assert set(Course.objects.filter(status=after)) == {one, two}
    assert Course.objects.filter(status=before).get() == untouched


def test_what_is_published_by_the_action_remembers_when(office, teacher):
    course = CourseFactory(owner=teacher, status="draft")

    act(office, Course, "publish", course)

    course.refresh_from_db()
    assert course.published_at is not None


def test_a_course_that_someone_paid_for_is_not_deleted(office, course):
    PaymentFactory(paid_course=course)

    answer = office.post(page(Course, "delete", course.pk), {"post": "yes"})

    assert answer.status_code < 500
    assert Course.objects.filter(pk=course.pk).exists()


# --- The rules of the API --------------------------------------------------------------------------------------------


def lesson_form(office, course, order=2):
    url = page(Lesson, "change", course.lessons.get(order=order).pk)
    return url, form_of(office.get(url))


def refused(answer, text):
    """Said on the form, or above it."""
    assert answer.status_code == 200
    assert text in answer.content.decode()


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"price": "0.01"}, "The least price over zero"),
        ({"price": "500.50", "currency": "JPY"}, "no such small units"),
        ({"price": "99999999.99"}, "The highest price"),
        ({"currency": "XXX"}, "not accepted here"),
        ({"currency": "xxx"}, "not accepted here"),
        ({"title": "See https://vimeo.com/1"}, "vimeo.com"),
        ({"description": "[here](https://rutube.ru/video/1)"}, "rutube.ru"),
        ({"lessons-1-title": "www.example.com"}, "example.com"),
        ({"lessons-1-video_url": "https://vimeo.com/1"}, "Only a video or playlist on YouTube"),
        ({"lessons-1-price": "0.01"}, "The least price over zero"),
        ({"lessons-1-order": "3"}, "has this place"),
        ({"lessons-1-order": "0"}, "greater than or equal to 1"),
    ],
    ids=str,
)
def test_a_course_keeps_the_rules_of_the_api(office, course, sent, text):
    url = page(Course, "change", course.pk)
    before = list(Course.objects.values()), list(Lesson.objects.values())

    answer = office.post(url, {**form_of(office.get(url)), **sent}, headers={"Accept-Language": "en"})

    refused(answer, text)
    assert (list(Course.objects.values()), list(Lesson.objects.values())) == before


def test_a_new_currency_has_to_fit_the_lessons(office, course):
    course.lessons.filter(order=2).update(price="100.50")
    url = page(Course, "change", course.pk)

    refused(
        office.post(url, {**form_of(office.get(url)), "currency": "JPY"}, headers={"Accept-Language": "en"}),
        "small units",
    )


@pytest.mark.parametrize("way", ["form", "api"])
def test_a_course_with_buyers_is_no_draft(office, client_for, course, enrolled, way):
    url = page(Course, "change", course.pk)
    if way == "form":
        sent = {**form_of(office.get(url)), "status": "draft"}
        refused(office.post(url, sent, headers={"Accept-Language": "en"}), "Somebody has paid for this course")
    else:
        assert client_for("admin").patch(f"/api/courses/{course.pk}/", {"status": "draft"}).status_code == 409

    course.refresh_from_db()
    assert course.status == "published"


@pytest.mark.parametrize("sent", [{"price": "500.00"}, {"certificate_enabled": "on"}], ids=str)
def test_what_a_student_makes_is_free_and_gives_no_certificate(office, student, sent):
    course = CourseFactory(owner=student, certificate_enabled=False)
    url = page(Course, "change", course.pk)

    answer = office.post(url, {**form_of(office.get(url)), **sent}, headers={"Accept-Language": "en"})

    refused(answer, "Students")


def test_a_course_with_a_price_does_not_become_a_students(office, course, student):
    url = page(Course, "change", course.pk)

    answer = office.post(url, {**form_of(office.get(url)), "owner": student.pk}, headers={"Accept-Language": "en"})

    refused(answer, "Students publish free materials only")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"body": "https://vimeo.com/1"}, "vimeo.com"),
        ({"video_url": "https://vimeo.com/1"}, "Only a video or playlist on YouTube"),
        ({"price": "0.01"}, "The least price over zero"),
        ({"order": "3"}, "has this place"),
        ({"order": "1000001"}, "less than or equal to 1000000"),
    ],
    ids=str,
)
def test_a_lesson_keeps_the_rules_of_the_api(office, course, sent, text):
    url, form = lesson_form(office, course)
    before = list(Lesson.objects.values())

    refused(office.post(url, {**form, **sent}, headers={"Accept-Language": "en"}), text)

    assert list(Lesson.objects.values()) == before


def test_a_video_is_stored_in_its_one_form(office, course):
    url, form = lesson_form(office, course)

    office.post(url, {**form, "video_url": "http://youtu.be/dQw4w9WgXcQ"})

    assert course.lessons.get(order=2).video_url == "https://youtu.be/dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("url_sent", "text"), [("", "either a file or a link"), ("http://example.com/a.pdf", "begins with https")]
)
def test_an_attachment_keeps_the_rules_of_the_api(office, course, url_sent, text):
    url, form = lesson_form(office, course)
    added = {"attachments-TOTAL_FORMS": "1", "attachments-0-title": "Slides", "attachments-0-url": url_sent}

    refused(office.post(url, {**form, **added}, headers={"Accept-Language": "en"}), text)

    assert not course.lessons.get(order=2).attachments.exists()


def test_an_enrollment_is_not_completed_by_hand(office, course, enrolled):
    url = page(Enrollment, "change", Enrollment.objects.get().pk)

    refused(
        office.post(url, {**form_of(office.get(url)), "status": "completed"}, headers={"Accept-Language": "en"}),
        "not been completed",
    )

    assert Enrollment.objects.get().completed_at is None


@pytest.mark.parametrize("way", ["page", "list"])
def test_a_course_with_lessons_and_students_is_deleted(office, course, rows, way):
    """As over the API: what hangs on it goes along, whether or not it can be deleted by itself."""
    if way == "page":
        answer = office.post(page(Course, "delete", course.pk), {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [course.pk], "post": "yes"}
        answer = office.post(page(Course, "changelist"), chosen)

    assert answer.status_code == 302
    assert not Course.objects.exists()


def test_the_actions_tell_subscribers(office, course):
    Course.objects.update(status="draft")

    act(office, Course, "publish", course)

    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == ["course_changed"]


# --- Lessons ---------------------------------------------------------------------------------------------------------


def test_a_lesson_saved(office, course):
    url = page(Lesson, "change", course.lessons.get(order=2).pk)

    answer = office.post(url, {**form_of(office.get(url)), "title": "New"})

    assert answer.status_code == 302, answer.context["errors"]
    assert list(CourseUpdate.objects.values_list("kind", "summary")) == [("lesson_changed", "New")]


def test_a_lesson_deleted(office, course):
    office.post(page(Lesson, "delete", course.lessons.get(order=2).pk), {"post": "yes"})

    course.refresh_from_db()
    assert (course.lessons.count(), course.lesson_count) == (2, 2)
    assert list(CourseUpdate.objects.values_list("kind", flat=True)) == ["lesson_removed"]


def test_a_lesson_that_someone_paid_for_is_not_deleted(office, course):
    lesson = course.lessons.get(order=2)
    PaymentFactory(paid_course=None, paid_lesson=lesson)

    answer = office.post(page(Lesson, "delete", lesson.pk), {"post": "yes"})

    assert answer.status_code < 500
    assert (course.lessons.count(), CourseUpdate.objects.count()) == (3, 0)


def test_several_lessons_one_of_them_paid_for(office, course):
    lesson = course.lessons.get(order=2)
    PaymentFactory(paid_course=None, paid_lesson=lesson)
    sent = {"action": "delete_selected", "_selected_action": [row.pk for row in course.lessons.all()], "post": "yes"}

    answer = office.post(page(Lesson, "changelist"), sent)

    assert answer.status_code < 500
    assert lesson in course.lessons.all()


# --- Enrollments -----------------------------------------------------------------------------------------------------


def test_adding_an_enrollment_lets_the_person_in(office, client_for, course, student):
    Course.objects.update(access_days=30)

    answer = office.post(page(Enrollment, "add"), {"user": student.pk, "course": course.pk})

    assert answer.status_code == 302, answer.context["errors"]
    enrollment = Enrollment.objects.get()
    assert (enrollment.user, enrollment.source, enrollment.status) == (student, "grant", "active")
    assert enrollment.expires_at is not None
    course.refresh_from_db()
    assert course.enrollment_count == 1
    assert client_for("student").get(f"/api/lessons/{course.lessons.get(order=2).pk}/").status_code == 200


def test_an_enrollment_is_not_deleted(office, course, enrolled):
    answer = office.post(page(Enrollment, "delete", Enrollment.objects.get().pk), {"post": "yes"})

    assert answer.status_code == 403
    assert Enrollment.objects.exists()


def test_an_enrollment_is_revoked(office, client_for, course, enrolled):
    url = page(Enrollment, "change", Enrollment.objects.get().pk)

    answer = office.post(url, {**form_of(office.get(url)), "status": "revoked"})

    assert answer.status_code == 302, answer.context["errors"]
    assert client_for("enrolled").get(f"/api/lessons/{course.lessons.get(order=2).pk}/").status_code == 403


# --- Reviews ---------------------------------------------------------------------------------------------------------


def test_a_review_deleted_is_counted_no_more(office, course):
    review = ReviewFactory(course=course, rating=1)
    ReviewFactory(course=course, rating=5)

    office.post(page(type(review), "delete", review.pk), {"post": "yes"})

    course.refresh_from_db()
    assert (course.rating_average, course.rating_count) == (5, 1)
