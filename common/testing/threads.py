"""Doing things at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

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
