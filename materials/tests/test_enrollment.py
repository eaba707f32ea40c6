"""Enrolling in free courses and leaving any."""

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from materials import services
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonFactory


@pytest.fixture
def free(teacher):
    course = CourseFactory(owner=teacher, title="Free")
    LessonFactory(course=course, order=1)
    return course


@pytest.fixture
def draft(teacher):
    return CourseFactory(owner=teacher, status="draft")


def url(course):
    return f"/api/courses/{course.pk}/enrollment/"


def count(course):
    return Course.objects.get(pk=course.pk).enrollment_count


def opens(client, course):
    """What the course's last lesson answers."""
    return client.get(f"/api/lessons/{course.lessons.last().pk}/").status_code


def test_enrolling(client_for, student, free):
    client = client_for("student")

    response = client.post(url(free))

    assert response.status_code == 201
    assert response.json()["course"] == str(free.pk)
    assert (response.json()["source"], response.json()["status"]) == ("free", "active")
    assert response.json()["expires_at"] is None
    assert count(free) == 1
    assert opens(client, free) == 200


def test_enrolling_again(client_for, student, free):
    client = client_for("student")
    first = client.post(url(free))

    response = client.post(url(free))

    assert response.status_code == 200
    assert response.json() == first.json()
    assert count(free) == Enrollment.objects.count() == 1


def test_a_priced_course(client_for, student, course):
    response = client_for("student").post(url(course))

    assert response.status_code == 402
    assert response.json()["code"] == "payment_required"
    assert (response.json()["price"], response.json()["currency"]) == ("1000.00", "RUB")
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize("price", ["0.00", "100.00"])
def test_ones_own_course(client_for, free, price):
    Course.objects.filter(pk=free.pk).update(price=price)

    response = client_for("teacher").post(url(free))

    assert response.status_code == 409
    assert response.json()["code"] == "own_course"
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("student", 201), ("other", 201), ("moderator", 201), ("admin", 201)]
)
def test_who_may_enroll(client_for, free, who, status):
    response = client_for(who).post(url(free))

    assert response.status_code == status
    assert Enrollment.objects.count() == (status == 201)


@pytest.mark.parametrize("method", ["post", "delete"])
@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("student", 404), ("other", 404)])
def test_a_hidden_draft(client_for, draft, method, who, status):
    response = getattr(client_for(who), method)(url(draft))

    assert response.status_code == status
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_not_published_takes_nobody(client_for, free, status):
    Course.objects.filter(pk=free.pk).update(status=status)

    response = client_for("admin").post(url(free))

    assert response.status_code == 409
    assert response.json()["code"] == "not_published"


def test_leaving_a_free_course_closes_it(client_for, student, free):
    client = client_for("student")
    client.post(url(free))

    response = client.delete(url(free))

    assert response.status_code == 204
    assert Enrollment.objects.get().status == "revoked"
    assert count(free) == 0
    assert opens(client, free) == 403
    assert client.get(f"/api/courses/{free.pk}/").json()["is_enrolled"] is False


def test_leaving_a_paid_course_keeps_it_open(client_for, enrolled, course):
    Course.objects.filter(pk=course.pk).update(enrollment_count=1)
    client = client_for("enrolled")

    response = client.delete(url(course))

    enrollment = Enrollment.objects.get()
    assert response.status_code == 204
    assert (enrollment.status, enrollment.removed_at is not None) == ("active", True)
    assert count(course) == 1
    assert opens(client, course) == 200


def test_coming_back_to_a_paid_course(client_for, enrolled, course):
    client = client_for("enrolled")
    client.delete(url(course))

    response = client.post(url(course))

    assert response.status_code == 200
    assert Enrollment.objects.get().removed_at is None


def test_enrolling_again_after_leaving(client_for, student, free):
    client = client_for("student")
    client.post(url(free))
    client.delete(url(free))

    response = client.post(url(free))

    assert response.status_code == 201
    assert Enrollment.objects.get().status == "active"
    assert Enrollment.objects.get().removed_at is None
    assert count(free) == 1
    assert opens(client, free) == 200


def test_coming_and_going(client_for, student, other, free):
    client = client_for("student")
    client_for("other").post(url(free))

    counts = []
    for method in (client.post, client.post, client.delete, client.delete, client.post, client.delete):
        method(url(free))
        counts.append(count(free))

    assert counts == [2, 2, 1, 1, 2, 1]


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_leaving_what_one_is_not_in(client_for, free, who):
    response = client_for(who).delete(url(free))

    assert response.status_code == 204
    assert count(free) == 0


def test_leaving_closes_nobody_elses(client_for, student, other, free):
    client_for("student").post(url(free))
    client_for("other").post(url(free))

    client_for("student").delete(url(free))

    assert Enrollment.objects.get(user=other).status == "active"


