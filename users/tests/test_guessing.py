"""Guessing passwords: how many wrong ones are looked at, and whom that keeps waiting."""

import itertools
import threading
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from common.cache import ForgivingRedisCache
from common.ids import new_id
from common.testing.databases import on_postgresql, once
from common.testing.threads import at_once
from users import guessing, tasks
from users.models import KnownAddress, User
from users.tests.factories import PASSWORD, AdminFactory, UserFactory
from users.tokens import issue_pair

TOKEN = "/api/auth/token/"
HOME = "198.51.100.7"
QUARTER = 15 * 60

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io")


@pytest.fixture
def evaluated(monkeypatch):
    """One entry for each password that was looked at."""
    looked_at = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: looked_at.append(1) or encode(*args))
    return looked_at


def log_in(email="anna@test.io", password=PASSWORD, address=HOME, **headers):
    return APIClient(REMOTE_ADDR=address).post(TOKEN, {"email": email, "password": password}, headers=headers)


def guess(email="anna@test.io", address="203.0.113.1", **headers):
    return log_in(email, "wrong-horse-7", address, **headers)


def addresses(number):
    return [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(1, number + 1)]


def wait_of(response):
    assert response.status_code == 429
    return int(response["Retry-After"])


# --- One account -----------------------------------------------------------------------------------------------------


@once
def test_a_thousand_guesses_from_a_thousand_addresses(anna, evaluated):
    statuses = [guess(address=address).status_code for address in addresses(1000)]

    assert statuses == [401] * 10 + [429] * 990
    assert len(evaluated) == 10


def test_then_the_right_password_has_to_wait_too(anna, evaluated):
    for address in addresses(10):
        guess(address=address)

    response = log_in(address="203.0.113.9")

    assert 0 < wait_of(response) <= QUARTER
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "throttled"
    assert len(evaluated) == 10


@pytest.mark.parametrize("email", ["ANNA@test.io", "Anna@Test.IO", " anna@test.io "])
def test_one_account_however_its_email_is_written(anna, email):
    for address in addresses(10):
        guess(address=address)

    assert guess(email).status_code == 429


def test_others_are_not_kept_waiting(anna):
    UserFactory(email="boris@test.io")
    for address in addresses(11):
        guess(address=address)

    assert log_in("boris@test.io").status_code == 200


def test_right_ones_do_not_count(anna):
    statuses = [log_in(address=address).status_code for address in addresses(30)]

    assert statuses == [200] * 30


def test_what_broke_is_no_guess(anna, monkeypatch):
    def fail(*args):
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(MD5PasswordHasher, "verify", fail)
        for _ in range(12):
            APIClient(raise_request_exception=False).post(TOKEN, {"email": anna.email, "password": "x"})

    assert guess(address="127.0.0.1").status_code == 401


def test_a_place_is_free_again_after_a_quarter_of_an_hour(anna, monkeypatch):
    """Ten within any quarter: the first is free again before the last."""
    now = _Clock(monkeypatch)
    statuses = []
    for address in addresses(10):
        statuses.append(guess(address=address).status_code)
        now.go(60)
    statuses.append(guess().status_code)  # after 10 minutes
    now.go(5 * 60)
    statuses += [guess().status_code for _ in range(2)]  # the first place is free, the second is not
    now.go(60)
    statuses += [guess().status_code for _ in range(2)]

    assert statuses == [401] * 10 + [429, 401, 429, 401, 429]


def test_retry_after_is_when_the_next_place_is_free(anna, monkeypatch):
    now = _Clock(monkeypatch)
    for address in addresses(10):
        guess(address=address)
        now.go(60)

    assert wait_of(guess()) == QUARTER - 600


class _Clock:
    """Of the places, in a store that forgets by it: the caches have clocks of their own, out of a test's reach."""

    def __init__(self, monkeypatch):
        self.now = 1_900_000_000.0
        self.kept = {}
        monkeypatch.setattr(guessing.time, "time", lambda: self.now)
        monkeypatch.setattr(guessing, "STORES", (self,))

    def go(self, seconds):
        self.now += seconds

    def get_many(self, names):
        return {name: self.kept[name] for name in names if self.kept.get(name, 0) > self.now}

    def add(self, name, value, timeout):
        assert value == self.now + timeout
        return name not in self.get_many([name]) and bool(self.kept.update({name: value}) or True)

    def delete(self, name):
        del self.kept[name]


# --- The owner, at home ----------------------------------------------------------------------------------------------


def test_guesses_from_elsewhere_do_not_keep_the_owner_waiting(anna):
    log_in()
    for address in addresses(50):
        guess(address=address)

    assert log_in().status_code == 200


def test_guesses_at_home_keep_waiting_for_a_minute_at_most(anna, evaluated):
    log_in()
    evaluated.clear()
    responses = [guess(address=HOME) for _ in range(200)]

    assert [response.status_code for response in responses] == [401] * 10 + [429] * 190
    assert all(0 < wait_of(response) <= 60 for response in responses[10:])
    assert len(evaluated) == 10


