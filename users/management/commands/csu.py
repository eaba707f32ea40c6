"""Create a superuser from the environment, such as for the first admin of a new installation."""

import os
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from common.email_addresses import normal_address, validate_address
from users.models import User

EMAIL = "DJANGO_SUPERUSER_EMAIL"
PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = f"Create a superuser with the role admin from {EMAIL} and {PASSWORD}. Changes nobody who exists."

    def handle(self, *args: Any, **options: Any) -> None:
        email, password = normal_address(self.read(EMAIL)), self.read(PASSWORD)
        try:
            validate_address(email)
        except ValidationError:
            raise CommandError(f"{EMAIL} is no email address: {email}") from None
        try:
            created = self.create(email, password)
        except IntegrityError:
            created = False  # somebody else has just done the same
        self.stdout.write(
            f"The superuser {email} is created." if created else f"{email} is a superuser already: nothing is changed."
        )

    def create(self, email: str, password: str) -> bool:
        """Says whether there was anything to do."""
        existing = User.objects.with_email(email).first()
        if existing is None:
            # Whoever may set the environment vouches for the address.
            User.objects.create_superuser(email, password, email_verified_at=timezone.now())
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
