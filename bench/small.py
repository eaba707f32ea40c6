"""Smaller comparisons, each of the product with the barest way to do the same, in turn, in one run."""

import contextlib
import os
import smtplib
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import median
from typing import Any

from psutil import Process

from bench import data, report, services

Times = dict[str, list[float]]


def main(options: Namespace) -> None:
    """Runs the benchmark that the command line names."""
    name, is_dirty = services.commit()
    with services.running() as running, smtp_sink() as port:
        os.environ |= {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port), "DEFAULT_FROM_EMAIL": "sender@bench.test"}
        services.set_up_django(running)
        services.wait_for_calm(options.patience)
        with services.Others(running.pids) as others:
            result = BENCHMARKS[options.name](options.number, options.rounds, port)
        machine = services.machine(running.database_url)
    report.print_small(options.name, result)
    report.write(
        {
            "what": options.name,
            "date": time.strftime("%Y-%m-%d"),
            "commit": name,
            "is_dirty": is_dirty,
            "number": options.number,
            "rounds": options.rounds,
            "others_cores": round(others.cores, 2),  # the sink's are among them
            "machine": machine,
            "result": result,
        }
    )


def login(number: int, rounds: int, port: int) -> dict[str, Any]:
    """Checking a password: argon2id as the product has it, beside Django's PBKDF2; milliseconds."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher, get_hasher

    hashers = {"argon2id": get_hasher("default"), "pbkdf2": PBKDF2PasswordHasher()}
    encoded = {name: hasher.encode("correct-horse-7", hasher.salt()) for name, hasher in hashers.items()}
    times: Times = {name: [] for name in hashers}
    for _ in range(number * rounds):
        for name, hasher in hashers.items():
            with timing(times[name]):
                assert hasher.verify("correct-horse-7", encoded[name])
    milliseconds = {name: round(median(seen) * 1000, 2) for name, seen in times.items()}
    return {"milliseconds": milliseconds, "ratios": {"pbkdf2 / argon2id": ratio(times["pbkdf2"], times["argon2id"])}}


def letters(number: int, rounds: int, port: int) -> dict[str, Any]:
    """Update letters to N subscribers, beside bare loops over one SMTP connection; letters per second."""
    from materials.models import Course, CourseUpdate, Subscription
    from materials.services import announce_updates
    from users.delivery import send_letters
    from users.letters import Writer
    from users.models import Notification, User

    data.load(data.Size(courses=100, people=number + number // 10 + 100))
    course = Course.objects.order_by("-created_at")[0]
    Subscription.objects.filter(course=course).delete()
    people = User.objects.filter(role="student").order_by("pk")[:number]
    Subscription.objects.bulk_create([Subscription(user=user, course=course) for user in people], batch_size=5000)
    times: Times = {"writing the notifications": [], "sending": [], "both": [], "smtplib": [], "pipelined": []}
    memory = []
    for _ in range(rounds):
        Notification.objects.all().delete()
        Course.objects.filter(pk=course.pk).update(announced_at=None, digest_leased_until=None)
        CourseUpdate.objects.create(course=course, kind="lesson_changed", summary="Урок 1: основы")
        before, memory_before = taken(port), Process().memory_info().rss
        with timing(times["both"]):
            with timing(times["writing the notifications"]):
                assert announce_updates([course.pk]) == number
            with timing(times["sending"]):
                assert send_letters() == number
        assert taken(port) - before == number
        memory.append((Process().memory_info().rss - memory_before) >> 20)
        addresses = [user.email for user in people]
        rendered = Writer().letter(Notification.objects.select_related("recipient")[0]).raw
        with timing(times["smtplib"]):
            smtplib_loop(port, addresses, rendered)
        with timing(times["pipelined"]):
            pipelined_loop(port, addresses, rendered)
    per_second = {name: round(number / median(seen)) for name, seen in times.items()}
    return {
        "per second": per_second,
        "ratios": {
            "sending / smtplib": ratio(times["smtplib"], times["sending"]),
            "sending / pipelined": ratio(times["pipelined"], times["sending"]),
            "both / pipelined": ratio(times["pipelined"], times["both"]),
        },
        "letter bytes": len(rendered),
        "megabytes grown in each round": memory,
    }


def smtplib_loop(port: int, addresses: list[str], rendered: bytes) -> None:
    """The same bytes to everybody, over one connection, as the standard library sends them."""
    with smtplib.SMTP("127.0.0.1", port) as server:
        for address in addresses:
            server.sendmail("sender@bench.test", [address], rendered)


def pipelined_loop(port: int, addresses: list[str], rendered: bytes) -> None:
    """The same over smtplib's connection with MAIL, RCPT and DATA in one packet (RFC 2920)."""
    body = rendered.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
    body += b"\r\n.\r\n"
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.ehlo()
        for address in addresses:
            server.send(f"MAIL FROM:<sender@bench.test>\r\nRCPT TO:<{address}>\r\nDATA\r\n")
            codes = [server.getreply()[0] for _ in range(3)]
            server.send(body)
            assert [*codes, server.getreply()[0]] == [250, 250, 354, 250]


