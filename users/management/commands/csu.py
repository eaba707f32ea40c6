"""Create a superuser from the environment, such as for the first admin of a new installation."""

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from common.email_addresses import normal_address, validate_address
from common.migrating import migrate_if_empty
from users import demo
from users.models import User

EMAIL = "DJANGO_SUPERUSER_EMAIL"
PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = f"Create a superuser with the role admin from {EMAIL} and {PASSWORD}. Changes nobody who exists. "
    help += "On a machine that nobody else reaches both may be left out: it is the demo's admin then."

    def handle(self, *args: Any, **options: Any) -> None:
        is_told = any(os.environ.get(name, "").strip() for name in (EMAIL, PASSWORD))
        if is_told or not settings.ON_LOOPBACK:
            email, password = normal_address(self.read(EMAIL)), self.read(PASSWORD)
        else:
            email, password = "admin@example.com", settings.DEMO_PASSWORD
        try:
            validate_address(email)
        except ValidationError:
            raise CommandError(f"{EMAIL} is no email address: {email}") from None
        if password == settings.DEMO_PASSWORD and not settings.ON_LOOPBACK:
            raise CommandError(f"{PASSWORD} is the demo's: everybody knows it.")
        migrate_if_empty(self.stdout)
        try:
            created = self.create(email, password)
        except IntegrityError:
            created = False  # somebody else has just done the same
        if created and not is_told:
            self.stdout.write(f"{EMAIL} and {PASSWORD} are not set: this is the demo's, with the password {password}.")
        self.stdout.write(
            f"The superuser {email} is created." if created else f"{email} is a superuser already: nothing is changed."
        )

    def create(self, email: str, password: str) -> bool:
        """Says whether there was anything to do."""
        existing = User.objects.with_email(email).first()
        if existing is None:
            # Whoever may set the environment vouches for the address.
            fields: dict[str, Any] = {"email_verified_at": timezone.now()}
            if settings.ON_LOOPBACK and (pk := demo.id_of(email)):
                fields["id"] = pk  # so that the demo, loaded later, finds one of its own and no stranger
            User.objects.create_superuser(email, password, **fields)
            return True
        if not existing.is_superuser:
            raise CommandError(f"{email} exists and is no superuser: nothing is changed.")
        return False

    def read(self, name: str) -> str:
        """An empty variable counts as unset."""
        value = os.environ.get(name, "")
        if not value.strip():
            raise CommandError(f"{name} is not set.")
        return value
