"""`manage.py test`: the tests are pytest's, and are run by it."""

import os
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dotenv
from django.conf import settings
from django.core.management import CommandError

NO_TESTS = 5  # pytest's exit status


class PytestRunner:
    """Takes the options that Django's own runner is best known for, and labels of both kinds."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--failfast", action="store_true", help="stop at the first failure")
        parser.add_argument("-k", dest="patterns", action="append", default=[], help="run tests that match only")
        parser.add_argument("--keepdb", action="store_true", help="keep the test database for the next run")
        parser.add_argument("--parallel", nargs="?", const="auto", default="", help="run so many at a time")
        parser.add_argument("--pdb", action="store_true", help="start a debugger where a test fails")
        parser.add_argument("--durations", type=int, help="show the slowest tests")

    def run_tests(self, test_labels: list[str], **_options: Any) -> int:
        """How many failed, as far as an exit status is concerned."""
        if find_spec("pytest_django") is None:
            raise CommandError("pytest is not installed: pip install -r requirements-dev.txt")
        command = [sys.executable, "-m", "pytest", *self.arguments(), *map(pytest_label, test_labels)]
        # In a process of its own, and without what this one has read from .env.
        file = dotenv.dotenv_values(settings.BASE_DIR / os.environ.get("ENV_FILE", ".env"))
        environment = {name: value for name, value in os.environ.items() if file.get(name) != value}
        status = subprocess.call(command, cwd=settings.BASE_DIR, env=environment)  # noqa: S603
        if status == NO_TESTS:
            sys.stderr.write("No test matches.\n")
        return int(status != 0)

    def arguments(self) -> list[str]:
        given = self.options
        verbosity = given.get("verbosity", 1)
        arguments = ["-q"] if verbosity == 0 else ["-" + "v" * (verbosity - 1)] if verbosity > 1 else []
        arguments += ["-x"] if given.get("failfast") else []
        arguments += ["-k", " or ".join(given["patterns"]).replace("*", "")] if given.get("patterns") else []
        arguments += ["--reuse-db"] if given.get("keepdb") else []
        arguments += ["-n", str(given["parallel"])] if given.get("parallel") else []
        arguments += ["--pdb"] if given.get("pdb") else []
        return arguments + ([f"--durations={given['durations']}"] if given.get("durations") is not None else [])


def pytest_label(label: str) -> str:
    """A path stays as it is; of `app.tests.test_module.test_name` the part that is a file becomes a path."""
    words = label.split(".")
    if "/" in label or "::" in label or label.endswith(".py"):
        return label
    for length in range(len(words), 0, -1):
        path = Path(*words[:length])
        for found in (path, path.with_suffix(".py")):
            if (settings.BASE_DIR / found).exists():
                return "::".join([str(found), *words[length:]])
    return label
