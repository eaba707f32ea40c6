"""Verifying an address, and changing it."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import signing
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from common.ids import new_id
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import account, keys, tasks
from users.models import Notification, User
from users.tests.factories import PASSWORD, UserFactory

CHANGE = "/api/auth/email/change/"
VERIFY = "/api/auth/email/verify/"
RESEND = "/api/auth/email/verify/resend/"
NEW = "new@test.io"

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io", first_name="Anna", language="en", email_verified_at=None)


@pytest.fixture
def client(anna, sign_in_as):
    return sign_in_as(anna)


def errors_of(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def letters_to(address, mailoutbox):
    """Those that wait are sent; all that went to the address."""
    tasks.send_pending_emails()
    return [letter for letter in mailoutbox if letter.to == [address]]


def key_in(letter):
    return re.search(r"https://lyceum\.test/email/verify/(\S+)", letter.body).group(1)


def verify(key):
    return APIClient(raise_request_exception=False).post(VERIFY, {"key": key})


def change(client, email=NEW, password=PASSWORD):
    return client.post(CHANGE, {"email": email, "password": password})


def state(user):
    return User.objects.values_list("email", "email_verified_at", "pending_email").get(pk=user.pk)


# --- Verifying -------------------------------------------------------------------------------------------------------


def test_registering_sends_a_letter(api, mailoutbox):
    api.post("/api/auth/register/", {"email": "anna@test.io", "password": PASSWORD, "first_name": "Buy now"})

    (letter,) = letters_to("anna@test.io", mailoutbox)
    assert "Buy now" not in letter.body  # it may go to a stranger
    response = verify(key_in(letter))

    assert response.status_code == 204
    assert response.content == b""
    assert User.objects.get().email_verified_at is not None


def test_registering_in_vain_sends_none(api, anna, mailoutbox):
    api.post("/api/auth/register/", {"email": "ANNA@test.io", "password": PASSWORD})

    assert letters_to("anna@test.io", mailoutbox) == []


@pytest.mark.parametrize("path", ["/api/users/me/", "/api/courses/", "/api/users/me/courses/"])
def test_an_unverified_email_is_no_obstacle(client, path):
    assert client.get(path).status_code == 200


def test_an_unverified_email_may_buy(client, course, stripe):
    response = client.post("/api/payments/", {"paid_course": str(course.pk)})

    assert response.status_code == 201


def test_a_key_works_once(anna):
    key = keys.email_key(anna, anna.email)
    verify(key)

    response = verify(key)

    assert response.status_code == 400
    assert errors_of(response) == [("key", "invalid_key")]


@pytest.mark.parametrize(("later", "status"), [(timedelta(days=2, hours=23), 204), (timedelta(days=3, hours=1), 400)])
def test_a_key_expires(anna, later, status):
    key = keys.email_key(anna, anna.email)

    with time_machine.travel(timezone.now() + later):
        response = verify(key)

    assert response.status_code == status


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "other@test.io"},
        {"email_verified_at": timezone.now()},
        {"is_active": False},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_kills_a_key(anna, fields):
    key = keys.email_key(anna, anna.email)
    User.objects.filter(pk=anna.pk).update(**fields)
    before = state(anna)

    response = verify(key)

    assert errors_of(response) == [("key", "invalid_key")]
    assert state(anna) == before


def test_keys_that_somebody_made_up(anna):
    good = keys.email_key(anna, anna.email)
    claims = signing.loads(good, salt=keys.SALT)
    forged = [
        good[:-1],
        good + "x",
        "x",
        ":",
        "::",
        "ж:ж:ж",
        signing.dumps(claims),
        signing.dumps(claims, salt=keys.SALT, key="another-key"),
        keys.email_key(anna, "stranger@test.io"),
        keys.email_key(anna, ""),
        keys.email_key(UserFactory(), anna.email),
        "x" * 2000,
    ]

    responses = [verify(key) for key in forged]

    assert [errors_of(response) for response in responses] == [[("key", "invalid_key")]] * len(forged)
    assert state(anna) == ("anna@test.io", None, "")


@pytest.mark.parametrize("key", ["", None, ["x"], "a\x00b", "x" * 2001])
def test_what_is_no_key(api, db, key):
    response = api.post(VERIFY, {"key": key})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "key"


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_sixteen_uses_of_a_key_one_wins():
    anna = UserFactory(email=f"{new_id()}@test.io")
    key = keys.email_key(anna, anna.email)

    statuses = at_once(16, lambda number: verify(key).status_code)

    assert sorted(statuses) == [204] + [400] * 15


# --- Asking for the letter again -------------------------------------------------------------------------------------


def test_send_the_letter_again(client, anna, mailoutbox):
    response = client.post(RESEND)

    assert response.status_code == 204
    (letter,) = letters_to("anna@test.io", mailoutbox)
    assert verify(key_in(letter)).status_code == 204


def test_nothing_is_sent_when_nothing_is_to_be_verified(client, anna, mailoutbox):
    User.objects.filter(pk=anna.pk).update(email_verified_at=timezone.now())

    response = client.post(RESEND)

    assert response.status_code == 204
    assert letters_to("anna@test.io", mailoutbox) == []


def test_during_a_change_it_goes_to_the_new_address(client, mailoutbox):
    change(client)
    client.post(RESEND)

    assert len(letters_to(NEW, mailoutbox)) == 2


def test_sending_again_needs_a_token(api, db):
    assert api.post(RESEND).status_code == 401


def test_sending_again_is_throttled(client, monkeypatch):
    rates = {"anon": None, "user": None, "password_reset": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)

    assert [client.post(RESEND).status_code for _ in range(3)] == [204, 204, 429]


# --- Changing --------------------------------------------------------------------------------------------------------


def test_change_my_email(client, anna, mailoutbox):
    response = change(client)

    assert response.status_code == 204
    assert response.content == b""
    assert state(anna) == ("anna@test.io", None, NEW)
    (letter,) = letters_to(NEW, mailoutbox)
    verify(key_in(letter))
    email, verified_at, pending = state(anna)
    assert (email, pending) == (NEW, "")
    assert verified_at is not None


def test_the_old_address_is_told_before_and_after(client, anna, mailoutbox):
    User.objects.filter(pk=anna.pk).update(email_verified_at=timezone.now())
    change(client)
    (before,) = letters_to("anna@test.io", mailoutbox)
    verify(key_in(letters_to(NEW, mailoutbox)[0]))
    _, after = letters_to("anna@test.io", mailoutbox)

    assert (before.subject, after.subject) == ("Your email is about to change", "Your email has changed")
    assert NEW in before.body
    assert "email/verify" not in before.body + after.body


def test_a_stranger_is_not_told_of_an_address(client, mailoutbox):
    """Whoever opened the account with theirs could write to them by it: get-it-at-evil.test@test.io."""
    change(client)
    (before,) = letters_to("anna@test.io", mailoutbox)
    verify(key_in(letters_to(NEW, mailoutbox)[0]))
    _, after = letters_to("anna@test.io", mailoutbox)

    assert NEW not in before.body + after.body


def test_of_letters_to_verify_an_address_it_gets_five_an_hour(client, sign_in_as, mailoutbox):
    """Whoever asks for them, and however it is spelt."""
    for _ in range(4):
        change(client, "victim@test.io")
    for email in ("Victim@test.io", "VICTIM@test.io", "victim@Test.io"):
        change(sign_in_as(UserFactory()), email)

    tasks.send_pending_emails()
    assert len([letter for letter in mailoutbox if letter.to[0].lower() == "victim@test.io"]) == 5


def test_the_old_address_is_told_however_late_the_letter_goes(client, anna, mailoutbox):
    """The mail server was away until the change had taken effect."""
    change(client)
    anna.refresh_from_db()
    verify(keys.email_key(anna, NEW))

    assert len(letters_to("anna@test.io", mailoutbox)) == 2


def test_log_in_by_the_new_address(client, api, anna):
    change(client)
    anna.refresh_from_db()
    statuses = []
    for email in (NEW, "anna@test.io"):
        statuses.append(api.post("/api/auth/token/", {"email": email, "password": PASSWORD}).status_code)
    verify(keys.email_key(anna, NEW))
    for email in (NEW, "anna@test.io"):
        statuses.append(api.post("/api/auth/token/", {"email": email, "password": PASSWORD}).status_code)

    assert statuses == [401, 200, 200, 401]


def test_changing_needs_the_password(client, anna, mailoutbox):
    response = change(client, password="wrong-horse-7")

    assert response.status_code == 400
    assert errors_of(response) == [("password", "wrong_password")]
    assert state(anna) == ("anna@test.io", None, "")
    assert letters_to(NEW, mailoutbox) == []


def test_changing_needs_a_token(api, anna):
    assert change(api).status_code == 401


@pytest.mark.parametrize("email", ["boris@test.io", "BORIS@test.io", "anna@test.io"])
def test_a_taken_email_answers_as_registering_does(client, api, anna, mailoutbox, email):
    UserFactory(email="boris@test.io")
    registering = api.post("/api/auth/register/", {"email": email, "password": "korrekt-horse-9"})

    response = change(client, email)

    assert response.status_code == 400
    assert response.json()["errors"] == registering.json()["errors"]
    assert state(anna) == ("anna@test.io", None, "")
    assert letters_to("boris@test.io", mailoutbox) == []


def test_without_the_password_nobody_learns_which_emails_are_taken(client):
    UserFactory(email="boris@test.io")

    answers = [change(client, email, "wrong-horse-7").content for email in ("boris@test.io", NEW)]

    assert answers[0] == answers[1]


def test_changing_is_throttled_as_registering_is(client, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "register": "2/min"})

    assert [change(client, f"{number}@test.io").status_code for number in range(3)] == [204, 204, 429]


def test_another_case_of_ones_own_email(client, anna, mailoutbox):
    change(client, "Anna@test.io")
    verify(key_in(letters_to("Anna@test.io", mailoutbox)[0]))

    assert state(anna)[0] == "Anna@test.io"


@pytest.mark.parametrize("email", ["", "x", None, "a\x00@test.io", ["x"], "x" * 250 + "@test.io"])
def test_what_is_no_address(client, anna, email):
    response = change(client, email)

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "email"
    assert state(anna) == ("anna@test.io", None, "")


def test_a_second_change_takes_the_first_back(client, anna, mailoutbox):
    """The first address was mistyped: whoever reads letters there must not get the account."""
    change(client, "mistyped@test.io")
    mistyped = key_in(letters_to("mistyped@test.io", mailoutbox)[0])
    change(client)

    response = verify(mistyped)

    assert errors_of(response) == [("key", "invalid_key")]
    assert state(anna) == ("anna@test.io", None, NEW)


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_takes_a_change_back(client, anna, way):
    """Somebody else had asked for it, with the old password."""
    change(client)
    anna.refresh_from_db()
    key = keys.email_key(anna, NEW)
    if way == "change":
        account.change_password(user=anna, password="brighter-staple-9")
    else:
        account.reset_password(user=anna, password="brighter-staple-9", address="")

    response = verify(key)

    assert errors_of(response) == [("key", "invalid_key")]
    assert state(anna)[::2] == ("anna@test.io", "")


def test_a_new_password_in_the_admin_takes_a_change_back(client, anna, client_for, django_user_model):
    from django.test import Client

    root = User.objects.create_superuser("root@test.io", PASSWORD)
    change(client)
    pages = Client()
    pages.force_login(root)

    pages.post(
        f"/admin/users/user/{anna.pk}/password/",
        {"password1": "brighter-staple-9", "password2": "brighter-staple-9", "usable_password": "true"},
    )

    anna.refresh_from_db()
    assert anna.check_password("brighter-staple-9")
    assert anna.pending_email == ""


def test_verifying_the_present_address_ends_the_keys_of_a_change(client, anna):
    present = keys.email_key(anna, anna.email)
    change(client)
    anna.refresh_from_db()
    wanted = keys.email_key(anna, NEW)

    assert [verify(present).status_code, verify(wanted).status_code] == [204, 400]
    assert state(anna)[::2] == ("anna@test.io", NEW)
    anna.refresh_from_db()
    assert verify(keys.email_key(anna, NEW)).status_code == 204


def test_an_address_that_somebody_took_meanwhile(client, anna):
    change(client)
    anna.refresh_from_db()
    UserFactory(email="New@test.io")

    response = verify(keys.email_key(anna, NEW))

    assert response.status_code == 400
    assert errors_of(response) == [("key", "unique")]
    assert state(anna) == ("anna@test.io", None, NEW)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_who_want_one_address_one_gets_it():
    wanted = f"{new_id()}@test.io"
    people = [UserFactory(email=f"{new_id()}@test.io", pending_email=wanted) for _ in range(8)]
    wanted_keys = [keys.email_key(user, wanted) for user in people]

    statuses = at_once(8, lambda number: verify(wanted_keys[number]).status_code)

    assert sorted(statuses) == [204] + [400] * 7
    assert User.objects.filter(email=wanted).count() == 1


def test_keys_are_stored_nowhere(client, mailoutbox):
    change(client)
    key = key_in(letters_to(NEW, mailoutbox)[0])

    rows = Notification.objects.values()
    assert len(rows) == 2
    assert key not in str(list(rows))
    assert {row["in_app"] for row in rows} == {False}


@pytest.mark.parametrize("method", ["patch", "put"])
@pytest.mark.parametrize("path", ["/api/users/me/", "/api/profile/", "own id"])
def test_change_it_by_the_profile(client, anna, mailoutbox, path, method):
    path = f"/api/users/{anna.pk}/" if path == "own id" else path
    response = getattr(client, method)(path, {"email": NEW, "city": "Omsk"})

    assert response.status_code == 200, response.json()
    body = response.json()
    assert (body["email"], body["pending_email"], body["city"]) == ("anna@test.io", NEW, "Omsk")
    (letter,) = letters_to(NEW, mailoutbox)
    assert len(letters_to("anna@test.io", mailoutbox)) == 1
    verify(key_in(letter))
    body = client.get(path).json()
    assert (body["email"], body["pending_email"]) == (NEW, None)


def test_the_present_email_in_the_profile_changes_nothing(client, anna, mailoutbox):
    change(client)

    response = client.patch("/api/users/me/", {"email": "anna@test.io"})

    assert (response.status_code, response.json()["pending_email"]) == (200, NEW)
    assert len(letters_to("anna@test.io", mailoutbox)) == 1


@pytest.mark.parametrize("email", ["x", "", None, "boris@test.io", "BORIS@test.io"])
def test_emails_that_the_profile_refuses(client, anna, email):
    UserFactory(email="boris@test.io")

    response = client.patch("/api/users/me/", {"email": email, "city": "Omsk"})

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "email"
    assert state(anna) == ("anna@test.io", None, "")
    anna.refresh_from_db()
    assert anna.city == ""


def test_the_profile_tells_no_oftener_than_registering(client, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "register": "2/min"})

    statuses = [client.patch("/api/users/me/", {"email": f"{number}@test.io"}).status_code for number in range(3)]

    assert statuses == [200, 200, 429]
    assert client.patch("/api/users/me/", {"city": "Omsk"}).status_code == 200


def test_an_admin_begins_the_change_of_another(client_for, anna, mailoutbox):
    response = client_for("admin").patch(f"/api/users/{anna.pk}/", {"email": NEW})

    assert (response.json()["email"], response.json()["pending_email"]) == ("anna@test.io", NEW)
    assert len(letters_to(NEW, mailoutbox)) == 1


@pytest.mark.parametrize("name", ["pending_email", "email_verified_at"])
def test_no_other_way_to_change_it(client, anna, name):
    client.patch("/api/users/me/", {name: "2030-01-01T00:00:00Z" if name == "email_verified_at" else NEW})

    assert state(anna) == ("anna@test.io", None, "")
