"""Django's loaddata, for a newcomer and for whoever runs a server: an empty database is migrated first, and fixtures of
the demo are loaded on this machine alone."""

from pathlib import Path
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import loaddata

from common.demo import DemoError, refuse_unless_on_loopback
from common.migrating import migrate_if_empty

DEMO_FIXTURES = {"initial_data", "payments", "payment_data"}


class Command(loaddata.Command):
    def handle(self, *fixture_labels: str, **options: Any) -> None:
        if DEMO_FIXTURES & {Path(label).name.partition(".")[0] for label in fixture_labels}:
            try:
                refuse_unless_on_loopback()
            except DemoError as error:
                raise CommandError(str(error)) from error
        migrate_if_empty(self.stdout, options["database"])
        super().handle(*fixture_labels, **options)
