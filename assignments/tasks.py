"""Background entry points. Each may run twice, at once, or be killed at any line."""

from celery import shared_task

from assignments.models import Attempt
from assignments.services import attempts, progress, submissions
from materials.models import Course


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
