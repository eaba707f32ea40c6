"""Background entry points. Each may run twice, at once, or be killed at any line."""

import logging

from celery import shared_task
from django.utils import timezone

from materials import services

logger = logging.getLogger(__name__)


@shared_task
def send_course_update_notification(course_id: str) -> int:
    """After a course or one of its lessons changes. Returns how many subscribers were written to."""
    return services.announce_updates(course_id)


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
    for course_id in services.courses_to_announce(timezone.now()):
        try:
            written += services.announce_updates(course_id)
        except Exception:
            logger.exception("The letter about course %s failed", course_id)  # the others do not wait for it
    return written
