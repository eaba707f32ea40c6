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
    fill(apps.get_model("users", "User"), "name_key", ("last_name", "first_name"))


class Migration(migrations.Migration):
    dependencies = [("users", "0013_sort_keys")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
