import socket
import time

import pytest
from django.db import OperationalError

ALL_WELL = {"database": "ok", "cache": "ok", "broker": "ok"}


@pytest.fixture
def closed_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def frozen_port():
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


def redis_cache(port):
    return {
        "default": {
            "BACKEND": "common.cache.ForgivingRedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}/0",
            "OPTIONS": {"socket_timeout": 0.3, "socket_connect_timeout": 0.3},
        }
    }


def test_alive(api):
    """No fixture of the database: this asks nothing but the process."""
    response = api.get("/healthz/")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db(transaction=True)
def test_ready(api):
    response = api.get("/readyz/")

    assert response.status_code == 200
    assert response.json() == ALL_WELL


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("port", ["closed_port", "frozen_port"])
def test_the_cache_is_away(api, settings, request, port, monkeypatch):
    monkeypatch.setattr("common.cache.ForgivingRedisCache.away_until", 0.0)
    settings.CACHES = redis_cache(request.getfixturevalue(port))

    response = api.get("/readyz/")

    assert response.status_code == 503
    assert response.json() == {**ALL_WELL, "cache": "unavailable"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("port", ["closed_port", "frozen_port"])
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_the_broker_is_away(api, settings, request, scheme, port):
    settings.CELERY_BROKER_URL = f"{scheme}://127.0.0.1:{request.getfixturevalue(port)}//"
    start = time.monotonic()

    response = api.get("/readyz/")

    assert response.status_code == 503
    assert response.json() == {**ALL_WELL, "broker": "unavailable"}
    assert time.monotonic() - start < 5


@pytest.mark.django_db(transaction=True)
def test_the_database_is_away(api, monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("no connection")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", refuse)

    response = api.get("/readyz/")

    assert response.status_code == 503
    assert response.json() == {**ALL_WELL, "database": "unavailable"}


@pytest.mark.django_db(transaction=True)
def test_nothing_of_what_is_wrong_is_told(api, settings, closed_port):
    settings.CELERY_BROKER_URL = f"redis://user:the-secret@127.0.0.1:{closed_port}/0"

    response = api.get("/readyz/")

    assert "secret" not in response.content.decode()
    assert str(closed_port) not in response.content.decode()
