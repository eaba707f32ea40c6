from django.db import migrations

from common.sorting import sort_key


def fill(model, key, sources):
    rows = []
    for row in model._base_manager.only("id", *sources).order_by("pk").iterator(chunk_size=1000):
        setattr(row, key, sort_key("  ".join(getattr(row, source) for source in sources)))
        rows.append(row)
        if len(rows) == 1000:
            model._base_manager.bulk_update(rows, [key])
            rows = []
    model._base_manager.bulk_update(rows, [key])


def forwards(apps, schema_editor):
    fill(apps.get_model("community", "Post"), "title_key", ("title",))
    fill(apps.get_model("community", "PostTag"), "name_key", ("name",))


class Migration(migrations.Migration):
    dependencies = [("community", "0004_sort_keys")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
