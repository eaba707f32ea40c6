from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class AdminKeepsScheduler(DatabaseScheduler):
    """The schedule in the database. Settings bring in what is missing there; what an admin has changed stays changed,
    where the parent class would write the settings over it at every start."""

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        known = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in known})
