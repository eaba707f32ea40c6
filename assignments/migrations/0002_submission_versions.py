from decimal import Decimal

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import common.ids


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SubmissionVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=common.ids.new_id, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("version", models.PositiveIntegerField(default=1, verbose_name="version")),
                ("text", models.TextField(blank=True, max_length=100000, verbose_name="text")),
                ("file", models.FileField(blank=True, upload_to="private/submissions", verbose_name="file")),
                ("file_name", models.CharField(blank=True, max_length=255, verbose_name="name of the file")),
                (
                    "status",
                    models.CharField(
                        choices=[("submitted", "Submitted"), ("graded", "Graded"), ("returned", "Returned")],
                        default="submitted",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "raw_score",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=7, null=True, verbose_name="score before penalty"
                    ),
                ),
                (
                    "late_penalty",
                    models.DecimalField(
                        decimal_places=2, default=Decimal("0"), max_digits=7, verbose_name="penalty for lateness"
                    ),
                ),
                (
                    "score",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=7, null=True, verbose_name="score"),
                ),
                ("feedback", models.TextField(blank=True, max_length=20000, verbose_name="feedback")),
                ("submitted_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="submitted at")),
                ("graded_at", models.DateTimeField(blank=True, null=True, verbose_name="graded at")),
                (
                    "graded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="graded_%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="graded by",
                    ),
                ),
                (
                    "submission",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="earlier",
                        to="assignments.submission",
                        verbose_name="submission",
                    ),
                ),
            ],
            options={
                "verbose_name": "earlier version of a submission",
                "verbose_name_plural": "earlier versions of submissions",
                "ordering": ("version",),
            },
        ),
        migrations.AlterField(
            model_name="submission",
            name="graded_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="graded_%(class)ss",
                to=settings.AUTH_USER_MODEL,
                verbose_name="graded by",
            ),
        ),
        migrations.AddConstraint(
            model_name="submissionversion",
            constraint=models.UniqueConstraint(
                fields=("submission", "version"), name="assignments_earlier_version_once"
            ),
        ),
    ]
