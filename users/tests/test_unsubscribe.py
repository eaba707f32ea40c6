import pytest
from rest_framework.test import APIClient

from common.ids import new_id
from users import tasks
from users.letters import unsubscribe_token
from users.models import Notification, NotificationPreference
from users.tests.factories import NotificationFactory, PreferenceFactory
from users.tests.test_letters import html_of, parsed, text_of

URL = "/api/users/notifications/unsubscribe/"
HTML = {"HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(student):
    return f"{URL}{unsubscribe_token(student.pk, 'course_updated')}/"


def emails(user):
    return dict(NotificationPreference.objects.filter(user=user).values_list("kind", "email"))


def test_a_letter_can_be_unsubscribed_from_with_one_click(mailoutbox, api, student):
    """As RFC 8058 has it: a POST to the address in the header, with that body and nothing else."""
    NotificationFactory(recipient=student, kind="course_updated")
    tasks.send_pending_emails()
    message = parsed(mailoutbox[0])
    header = message["List-Unsubscribe"]
    address = header.strip("<>")

    response = api.post(
        address.removeprefix("http://testserver"),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )

    assert (header, message["List-Unsubscribe-Post"]) == (f"<{address}>", "List-Unsubscribe=One-Click")
    assert address in text_of(message)
    assert f'href="{address}"' in html_of(message)
    assert (response.status_code, emails(student)) == (200, {"course_updated": "never"})


@pytest.mark.parametrize("kind", [Notification.PASSWORD_RESET, Notification.EMAIL_VERIFICATION, "account_deactivated"])
def test_letters_that_must_be_sent_have_no_link(mailoutbox, kind):
    NotificationFactory(kind=kind)

    tasks.send_pending_emails()

    assert "List-Unsubscribe" not in parsed(mailoutbox[0])
    assert "nsubscribe" not in mailoutbox[0].message().as_bytes().decode()


def test_looking_changes_nothing(api, student, link):
    """Scanners of mail open its links."""
    for headers in ({}, HTML):
        assert api.get(link, **headers).status_code == 200
        assert api.head(link, **headers).status_code == 200

    assert emails(student) == {}


def test_programs_get_json(api, student, link):
    assert api.get(link).json() == {"kind": "course_updated", "is_unsubscribed": False}
    assert api.post(link).json() == {"kind": "course_updated", "is_unsubscribed": True}
    assert api.get(link).json() == {"kind": "course_updated", "is_unsubscribed": True}


def test_browsers_get_a_page_with_a_button(link, student):
    browser = APIClient(enforce_csrf_checks=True)

    asked = browser.get(link, **HTML)
    done = browser.post(link, {}, format="multipart", **HTML)

    assert asked["Content-Type"].startswith("text/html")
    assert '<form class="ways" method="post">' in asked.content.decode()
    assert "“Course updated”" in asked.content.decode()
    assert "<form" not in done.content.decode()
    assert "You are unsubscribed" in done.content.decode()
    assert (done.status_code, emails(student)) == (200, {"course_updated": "never"})


def test_the_page_shows_nothing_of_the_person(api, student, link):
    page = api.get(link, **HTML).content.decode()

    assert student.email not in page
    assert student.first_name not in page


def test_it_may_be_repeated(api, student, link):
    for _ in range(2):
        assert api.post(link).status_code == 200

    assert emails(student) == {"course_updated": "never"}


def test_what_is_shown_in_the_app_stays(api, student, link):
    PreferenceFactory(user=student, kind="course_updated", in_app=False, email="daily")

    api.post(link)

    assert not NotificationPreference.objects.get(user=student).in_app


def test_a_letter_that_waits_is_not_sent(api, mailoutbox, student, link):
    NotificationFactory(recipient=student, kind="course_updated")

    api.post(link)
    tasks.send_pending_emails()

    assert mailoutbox == []


def test_the_digest_ends_with_all_that_comes_in_it(api, student):
    for kind, email in (("enrolled", "daily"), ("due_soon", "daily"), ("announcement", "immediate")):
        PreferenceFactory(user=student, kind=kind, email=email)
    link = f"{URL}{unsubscribe_token(student.pk, Notification.DIGEST)}/"

    assert api.get(link).json() == {"kind": "digest", "is_unsubscribed": False}
    assert api.post(link).json() == {"kind": "digest", "is_unsubscribed": True}
    assert emails(student) == {"enrolled": "never", "due_soon": "never", "announcement": "immediate"}


def test_links_of_people_who_sleep_work(api, student, link):
    student.deactivate("inactivity")

    assert api.post(link).status_code == 200
    assert emails(student) == {"course_updated": "never"}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTML])
@pytest.mark.parametrize("change", ["", "cut", "kind", "person", "gone", "nonsense", "nul", "long"])
def test_bad_tokens(api, student, teacher, method, headers, change):
    token = unsubscribe_token(student.pk, "course_updated")
    token = {
        "": "~~",
        "cut": token[:-1],
        "kind": token.replace("course_updated", "announcement"),
        "person": token.replace(student.pk.hex, teacher.pk.hex),
        "gone": unsubscribe_token(new_id(), "course_updated"),
        "nonsense": "привет",
        "nul": "%00",
        "long": "a" * 5000,
    }[change]

    response = getattr(api, method)(f"{URL}{token}/", **headers)

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html" if headers else "application/problem+json")
    assert not NotificationPreference.objects.exists()


def test_mail_programs_are_not_throttled(api, link, settings):
    """They unsubscribe for all of their users from a few addresses."""
    from users.notification_views import UnsubscribeView

    assert list(UnsubscribeView.throttle_classes) == []