def test_guesses_at_home_on_other_accounts_do_not_keep_the_owner_waiting(anna):
    log_in()
    statuses = [guess(f"somebody{number}@test.io", HOME).status_code for number in range(110)]

    assert statuses[-1] == 429
    assert log_in().status_code == 200


def test_guesses_at_home_leave_those_from_elsewhere_alone(anna):
    log_in()
    for _ in range(11):
        guess(address=HOME)

    assert guess().status_code == 401


def test_home_of_another_person_is_not_ones_own(anna):
    UserFactory(email="boris@test.io")
    log_in("boris@test.io")
    for address in addresses(10):
        guess(address=address)

    assert log_in().status_code == 429


def test_an_address_is_known_after_a_log_in(anna):
    guess(address=HOME)
    assert not KnownAddress.objects.exists()
    log_in()
    log_in()

    (known,) = KnownAddress.objects.all()
    assert (known.user, known.address) == (anna, HOME)


def test_the_last_log_in_from_an_address_is_noted(anna):
    log_in()
    first = KnownAddress.objects.get().last_login_at

    log_in()

    assert KnownAddress.objects.get().last_login_at > first


def test_addresses_are_forgotten_after_half_a_year(anna):
    with time_machine.travel(timezone.now() - timedelta(days=181)):
        log_in(address="198.51.100.1")
    with time_machine.travel(timezone.now() - timedelta(days=179)):
        log_in(address="198.51.100.2")

    tasks.flush_expired_tokens()

    assert KnownAddress.objects.get().address == "198.51.100.2"


@pytest.mark.parametrize(
    ("known", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", HOME, True),
        ("198.51.100.7", "198.51.100.8", False),
    ],
)
def test_what_counts_as_one_address(anna, known, other, same):
    """Of IPv6 the first 64 bits: the rest changes by itself."""
    log_in(address=known)
    for address in addresses(10):
        guess(address=address)

    assert log_in(address=other).status_code == (200 if same else 429)


@pytest.mark.parametrize("address", ["", "unknown", "a" * 300])
def test_whoever_has_no_address_is_never_known(anna, address):
    assert log_in(address=address).status_code == 200
    assert not KnownAddress.objects.exists()


# --- Many accounts from one address ----------------------------------------------------------------------------------


@once
def test_a_thousand_accounts_from_one_address(evaluated):
    statuses = [guess(f"user{number}@test.io").status_code for number in range(1000)]

    assert statuses == [401] * 100 + [429] * 900
    assert len(evaluated) == 100


def test_ten_at_most_of_each_account(evaluated):
    accounts = [f"user{number}@test.io" for number in range(5)]
    statuses = [guess(email).status_code for _round, email in itertools.product(range(15), accounts)]

    assert statuses.count(401) == len(evaluated) == 50


def test_what_was_not_looked_at_does_not_count_for_the_address(anna):
    for _ in range(200):
        guess()

    assert guess("boris@test.io").status_code == 401


# --- Who says where they come from -----------------------------------------------------------------------------------


