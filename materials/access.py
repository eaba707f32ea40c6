"""The content gate: whether a person may open a lesson, and if not, why.

Everything that stands under a lesson (body, video, attachments, assignments, quizzes) asks here.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import NotAuthenticated

from common.errors import RuleBroken
from materials.models import Course, Enrollment, Lesson, LessonAccess, LessonCompletion
from materials.models.content import LessonQuerySet, Viewer
from users.models import User

NOT_ENROLLED = "not_enrolled"
PAYMENT_REQUIRED = "payment_required"
ACCESS_EXPIRED = "access_expired"
PREVIOUS_LESSON_REQUIRED = "previous_lesson_required"

# What `set_locks` asks of a lesson itself.
JUDGED = ("id", "course", "is_preview", "order")

NOTHING: frozenset[str] = frozenset()
# One's own work and its grades stay readable when access has run out, and when a lesson is put before them later.
READING_OWN_WORK = frozenset({ACCESS_EXPIRED, PREVIOUS_LESSON_REQUIRED})
# So does what has been begun go on.
GOING_ON = frozenset({PREVIOUS_LESSON_REQUIRED})

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
        elif course_reason is None and course.sequential and not (previous_completed or lesson.is_completed):
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


def _enrollment_lock(course: Course, enrollment: Enrollment | None) -> str | None:
    if enrollment is None:
        return _course_lock(course, None, None)
    return _course_lock(course, enrollment.status, enrollment.expires_at)


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
    for sibling in siblings.only(*JUDGED):
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


def open_lessons(user: User) -> LessonQuerySet:
    """Lessons that `check_open` lets the user into, of courses that they see: what may be offered to them."""
    visible = Course.objects.visible_to(user).order_by().values("pk")
    return Lesson.objects.filter(course__in=visible).for_viewer(user).open_to(user)


Pair = tuple[UUID, UUID]


def openable(pairs: Iterable[Pair], *, ignoring: frozenset[str] = NOTHING) -> set[Pair]:
    """Of these (person, lesson) those where the person may open the lesson now: the question of `open_lessons` for any
    number of people at once. As many queries for one as for a thousand."""
    wanted = set(pairs)
    lessons = {
        lesson.pk: lesson for lesson in Lesson.objects.filter(pk__in={lesson for _user, lesson in wanted}).only(*JUDGED)
    }
    by_course: dict[Pair, list[Lesson]] = defaultdict(list)
    for user_id, lesson_id in wanted:
        if lesson_id in lessons:
            by_course[user_id, lessons[lesson_id].course_id].append(lessons[lesson_id])
    seen = _Seen(by_course)
    outlines, completed = _sequences(seen)
    found = set()
    for user_id, course_id in seen.pairs:
        course, enrollment = seen.courses[course_id], seen.enrollments.get((user_id, course_id))
        judged = outlines.get(course_id) or by_course[user_id, course_id]
        for lesson in judged:
            lesson.is_bought = (user_id, lesson.pk) in seen.bought
            lesson.is_completed = enrollment is not None and (enrollment.pk, lesson.pk) in completed
        status, expires_at = (enrollment.status, enrollment.expires_at) if enrollment else (None, None)
        set_locks(seen.people[user_id], course, judged, status=status, expires_at=expires_at)
        found |= {
            (user_id, lesson.pk) for lesson in judged if lesson.lock_reason is None or lesson.lock_reason in ignoring
        }
    return found & wanted


def seen_courses(pairs: Iterable[Pair]) -> set[Pair]:
    """Of these (person, course) those where the person sees the course: `Course.objects.visible_to` for any number of
    people at once. Those whose account is not active see nothing."""
    return _Seen(pairs).pairs


class _Seen:
    """Which of these people see which of these courses, and what has been read to find that out."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        wanted = set(pairs)
        people = User.objects.for_request().filter(pk__in={user for user, _course in wanted}, is_active=True)
        self.people = {user.pk: user for user in people}
        self.courses = Course.objects.select_related("owner").in_bulk({course for _user, course in wanted})
        enrollments = Enrollment.objects.filter(user__in=self.people, course__in=self.courses)
        self.enrollments = {(enrollment.user_id, enrollment.course_id): enrollment for enrollment in enrollments}
        bought = LessonAccess.objects.filter(user__in=self.people, lesson__course__in=self.courses)
        rows = list(bought.values_list("user", "lesson", "lesson__course"))
        self.bought = {(user, lesson) for user, lesson, _course in rows}
        self.bought_in = {(user, course) for user, _lesson, course in rows}
        self.pairs = {(user, course) for user, course in wanted if self._sees(user, course)}

    def _sees(self, user_id: UUID, course_id: UUID) -> bool:
        user, course = self.people.get(user_id), self.courses.get(course_id)
        if user is None or course is None:
            return False
        if course.status == Course.Status.PUBLISHED or course.is_managed_by(user):
            return True
        enrollment = self.enrollments.get((user_id, course_id))
        is_kept = (enrollment is not None and not enrollment.is_revoked) or (user_id, course_id) in self.bought_in
        return course.status == Course.Status.ARCHIVED and is_kept


