"""Load the demo: people of every role, courses, lessons, payments, all for a first look."""

from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.demo import ACCOUNTS, DemoError, load_demo
from common.migrating import migrate_if_empty


class Command(BaseCommand):
    help = "Clear the demo data and load it anew. Refuses to touch a database that holds other data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="load it beside other data, all of which is kept")
        parser.add_argument("--if-empty", action="store_true", help="do nothing if there is anybody at all")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_empty"] and not settings.ON_LOOPBACK:
            self.stdout.write("Others come here: the demo, whose password everybody knows, is not loaded.")
            return
        migrate_if_empty(self.stdout)
        if options["if_empty"] and get_user_model().objects.exists():
            self.stdout.write("The database is not empty: the demo is not loaded.")
            return
        started = monotonic()
        try:
            people, counts = load_demo(force=options["force"])
        except DemoError as error:
            hint = (
                ""
                if options["force"] or not settings.ON_LOOPBACK
                else " With --force it is loaded beside it, and all other data is kept."
            )
            raise CommandError(f"{error}{hint}") from error
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        self.stdout.write(f"The demo is loaded in {monotonic() - started:.1f} s: {found}.")
        if not options["if_empty"]:  # who starts the server is told by the server, last of all
            self.print_accounts(people)

    def print_accounts(self, people: dict[str, Any]) -> None:
        lines = [f"\nAccounts, all with the password {settings.DEMO_PASSWORD}:"]
        for key in ACCOUNTS:
            user = people[key]
            extra = ", superuser" if user.is_superuser else ", moderator" if user.is_moderator else ""
            lines.append(f"  {user.email:<24} {user.full_name}, {user.role}{extra}")
        self.stdout.write("\n".join(lines))
