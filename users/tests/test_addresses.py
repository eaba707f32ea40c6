"""Email addresses, handles and passwords: what is one, and that each has one spelling, wherever it comes in."""

import io
import unicodedata

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.test import APIClient

from common.email_addresses import AddressField, normal_address
from common.fields import AddressField as AddressInput
from common.fields import NewAddressField
from common.testing.databases import on_postgresql
from common.testing.serializers import serializer_classes
from common.testing.threads import at_once
from community.models import Feedback
from users import tasks
from users.models import Notification, User
from users.services import anonymise_user
from users.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NO_ADDRESSES = [
    "x@deleted.invalid",
    "x@invalid",
    "x@a.INVALID",
    "x@localhost",
    "x@sub.localhost",
    "x@127.0.0.1",
    "x@192.168.10.10",
    "x@[192.168.10.10]",
    "x@[::1]",
    "x@[IPv6:2001:db8::1]",
    "x@1.0x7f000001",
    "x@2130706433",
    f"{'l' * 65}@test.io",
    f"x@{'d' * 64}.io",
    f"x@{'d' * 60}.{'d' * 60}.{'d' * 60}.{'d' * 60}.{'d' * 9}.io",
    "x@xn--a.io",
    "x@te st.io",
    "x@test",
]
SPELLINGS = [
    "x@почта.рф",
    "x@xn--80a1acny.xn--p1ai",
    "X@XN--80A1ACNY.xn--P1AI",
    "x@ПОЧТА.РФ",
    "x@почта。рф",
    unicodedata.normalize("NFD", "x@почтай.рф").replace("и\u0306", ""),
]
ASCII = SPELLINGS[1]
COMPOSED = unicodedata.normalize("NFC", "пароль-йёж-7é")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
NEW = "brighter-staple-9"


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io", first_name="Anna", language="en")


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("root@test.io", PASSWORD))
    return client


# --- Every entrance --------------------------------------------------------------------------------------------------


@pytest.fixture
def entrances(anna, sign_in_as, staff, monkeypatch, idp):
    """Each offers an address as somebody's new one and says whether it was taken."""

    def by_social_sign_in(email):
        begun = APIClient().get("/api/auth/social/google/").json()
        back = idp.consent(begun["authorization_url"], uid=email, email=email, email_verified=True)
        body = {"code": back["code"], "state": back["state"]}
        return APIClient().post("/api/auth/social/google/", body).status_code == 200

    def by_csu(email):
        monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", email)
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        try:
            call_command("csu", stdout=io.StringIO())
        except CommandError:
            return False
        return True

    def by_createsuperuser(email):
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        try:
            with transaction.atomic():
                call_command("createsuperuser", interactive=False, email=email, stdout=io.StringIO())
        except (CommandError, IntegrityError):
            return False
        return True

    def in_admin(path, **fields):
        return staff.post(path, fields).status_code == 302

    def by_admin_change(email):
        fields = {"email": email, "role": "student", "language": "en", "time_zone": "Europe/Moscow", "is_active": "on"}
        return in_admin(f"/admin/users/user/{anna.pk}/change/", **fields)

    def by_admin_add(email):
        fields = {"email": email, "role": "student", "usable_password": "true", "password1": NEW, "password2": NEW}
        return in_admin("/admin/users/user/add/", **fields)

    def by_api(method, path, client=None, **fields):
        return lambda email: (
            getattr(client or APIClient(), method)(path, {"email": email, **fields}).status_code // 100 == 2
        )

    own = sign_in_as(anna)
    return {
        "register": by_api("post", "/api/auth/register/", password=NEW),
        "users": by_api("post", "/api/users/", password=NEW),
        "email/change": by_api("post", "/api/auth/email/change/", own),
        "patch me": by_api("patch", "/api/users/me/", own),
        "put profile": by_api("put", "/api/profile/", own),
        "patch own": by_api("patch", f"/api/users/{anna.pk}/", own),
        "feedback": by_api("post", "/api/feedback/", name="A", subject="B", message="C"),
        "admin change": by_admin_change,
        "admin add": by_admin_add,
        "social": by_social_sign_in,
        "csu": by_csu,
        "createsuperuser": by_createsuperuser,
    }


