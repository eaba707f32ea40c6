"""Background entry points. Each may run twice, at once, or be killed at any line."""

import logging

from celery import shared_task
from django.utils import timezone

from assignments.models import Attempt
from assignments.services import attempts, progress, submissions
from materials.models import Course

logger = logging.getLogger(__name__)


@shared_task
def close_expired_attempts() -> int:
    """Every minute: attempts whose time is up are submitted as they stand. Returns how many."""
    overdue = Attempt.objects.overdue().order_by("expires_at")
    return attempts.close_overdue(list(overdue[: attempts.CLOSED_PER_RUN]))


@shared_task
def remind_due_assignments() -> int:
    """Hourly: what is due within a day. Returns how many reminders were written."""
    return submissions.remind_due()


@shared_task
def complete_finished_enrollments(course_id: str) -> int:
    """After a lesson, an assignment or the final quiz has been taken out of a course."""
    course = Course.objects.select_related("owner").filter(pk=course_id).first()
    return progress.complete_finished(course) if course is not None else 0


@shared_task
def complete_waiting_enrollments() -> int:
    """Every minute: what a broker outage swallowed of the above. Returns how many enrollments were looked at."""
    looked_at = 0
    for course_id in progress.courses_to_check(timezone.now()):
        try:
            looked_at += complete_finished_enrollments(str(course_id))
        except Exception:
            logger.exception("Looking for completed enrollments in course %s failed", course_id)  # the others go on
    return looked_at
