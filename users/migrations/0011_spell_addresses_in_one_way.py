"""Addresses whose domain is not plain ASCII get their one spelling, and people who have left addresses that nobody can
guess."""

import logging
import secrets

from django.db import IntegrityError, migrations, transaction
from django.db.models import Q

logger = logging.getLogger(__name__)

NOT_PLAIN = Q(email__icontains="@xn--") | Q(email__icontains=".xn--") | Q(email__regex=r"[^ -~]")


def spell(apps, schema_editor):
    User = apps.get_model("users", "User")
    for user in User.objects.filter(deactivation_reason="deleted").only("pk").iterator():
        User.objects.filter(pk=user.pk).update(email=f"deleted-{secrets.token_hex(16)}@invalid.invalid")
    for pk, email in list(User.objects.filter(NOT_PLAIN).order_by("date_joined", "pk").values_list("pk", "email")):
        try:
            with transaction.atomic():
                User.objects.filter(pk=pk).update(email=email)  # the column spells it
        except IntegrityError:
            logger.warning("The account %s has the mailbox of an earlier one: only that one can log in by it.", pk)


class Migration(migrations.Migration):
    dependencies = [("users", "0010_one_spelling_of_addresses")]

    operations = [migrations.RunPython(spell, migrations.RunPython.noop)]
