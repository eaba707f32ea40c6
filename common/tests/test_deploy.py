"""The image, the compose file, nginx and CI: valid, and in step with the settings and commands that they name."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.bin.celery import celery as celery_cli
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from granian.cli import cli as granian_cli

ROOT: Path = settings.BASE_DIR
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
NGINX = (ROOT / "deploy/nginx/nginx.conf").read_text()
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
PRE_COMMIT = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

# Says which file the others are read from, so it cannot stand in that file.
NOT_FOR_THE_FILE = {"ENV_FILE"}


def documented_variables() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def compose_only_variables() -> set[str]:
    """Those that the head of the compose file explains: `#   NAME   what it is for`."""
    head = COMPOSE_TEXT.partition("\nname:")[0]
    return set(re.findall(r"^#   ([A-Z][A-Z0-9_]*)  ", head, re.MULTILINE))


def image_command() -> list[str]:
    (command,) = re.findall(r"^CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(command.replace("\\\n", ""))


def sources() -> Iterator[Path]:
    """The Python files that the image holds."""
    for path in ROOT.glob("**/*.py"):
        parts = path.relative_to(ROOT).parts
        if not {".venv", "tests", "testing", "bench"} & set(parts) and path.name != "conftest.py":
            yield path


def run_tool(name: str, *arguments: str) -> None:
    command = [str(Path(sys.executable).parent / name), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


# --- Valid -----------------------------------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say_about_the_dockerfile():
    run_tool("hadolint", "Dockerfile")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "docker-compose.yaml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
    ],
)
def test_file_follows_its_schema(schema, file):
    run_tool("check-jsonschema", "--builtin-schema", schema, file)


# --- Variables -------------------------------------------------------------------------------------------------------


def test_every_variable_that_the_settings_read_is_documented():
    text = "".join((ROOT / f"config/{name}.py").read_text() for name in ("settings", "environment"))
    read = set(re.findall(r"""(?:\bread|\brate|os\.environ\.get)\(\s*["']([A-Z][A-Z0-9_]*)["']""", text))

    assert {"SECRET_KEY", "THROTTLE_ANON", "NUM_PROXIES"} <= read, "the pattern finds no more what it should"
    assert read - NOT_FOR_THE_FILE - documented_variables() == set()


def test_every_documented_variable_is_read():
    code = "\n".join(path.read_text() for path in sources())
    makefile = (ROOT / "Makefile").read_text()

    assert {
        name
        for name in documented_variables()
        if not re.search(rf"""["']{name}["']""", code) and not re.search(rf"^{name} \?=", makefile, re.MULTILINE)
    } == set()


def test_every_variable_of_the_compose_file_is_documented_and_has_a_default():
    used = set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)", COMPOSE_TEXT))
    with_default = set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*):-", COMPOSE_TEXT))

    assert used == with_default
    assert used - documented_variables() == compose_only_variables()


@pytest.mark.parametrize("name", OURS)
def test_environment_of_our_services_is_documented(name):
    assert set(OURS[name]["environment"]) - documented_variables() <= compose_only_variables()


def test_the_image_keeps_no_secret():
    assert not re.search(r"^(ENV|ARG)[^\n]*(SECRET|PASSWORD|KEY)", DOCKERFILE, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".env.*", ".git", "var", "media"} <= set(ignored)


# --- The image -------------------------------------------------------------------------------------------------------


def test_the_image_does_not_run_as_root():
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)

    assert int(user) > 0
    assert DOCKERFILE.index("\nUSER") < DOCKERFILE.index("\nCMD")
    assert not any("user" in service for service in OURS.values())


def test_no_production_command_starts_the_stand_in():
    commands = [image_command(), *(s.get("command", []) for s in SERVICES.values() if not s.get("profiles"))]

    assert "stand_in" not in str(commands)


@pytest.mark.filterwarnings("ignore:No directory at")  # static files are collected in the image
def test_the_image_serves_what_the_settings_name():
    from config import wsgi

    command = image_command()
    options = {option for parameter in granian_cli.params for option in (*parameter.opts, *parameter.secondary_opts)}

    assert command[0] == "granian"
    assert command[-1] == settings.WSGI_APPLICATION.replace(".application", ":application")
    assert callable(wsgi.application)
    assert {word for word in command if word.startswith("--")} <= options


def test_what_runs_imports_nothing_that_the_image_leaves_out():
    left_out = re.compile(r"^\s*(?:from|import) (?:\w+\.)*(?:tests|testing)\b", re.MULTILINE)

    assert [str(path.relative_to(ROOT)) for path in sources() if left_out.search(path.read_text())] == []


def test_python_is_of_one_version_everywhere():
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    versions = {
        step["with"]["python-version"]
        for job in CI["jobs"].values()
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    }

    assert len(set(images)) == 1
    assert versions == {re.search(r"python:(\d+\.\d+)", images[0])[1]}


# --- The services ----------------------------------------------------------------------------------------------------


def test_the_services_are_there():
    started = {name for name, service in SERVICES.items() if not service.get("profiles")}

    assert started == {"db", "redis", "migrate", "backend", "celery_worker", "celery_beat", "nginx"}
    assert {name: SERVICES[name]["profiles"] for name in set(SERVICES) - started} == {
        "rabbitmq": ["rabbitmq"],
        "stripe-stand-in": ["stand-in"],
    }
    assert "127.0.0.1:8001:8000" in SERVICES["backend"]["ports"]


