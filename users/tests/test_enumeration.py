"""Nobody learns from logging in, or from asking for a new password, which emails are known: the answers are the same,
and so is the work."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from common import background
from users.models import Notification, PasswordResetRequest
from users.tests.factories import PASSWORD, AdminFactory, UserFactory

TOKEN = "/api/auth/token/"
RESET = "/api/auth/password/reset/"
CONFIRM = "/api/auth/password/reset/confirm/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _people():
    UserFactory(email="anna@test.io")
    UserFactory(email="asleep@test.io", is_active=False, deactivation_reason="inactivity")
    UserFactory(email="banned@test.io", is_active=False, deactivation_reason="admin")
    UserFactory(email="social@test.io", password=None).set_unusable_password()
    AdminFactory(email="root@test.io")


EMAILS = ["anna@test.io", "asleep@test.io", "banned@test.io", "social@test.io", "root@test.io", "unknown@test.io"]


def log_in(email):
    return APIClient().post(TOKEN, {"email": email, "password": "wrong-horse-7"})


def ask_for_a_letter(email):
    return APIClient().post(RESET, {"email": email})


def log_in_to_the_admin(email):
    return Client().post("/admin/login/", {"username": email, "password": "wrong-horse-7"})


ASKING = {"log in": log_in, "ask for a letter": ask_for_a_letter}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())
def test_the_answers_are_the_same(ask):
    answers = [ask(email) for email in EMAILS]

    assert len({(answer.status_code, answer.content, str(answer.headers)) for answer in answers}) == 1


def test_the_admins_door_says_the_same():
    texts = {log_in_to_the_admin(email).context["form"].non_field_errors()[0] for email in EMAILS}

    assert len(texts) == 1


@pytest.mark.parametrize("ask", [log_in, log_in_to_the_admin])
def test_log_ins_cost_one_hash_each(ask, monkeypatch):
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))

    costs = []
    for email in EMAILS:
        hashed.clear()
        ask(email)
        costs.append(len(hashed))

    assert costs == [1] * len(EMAILS)


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())
def test_the_database_is_asked_the_same(ask):
    costs = []
    for email in EMAILS:
        with CaptureQueriesContext(connection) as queries:
            ask(email)
        costs.append([query["sql"].split()[0] for query in queries])

    assert costs == [costs[0]] * len(EMAILS)


def test_the_broker_is_asked_the_same(monkeypatch, django_capture_on_commit_callbacks):
    published = []
    monkeypatch.setattr(background, "_publish", lambda task, args: published.append((task, args)))
    with django_capture_on_commit_callbacks(execute=True):
        for email in EMAILS:
            ask_for_a_letter(email)

    assert published == [("users.tasks.send_pending_emails", ())] * len(EMAILS)


def test_a_request_for_a_letter_leaves_the_account_alone():
    for email in EMAILS:
        ask_for_a_letter(email)

    assert PasswordResetRequest.objects.count() == len(EMAILS)
    assert not Notification.objects.exists()


def test_unknown_accounts_make_wait_as_known_ones_do():
    statuses = {}
    for number, email in enumerate(("anna@test.io", "unknown@test.io")):
        answers = [
            APIClient(REMOTE_ADDR=f"10.{number}.0.{guess}").post(TOKEN, {"email": email, "password": "wrong-horse-7"})
            for guess in range(12)
        ]
        statuses[email] = [answer.status_code for answer in answers]

    assert statuses["anna@test.io"] == statuses["unknown@test.io"] == [401] * 10 + [429] * 2


def test_links_do_not_tell_who_exists():
    answers = [
        APIClient().post(CONFIRM, {"uid": uid, "token": "d1x2y3-abc", "new_password": PASSWORD}).content
        for uid in ("MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw", "x", "ж")
    ]

    assert len(set(answers)) == 1
