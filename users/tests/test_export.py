"""All that is held on a person, for themselves."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    CommentFactory,
    SubmissionFactory,
)
from common.registry import exports
from materials.models import LessonAccess, LessonCompletion
from materials.tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    ReviewFactory,
    SubscriptionFactory,
)
from payments.models import Refund, RefundRequest
from payments.tests.factories import PaymentFactory, RefundFactory
from users import guessing
from users.models import NotificationPreference, User
from users.tests.factories import (
    AdminFactory,
    NotificationFactory,
    SocialAccountFactory,
    TeacherFactory,
    UserFactory,
)
from users.tokens import issue_pair

URL = "/api/users/me/export/"
MEMBERS = {
    "exported_at",
    # users
    "profile",
    "notifications",
    "notification_preferences",
    "known_addresses",
    "sign_ins",
    "social_accounts",
    # materials
    "courses",
    "lessons",
    "attachments",
    "enrollments",
    "lesson_completions",
    "lesson_accesses",
    "subscriptions",
    "reviews",
    # payments
    "payments",
    "refunds",
    "refund_requests",
    # assignments
    "submissions",
    "attempts",
    "answers",
    "comments",
    "certificates",
}

pytestmark = pytest.mark.django_db


def fill(user, mark):
    """Something of everything, with the mark in each text."""
    course = CourseFactory(owner=TeacherFactory(), title=f"Course of {mark}")
    lesson = LessonFactory(course=course, order=1)
    assignment = AssignmentFactory(lesson=lesson)
    NotificationFactory(recipient=user, subject=f"Told to {mark}")
    NotificationPreference.objects.get_or_create(user=user, kind="announcement")
    guessing.remember(user, "198.51.100.7")
    issue_pair(user)
    SocialAccountFactory(user=user, uid=f"At Google: {mark}")
    own = CourseFactory(owner=user, description=f"By {mark}")
    LessonFactory(course=own, owner=user, order=1, body=f"Body by {mark}")
    enrollment = EnrollmentFactory(user=user, course=course)
    LessonCompletion.objects.create(enrollment=enrollment, lesson=lesson)
    LessonAccess.objects.create(user=user, lesson=lesson, source="payment")
    SubscriptionFactory(user=user, course=course)
    ReviewFactory(course=course, author=user, text=f"Review by {mark}")
    payment = PaymentFactory(user=user, title=f"Sold to {mark}")
    RefundFactory(payment=payment, comment=f"Given back to {mark}", created_by=AdminFactory())
    RefundRequest.objects.create(payment=payment, reason=f"Wanted by {mark}")
    SubmissionFactory(assignment=assignment, student=user, text=f"Work by {mark}")
    AttemptFactory(student=user)
    CommentFactory(author=user, lesson=lesson, text=f"Comment by {mark}")
    CertificateFactory(student=user, course=course, student_name=f"Name of {mark}")


@pytest.fixture
def anna():
    user = UserFactory(email="anna@test.io", phone="+7 900 111", last_name="Ivanova")
    fill(user, "Anna")
    return user


def test_something_of_everything(sign_in_as, anna):
    response = sign_in_as(anna).get(URL)

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    body = response.json()
    assert set(body) >= MEMBERS
    assert {name for name in MEMBERS - {"exported_at", "profile", "attachments", "answers"} if not body[name]} == set()
    assert (body["profile"]["email"], body["profile"]["phone"]) == ("anna@test.io", "+7 900 111")
    assert body["reviews"][0]["text"] == "Review by Anna"
    assert body["submissions"][0]["text"] == "Work by Anna"
    assert body["payments"][0]["title"] == "Sold to Anna"
    assert Decimal(body["payments"][0]["amount"]) > 0
    assert body["refunds"][0]["comment"] == "Given back to Anna"
    assert body["refund_requests"][0]["reason"] == "Wanted by Anna"
    assert body["exported_at"].endswith("Z")
    assert body["payments"][0]["created_at"].endswith("Z")


def test_nothing_of_anybody_else(sign_in_as, anna):
    boris = UserFactory(email="boris@test.io", phone="+7 900 222", last_name="Petrov", first_name="Boris")
    fill(boris, "Boris")

    text = sign_in_as(anna).get(URL).content.decode()

    admin = Refund.objects.get(payment__user=anna).created_by
    for secret in ("Boris", "boris@test.io", "+7 900 222", "Petrov", str(boris.pk), str(admin.pk)):
        assert secret not in text
    teacher = anna.enrollments.get().course.owner
    assert teacher.email not in text


def test_nothing_that_opens_a_door(sign_in_as, anna):
    text = sign_in_as(anna).get(URL).content.decode()

    anna.refresh_from_db()
    assert anna.password not in text
    assert all(family.current_jti not in text for family in anna.token_families.all())
    assert "token_version" not in text


def test_right_answers_are_not_given_away(sign_in_as, anna):
    text = sign_in_as(anna).get(URL).content.decode()

    assert "is_correct" not in text


def test_everything_of_a_profile_is_there_or_left_out_on_purpose(sign_in_as, anna):
    held = set(sign_in_as(anna).get(URL).json()["profile"])

    columns = {field.name for field in User._meta.concrete_fields}
    assert columns - held == {"password", "token_version", "name_key", "deactivated_at", "deactivation_reason"}


def test_of_somebody_who_has_done_nothing(client_for):
    body = client_for("student").get(URL).json()

    assert set(body) >= MEMBERS
    assert body["reviews"] == []


def test_anonymous_exports_nothing(api):
    response = api.get(URL)

    assert response.status_code == 401


def test_every_app_is_asked(sign_in_as, anna, monkeypatch):
    monkeypatch.setattr(exports, "parts", [*exports.parts, lambda user: {"scribbles": {"of": user.email}}])

    assert sign_in_as(anna).get(URL).json()["scribbles"] == {"of": "anna@test.io"}


def test_no_two_apps_use_one_name(anna):
    names = [name for part in exports.call_each(anna) for name in part]

    assert len(names) == len(set(names))


def test_queries(sign_in_as, anna):
    client = sign_in_as(anna)
    counts = []
    for number in (0, 20):
        NotificationFactory.create_batch(number, recipient=anna)
        ReviewFactory.create_batch(number, author=anna)
        with CaptureQueriesContext(connection) as queries:
            response = client.get(URL)
        counts.append(len(queries))

    assert len(response.json()["notifications"]) == 21
    assert counts[0] == counts[1] <= 2 * len(response.json())


def test_a_large_account_is_read_in_batches(sign_in_as, anna, monkeypatch):
    monkeypatch.setattr("users.exports.ROWS_AT_ONCE", 3)
    NotificationFactory.create_batch(10, recipient=anna)

    rows = sign_in_as(anna).get(URL).json()["notifications"]

    assert len({row["id"] for row in rows}) == 11
