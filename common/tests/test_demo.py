"""The demo as a whole: what loading it does, and what it holds."""

import io
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Avg, Count
from django.utils import timezone
from PIL import Image

import materials.demo.loading
import users.demo
from common import background
from common.demo import ACCOUNTS, demo_id, demo_rows
from conftest import sign_in
from materials.access import check_open
from materials.links import find_foreign_link, normalise_youtube_url
from materials.models import (
    Category,
    Course,
    CourseWord,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    SearchTerm,
)
from materials.tests.factories import CategoryFactory, CourseFactory, EnrollmentFactory, LessonFactory, ReviewFactory
from payments.models import Coupon, Dispute, NumberSeries, Payment, Refund
from payments.services.refunds import refund_payment
from payments.services.settling import draw_number
from payments.tests.factories import CouponFactory, PaymentFactory
from users.models import Notification, User
from users.tests.factories import TeacherFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def _quick_pictures(monkeypatch):
    dot = Image.new("RGB", (1, 1))
    monkeypatch.setattr(materials.demo.loading, "draw_cover", lambda **_: dot)
    monkeypatch.setattr(users.demo, "draw_avatar", lambda _: dot)


@pytest.fixture
def load(_quick_pictures):
    def run(**options) -> str:
        output = io.StringIO()
        call_command("load_initial_data", stdout=output, **options)
        return output.getvalue()

    return run


@pytest.fixture
def demo(load):
    load()


def counts() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def person(key: str) -> User:
    return User.objects.get(email=f"{key}@example.com")


def course(key: str) -> Course:
    return Course.objects.get(pk=demo_id("course", key))


# --- Loading ---------------------------------------------------------------------------------------------------------


def test_ids_are_those_of_version_7_and_always_the_same():
    assert demo_id("course", "python") == demo_id("course", "python") != demo_id("course", "sql")
    assert demo_id("course", "python").version == 7
    assert demo_id("course", "python") < UUID("00000000-0001-7000-8000-000000000000")


def test_loading_twice_leaves_the_same(load):
    load()
    first, ids = counts(), set(Lesson.objects.values_list("pk", flat=True))

    load()

    assert counts() == first
    assert set(Lesson.objects.values_list("pk", flat=True)) == ids
    assert len(default_storage.listdir("public/courses")[1]) == first["materials.Course"]
    assert len(default_storage.listdir("public/avatars")[1]) == first["users.User"]


def test_loads_quietly(load, monkeypatch):
    asked = []
    monkeypatch.setattr(background, "enqueue", lambda *args: asked.append(args))
    monkeypatch.setattr("materials.services.enqueue", lambda *args: asked.append(args))
    monkeypatch.setattr("users.notifications.enqueue", lambda *args: asked.append(args))

    load()

    assert (mail.outbox, asked) == ([], [])
    assert set(Notification.objects.values_list("email_status", flat=True)) == {"none"}


def test_says_who_there_is(load):
    output = load()

    assert settings.DEMO_PASSWORD in output
    assert all(f"{key}@example.com" in output for key in ACCOUNTS)


@pytest.mark.parametrize("factory", [UserFactory, CourseFactory, PaymentFactory])
def test_refuses_beside_other_data_and_touches_nothing(load, factory):
    factory()
    before = counts()

    with pytest.raises(CommandError, match="other data"):
        load()

    assert counts() == before


def test_refuses_after_something_was_bought_in_the_demo(demo, load):
    PaymentFactory(user=person("student"), paid_course=course("python"))

    with pytest.raises(CommandError, match="payments: 1"):
        load()


def test_force_keeps_all_other_data(load):
    load()
    stranger, teacher = UserFactory(), TeacherFactory()
    own_course = CourseFactory(owner=teacher)
    kept = [
        stranger,
        own_course,
        # What hangs on the demo: a stranger and somebody of the demo in each other's courses, and more content.
        EnrollmentFactory(user=stranger, course=course("git")),
        EnrollmentFactory(user=person("student"), course=own_course),
        PaymentFactory(user=stranger, paid_course=course("sql")),
        PaymentFactory(user=person("student"), paid_course=course("python")),
        ReviewFactory(author=stranger, course=course("git")),
        CourseFactory(owner=person("teacher")),
        LessonFactory(course=course("git"), order=5),
    ]
    before = {row: type(row).objects.filter(pk=row.pk).values().get() for row in kept}
    total = counts()
    del total[SearchTerm._meta.label], total[CourseWord._meta.label]  # a vocabulary that follows what people write
    Lesson.objects.filter(pk=demo_id("lesson", "git", "1")).update(title="Changed")

    load(force=True)

    assert {row: type(row).objects.filter(pk=row.pk).values().get() for row in kept} == before
    assert total.items() <= counts().items()
    assert Lesson.objects.get(pk=demo_id("lesson", "git", "1")).title == "Зачем нужен Git"
    assert course("git").enrollment_count == course("git").enrollments.count()


