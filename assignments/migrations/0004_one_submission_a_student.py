from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0003_move_earlier_versions"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="submission", name="assignments_submission_version_once"),
        migrations.RemoveConstraint(model_name="submission", name="assignments_submission_one_latest"),
        migrations.RemoveField(model_name="submission", name="is_latest"),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                fields=("assignment", "student"), name="assignments_submission_one_a_student"
            ),
        ),
    ]
