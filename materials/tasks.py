"""Background entry points. Each may run twice, at once, or be killed at any line."""

import logging

from celery import shared_task
from django.utils import timezone

from materials import indexing, services

logger = logging.getLogger(__name__)

COURSES_PER_BATCH = 100


@shared_task
def send_course_update_notification(course_id: str) -> int:
    """After a course or one of its lessons changes. Returns how many subscribers were written to."""
    return services.announce_updates([course_id])


@shared_task
def expire_enrollments() -> int:
    """Daily. Returns for how many access has run out."""
    return services.expire_enrollments(timezone.now())


@shared_task
def remove_completed_courses() -> int:
    """Daily: what was completed long ago leaves the cabinet. Returns how many courses did."""
    return services.remove_completed_courses(timezone.now())


@shared_task
def announce_pending_updates() -> int:
    """Every minute: windows that ended, and whatever a broker outage swallowed."""
    written = 0
    courses = services.courses_to_announce(timezone.now())
    waiting = [courses[start : start + COURSES_PER_BATCH] for start in range(0, len(courses), COURSES_PER_BATCH)]
    for batch in waiting:
        try:
            written += services.announce_updates(batch)
        except Exception:
            logger.exception("The letters about these courses failed: %s", ", ".join(map(str, batch)))
            if len(batch) > 1:  # the others do not wait for the one that is to blame
                waiting.extend([course_id] for course_id in batch)
    return written


@shared_task
def refresh_search() -> int:
    """Every minute: search entries that wait since somebody, or a category, has got another name. Returns how many."""
    return indexing.refresh_waiting()


@shared_task
def tidy_vocabulary() -> int:
    """Daily: words that no course is found by leave the search. Returns how many."""
    return indexing.tidy_vocabulary()