def test_force_moves_a_lesson_of_somebody_else_behind_the_demo(demo, load):
    Lesson.objects.filter(pk=demo_id("lesson", "git", "2")).delete()
    added = LessonFactory(course=course("git"), order=2)

    load(force=True)

    assert list(course("git").lessons.values_list("order", flat=True)) == [1, 2, 3, 4, 5]
    added.refresh_from_db()
    assert added.order == 5


def test_force_lets_what_people_did_themselves_stand(demo, load):
    """The demo's review and enrollment give way to ones that stand in the same place."""
    review = Review.objects.filter(pk__in=demo_rows(Review)).first()
    review.delete()
    own_review = ReviewFactory(course=review.course, author=review.author, rating=1)
    enrollment = Enrollment.objects.get(user=person("student"), course=course("git"))
    enrollment.delete()
    own_enrollment = EnrollmentFactory(user=person("student"), course=course("git"))
    CourseFactory()

    load(force=True)

    assert Review.objects.get(course=review.course, author=review.author) == own_review
    assert Enrollment.objects.get(user=person("student"), course=course("git")) == own_enrollment


@pytest.mark.parametrize("fields", [{"email": "Teacher@Example.com"}, {"username": "Anna.Sokolova"}])
def test_says_so_if_a_name_is_taken(load, fields):
    UserFactory(**fields)
    before = counts()

    with pytest.raises(CommandError, match="a name that the demo needs"):
        load(force=True)

    assert counts() == before


def test_uses_a_category_that_is_there(load):
    category = CategoryFactory(slug="design", title="Design")

    load()

    assert course("photo").category == category
    assert Category.objects.filter(slug="design").count() == 1


def test_if_empty_does_nothing_where_there_is_anybody(load):
    UserFactory()
    before = counts()

    output = load(if_empty=True)

    assert counts() == before
    assert len(output.splitlines()) == 1


def test_if_empty_loads_into_an_empty_database(load):
    load(if_empty=True)

    assert Course.objects.exists()


def test_covers_and_avatars_are_pictures_of_decent_size():
    call_command("load_initial_data", stdout=io.StringIO())

    for each in Course.objects.all():
        assert each.preview.size < 60_000, each.title
        with Image.open(each.preview) as picture:
            assert picture.size == (1280, 720)
    for user in User.objects.all():
        with Image.open(user.avatar) as picture:
            assert picture.size == (256, 256)


# --- What it holds ---------------------------------------------------------------------------------------------------


def test_everybody_for_a_first_look_can_sign_in(demo, api):
    for key in ACCOUNTS:
        answer = api.post("/api/auth/token/", {"email": f"{key}@example.com", "password": settings.DEMO_PASSWORD})
        assert answer.status_code == 200, key
    assert (person("admin").role, person("admin").is_superuser) == ("admin", True)
    assert person("moderator").is_moderator
    assert not User.objects.filter(email_verified_at=None).exists()


def test_nobody_is_about_to_be_put_to_sleep(demo):
    assert not User.objects.inactive_since(timezone.now() - timedelta(days=20)).exists()


def test_the_catalogue_is_worth_a_look(demo):
    published = Course.objects.filter(status="published")
    assert published.count() == 10
    assert set(Course.objects.exclude(status="published").values_list("status", flat=True)) == {"draft", "archived"}
    assert published.filter(owner=person("teacher")).count() >= 4
    assert published.filter(price=0).count() >= 3
    assert set(published.values_list("currency", flat=True)) == {"RUB", "USD"}
    assert set(published.values_list("language", flat=True)) == {"ru", "en"}
    assert published.filter(sequential=True).count() == 1
    assert published.filter(access_days=180).count() == 1
    assert set(published.values_list("level", flat=True)) == {"beginner", "intermediate", "advanced"}
    assert published.filter(owner__role="student", price=0, certificate_enabled=False).count() == 1
    for each in Course.objects.all():
        lessons = list(each.lessons.all())
        assert 4 <= len(lessons) <= 8
        assert [lesson.is_preview for lesson in lessons] == [True] + [False] * (len(lessons) - 1)
        assert [lesson.order for lesson in lessons] == list(range(1, len(lessons) + 1))


