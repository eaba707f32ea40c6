"""Rules over several rows: enrolling, subscribing, reviewing, announcing changes, keeping the search up to date."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Avg, Count, F, Min, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from rest_framework.generics import get_object_or_404

from common import frontend
from common.background import enqueue
from common.errors import RuleBroken
from common.writing import save_fields
from materials import access
from materials.indexing import delete_entry, index_course, refresh
from materials.models import (
    Attachment,
    Category,
    CompletionCheck,
    Course,
    CourseUpdate,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    Subscription,
)
from users.models import Notification, User
from users.services import notify

SUBSCRIBERS_PER_BATCH = 500
ENROLLMENTS_PER_BATCH = 1000
# A digest whose writer has been silent this long is taken over by another.
DIGEST_LEASE = timedelta(minutes=2)


# --- Access ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def enroll(*, user: User, course: Course) -> tuple[Enrollment, bool]:
    """Opens a free course to the user; a paid one raises 402 with its price, and whoever lost their access to somebody
    else's decision gets 403 `access_revoked`. The flag says whether anything opened."""
    enrollment = Enrollment.objects.select_for_update().filter(user=user, course=course).first()
    if enrollment is not None and enrollment.is_open:
        if enrollment.removed_at is not None:
            enrollment.removed_at = None
            enrollment.save(update_fields=["removed_at", "updated_at"])
        return enrollment, False
    _check_may_enter(user, course)
    if enrollment is not None and enrollment.is_taken_away:
        raise RuleBroken("access_revoked", _("Your access to this course has been taken away."), status_code=403)
    enrollment = grant_access(user=user, course=course, source=Enrollment.Source.FREE)
    # It may have got a price, or been taken back, a moment ago: from here on it cannot.
    _check_may_enter(user, lock_course(course))
    return enrollment, True


def _check_may_enter(user: User, course: Course) -> None:
    if course.owner_id == user.pk:
        raise RuleBroken("own_course", _("This is your own course: all of it is open to you."))
    if course.status != Course.Status.PUBLISHED:
        raise RuleBroken("not_published", _("The course is not published."))
    if not course.is_free:
        price = {"price": str(course.price), "currency": course.currency}
        raise RuleBroken("payment_required", _("The course has to be bought."), status_code=402, extra=price)


@transaction.atomic
def grant_access(*, user: User, course: Course, source: str) -> Enrollment:
    """Opens the course to the user. Safe to call again, and from two places at once; granting again extends."""
    until = end_of_access(course)
    if source == Enrollment.Source.PAYMENT:
        return open_by_payment(user=user, course=course, until=until)
    enrollment, created = _locked_enrollment(user, course, source, until)
    if not (enrollment.is_open and enrollment.source == Enrollment.Source.PAYMENT):
        enrollment.other_source, enrollment.other_expires_at = "", None
        until = _later(enrollment.expires_at, until) if enrollment.is_open else until
        return _open(enrollment, created, source=source, expires_at=until)
    # A payment opens it as well. Should that be taken back, this remains.
    enrollment.other_source, enrollment.other_expires_at = source, until
    return _open(enrollment, created, source=enrollment.source, expires_at=_later(enrollment.expires_at, until))


def end_of_access(course: Course) -> datetime | None:
    """Until when it is open to somebody who enters now; None: without an end."""
    return timezone.now() + timedelta(days=course.access_days) if course.access_days else None


@transaction.atomic
def open_by_payment(*, user: User, course: Course, until: datetime | None) -> Enrollment:
    """Opens the course for as long as it has been paid for (None: without an end), or as something else opens it."""
    enrollment, created = _locked_enrollment(user, course, Enrollment.Source.PAYMENT, until)
    if enrollment.is_open and enrollment.source != Enrollment.Source.PAYMENT:
        enrollment.other_source, enrollment.other_expires_at = enrollment.source, enrollment.expires_at
    elif not enrollment.is_open:
        enrollment.other_source, enrollment.other_expires_at = "", None
    expires_at = _later(until, enrollment.other_expires_at) if enrollment.other_source else until
    return _open(enrollment, created, source=Enrollment.Source.PAYMENT, expires_at=expires_at)