def test_a_completed_course_is_still_completed_after_coming_back(client_for, student, free):
    client = client_for("student")
    client.post(url(free))
    Enrollment.objects.update(status="completed", completed_at=timezone.now())
    client.delete(url(free))

    response = client.post(url(free))

    assert response.json()["status"] == "completed"
    assert response.json()["completed_at"] is not None


def test_access_for_some_days(client_for, student, free):
    Course.objects.filter(pk=free.pk).update(access_days=30)

    with time_machine.travel("2026-03-01T12:00Z", tick=False):
        response = client_for("student").post(url(free))

    assert response.json()["expires_at"] == "2026-03-31T12:00:00Z"


def test_a_free_course_is_taken_anew_once_access_has_expired(client_for, student, free):
    Course.objects.filter(pk=free.pk).update(access_days=30, enrollment_count=1)
    EnrollmentFactory(user=student, course=free, expires_at=timezone.now() - timedelta(days=1))
    client = client_for("student")
    before = opens(client, free)

    response = client.post(url(free))

    assert response.status_code == 201
    assert (before, opens(client, free)) == (403, 200)
    assert count(free) == 1


def test_a_course_that_became_priced_stays_open_to_those_inside(client_for, student, free):
    client = client_for("student")
    client.post(url(free))
    Course.objects.filter(pk=free.pk).update(price="100.00")

    response = client.post(url(free))

    assert response.status_code == 200
    assert opens(client, free) == 200


def test_courses_say_whether_the_caller_is_enrolled(client_for, api, student, free):
    client = client_for("student")
    client.post(url(free))

    seen = [each.get(f"/api/courses/{free.pk}/").json()["is_enrolled"] for each in (client, client_for("other"), api)]

    assert seen == [True, False, False]


# --- Coming back -----------------------------------------------------------------------------------------------------


@pytest.fixture
def revoke(client, admin):
    """What an admin does in Django admin."""

    def revoke():
        client.force_login(admin)
        page = reverse("admin:materials_enrollment_change", args=[Enrollment.objects.get().pk])
        form = client.get(page).context["adminform"].form
        sent = {"status": "revoked"}
        for bound in form:
            if bound.name != "status":
                value = bound.value()
                parts = bound.field.widget.decompress(value) if hasattr(bound.field.widget, "decompress") else None
                many = {f"{bound.name}_{number}": part or "" for number, part in enumerate(parts or [])}
                sent |= many or {bound.name: "" if value is None else value}
        assert client.post(page, sent).status_code == 302
        assert Enrollment.objects.get().status == "revoked"

    return revoke


FREE, BOUGHT, GRANTED = "free", "payment", "grant"


@pytest.mark.parametrize(
    ("source", "steps", "status"),
    [
        (FREE, ["leave"], 201),
        (FREE, ["leave", "leave"], 201),
        (FREE, ["revoke"], 403),
        (FREE, ["revoke", "leave"], 403),
        (BOUGHT, ["leave"], 200),
        (BOUGHT, ["revoke"], 403),
        (BOUGHT, ["leave", "revoke"], 403),
        (BOUGHT, ["revoke", "leave"], 403),
        (BOUGHT, ["refund"], 403),
        (BOUGHT, ["leave", "refund"], 403),
        (BOUGHT, ["refund", "leave"], 403),
        (BOUGHT, ["refund", "pay"], 200),
        (BOUGHT, ["revoke", "pay"], 200),
        (GRANTED, ["leave"], 200),
        (GRANTED, ["revoke"], 403),
        (GRANTED, ["leave", "revoke"], 403),
        (GRANTED, ["revoke", "leave"], 403),
    ],
    ids=str,
)
def test_who_comes_back_to_a_course_that_is_free_now(client_for, student, free, revoke, source, steps, status):
    """Whoever left does; whoever was shut out does not, also by leaving before or after."""
    services.grant_access(user=student, course=free, source=source)
    student_client = client_for("student")
    step = {
        "leave": lambda: student_client.delete(url(free)),
        "revoke": revoke,
        "refund": lambda: services.close_by_payment(user=student, course=free),
        "pay": lambda: services.grant_access(user=student, course=free, source=BOUGHT),
    }
    for name in steps:
        step[name]()

    answer = student_client.post(url(free))

    assert (answer.status_code, answer.json().get("code")) == (status, "access_revoked" if status == 403 else None)
    assert opens(student_client, free) == (403 if status == 403 else 200)
    assert count(free) == (0 if status == 403 else 1)


def test_who_was_shut_out_of_a_course_that_costs_is_told_the_price(client_for, student, course):
    EnrollmentFactory(user=student, course=course, source="payment", status="revoked")

    answer = client_for("student").post(url(course))

    assert (answer.status_code, answer.json()["code"], answer.json()["price"]) == (402, "payment_required", "1000.00")
