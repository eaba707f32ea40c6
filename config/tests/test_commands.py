"""Commands on a fresh clone: no .env, no variable, no database. Each works alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.testing.databases import once

pytestmark = once

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def manage(tmp_path):
    def manage(*arguments, **variables):
        environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATA_DIR": str(tmp_path), **variables}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
        )

    return manage


@pytest.mark.parametrize(
    "command",
    [
        ("makemigrations", "--dry-run"), ("migrate",), ("csu",), ("loaddata", "payment_data.json"), ("load_payments",),
        ("load_initial_data",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_each_command_works_first(manage, command):
    result = manage(*command)

    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_that_is_behind_is_left_alone(manage):
    manage("migrate", "contenttypes")

    result = manage("csu")

    assert result.returncode == 1
    assert "run manage.py migrate first" in result.stderr


def test_the_password_of_the_demo_is_no_admins_password(manage):
    result = manage(
        "csu", BASE_URL="https://school.example", SECRET_KEY="".join(map(chr, range(48, 123))),
        STRIPE_SECRET_KEY="sk_test_1",
        DJANGO_SUPERUSER_EMAIL="me@school.example", DJANGO_SUPERUSER_PASSWORD="lyceum-demo-2026",
    )  # fmt: skip

    assert result.returncode == 1
    assert "everybody knows it" in result.stderr


@pytest.mark.parametrize("label", ["common.tests.test_summer_time", "common/tests/test_summer_time.py"])
def test_manage_py_test_runs_pytest(manage, label):
    result = manage("test", label, "-v", "2", "--failfast", "-k", "send-pending*")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "common/tests/test_summer_time.py" in result.stdout
    assert " passed" in result.stdout


def test_manage_py_test_tells_when_there_is_nothing(manage):
    result = manage("test", "common.tests.test_summer_time", "-k", "there_is_no_such_test")

    assert result.returncode == 1
    assert "No test matches" in result.stderr


@pytest.mark.parametrize("command", [["pytest"], [sys.executable, "-m", "pytest"]], ids=["pytest", "python -m pytest"])
def test_pytest_starts_in_any_way(command, tmp_path):
    program = [str(Path(sys.executable).parent / "pytest")] if command == ["pytest"] else command
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    result = subprocess.run(
        [*program, "materials/", "--cov=materials", f"--cov-report=html:{tmp_path}", "--collect-only", "-q"],
        cwd=ROOT, env=environment | {"COVERAGE_FILE": str(tmp_path / "coverage")}, capture_output=True, text=True,
        timeout=110,
    )  # fmt: skip

    assert result.returncode == 0, result.stdout + result.stderr
    assert "tests collected" in result.stdout