def test_the_catalogue_is_found_and_shown_over_http(demo, api):
    assert api.get("/api/courses/").json()["count"] == 10
    titles = [each["title"] for each in api.get("/api/courses/", {"search": "кадр фотографии"}).json()["results"]]
    assert titles == [course("photo").title]


def test_every_link_leads_to_youtube(demo):
    texts = [
        *(text for each in Course.objects.all() for text in (each.title, each.description)),
        *(text for lesson in Lesson.objects.all() for text in (lesson.title, lesson.description, lesson.body)),
        *Review.objects.values_list("text", flat=True),
    ]
    assert [find_foreign_link(text) for text in texts if find_foreign_link(text)] == []
    urls = [url for url in Lesson.objects.values_list("video_url", flat=True) if url]
    assert len(urls) > 50
    assert [normalise_youtube_url(url) for url in urls] == urls
    assert [url for url, times in Counter(urls).items() if times > 1] == []


def test_counts_agree_with_the_rows(demo):
    for each in Course.objects.all():
        rating = each.reviews.aggregate(average=Avg("rating"), count=Count("pk"))
        assert each.lesson_count == each.lessons.count()
        assert each.enrollment_count == each.enrollments.count()
        assert (each.rating_count, float(each.rating_average)) == (rating["count"], round(rating["average"] or 0, 2))


def test_nothing_happens_before_its_time(demo):
    now = timezone.now()
    for enrollment in Enrollment.objects.select_related("user", "course"):
        assert enrollment.user.date_joined < enrollment.created_at < now
        assert enrollment.course.created_at < enrollment.created_at
        if enrollment.expires_at is not None:
            assert (enrollment.status == "expired") is (enrollment.expires_at <= now and not enrollment.completed_at)
    for completion in LessonCompletion.objects.select_related("enrollment"):
        assert completion.enrollment.created_at <= completion.created_at <= now
    for review in Review.objects.all():
        enrollment = Enrollment.objects.get(user=review.author_id, course=review.course_id)
        assert enrollment.status != "revoked"
        assert enrollment.created_at < review.created_at < now


def test_progress_agrees_with_the_completions(demo):
    assert set(Enrollment.objects.values_list("status", flat=True)) == {"active", "completed", "expired", "revoked"}
    for enrollment in Enrollment.objects.select_related("course"):
        done = enrollment.completions.filter(completed_at__isnull=False).count()
        assert (enrollment.status == "completed") is (done == enrollment.course.lesson_count)
        assert (enrollment.completed_at is not None) is (enrollment.status == "completed")
        assert not enrollment.completions.exclude(lesson__course=enrollment.course).exists()


def test_the_student_has_something_to_do_and_something_to_buy(demo):
    student = person("student")
    sources = {each.course.pk: each.source for each in student.enrollments.select_related("course")}
    assert sources == {course("git").pk: "free", course("sql").pk: "payment"}
    assert not student.payments.filter(paid_course=course("python")).exists()
    assert student.notifications.filter(is_read=False).exists()
    check_open(student, course("sql").lessons.get(order=4))


def test_the_student_can_buy_the_python_course(demo, stripe):
    python = course("python")

    answer = sign_in(person("student")).post("/api/payments/", {"paid_course": str(python.pk)})

    assert answer.status_code == 201
    assert answer.json()["amount"] == "4990.00"


# --- Payments --------------------------------------------------------------------------------------------------------


def test_payments_of_every_status_and_method(demo):
    assert set(Payment.objects.values_list("status", flat=True)) == set(Payment.Status.values)
    assert set(Payment.objects.values_list("payment_method", flat=True)) == set(Payment.Method.values)
    assert set(Payment.objects.filter(status="pending").values_list("payment_method", flat=True)) == set(
        Payment.Method.values
    )
    assert not Payment.objects.exclude(stripe_session_id="", stripe_payment_intent_id="").exists()


def check_access_agrees_with_payments() -> None:
    opens = {"succeeded": True, "partially_refunded": True}
    for payment in Payment.objects.all():
        if payment.paid_lesson:
            access = LessonAccess.objects.filter(user=payment.user, lesson=payment.paid_lesson, source="payment")
            assert access.exists() is opens.get(payment.status, False)
            continue
        enrollment = Enrollment.objects.filter(user=payment.user, course=payment.paid_course).first()
        if opens.get(payment.status):
            assert enrollment.source == "payment"
            assert enrollment.status != "revoked"
        else:
            assert enrollment is None or enrollment.status == "revoked"
    paid = set(Payment.objects.values_list("user", "paid_course"))
    assert set(Enrollment.objects.filter(source="payment").values_list("user", "course")) <= paid