@transaction.atomic
def close_by_payment(*, user: User, course: Course) -> None:
    """No payment opens the course any more: it is closed, unless something else opens it. Safe to call again."""
    enrollment = Enrollment.objects.select_for_update().filter(user=user, course=course).first()
    if enrollment is None or enrollment.source != Enrollment.Source.PAYMENT or enrollment.is_revoked:
        return
    if enrollment.other_source:
        enrollment.source, enrollment.expires_at = enrollment.other_source, enrollment.other_expires_at
    else:
        enrollment.status = Enrollment.Status.REVOKED
        enrollment.removed_at = None  # it is taken away, also from somebody who had left
        Course.objects.filter(pk=course.pk).update(enrollment_count=Greatest(F("enrollment_count") - 1, 0))
    enrollment.other_source, enrollment.other_expires_at = "", None
    enrollment.save(update_fields=ACCESS_FIELDS)


ACCESS_FIELDS = ["status", "source", "expires_at", "removed_at", "other_source", "other_expires_at", "updated_at"]


def _keep_in_sight(course_id: UUID) -> None:
    """Bought while it was for sale, paid after it was taken back: a draft is seen by its author alone, and whoever is
    let in must see it."""
    Course.objects.filter(pk=course_id, status=Course.Status.DRAFT).update(status=Course.Status.ARCHIVED)


