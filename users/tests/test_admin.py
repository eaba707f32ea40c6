"""The admin's pages of people, their letters and their sign-ins."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from rest_framework.test import APIClient

from users import services
from users.models import Notification, TokenFamily, User
from users.tests.factories import NotificationFactory, SocialAccountFactory, UserFactory
from users.tokens import issue_pair

PEOPLE = "/admin/users/user/"
LETTERS = "/admin/users/notification/"
SIGN_INS = "/admin/users/tokenfamily/"
LINKED = "/admin/users/socialaccount/"

pytestmark = pytest.mark.django_db


def admin_client(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def superuser(db):
    return User.objects.create_superuser("root@test.io", "correct-horse-7")


@pytest.fixture
def pages(superuser):
    """The admin as a superuser sees it."""
    return admin_client(superuser)


@pytest.fixture
def staff(admin):
    """The admin as an admin without all rights sees it."""
    return admin_client(admin)


def run_action(client, path, action, *rows):
    response = client.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    assert response.status_code == 302, response.content[:500]
    return [str(message) for message in get_messages(response.wsgi_request)]


def form_of(client, path):
    """What a browser would send of the page's form, unchanged."""
    form = client.get(path).context["adminform"].form
    data = {}
    for name in form.fields:
        value = form[name].value()
        if value is None or value is False or name in {"password", "avatar", "email_verified_at"}:
            continue
        data[name] = [getattr(item, "pk", item) for item in value] if isinstance(value, list) else value
    return data


def alive(pair):
    headers = {"Authorization": f"Bearer {pair['access']}"}
    return APIClient().get("/api/users/me/", headers=headers).status_code == 200


# --- Who enters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
@pytest.mark.parametrize("path", ["/admin/", PEOPLE, LETTERS, SIGN_INS, LINKED])
def test_no_one_else_enters(request, who, path):
    response = admin_client(request.getfixturevalue(who)).get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", ["/admin/", PEOPLE, f"{PEOPLE}add/", LETTERS, SIGN_INS, LINKED])
@pytest.mark.parametrize("who", ["staff", "pages"])
def test_pages_open(request, who, path, student):
    NotificationFactory(recipient=student)
    issue_pair(student)
    SocialAccountFactory(user=student)

    response = request.getfixturevalue(who).get(path)

    assert response.status_code == 200


def test_page_of_a_person_opens(staff, student):
    response = staff.get(f"{PEOPLE}{student.pk}/change/")

    assert response.status_code == 200


def test_page_of_a_letter_opens(staff):
    response = staff.get(f"{LETTERS}{NotificationFactory().pk}/change/")

    assert response.status_code == 200


@pytest.mark.parametrize("path", [PEOPLE, LETTERS, SIGN_INS, LINKED])
def test_search(staff, student, path):
    response = staff.get(path, {"q": "student"})

    assert response.status_code == 200