def test_access_agrees_with_payments(demo):
    check_access_agrees_with_payments()


def test_the_coupons_are_as_their_payments_say(demo, stripe):
    used = Payment.objects.exclude(coupon=None).select_related("coupon", "paid_course")
    assert [(each.coupon.code, each.status) for each in used] == [("WELCOME10", "succeeded")]
    assert all(each.amount == each.paid_course.price * 9 / 10 and each.discount > 0 for each in used)
    student = sign_in(person("student"))
    for code, key, amount in (
        ("welcome10", "python", "4491.00"),
        ("PYTHON500", "python", "4490.00"),
        ("GRANT-ML", "ml", "0.00"),
    ):
        body = {"paid_course": str(course(key).pk), "coupon": code}
        assert student.post("/api/payments/preview/", body).json()["amount"] == amount


def test_says_so_if_a_code_is_taken(demo, load):
    Coupon.objects.filter(code="GRANT-ML").delete()
    CouponFactory(code="GRANT-ML")
    before = counts()

    with pytest.raises(CommandError, match="a code that the demo needs"):
        load(force=True)

    assert counts() == before


def check_books_agree_with_payments() -> None:
    for payment in Payment.objects.all():
        given_back = sum(refund.amount for refund in payment.refunds.accepted())
        expected = {"refunded": payment.amount, "partially_refunded": given_back}.get(payment.status, 0)
        assert payment.refunded_amount == given_back == expected
        assert bool(given_back) is (payment.status in {"refunded", "partially_refunded"})
        assert payment.disputes.exists() is (payment.status == "disputed")


def check_numbers_have_no_gaps() -> None:
    for series, rows, moment in (("R", Payment.objects, "payment_date"), ("C", Refund.objects, "accepted_at")):
        field = {"R": "receipt_number", "C": "credit_note_number"}[series]
        numbers = list(rows.exclude(**{field: ""}).order_by(moment).values_list(field, flat=True))
        assert sorted(numbers) == [f"{series}-{number:06d}" for number in range(1, len(numbers) + 1)]
        assert NumberSeries.objects.get(name=series).last == len(numbers)


def test_the_books_agree_with_payments(demo):
    check_books_agree_with_payments()
    check_numbers_have_no_gaps()
    paid = Payment.objects.that_were_paid().order_by("payment_date", "pk")
    assert list(paid.values_list("receipt_number", flat=True)) == [f"R-{n:06d}" for n in range(1, paid.count() + 1)]
    assert set(Dispute.objects.values_list("status", flat=True)) == {"open", "lost"}
    admin, refund = sign_in(person("admin")), Refund.objects.first()
    for url in ("receipt/", f"refunds/{refund.pk}/credit-note/"):
        assert admin.get(f"/api/payments/{refund.payment_id}/{url}").status_code == 200


def test_numbers_have_no_gaps_after_others_have_drawn_some(demo, load):
    """The demo takes the ones again that it had; what somebody refunds in it stays, with its payment."""
    payment = Payment.objects.filter(status="succeeded").first()
    refund_payment(payment=payment, amount=None, reason="other", admin=person("admin"))
    with transaction.atomic():
        stranger = PaymentFactory(receipt_number=draw_number("R"))
    numbers = payment.receipt_number, stranger.receipt_number

    load(force=True)

    payment.refresh_from_db()
    stranger.refresh_from_db()
    assert (payment.receipt_number, stranger.receipt_number) == numbers
    assert (payment.status, payment.refunds.count()) == ("refunded", 1)
    check_numbers_have_no_gaps()


def test_load_payments_alone(demo):
    columns = ("pk", "status", "amount", "refunded_amount", "receipt_number")
    before, rows = counts(), list(Payment.objects.order_by("pk").values_list(*columns))
    Payment.objects.filter(status="succeeded").delete()

    call_command("load_payments", stdout=io.StringIO())

    assert counts() == before
    assert list(Payment.objects.order_by("pk").values_list(*columns)) == rows


@pytest.mark.usefixtures("_quick_pictures")
def test_load_payments_needs_nothing_loaded_before():
    call_command("load_payments", stdout=io.StringIO())

    assert set(Payment.objects.values_list("status", flat=True)) == set(Payment.Status.values)
    check_access_agrees_with_payments()
    check_books_agree_with_payments()


