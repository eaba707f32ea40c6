from django.db import migrations


def note(apps, schema_editor):
    """Which words stand in the vocabulary for which course was not written down: the next run of the sweeper does."""
    course, refresh = apps.get_model("materials", "Course"), apps.get_model("materials", "SearchRefresh")
    ids = course.objects.order_by("pk").values_list("pk", flat=True).iterator()
    refresh.objects.bulk_create((refresh(course_id=pk) for pk in ids), batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [("materials", "0010_words_of_courses")]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
