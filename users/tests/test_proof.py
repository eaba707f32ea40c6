"""Fresh proof: what would hand an account over needs the password, or a sign-in of the last 10 minutes."""

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
import yaml
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from users.models import SocialAccount, User
from users.tests.factories import PASSWORD, SocialAccountFactory, UserFactory
from users.tokens import issue_pair, rotate

pytestmark = pytest.mark.django_db

DOCUMENT = yaml.load(Path(settings.BASE_DIR, "openapi.yaml").read_text(), yaml.CSafeLoader)
ACCOUNT = ("/api/auth/", "/api/token/", "/api/profile/", "/api/users/")

# Every write below these addresses is in one of the two tables: whoever adds one decides which.
NEEDS_PROOF = {
    ("post", "/api/auth/email/change/"): {"email": "new@test.io"},
    ("post", "/api/auth/social/{provider}/link/"): {"code": "x", "state": "x"},
    ("delete", "/api/auth/social/accounts/{id}/"): {},
    ("delete", "/api/profile/"): {},
    ("delete", "/api/users/me/"): {},
    ("delete", "/api/users/{id}/"): {},
    ("patch", "/api/profile/"): {"email": "new@test.io"},
    ("patch", "/api/users/me/"): {"email": "new@test.io"},
    ("patch", "/api/users/{id}/"): {"email": "new@test.io"},
    ("put", "/api/profile/"): {"email": "new@test.io"},
    ("put", "/api/users/me/"): {"email": "new@test.io"},
    ("put", "/api/users/{id}/"): {"email": "new@test.io"},
}
NEEDS_NONE = {
    "signs in or registers, by what the body holds": [
        ("post", "/api/auth/login/"),
        ("post", "/api/auth/register/"),
        ("post", "/api/auth/social/{provider}/"),
        ("post", "/api/auth/token/"),
        ("post", "/api/auth/token/refresh/"),
        ("post", "/api/token/"),
        ("post", "/api/token/refresh/"),
        ("post", "/api/users/"),
        ("post", "/api/users/register/"),
    ],
    "is proved by a letter": [
        ("post", "/api/auth/email/verify/"),
        ("post", "/api/auth/password/reset/"),
        ("post", "/api/auth/password/reset/confirm/"),
        ("post", "/api/auth/social/accounts/by-letter/{key}/"),
        ("post", "/api/users/notifications/unsubscribe/{token}/"),
    ],
    "asks for the old password": [("post", "/api/auth/password/change/")],
    "takes nothing but what the caller has": [
        ("post", "/api/auth/email/verify/resend/"),
        ("post", "/api/auth/logout/"),
        ("post", "/api/auth/logout/all/"),
        ("post", "/api/auth/token/verify/"),
    ],
    "is no matter of the account": [
        ("post", "/api/users/certificates/"),
        ("put", "/api/users/certificates/{id}/"),
        ("delete", "/api/users/certificates/{id}/"),
        ("post", "/api/users/notifications/"),
        ("put", "/api/users/notifications/{id}/"),
        ("patch", "/api/users/notifications/{id}/"),
        ("delete", "/api/users/notifications/{id}/"),
        ("post", "/api/users/notifications/{id}/read/"),
        ("put", "/api/users/notifications/preferences/"),
        ("post", "/api/users/notifications/read-all/"),
    ],
}
each_matter = pytest.mark.parametrize(("method", "path"), NEEDS_PROOF)


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io")


@pytest.fixture
def linked(anna):
    return SocialAccountFactory(user=anna)


@pytest.fixture
def send(anna, linked, idp):
    """Sends one of the matters, with what else is given in the body."""

    def send(client, method, path, **fields):
        url = path.replace("{provider}", "google").replace("{id}", str(linked.pk if "accounts" in path else anna.pk))
        return getattr(client, method)(url, {**NEEDS_PROOF[method, path], **fields})

    return send


def client_of(pair):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


def signed_in(user, **ago):
    """With a token of now, whose sign-in was some time ago."""
    with time_machine.travel(timezone.now() - timedelta(**ago)):
        pair = issue_pair(user)
    return client_of(rotate(pair["refresh"]))


