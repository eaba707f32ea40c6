"""What this app holds on a person, for themselves (common.registry.exports)."""

from typing import Any

from community.models import Feedback, Message, Participant, Post
from users.models import User


def held_on(user: User) -> dict[str, Any]:
    """What they wrote; what others wrote to them is the others' own."""
    return {
        "posts": Post.objects.filter(author=user)
        .order_by("pk")
        .values("id", "slug", "title", "body", "cover", "status", "published_at", "created_at", "updated_at"),
        "conversations": Participant.objects.filter(user=user)
        .order_by("pk")
        .values("conversation", "last_read_at", "unread_count", "blocked_at", "created_at"),
        "messages": Message.objects.filter(sender=user)
        .order_by("pk")
        .values("id", "conversation", "text", "file_name", "created_at"),
        "feedback": Feedback.objects.filter(user=user)
        .order_by("pk")
        .values(
            "id", "name", "email", "subject", "message", "status", "answer", "answered_at", "created_at", "updated_at"
        ),
    }
