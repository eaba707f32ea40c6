"""One notion of an address, and one way of counting, for whatever is limited."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread
from types import SimpleNamespace

import pytest
import time_machine
from django.conf import settings as project
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from common import throttling
from common.addresses import client_address
from config import settings as real

COURSES = "/api/courses/"
ME = "/api/users/me/"
LIMITED = dict.fromkeys(real.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
# The same caller, however they write their address; and another one.
ONE_CALLER = [
    ["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107"],
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:0DB8:0001:0002::7"],
]


@pytest.fixture
def rates(monkeypatch):
    def rates(**some):
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", LIMITED | some)

    return rates


def views() -> Iterator[type[APIView]]:
    def walk(patterns):
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            elif isinstance(pattern, URLPattern):
                view = getattr(pattern.callback, "cls", getattr(pattern.callback, "view_class", None))
                if view and issubclass(view, APIView):
                    yield view

    yield from sorted(set(walk(get_resolver().url_patterns)), key=str)


def throttle_classes() -> set[type[throttling.Throttle]]:
    return {each for view in views() for each in view.throttle_classes}


# --- Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", ONE_CALLER, ids=lambda value: value[0])
def test_one_caller_has_one_address(addresses):
    found = {client_address(RequestFactory().get("/", REMOTE_ADDR=address)) for address in addresses}

    assert len(found) == 1
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="2001:db8:1:3::1")) not in found


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "198.51.100.1", "203.0.113.7"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        (2, "10.9.9.9, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "198.51.100.1"),
        (1, "198.51.100.1:4711", "198.51.100.1"),
        (1, "[2001:db8::5]:4711", "2001:db8::"),
        (1, "2001:db8::5", "2001:db8::"),
        (1, "::ffff:198.51.100.1", "198.51.100.1"),
        (1, "unknown", "203.0.113.7"),
        (1, " , ", "203.0.113.7"),
        (1, "", "203.0.113.7"),
    ],
)
def test_proxies_are_believed_as_far_as_the_setting_says(monkeypatch, proxies, forwarded, expected):
    monkeypatch.setattr(api_settings, "NUM_PROXIES", proxies)
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7", headers={"X-Forwarded-For": forwarded})

    assert client_address(request) == expected


@pytest.mark.parametrize("address", ["", "unix:", "nonsense"])
def test_a_caller_without_an_address(address):
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=address)) == ""


# --- All throttles ---------------------------------------------------------------------------------------------------


def test_every_throttle_of_every_view_is_ours():
    found = throttle_classes()

    assert {throttling.AnonRateThrottle, throttling.UserRateThrottle, throttling.ScopedRateThrottle} <= found
    assert all(issubclass(each, throttling.Throttle) for each in found)


def test_nothing_else_counts_or_reads_addresses():
    """Neither DRF's own throttles nor the bare headers."""
    other = re.compile(r"rest_framework\.throttling|from rest_framework import .*throttling|REMOTE_ADDR|FORWARDED_FOR")
    ours = {"common/throttling.py", "common/addresses.py", "config/asgi.py"}  # the last writes what a server tells
    sources = {
        str(path.relative_to(project.BASE_DIR)): path.read_text()
        for app in ("common", "users", "materials", "payments", "assignments", "community", "config")
        for path in Path(project.BASE_DIR, app).rglob("*.py")
        if "tests" not in path.parts
    }

    assert {name for name, text in sources.items() if other.search(text)} == ours


@pytest.mark.parametrize("throttle_class", sorted(throttle_classes(), key=str))
@pytest.mark.parametrize("addresses", ONE_CALLER, ids=lambda value: value[0])
def test_every_throttle_counts_one_caller_as_one(rates, throttle_class, addresses):
    rates(anon="2/min", user="2/min", feedback="2/min")
    view = SimpleNamespace(throttle_scope="feedback")

    def is_allowed(address, user_id):
        request = Request(RequestFactory().get("/", REMOTE_ADDR=address))
        request.user = SimpleNamespace(is_authenticated=bool(user_id), pk=user_id)
        return throttle_class().allow_request(request, view)

    by_person = throttle_class is throttling.UserRateThrottle
    allowed = [is_allowed(address, "anna" if by_person else None) for address in addresses]

    assert allowed == [True, True, False]
    assert is_allowed("2001:db8:9:9::1", "boris" if by_person else None)


@pytest.mark.parametrize("throttle_class", sorted(throttle_classes(), key=str))
def test_a_burst_lets_no_more_through_than_the_rate(rates, throttle_class):
    rates(anon="5/min", user="5/min", feedback="5/min")
    view, barrier, allowed = SimpleNamespace(throttle_scope="feedback"), Barrier(40), []

    def ask():
        request = Request(RequestFactory().get("/", REMOTE_ADDR="203.0.113.9"))
        by_person = throttle_class is throttling.UserRateThrottle
        request.user = SimpleNamespace(is_authenticated=by_person, pk="anna")
        throttle = throttle_class()
        barrier.wait()
        allowed.append(throttle.allow_request(request, view))

    threads = [Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert allowed.count(True) == 5


def test_when_to_come_back_is_when_one_may_come_back(rates):
    rates(anon="4/hour")

    def ask():
        request = Request(RequestFactory().get("/", REMOTE_ADDR="203.0.113.9"))
        request.user = None
        throttle = throttling.AnonRateThrottle()
        return throttle.allow_request(request, SimpleNamespace()), throttle

    with time_machine.travel("2030-01-01T00:07:00Z", tick=False) as clock:
        for _ in range(3):
            assert ask()[0]
        clock.shift(1000)
        allowed, _ = ask()
        refused, throttle = ask()
        wait = throttle.wait()
        clock.shift(wait - 1)
        still_refused, _ = ask()
        clock.shift(2)
        allowed_again, _ = ask()

    assert (allowed, refused, still_refused, allowed_again) == (True, False, False, True)
    assert 0 < wait <= 3600


# --- What is refused before any throttle is asked --------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "path"),
    [
        (None, ME),
        ("nonsense", ME),
        ("nonsense", COURSES),
        ("a.b.c", COURSES),
        ("two words", COURSES),
    ],
)
def test_what_is_refused_with_401_counts(api, rates, token, path):
    rates(anon="2/min")
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    responses = [api.get(path, headers=headers) for _ in range(3)]

    assert [response.status_code for response in responses] == [401, 401, 429]
    assert int(responses[-1]["Retry-After"]) > 0


@pytest.mark.django_db
def test_what_is_refused_with_403_counts(client_for, rates, course):
    rates(user="2/min")
    client = client_for("student")

    statuses = [client.patch(f"{COURSES}{course.pk}/", {"title": "x"}).status_code for _ in range(3)]

    assert statuses == [403, 403, 429]


@pytest.mark.django_db
def test_a_bad_token_keeps_nobody_else_waiting(api, client_for, rates):
    rates(anon="1/min")
    for _ in range(3):
        api.get(ME, headers={"Authorization": "Bearer nonsense"})

    assert client_for("student").get(ME).status_code == 200


@pytest.mark.django_db
def test_no_request_counts_twice(client_for, api, rates, course):
    rates(user="3/min", anon="3/min")
    student = client_for("student")

    for client in (student, api):
        statuses = [client.get(f"{COURSES}{course.pk}/lessons/").status_code for _ in range(4)]
        assert [a == b for a, b in pairwise(statuses)] == [True, True, False]