def state(user):
    linked = SocialAccount.objects.filter(user=user).count()
    return User.objects.filter(pk=user.pk).values("email", "pending_email", "is_active").get(), linked


def test_every_write_about_accounts_is_in_a_table():
    writes = {
        (method, path)
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
        if path.startswith(ACCOUNT) and method in {"post", "put", "patch", "delete"}
    }

    exempt = {operation for operations in NEEDS_NONE.values() for operation in operations}
    assert writes == exempt | set(NEEDS_PROOF)
    assert not exempt & set(NEEDS_PROOF)


@each_matter
def test_a_token_alone_is_not_enough(anna, send, method, path):
    before = state(anna)

    response = send(signed_in(anna, minutes=10, seconds=2), method, path)

    assert (response.status_code, response.json()["code"]) == (403, "fresh_proof_required")
    assert state(anna) == before


@each_matter
def test_the_password_is_a_proof(anna, send, method, path):
    response = send(signed_in(anna, days=5), method, path, password=PASSWORD)

    # Of the code that a provider is said to have given, nobody knows.
    assert response.status_code == 400 if "link" in path else response.status_code in {200, 204}
    assert response.status_code != 400 or response.json()["code"] == "invalid_state"


@each_matter
def test_a_fresh_sign_in_is_a_proof(anna, send, method, path):
    response = send(signed_in(anna, minutes=9, seconds=50), method, path)

    assert response.status_code == 400 if "link" in path else response.status_code in {200, 204}
    assert response.status_code != 400 or response.json()["code"] == "invalid_state"


@each_matter
def test_a_wrong_password_is_one_however_fresh_the_sign_in(anna, send, method, path):
    before = state(anna)

    response = send(signed_in(anna, minutes=1), method, path, password="wrong-horse-7")

    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("password", "wrong_password")]
    assert response.status_code == 400
    assert state(anna) == before


@each_matter
def test_wrong_passwords_count_as_guesses(anna, send, method, path):
    client = signed_in(anna, minutes=1)

    statuses = [send(client, method, path, password=f"wrong-horse-{number}").status_code for number in range(11)]

    assert statuses == [400] * 10 + [429]


def test_what_else_a_profile_holds_needs_no_proof(anna):
    response = signed_in(anna, days=1).patch("/api/users/me/", {"city": "Omsk", "email": "anna@test.io"})

    assert (response.status_code, response.json()["city"]) == (200, "Omsk")


def test_a_refused_link_does_not_use_its_state_up(anna, idp):
    begun = signed_in(anna, days=1).get("/api/auth/social/google/").json()
    back = idp.consent(begun["authorization_url"])
    body = {"code": back["code"], "state": back["state"]}

    refused = signed_in(anna, days=1).post("/api/auth/social/google/link/", body)
    proved = signed_in(anna, days=1).post("/api/auth/social/google/link/", {**body, "password": PASSWORD})

    assert (refused.status_code, proved.status_code) == (403, 201)


def test_an_admin_needs_it_for_anothers_email(admin, anna):
    response = signed_in(admin, days=1).patch(f"/api/users/{anna.pk}/", {"email": "new@test.io"})

    assert (response.status_code, response.json()["code"]) == (403, "fresh_proof_required")
    assert state(anna)[0]["pending_email"] == ""


def test_existence_comes_first(anna):
    stranger = SocialAccountFactory()

    response = signed_in(anna, days=1).delete(f"/api/auth/social/accounts/{stranger.pk}/")

    assert response.status_code == 404


@pytest.mark.parametrize("auth_time", [None, "now", 4102444800.5, True, []])
def test_tokens_that_say_no_moment_prove_nothing(anna, auth_time):
    from rest_framework_simplejwt.tokens import AccessToken

    access = AccessToken(issue_pair(anna)["access"])
    access["auth_time"] = auth_time
    client = client_of({"access": str(access)})

    assert client.delete("/api/users/me/").status_code == 403
