"""Why a lesson is closed to the reader: the one rule that every reference stack has to follow."""

from collections.abc import Iterable
from datetime import UTC, datetime


def course_lock(price: object, status: str | None, expires_at: datetime | None) -> str | None:
    """Why the course as a whole is closed; `status` and `expires_at` are the enrollment's, None without one."""
    if status in {"active", "completed"}:
        return "access_expired" if expires_at is not None and expires_at <= datetime.now(UTC) else None
    if status == "expired":
        return "access_expired"
    return "payment_required" if price else "not_enrolled"


def lesson_locks(reason: str | None, sequential: bool, lessons: Iterable[tuple[bool, bool, bool]]) -> list[str | None]:
    """For the course's lessons, in order, given as (is a preview or the reader's own, is bought, is completed)."""
    locks: list[str | None] = []
    previous = True
    for is_free, is_bought, is_completed in lessons:
        if is_free or is_bought:
            locks.append(None)
        elif reason is None and sequential and not previous:
            locks.append("previous_lesson_required")
        else:
            locks.append(reason)
        previous = previous and is_completed
    return locks
