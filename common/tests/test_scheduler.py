from datetime import timedelta
from types import SimpleNamespace

import pytest
import time_machine
from celery import Task, current_app
from celery.beat import SchedulingError
from celery.schedules import crontab
from django.conf import settings
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from common.scheduler import AdminKeepsScheduler

pytestmark = pytest.mark.django_db(transaction=True)  # the scheduler commits, and closes its connection

NIGHTLY = "deactivate-inactive-users"


def start_scheduler():
    return AdminKeepsScheduler(app=current_app, lazy=True).setup_schedule()


def names():
    return set(PeriodicTask.objects.values_list("name", flat=True))


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE.values(), ids=settings.CELERY_BEAT_SCHEDULE.keys())
def test_what_is_scheduled_exists(entry):
    current_app.loader.import_default_modules()

    assert entry["task"] in current_app.tasks


def test_settings_bring_in_what_is_missing():
    start_scheduler()

    assert set(settings.CELERY_BEAT_SCHEDULE) <= names()


def test_the_schedule_is_that_of_the_settings():
    start_scheduler()

    task = PeriodicTask.objects.get(name=NIGHTLY)
    assert task.task == "users.tasks.deactivate_inactive_users"
    assert (task.crontab.hour, task.crontab.minute) == ("2", "0")
    assert str(task.crontab.timezone) == "Europe/Moscow"
    assert task.enabled


def test_what_an_admin_has_changed_stays_changed():
    start_scheduler()
    five = CrontabSchedule.objects.create(hour="5", minute="15", timezone="Europe/Moscow")
    PeriodicTask.objects.filter(name=NIGHTLY).update(crontab=five)

    start_scheduler()

    assert PeriodicTask.objects.get(name=NIGHTLY).crontab == five


def test_what_an_admin_has_switched_off_stays_off():
    start_scheduler()
    PeriodicTask.objects.filter(name=NIGHTLY).update(enabled=False)

    start_scheduler()

    assert not PeriodicTask.objects.get(name=NIGHTLY).enabled


def test_an_entry_that_was_lost_comes_back():
    start_scheduler()
    PeriodicTask.objects.filter(name=NIGHTLY).delete()

    start_scheduler()

    assert NIGHTLY in names()


def test_a_new_entry_joins_those_that_are_there(monkeypatch):
    start_scheduler()
    entry = {"task": "users.tasks.send_pending_emails", "schedule": crontab(hour="4")}
    monkeypatch.setitem(current_app.conf.beat_schedule, "new", entry)

    start_scheduler()

    assert PeriodicTask.objects.get(name="new").crontab.hour == "4"


def test_starting_twice_makes_nothing_twice():
    start_scheduler()
    before = names()

    start_scheduler()

    assert PeriodicTask.objects.count() == len(before)


def test_what_the_broker_did_not_take_is_sent_when_it_is_back(monkeypatch):
    """A day's task is not lost to an outage of a minute."""
    sent, is_away = [], True

    def send(self, *args, **kwargs):
        if is_away:
            raise ConnectionError
        sent.append(self.name)

    monkeypatch.setattr(Task, "apply_async", send)
    current_app.loader.import_default_modules()
    scheduler = AdminKeepsScheduler(app=current_app)
    with time_machine.travel("2030-01-01T00:59:50Z", tick=False) as clock:
        PeriodicTask.objects.exclude(name="remind-pending-payments").delete()
        scheduler.tick()
        clock.move_to("2030-01-01T06:00:10Z")  # nine in Moscow
        for _ in range(3):
            scheduler.tick()
        is_away = False
        for _ in range(3):
            scheduler.tick()

    assert sent == ["payments.tasks.remind_pending_payments"]


def test_what_is_never_taken_does_not_hold_up_the_others(monkeypatch):
    """An entry of an admin's to a queue that does not exist, for one."""
    sent = []
    scheduler = AdminKeepsScheduler(app=current_app, lazy=True)
    monkeypatch.setattr(DatabaseScheduler, "tick", lambda self: 5.0)
    monkeypatch.setattr(DatabaseScheduler, "producer", None)

    def apply_async(self, entry, *args, **kwargs):
        if entry.name == "never":
            raise SchedulingError
        sent.append(entry.name)

    monkeypatch.setattr(DatabaseScheduler, "apply_async", apply_async)
    scheduler.unsent = {name: SimpleNamespace(name=name, task="t") for name in ("never", "daily")}
    for _ in range(2):
        scheduler.tick()

    assert sent == ["daily"]
    assert list(scheduler.unsent) == ["never"]


def test_crontabs_of_an_installation_of_before_become_intervals():
    start_scheduler()
    every_minute = CrontabSchedule.objects.create(minute="*", hour="*", timezone="Europe/Berlin")
    of_an_admin = CrontabSchedule.objects.create(minute="*/5", hour="*", timezone="Europe/Berlin")
    for name, before in (("send-pending-emails", every_minute), ("close-expired-attempts", of_an_admin)):
        PeriodicTask.objects.filter(name=name).update(interval=None, crontab=before)

    start_scheduler()

    changed, kept = (PeriodicTask.objects.get(name=name) for name in ("send-pending-emails", "close-expired-attempts"))
    assert (changed.crontab, changed.interval.schedule.run_every) == (None, timedelta(minutes=1))
    assert (kept.crontab, kept.interval) == (of_an_admin, None)
