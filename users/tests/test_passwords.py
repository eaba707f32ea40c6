"""How passwords are kept, changed and set anew."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings as configured
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from common.ids import new_id
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import account, account_letters, tasks
from users.keys import reset_tokens
from users.models import KnownAddress, Notification, PasswordResetRequest, TokenFamily, User
from users.tests.factories import PASSWORD, UserFactory
from users.tokens import issue_pair

HASHERS = list(configured.PASSWORD_HASHERS)
NEW = "brighter-staple-9"
CHANGE = "/api/auth/password/change/"
RESET = "/api/auth/password/reset/"
CONFIRM = "/api/auth/password/reset/confirm/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io", first_name="Anna", language="en")


def errors_of(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def alive(pair):
    """Of the access and the refresh token."""
    access = APIClient().get("/api/users/me/", headers={"Authorization": f"Bearer {pair['access']}"})
    refresh = APIClient().post("/api/auth/token/verify/", {"token": pair["refresh"]})
    return [access.status_code == 200, refresh.status_code == 200]


def may_log_in(password, email="anna@test.io"):
    return APIClient().post("/api/auth/token/", {"email": email, "password": password}).status_code == 200


def letters(mailoutbox):
    """Those that wait are sent; all that have been."""
    tasks.send_pending_emails()
    return mailoutbox


def link_in(letter):
    """(uid, token)"""
    return re.search(r"https://lyceum\.test/password/reset/([\w-]+)/([\w-]+)", letter.body).groups()


@pytest.fixture
def link(anna, mailoutbox):
    APIClient().post(RESET, {"email": anna.email})
    return link_in(letters(mailoutbox)[-1])


def confirm(link, password=NEW):
    uid, token = link
    return APIClient(raise_request_exception=False).post(
        CONFIRM, {"uid": uid, "token": token, "new_password": password}
    )


# --- How they are kept -----------------------------------------------------------------------------------------------


@pytest.fixture
def real_hashers(settings, _fast_passwords):
    settings.PASSWORD_HASHERS = HASHERS


@pytest.mark.usefixtures("real_hashers")
def test_argon2id_at_the_recommended_minimum(api):
    api.post("/api/auth/register/", {"email": "anna@test.io", "password": PASSWORD})

    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.usefixtures("real_hashers", "anna_with_argon2")
def test_log_in():
    assert may_log_in(PASSWORD)
    assert not may_log_in("wrong-horse-7")


@pytest.fixture
def anna_with_argon2(real_hashers):
    return UserFactory(email="anna@test.io")


def test_an_older_hash_is_renewed_at_log_in(anna_with_argon2):
    user = anna_with_argon2
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    assert may_log_in(PASSWORD)

    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$")


# --- Changing --------------------------------------------------------------------------------------------------------


def change(user, old=PASSWORD, new=NEW, client=None):
    if client is None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(user)['access']}")
    return client.post(CHANGE, {"old_password": old, "new_password": new})


def test_change_my_password(anna):
    response = change(anna)

    assert response.status_code == 204
    assert response.content == b""
    assert (may_log_in(NEW), may_log_in(PASSWORD)) == (True, False)


def test_changing_ends_every_token_at_once(anna):
    phone, laptop = issue_pair(anna), issue_pair(anna)

    change(anna)

    assert [alive(phone), alive(laptop)] == [[False, False], [False, False]]
    assert not TokenFamily.objects.filter(user=anna).exists()


def test_changing_leaves_others_alone(anna):
    pair = issue_pair(UserFactory())

    change(anna)

    assert alive(pair) == [True, True]


def test_changing_needs_the_old_password(anna):
    pair = issue_pair(anna)

    response = change(anna, old="wrong-horse-7")

    assert response.status_code == 400
    assert errors_of(response) == [("old_password", "wrong_password")]
    assert may_log_in(PASSWORD)
    assert alive(pair) == [True, True]


def test_changing_needs_a_token(api, anna):
    response = api.post(CHANGE, {"old_password": PASSWORD, "new_password": NEW})

    assert response.status_code == 401


WEAK = [
    ("short-1", "password_too_short"),
    ("password123", "password_too_common"),
    ("49302715820", "password_entirely_numeric"),
    ("anna@test.io", "password_too_similar"),
    ("x" * 129, "max_length"),
    ("", "blank"),
    (None, "null"),
    ("brighter\x00staple-9", "null_characters_not_allowed"),
    (["x"], "invalid"),
]


@pytest.mark.parametrize(("password", "code"), WEAK)
def test_weak_new_passwords(anna, password, code):
    pair = issue_pair(anna)

    response = change(anna, new=password)

    assert response.status_code == 400
    assert errors_of(response) == [("new_password", code)]
    assert may_log_in(PASSWORD)
    assert alive(pair) == [True, True]


def test_spaces_around_a_new_password_belong_to_it(anna):
    change(anna, new=f" {NEW} ")

    assert (may_log_in(f" {NEW} "), may_log_in(NEW)) == (True, False)


@pytest.mark.parametrize("missing", ["old_password", "new_password"])
def test_both_passwords_are_needed(sign_in_as, anna, missing):
    body = {"old_password": PASSWORD, "new_password": NEW}
    del body[missing]

    response = sign_in_as(anna).post(CHANGE, body)

    assert errors_of(response) == [(missing, "required")]


def test_of_two_changes_from_one_password_one_wins(anna):
    """The second one was checked against a password that is not the present one any more."""
    late = User.objects.get(pk=anna.pk)
    change(anna)

    with pytest.raises(account.RuleBroken):
        account.change_password(user=late, password="a-third-one-11")

    assert may_log_in(NEW)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_sixteen_changes_at_once_one_wins(sign_in_as):
    user = UserFactory(email=f"{new_id()}@test.io")
    client = sign_in_as(user)
    header = client._credentials["HTTP_AUTHORIZATION"]

    def one(number):
        mine = APIClient(raise_request_exception=False)
        mine.credentials(HTTP_AUTHORIZATION=header)
        return change(user, new=f"{NEW}-{number}", client=mine).status_code

    statuses = at_once(16, one)

    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 400, 401, 409, 429}
    assert may_log_in(f"{NEW}-{statuses.index(204)}", email=user.email)


# --- Asking for a letter ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["anna@test.io", "ANNA@Test.IO", " anna@test.io "])
def test_a_letter_with_a_link(api, anna, mailoutbox, email):
    User.objects.update(email_verified_at=timezone.now())  # so that the name is hers

    response = api.post(RESET, {"email": email})

    assert response.status_code == 204
    assert response.content == b""
    (letter,) = letters(mailoutbox)
    assert letter.to == ["anna@test.io"]
    assert "Anna" in letter.body
    assert confirm(link_in(letter)).status_code == 204


def test_nobody_else_gets_a_letter(api, anna, mailoutbox):
    response = api.post(RESET, {"email": "nobody@test.io"})

    assert response.status_code == 204
    assert letters(mailoutbox) == []
    assert not PasswordResetRequest.objects.exists()


@pytest.mark.parametrize(
    ("fields", "letter"),
    [
        ({"is_active": False, "deactivation_reason": "inactivity"}, True),
        ({"is_active": False, "deactivation_reason": "admin"}, False),
        ({"is_active": False, "deactivation_reason": "deleted"}, False),
        ({"is_active": False}, False),
    ],
)
def test_letters_to_those_asleep(api, anna, mailoutbox, fields, letter):
    User.objects.filter(pk=anna.pk).update(**fields)

    response = api.post(RESET, {"email": anna.email})

    assert response.status_code == 204
    assert bool(letters(mailoutbox)) is letter


def test_whoever_has_no_password_may_set_one(api, anna, mailoutbox):
    anna.set_unusable_password()
    anna.save()
    api.post(RESET, {"email": anna.email})

    assert confirm(link_in(letters(mailoutbox)[0])).status_code == 204
    assert may_log_in(NEW)


def test_the_link_is_stored_nowhere(link):
    _uid, token = link

    (row,) = Notification.objects.values()
    assert token not in str(row)
    assert (row["kind"], row["in_app"], row["url"]) == ("password_reset", False, "")


def test_the_letter_is_not_in_the_notification_centre(sign_in_as, anna, link):
    response = sign_in_as(anna).get("/api/users/notifications/")

    assert response.json()["results"] == []


def test_links_are_each_persons_own(api, anna, mailoutbox):
    """The two letters say the same but for the link."""
    boris = UserFactory(email="boris@test.io", first_name="Anna", language="en")
    for user in (anna, boris):
        api.post(RESET, {"email": user.email})
    links = {letter.to[0]: link_in(letter) for letter in letters(mailoutbox)}

    assert confirm(links[boris.email]).status_code == 204

    assert (may_log_in(NEW, "boris@test.io"), may_log_in(NEW), may_log_in(PASSWORD)) == (True, False, True)


@pytest.mark.parametrize("email", ["", "x", "a\x00@test.io", None, ["x"], {}, "x" * 250 + "@test.io"])
def test_what_is_no_address(api, db, email):
    response = api.post(RESET, {"email": email})

    assert response.status_code == 400
    assert errors_of(response)[0][0] == "email"
    assert not PasswordResetRequest.objects.exists()


def test_nobody_fills_anothers_mailbox(api, anna, mailoutbox):
    responses = [api.post(RESET, {"email": anna.email}).status_code for _ in range(3)]
    for _ in range(6):
        tasks.send_pending_emails()
        responses.append(api.post(RESET, {"email": anna.email}).status_code)

    assert set(responses) == {204}
    assert len(letters(mailoutbox)) == 5
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        api.post(RESET, {"email": anna.email})
        assert len(letters(mailoutbox)) == 6


def test_addresses_are_throttled(api, anna, monkeypatch):
    rates = {"anon": None, "user": None, "password_reset": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)

    responses = [api.post(RESET, {"email": f"{number}@test.io"}) for number in range(3)]

    assert [response.status_code for response in responses] == [204, 204, 429]
    assert int(responses[2]["Retry-After"]) > 0


def test_a_worker_that_is_killed_loses_no_request(api, anna, mailoutbox, monkeypatch):
    api.post(RESET, {"email": anna.email})

    def fail(notifications):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(account_letters, "notify", fail)
        with pytest.raises(RuntimeError):
            tasks.send_pending_emails()

    assert len(letters(mailoutbox)) == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_four_workers_write_one_letter_for_each_request():
    users = [UserFactory() for _ in range(30)]
    for user in users:
        APIClient().post(RESET, {"email": user.email})

    at_once(4, lambda number: account.answer_reset_requests())

    assert Notification.objects.filter(kind="password_reset").count() == 30
    assert not PasswordResetRequest.objects.exists()


# --- Setting a new one by letter -------------------------------------------------------------------------------------


def test_set_a_new_password(link):
    response = confirm(link)

    assert response.status_code == 204
    assert (may_log_in(NEW), may_log_in(PASSWORD)) == (True, False)


def test_a_link_works_once(link):
    confirm(link)

    response = confirm(link, "a-third-one-11")

    assert response.status_code == 400
    assert errors_of(response) == [("token", "invalid_token")]
    assert may_log_in(NEW)


@pytest.mark.parametrize(("later", "status"), [(timedelta(minutes=119), 204), (timedelta(minutes=121), 400)])
def test_a_link_expires(link, later, status):
    # In local time: the zone of the moment becomes the process's, and Django counts the age of links in that.
    with time_machine.travel(timezone.localtime() + later):
        response = confirm(link)

    assert response.status_code == status


def test_logging_in_keeps_nobody_from_recovering(anna, link):
    """Whoever has stolen the password could log in whenever a letter is on its way."""
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        assert may_log_in(PASSWORD)

        assert confirm(link, "a-third-one-11").status_code == 204


@pytest.mark.parametrize("event", ["change the password", "change the email"])
def test_what_kills_a_link(anna, link, event):
    if event == "change the password":
        change(anna)
    else:
        User.objects.filter(pk=anna.pk).update(email="new@test.io")

    response = confirm(link, "a-third-one-11")

    assert errors_of(response) == [("token", "invalid_token")]


def test_links_that_somebody_made_up(anna, link):
    uid, token = link
    boris = UserFactory()
    forged = [
        (uid, token[:-1]),
        (uid, f"{token}x"),
        (uid, "x"),
        (uid, "x-y"),
        (uid, "ж-ж"),
        (uid, reset_tokens.make_token(boris)),
        (uid.swapcase(), token),
        ("x", token),
        ("ж", token),
        ("AAAA", token),
        (str(anna.pk), token),
    ]

    responses = [confirm(each) for each in forged]

    assert {(response.status_code, *errors_of(response)[0]) for response in responses} == {
        (400, "token", "invalid_token")
    }
    assert may_log_in(PASSWORD)


@pytest.mark.parametrize("missing", ["uid", "token", "new_password"])
def test_all_parts_are_needed(api, link, missing):
    body = {"uid": link[0], "token": link[1], "new_password": NEW}
    del body[missing]

    response = api.post(CONFIRM, body)

    assert errors_of(response) == [(missing, "required")]


@pytest.mark.parametrize(("password", "code"), WEAK)
def test_a_weak_password_leaves_the_link_alive(link, password, code):
    response = confirm(link, password)

    assert errors_of(response) == [("new_password", code)]
    assert confirm(link).status_code == 204


def test_a_new_password_ends_every_token_at_once(anna, link):
    pair = issue_pair(anna)

    confirm(link)

    assert alive(pair) == [False, False]


def test_a_new_password_by_letter_verifies_the_email(anna, link):
    confirm(link)

    anna.refresh_from_db()
    assert anna.email_verified_at is not None


def test_a_verified_email_keeps_its_date(api, anna, mailoutbox):
    long_ago = timezone.now() - timedelta(days=100)
    User.objects.filter(pk=anna.pk).update(email_verified_at=long_ago)
    api.post(RESET, {"email": anna.email})

    confirm(link_in(letters(mailoutbox)[0]))

    anna.refresh_from_db()
    assert anna.email_verified_at == long_ago


def test_whoever_slept_for_not_visiting_wakes(api, anna, mailoutbox):
    User.objects.filter(pk=anna.pk).update(date_joined=timezone.now() - timedelta(days=400))
    tasks.deactivate_inactive_users()
    assert not may_log_in(PASSWORD)
    api.post(RESET, {"email": anna.email})

    confirm(link_in(letters(mailoutbox)[-1]))

    anna.refresh_from_db()
    assert (anna.is_active, anna.deactivated_at, anna.deactivation_reason) == (True, None, "")
    assert tasks.deactivate_inactive_users() == 0
    assert may_log_in(NEW)


@pytest.mark.parametrize("reason", ["admin", "deleted"])
def test_whom_an_admin_put_to_sleep_stays_asleep(anna, link, reason):
    anna.deactivate(reason)

    response = confirm(link)

    assert errors_of(response) == [("token", "invalid_token")]
    anna.refresh_from_db()
    assert not anna.is_active
    assert anna.check_password(PASSWORD)


def test_put_to_sleep_by_an_admin_while_the_password_is_hashed(anna, link, monkeypatch):
    hash_it = account.make_password

    def slow(password):
        User.objects.get(pk=anna.pk).deactivate("admin")
        return hash_it(password)

    monkeypatch.setattr(account, "make_password", slow)

    response = confirm(link)

    assert errors_of(response) == [("token", "invalid_token")]
    anna.refresh_from_db()
    assert not anna.is_active
    assert anna.check_password(PASSWORD)


def test_the_address_is_known_afterwards(anna, link):
    """Guesses from elsewhere do not keep the owner from logging in with the new password."""
    confirm(link)

    assert KnownAddress.objects.filter(user=anna, address="127.0.0.1").exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_sixteen_uses_of_a_link_one_wins(mailoutbox):
    user = UserFactory(email=f"{new_id()}@test.io")
    APIClient().post(RESET, {"email": user.email})
    link = link_in(letters(mailoutbox)[0])

    statuses = at_once(16, lambda number: confirm(link, f"{NEW}-{number}").status_code)

    assert sorted(statuses) == [204] + [400] * 15
    assert may_log_in(f"{NEW}-{statuses.index(204)}", email=user.email)


# --- In the admin ----------------------------------------------------------------------------------------------------


def test_links_are_not_shown_in_the_admin(admin, client, anna, link):
    client.force_login(admin)
    row = Notification.objects.get()

    pages = [client.get("/admin/users/notification/"), client.get(f"/admin/users/notification/{row.pk}/change/")]

    assert [page.status_code for page in pages] == [200, 200]
    assert all(link[1] not in page.content.decode() for page in pages)


def test_nobody_writes_to_a_stranger_through_their_name(api, mailoutbox):
    """Of an address that has not been verified it is not known that the name is its owner's."""
    user = UserFactory(email="stranger@test.io", first_name="Pay at https://evil.test now", email_verified_at=None)

    api.post("/api/auth/password/reset/", {"email": user.email})
    tasks.send_pending_emails()

    assert "evil.test" not in "".join(letter.body for letter in mailoutbox)
    assert len(mailoutbox) == 1
