"""People who leave, or whom an admin takes out: anonymised, with the books kept."""

import pytest
from django.contrib.auth.models import Permission

from common.registry import anonymisers
from users import guessing
from users.models import KnownAddress, Notification, NotificationPreference, SocialAccount, TokenFamily, User
from users.tests.factories import PASSWORD, AdminFactory, NotificationFactory, SocialAccountFactory, UserFactory
from users.tokens import issue_pair

ME = "/api/users/me/"

pytestmark = pytest.mark.django_db


def of(user):
    return f"/api/users/{user.pk}/"


@pytest.fixture
def target():
    return UserFactory(email="target@test.io", last_name="Ivanova", phone="+7 900 000", city="Omsk", username="target")


@pytest.fixture
def superuser():
    return User.objects.create_superuser("root@test.io", PASSWORD)


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [ME, "/api/profile/", "own id"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"password": ""}, "blank"),
        ({"password": None}, "null"),
        ({"password": ["x"]}, "invalid"),
        ({"password": "a\x00b"}, "null_characters_not_allowed"),
        ({"password": "wrong-horse-7"}, "wrong_password"),
        ({"password": PASSWORD.upper()}, "wrong_password"),
    ],
)
def test_a_password_that_is_sent_is_looked_at(client_for, target, url, body, code):
    response = client_for("target").delete(of(target) if url == "own id" else url, body)

    assert response.status_code == 400
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("password", code)]
    target.refresh_from_db()
    assert (target.email, target.is_active) == ("target@test.io", True)


@pytest.mark.parametrize("url", [ME, "/api/profile/", "own id"])
@pytest.mark.parametrize("form", ["json", "multipart"])
def test_leave(client_for, target, url, form):
    client = client_for("target")

    response = client.delete(of(target) if url == "own id" else url, {"password": PASSWORD}, format=form)

    assert response.status_code == 204
    target.refresh_from_db()
    assert target.deactivation_reason == "deleted"


@pytest.mark.parametrize("url", [ME, "/api/profile/", "own id"])
def test_leave_soon_after_signing_in(client_for, target, url):
    response = client_for("target").delete(of(target) if url == "own id" else url)

    assert response.status_code == 204
    target.refresh_from_db()
    assert target.deactivation_reason == "deleted"


@pytest.mark.parametrize("body", [b"[]", b"[" * 5000, b'"x"', b"{"])
def test_bodies_that_hold_no_password(client_for, target, body):
    response = client_for("target").delete(ME, data=body, content_type="application/json")

    assert response.status_code == 400
    target.refresh_from_db()
    assert target.is_active


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("teacher", 403), ("moderator", 403), ("admin", 204), ("target", 204)],
)
def test_who_may_delete_an_account(client_for, target, who, status):
    response = client_for(who).delete(of(target), {"password": PASSWORD} if who == "target" else None)

    assert response.status_code == status
    target.refresh_from_db()
    assert (target.email == "target@test.io") is (status != 204)


# --- What is left ----------------------------------------------------------------------------------------------------


def test_leaving_takes_the_person_out(client_for, target):
    user = target
    user.user_permissions.add(Permission.objects.first())
    User.objects.filter(pk=user.pk).update(email_verified_at=user.date_joined)

    response = client_for("target").delete(ME, {"password": PASSWORD})

    assert response.status_code == 204
    user.refresh_from_db()
    assert user.email.startswith("deleted-")
    assert (user.username, user.first_name, user.last_name, user.phone, user.city) == (None, "", "", "", "")
    assert (user.email_verified_at, user.is_active, user.deactivation_reason) == (None, False, "deleted")
    assert not user.has_usable_password()
    assert not user.user_permissions.exists()


@pytest.mark.parametrize("who", ["moderator", "admin"])
def test_leaving_ends_every_right(client_for, request, who):
    client_for(who).delete(ME, {"password": PASSWORD})

    user = User.objects.get(pk=request.getfixturevalue(who).pk)
    assert (user.role, user.is_staff, user.is_superuser, user.is_moderator) == ("student", False, False, False)


def test_superuser_leaves(superuser, sign_in_as):
    sign_in_as(superuser).delete(ME, {"password": PASSWORD})

    superuser.refresh_from_db()
    assert (superuser.is_superuser, superuser.is_staff) == (False, False)


def test_leaving_ends_every_way_in(client_for, api, target):
    pair = issue_pair(target)
    client = client_for("target")

    client.delete(ME, {"password": PASSWORD})

    assert client.get(ME).status_code == 401
    assert api.post("/api/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert api.post("/api/auth/token/", {"email": "target@test.io", "password": PASSWORD}).status_code == 401
    assert not TokenFamily.objects.filter(user=target).exists()


def test_leaving_drops_what_only_the_person_needs(client_for, target):
    NotificationFactory(recipient=target)
    NotificationPreference.objects.create(user=target, kind="announcement")
    guessing.remember(target, "198.51.100.7")
    SocialAccountFactory(user=target)
    User.objects.filter(pk=target.pk).update(pending_email="new@test.io")

    client_for("target").delete(ME, {"password": PASSWORD})

    for model in (Notification, NotificationPreference, KnownAddress, SocialAccount):
        assert not model.objects.exists(), model
    target.refresh_from_db()
    assert target.pending_email == ""


def test_leaving_frees_email_and_username(client_for, api, target):
    client_for("target").delete(ME, {"password": PASSWORD})

    response = api.post(
        "/api/auth/register/", {"email": "target@test.io", "username": "target", "password": "korrekt-horse-9"}
    )

    assert response.status_code == 201


def test_leaving_asks_every_app(client_for, target, monkeypatch):
    asked = []
    monkeypatch.setattr(anonymisers, "parts", [*anonymisers.parts, asked.append])

    client_for("target").delete(ME, {"password": PASSWORD})

    assert asked == [target]


def test_leaving_is_all_or_nothing(client_for, target, monkeypatch):
    def fail(user):
        raise RuntimeError("no")

    monkeypatch.setattr(anonymisers, "parts", [*anonymisers.parts, fail])
    client = client_for("target")
    client.raise_request_exception = False

    response = client.delete(ME, {"password": PASSWORD})

    assert response.status_code == 500
    target.refresh_from_db()
    assert (target.email, target.is_active) == ("target@test.io", True)


def test_those_who_left_are_nobody_to_others(client_for, target):
    client_for("target").delete(ME, {"password": PASSWORD})

    response = client_for("student").get(of(target))

    assert response.status_code == 404


def test_admins_may_be_deleted_by_admins(client_for):
    colleague = AdminFactory()

    response = client_for("admin").delete(of(colleague))

    assert response.status_code == 204