def _locked_enrollment(user: User, course: Course, source: str, until: datetime | None) -> tuple[Enrollment, bool]:
    return Enrollment.objects.select_for_update().get_or_create(
        user=user, course=course, defaults={"source": source, "expires_at": until}
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """None: never."""
    return None if one is None or other is None else max(one, other)


def _open(enrollment: Enrollment, created: bool, *, source: str, expires_at: datetime | None) -> Enrollment:
    """The enrollment is open from now on: counts, and tells whoever enters by it."""
    user, course = enrollment.user, enrollment.course
    _keep_in_sight(course.pk)
    if created or enrollment.is_revoked:
        Course.objects.filter(pk=course.pk).update(enrollment_count=F("enrollment_count") + 1)
    was_open = not created and enrollment.is_open
    if not created:
        completed = enrollment.completed_at is not None
        enrollment.status = Enrollment.Status.COMPLETED if completed else Enrollment.Status.ACTIVE
        enrollment.source = source
        enrollment.expires_at = expires_at
        enrollment.removed_at = None
        enrollment.save(update_fields=ACCESS_FIELDS)
    if enrollment.is_open and not was_open:
        notify([_enrolled_notification(user, course, enrollment)])
    if not created and enrollment.completed_at is None:
        # The last grade may have come while they were away.
        look_for_completed(course.pk)
    return enrollment


def _enrolled_notification(user: User, course: Course, enrollment: Enrollment) -> Notification:
    with translation.override(user.language):
        return Notification(
            recipient=user,
            kind=Notification.Kind.ENROLLED,
            subject=_("You are enrolled in “%(title)s”") % {"title": course.title},
            message=_("The course “%(title)s” is open to you. Enjoy it!") % {"title": course.title},
            url=frontend.course(course.pk),
            # Entering again, after leaving or when access has run out, is news again.
            dedup_key=f"enrolled:{enrollment.pk}:{enrollment.updated_at:%Y%m%d%H%M%S%f}",
        )


def grant_lesson_access(*, user: User, lesson: Lesson, source: str) -> LessonAccess:
    """Opens one lesson to the user. Safe to call again, and from two places at once."""
    _keep_in_sight(lesson.course_id)
    return LessonAccess.objects.get_or_create(user=user, lesson=lesson, defaults={"source": source})[0]


@transaction.atomic
def change_enrollment(enrollment: Enrollment, changed: Sequence[str]) -> None:
    """Saves what an admin has changed of it, and nothing else. Hold its lock."""
    was_revoked = Enrollment.objects.values_list("status", flat=True).get(pk=enrollment.pk) == Enrollment.Status.REVOKED
    enters = was_revoked - enrollment.is_revoked
    Course.objects.filter(pk=enrollment.course_id).update(enrollment_count=Greatest(F("enrollment_count") + enters, 0))
    if enters < 0:
        enrollment.removed_at = None  # it is taken away, also from somebody who had left
        changed = [*changed, "removed_at"]
    save_fields(enrollment, changed)
    if enters > 0 and enrollment.completed_at is None:
        # The last grade may have come while they were away.
        look_for_completed(enrollment.course_id)


def close_lesson_by_payment(*, user: User, lesson: Lesson) -> None:
    """No payment opens the lesson any more. Safe to call again."""
    LessonAccess.objects.filter(user=user, lesson=lesson, source=Enrollment.Source.PAYMENT).delete()


@transaction.atomic
def leave_course(*, user: User, course: Course) -> None:
    """Takes the course out of the user's cabinet. What was paid for stays open, and so does all progress."""
    # What has been taken away cannot be left any more: that would be a way back.
    mine = Enrollment.objects.filter(user=user, course=course).not_revoked()
    mine.update(removed_at=timezone.now(), updated_at=timezone.now())
    free = mine.filter(source=Enrollment.Source.FREE)
    closed = free.update(status=Enrollment.Status.REVOKED)
    Course.objects.filter(pk=course.pk).update(enrollment_count=Greatest(F("enrollment_count") - closed, 0))


def expire_enrollments(now: datetime) -> int:
    """Writes down that access has run out; the gate has been closed since that very moment. Says for how many."""
    past = Enrollment.objects.filter(status=Enrollment.Status.ACTIVE, expires_at__lte=now)
    return _update_in_batches(past, status=Enrollment.Status.EXPIRED, updated_at=now)


def remove_completed_courses(now: datetime) -> int:
    """Takes courses out of their students' cabinets `COMPLETED_COURSE_DAYS` after completion. Says how many."""
    completed = Enrollment.objects.filter(
        status=Enrollment.Status.COMPLETED,
        removed_at__isnull=True,
        completed_at__lte=now - timedelta(days=settings.COMPLETED_COURSE_DAYS),
    )
    return _update_in_batches(completed, removed_at=now, updated_at=now)


def _update_in_batches(enrollments: QuerySet[Enrollment], **values: Any) -> int:
    """Each batch is a transaction of its own; what has been updated falls out of the queryset."""
    done = 0
    while batch := list(enrollments.values_list("pk", flat=True)[:ENROLLMENTS_PER_BATCH]):
        done += enrollments.filter(pk__in=batch).update(**values)
    return done


# --- Progress --------------------------------------------------------------------------------------------------------


def complete_lesson(*, enrollment: Enrollment, lesson: Lesson) -> None:
    """The student is done with the lesson. Safe to call again, and from two places at once: the first time counts."""
    LessonCompletion.objects.get_or_create(enrollment=enrollment, lesson=lesson)
    LessonCompletion.objects.filter(enrollment=enrollment, lesson=lesson, completed_at__isnull=True).update(
        completed_at=timezone.now()
    )
    # The dashboard begins with what the student was last busy with.
    Enrollment.objects.filter(pk=enrollment.pk).update(updated_at=timezone.now())


def look_for_completed(course_id: UUID) -> None:
    """Has those found who have nothing left to do in the course, after it began to ask for less or for something else.
    Within the transaction of that change."""
    CompletionCheck.objects.create(course_id=course_id)
    enqueue("assignments.tasks.complete_finished_enrollments", str(course_id))


def note_position(*, enrollment: Enrollment, lesson: Lesson, seconds: int) -> None:
    """Where the student has stopped the lesson's video."""
    LessonCompletion.objects.update_or_create(
        enrollment=enrollment, lesson=lesson, defaults={"position_seconds": seconds}
    )


# --- Subscriptions and reviews ---------------------------------------------------------------------------------------


def subscribe(*, user: User, course: Course) -> bool:
    """Letters about updates from now on. Says whether that is new."""
    return Subscription.objects.get_or_create(user=user, course=course)[1]


def unsubscribe(*, user: User, course: Course) -> bool:
    """No more letters. Says whether there was a subscription."""
    return bool(Subscription.objects.filter(user=user, course=course).delete()[0])


def check_may_review(user: User, course: Course) -> None:
    """Raises 403 unless the user has been let into the course, and 409 for a second review."""
    entered = Enrollment.objects.filter(user=user, course=course).exclude(status=Enrollment.Status.REVOKED)
    if course.owner_id == user.pk or not entered.exists():
        raise RuleBroken("not_enrolled", _("Only those who study the course review it."), status_code=403)
    if Review.objects.filter(course=course, author=user).exists():
        raise RuleBroken("already_reviewed", _("You have reviewed this course. Change that review instead."))


@transaction.atomic
def delete_review(review: Review) -> None:
    review.delete()
    refresh_rating(review.course)


def refresh_rating(course: Course) -> None:
    """Counts the course's rating anew. Within the transaction of the review's change."""
    lock_course(course)
    totals = Review.objects.filter(course=course).aggregate(average=Avg("rating"), count=Count("pk"))
    Course.objects.filter(pk=course.pk).update(
        rating_average=round(totals["average"] or 0, 2), rating_count=totals["count"]
    )


# --- Changes of content ----------------------------------------------------------------------------------------------


def lock_course(course: Course) -> Course:
    """The course as it is now; nobody else changes it, or what it holds, until the transaction ends. 404 if it is gone.

    The lock leaves the key alone: rows that refer to the course may be written meanwhile.
    """
    courses = Course.objects.select_for_update(of=("self",), no_key=True).select_related("owner")
    return get_object_or_404(courses, pk=course.pk)


def course_saved(course: Course, *, tell: bool = True, ends_otherwise: bool = False) -> None:
    """What a course entails that has just been written, within the same transaction: its subscribers are told, unless
    it is new, and if it is completed by other things than before, somebody may have done them all."""
    if ends_otherwise:
        look_for_completed(course.pk)
    if course.publish():
        course.save(update_fields=["published_at"])
    content_changed(course, CourseUpdate.Kind.COURSE_CHANGED if tell else None, course.title)


@transaction.atomic
def set_status(course: Course, status: str) -> bool:
    """Publishes it, archives it or takes it back, by all rules. Says whether that changed anything."""
    course = lock_course(course)
    if course.status == status:
        return False
    course.status = status
    course.clean()
    save_fields(course, ["status"])
    course_saved(course)
    return True


def category_changed(category: Category) -> None:
    """Its title is found in the search for its courses."""
    refresh(Course.objects.filter(category=category))


@transaction.atomic
def delete_category(category: Category) -> None:
    """Its courses stay, without one."""
    courses = list(category.courses.values_list("pk", flat=True))
    category.delete()
    refresh(Course.objects.filter(pk__in=courses))


@transaction.atomic
def delete_course(course: Course) -> None:
    """With all that hangs on it; what must stay (what was paid for) raises ProtectedError."""
    delete_entry(course.pk)
    course.delete()


@transaction.atomic
def delete_lesson(lesson: Lesson) -> None:
    lock_course(lesson.course)
    lesson.delete()
    content_changed(lesson.course, CourseUpdate.Kind.LESSON_REMOVED, lesson.title)
    look_for_completed(lesson.course_id)


@transaction.atomic
def delete_attachment(attachment: Attachment) -> None:
    lock_course(attachment.lesson.course)
    attachment.delete()
    content_changed(attachment.lesson.course, CourseUpdate.Kind.LESSON_CHANGED, attachment.lesson.title)


def content_changed(course: Course, kind: str | None, summary: str = "") -> None:
    """What every change of a course or its lessons entails: counts, search and, for what is published, the outbox.

    Within the transaction of the change. `kind` is None for a change that nobody has to hear of.
    """
    course = lock_course(course)
    Course.objects.filter(pk=course.pk).update(
        lesson_count=Lesson.objects.filter(course=course).count(), updated_at=timezone.now()
    )
    index_course(course.pk)
    if kind is None or course.status != Course.Status.PUBLISHED:
        return
    CourseUpdate.objects.create(course=course, kind=kind, summary=summary[:300])
    enqueue("materials.tasks.send_course_update_notification", str(course.pk))


# --- Update letters --------------------------------------------------------------------------------------------------


def announce_updates(course_ids: Sequence[UUID | str]) -> int:
    """Writes one notification per subscriber of each course about all its changes that wait, unless a letter went out
    within the window.

    Returns how many were written. Safe to run twice, at once, or after a kill: a digest is claimed first, and each of
    its notifications exists once. If one of the courses fails, all of them are there for the next call.
    """
    claims = _claim_digests(course_ids, timezone.now())
    mine = Course.objects.filter(pk__in=claims)
    updates = CourseUpdate.objects.filter(course__in=claims, claimed_at__in=set(claims.values()))
    try:
        written = _write_digests(mine, updates, claims)
    except Exception:
        _update_in_order(mine, digest_leased_until=None)
        raise
    with transaction.atomic():
        now = timezone.now()
        # The window begins anew with the last letter: a long list took its time.
        _update_in_order(mine, announced_at=now)
        updates.update(announced_at=now)
    return written


@transaction.atomic
def _update_in_order(courses: QuerySet[Course], **values: Any) -> None:
    """Locks them in the order of `_claim_digests`: two that have several in hand must not wait for each other."""
    list(courses.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    courses.update(**values)


def _write_digests(courses: QuerySet[Course], updates: QuerySet[CourseUpdate], claims: dict[UUID, datetime]) -> int:
    changes = defaultdict(list)
    for update in updates:
        if update.claimed_at == claims[update.course_id]:  # and not told long ago, at the moment of another's digest
            changes[update.course_id].append(update)
    by_id = courses.in_bulk()
    leased_at = timezone.now()

    @cache
    def texts(course_id: UUID, language: str) -> dict[str, str]:
        return _update_texts(by_id[course_id], changes[course_id], language)

    written = 0
    for batch in _subscribers(sorted(by_id)):
        notify(
            [
                _update_notification(user, by_id[course_id], texts(course_id, user.language), claims[course_id])
                for course_id, user in batch
            ]
        )
        written += len(batch)
        if timezone.now() > leased_at + DIGEST_LEASE / 4:
            leased_at = timezone.now()
            _update_in_order(courses, digest_leased_until=leased_at + DIGEST_LEASE)
    return written


def _subscribers(course_ids: list[UUID]) -> Iterator[list[tuple[UUID, User]]]:
    """Those who are to hear of these courses, with the course, in batches."""
    cut: Subscription | None = None  # the last of a batch, whose course may have more
    while course_ids or cut:
        subscriptions = Subscription.objects.select_related("user").order_by("course_id", "pk")
        if cut:
            subscriptions = subscriptions.filter(course=cut.course_id, pk__gt=cut.pk)
        else:
            subscriptions = subscriptions.filter(course__in=course_ids)
        batch = list(subscriptions[:SUBSCRIBERS_PER_BATCH])
        seen = access.seen_courses([(each.user_id, each.course_id) for each in batch])
        yield [(each.course_id, each.user) for each in batch if (each.user_id, each.course_id) in seen]
        if len(batch) == SUBSCRIBERS_PER_BATCH:
            cut = batch[-1]
            course_ids = [course_id for course_id in course_ids if course_id > cut.course_id]
        elif cut:
            cut = None
        else:
            course_ids = []


@transaction.atomic
def _claim_digests(course_ids: Sequence[UUID | str], now: datetime) -> dict[UUID, datetime]:
    """The moment that names each course's digest to write now: a new one, or one whose writer died."""
    # What has been taken back is announced when it is published again. Locked in one order everywhere.
    courses = Course.objects.filter(pk__in=course_ids).exclude(status=Course.Status.DRAFT).order_by("pk")
    locked = list(courses.select_for_update(no_key=True))
    waiting = CourseUpdate.objects.filter(course__in=locked, announced_at__isnull=True)
    begun = waiting.filter(claimed_at__isnull=False).order_by().values("course").annotate(first=Min("claimed_at"))
    abandoned = dict(begun.values_list("course", "first"))
    claims = {
        course.pk: abandoned[course.pk]
        for course in locked
        if course.pk in abandoned and (course.digest_leased_until is None or course.digest_leased_until <= now)
    }
    due = [
        course.pk
        for course in locked
        if course.pk not in abandoned
        and (course.announced_at is None or course.announced_at <= now - settings.UPDATE_MAIL_WINDOW)
    ]
    followed = Subscription.objects.filter(course__in=due, user__is_active=True).order_by()
    heard = set(followed.values_list("course", flat=True).distinct())
    # Nobody to tell, so no letter goes out and no window begins: whoever subscribes next hears of the next change.
    waiting.filter(course__in=[pk for pk in due if pk not in heard]).update(announced_at=now)
    changed = waiting.filter(course__in=heard)
    new = dict.fromkeys(changed.order_by().values_list("course", flat=True).distinct(), now)
    changed.update(claimed_at=now)
    Course.objects.filter(pk__in=new).update(announced_at=now)
    claims |= new
    Course.objects.filter(pk__in=claims).update(digest_leased_until=now + DIGEST_LEASE)
    return claims


def _update_texts(course: Course, updates: list[CourseUpdate], language: str) -> dict[str, str]:
    with translation.override(language):
        changes = "\n".join(f"• {update.get_kind_display()}: {update.summary}" for update in updates)
        return {
            "subject": _("“%(title)s” has been updated") % {"title": course.title},
            "message": _("What is new in the course “%(title)s”:\n\n%(changes)s")
            % {"title": course.title, "changes": changes},
        }


def _update_notification(user: User, course: Course, texts: dict[str, str], claimed_at: datetime) -> Notification:
    return Notification(
        recipient=user,
        kind=Notification.Kind.COURSE_UPDATED,
        url=frontend.course(course.pk),
        dedup_key=f"course_updated:{course.pk}:{claimed_at:%Y%m%d%H%M%S%f}",
        **texts,
    )


def courses_to_announce(now: datetime) -> list[UUID]:
    """Courses with changes that wait and whose window has ended, or whose digest was left half written."""
    open_window = Q(course__announced_at__isnull=True) | Q(course__announced_at__lte=now - settings.UPDATE_MAIL_WINDOW)
    abandoned = Q(claimed_at__isnull=False) & (
        Q(course__digest_leased_until__isnull=True) | Q(course__digest_leased_until__lte=now)
    )
    waiting = CourseUpdate.objects.filter(open_window | abandoned, announced_at__isnull=True)
    waiting = waiting.exclude(course__status=Course.Status.DRAFT)
    return list(waiting.order_by().values_list("course", flat=True).distinct())


# --- Leaving ---------------------------------------------------------------------------------------------------------


def anonymise_author(user: User) -> None:
    """Archives the courses of someone who leaves: those who study them keep them. Reviews stay, without a name."""
    Subscription.objects.filter(user=user).delete()
    courses = Course.objects.filter(owner=user)
    _update_in_order(courses, status=Course.Status.ARCHIVED, updated_at=timezone.now())