def test_nobody_is_deleted(pages, student):
    response = pages.post(f"{PEOPLE}{student.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert User.objects.filter(pk=student.pk).exists()


@pytest.mark.parametrize("path", [f"{LETTERS}add/", f"{SIGN_INS}add/", f"{LINKED}add/"])
def test_what_the_program_writes_is_not_added(pages, path):
    assert pages.get(path).status_code == 403


# --- Rights ----------------------------------------------------------------------------------------------------------


def test_a_person_is_added(staff):
    response = staff.post(
        f"{PEOPLE}add/",
        {
            "email": "new@test.io",
            "role": "teacher",
            "usable_password": "true",
            "password1": "correct-horse-7",
            "password2": "correct-horse-7",
        },
    )

    assert response.status_code == 302, response.context["adminform"].errors
    assert User.objects.get(email="new@test.io").role == "teacher"


def test_an_admin_does_not_change_a_superuser(staff, superuser):
    staff.post(f"{PEOPLE}{superuser.pk}/change/", {"email": "mine@test.io", "role": "student"})

    superuser.refresh_from_db()
    assert superuser.email == "root@test.io"


def test_an_admin_does_not_set_a_superusers_password(staff, superuser):
    new = {"usable_password": "true", "password1": "wrong-horse-7", "password2": "wrong-horse-7"}

    response = staff.post(f"{PEOPLE}{superuser.pk}/password/", new)

    assert response.status_code == 403
    superuser.refresh_from_db()
    assert superuser.check_password("correct-horse-7")


def test_an_admin_makes_no_superuser(staff, student):
    data = {**form_of(staff, f"{PEOPLE}{student.pk}/change/"), "city": "Omsk", "is_superuser": "on"}

    response = staff.post(f"{PEOPLE}{student.pk}/change/", data)

    assert response.status_code == 302, response.context["adminform"].errors
    student.refresh_from_db()
    assert (student.city, student.is_superuser) == ("Omsk", False)


def test_a_superuser_makes_a_superuser(pages, student):
    data = {**form_of(pages, f"{PEOPLE}{student.pk}/change/"), "is_superuser": "on"}

    pages.post(f"{PEOPLE}{student.pk}/change/", data)

    student.refresh_from_db()
    assert student.is_superuser


@pytest.mark.parametrize("action", ["deactivate", "anonymise"])
def test_an_admin_acts_on_no_superuser(staff, superuser, action):
    run_action(staff, PEOPLE, action, superuser)

    superuser.refresh_from_db()
    assert (superuser.is_active, superuser.email) == (True, "root@test.io")


@pytest.mark.parametrize("action", ["deactivate", "anonymise"])
def test_nobody_locks_themselves_out(staff, admin, action):
    run_action(staff, PEOPLE, action, admin)

    admin.refresh_from_db()
    assert admin.is_active


# --- Actions ---------------------------------------------------------------------------------------------------------


def test_deactivate(staff, student):
    pair = issue_pair(student)

    run_action(staff, PEOPLE, "deactivate", student)

    student.refresh_from_db()
    assert (student.is_active, student.deactivation_reason) == (False, "admin")
    assert not alive(pair)


def test_wake(staff, student):
    student.deactivate("inactivity")

    run_action(staff, PEOPLE, "wake", student)

    student.refresh_from_db()
    assert (student.is_active, student.deactivation_reason) == (True, "")


def test_who_left_is_not_woken(staff, student):
    student.deactivate("deleted")

    run_action(staff, PEOPLE, "wake", student)

    student.refresh_from_db()
    assert not student.is_active


def test_anonymise(staff, student):
    pair = issue_pair(student)

    run_action(staff, PEOPLE, "anonymise", student)

    student.refresh_from_db()
    assert (student.is_active, student.first_name, student.deactivation_reason) == (False, "", "deleted")
    assert "student@test.io" not in student.email
    assert not alive(pair)


def test_failed_letters_are_sent_again(staff):
    failed = NotificationFactory(email_status="failed", email_attempts=10)
    sent = NotificationFactory(email_status="sent", email_attempts=1)

    run_action(staff, LETTERS, "send_again", failed, sent)

    failed.refresh_from_db()
    sent.refresh_from_db()
    assert (failed.email_status, failed.email_attempts, sent.email_status) == ("pending", 0, "sent")
    assert failed in Notification.objects.to_send()


def test_preferences_are_set_for_a_person(staff, student):
    values = {"user": str(student.pk), "kind": "enrolled", "email": "never", "in_app": "on"}

    page = staff.get("/admin/users/notificationpreference/")
    response = staff.post("/admin/users/notificationpreference/add/", values)

    assert (page.status_code, response.status_code) == (200, 302)
    assert student.notification_preferences.get().email == "never"


def test_ending_a_sign_in(staff, student):
    issue_pair(student)
    family = TokenFamily.objects.get()

    response = staff.post(f"{SIGN_INS}{family.pk}/delete/", {"post": "yes"})

    assert response.status_code == 302
    assert not TokenFamily.objects.exists()


# --- Tokens ----------------------------------------------------------------------------------------------------------


def test_a_new_password_kills_tokens(staff, student):
    pair = issue_pair(student)
    new = {"usable_password": "true", "password1": "right-horse-8", "password2": "right-horse-8"}

    response = staff.post(f"{PEOPLE}{student.pk}/password/", new)

    assert response.status_code == 302
    student.refresh_from_db()
    assert student.check_password("right-horse-8")
    assert not alive(pair)
    assert not TokenFamily.objects.exists()


@pytest.mark.parametrize("change", [{"role": "teacher"}, {"is_active": ""}], ids=["role", "asleep"])
def test_a_change_of_rights_kills_tokens(staff, student, change):
    pair = issue_pair(student)

    staff.post(f"{PEOPLE}{student.pk}/change/", {**form_of(staff, f"{PEOPLE}{student.pk}/change/"), **change})

    assert not alive(pair)
    assert not TokenFamily.objects.exists()


def test_a_change_of_the_city_kills_no_tokens(staff, student):
    pair = issue_pair(student)

    staff.post(f"{PEOPLE}{student.pk}/change/", {**form_of(staff, f"{PEOPLE}{student.pk}/change/"), "city": "Omsk"})

    assert alive(pair)


def test_no_handle_is_none(staff):
    first, second = UserFactory(username=None), UserFactory(username=None)
    for person in (first, second):
        staff.post(f"{PEOPLE}{person.pk}/change/", {**form_of(staff, f"{PEOPLE}{person.pk}/change/"), "username": ""})

    assert set(User.objects.filter(pk__in=[first.pk, second.pk]).values_list("username", flat=True)) == {None}


def test_an_erased_account_is_not_brought_back_by_its_page(pages, student):
    services.anonymise_user(student)
    url = f"/admin/users/user/{student.pk}/change/"

    pages.post(url, {"is_active": "on", "role": "admin", "language": "ru", "time_zone": "Europe/Moscow"})

    student.refresh_from_db()
    assert (student.is_active, student.role, student.deactivation_reason) == (False, "student", "deleted")


def test_whoever_is_put_to_sleep_by_their_page_does_not_wake_by_a_letter(pages, student):
    url = f"/admin/users/user/{student.pk}/change/"
    form = pages.get(url).context["adminform"].form
    values = {name: form[name].value() or "" for name in form.fields if name not in {"avatar", "is_active", "groups"}}
    for name in ("email_verified_at",):
        values.pop(name, None)

    assert pages.post(url, values).status_code == 302

    student.refresh_from_db()
    assert (student.is_active, student.deactivation_reason) == (False, "admin")
    assert student.deactivated_at is not None


def test_ones_own_password_is_changed_where_the_old_one_is_asked_for(staff, admin):
    answer = staff.get(f"/admin/users/user/{admin.pk}/password/")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/password_change/")
