from django.db import migrations


def create(apps, schema_editor):
    # SQLite has no index that helps a LIKE with a leading wildcard.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX community_post_terms ON community_post USING gin (terms)")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX community_post_terms")


class Migration(migrations.Migration):
    dependencies = [("community", "0001_initial")]

    operations = [migrations.RunPython(create, drop)]
