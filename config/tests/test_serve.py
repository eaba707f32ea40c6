"""The embedded mode as a whole: `manage.py serve`, and the walk that `make demo` is."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.testing.databases import once

pytestmark = once

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a newcomer: nothing is configured, and the ports are free."""
    port = free_port()
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "tests-tests-tests-tests-tests-tests-tests-tests",
        "DATA_DIR": str(tmp_path),
        "PORT": str(port),
        "STRIPE_STAND_IN_PORT": str(free_port()),
    }


@pytest.fixture
def serve(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        output = (tmp_path / "output.txt").open("wb")
        started.append(
            subprocess.Popen(
                [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        )
        return started[-1]

    yield start
    for server in started:
        if server.poll() is None:
            server.terminate()
            server.wait(timeout=30)


def wait_for(condition: Callable[[], object], server: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not condition():
        assert server is None or server.poll() is None, "the server has ended"
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_serve_starts_everything_and_stops_it_on_sigterm(serve, environment, tmp_path):
    server = serve()
    output = tmp_path / "output.txt"
    wait_for(lambda: "Lyceum is ready" in output.read_text(), server)
    base = f"http://127.0.0.1:{environment['PORT']}"
    ready = urllib.request.urlopen(f"{base}/readyz/").status
    courses = urllib.request.urlopen(f"{base}/api/courses/").read().decode()

    server.send_signal(signal.SIGTERM)

    assert server.wait(timeout=30) == 0
    assert ready == 200
    assert re.search(r'"count":1\d', courses), "the demo is there"
    for port in (environment["PORT"], environment["STRIPE_STAND_IN_PORT"]):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0, f"something still listens on {port}"
    assert {path.name for path in (tmp_path / "log").iterdir()} == {"web.log", "worker.log", "stripe.log"}


def test_serve_names_the_port_that_is_taken(environment):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(environment["PORT"])))
        squatter.listen()

        result = subprocess.run(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{environment['PORT']}" in result.stderr
    assert "PORT" in result.stderr


def test_the_walk_holds(environment):
    result = subprocess.run(
        [sys.executable, "-m", "config.walk", "--port", environment["PORT"]],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110,
    )  # fmt: skip

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Everything held" in result.stdout
