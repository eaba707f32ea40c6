"""Load the demo's payments, beside its people and courses."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from common.demo import DemoError, load_demo, refuse_unless_on_loopback
from common.migrating import migrate_if_empty
from payments import demo
from payments.models import Payment
from users.demo import find_people


class Command(BaseCommand):
    help = "Clear the demo's payments and load them anew. What they need of its people and courses and "
    help += "is not there is loaded first; other data is kept."

    def handle(self, *args: Any, **options: Any) -> None:
        migrate_if_empty(self.stdout)
        try:
            refuse_unless_on_loopback()
            if not self.load_beside_what_is_there():
                self.stdout.write("Its people and courses are not there: loading them, too …")
                load_demo(force=True)
        except DemoError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The demo's payments are loaded: {Payment.objects.count()} are there.")

    def load_beside_what_is_there(self) -> bool:
        try:
            with transaction.atomic():
                demo.clear()
                demo.load(find_people())
        except demo.IncompleteError:
            return False
        return True
