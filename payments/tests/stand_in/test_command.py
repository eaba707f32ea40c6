"""The management command, in a process of its own: settings, signals, exit codes."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from .conftest import session_params
from .helpers import browse

ROOT = Path(__file__).parents[3]
# The command alone, with the settings that it reads: the project's own want more than this looks at.
PROGRAM = """
import sys
from pathlib import Path
from django.conf import settings
key, data, *arguments = sys.argv[1:]
settings.configure(
    BASE_URL="http://127.0.0.1:9",
    STRIPE_SECRET_KEY=key,
    STRIPE_WEBHOOK_SECRET="whsec_x",
    DATA_DIR=Path(data),
)
from payments.management.commands.stripe_stand_in import Command
Command().run_from_argv(["manage.py", "stripe_stand_in", *arguments])
"""


@pytest.fixture
def run(tmp_path):
    """Starts the command with these arguments and a secret key; ends it after the test."""
    running = []

    def start(*arguments, key="sk_test_x"):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, key, str(tmp_path), *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_serves_and_stops(run, tmp_path, number):
    process = run("--port", "0")

    base = re.fullmatch(r"Stripe stand-in: (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())[1]
    assert browse(f"{base}/healthz").status == 200
    process.send_signal(number)

    assert process.wait(timeout=5) == 0
    assert (tmp_path / "stripe_stand_in.json").exists()


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x"])
def test_it_refuses_to_start_with_a_live_key(run, key):
    process = run("--port", "0", key=key)
    _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert "live key" in errors


def test_it_tells_the_public_address(run):
    process = run("--port", "0", "--public-base", "http://pay.shop.test")

    base = process.stdout.readline().removeprefix("Stripe stand-in: ").strip()
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": base}, max_network_retries=0)

    assert client.v1.checkout.sessions.create(session_params()).url.startswith("http://pay.shop.test/c/pay/cs_test_")


def test_it_names_a_public_address_that_is_none(run):
    process = run("--port", "0", "--public-base", "pay.shop.test")
    _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert "--public-base" in errors


def test_it_names_a_taken_port(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = run("--port", str(port))
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert f"127.0.0.1:{port}" in errors
