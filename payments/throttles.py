"""How often something is asked of Stripe for callers that nobody knows."""

from typing import Any

from rest_framework.request import Request

from common.throttling import Throttle


class UnknownSessionThrottle(Throttle):
    """Sessions that are not noted here, by the caller's address."""

    rate = "10/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"unknown-session:{self.get_ident(request)}"


class AllUnknownSessionsThrottle(UnknownSessionThrottle):
    """The same, of all callers together."""

    rate = "20/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return "unknown-session:all"
