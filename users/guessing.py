"""Guessing passwords: how many wrong ones are looked at.

- Of one account, from addresses that it has not logged in from: 10 within any 15 minutes, however many the addresses.
- Of one account, from an address that it has logged in from: 10 within any minute. So its owner, there, is never kept
  waiting for longer by what others do elsewhere.
- From one address that is not known to the account, of all accounts together: 100 within any 15 minutes.

Each guess takes a place before the password is looked at, and a right one gives it back: of many at once no more are
evaluated than there are places. A place is a key that the cache adds if it is not there, which is atomic in Redis and
in the process, and that is gone when its time is over: the window slides.

Places are taken in the shared cache and also in one of the process. While Redis is away (common.cache) the first
refuses nothing, and each process counts by itself: logging in goes on, and guessing is still bounded.

Accounts are told apart by the email in its one spelling, whether anybody has it or not: being kept waiting says nothing
of that.
"""

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.utils import timezone
from rest_framework.exceptions import Throttled

from common.email_addresses import key_of_address
from users.models import KnownAddress, User

T = TypeVar("T")


class Limit(NamedTuple):
    guesses: int
    seconds: int


FROM_STRANGE_ADDRESSES = Limit(10, 15 * 60)
FROM_A_KNOWN_ADDRESS = Limit(10, 60)
OF_ONE_ADDRESS = Limit(100, 15 * 60)

PLACES_AT_ONCE = 10

STORES = (LocMemCache("guessing", {"OPTIONS": {"MAX_ENTRIES": 100_000}}), cache)


def guarded(*, email: str, address: str, evaluate: Callable[[], T]) -> T:
    """What `evaluate` answers: something false for a wrong guess.

    Raises Throttled (429 with Retry-After) without asking it when too many guesses were wrong.
    """
    email = key_of_address(email)
    if is_known(email, address):
        counted = [(FROM_A_KNOWN_ADDRESS, f"account {email} at {address}")]
    else:
        counted = [(FROM_STRANGE_ADDRESSES, f"account {email}"), (OF_ONE_ADDRESS, f"address {address}")]
    taken: list[tuple[Any, str]] = []
    outcome: Any = True  # until the guess has been found wrong, it is nobody's fault
    try:
        for limit, whose in counted:
            _take_place(limit, whose, taken)
        outcome = evaluate()
    finally:
        if outcome:
            for store, place in taken:
                store.delete(place)
    return outcome


def is_known(email: str, address: str) -> bool:
    """Whether the account has logged in from there. The same work for an email that nobody has."""
    users = User.objects.with_email(email).values("pk")
    return KnownAddress.objects.filter(user__in=users, address=address or None).exists()


def remember(user: User, address: str) -> None:
    """The user has logged in from there, or proved otherwise to be who they are."""
    if address:
        KnownAddress.objects.bulk_create(
            [KnownAddress(user=user, address=address, last_login_at=timezone.now())],
            update_conflicts=True,
            unique_fields=["user", "address"],
            update_fields=["last_login_at"],
        )


def _take_place(limit: Limit, whose: str, taken: list[tuple[Any, str]]) -> None:
    """Takes one in each store and notes it in `taken`. Raises Throttled if all are taken."""
    digest = hashlib.sha256(whose.encode(errors="replace")).hexdigest()[:32]
    # The shared cache's prefix tells the keys of installations apart in both.
    names = [cache.make_key(f"guess:{limit.seconds}:{digest}:{number}") for number in range(limit.guesses)]
    for store in STORES:
        taken.append((store, _free_place(store, names, limit.seconds)))


def _free_place(store: Any, names: list[str], seconds: int) -> str:
    """Its name: from now on it is taken. Few are looked at, unless nearly all are."""
    now = time.time()
    free_at: list[float] = []
    for start in range(0, len(names), PLACES_AT_ONCE):
        some = names[start : start + PLACES_AT_ONCE]
        places = store.get_many(some)
        for name in some:
            if name not in places and store.add(name, now + seconds, seconds):
                return name
        free_at += places.values()
    raise Throttled(wait=max(1, math.ceil(min(free_at, default=now + seconds) - now)))
