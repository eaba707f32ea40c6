"""The content gate: whether a person may open a lesson, and if not, why.

Everything that stands under a lesson (body, video, attachments, assignments, quizzes) asks here.
"""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import NotAuthenticated

from common.errors import RuleBroken
from materials.models import Course, Enrollment, Lesson
from materials.models.content import Viewer

NOT_ENROLLED = "not_enrolled"
PAYMENT_REQUIRED = "payment_required"
ACCESS_EXPIRED = "access_expired"
PREVIOUS_LESSON_REQUIRED = "previous_lesson_required"

TEXTS = {
    NOT_ENROLLED: _("Enroll in the course to open this lesson."),
    PAYMENT_REQUIRED: _("Buy the course to open this lesson."),
    ACCESS_EXPIRED: _("Your access to the course has expired."),
    PREVIOUS_LESSON_REQUIRED: _("Complete the previous lesson first."),
}


def set_locks(
    user: Viewer, course: Course, lessons: Iterable[Lesson], *, status: str | None, expires_at: datetime | None
) -> None:
    """Sets `lock_reason`, a code or None, on each of the course's lessons.

    The lessons are all of the course's, in order, from `Lesson.objects.for_viewer(user)`; `status` and `expires_at` are
    those of the user's enrollment, None without one.
    """
    managed = course.is_managed_by(user)
    course_reason = _course_lock(course, status, expires_at)
    previous_completed = True
    for lesson in lessons:
        reason: str | None
        if managed or lesson.is_preview or lesson.is_bought:
            reason = None
        elif course_reason is None and course.sequential and not previous_completed:
            reason = PREVIOUS_LESSON_REQUIRED
        else:
            reason = course_reason
        lesson.lock_reason = reason
        previous_completed = previous_completed and lesson.is_completed


def _course_lock(course: Course, status: str | None, expires_at: datetime | None) -> str | None:
    if status in {Enrollment.Status.ACTIVE, Enrollment.Status.COMPLETED}:
        return ACCESS_EXPIRED if expires_at is not None and expires_at <= timezone.now() else None
    if status == Enrollment.Status.EXPIRED:
        return ACCESS_EXPIRED
    return NOT_ENROLLED if course.is_free else PAYMENT_REQUIRED


def set_outline_locks(user: Viewer, courses: Iterable[Course]) -> None:
    """`set_locks` for courses that came with `for_listing(user)` and their lessons prefetched as `outline`."""
    for course in courses:
        set_locks(
            user,
            course,
            course.outline,
            status=course.my_enrollment_status,
            expires_at=course.my_enrollment_expires_at,
        )


def set_lesson_locks(user: Viewer, lessons: Iterable[Lesson]) -> None:
    """`set_locks` for lessons of any courses, taken by themselves; two queries, however many."""
    wanted = list(lessons)
    course_ids = {lesson.course_id for lesson in wanted}
    siblings = Lesson.objects.filter(course__in=course_ids).for_viewer(user).order_by("order", "id")
    by_course: dict[object, list[Lesson]] = {}
    for sibling in siblings.only("id", "course", "is_preview", "order"):
        by_course.setdefault(sibling.course_id, []).append(sibling)
    courses = Course.objects.filter(pk__in=course_ids).for_listing(user)
    judged: dict[object, Lesson] = {}
    for course in courses:
        outline = by_course.get(course.pk, [])
        set_locks(
            user,
            course,
            outline,
            status=course.my_enrollment_status,
            expires_at=course.my_enrollment_expires_at,
        )
        judged.update({lesson.pk: lesson for lesson in outline})
    for lesson in wanted:
        # One that has been deleted since it was read is closed.
        same = judged.get(lesson.pk)
        lesson.lock_reason = same.lock_reason if same else NOT_ENROLLED
        lesson.is_completed = same is not None and same.is_completed


def check_open(user: Viewer, lesson: Lesson) -> None:
    """Returns if the user may open the lesson; else 401 for the anonymous and 403 with the reason as its code."""
    set_lesson_locks(user, [lesson])
    if lesson.lock_reason is None:
        return
    if not user.is_authenticated:
        raise NotAuthenticated
    raise RuleBroken(lesson.lock_reason, TEXTS[lesson.lock_reason], status_code=status.HTTP_403_FORBIDDEN)
