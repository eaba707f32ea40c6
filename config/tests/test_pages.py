"""The pages that stand in for the front end: whatever a letter or a notification leads to is there."""

import inspect
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

import materials.demo.loading
import users.demo
from assignments.models import Certificate
from assignments.tests.factories import CertificateFactory
from common import frontend
from common.ids import new_id
from community.tests.factories import PostFactory
from materials.tests.factories import CourseFactory, LessonFactory
from users import keys
from users.models import Notification, User
from users.tests.factories import PASSWORD, UserFactory

BROWSER = {"Accept": "text/html", "Accept-Language": "en"}
ROOT = Path(settings.BASE_DIR)

pytestmark = pytest.mark.django_db


def visit(api, url, **headers):
    return api.get(urlsplit(url).path, headers={**BROWSER, **headers})


def letter(user, kind):
    return keys.link_of(Notification(recipient=user, kind=kind))


# For each function of common.frontend that takes something: what it may be given.
ARGUMENTS = {
    "course": lambda: [new_id()],
    "lesson": lambda: [new_id(), new_id()],
    "submission": lambda: [new_id(), new_id(), new_id(), new_id()],
    "conversation": lambda: [new_id()],
    "certificate": lambda: [new_id()],
    "blog": lambda: [PostFactory(status="published", published_at=timezone.now() - timedelta(hours=1)).slug],
    "social_callback": lambda: ["google"],
}
KEYS = {"password_reset": Notification.PASSWORD_RESET, "email_verification": Notification.EMAIL_VERIFICATION}
FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(frontend, inspect.isfunction)
    if not name.startswith("_") and name != "home"
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_address_of_the_front_end_is_a_page(api, name, language):
    """Whether what it names exists or not: only who may see it learns that."""
    links = [letter(UserFactory(email_verified_at=None), KEYS[name])] if name in KEYS else []
    if not inspect.signature(FUNCTIONS[name]).parameters or name in {"password_reset", "blog"}:
        links.append(FUNCTIONS[name]())
    if name in ARGUMENTS:
        links.append(FUNCTIONS[name](*ARGUMENTS[name]()))
    assert links

    for link in links:
        for path in (link, f"{link}/"):
            response = visit(api, path, **{"Accept-Language": language})

            assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert f'<html lang="{language}">' in response.text
            assert not re.search(r"<script|style=|\son\w+=", response.text)


def test_nobody_else_builds_such_an_address():
    """Another module that read FRONTEND_URL could lead to where there is no page."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for app in ("common", "users", "materials", "payments", "assignments", "community", "config")
        for path in (ROOT / app).rglob("*.py")
        if "settings.FRONTEND_URL" in path.read_text() and not {"tests", "testing"} & set(path.parts)
    }

    assert readers == {"common/frontend.py"}


def test_what_the_demos_people_are_told_leads_somewhere(client, monkeypatch):
    dot = Image.new("RGB", (1, 1))
    monkeypatch.setattr(materials.demo.loading, "draw_cover", lambda **_: dot)
    monkeypatch.setattr(users.demo, "draw_avatar", lambda _: dot)
    call_command("load_initial_data", verbosity=0)
    client.force_login(User.objects.filter(is_superuser=True).first())
    urls = set(Notification.objects.exclude(url="").values_list("url", flat=True))
    urls |= {frontend.certificate(certificate.verification_code) for certificate in Certificate.objects.all()}

    def status_of(url):
        parts = urlsplit(url)
        return client.get(parts.path, QUERY_STRING=parts.query, headers=BROWSER).status_code

    dead = {url for url in urls if status_of(url) not in (200, 302)}

    assert urls
    assert not dead


# --- Addresses and passwords -----------------------------------------------------------------------------------------


def test_looking_at_the_page_verifies_nothing(api):
    """Scanners of mail follow links."""
    user = UserFactory(email_verified_at=None)
    link = letter(user, Notification.EMAIL_VERIFICATION)

    page = visit(api, link)

    user.refresh_from_db()
    assert user.email_verified_at is None
    assert user.email in page.text
    assert '<form method="post"' in page.text


def test_pressing_the_button_verifies_the_email(api):
    user = UserFactory(email_verified_at=None)
    path = urlsplit(letter(user, Notification.EMAIL_VERIFICATION)).path

    page = api.post(path, headers=BROWSER)

    user.refresh_from_db()
    assert page.status_code == 200
    assert user.email_verified_at is not None
    assert "is confirmed" in page.text
    assert api.get(path, headers=BROWSER).status_code == 410
    assert api.post(path, headers=BROWSER).status_code == 400


def test_a_new_password(api):
    user = UserFactory()
    path = urlsplit(letter(user, Notification.PASSWORD_RESET)).path

    weak = api.post(path, {"new_password": "123"}, format="multipart", headers=BROWSER)
    user.refresh_from_db()
    assert weak.status_code == 400
    assert user.check_password(PASSWORD)
    assert 'class="error"' in weak.text

    done = api.post(path, {"new_password": "correct-horse-7"}, format="multipart", headers=BROWSER)
    user.refresh_from_db()
    assert done.status_code == 200
    assert user.check_password("correct-horse-7")
    assert api.get(path, headers=BROWSER).status_code == 410


def test_asking_for_a_letter(api):
    user = UserFactory()

    page = api.post("/password/reset", {"email": user.email}, format="multipart", headers=BROWSER)
    users.account.answer_reset_requests()

    assert page.status_code == 200
    assert Notification.objects.get(recipient=user).kind == Notification.PASSWORD_RESET


def test_asking_for_a_letter_to_what_is_no_email(api):
    page = api.post("/password/reset", {"email": '"><b>'}, format="multipart", headers=BROWSER)

    assert page.status_code == 400
    assert "<b>" not in page.text


@pytest.mark.parametrize("path", ["/email/verify/nonsense", "/password/reset/abc/def"])
def test_a_dead_link(api, path):
    assert api.get(path, headers=BROWSER).status_code == 410


# --- What anyone may see ---------------------------------------------------------------------------------------------


def test_a_course_is_shown_with_its_lessons(api, course):
    page = visit(api, frontend.course(course.pk))

    assert course.title in page.text
    assert "Variables" in page.text
    assert "1,000.00" in page.text


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_hidden_looks_as_if_it_did_not_exist(api, status):
    hidden = CourseFactory(status=status, title="Secret course")
    lesson = LessonFactory(course=hidden, title="Secret lesson")
    unknown = new_id()

    for link, other in [
        (frontend.course(hidden.pk), frontend.course(unknown)),
        (frontend.lesson(hidden.pk, lesson.pk), frontend.lesson(hidden.pk, unknown)),
    ]:
        page, empty = visit(api, link), visit(api, other)
        assert "Secret" not in page.text
        assert page.text.replace(str(hidden.pk), "").replace(str(lesson.pk), "") == empty.text.replace(
            str(hidden.pk), ""
        ).replace(str(unknown), "")


@pytest.mark.parametrize("named_by", ["pk", "verification_code"])
def test_a_certificate_is_verified(api, named_by):
    certificate = CertificateFactory(course_title="Stars")

    page = visit(api, frontend.certificate(getattr(certificate, named_by)))

    assert "is valid" in page.text
    assert "Stars" in page.text


def test_a_lesson_tells_its_title_and_nothing_that_is_locked(api, course):
    lesson = course.lessons.get(title="Loops")
    lesson.body = "for and while"
    lesson.save()

    page = visit(api, frontend.lesson(course.pk, lesson.pk))

    assert "Loops" in page.text
    assert "for and while" not in page.text
