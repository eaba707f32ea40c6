"""The schedule on the days on which the clock is changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

BERLIN = ZoneInfo("Europe/Berlin")
# The hour that is left out, and the one that comes twice, with what is around them.
CHANGES = {
    "begins": (datetime(2026, 3, 28, 22, tzinfo=UTC), timedelta(hours=13)),
    "ends": (datetime(2026, 10, 24, 21, tzinfo=UTC), timedelta(hours=13)),
}
SCHEDULE = settings.CELERY_BEAT_SCHEDULE


def runs(schedule, start, length):
    """When a task of this schedule is sent, by a scheduler that looks often enough."""
    task = PeriodicTask(name="x", task="x", last_run_at=start)
    if isinstance(schedule, timedelta):
        task.interval = IntervalSchedule(every=int(schedule.total_seconds()), period=IntervalSchedule.SECONDS)
    else:
        hour, minute = schedule._orig_hour, schedule._orig_minute
        task.crontab = CrontabSchedule(hour=hour, minute=minute, timezone=BERLIN)
    step = schedule if isinstance(schedule, timedelta) else timedelta(minutes=5)
    sent, now = [], start
    with time_machine.travel(start, tick=False) as clock:
        entry = ModelEntry(task, app=current_app)
        while (now := now + step) <= start + length:
            clock.move_to(now)
            if entry.is_due().is_due:
                sent.append(now)
                entry = next(entry)
    return sent


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", SCHEDULE)
def test_summer_time_neither_pauses_nor_skips_nor_doubles(name, change, settings, monkeypatch):
    settings.TIME_ZONE = "Europe/Berlin"
    monkeypatch.setattr(current_app, "timezone", BERLIN)
    schedule, (start, length) = SCHEDULE[name]["schedule"], CHANGES[change]
    if isinstance(schedule, timedelta) and schedule < timedelta(hours=1):
        start, length = start + timedelta(hours=2), timedelta(hours=3)

    sent = runs(schedule, start, length)

    if isinstance(schedule, timedelta):
        assert len(sent) == length // schedule
    else:
        assert len(sent) == 1


@pytest.mark.parametrize("name", SCHEDULE)
def test_what_comes_more_than_daily_goes_by_intervals(name):
    schedule = SCHEDULE[name]["schedule"]

    assert isinstance(schedule, timedelta) or (len(schedule.hour) == 1 and len(schedule.minute) == 1)