ENTRANCES = [
    "register", "users", "email/change", "patch me", "put profile", "patch own", "feedback", "admin change",
    "admin add", "social", "csu", "createsuperuser",
]  # fmt: skip


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_is_nobodys_mailbox_comes_in_nowhere(entrances, entrance):
    before = set(User.objects.values_list("email", "pending_email"))

    taken = [email for email in NO_ADDRESSES if entrances[entrance](email)]

    assert taken == []
    assert set(User.objects.values_list("email", "pending_email")) == before
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_mailbox_is_stored_in_one_spelling(entrances, entrance):
    assert entrances[entrance]("x@почта.рф")

    stored = {*User.objects.values_list("email", flat=True), *User.objects.values_list("pending_email", flat=True)}
    assert ASCII in stored | set(Feedback.objects.values_list("email", flat=True))


@pytest.mark.parametrize("entrance", [name for name in ENTRANCES if name not in {"feedback", "csu", "social"}])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_mailbox_has_one_account(entrances, entrance, spelling):
    UserFactory(email="x@почта.рф")

    assert not entrances[entrance](spelling)


def test_entrances_are_all_there(entrances):
    assert list(entrances) == ENTRANCES


def test_every_column_of_addresses_has_one_spelling():
    columns = {
        (model.__name__, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.EmailField) and not isinstance(field, AddressField)
    }

    assert columns == {("Notification", "email_to")}  # a copy of a user's


def test_every_serializer_that_takes_an_address_spells_it():
    found = {
        (cls.__name__, name): field
        for cls in serializer_classes()
        for name, field in cls._declared_fields.items()
        if isinstance(field, serializers.EmailField) and not field.read_only
    }

    assert {key for key, field in found.items() if not isinstance(field, AddressInput)} == set()
    # Old accounts, whatever their address, log in and set passwords.
    assert {key for key, field in found.items() if not isinstance(field, NewAddressField)} == {
        ("TokenObtainSerializer", "email"),
        ("TokenObtainSerializer", "username"),
        ("PasswordResetSerializer", "email"),
    }


# --- One spelling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("registered", SPELLINGS[:2])
@pytest.mark.parametrize("typed", SPELLINGS)
def test_every_spelling_logs_in(api, registered, typed):
    api.post("/api/auth/register/", {"email": registered, "password": NEW})

    response = api.post("/api/auth/token/", {"email": typed, "password": NEW})

    assert response.status_code == 200, response.json()


@pytest.mark.parametrize("typed", SPELLINGS)
def test_every_spelling_enters_the_admin(client, typed):
    User.objects.create_superuser("x@почта.рф", PASSWORD)

    response = client.post("/admin/login/", {"username": typed, "password": PASSWORD})

    assert response.status_code == 302


@pytest.mark.parametrize("typed", SPELLINGS)
def test_letters_go_to_the_mailbox(api, mailoutbox, typed):
    UserFactory(email="x@почта.рф")

    api.post("/api/auth/password/reset/", {"email": typed})
    tasks.send_pending_emails()

    assert [letter.to for letter in mailoutbox] == [[ASCII]]


def test_spellings_are_no_more_guesses(api):
    UserFactory(email="x@почта.рф")
    bodies = [{"email": SPELLINGS[number % 5], "password": f"wrong-{number}"} for number in range(11)]

    statuses = [api.post("/api/auth/token/", body).status_code for body in bodies]

    assert statuses == [401] * 10 + [429]


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_spellings_at_once_one_registers():
    statuses = at_once(
        8,
        lambda number: (
            APIClient(raise_request_exception=False)
            .post("/api/auth/register/", {"email": SPELLINGS[number % 5], "password": NEW})
            .status_code
        ),
    )

    assert sorted(statuses) == [201] + [400] * 7


def test_rows_that_are_written_by_hand_are_spelt_too():
    UserFactory(email="x@XN--80a1acny.xn--p1ai")
    User.objects.bulk_create([User(email="y@ПОЧТА.рф")])
    User.objects.filter(email="y@почта.рф").update(pending_email="z@xn--80a1acny.xn--p1ai")

    assert set(User.objects.values_list("email", "pending_email")) == {
        (ASCII, ""),
        (ASCII.replace("x", "y", 1), ASCII.replace("x", "z", 1)),
    }


@pytest.mark.parametrize(
    ("address", "spelt"),
    [("a@faß.de", "a@xn--fa-hia.de"), ("a@TEST.io", "a@test.io"), ("a@münchen.de", "a@xn--mnchen-3ya.de")],
)
def test_the_one_spelling(address, spelt):
    assert normal_address(address) == normal_address(spelt) == spelt


def test_a_handle_is_spelt_as_it_looks(api, sign_in_as, anna):
    body = {"email": "b@test.io", "password": NEW, "username": "\uff41nna.k"}
    registered = api.post("/api/auth/register/", body)

    response = sign_in_as(anna).patch("/api/users/me/", {"username": "ANNA\uff0ek"})

    assert registered.json()["username"] == "anna.k"
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("username", "unique")]