def enumeration(number: int, rounds: int, port: int) -> dict[str, Any]:
    """Wrong passwords and requests for a new one, for emails that somebody has and that nobody has; milliseconds."""
    from rest_framework.test import APIClient

    data.load(data.Size(courses=20, people=number * rounds + 100))
    asked = {
        "login": ("/api/auth/token/", {"password": "wrong-horse-7"}, 401),
        "reset": ("/api/auth/password/reset/", {}, 204),
    }
    times: Times = {f"{name}, {whose}": [] for name in asked for whose in ("known", "unknown")}
    for each in range(1, number * rounds + 1):
        # From another address each time: nobody is kept waiting.
        client = APIClient(HTTP_HOST="127.0.0.1", REMOTE_ADDR=f"10.0.{each >> 8}.{each & 255}")
        for name, (path, body, status) in asked.items():
            pair = [("known", f"person{each}@bench.test"), ("unknown", f"nobody{each}@bench.test")]
            # What comes first finds the processor's caches cold: each is first as often as the other.
            for whose, email in pair if each % 2 else reversed(pair):
                with timing(times[f"{name}, {whose}"]):
                    assert client.post(path, {"email": email, **body}).status_code == status
    return {
        "milliseconds": {name: round(median(seen) * 1000, 2) for name, seen in times.items()},
        "ratios": {
            f"{name}, known / unknown": ratio(times[f"{name}, known"], times[f"{name}, unknown"]) for name in asked
        },
    }


def deactivation(number: int, rounds: int, port: int) -> dict[str, Any]:
    """Deactivating N of 2N people who stay away, with their letters, beside one bare UPDATE; seconds."""
    from django.db import connection
    from django.utils import timezone

    from users.models import Notification, User
    from users.services import deactivate_inactive

    data.load(data.Size(courses=20, people=2 * number))
    now = timezone.now()
    before = now - timedelta(days=30)
    emails = [f"person{n}@bench.test" for n in range(1, number + 1)]
    User.objects.update(date_joined=now - timedelta(days=100), last_login=now)
    User.objects.filter(email__in=emails).update(last_login=now - timedelta(days=60))
    update = (
        "UPDATE users_user SET is_active = false, deactivated_at = now(), deactivation_reason = 'inactivity', "
        "token_version = token_version + 1, updated_at = now() WHERE is_active AND role <> 'admin' "
        "AND NOT is_superuser "
        "AND greatest(coalesce(last_login, date_joined), coalesce(last_seen_at, date_joined), date_joined) < %s"
    )

    def wake_everybody() -> None:
        Notification.objects.all().delete()
        User.objects.filter(is_active=False).update(is_active=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (FULL, ANALYZE) users_user")
            cursor.execute("VACUUM (FULL, ANALYZE) users_notification")

    times: Times = {"deactivate_inactive": [], "bare UPDATE": []}
    for _ in range(rounds):
        wake_everybody()
        with timing(times["bare UPDATE"]), connection.cursor() as cursor:
            cursor.execute(update, [before])
            assert cursor.rowcount == number
        wake_everybody()
        with timing(times["deactivate_inactive"]):
            assert deactivate_inactive(before=before) == number
        assert Notification.objects.count() == number
    seconds = {name: round(median(seen), 3) for name, seen in times.items()}
    return {
        "seconds": seconds,
        "ratios": {"deactivate_inactive / bare UPDATE": ratio(times["deactivate_inactive"], times["bare UPDATE"])},
    }


@contextlib.contextmanager
def timing(seen: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seen.append(time.perf_counter() - start)


def ratio(one: list[float], other: list[float]) -> float:
    return round(median(one) / median(other), 3)


@contextlib.contextmanager
def smtp_sink() -> Iterator[int]:
    """The port of a mail server in a process of its own."""
    child = subprocess.Popen([sys.executable, "-m", "bench.smtp_sink"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()


def taken(port: int) -> int:
    """How many letters the sink has taken."""
    with smtplib.SMTP("127.0.0.1", port) as server:
        return int(server.noop()[1])


BENCHMARKS: dict[str, Callable[[int, int, int], dict[str, Any]]] = {
    "login": login,
    "letters": letters,
    "enumeration": enumeration,
    "deactivation": deactivation,
}
NUMBERS = {"login": 10, "letters": 5000, "enumeration": 100, "deactivation": 20_000}
