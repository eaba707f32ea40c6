"""Does this payment still have a reason? The one place that says when it has not, for whoever closes pages, whoever
takes money in, and whoever confirms cash."""

from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from materials.models import Course, Enrollment, LessonAccess
from payments.models import Payment, PaymentQuerySet

TEXTS: dict[str, Promise] = {
    Payment.Ended.DELETED: _("What it was for has been deleted: give this money back."),
    Payment.Ended.BUYER_GONE: _("The buyer's account is closed: give this money back."),
    Payment.Ended.LEFT: _("The buyer has left the course: give this money back."),
    Payment.Ended.NOT_PUBLISHED: _("The course is not for sale any more: give this money back."),
    Payment.Ended.FREE: _("It is free by now: give this money back."),
    Payment.Ended.OWN_COURSE: _("It is the buyer's own course: give this money back."),
    Payment.Ended.ALREADY_OWNED: _("It is open to the buyer already: give this money back."),
}


def with_end(payments: PaymentQuerySet) -> PaymentQuerySet:
    """Each with `ended_because`: one of Payment.Ended, or empty while it has its reason."""
    now = timezone.now()
    course = Coalesce("paid_course_id", "paid_lesson__course_id")
    enrollments = Enrollment.objects.filter(user=OuterRef("user_id"), course=OuterRef("course_of_it"))
    open_ones = enrollments.open_at(now)
    accesses = LessonAccess.objects.filter(user=OuterRef("user_id"), lesson=OuterRef("paid_lesson_id"))
    same = Q(paid_course=OuterRef("paid_course_id")) | Q(paid_lesson=OuterRef("paid_lesson_id"))
    others = Payment.objects.that_open_now().filter(same, user=OuterRef("user_id")).exclude(pk=OuterRef("pk"))
    courses = Course.objects.filter(pk=OuterRef("course_of_it"))
    payments = payments.alias(
        course_of_it=course,
        course_status=Subquery(courses.values("status")[:1]),
        course_owner=Subquery(courses.values("owner_id")[:1]),
    )
    ended = Payment.Ended
    return payments.annotate(
        ended_because=Case(
            When(course_of_it__isnull=True, then=Value(ended.DELETED)),
            When(user__is_active=False, then=Value(ended.BUYER_GONE)),
            When(
                Q(Exists(open_ones)) | Q(Exists(accesses)) | Q(Exists(others)),
                then=Value(ended.ALREADY_OWNED),
            ),
            When(course_owner=F("user_id"), then=Value(ended.OWN_COURSE)),
            When(~Q(course_status=Course.Status.PUBLISHED), then=Value(ended.NOT_PUBLISHED)),
            When(
                Q(paid_course__price=0)
                | Q(paid_lesson__price=0)
                | Q(paid_lesson__is_preview=True)
                | Q(paid_lesson__course__price=0),
                then=Value(ended.FREE),
            ),
            # A completed course leaves the cabinet by itself: that is not the buyer's leaving.
            When(
                Exists(enrollments.filter(removed_at__gt=OuterRef("created_at")).exclude(status="completed")),
                then=Value(ended.LEFT),
            ),
            default=Value(""),
            output_field=CharField(),
        )
    )


def why_ended(payment: Payment) -> str:
    """One of Payment.Ended, or empty while there is something to pay for."""
    ended: Any = with_end(Payment.objects.filter(pk=payment.pk)).get()
    return ended.ended_because
