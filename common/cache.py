"""The shared cache. A cache that is away costs speed, never a request."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5


def forgiving(name: str, fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The named operation; while Redis is away, `fallback(*args)` instead."""
    operation = getattr(RedisCache, name)

    @wraps(operation)
    def method(self: "ForgivingRedisCache", *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() < ForgivingRedisCache.away_until:
            return fallback(*args, **kwargs)
        try:
            return operation(self, *args, **kwargs)
        except RedisError as error:
            # Asking a frozen server again with every request would add its time-out to each of them.
            ForgivingRedisCache.away_until = time.monotonic() + PAUSE_SECONDS
            logger.warning("The cache is away, going on without it for %s s: %s", PAUSE_SECONDS, error)
            return fallback(*args, **kwargs)

    return method


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache that answers as an empty one while Redis is down or frozen."""

    away_until = 0.0  # for the whole process: all threads learn from one failure

    add = forgiving("add", lambda key, value, *args, **kwargs: True)
    get = forgiving("get", lambda key, default=None, version=None: default)
    set = forgiving("set", lambda *args, **kwargs: None)
    touch = forgiving("touch", lambda *args, **kwargs: False)
    delete = forgiving("delete", lambda *args, **kwargs: False)
    get_many = forgiving("get_many", lambda *args, **kwargs: {})
    set_many = forgiving("set_many", lambda *args, **kwargs: [])
    delete_many = forgiving("delete_many", lambda *args, **kwargs: None)
    has_key = forgiving("has_key", lambda *args, **kwargs: False)
    incr = forgiving("incr", lambda key, delta=1, version=None: delta)
    clear = forgiving("clear", lambda: False)
