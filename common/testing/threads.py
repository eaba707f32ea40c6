"""Doing things at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from django.db import connection, connections, transaction

T = TypeVar("T")


def at_once(times: int, call: Callable[[int], T]) -> list[T]:
    """`call(0)` … `call(times - 1)`, each in a thread of its own, none before all are ready. For tests that are marked
    `django_db(transaction=True)`: each thread has its own connection to the database."""
    barrier = threading.Barrier(times)

    def run(number: int) -> T:
        barrier.wait(timeout=30)
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def after_waiting(change: Callable[[], object], call: Callable[[], T]) -> T:
    """What `call()` returns if it begins while the change of this thread is not committed yet, and has to wait for it.
    For tests that are marked `django_db(transaction=True)`, on PostgreSQL."""

    def run() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            answer = pool.submit(run)
            _wait_until_blocked(answer)
        return answer.result(timeout=30)


def _wait_until_blocked(answer: Future) -> None:
    pause, end = threading.Event(), monotonic() + 30
    while not answer.done() and monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        pause.wait(0.01)
