"""Commands that need tables, on a database that has none yet."""

from typing import Any

from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor


def migrate_if_empty(stdout: Any, database: str = DEFAULT_DB_ALIAS) -> None:
    """Migrates a database that never was, so that whichever command a newcomer begins with works. Raises CommandError
    for one that is behind: whoever runs it decides when it is changed."""
    executor = MigrationExecutor(connections[database])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return
    if executor.loader.applied_migrations:
        raise CommandError(f"{len(plan)} migrations have not been applied: run manage.py migrate first.")
    stdout.write("The database is empty: migrating it first …")
    call_command("migrate", database=database, interactive=False, verbosity=0)