@pytest.mark.usefixtures("_quick_pictures")
def test_load_payments_keeps_other_data(admin):
    call_command("load_payments", stdout=io.StringIO())

    assert User.objects.filter(pk=admin.pk).exists()


# --- Where others come -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("load_initial_data",), ("load_initial_data", "--force"), ("load_payments",), ("loaddata", "initial_data.json"),
        ("loaddata", "payments"), ("loaddata", "groups", "payments/fixtures/payment_data.json"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_demo_is_for_this_machine_alone(settings, command):
    settings.ON_LOOPBACK = False

    with pytest.raises(CommandError, match="for this machine alone"):
        call_command(*command, stdout=io.StringIO())

    assert not User.objects.exists()


def test_a_server_for_others_starts_without_the_demo(settings):
    settings.ON_LOOPBACK = False
    output = io.StringIO()

    call_command("load_initial_data", if_empty=True, stdout=output)

    assert "not loaded" in output.getvalue()
    assert not User.objects.exists()


@pytest.mark.parametrize("key", ACCOUNTS)
def test_people_of_the_demo_stay_out_where_others_come(demo, api, client, sign_in_as, settings, key):
    """Whoever tried the server out before they opened it."""
    signed_in, credentials = (
        sign_in_as(person(key)),
        {"email": f"{key}@example.com", "password": settings.DEMO_PASSWORD},
    )
    if key == "admin":
        client.force_login(person(key), "users.authentication.EmailBackend")
        assert client.get("/admin/").status_code == 200
    settings.ON_LOOPBACK = False

    assert api.post("/api/auth/token/", credentials).status_code == 401
    assert signed_in.get("/api/users/me/").status_code == 401
    assert client.get("/admin/").status_code == 302


# --- Fixtures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order",
    [
        ("initial_data",), ("groups", "initial_data", "payments", "payment_data"),
        ("payment_data", "payments", "initial_data", "groups"), ("payments", "initial_data", "payment_data"),
    ],
    ids=",".join,
)  # fmt: skip
def test_fixtures_load_in_any_order(order, api, settings):
    settings.PASSWORD_HASHERS = ["users.hashers.Argon2Hasher"]  # what theirs are hashed with
    for each in order:
        call_command("loaddata", f"{each}.json", verbosity=0)

    assert Payment.objects.exists()
    assert person("moderator").is_moderator
    for key in ACCOUNTS:
        answer = api.post("/api/auth/token/", {"email": f"{key}@example.com", "password": "lyceum-demo-2026"})
        assert answer.status_code == 200, key
    for each in Course.objects.all():
        assert (each.lesson_count, each.enrollment_count) == (each.lessons.count(), each.enrollments.count())
    page = api.get("/api/courses/").json()
    assert page["count"] == 5
    assert len(api.get("/api/courses/", {"search": "программа"}).json()["results"]) >= 1
    assert not User.objects.inactive_since(timezone.now() - timedelta(days=20)).exists()


@pytest.mark.parametrize("fixture", ["payments", "payment_data"])
def test_payments_bring_along_what_they_name(fixture):
    call_command("loaddata", f"{fixture}.json", verbosity=0)

    assert Payment.objects.exists()
    check_access_agrees_with_payments()
    for each in Course.objects.all():
        assert (each.lesson_count, each.enrollment_count) == (each.lessons.count(), each.enrollments.count())


# Each is once before and once after each other.
ORDERS = [["load_payments", "csu", "loaddata payment_data.json", "loaddata initial_data.json"]]
ORDERS += [ORDERS[0][::-1]]


@pytest.mark.usefixtures("_quick_pictures")
@pytest.mark.parametrize("order", ORDERS, ids=",".join)
def test_commands_in_any_order(order, monkeypatch):
    for name in ("DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    for command in order:
        call_command(*command.split(), stdout=io.StringIO())

    assert person("admin").is_superuser
    assert set(Payment.objects.values_list("status", flat=True)) == set(Payment.Status.values)


def test_fixtures_agree_with_each_other_and_with_the_demo(load):
    call_command("loaddata", "initial_data", "payments", "payment_data", verbosity=0)
    check_access_agrees_with_payments()
    check_books_agree_with_payments()
    assert set(Payment.objects.values_list("status", flat=True)) == set(Payment.Status.values)

    load()  # their rows are the demo's own, so nothing stands in the way

    check_access_agrees_with_payments()
    check_books_agree_with_payments()
    check_numbers_have_no_gaps()
