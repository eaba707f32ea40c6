from django.db import migrations
from django.db.models import Value
from django.db.models.functions import Replace

BATCH = 500
MOVED = (
    "version", "text", "file", "file_name", "status", "raw_score", "late_penalty", "score", "feedback", "submitted_at",
    "graded_at", "graded_by_id",
)  # fmt: skip


def move_earlier_versions(apps, schema_editor):
    """Of each person's versions the latest stays, as their submission; the others move below it, and what was said about
    them, and the links that lead to them, follow."""
    submissions = apps.get_model("assignments", "Submission").objects
    versions = apps.get_model("assignments", "SubmissionVersion").objects
    comments = apps.get_model("assignments", "Comment").objects
    notifications = apps.get_model("users", "Notification").objects
    while batch := list(submissions.filter(is_latest=False).order_by("pk")[:BATCH]):
        people = {old.student_id for old in batch}
        works = {old.assignment_id for old in batch}
        latest = {
            (kept.assignment_id, kept.student_id): kept
            for kept in submissions.filter(is_latest=True, student__in=people, assignment__in=works)
        }
        moved = []
        for old in batch:
            kept = latest[old.assignment_id, old.student_id]
            moved.append(versions.model(submission=kept, **{name: getattr(old, name) for name in MOVED}))
            comments.filter(submission=old).update(submission=kept)
            gone, stays = f"/submissions/{old.pk}", f"/submissions/{kept.pk}"
            notifications.filter(recipient=old.student_id, url__endswith=gone).update(
                url=Replace("url", Value(gone), Value(stays))
            )
            if old.version == 1:
                submissions.filter(pk=kept.pk).update(created_at=old.created_at)
        versions.bulk_create(moved)
        submissions.filter(pk__in=[old.pk for old in batch]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0002_submission_versions"),
        ("users", "0009_one_index_of_recipients_less"),
    ]

    operations = [migrations.RunPython(move_earlier_versions)]
