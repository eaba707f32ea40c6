"""How many requests one caller may make: the throttles that views use. None of DRF's own are used beside these.

DRF's throttles read a list of times, add to it and write it back, so that a burst of requests at once passes as one.
Here each request adds 1 to a number in the cache, which is atomic, and then looks at the sum. A rate's period is cut
into ten slices with a number each, of which this one and the nine before count: nobody waits for longer than a period,
and within nine tenths of one never more are allowed than the rate says.
"""

import time
from typing import Any

from django.core.cache import cache
from rest_framework import throttling
from rest_framework.request import Request

from common.addresses import client_address

COUNTED = "_lyceum_is_counted"
SLICES = 10


class Throttle(throttling.SimpleRateThrottle):
    """Counts a caller's requests, whoever is refused with 401 or 403 included (see `count_what_was_refused`)."""

    # The library sets them from the rate.
    num_requests: int
    duration: int

    def get_ident(self, request: Request) -> str:
        return client_address(request)

    def allow_request(self, request: Request, view: Any) -> bool:
        setattr(request._request, COUNTED, True)
        if self.rate is None:
            return True
        key = self.get_cache_key(request, view)
        return key is None or self._count(key)

    def _count(self, key: str) -> bool:
        slice_number = int(time.time() * SLICES / self.duration)
        names = [f"{key}:{self.duration}:{slice_number - age}" for age in range(SLICES)]
        own = _add(names[0], 1, seconds=2 * self.duration)
        earlier = cache.get_many(names[1:])
        self.slices = [own, *(int(earlier.get(name, 0)) for name in names[1:])]
        if sum(self.slices) <= self.num_requests:
            return True
        _add(names[0], -1, seconds=2 * self.duration)  # asking again makes nobody's wait longer
        self.slices[0] -= 1
        return False

    def wait(self) -> float:
        """Seconds until a request is allowed again: until enough slices, the oldest first, are over."""
        length = self.duration / SLICES
        left = sum(self.slices)
        for age in range(SLICES - 1, -1, -1):
            left -= self.slices[age]
            if left < self.num_requests:
                return (SLICES - age) * length - time.time() % length
        return float(self.duration)


class AnonRateThrottle(Throttle, throttling.AnonRateThrottle):
    """Of one address, the requests of nobody in particular: without a token, or with a bad one."""


class UserRateThrottle(Throttle, throttling.UserRateThrottle):
    """Of one person, from wherever."""

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        return super().get_cache_key(request, view) if request.user and request.user.is_authenticated else None


class ScopedRateThrottle(Throttle, throttling.ScopedRateThrottle):
    """Of one person or address, the requests to what has the same `throttle_scope`."""

    def allow_request(self, request: Request, view: Any) -> bool:
        # The rate is the view's, so it is only known here.
        self.scope = getattr(view, self.scope_attr, None)
        if not self.scope:
            setattr(request._request, COUNTED, True)
            return True
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)  # type: ignore[assignment]
        return Throttle.allow_request(self, request, view)


def count_what_was_refused(view: Any, request: Any) -> None:
    """Counts a request that was refused before any throttle saw it: DRF asks them last, after who is calling and
    whether they may. Raises Throttled when there were too many of those, too."""
    if isinstance(request, Request) and not hasattr(request._request, COUNTED):
        view.check_throttles(request)


def _add(key: str, number: int, *, seconds: int) -> int:
    try:
        return int(cache.incr(key, number))
    except ValueError:  # it is the first of its slice
        cache.add(key, 0, seconds)
    try:
        return int(cache.incr(key, number))
    except ValueError:  # a cache so full that it forgets at once
        return number
