"""The stacks: how each is started, whether it answers what the product answers, and with how many statements."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.services import ROOT, Services, connect

WORKERS = 2
READY_WITHIN_SECONDS = 30
CONTROL = re.compile(r"\s*(begin|commit|rollback|set |savepoint|release|select 1\s*;?\s*$|show )", re.IGNORECASE)


@dataclass(frozen=True)
class Stack:
    """One server. `pages` are the names of what it answers; `is_same` whether with the product's JSON."""

    name: str
    title: str
    application: str
    server: str = "granian"
    pages: tuple[str, ...] = ("catalogue",)
    is_same: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, port: int) -> list[str]:
        python = [sys.executable, "-m"]
        if self.server == "uvicorn":
            options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning", "--no-access-log"]
            return [*python, "uvicorn", "--port", str(port), "--workers", str(WORKERS), *options, self.application]
        # As the product's Dockerfile runs it.
        options = ["--interface", "wsgi", "--no-ws", "--blocking-threads", "8", "--log-level", "warning"]
        return [*python, "granian", "--port", str(port), "--workers", str(WORKERS), *options, self.application]


ALL_PAGES = ("catalogue", "course", "lesson", "payments")
STACKS = [
    Stack("product", "Lyceum", "config.wsgi:application", pages=ALL_PAGES),
    Stack(
        "naive_drf",
        "naive DRF",
        "bench.peers.naive_drf:application",
        pages=ALL_PAGES,
        environment={"BENCH_URLCONF": "bench.peers.naive_drf", "BENCH_MIDDLEWARE": "django"},
    ),
    Stack("fastapi_sqlalchemy", "FastAPI + SQLAlchemy", "bench.peers.fastapi_sqlalchemy:app", server="uvicorn"),
    Stack("fastapi_asyncpg", "FastAPI + asyncpg by hand", "bench.peers.fastapi_asyncpg:app", server="uvicorn"),
    Stack(
        "empty_drf",
        "empty DRF view, no middleware",
        "bench.peers.empty_drf:application",
        is_same=False,
        environment={"BENCH_URLCONF": "bench.peers.empty_drf", "BENCH_MIDDLEWARE": "none"},
    ),
    Stack(
        "empty_drf_middleware",
        "empty DRF view, Lyceum's middleware",
        "bench.peers.empty_drf:application",
        is_same=False,
        environment={"BENCH_URLCONF": "bench.peers.empty_drf", "BENCH_MIDDLEWARE": "product"},
    ),
    Stack("bare_wsgi", "bare WSGI, no JWT", "bench.peers.bare_wsgi:application"),
]


@contextlib.contextmanager
def serving(stack: Stack, port: int, services: Services, reader: str) -> Iterator[int]:
    """The pid of the stack's server, ready; all its processes are gone afterwards."""
    environment = services.environment | stack.environment | {"BENCH_READER": reader}
    log = services.folder / f"{stack.name}.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            stack.command(port), cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait_until_ready(child, port, log)
            yield child.pid
        finally:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _wait_until_ready(child: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, whatever it thinks of the question
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"A server did not start:\n{log.read_text()[-3000:]}")


def fetch(port: int, path: str, token: str) -> bytes:
    address = f"http://127.0.0.1:{port}{path}"
    question = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(question, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{path} answered {error.code}: {error.read()[:500]!r}") from None


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where two answers differ, field by field."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours.keys() | theirs.keys():
            if name not in ours or name not in theirs:
                yield f"{path}.{name}: only {'Lyceum' if name in ours else 'the peer'} has it"
            else:
                yield from differences(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}[{i}]")
    elif ours != theirs or type(ours) is not type(theirs):
        yield f"{path}: {ours!r} and {theirs!r}"


def check_same(stack: Stack, page: str, ours: bytes, theirs: bytes) -> None:
    found = list(differences(json.loads(ours), json.loads(theirs), page))
    if found:
        listed = "\n  ".join(found[:10])
        raise SystemExit(f"{stack.name} does not answer what Lyceum answers, {len(found)} differences:\n  {listed}")


class StatementCount:
    """How many statements a request sends: from PostgreSQL's own log when the server is ours, else from
    pg_stat_statements where there is one, else unknown."""

    def __init__(self, services: Services) -> None:
        self.log = services.log
        self.connection = connect(services.database_url)
        self.is_known = self.log is not None
        if self.log is None:
            with contextlib.suppress(Exception), self.connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                cursor.execute("SELECT 1 FROM pg_stat_statements LIMIT 1")
                self.is_known = True

    def __enter__(self) -> "StatementCount":
        self._log_everything(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._log_everything(False)
        self.connection.close()

    def per_request(self, port: int, path: str, token: str, times: int = 15) -> dict[str, Any] | None:
        """`{queries, round_trips}`: without and with transaction control and health checks."""
        if not self.is_known:
            return None
        counts = []
        for _ in range(times):
            before = self._seen()
            fetch(port, path, token)
            sent = self._seen() - before
            counts.append((sum(n for text, n in sent.items() if not CONTROL.match(text)), sent.total()))
        queries, round_trips = zip(*counts, strict=True)
        # A thread's first request also sets its connection up; most are not the first.
        return {"queries": statistics.median_low(queries), "round_trips": statistics.median_low(round_trips)}

    def _seen(self) -> Counter[str]:
        if self.log is not None:
            text = self.log.read_text(errors="replace")
            return Counter(re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", text))
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT query, sum(calls)::int FROM pg_stat_statements GROUP BY query")
            return Counter({text: n for text, n in cursor if "pg_stat_statements" not in text})

    def _log_everything(self, is_on: bool) -> None:
        if self.log is None:
            return
        with self.connection.cursor() as cursor:
            cursor.execute(f"ALTER SYSTEM SET log_statement = '{'all' if is_on else 'none'}'")
            cursor.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)