def _sequences(seen: _Seen) -> tuple[dict[UUID, list[Lesson]], set[Pair]]:
    """Of the courses whose lessons open one after another: all their lessons, in order, and (enrollment, lesson) of
    those that these people have completed."""
    sequential = {course_id for _user, course_id in seen.pairs if seen.courses[course_id].sequential}
    outlines: dict[UUID, list[Lesson]] = defaultdict(list)
    if not sequential:
        return outlines, set()
    for lesson in Lesson.objects.filter(course__in=sequential).only(*JUDGED).order_by("order", "id"):
        outlines[lesson.course_id].append(lesson)
    done = LessonCompletion.objects.filter(
        enrollment__in=[each.pk for pair, each in seen.enrollments.items() if pair in seen.pairs],
        lesson__course__in=sequential,
        completed_at__isnull=False,
    )
    return outlines, set(done.values_list("enrollment", "lesson"))


def check_open(user: Viewer, lesson: Lesson, *, ignoring: frozenset[str] = NOTHING) -> None:
    """Returns if the user may open the lesson; else 401 for the anonymous and 403 with the reason as its code.

    `ignoring` names reasons that do not count here: `READING_OWN_WORK`, `GOING_ON`.
    """
    set_lesson_locks(user, [lesson])
    _refuse(user, lesson.lock_reason, ignoring)


def check_course_open(
    user: Viewer, course: Course, *, after_lessons: bool = False, ignoring: frozenset[str] = NOTHING
) -> None:
    """The same for what belongs to the course as a whole. `after_lessons` is for what stands behind the last lesson,
    such as a final quiz: in a sequential course all lessons come first."""
    reason = None
    if not course.is_managed_by(user):
        enrollment = user.enrollments.filter(course=course).first() if user.is_authenticated else None
        reason = _enrollment_lock(course, enrollment)
        if reason is None and after_lessons and course.sequential:
            done = LessonCompletion.objects.filter(enrollment=enrollment, completed_at__isnull=False)
            undone = course.lessons.exclude(pk__in=done.values("lesson"))
            reason = PREVIOUS_LESSON_REQUIRED if undone.exists() else None
    _refuse(user, reason, ignoring)


def _refuse(user: Viewer, reason: str | None, ignoring: frozenset[str]) -> None:
    if reason is None or reason in ignoring:
        return
    if not user.is_authenticated:
        raise NotAuthenticated
    raise RuleBroken(reason, TEXTS[reason], status_code=status.HTTP_403_FORBIDDEN)


def check_enrolled(user: User, course: Course, *, ignoring: frozenset[str] = NOTHING) -> Enrollment:
    """The user's enrollment, if it is open; else 403. Who may look (a preview, one's own course) is no student yet."""
    enrollment = user.enrollments.filter(course=course).first()
    reason = _enrollment_lock(course, enrollment)
    if enrollment is not None and (reason is None or reason in ignoring):
        return enrollment
    reason = NOT_ENROLLED if reason is None or course.owner_id == user.pk else reason
    raise RuleBroken(reason, TEXTS[reason], status_code=status.HTTP_403_FORBIDDEN)


def check_may_study(user: User, course: Course, lesson: Lesson | None = None) -> Enrollment | LessonAccess:
    """What lets the user work here: the lesson bought on its own, or their open enrollment; else 403."""
    bought = user.lesson_accesses.filter(lesson=lesson).first() if lesson is not None else None
    return bought or check_enrolled(user, course)
