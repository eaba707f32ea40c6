"""Everything that a laptop needs, from one command."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser

READY_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 10


class Command(BaseCommand):
    help = "Migrates, loads the demo into an empty database, and runs web server, worker with scheduler and, unless a "
    help += "real Stripe is configured, its stand-in, until Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        # A stop that comes while things are being set up must end the command, too.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        _check_port_is_free(host, port, "PORT")
        if settings.STRIPE_STAND_IN:
            _check_port_is_free("127.0.0.1", settings.STRIPE_STAND_IN_PORT, "STRIPE_STAND_IN_PORT")
        self._say("Bringing the database up to date …")
        call_command("migrate", verbosity=0)
        call_command("load_initial_data", if_empty=True, stdout=self.stdout)
        self._say("Starting web server, worker and what belongs to them …")
        processes = [Process(name, command) for name, command in _commands(host, port).items()]
        try:
            self._wait_until_ready(processes, host, port)
            self._print_addresses(host, port)
            while all(process.is_running for process in processes):
                time.sleep(0.2)
            dead = next(process for process in processes if not process.is_running)
            raise CommandError(f"{dead.name} has ended; stopping everything. Its log: {dead.log}")
        except _Stopped:
            self.stdout.write("\nStopping …")
        finally:
            for process in processes:
                process.ask_to_stop()
            deadline = time.monotonic() + STOP_WITHIN_SECONDS
            for process in processes:
                process.stop(deadline)

    def _say(self, what: str) -> None:
        self.stdout.write(what)
        self.stdout.flush()

    def _wait_until_ready(self, processes: list["Process"], host: str, port: int) -> None:
        addresses = [f"http://{_reachable(host)}:{port}/readyz/"]
        if settings.STRIPE_STAND_IN:
            addresses.append(f"{settings.STRIPE_API_BASE}/healthz")
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not all(_answers(address) for address in addresses):
            for process in processes:
                if not process.is_running:
                    raise CommandError(f"{process.name} did not start. Its log: {process.log}")
            if time.monotonic() > deadline:
                raise CommandError(f"Not ready within {READY_WITHIN_SECONDS} s. The logs: {settings.DATA_DIR / 'log'}")
            time.sleep(0.1)

    def _print_addresses(self, host: str, port: int) -> None:
        base = f"http://{_reachable(host)}:{port}"
        lines = [
            "",
            f"Lyceum is ready:  {base}/",
            f"  Swagger UI      {base}/api/schema/swagger-ui/",
            f"  Django admin    {base}/admin/",
            f"  Letters         {settings.EMAIL_FILE_PATH}/" if "FileBackend" in settings.EMAIL_BACKEND else "",
            f"  Stripe stand-in {settings.STRIPE_API_BASE}" if settings.STRIPE_STAND_IN else "",
            "",
            f"Demo accounts, all with the password {settings.DEMO_PASSWORD}:",
            "  admin@example.com  moderator@example.com  teacher@example.com",
            "  student@example.com  student2@example.com",
            "",
            "Ctrl-C stops everything.",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()  # somebody may be waiting for it at the other end of a pipe


class _Stopped(BaseException):
    """A signal asked for the end."""


def _stop(*_args: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


class Process:
    """A child in a process group of its own; what it prints goes to the console, with its name, and to a file."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.log: Path = settings.DATA_DIR / "log" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=settings.BASE_DIR,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.printer = threading.Thread(target=self._print, daemon=True)
        self.printer.start()

    def _print(self) -> None:
        assert self.child.stdout is not None  # noqa: S101 - a pipe, as asked for
        with self.log.open("ab") as log:
            for line in self.child.stdout:
                log.write(line)
                log.flush()
                sys.stdout.write(f"{self.name:>6} | {line.decode(errors='replace')}")
                sys.stdout.flush()

    @property
    def is_running(self) -> bool:
        return self.child.poll() is None

    def ask_to_stop(self) -> None:
        if self.is_running:
            self.child.terminate()

    def stop(self, deadline: float) -> None:
        """Waits until the deadline (monotonic), then ends the whole group by force."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(timeout=max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.printer.join(timeout=1)


def _commands(host: str, port: int) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    commands = {
        "web": [
            *python, "granian", "--interface", "asgi", "--host", host, "--port", str(port), "--workers", "1",
            "--backlog", "8192", "--backpressure", "8192", "--http1-header-read-timeout", "10000", "--no-ws",
            "--log-level", "error", "config.asgi:application",
        ],
        "worker": [
            *python, "celery", "-q", "-A", "config", "worker", "-B", "--loglevel", "warning", "--without-mingle",
        ],
    }  # fmt: skip
    if settings.STRIPE_STAND_IN:
        commands["stripe"] = [
            sys.executable, "manage.py", "stripe_stand_in", "--port", str(settings.STRIPE_STAND_IN_PORT),
        ]  # fmt: skip
    return commands


def _check_port_is_free(host: str, port: int, variable: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error.strerror}). Set {variable} to another."
            ) from None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - what was asked for, not bound here


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=3) as response:  # noqa: S310 - our own address
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
