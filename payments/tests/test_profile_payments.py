"""The latest payments in a profile: one's own, and for admins anybody's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from materials.tests.factories import CourseFactory
from payments.models import Payment
from users.models import User

PROFILES = ["/api/users/me/", "/api/profile/", "/api/users/{student}/"]


@pytest.fixture
def paid(student, teacher):
    """Twelve, the newest first."""
    course, now = CourseFactory(owner=teacher, price="10.00"), timezone.now()
    sold = {"user": student, "paid_course": course, "title": "x", "amount": 1, "currency": "RUB", "status": "failed"}
    days = [Payment(payment_date=now - timedelta(days=number), **sold) for number in range(12)]
    return Payment.objects.bulk_create(days)


@pytest.mark.parametrize("url", PROFILES)
def test_ones_own(client_for, student, admin, paid, url):
    Payment.objects.create(user=admin, paid_course=paid[0].paid_course, title="y", amount=1, currency="RUB")
    client = client_for("student")

    shown = client.get(url.format(student=student.pk)).json()["payments"]

    assert [line["id"] for line in shown] == [str(payment.pk) for payment in paid[:10]]
    assert shown == client.get("/api/payments/", {"page_size": 10}).json()["results"]


@pytest.mark.parametrize("url", PROFILES)
def test_a_change_answers_the_same_profile(client_for, student, paid, url):
    answer = client_for("student").patch(url.format(student=student.pk), {"city": "Omsk"})

    assert (answer.status_code, len(answer.json()["payments"])) == (200, 10)


@pytest.mark.parametrize(("who", "number"), [("other", None), ("teacher", None), ("moderator", None), ("admin", 10)])
def test_anothers(client_for, student, paid, who, number):
    profile = client_for(who).get(f"/api/users/{student.pk}/").json()

    assert len(profile.get("payments", [])) == (number or 0)
    assert ("payments" in profile) is (number is not None)


def test_nobody_writes_them(client_for, student, paid):
    answer = client_for("student").patch("/api/users/me/", {"payments": [], "city": "Omsk"})

    assert (answer.status_code, Payment.objects.filter(user=student).count()) == (200, 12)


@pytest.mark.parametrize("who", ["student", "admin"])
def test_lists_of_people_tell_none(client_for, paid, who):
    assert all("payments" not in person for person in client_for(who).get("/api/users/").json()["results"])


@pytest.mark.parametrize("number", [1, 10])
def test_queries_do_not_grow(client_for, student, paid, django_assert_num_queries, number):
    Payment.objects.exclude(pk__in=[payment.pk for payment in paid[:number]]).delete()
    User.objects.filter(pk=student.pk).update(first_name="Ada")
    client = client_for("student")

    with django_assert_num_queries(2):  # the caller; their payments
        assert len(client.get("/api/users/me/").json()["payments"]) == number
