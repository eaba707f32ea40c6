"""Asking for background work. The one way in which anything reaches the broker."""

import logging
import time
from functools import lru_cache
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection

logger = logging.getLogger(__name__)


class _Pause:
    """Until when (monotonic seconds) nothing is published, because the broker did not answer a moment ago."""

    until = 0.0


def enqueue(task: str, *args: Any) -> None:
    """Ask for the task, by name, once the transaction has committed.

    The row that says what has to be done must be part of that transaction: a broker that is away is logged and passed
    over, and the task's sweeper finds the row. Arguments must be JSON; pass ids as strings.
    """
    transaction.on_commit(lambda: _publish(task, args))


def _publish(task: str, args: tuple[Any, ...]) -> None:
    if time.monotonic() < _Pause.until:
        return
    try:
        with _connections(settings.CELERY_BROKER_URL).acquire(
            block=True, timeout=settings.PUBLISH_TIMEOUT_SECONDS
        ) as connection:
            current_app.send_task(task, args=args, connection=connection, retry=False, ignore_result=True)
    except Exception as error:
        _Pause.until = time.monotonic() + settings.PUBLISH_PAUSE_SECONDS
        logger.warning("The broker is away, %s%r waits for its sweeper: %r", task, args, error)


def impatient_connection(url: str) -> Connection:
    """A connection to the broker that gives up soon, where a worker's must wait for its blocking poll."""
    timeout = settings.PUBLISH_TIMEOUT_SECONDS
    options = dict(current_app.conf.broker_transport_options)
    if url.startswith(("redis", "rediss")):
        options |= {"socket_timeout": timeout, "socket_connect_timeout": timeout, "max_retries": 0}
    elif url.startswith(("amqp", "pyamqp")):
        options |= {"read_timeout": timeout, "write_timeout": timeout, "max_retries": 0}
    return Connection(url, connect_timeout=timeout, transport_options=options)


@lru_cache(maxsize=1)
def _connections(url: str) -> Any:
    """The publisher's own connections."""
    return impatient_connection(url).Pool(limit=20)
