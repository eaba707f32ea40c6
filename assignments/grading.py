"""How work is scored: pure functions, with no row of the database in sight."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from common.text import folded

CENT = Decimal("0.01")
DAY = timedelta(days=1)


def rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def days_late(submitted_at: datetime, due_at: datetime | None) -> int:
    """How many days have begun since the work was due; 0 for what came in time."""
    if due_at is None or submitted_at <= due_at:
        return 0
    return -(-(submitted_at - due_at) // DAY)


def late_penalty(raw_score: Decimal, percent_per_day: int, days: int) -> Decimal:
    """What lateness takes off, in points: `percent_per_day` of the raw score for each day, never more than all of it.

    Raw 80, 10 % a day, a day and a half late (two days have begun): 16.
    """
    return rounded(raw_score * min(100, percent_per_day * days) / 100)


def percent(points: Decimal, max_points: Decimal) -> Decimal:
    return rounded(points * 100 / max_points) if max_points else Decimal(0)


def is_passed(points: Decimal, max_points: Decimal, passing_score: Decimal) -> bool:
    """Compared before rounding: 59.996 % is not 60 %."""
    return points * 100 >= passing_score * max_points


def score_choices(chosen: Iterable[Any], correct: Iterable[Any]) -> Decimal:
    """The share of the points, 0 to 1: each right choice adds its part, each wrong one takes one away.

    Choosing everything is worth nothing, and so is choosing nothing.
    """
    picked, right = set(chosen), set(correct)
    if not right:
        return Decimal(0)
    return max(Decimal(0), Decimal(len(picked & right) - len(picked - right)) / len(right))


def is_right_text(text: str, accepted: Iterable[str], *, exact: bool = False) -> bool:
    """In whatever normal form, case and spaces it was written; ё is е, unless the question is `exact`."""
    given = folded(text, keep_yo=exact)
    return bool(given) and given in {folded(answer, keep_yo=exact) for answer in accepted}


def is_right_number(number: Decimal | None, correct: Decimal | None, tolerance: Decimal) -> bool:
    return number is not None and correct is not None and abs(number - correct) <= tolerance
