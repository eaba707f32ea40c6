import base64
import json
from datetime import timedelta
from urllib.parse import urlencode

import jwt
import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from common.ids import new_id
from common.testing.databases import on_postgresql
from common.testing.scale import size
from common.testing.threads import at_once
from users import tasks
from users.models import TokenFamily, User
from users.tests.factories import PASSWORD, UserFactory
from users.tokens import issue_pair

TOKEN = "/api/auth/token/"
REFRESH = "/api/auth/token/refresh/"
VERIFY = "/api/auth/token/verify/"
LOGOUT = "/api/auth/logout/"
LOGOUT_ALL = "/api/auth/logout/all/"
ME = "/api/users/me/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io")


@pytest.fixture
def pair(anna):
    return issue_pair(anna)


def get_me(access):
    return APIClient().get(ME, headers={"Authorization": f"Bearer {access}"})


def refresh(token):
    return APIClient(raise_request_exception=False).post(REFRESH, {"refresh": token})


def signed(claims, key=settings.SECRET_KEY, algorithm="HS256"):
    return jwt.encode(claims, key, algorithm=algorithm)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def unsigned(claims):
    """What a forger writes who hopes that "none" counts as an algorithm."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts] + [""])


# --- Logging in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["anna@test.io", "ANNA@test.io", "Anna@TEST.io"])
def test_log_in(api, anna, email):
    response = api.post(TOKEN, {"email": email, "password": PASSWORD})

    assert response.status_code == 200, response.json()
    assert set(response.json()) == {"access", "refresh", "access_token", "token_type"}
    assert get_me(response.json()["access"]).json()["email"] == "anna@test.io"


@pytest.mark.parametrize("form", ["json", "multipart", "urlencoded"])
@pytest.mark.parametrize("name", ["email", "username"])
def test_log_in_as_clients_of_oauth_do(api, anna, form, name):
    fields = {"grant_type": "password", name: "Anna@test.io", "password": PASSWORD}
    if form == "urlencoded":
        response = api.post(TOKEN, urlencode(fields), content_type="application/x-www-form-urlencoded")
    else:
        response = api.post(TOKEN, fields, format=form)

    assert response.status_code == 200, response.json()
    assert response.json()["token_type"].lower() == "bearer"
    assert response.json()["access_token"] == response.json()["access"]


def test_log_in_counts_as_a_visit(api, anna):
    with time_machine.travel("2030-01-02T03:04:05Z", tick=False):
        api.post(TOKEN, {"email": anna.email, "password": PASSWORD})

    anna.refresh_from_db()
    assert anna.last_login.isoformat() == "2030-01-02T03:04:05+00:00"


def test_tokens_are_not_to_be_stored_on_the_way(api, anna):
    response = api.post(TOKEN, {"email": anna.email, "password": PASSWORD})

    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


@pytest.fixture
def asleep():
    return UserFactory(email="asleep@test.io", is_active=False)


@pytest.fixture
def without_password():
    user = UserFactory(email="social@test.io")
    user.set_unusable_password()
    user.save()
    return user


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("anna@test.io", "wrong-horse-7"),
        ("anna@test.io", PASSWORD.upper()),
        ("anna@test.io", f" {PASSWORD}"),
        ("asleep@test.io", PASSWORD),
        ("asleep@test.io", "wrong-horse-7"),
        ("social@test.io", PASSWORD),
        ("nobody@test.io", PASSWORD),
    ],
)
def test_refusals_say_all_the_same(api, anna, asleep, without_password, email, password):
    reference = api.post(TOKEN, {"email": "unknown@test.io", "password": "whatever-1"})
    response = api.post(TOKEN, {"email": email, "password": password})

    assert response.status_code == 401
    assert response.content == reference.content
    assert response.json()["code"] == "no_active_account"
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert not User.objects.exclude(last_login=None).exists()
    assert not TokenFamily.objects.exists()


@pytest.mark.parametrize("email", ["anna@test.io", "asleep@test.io", "unknown@test.io"])
def test_every_refusal_costs_one_hash(api, anna, asleep, monkeypatch, email):
    """Else the time would tell which emails are known."""
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))

    api.post(TOKEN, {"email": email, "password": "wrong-horse-7"})

    assert len(hashed) == 1


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "email"),
        ({"email": "anna@test.io"}, "password"),
        ({"email": "anna", "password": "x"}, "email"),
        ({"email": "anna@test.io", "password": ""}, "password"),
        ({"email": "anna@test.io", "password": "a\x00b"}, "password"),
        ({"email": ["anna@test.io"], "password": {"a": 1}}, "email"),
        ({"username": "anna", "password": PASSWORD}, "username"),
        ({"username": "anna@test.io"}, "password"),
    ],
)
def test_incomplete_log_ins(api, anna, body, attr):
    response = api.post(TOKEN, body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == attr


def test_log_in_takes_no_username(api):
    UserFactory(email="anna@test.io", username="anna")

    response = api.post(TOKEN, {"email": "anna", "password": PASSWORD})

    assert response.status_code == 400


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"email": "\\ud800"}', b"[]", b'"x"'])
def test_bodies_that_are_no_log_in(api, db, body):
    response = api.post(TOKEN, body, content_type="application/json")

    assert response.status_code == 400


def test_throttle(api, anna, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "login": "2/min"})
    statuses = [api.post(TOKEN, {"email": anna.email, "password": "wrong-1"}).status_code for _ in range(3)]

    assert statuses == [401, 401, 429]


# --- Access tokens ---------------------------------------------------------------------------------------------------


def access_claims(user, **changes):
    return {
        "token_type": "access",
        "exp": timezone.now() + timedelta(minutes=5),
        "iat": timezone.now(),
        "jti": new_id().hex,
        "user_id": str(user.pk),
        "version": user.token_version,
        **changes,
    }


def test_a_rightly_made_access_token_works(anna):
    """Else the refusals below would prove nothing."""
    response = get_me(signed(access_claims(anna)))

    assert response.status_code == 200


FORGERIES = {
    "algorithm none": lambda user: unsigned({**access_claims(user), "exp": 4102444800, "iat": 0}),
    "another key": lambda user: signed(access_claims(user), key="another-key-another-key-another-key-another"),
    "another algorithm": lambda user: signed(access_claims(user), algorithm="HS512"),
    "expired": lambda user: signed(access_claims(user, exp=timezone.now() - timedelta(seconds=1))),
    "no expiry": lambda user: signed({k: v for k, v in access_claims(user).items() if k != "exp"}),
    "refresh as access": lambda user: issue_pair(user)["refresh"],
    "another kind": lambda user: signed(access_claims(user, token_type="sliding")),
    "no kind": lambda user: signed(access_claims(user, token_type=None)),
    "an earlier version": lambda user: signed(access_claims(user, version=user.token_version - 1)),
    "a later version": lambda user: signed(access_claims(user, version=user.token_version + 1)),
    "no version": lambda user: signed(access_claims(user, version=None)),
    "nobody's": lambda user: signed(access_claims(user, user_id=str(new_id()))),
    "no id": lambda user: signed(access_claims(user, user_id="x" * 36)),
    "a number for an id": lambda user: signed(access_claims(user, user_id=1)),
    "no user": lambda user: signed({k: v for k, v in access_claims(user).items() if k != "user_id"}),
    "of the library alone": lambda user: str(AccessToken.for_user(user)),
    "cut": lambda user: issue_pair(user)["access"][:-2],
    "no token": lambda user: "abc",
    "dots": lambda user: "..",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_access_tokens(anna, forge):
    response = get_me(forge(anna))

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b c", "Bearer \xff\xfe", "Basic YTpi", "Token abc", " "])
def test_malformed_headers(api, db, header):
    response = api.get(ME, headers={"Authorization": header})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_role_is_read_from_the_database(anna, asleep):
    token = signed(access_claims(anna, role="admin", is_staff=True, is_superuser=True))

    response = APIClient().get(f"/api/users/{asleep.pk}/", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 404  # 200 for an admin


def test_access_token_of_a_deactivated_user_is_dead(anna, pair):
    anna.deactivate("admin")

    response = get_me(pair["access"])

    assert response.status_code == 401
    assert response.json()["code"] == "user_inactive"


def test_access_token_stays_dead_when_the_user_wakes(anna, pair):
    anna.deactivate("admin")
    anna.activate()

    assert get_me(pair["access"]).status_code == 401


def test_access_token_of_a_deleted_row_is_dead(anna, pair):
    anna.delete()

    assert get_me(pair["access"]).status_code == 401


def test_a_dead_token_is_refused_where_none_is_needed(api, db):
    response = api.get("/api/courses/", headers={"Authorization": "Bearer dead"})

    assert response.status_code == 401


# --- Refreshing ------------------------------------------------------------------------------------------------------


def test_refresh_gives_a_new_pair(anna, pair):
    response = refresh(pair["refresh"])

    assert response.status_code == 200
    assert response.json()["refresh"] != pair["refresh"]
    assert get_me(response.json()["access"]).json()["id"] == str(anna.pk)


def test_refresh_counts_as_a_visit(anna, pair):
    later = timezone.now() + timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        refresh(pair["refresh"])

    anna.refresh_from_db()
    assert anna.last_seen_at == later


def test_used_refresh_token_is_dead(pair):
    refresh(pair["refresh"])

    response = refresh(pair["refresh"])

    assert response.status_code == 401
    assert response.json()["code"] == "token_not_valid"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_chain_of_refreshes(pair):
    token = pair["refresh"]
    for _ in range(3):
        response = refresh(token)
        token = response.json()["refresh"]

    assert response.status_code == 200


def test_using_a_token_again_kills_its_family(pair):
    newer = refresh(pair["refresh"]).json()["refresh"]
    refresh(pair["refresh"])

    response = refresh(newer)

    assert response.status_code == 401


def test_using_a_token_again_leaves_other_sign_ins_alone(anna, pair):
    phone = issue_pair(anna)
    refresh(pair["refresh"])
    refresh(pair["refresh"])

    response = refresh(phone["refresh"])

    assert response.status_code == 200


def refresh_claims(user, pair, **changes):
    return {**claims_of(pair["refresh"]), **changes}


REFRESH_FORGERIES = {
    "access as refresh": lambda user, pair: pair["access"],
    "algorithm none": lambda user, pair: unsigned(refresh_claims(user, pair)),
    "another key": lambda user, pair: signed(refresh_claims(user, pair), key="another-key-another-key-another-key"),
    "expired": lambda user, pair: signed(refresh_claims(user, pair, exp=1)),
    "no family": lambda user, pair: signed(refresh_claims(user, pair, family=None)),
    "an unknown family": lambda user, pair: signed(refresh_claims(user, pair, family=str(new_id()))),
    "a family that is no id": lambda user, pair: signed(refresh_claims(user, pair, family="x" * 36)),
    "an earlier version": lambda user, pair: signed(refresh_claims(user, pair, version=-1)),
    "of the library alone": lambda user, pair: str(RefreshToken.for_user(user)),
    "malformed": lambda user, pair: "abc",
}


@pytest.mark.parametrize("forge", REFRESH_FORGERIES.values(), ids=REFRESH_FORGERIES.keys())
def test_forged_refresh_tokens(anna, pair, forge):
    response = refresh(forge(anna, pair))

    assert response.status_code == 401
    anna.refresh_from_db()
    assert anna.last_seen_at is None


@pytest.mark.parametrize("forge", REFRESH_FORGERIES.values(), ids=REFRESH_FORGERIES.keys())
def test_a_forgery_does_not_end_the_family(anna, pair, forge):
    refresh(forge(anna, pair))

    assert refresh(pair["refresh"]).status_code == 200


@pytest.mark.parametrize("body", [{}, {"refresh": ""}, {"refresh": None}, {"refresh": ["x"]}, {"refresh": "a\x00"}])
def test_refresh_without_a_token(api, db, body):
    response = api.post(REFRESH, body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "refresh"


def test_refresh_of_a_deactivated_user(anna, pair):
    anna.deactivate("admin")

    assert refresh(pair["refresh"]).status_code == 401


def test_refresh_of_a_woken_user(anna, pair):
    anna.deactivate("admin")
    anna.activate()

    assert refresh(pair["refresh"]).status_code == 401


def test_refresh_of_a_deleted_row(anna, pair):
    anna.delete()

    assert refresh(pair["refresh"]).status_code == 401


def test_refresh_token_expires(pair):
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        response = refresh(pair["refresh"])

    assert response.status_code == 401


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_sixteen_uses_at_once_one_wins():
    user = UserFactory()
    for _ in range(size(1, 50)):
        token = issue_pair(user)["refresh"]

        responses = at_once(16, lambda number, token=token: refresh(token))

        assert sorted(response.status_code for response in responses) == [200] + [401] * 15


def test_expired_sign_ins_are_forgotten(anna):
    issue_pair(anna)
    with time_machine.travel(timezone.now() + timedelta(days=20)):
        newer = issue_pair(anna)["refresh"]
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        forgotten = tasks.flush_expired_tokens()

    assert forgotten == 1
    assert str(TokenFamily.objects.get().pk) == claims_of(newer)["family"]


# --- Logging out -----------------------------------------------------------------------------------------------------


@pytest.fixture
def client(pair):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


def test_log_out_kills_the_refresh_token(client, pair):
    response = client.post(LOGOUT, {"refresh": pair["refresh"]})

    assert response.status_code == 204
    assert refresh(pair["refresh"]).status_code == 401


def test_log_out_with_a_used_token_kills_its_successor(client, pair):
    newer = refresh(pair["refresh"]).json()["refresh"]

    client.post(LOGOUT, {"refresh": pair["refresh"]})

    assert refresh(newer).status_code == 401


def test_log_out_leaves_other_sign_ins_alone(client, pair, anna):
    phone = issue_pair(anna)

    client.post(LOGOUT, {"refresh": pair["refresh"]})

    assert refresh(phone["refresh"]).status_code == 200


def test_log_out_twice(client, pair):
    client.post(LOGOUT, {"refresh": pair["refresh"]})

    response = client.post(LOGOUT, {"refresh": pair["refresh"]})

    assert response.status_code == 204


def test_log_out_with_another_persons_token(client):
    other = issue_pair(UserFactory())["refresh"]

    response = client.post(LOGOUT, {"refresh": other})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "refresh"
    assert refresh(other).status_code == 200


@pytest.mark.parametrize("body", [{"refresh": ""}, {"refresh": "abc"}, {"refresh": None}, []])
def test_log_out_with_no_token(client, body):
    response = client.post(LOGOUT, body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == ("refresh" if body else "non_field_errors")


@pytest.mark.parametrize("body", [None, {}])
def test_log_out_without_a_body(client, anna, pair, body):
    """Of two sign-ins the one whose access token it is ends, also after a refresh, and may end again."""
    elsewhere = issue_pair(anna)["refresh"]
    mine = refresh(pair["refresh"]).json()["refresh"]

    assert [client.post(LOGOUT, body).status_code for _ in range(2)] == [204, 204]
    assert [refresh(mine).status_code, refresh(elsewhere).status_code] == [401, 200]


def test_log_out_with_an_access_token_in_the_body(client, pair):
    response = client.post(LOGOUT, {"refresh": pair["access"]})

    assert response.status_code == 400


@pytest.mark.parametrize("url", [LOGOUT, LOGOUT_ALL])
def test_log_out_needs_an_access_token(api, pair, url):
    response = api.post(url, {"refresh": pair["refresh"]})

    assert response.status_code == 401
    assert refresh(pair["refresh"]).status_code == 200


def test_log_out_everywhere_kills_every_refresh_token(client, pair, anna):
    phone = issue_pair(anna)

    response = client.post(LOGOUT_ALL)

    assert response.status_code == 204
    assert [refresh(token["refresh"]).status_code for token in (pair, phone)] == [401, 401]


def test_log_out_everywhere_kills_access_tokens_at_once(client, pair, anna):
    phone = issue_pair(anna)

    client.post(LOGOUT_ALL)

    assert [get_me(token["access"]).status_code for token in (pair, phone)] == [401, 401]


def test_log_out_everywhere_is_about_oneself(client):
    other = issue_pair(UserFactory())

    client.post(LOGOUT_ALL)

    assert get_me(other["access"]).status_code == 200


def test_log_in_after_logging_out_everywhere(client, api, anna):
    client.post(LOGOUT_ALL)

    response = api.post(TOKEN, {"email": anna.email, "password": PASSWORD})

    assert get_me(response.json()["access"]).status_code == 200


# --- Verifying -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_verify_a_living_token(api, pair, kind):
    response = api.post(VERIFY, {"token": pair[kind]})

    assert response.status_code == 200


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_verify_a_token_of_a_deactivated_user(api, pair, anna, kind):
    anna.deactivate("admin")

    response = api.post(VERIFY, {"token": pair[kind]})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_verify_after_logging_out_everywhere(api, client, pair, kind):
    client.post(LOGOUT_ALL)

    response = api.post(VERIFY, {"token": pair[kind]})

    assert response.status_code == 401


def test_verify_a_used_refresh_token(api, pair):
    refresh(pair["refresh"])

    response = api.post(VERIFY, {"token": pair["refresh"]})

    assert response.status_code == 401


def test_verifying_uses_no_token_up(api, pair):
    api.post(VERIFY, {"token": pair["refresh"]})

    assert refresh(pair["refresh"]).status_code == 200


@pytest.mark.parametrize("name", sorted(FORGERIES.keys() - {"refresh as access"}))
def test_verify_a_forged_token(api, anna, name):
    response = api.post(VERIFY, {"token": FORGERIES[name](anna)})

    assert response.status_code == 401


def test_verify_nothing(api, db):
    response = api.post(VERIFY, {})

    assert response.status_code == 400
