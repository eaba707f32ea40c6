"""Signing in by Google, VK ID and Yandex, from leaving for the provider to the pair of tokens."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from common.cache import ForgivingRedisCache
from common.ids import new_id
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import providers, social, tasks
from users.models import KnownAddress, SocialAccount, User
from users.tests.factories import PASSWORD, AdminFactory, SocialAccountFactory, UserFactory
from users.tests.identity_provider import CALLBACK, KEYS, SECRETS

SOCIAL = "/api/auth/social/"
PROVIDERS = ["google", "vk", "yandex"]
HOME = "198.51.100.7"
# An address that the provider vouches for.
VERIFIED = {"google": "anna@test.io", "yandex": "anna.ivanova@yandex.ru"}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("idp")]
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def come_back(idp):
    """There and back: what the browser brings for the POST."""

    def come_back(provider, client=None, **person):
        begun = (client or APIClient()).get(f"{SOCIAL}{provider}/").json()
        back = idp.consent(begun["authorization_url"], **person)
        return {name: back[name] for name in ("code", "state", "device_id") if name in back}

    return come_back


@pytest.fixture
def sign_in(come_back):
    def sign_in(provider="google", **person):
        return finish(provider, come_back(provider, **person))

    return sign_in


def finish(provider, body, **headers):
    return APIClient(REMOTE_ADDR=HOME).post(f"{SOCIAL}{provider}/", body, headers=headers)


def me(pair):
    return APIClient().get("/api/users/me/", headers={"Authorization": f"Bearer {pair['access']}"})


def verified_user(email="anna@test.io", **fields):
    return UserFactory(email=email, email_verified_at=timezone.now(), language="en", **fields)


def nothing_has_happened():
    return not SocialAccount.objects.exists() and not KnownAddress.objects.exists()


# --- Which providers there are ---------------------------------------------------------------------------------------


def test_providers(api):
    response = api.get(SOCIAL)

    assert response.status_code == 200
    assert response.json() == PROVIDERS


def test_a_provider_without_a_key_is_none(api, settings):
    settings.SOCIAL_AUTH_VK_ID_KEY = ""

    assert api.get(SOCIAL).json() == ["google", "yandex"]


@pytest.mark.parametrize("provider", ["vk", "github", "google-oauth2", "VK", "..", "g%00", "accounts"])
@pytest.mark.parametrize("path", ["", "link/"])
def test_what_is_not_configured_or_not_known_is_not_there(client_for, settings, come_back, provider, path):
    body = come_back("google")
    settings.SOCIAL_AUTH_VK_ID_KEY = ""
    client = client_for("student")
    if provider == "accounts" and not path:
        provider += "/x"

    assert client.post(f"{SOCIAL}{provider}/{path}", body).status_code == 404
    if not path:
        assert client.get(f"{SOCIAL}{provider}/").status_code == 404


# --- Leaving for the provider ----------------------------------------------------------------------------------------


@each_provider
def test_the_address_of_the_provider(api, provider):
    response = api.get(f"{SOCIAL}{provider}/", headers={"Host": "testserver", "X-Forwarded-Host": "evil.test"})

    assert response.status_code == 200
    sent = {name: values[0] for name, values in parse_qs(urlsplit(response.json()["authorization_url"]).query).items()}
    assert sent["state"] == response.json()["state"]
    assert len(sent["state"]) >= 32
    assert sent["redirect_uri"] == f"https://lyceum.test/auth/social/{provider}/callback"
    assert (sent["client_id"], sent["response_type"]) == (KEYS[provider], "code")
    assert (sent["code_challenge_method"], len(sent["code_challenge"])) == ("S256", 43)
    assert not response.cookies
    assert "no-store" in response["Cache-Control"]


def test_the_host_of_the_request_decides_nothing(settings, idp):
    settings.ALLOWED_HOSTS = ["evil.test"]

    url = APIClient().get(f"{SOCIAL}google/", headers={"Host": "evil.test"}).json()["authorization_url"]

    assert "evil" not in url


def test_neither_secret_nor_verifier_leaves(api, idp, monkeypatch):
    flows = {}
    monkeypatch.setattr(cache, "set", lambda key, value, timeout: flows.update({key: value}))
    monkeypatch.setattr(cache, "get", flows.get)

    text = api.get(f"{SOCIAL}google/").content.decode()

    (verifier,) = re.findall(r"'code_verifier': '(\w{43})'", str(flows))
    assert verifier not in text
    assert SECRETS["google"] not in text


def test_each_flow_is_another(api):
    first, second = (api.get(f"{SOCIAL}google/").json() for _ in range(2))

    assert first["state"] != second["state"]
    challenges = [parse_qs(urlsplit(one["authorization_url"]).query)["code_challenge"] for one in (first, second)]
    assert challenges[0] != challenges[1]


def test_a_cache_that_keeps_nothing_is_a_pause(api, settings, monkeypatch):
    monkeypatch.setattr(ForgivingRedisCache, "away_until", float("inf"))
    settings.CACHES = {"default": {"BACKEND": "common.cache.ForgivingRedisCache", "LOCATION": "redis://127.0.0.1:1"}}

    response = api.get(f"{SOCIAL}google/")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


# --- Coming back -----------------------------------------------------------------------------------------------------


@each_provider
def test_a_new_person(sign_in, provider):
    response = sign_in(provider, uid="777", email="anna@yandex.ru", first_name="Анна", last_name="Иванова")

    assert response.status_code == 200, response.json()
    assert set(response.json()) == {"access", "refresh", "access_token", "token_type"}
    profile = me(response.json()).json()
    assert (profile["email"], profile["first_name"], profile["last_name"]) == ("anna@yandex.ru", "Анна", "Иванова")
    assert (profile["role"], profile["username"], profile["is_moderator"]) == ("student", None, False)
    user = User.objects.get()
    assert not user.has_usable_password()
    assert not user.is_staff
    assert user.last_login is not None
    account = SocialAccount.objects.get()
    assert (account.user, account.provider, account.uid) == (user, provider, "777")
    assert KnownAddress.objects.get().address == HOME


@each_provider
def test_the_refresh_token_is_one_like_all(sign_in, api, provider):
    pair = sign_in(provider).json()

    again = api.post("/api/auth/token/refresh/", {"refresh": pair["refresh"]})

    assert again.status_code == 200
    assert me(again.json()).status_code == 200


@each_provider
def test_the_same_person_again(sign_in, provider):
    first = me(sign_in(provider, uid="777").json()).json()["id"]

    # Whatever they are called by now.
    response = sign_in(provider, uid="777", email="other@test.io", first_name="Olga")

    profile = me(response.json()).json()
    assert (profile["id"], profile["email"], profile["first_name"]) == (first, "anna@test.io", "Anna")
    assert SocialAccount.objects.count() == User.objects.count() == 1


def test_the_same_id_at_another_provider_is_somebody_else(sign_in):
    sign_in("google", uid="777", email="anna@test.io")

    response = sign_in("vk", uid="777", email="boris@test.io")

    assert me(response.json()).json()["email"] == "boris@test.io"


def test_no_email_is_needed_of_whoever_is_known(sign_in):
    sign_in("yandex", uid="777")

    assert sign_in("yandex", uid="777", email=None).status_code == 200


def test_the_language_of_a_new_person(come_back, idp):
    finish("google", come_back("google"), **{"Accept-Language": "ru"})

    assert User.objects.get().language == "ru"


def test_coming_back_counts_as_a_log_in(sign_in):
    user = UserFactory(last_login=None)
    SocialAccountFactory(user=user, provider="google", uid="777")

    sign_in("google", uid="777")

    user.refresh_from_db()
    assert user.last_login is not None
    assert user.known_addresses.get().address == HOME


def test_nothing_of_the_provider_is_kept(sign_in):
    sign_in("vk")

    (row,) = SocialAccount.objects.values()
    assert set(row) == {"id", "created_at", "user_id", "provider", "uid"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("А" * 300, "А" * 100), ("An\x00na\n<b>", "Anna<b>"), ("", ""), (None, ""), (["Anna"], ""), (7, "")],
)
def test_names_are_taken_as_far_as_they_are_names(sign_in, given, kept):
    response = sign_in("google", first_name=given, last_name=given)

    assert response.status_code == 200
    assert (User.objects.get().first_name, User.objects.get().last_name) == (kept, kept)


def test_a_token_in_the_header_changes_nothing(client_for, come_back, student):
    """Whoever signs in while they are signed in becomes the other one."""
    response = client_for("student").post(f"{SOCIAL}google/", come_back("google"))

    assert me(response.json()).json()["email"] == "anna@test.io"
    assert not student.social_accounts.exists()


# --- Emails: whom a provider vouches for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "email", "claim", "verified"),
    [
        ("google", "anna@test.io", True, True),
        ("google", "anna@test.io", False, False),
        ("google", "anna@test.io", "true", False),
        ("google", "anna@test.io", 1, False),
        ("google", "anna@test.io", None, False),
        ("yandex", "anna@yandex.ru", None, True),
        ("yandex", "Anna@YA.RU", None, True),
        ("yandex", "anna@test.io", None, False),
        ("yandex", "anna@notyandex.ru", None, False),
        ("yandex", "anna@yandex.ru.test.io", None, False),
        ("vk", "anna@test.io", None, False),
        ("vk", "anna@vk.com", None, False),
        ("vk", "anna@yandex.ru", None, False),
    ],
)
def test_whose_word_counts(sign_in, mailoutbox, provider, email, claim, verified):
    sign_in(provider, email=email, email_verified=claim)
    tasks.send_pending_emails()

    user = User.objects.get()
    assert user.email.lower() == email.lower()
    assert (user.email_verified_at is not None) is verified
    # Whoever is not vouched for gets the letter that everyone gets who registers.
    assert [letter.to for letter in mailoutbox] == ([] if verified else [[user.email]])


@each_provider
@pytest.mark.parametrize(
    "email", [None, "", "anna", "anna@", "a" * 250 + "@test.io", "anna@test.io\x00", ["anna@test.io"]]
)
def test_no_email_no_account(sign_in, provider, email):
    response = sign_in(provider, email=email)

    assert response.status_code == 400
    assert response.json()["code"] == "email_missing"
    assert not User.objects.exists()


@pytest.mark.parametrize("provider", VERIFIED)
def test_joining_what_both_sides_have_verified(sign_in, mailoutbox, provider):
    user = verified_user(VERIFIED[provider].upper(), first_name="Own")

    response = sign_in(provider, email=VERIFIED[provider], first_name="Theirs", uid="777")

    assert response.status_code == 200
    assert me(response.json()).json()["id"] == str(user.pk)
    user.refresh_from_db()
    assert (user.first_name, user.check_password(PASSWORD)) == ("Own", True)
    assert (user.social_accounts.get().provider, user.social_accounts.get().uid) == (provider, "777")
    # Its owner is told.
    tasks.send_pending_emails()
    (letter,) = mailoutbox
    assert letter.to == [user.email]
    assert str(SocialAccount.Provider(provider).label) in letter.body


@pytest.mark.parametrize(
    ("provider", "email", "claim", "ours"),
    [
        ("google", "anna@test.io", False, True),
        ("google", "anna@test.io", True, False),
        ("google", "ANNA@Test.io", False, False),
        ("yandex", "anna@test.io", None, True),
        ("yandex", "anna@yandex.ru", None, False),
        ("vk", "anna@test.io", None, True),
        ("vk", "anna@test.io", None, False),
    ],
)
def test_else_they_sign_in_first(sign_in, provider, email, claim, ours):
    user = UserFactory(email=email.lower(), email_verified_at=timezone.now() if ours else None)

    response = sign_in(provider, email=email, email_verified=claim)

    assert response.status_code == 409
    assert response.json()["code"] == "sign_in_first"
    assert "access" not in response.json()
    assert nothing_has_happened()
    user.refresh_from_db()
    assert (user.last_login, user.email_verified_at is not None) == (None, ours)


def test_an_email_that_somebody_changes_to_is_not_theirs_yet(sign_in):
    boris = verified_user("boris@test.io", pending_email="anna@test.io")

    response = sign_in("google", email="anna@test.io")

    assert me(response.json()).json()["id"] != str(boris.pk)


# --- Who does not come in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["admin", "inactivity", "deleted"])
def test_nobody_comes_in_who_is_deactivated(sign_in, api, reason):
    user = verified_user()
    SocialAccountFactory(user=user, provider="google", uid="777")
    user.deactivate(reason)

    response = sign_in("google", uid="777")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    refused = api.post("/api/auth/token/", {"email": user.email, "password": PASSWORD})
    assert response.json() == refused.json()
    user.refresh_from_db()
    assert (user.is_active, user.last_login) == (False, None)


def test_nobody_joins_an_account_that_is_deactivated(sign_in):
    user = verified_user()
    user.deactivate("admin")

    response = sign_in("google", email=user.email)

    assert (response.status_code, response.json()["code"]) == (401, "no_active_account")
    assert nothing_has_happened()


def test_staff_come_in_as_all_do(sign_in):
    AdminFactory(email="root@test.io", email_verified_at=timezone.now())

    assert me(sign_in("google", email="root@test.io").json()).json()["role"] == "admin"


# --- State: once, for a while, for one -------------------------------------------------------------------------------


def is_invalid_state(response):
    assert response.status_code == 400, response.content
    return response.json()["code"] == "invalid_state"


@each_provider
def test_a_state_works_once(come_back, idp, provider):
    body = come_back(provider)
    finish(provider, body)
    asked = len(idp.requests)

    assert is_invalid_state(finish(provider, body))
    assert len(idp.requests) == asked  # the provider is not even asked


@each_provider
def test_a_state_is_used_up_by_a_code_that_is_refused(come_back, provider):
    body = come_back(provider)
    finish(provider, {**body, "code": "wrong"})

    assert is_invalid_state(finish(provider, body))
    assert nothing_has_happened()


@pytest.mark.parametrize("state", ["x" * 32, "a\nb", "ю" * 128, "{}", "..", "\u202ex"])
def test_a_state_that_nobody_was_given(come_back, idp, state):
    body = come_back("google")
    asked = len(idp.requests)

    assert is_invalid_state(finish("google", {**body, "state": state}))
    assert len(idp.requests) == asked


def test_a_state_of_another_provider(come_back):
    body = come_back("google")

    assert is_invalid_state(finish("yandex", body))
    assert finish("google", body).status_code == 200  # nor is it used up


def test_a_state_expires(come_back):
    body = come_back("google")

    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=5)):
        assert is_invalid_state(finish("google", body))
    assert nothing_has_happened()


def test_the_cache_forgets_it_by_itself(api, monkeypatch):
    kept = []
    monkeypatch.setattr(cache, "set", lambda key, value, timeout: kept.append(timeout))

    api.get(f"{SOCIAL}google/")

    assert kept == [600]


def test_a_state_works_shortly_before(come_back):
    body = come_back("google")

    with time_machine.travel(timezone.now() + timedelta(minutes=9)):
        assert finish("google", body).status_code == 200


def test_a_state_for_linking_signs_nobody_in(client_for, come_back):
    body = come_back("google", client_for("student"))

    assert is_invalid_state(finish("google", body))
    assert is_invalid_state(client_for("student").post(f"{SOCIAL}google/", body))
    assert nothing_has_happened()


@pytest.mark.parametrize("field", ["code", "state"])
@pytest.mark.parametrize("value", [None, "", ["x"], {"a": 1}, "x" * 5000, "a\x00b"])
def test_bodies_that_hold_nothing(come_back, idp, field, value):
    body = come_back("google")
    asked = len(idp.requests)

    response = finish("google", {**body, field: value})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [field]
    assert len(idp.requests) == asked
    assert finish("google", body).status_code == 200  # and nothing has been used up


@pytest.mark.parametrize("body", [b"[]", b"[" * 5000, b'"x"', b"{", b'{"state": "\\ud800", "code": "x"}'])
def test_bodies_that_are_none(api, body):
    response = api.post(f"{SOCIAL}google/", data=body, content_type="application/json")

    assert response.status_code == 400


@pytest.mark.parametrize("device_id", [None, ""])
def test_vk_needs_the_device(come_back, device_id):
    body = come_back("vk")
    without = {name: value for name, value in body.items() if name != "device_id"}

    response = finish("vk", without if device_id is None else {**body, "device_id": device_id})

    assert response.status_code == 400
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("device_id", "required")]
    assert finish("vk", body).status_code == 200


# --- What the provider refuses ---------------------------------------------------------------------------------------


def refused(response, code="invalid_code"):
    return (response.status_code, response.json()["code"]) == (400, code) and nothing_has_happened()


@each_provider
def test_a_code_that_nobody_was_given(come_back, provider):
    assert refused(finish(provider, {**come_back(provider), "code": "wrong"}))


@each_provider
def test_a_code_of_another_flow(come_back, provider):
    """It was given for another verifier: a code that is slipped in opens nothing."""
    stolen = come_back(provider, uid="666", email="mallory@yandex.ru")
    body = come_back(provider)

    assert refused(finish(provider, {**body, "code": stolen["code"]}))


def test_another_device(come_back):
    assert refused(finish("vk", {**come_back("vk"), "device_id": "another"}))


@each_provider
def test_another_redirect_uri(come_back, settings, provider):
    body = come_back(provider)
    settings.FRONTEND_URL = "https://evil.test"

    assert refused(finish(provider, body))


def test_without_pkce_the_provider_refuses(come_back, monkeypatch):
    """That is what makes the tests above tests of PKCE."""
    body = come_back("google")
    monkeypatch.setattr(providers.Google, "get_code_verifier", lambda *args: "x" * 43)

    assert refused(finish("google", body))


@pytest.mark.parametrize("error", ["access_denied", "invalid_request", "something_new"])
def test_other_words_for_no(come_back, idp, error):
    body = come_back("google")
    idp.broken["token"] = lambda request: request.send_json(400, {"error": error})

    assert refused(finish("google", body))


def hang(request):
    request.idp.release.wait(30)


def cut(request):
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"access')
    request.close_connection = True


OUTAGES = {
    "500": lambda request: request.send_text(500, "<h1>Oops</h1>"),
    "503": lambda request: request.send_json(503, {"error": "temporarily_unavailable"}),
    "429": lambda request: request.send_json(429, {"error": "slow_down"}),
    "a page": lambda request: request.send_text(200, "<html></html>"),
    "a list": lambda request: request.send_json(200, []),
    "null": lambda request: request.send_json(200, None),
    "nothing of use": lambda request: request.send_json(200, {}),
    "endless lists": lambda request: request.send_text(200, "[" * 100_000, "application/json"),
    "no such client": lambda request: request.send_json(401, {"error": "invalid_client"}),
    "no answer": hang,
    "half an answer": cut,
}


@each_provider
@pytest.mark.parametrize("action", ["token", "info"])
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_a_provider_that_is_away_is_a_pause(come_back, idp, settings, provider, action, outage):
    settings.SOCIAL_AUTH_REQUESTS_TIMEOUT = 0.2
    body = come_back(provider)
    idp.broken[action] = outage

    response = finish(provider, body)

    assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable"), response.content
    assert int(response["Retry-After"]) > 0
    assert nothing_has_happened()
    assert not User.objects.exists()


def test_a_provider_that_does_not_listen(come_back, settings):
    body = come_back("google")
    settings.SOCIAL_AUTH_GOOGLE_OAUTH2_ACCESS_TOKEN_URL = "http://127.0.0.1:1/token"

    assert finish("google", body).status_code == 503


@pytest.mark.parametrize("lie", [{"state": "another"}, {"user_id": 666}, {"access_token": ""}, {"access_token": 7}])
def test_vk_answers_for_this_flow_and_person(come_back, idp, lie):
    body = come_back("vk")
    idp.lies |= lie

    assert finish("vk", body).status_code == 503
    assert nothing_has_happened()


@pytest.mark.parametrize("uid", ["", None, "x" * 256, "a\x00b"])
def test_whoever_has_no_sensible_id_is_nobody(sign_in, uid):
    assert sign_in("google", uid=uid).status_code == 503
    assert nothing_has_happened()


def test_the_log_holds_no_secret(come_back, idp, caplog):
    body = come_back("yandex")
    idp.broken["info"] = OUTAGES["500"]

    finish("yandex", body)

    assert "yandex: unavailable (user_info, 500" in caplog.text
    for secret in (SECRETS["yandex"], body["code"], body["state"], *idp.tokens):
        assert secret not in caplog.text


def test_yandex_gets_no_token_in_the_address(sign_in, idp):
    sign_in("yandex")

    assert "GET /yandex/info?format=json" in idp.requests


def test_the_provider_is_asked_in_no_transaction(come_back, monkeypatch):
    seen = []
    real = providers.Google.get_json
    depth = len(connection.savepoint_ids)
    monkeypatch.setattr(
        providers.Google,
        "get_json",
        lambda *args, **kwargs: seen.append(len(connection.savepoint_ids)) or real(*args, **kwargs),
    )

    assert finish("google", come_back("google")).status_code == 200
    assert seen == [depth, depth]


# --- How often -------------------------------------------------------------------------------------------------------


def test_throttle(api, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "login": "2/min"})
    statuses = [api.get(f"{SOCIAL}google/").status_code, api.post(f"{SOCIAL}vk/", {}).status_code]
    # Logging in by password is counted with it.
    statuses.append(api.post("/api/auth/token/", {"email": "anna@test.io", "password": "wrong-1"}).status_code)

    assert statuses == [200, 400, 429]


# --- At once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vouched_for", [True, False])
def test_whoever_came_a_moment_ago(come_back, monkeypatch, vouched_for):
    """The other request is done between the two looks of this one."""
    bodies = [come_back("google", uid="777", email_verified=vouched_for) for _ in range(2)]
    known = social._known
    others = []

    def look(profile):
        found = known(profile)
        if not others:
            others.append(None)
            others[0] = finish("google", bodies[1])
        return found

    monkeypatch.setattr(social, "_known", look)
    response = finish("google", bodies[0])

    assert (response.status_code, others[0].status_code) == (200, 200)
    assert User.objects.count() == SocialAccount.objects.count() == 1


@pytest.fixture
def cache_of_all(settings):
    """Threads have caches of their own: all with the keys of this test."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{new_id()}"}}


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_one_state_at_once_one_wins(come_back, cache_of_all):
    body = come_back("google")

    responses = at_once(8, lambda number: finish("google", body))

    assert sorted(response.status_code for response in responses) == [200] + [400] * 7
    assert {response.json()["code"] for response in responses if response.status_code == 400} == {"invalid_state"}


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("email", [True, False])
def test_many_first_sign_ins_at_once_make_one_account(come_back, cache_of_all, email):
    """Of one person, whose email is verified or not."""
    bodies = [come_back("google", uid="777", email_verified=email) for _ in range(8)]

    responses = at_once(8, lambda number: finish("google", bodies[number]))

    assert {response.status_code for response in responses} == {200}
    assert len({me(response.json()).json()["id"] for response in responses}) == 1
    assert (User.objects.count(), SocialAccount.objects.count()) == (1, 1)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_many_joins_at_once_make_one_link(come_back, cache_of_all):
    user = verified_user()
    bodies = [come_back("google", uid="777") for _ in range(8)]

    responses = at_once(8, lambda number: finish("google", bodies[number]))

    assert {response.status_code for response in responses} == {200}
    assert user.social_accounts.count() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_people_with_one_email_at_once(come_back, cache_of_all):
    """Two accounts at a provider that tell the same address, which it does not vouch for: one of them has it."""
    bodies = [come_back("vk", uid=str(700 + number)) for number in range(6)]

    responses = at_once(6, lambda number: finish("vk", bodies[number]))

    assert sorted(response.status_code for response in responses) == [200] + [409] * 5
    assert {response.json()["code"] for response in responses if response.status_code == 409} == {"sign_in_first"}
    assert User.objects.count() == 1


def test_the_addresses_of_the_three_are_registered_as_documented():
    assert [providers.redirect_uri(name) for name in PROVIDERS] == [CALLBACK.format(name) for name in PROVIDERS]
