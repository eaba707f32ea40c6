"""A Redis that is away is an empty cache: it costs one time-out, and then nothing."""

import socket
import threading
import time

import pytest
from django.core.cache import cache as shared_cache

from common.cache import ForgivingRedisCache

OPERATIONS = {
    "get": (lambda cache: cache.get("key"), None),
    "get with a default": (lambda cache: cache.get("key", "default"), "default"),
    "set": (lambda cache: cache.set("key", 1, 60), None),
    "add": (lambda cache: cache.add("key", 1, timeout=60), True),
    "incr": (lambda cache: cache.incr("key"), 1),
    "incr by more": (lambda cache: cache.incr("key", 5), 5),
    "touch": (lambda cache: cache.touch("key", 60), False),
    "delete": (lambda cache: cache.delete("key"), False),
    "get_many": (lambda cache: cache.get_many(["a", "b"]), {}),
    "set_many": (lambda cache: cache.set_many({"a": 1, "b": 2}, 60), []),
    "delete_many": (lambda cache: cache.delete_many(["a", "b"]), None),
    "has_key": (lambda cache: cache.has_key("key"), False),
    "in": (lambda cache: "key" in cache, False),
    "get_or_set": (lambda cache: cache.get_or_set("key", lambda: 7, 60), 7),
    "clear": (lambda cache: cache.clear(), False),
}
each_operation = pytest.mark.parametrize(("call", "expected"), OPERATIONS.values(), ids=OPERATIONS.keys())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(ForgivingRedisCache, "away_until", 0.0)


@pytest.fixture
def closed_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def frozen_port():
    """Of a server that takes connections and never says a word: the system's queue takes them for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


def redis_at(port):
    options = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    return ForgivingRedisCache(f"redis://127.0.0.1:{port}/0", {"OPTIONS": options})


@pytest.fixture(params=["closed_port", "frozen_port"])
def dead_cache(request):
    return redis_at(request.getfixturevalue(request.param))


@each_operation
def test_a_dead_cache_answers_as_an_empty_one(dead_cache, call, expected):
    assert call(dead_cache) == expected


@each_operation
def test_a_dead_cache_is_given_up_within_a_second(dead_cache, call, expected):
    start = time.monotonic()

    call(dead_cache)

    assert time.monotonic() - start < 1


@each_operation
def test_a_dead_cache_is_not_asked_again_for_a_while(dead_cache, call, expected):
    dead_cache.get("key")
    start = time.monotonic()

    result = call(dead_cache)

    assert time.monotonic() - start < 0.05
    assert result == expected


def test_all_threads_learn_from_one_failure(frozen_port):
    redis_at(frozen_port).get("key")
    took = []

    def ask():
        start = time.monotonic()
        redis_at(frozen_port).get("key")
        took.append(time.monotonic() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(timeout=10)

    assert took[0] < 0.05


def test_after_the_pause_it_is_asked_again(closed_port, caplog, monkeypatch):
    cache = redis_at(closed_port)
    cache.get("key")
    monkeypatch.setattr(ForgivingRedisCache, "away_until", time.monotonic() - 0.001)

    cache.get("key")

    assert caplog.text.count("The cache is away") == 2


def test_a_fault_of_the_program_is_not_forgiven(closed_port):
    with pytest.raises(TypeError):
        redis_at(closed_port).get()


@pytest.mark.django_db
def test_requests_do_without_the_cache(api, course, dead_cache, monkeypatch):
    for name in ("get", "set", "add", "incr"):
        monkeypatch.setattr(shared_cache, name, getattr(dead_cache, name))

    response = api.get("/api/courses/popular/")

    assert response.status_code == 200
