"""What people say of a course, and what it tells its subscribers."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from materials.models.content import Course
from users.models import User


class Subscription(Row):
    """Whoever wants letters about a course's updates."""

    user = models.ForeignKey(User, models.CASCADE, related_name="subscriptions", verbose_name=_("user"))
    course = models.ForeignKey(
        Course, models.CASCADE, related_name="subscriptions", db_index=False, verbose_name=_("course")
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="materials_subscription_once")]
        indexes = [models.Index(fields=["course", "id"])]

    def __str__(self) -> str:
        return f"{self.user_id} to {self.course_id}"


class CourseUpdate(Row):
    """A change that subscribers have to hear of: the outbox of update letters.

    `claimed_at` is set when a digest takes the change up, `announced_at` once every subscriber's letter is written; a
    digest that died in between is found by the two and written to its end.
    """

    class Kind(models.TextChoices):
        COURSE_CHANGED = "course_changed", _("Course changed")
        LESSON_ADDED = "lesson_added", _("Lesson added")
        LESSON_CHANGED = "lesson_changed", _("Lesson changed")
        LESSON_REMOVED = "lesson_removed", _("Lesson removed")

    course = models.ForeignKey(Course, models.CASCADE, related_name="updates", verbose_name=_("course"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    summary = models.CharField(_("summary"), max_length=300)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    announced_at = models.DateTimeField(_("announced at"), null=True, blank=True)

    class Meta:
        verbose_name = _("course update")
        verbose_name_plural = _("course updates")
        ordering = ("created_at", "id")
        indexes = [
            models.Index(
                fields=["course", "created_at"], condition=Q(announced_at__isnull=True), name="materials_update_pending"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.summary}"


class Review(EditableRow):
    course = models.ForeignKey(Course, models.CASCADE, related_name="reviews", verbose_name=_("course"))
    author = models.ForeignKey(User, models.PROTECT, related_name="reviews", verbose_name=_("author"))
    rating = models.PositiveSmallIntegerField(_("rating"), validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(_("text"), max_length=5000, blank=True)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["course", "author"], name="materials_review_once"),
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="materials_review_rating"),
        ]
        indexes = [models.Index(fields=["course", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.rating}/5 {self.course_id}"