def test_only_nginx_can_be_opened():
    """NUM_PROXIES believes one proxy: whoever reached the backend past nginx could choose the address that throttles
    count by."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published.pop("nginx") == ["${LISTEN_ADDRESS:-127.0.0.1}:${HTTP_PORT:-8080}:80"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["x-environment"]["NUM_PROXIES"] == "1"


@pytest.mark.parametrize("name", SERVICES)
def test_every_dependency_waits_for_something(name):
    conditions = {other: link["condition"] for other, link in SERVICES[name].get("depends_on", {}).items()}

    assert set(conditions) <= set(SERVICES)
    for other, condition in conditions.items():
        assert condition == ("service_completed_successfully" if other == "migrate" else "service_healthy")
        # A service behind a profile may be off.
        assert bool(SERVICES[other].get("profiles")) is (SERVICES[name]["depends_on"][other].get("required") is False)


@pytest.mark.parametrize("name", [name for name in OURS if name not in {"migrate", "stripe-stand-in"}])
def test_what_uses_the_database_waits_for_the_migrations(name):
    assert {"db", "redis", "migrate"} <= set(SERVICES[name]["depends_on"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_every_lasting_service_has_a_health_check(name):
    # The backend's is the image's.
    assert "test" in SERVICES[name].get("healthcheck", {}) or (name == "backend" and "\nHEALTHCHECK" in DOCKERFILE)


def test_one_service_migrates_and_one_schedules():
    commands = {name: str(service.get("command", "")) for name, service in SERVICES.items()}

    assert [name for name, command in commands.items() if "manage.py migrate" in command] == ["migrate"]
    assert [name for name, command in commands.items() if "beat" in command] == ["celery_beat"]


def management_calls() -> Iterator[tuple[str, tuple[str, ...]]]:
    for service in OURS.values():
        for words in (service.get("command", []), service.get("healthcheck", {}).get("test", [])):
            if "manage.py" in words:
                start = words.index("manage.py") + 1
                yield words[start], tuple(words[start + 1 :])
            for call in re.findall(r"python manage\.py ([^\n;&|]+)", "\n".join(words)):
                name, *arguments = shlex.split(call)
                yield name, tuple(arguments)


@pytest.mark.parametrize(("name", "arguments"), sorted(set(management_calls())), ids=lambda value: str(value)[:40])
def test_management_command_and_its_options_exist(name, arguments):
    command = load_command_class(get_commands()[name], name)

    command.create_parser("manage.py", name).parse_args(list(arguments))


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_celery_command_and_its_options_exist(name):
    program, _, module, subcommand, *arguments = SERVICES[f"celery_{name}"]["command"]
    options = {option for parameter in celery_cli.commands[name].params for option in parameter.opts}

    assert (program, module, subcommand) == ("celery", "config", name)
    assert {argument.partition("=")[0] for argument in arguments} <= options


@pytest.mark.django_db
def test_the_scheduler_is_healthy_while_it_notes_what_it_sent():
    """The health check of celery_beat, with a schedule as the settings have it."""
    assert any(entry["schedule"] == timedelta(minutes=1) for entry in settings.CELERY_BEAT_SCHEDULE.values())
    check = SERVICES["celery_beat"]["healthcheck"]["test"][-1]
    entry = PeriodicTask.objects.create(name="x", task="x", crontab=CrontabSchedule.objects.create())

    def exit_code(sent_ago: timedelta | None) -> int:
        PeriodicTask.objects.filter(pk=entry.pk).update(last_run_at=sent_ago and timezone.now() - sent_ago)
        with pytest.raises(SystemExit) as end:
            exec(check, {})
        return int(end.value.code)

    assert exit_code(timedelta(minutes=4)) == 0
    assert exit_code(timedelta(minutes=7)) == 1
    assert exit_code(None) == 1


# --- nginx -----------------------------------------------------------------------------------------------------------


def test_nginx_writes_the_visitors_address_anew():
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in NGINX
    assert "$proxy_add_x_forwarded_for" not in NGINX


def test_nginx_passes_the_largest_upload():
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    limits = [
        value for name in dir(settings) if re.fullmatch(r"MAX_\w*BYTES", name) and (value := getattr(settings, name))
    ]

    assert int(megabytes) * 1024**2 > max(limits)


def test_nginx_hands_out_public_media_only():
    mounts = SERVICES["nginx"]["volumes"]

    assert re.search(r"location /media/public/ \{\s+alias /srv/media/public/;", NGINX)
    assert re.search(r"location /media/ \{\s+return 404;", NGINX)
    assert all(mount.endswith(":ro") for mount in mounts)


# --- CI --------------------------------------------------------------------------------------------------------------


def test_ci_runs_make_check_with_and_without_services():
    checks = {
        name: "DATABASE_URL" in job.get("env", {})
        for name, job in CI["jobs"].items()
        if any("make check" in step.get("run", "") for step in job["steps"])
    }

    assert set(checks.values()) == {True, False}
    assert CI["permissions"] == {"contents": "read"}


def test_pre_commit_downloads_nothing():
    (repository,) = PRE_COMMIT["repos"]

    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        (tool,) = re.findall(r"\.venv/bin/(\S+)", hook["entry"])
        assert (Path(sys.executable).parent / tool).exists()
