"""What this app holds on a person, for themselves (common.registry.exports)."""

from typing import Any

from assignments.models import Answer, Attempt, Certificate, Comment, Submission, SubmissionVersion
from users.models import User


def held_on(user: User) -> dict[str, Any]:
    """Who has graded, and which answers of a quiz are right, is not the person's own."""
    return {
        "submissions": Submission.objects.filter(student=user)
        .order_by("pk")
        .values(
            "id",
            "assignment",
            "assignment__title",
            "version",
            "text",
            "file_name",
            "status",
            "raw_score",
            "late_penalty",
            "score",
            "feedback",
            "submitted_at",
            "graded_at",
            "created_at",
            "updated_at",
        ),
        "submission_versions": SubmissionVersion.objects.filter(submission__student=user)
        .order_by("pk")
        .values(
            "submission",
            "version",
            "text",
            "file_name",
            "status",
            "raw_score",
            "late_penalty",
            "score",
            "feedback",
            "submitted_at",
            "graded_at",
            "created_at",
        ),
        "attempts": Attempt.objects.filter(student=user)
        .order_by("pk")
        .values(
            "id",
            "quiz",
            "quiz__title",
            "number",
            "started_at",
            "expires_at",
            "submitted_at",
            "state",
            "points",
            "max_points",
            "score",
            "passed",
            "created_at",
            "updated_at",
        ),
        "answers": Answer.objects.filter(attempt__student=user)
        .order_by("pk")
        .values("attempt", "question", "chosen", "text", "number", "created_at", "updated_at"),
        "comments": Comment.objects.filter(author=user)
        .order_by("pk")
        .values("id", "text", "lesson", "assignment", "submission", "created_at", "updated_at"),
        "certificates": Certificate.objects.filter(student=user)
        .order_by("pk")
        .values(
            "id",
            "course",
            "number",
            "verification_code",
            "student_name",
            "course_title",
            "score",
            "status",
            "issued_at",
            "revoked_at",
            "revocation_reason",
            "created_at",
            "updated_at",
        ),
    }
