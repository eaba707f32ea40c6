"""Recovery ends a take-over: whatever a thief has got hold of is dead once the password is changed or reset, or once
its owner, or an admin for them, has signed everybody out."""

import getpass
import io
import re
from urllib.parse import urlencode

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from users import guessing, keys, tasks
from users.models import KnownAddress, SocialAccount, User
from users.tests.factories import PASSWORD, AdminFactory, SocialAccountFactory, UserFactory
from users.tokens import issue_pair

NEW = "brighter-staple-9"
PEOPLE = "/admin/users/user/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    """An admin, so that she has sessions of every kind."""
    return AdminFactory(email="anna@test.io", language="en", email_verified_at=timezone.now())


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root@test.io", PASSWORD)


@pytest.fixture
def footholds(anna):
    """What the thief has; each says whether it still works."""
    pair = issue_pair(anna)
    pages = Client()
    pages.force_login(anna)
    guessing.remember(anna, "198.51.100.7")

    def works_access():
        return (
            APIClient().get("/api/users/me/", headers={"Authorization": f"Bearer {pair['access']}"}).status_code == 200
        )

    def works_refresh():
        return APIClient().post("/api/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 200

    def works_pages():
        return pages.get(PEOPLE).status_code == 200

    def works_address():
        return KnownAddress.objects.filter(user=anna, address="198.51.100.7").exists()

    assert works_access()
    assert works_pages()
    assert works_address()
    return {"access": works_access, "refresh": works_refresh, "pages": works_pages, "address": works_address}


# --- The ways --------------------------------------------------------------------------------------------------------


def as_pages_of(user):
    pages = Client()
    pages.force_login(user)
    return pages


def change(anna, **_fixtures):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(anna)['access']}")
    return client.post("/api/auth/password/change/", {"old_password": PASSWORD, "new_password": NEW})


def reset(anna, mailoutbox, **_fixtures):
    APIClient().post("/api/auth/password/reset/", {"email": anna.email})
    tasks.send_pending_emails()
    uid, token = re.search(r"/password/reset/([\w-]+)/([\w-]+)", mailoutbox.pop().body).groups()
    return APIClient().post("/api/auth/password/reset/confirm/", {"uid": uid, "token": token, "new_password": NEW})


def log_out_everywhere(anna, **_fixtures):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(anna)['access']}")
    return client.post("/api/auth/logout/all/")


def set_by_admin(anna, root, **_fixtures):
    fields = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    return as_pages_of(root).post(f"{PEOPLE}{anna.pk}/password/", fields)


def change_in_admin(anna, **_fixtures):
    fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    return as_pages_of(anna).post("/admin/password_change/", fields)


def change_by_command(anna, monkeypatch, **_fixtures):
    monkeypatch.setattr(getpass, "getpass", lambda prompt="": NEW)
    call_command("changepassword", anna.email, stdout=io.StringIO())


def deactivated(anna, root, **_fixtures):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(root)['access']}")
    return client.patch(f"/api/users/{anna.pk}/", {"is_active": False})


def put_to_sleep(anna, root, **_fixtures):
    return as_pages_of(root).post(PEOPLE, {"action": "deactivate", "_selected_action": [str(anna.pk)]})


def anonymised(anna, root, **_fixtures):
    return as_pages_of(root).post(PEOPLE, {"action": "anonymise", "_selected_action": [str(anna.pk)]})


def deleted(anna, **_fixtures):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(anna)['access']}")
    return client.delete("/api/users/me/")


NEW_PASSWORD = [change, reset, set_by_admin, change_in_admin, change_by_command]
GONE = [deactivated, put_to_sleep, anonymised, deleted]
every_way = pytest.mark.parametrize("way", [*NEW_PASSWORD, log_out_everywhere, *GONE])


@pytest.fixture
def go(anna, root, mailoutbox, monkeypatch):
    def go(way):
        response = way(anna, root=root, mailoutbox=mailoutbox, monkeypatch=monkeypatch)
        assert response is None or response.status_code in {200, 204, 302}, response.content

    return go


@every_way
def test_nothing_of_the_thiefs_works_afterwards(go, footholds, way):
    go(way)

    assert {name: works() for name, works in footholds.items()} == dict.fromkeys(footholds, False)


@pytest.mark.parametrize("way", [deactivated, put_to_sleep])
def test_nor_when_its_owner_is_woken(go, anna, footholds, way):
    go(way)
    User.objects.get(pk=anna.pk).activate()

    assert {name: works() for name, works in footholds.items()} == dict.fromkeys(footholds, False)


@pytest.mark.parametrize("way", NEW_PASSWORD)
def test_a_new_password_is_one(go, anna, way):
    User.objects.filter(pk=anna.pk).update(pending_email="thief@test.io")
    go(way)

    anna.refresh_from_db()
    assert anna.check_password(NEW)
    assert anna.pending_email == ""


def test_who_changes_it_in_the_admin_stays_there(anna):
    pages = as_pages_of(anna)

    pages.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})

    assert pages.get(PEOPLE).status_code == 200


def test_an_admin_takes_a_password_away(anna, root, footholds):
    as_pages_of(root).post(f"{PEOPLE}{anna.pk}/password/", {"usable_password": "false", "unset-password": "1"})

    anna.refresh_from_db()
    assert not anna.has_usable_password()
    assert not footholds["pages"]()


def test_of_the_row_the_admin_writes_the_password_alone(anna, root, monkeypatch):
    from users.admin import PasswordForm

    form = PasswordForm(User.objects.get(pk=anna.pk), {"password1": NEW, "password2": NEW, "usable_password": "true"})
    User.objects.filter(pk=anna.pk).update(city="Omsk", token_version=7)
    assert form.is_valid()
    form.save()

    anna.refresh_from_db()
    assert (anna.city, anna.token_version) == ("Omsk", 8)


# --- Linked sign-ins -------------------------------------------------------------------------------------------------


def letters(mailoutbox):
    tasks.send_pending_emails()
    return mailoutbox


def key_in(letter):
    prefix = f"{configured.BASE_URL}/api/auth/social/accounts/by-letter/"
    return re.search(rf"{re.escape(prefix)}(\S+)/", letter.body).group(1)


def page(key):
    return f"/api/auth/social/accounts/by-letter/{key}/"


@pytest.mark.parametrize("way", [*NEW_PASSWORD, log_out_everywhere])
def test_the_letter_tells_of_every_linked_sign_in_and_cuts_it(go, api, anna, mailoutbox, way):
    for provider in ("google", "vk", "yandex"):
        SocialAccountFactory(user=anna, provider=provider, uid="666")
    kept = SocialAccountFactory(uid="777")
    go(way)
    (letter,) = letters(mailoutbox)

    assert letter.to == ["anna@test.io"]
    assert all(name in letter.body for name in ("Google", "VK ID", "Yandex"))
    answer = api.post(page(key_in(letter)))

    assert (answer.status_code, answer.json()) == (200, {"accounts": []})
    assert list(SocialAccount.objects.all()) == [kept]


@pytest.mark.parametrize("way", NEW_PASSWORD)
def test_without_any_the_letter_leads_to_another_password(go, mailoutbox, way):
    go(way)

    (letter,) = letters(mailoutbox)
    assert "/password/reset" in letter.body
    assert "by-letter" not in letter.body


def test_signing_out_without_any_tells_nothing(go, mailoutbox):
    go(log_out_everywhere)

    assert letters(mailoutbox) == []


def test_cutting_ends_what_came_by_it(anna, footholds):
    SocialAccountFactory(user=anna)

    APIClient().post(page(keys.sign_ins_key(anna)))

    assert {name: works() for name, works in footholds.items()} == dict.fromkeys(footholds, False)


def test_the_page_shows_and_a_button_unlinks(anna):
    one, other = SocialAccountFactory(user=anna, provider="google"), SocialAccountFactory(user=anna, provider="vk")
    browser = Client(headers={"Accept": "text/html"})
    url = page(keys.sign_ins_key(anna))

    shown = browser.get(url)
    assert (shown.status_code, anna.social_accounts.count()) == (200, 2)
    assert f'value="{one.pk}"' in shown.content.decode()
    body = urlencode({"account": one.pk})
    left = browser.post(url, body, content_type="application/x-www-form-urlencoded")

    assert left.status_code == 200
    assert str(other.pk) in left.content.decode()
    assert anna.social_accounts.get() == other


def test_what_is_linked_elsewhere_stays(api, anna):
    other = SocialAccountFactory()
    SocialAccountFactory(user=anna)

    assert api.post(page(keys.sign_ins_key(anna)), {"account": str(other.pk)}).status_code == 200
    assert SocialAccount.objects.count() == 2


@pytest.mark.parametrize("body", [{"account": "x"}, {"account": None}, []])
def test_bodies_that_name_no_account(api, anna, body):
    SocialAccountFactory(user=anna)

    assert api.post(page(keys.sign_ins_key(anna)), body).status_code == 400
    assert anna.social_accounts.exists()


def test_keys_that_open_nothing(api, anna):
    SocialAccountFactory(user=anna)
    good = keys.sign_ins_key(anna)
    moved = UserFactory()
    old_address = keys.sign_ins_key(moved)
    User.objects.filter(pk=moved.pk).update(email="moved@test.io")

    for key in (good[:-1], f"{good}x", "x", keys.email_key(anna, anna.email), old_address):
        assert api.post(page(key)).status_code == 404
        assert Client(headers={"Accept": "text/html"}).get(page(key)).status_code == 404
    assert anna.social_accounts.exists()
