"""What this app holds on a person, for themselves (common.registry.exports)."""

from typing import Any

from materials.models import (
    Attachment,
    Course,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    Subscription,
)
from users.models import User


def held_on(user: User) -> dict[str, Any]:
    return {
        "courses": Course.objects.filter(owner=user)
        .order_by("pk")
        .values(
            "id",
            "title",
            "description",
            "preview",
            "category__slug",
            "level",
            "language",
            "price",
            "currency",
            "status",
            "certificate_enabled",
            "completion",
            "sequential",
            "access_days",
            "published_at",
            "created_at",
            "updated_at",
        ),
        "lessons": Lesson.objects.filter(owner=user)
        .order_by("pk")
        .values(
            "id",
            "course",
            "title",
            "description",
            "body",
            "preview",
            "video_url",
            "order",
            "price",
            "is_preview",
            "duration_seconds",
            "created_at",
            "updated_at",
        ),
        "attachments": Attachment.objects.filter(lesson__owner=user)
        .order_by("pk")
        .values("id", "lesson", "title", "file", "url", "created_at"),
        "enrollments": Enrollment.objects.filter(user=user)
        .order_by("pk")
        .values(
            "id",
            "course",
            "course__title",
            "source",
            "status",
            "completed_at",
            "expires_at",
            "removed_at",
            "created_at",
            "updated_at",
        ),
        "lesson_completions": LessonCompletion.objects.filter(enrollment__user=user)
        .order_by("pk")
        .values("lesson", "lesson__title", "completed_at", "position_seconds", "created_at"),
        "lesson_accesses": LessonAccess.objects.filter(user=user)
        .order_by("pk")
        .values("lesson", "lesson__title", "source", "created_at"),
        "subscriptions": Subscription.objects.filter(user=user)
        .order_by("pk")
        .values("course", "course__title", "created_at"),
        "reviews": Review.objects.filter(author=user)
        .order_by("pk")
        .values("id", "course", "course__title", "rating", "text", "created_at", "updated_at"),
    }
