"""Django's command, with what follows a new password here."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from users.account import follow_new_password
from users.models import User


class Command(changepassword.Command):
    help = "Change a person's password, named by email. Ends all of their sessions, and tells them."

    def handle(self, *args: Any, **options: Any) -> str:
        outcome = super().handle(*args, **options)
        follow_new_password(User.objects.get(email=options["username"] or getpass.getuser()))
        return outcome
