"""Load the demo's payments alone, beside its people and courses."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from common.demo import DemoError
from payments import demo
from users.demo import find_people


class Command(BaseCommand):
    help = "Clear the demo's payments and load them anew. Its people and courses have to be there."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                demo.clear()
                counts = demo.load(find_people())
        except DemoError as error:
            raise CommandError(f"{error} Run load_initial_data first.") from error
        self.stdout.write(f"The demo's payments are loaded: {counts['payments']}.")
