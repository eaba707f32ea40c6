from datetime import timedelta
from typing import Any

from celery.beat import SchedulingError
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

# The minutes of the crontabs that stood for intervals before, and what they stood for.
FORMER_CRONTABS = {"*": 1, "*/10": 10, "5-59/10": 10, "5": 60}


class AdminKeepsScheduler(DatabaseScheduler):
    """The schedule in the database. Settings bring in what is missing there; what an admin has changed stays changed,
    where the parent class would write the settings over it at every start.

    What the broker did not take is sent as soon as it is back; the parent class would wait until it is due again,
    which is a day for the letters of the morning.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.unsent: dict[str, ModelEntry] = {}
        super().__init__(*args, **kwargs)

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        known = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in known})
        for name in known:
            if isinstance(mapping[name]["schedule"], timedelta):
                self._replace_former_crontab(name, mapping[name]["schedule"])

    def _replace_former_crontab(self, name: str, interval: timedelta) -> None:
        """An installation of before has the entry as a crontab, which pauses when summer time ends."""
        minutes = [minute for minute, length in FORMER_CRONTABS.items() if timedelta(minutes=length) == interval]
        every = {f"crontab__{field}": "*" for field in ("hour", "day_of_week", "day_of_month", "month_of_year")}
        former = PeriodicTask.objects.filter(name=name, crontab__minute__in=minutes, **every)
        if former.exists():
            new, _ = IntervalSchedule.objects.get_or_create(
                every=int(interval.total_seconds()), period=IntervalSchedule.SECONDS
            )
            former.update(crontab=None, interval=new)
            PeriodicTasks.update_changed()

    def apply_async(self, entry: ModelEntry, *args: Any, **kwargs: Any) -> Any:
        self.unsent.pop(entry.name, None)
        try:
            return super().apply_async(entry, *args, **kwargs)
        except SchedulingError:
            self.unsent[entry.name] = entry  # behind those that wait: it may be this one that is never taken
            raise

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Seconds to wait for the next."""
        wait: float = super().tick(*args, **kwargs)
        # With nothing else to do, that is after `max_interval` at most. After one that fails the next wait for another
        # tick.
        while wait and self.unsent:
            waiting = len(self.unsent)
            self.apply_entry(self.unsent[next(iter(self.unsent))], producer=self.producer)
            if len(self.unsent) == waiting:
                break
        return wait
