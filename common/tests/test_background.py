"""A broker that is down or frozen costs a request little once, and then nothing."""

import json
import socket
import threading
import time

import pytest
from celery import current_app
from django.db import transaction

from common import background
from users.models import Notification
from users.tests.factories import NotificationFactory

TASK = "users.tasks.send_pending_emails"


@pytest.fixture(autouse=True)
def _fresh_publisher(monkeypatch):
    """No pause and no connection from an earlier test, and none for a later one."""
    monkeypatch.setattr(background._Pause, "until", 0.0)
    background._connections.cache_clear()
    yield
    background._connections.cache_clear()


@pytest.fixture
def sent(monkeypatch):
    """What would have reached the broker."""
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda task, args, **kwargs: sent.append((task, args)))
    return sent


@pytest.fixture
def closed_port():
    """One that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def frozen_port():
    """Of a server that takes connections and never says a word."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)
    for connection in taken:
        connection.close()


def seconds(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


# --- When ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_is_published_before_the_commit(sent):
    with transaction.atomic():
        background.enqueue(TASK, "a")
        before = list(sent)

    assert before == []
    assert sent == [(TASK, ("a",))]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_published_after_a_rollback(sent):
    with transaction.atomic():
        background.enqueue(TASK)
        transaction.set_rollback(True)

    assert sent == []


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_it_is_published_at_once(sent):
    background.enqueue(TASK)

    assert sent == [(TASK, ())]


# --- A broker that is away -------------------------------------------------------------------------------------------


BROKERS = ["redis://127.0.0.1:{}/0", "amqp://guest:guest@127.0.0.1:{}//"]


@pytest.fixture(params=["closed_port", "frozen_port"])
def dead_port(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=BROKERS, ids=["redis", "amqp"])
def dead_broker(request, dead_port, settings):
    settings.CELERY_BROKER_URL = request.param.format(dead_port)


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_is_given_up_within_a_second(dead_broker):
    took = seconds(lambda: background.enqueue(TASK))

    assert took < 1


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_is_not_asked_again_for_a_while(dead_broker):
    background.enqueue(TASK)

    took = seconds(lambda: background.enqueue(TASK))

    assert took < 0.05


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_is_logged(dead_broker, caplog):
    background.enqueue(TASK, "a")

    assert "The broker is away" in caplog.text
    assert TASK in caplog.text


@pytest.mark.django_db(transaction=True)
def test_what_has_to_be_done_stays_in_its_row(dead_broker):
    with transaction.atomic():
        letter = NotificationFactory()
        background.enqueue(TASK)

    assert Notification.objects.to_send().get() == letter


@pytest.mark.django_db(transaction=True)
def test_after_the_pause_it_is_asked_again(closed_port, settings, sent):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{closed_port}/0"
    background._Pause.until = time.monotonic() - 0.001

    background.enqueue(TASK)

    assert sent == [(TASK, ())]


@pytest.mark.django_db(transaction=True)
def test_twenty_threads_at_a_frozen_broker(frozen_port, settings):
    """More of them than the publisher has connections: none waits for its turn, and then for the broker."""
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{frozen_port}/0"
    took = []
    threads = [
        threading.Thread(target=lambda: took.append(seconds(lambda: background._publish(TASK, ())))) for _ in range(20)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(took) == 20
    # One after the other they would need eight seconds; the rest is room for a busy machine.
    assert max(took) < 4


@pytest.mark.parametrize("url", ["nonsense://x", "redis://127.0.0.1:99999/0", "amqp://no-such-host.invalid//"])
@pytest.mark.django_db(transaction=True)
def test_an_address_that_leads_nowhere(settings, url):
    settings.CELERY_BROKER_URL = url

    background.enqueue(TASK)  # does not raise

    assert background._Pause.until > time.monotonic()


# --- A broker that is there ------------------------------------------------------------------------------------------


@pytest.fixture
def broker_folder(settings, tmp_path):
    """The embedded broker: a folder with a file for each message."""
    settings.CELERY_BROKER_URL = "filesystem://localhost//"
    messages, control = tmp_path / "messages", tmp_path / "control"
    messages.mkdir()
    control.mkdir()
    options = {"data_folder_in": str(messages), "data_folder_out": str(messages), "control_folder": str(control)}
    before = current_app.conf.broker_transport_options
    current_app.conf.broker_transport_options = options
    yield messages
    current_app.conf.broker_transport_options = before


@pytest.mark.django_db(transaction=True)
def test_the_embedded_broker_gets_a_file(broker_folder):
    background.enqueue(TASK, "0190", 2)

    (path,) = broker_folder.iterdir()
    message = json.loads(path.read_text())
    assert message["headers"]["task"] == TASK
    assert '["0190", 2]' in message["headers"]["argsrepr"] or "('0190', 2)" in message["headers"]["argsrepr"]


@pytest.mark.django_db(transaction=True)
def test_the_embedded_broker_gets_one_file_for_each_call(broker_folder):
    for _ in range(3):
        background.enqueue(TASK)

    assert len(list(broker_folder.iterdir())) == 3