# --- Passwords -------------------------------------------------------------------------------------------------------


def may_log_in(password, email):
    return APIClient().post("/api/auth/token/", {"email": email, "password": password}).status_code == 200


def registered(email, password, **_fixtures):
    APIClient().post("/api/auth/register/", {"email": email, "password": password})


def changed(email, password, sign_in_as, **_fixtures):
    client = sign_in_as(UserFactory(email=email))
    client.post("/api/auth/password/change/", {"old_password": PASSWORD, "new_password": password})


def reset(email, password, mailoutbox, **_fixtures):
    UserFactory(email=email)
    APIClient().post("/api/auth/password/reset/", {"email": email})
    tasks.send_pending_emails()
    uid, token = mailoutbox[-1].body.partition("/password/reset/")[2].split()[0].split("/")[:2]
    body = {"uid": uid, "token": token, "new_password": password}
    APIClient().post("/api/auth/password/reset/confirm/", body)


def made_by_csu(email, password, monkeypatch, **_fixtures):
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", email)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    call_command("csu", stdout=io.StringIO())


def set_in_admin(email, password, staff, **_fixtures):
    fields = {"password1": password, "password2": password, "usable_password": "true"}
    staff.post(f"/admin/users/user/{UserFactory(email=email).pk}/password/", fields)


def added_in_admin(email, password, staff, **_fixtures):
    fields = {"password1": password, "password2": password, "usable_password": "true"}
    staff.post("/admin/users/user/add/", {"email": email, "role": "admin", **fields})


@pytest.mark.parametrize("way", [registered, changed, reset, made_by_csu, set_in_admin, added_in_admin])
@pytest.mark.parametrize(("typed_first", "typed_then"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_a_password_opens_however_it_is_composed(
    way, typed_first, typed_then, sign_in_as, mailoutbox, monkeypatch, staff
):
    way("b@test.io", typed_first, sign_in_as=sign_in_as, mailoutbox=mailoutbox, monkeypatch=monkeypatch, staff=staff)

    assert may_log_in(typed_then, "b@test.io")
    assert may_log_in(typed_first, "b@test.io")
    User.objects.filter(email="b@test.io").update(role="admin")
    staff.logout()
    assert staff.post("/admin/login/", {"username": "b@test.io", "password": typed_then}).status_code == 302


def test_a_proof_is_a_password_too(sign_in_as):
    user = UserFactory()
    user.set_password(COMPOSED)
    user.save()

    assert sign_in_as(user).delete("/api/users/me/", {"password": DECOMPOSED}).status_code == 204


def test_composing_takes_no_time(api, anna):
    """One character may become 18."""
    response = api.post("/api/auth/token/", {"email": anna.email, "password": "\ufdfa" * 100_000})

    assert response.json()["errors"][0]["code"] == "max_length"


# --- People who left -------------------------------------------------------------------------------------------------


def test_nobody_can_take_the_address_of_who_leaves(api, anna):
    squatted = api.post("/api/auth/register/", {"email": f"deleted-{anna.pk}@invalid.invalid", "password": NEW})

    anonymise_user(anna)

    assert squatted.status_code == 400
    anna.refresh_from_db()
    assert str(anna.pk) not in anna.email
    assert anna.email.endswith(".invalid")


def test_who_has_left_can_be_saved_in_the_admin(staff, anna):
    anonymise_user(anna)
    anna.refresh_from_db()
    fields = {"role": "student", "language": "ru", "time_zone": "Europe/Moscow", "email": "back@test.io"}

    response = staff.post(f"/admin/users/user/{anna.pk}/change/", fields)

    assert response.status_code == 302
    email = anna.email
    anna.refresh_from_db()
    assert (anna.language, anna.email) == ("ru", email)


def test_an_address_that_an_admin_sets_is_to_be_verified(staff, anna):
    User.objects.filter(pk=anna.pk).update(email_verified_at=timezone.now(), pending_email="c@test.io")
    fields = {"email": "b@test.io", "role": "student", "language": "en", "time_zone": "Europe/Moscow"}

    staff.post(f"/admin/users/user/{anna.pk}/change/", {**fields, "is_active": "on"})

    anna.refresh_from_db()
    assert (anna.email, anna.pending_email, anna.email_verified_at) == ("b@test.io", "", None)
    assert Notification.objects.get().email_to == "b@test.io"