def test_addresses_that_somebody_writes_into_headers(anna):
    """No proxy of ours stands in front: nothing of the header is believed."""
    log_in()
    statuses = [
        guess(**{"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}).status_code
        for address in [HOME] * 5 + addresses(45)
    ]

    assert statuses == [401] * 10 + [429] * 40
    assert set(KnownAddress.objects.values_list("address", flat=True)) == {HOME}


@pytest.mark.parametrize(
    ("proxies", "header", "believed"),
    [
        (0, "192.0.2.1", "203.0.113.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "198.51.100.99, 192.0.2.1", "192.0.2.1"),
        (2, "198.51.100.99, 192.0.2.1, 192.0.2.2", "192.0.2.1"),
        (2, "192.0.2.2", "192.0.2.2"),
        (1, " 192.0.2.1 ", "192.0.2.1"),
    ],
)
def test_x_forwarded_for_is_believed_as_far_as_our_proxies_wrote_it(anna, settings, proxies, header, believed):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}

    log_in(address="203.0.113.1", **{"X-Forwarded-For": header})

    assert KnownAddress.objects.get().address == believed


def test_spoofed_headers_behind_a_proxy(anna, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(110):
        guess(f"user{number}@test.io", **{"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.1"})

    assert guess(**{"X-Forwarded-For": f"{HOME}, 192.0.2.1"}).status_code == 429
    assert guess(**{"X-Forwarded-For": f"{HOME}, 192.0.2.2"}).status_code == 401


# --- Every place where a password is asked for -----------------------------------------------------------------------


def change_password(client, wrong):
    return client.post("/api/auth/password/change/", {"old_password": wrong, "new_password": "brighter-staple-9"})


def change_email(client, wrong):
    return client.post("/api/auth/email/change/", {"email": "new@test.io", "password": wrong})


def leave(client, wrong):
    return client.delete("/api/users/me/", {"password": wrong})


@pytest.mark.parametrize("ask", [change_password, change_email, leave])
def test_a_stolen_token_guesses_no_more_than_others(anna, sign_in_as, evaluated, ask):
    client = sign_in_as(anna)
    statuses = [ask(client, "wrong-horse-7").status_code for _ in range(15)]

    assert statuses == [400] * 10 + [429] * 5
    assert len(evaluated) == 10
    assert ask(client, PASSWORD).status_code == 429
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_all_places_count_together(anna, sign_in_as, evaluated):
    client = sign_in_as(anna)
    asking = [change_password, change_email, leave, lambda client, wrong: guess(address="127.0.0.1")]
    statuses = [ask(client, "wrong-horse-7").status_code for _round, ask in itertools.product(range(4), asking)]

    assert statuses.count(429) == 6
    assert len(evaluated) == 10


def admin_log_in(email, password, address="203.0.113.1"):
    return Client(REMOTE_ADDR=address).post("/admin/login/", {"username": email, "password": password})


def test_guesses_at_the_admins_door(evaluated):
    AdminFactory(email="root@test.io")
    evaluated.clear()
    responses = [admin_log_in("root@test.io", "wrong-horse-7", address) for address in addresses(15)]

    assert [response.status_code for response in responses] == [200] * 10 + [429] * 5
    assert len(evaluated) == 10
    assert 0 < wait_of(responses[-1]) <= QUARTER
    assert "Try again in" in responses[-1].content.decode()
    assert guess("root@test.io").status_code == 429


def test_the_admins_door_opens():
    AdminFactory(email="root@test.io")

    response = admin_log_in("root@test.io", PASSWORD)

    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert KnownAddress.objects.get().address == "203.0.113.1"


def test_the_admins_door_for_whoever_is_in(admin):
    client = Client()
    client.force_login(admin)

    assert client.get("/admin/login/").status_code == 302


# --- Many at once ----------------------------------------------------------------------------------------------------


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", [None, HOME])
def test_of_forty_at_once_ten_are_looked_at(evaluated, address):
    email = f"{new_id()}@test.io"
    somewhere = [f"10.77.{new_id().bytes[-1]}.{number}" for number in range(40)]
    user = UserFactory(email=email)
    if address:
        guessing.remember(user, address)
    evaluated.clear()

    statuses = at_once(40, lambda number: guess(email, address or somewhere[number]).status_code)

    assert sorted(statuses) == [401] * 10 + [429] * 30
    assert len(evaluated) == 10


class _Crowd:
    """A store whose guests all look for free places before any of them takes one."""

    def __init__(self, guests):
        self.places = LocMemCache(str(new_id()), {})
        self.barrier = threading.Barrier(guests)
        self.thread = threading.local()

    def get_many(self, names):
        places = self.places.get_many(names)
        if not hasattr(self.thread, "has_looked"):
            self.thread.has_looked = True
            self.barrier.wait(timeout=30)
        return places

    def add(self, *args):
        return self.places.add(*args)

    def delete(self, name):
        self.places.delete(name)


def test_of_forty_who_see_ten_free_places_ten_get_one(monkeypatch):
    monkeypatch.setattr(guessing, "is_known", lambda email, address: False)
    monkeypatch.setattr(guessing, "STORES", (_Crowd(40),))
    looked_at = []

    def one(number):
        try:
            guessing.guarded(email="a@test.io", address=f"192.0.2.{number}", evaluate=lambda: looked_at.append(1))
        except guessing.Throttled:
            return 429
        return 401

    outcomes = at_once(40, one)

    assert (outcomes.count(401), len(looked_at)) == (10, 10)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_right_ones_at_once_all_pass_in_the_end():
    email = f"{new_id()}@test.io"
    user = UserFactory(email=email)
    guessing.remember(user, HOME)

    at_once(20, lambda number: log_in(email).status_code)

    assert log_in(email).status_code == 200
    assert KnownAddress.objects.count() == 1


# --- While Redis is away ---------------------------------------------------------------------------------------------


def test_each_process_counts_by_itself_while_the_shared_cache_is_away(anna, monkeypatch, evaluated):
    away = ForgivingRedisCache("redis://127.0.0.1:1/0", {})
    monkeypatch.setattr(ForgivingRedisCache, "away_until", float("inf"))
    for name in ("get_many", "add", "delete"):
        monkeypatch.setattr(cache, name, getattr(away, name))

    statuses = [guess(address=address).status_code for address in addresses(30)]

    assert statuses == [401] * 10 + [429] * 20
    assert len(evaluated) == 10
    UserFactory(email="boris@test.io")
    assert log_in("boris@test.io").status_code == 200


def test_processes_count_together(anna, monkeypatch, evaluated):
    """Another process has a store of its own; the shared one knows of all."""
    monkeypatch.setattr(guessing, "STORES", (cache,))
    for address in addresses(6):
        guess(address=address)
    monkeypatch.undo()
    statuses = [guess(address=address).status_code for address in addresses(6)]

    assert statuses == [401] * 4 + [429] * 2


def test_guesses_end_no_token(anna):
    pair = issue_pair(anna)
    for address in addresses(20):
        guess(address=address)

    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert APIClient().get("/api/users/me/", headers=headers).status_code == 200
    assert User.objects.get().is_active
