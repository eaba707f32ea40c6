"""A broken environment stops the start with one line that names the variable; a good one means what it says."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from common.testing.databases import once
from config.environment import PUBLISHED_KEYS, ConfigurationError, is_published, secret_key

pytestmark = once

ROOT = Path(__file__).resolve().parents[2]
GOOD_KEY = "tests-tests-tests-tests-tests-tests-tests-tests"  # good for this machine alone
RANDOM_KEY = secrets.token_urlsafe(50)
# What a server that others reach needs.
OPEN = {"BASE_URL": "https://lyceum.test", "ALLOWED_HOSTS": "lyceum.test", "STRIPE_SECRET_KEY": "sk_test_1"}
OPEN |= {"SECRET_KEY": RANDOM_KEY, "STRIPE_WEBHOOK_SECRET": "whsec_1"}


@pytest.fixture
def run(tmp_path):
    """Python with nothing in its environment but what is named, and what every start needs."""

    def run(code, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": GOOD_KEY,
            "DATA_DIR": str(tmp_path / "state"),
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.fixture
def values(run):
    """What some settings come to in an environment."""

    def values(*names, **variables):
        code = (
            "import json; from config import settings; "
            f"print(json.dumps([getattr(settings, name) for name in {names!r}], default=str))"
        )
        result = run(code, **variables)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        return found if len(names) > 1 else found[0]

    return values


# --- Broken ----------------------------------------------------------------------------------------------------------


BROKEN = [
    ("SECRET_KEY", OPEN | {"SECRET_KEY": None}),
    ("SECRET_KEY", OPEN | {"SECRET_KEY": " "}),
    ("SECRET_KEY", OPEN | {"SECRET_KEY": "short"}),
    ("SECRET_KEY", OPEN | {"SECRET_KEY": GOOD_KEY}),
    ("DEBUG", {"DEBUG": "maybe"}),
    ("PORT", {"PORT": "0"}),
    ("PORT", {"PORT": "65536"}),
    ("BASE_URL", {"BASE_URL": "lyceum.test"}),
    ("BASE_URL", {"BASE_URL": "https://"}),
    ("BASE_URL", {"BASE_URL": "http://[x"}),
    ("FRONTEND_URL", {"FRONTEND_URL": "ftp://lyceum.test"}),
    ("CORS_ALLOWED_ORIGINS", {"CORS_ALLOWED_ORIGINS": "localhost:3000"}),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": ","}),
    ("DATA_DIR", {"DATA_DIR": "/proc/nowhere"}),
    ("DATABASE_URL", {"DATABASE_URL": "nonsense"}),
    ("DATABASE_URL", {"DATABASE_URL": "mysql://localhost/lyceum"}),
    ("DATABASE_URL", {"DATABASE_URL": "postgres://localhost:port/lyceum"}),
    ("DATABASE_URL", {"DATABASE_URL": "postgres://[localhost/lyceum"}),
    ("DATABASE_URL", {"DATABASE_URL": "postgres://localhost"}),
    ("DB_USER", {"DB_NAME": "lyceum"}),
    ("DB_PORT", {"DB_NAME": "lyceum", "DB_USER": "anna", "DB_PORT": "x"}),
    ("REDIS_URL", {"REDIS_URL": "localhost"}),
    ("REDIS_URL", {"REDIS_URL": "redis://localhost:port/0"}),
    ("REDIS_PORT", {"REDIS_HOST": "localhost", "REDIS_PORT": "x"}),
    ("REDIS_DB", {"REDIS_HOST": "localhost", "REDIS_DB": "x"}),
    ("CELERY_BROKER_URL", {"CELERY_BROKER_URL": "localhost"}),
    ("EMAIL_PORT", {"EMAIL_PORT": "x"}),
    ("EMAIL_USE_TLS", {"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"}),
    ("LANGUAGE_CODE", {"LANGUAGE_CODE": "de"}),
    ("TIME_ZONE", {"TIME_ZONE": "Mars"}),
    ("THROTTLE_USER", {"THROTTLE_USER": "fast"}),
    ("THROTTLE_LOGIN", {"THROTTLE_LOGIN": "20/fortnight"}),
    ("NUM_PROXIES", {"NUM_PROXIES": "x"}),
    ("NUM_PROXIES", {"NUM_PROXIES": "-1"}),
    ("STRIPE_SECRET_KEY", OPEN | {"STRIPE_SECRET_KEY": None}),
    ("STRIPE_SECRET_KEY", OPEN | {"STRIPE_SECRET_KEY": "sk_test_stand_in"}),
    ("STRIPE_SECRET_KEY", OPEN | {"STRIPE_SECRET_KEY": None, "STRIPE_API_BASE": "http://stand-in:12111"}),
    ("STRIPE_WEBHOOK_SECRET", {"STRIPE_SECRET_KEY": "sk_live_1"}),
    ("STRIPE_WEBHOOK_SECRET", {"STRIPE_WEBHOOK_SECRET": ","}),
    ("STRIPE_API_BASE", {"STRIPE_API_BASE": "localhost:12111"}),
    ("SOCIAL_AUTH_GOOGLE_OAUTH2_SECRET", {"SOCIAL_AUTH_GOOGLE_OAUTH2_KEY": "x"}),
    ("SOCIAL_AUTH_YANDEX_OAUTH2_SECRET", {"SOCIAL_AUTH_YANDEX_OAUTH2_KEY": "x"}),
    ("SOCIAL_AUTH_VK_ID_ACCESS_TOKEN_URL", {"SOCIAL_AUTH_VK_ID_ACCESS_TOKEN_URL": "id.vk.ru"}),
    ("DEFAULT_CURRENCY", {"DEFAULT_CURRENCY": "XXX"}),
    ("COURSE_AUTHOR_ROLES", {"COURSE_AUTHOR_ROLES": "teacher,wizard"}),
    ("INACTIVITY_DAYS", {"INACTIVITY_DAYS": "0"}),
    ("ACCESS_TOKEN_MINUTES", {"ACCESS_TOKEN_MINUTES": "9" * 20}),
    ("LOG_LEVEL", {"LOG_LEVEL": "LOUD"}),
]


def label(variables):
    return ",".join(f"{k}={v}" for k, v in variables.items() if v != OPEN.get(k))


@pytest.mark.parametrize(("name", "variables"), BROKEN, ids=[label(variables) for _, variables in BROKEN])
def test_a_broken_variable(run, name, variables):
    result = run("import config.settings", **variables)

    assert result.returncode != 0
    assert result.stderr.startswith(f"Configuration error: {name} ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_secret_is_not_repeated(run):
    result = run("import config.settings", **OPEN | {"SECRET_KEY": "too-short-a-secret"})

    assert "too-short-a-secret" not in result.stderr


# --- Good ------------------------------------------------------------------------------------------------------------


def test_nothing_is_needed(values):
    debug, language, zone = values("DEBUG", "LANGUAGE_CODE", "TIME_ZONE", SECRET_KEY=None)

    assert (debug, language, zone) == (False, "ru", "Europe/Moscow")


def test_no_provider_of_sign_in_unless_it_has_a_key(values):
    names = [f"SOCIAL_AUTH_{name}_KEY" for name in ("GOOGLE_OAUTH2", "VK_ID", "YANDEX_OAUTH2")]

    assert values(*names) == ["", "", ""]
    assert values(*names, SOCIAL_AUTH_VK_ID_KEY="51234567") == ["", "51234567", ""]


@pytest.mark.parametrize("name", ["DEBUG", "DATABASE_URL", "REDIS_URL", "EMAIL_PORT", "TIME_ZONE", "THROTTLE_USER"])
def test_an_empty_variable_counts_as_unset(run, name):
    result = run("import config.settings", **{name: " "})

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("raw", "expected"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)]
)
def test_booleans(values, raw, expected):
    assert values("DEBUG", DEBUG=raw) is expected


def test_without_a_database_there_is_a_file(values, tmp_path):
    database = values("DATABASES")["default"]

    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "state" / "db.sqlite3")


def test_database_by_parts(values):
    database = values("DATABASES", DB_NAME="lyceum", DB_USER="anna", DB_PASSWORD="s/e@c:r#et", DB_HOST="db")["default"]

    assert database["ENGINE"] == "django.db.backends.postgresql"
    parts = {name: database[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    assert parts == {"NAME": "lyceum", "USER": "anna", "PASSWORD": "s/e@c:r#et", "HOST": "db", "PORT": "5432"}


def test_database_by_url_beats_its_parts(values):
    database = values("DATABASES", DATABASE_URL="postgres://boris:x@db:6000/other", DB_NAME="lyceum", DB_USER="anna")[
        "default"
    ]

    assert (database["NAME"], database["USER"], database["PORT"]) == ("other", "boris", 6000)


def test_connections_are_checked_before_use(values):
    database = values("DATABASES", DATABASE_URL="postgres://boris:x@db/other")["default"]

    assert database["CONN_HEALTH_CHECKS"] is True


def test_redis_by_parts(values):
    caches, broker = values("CACHES", "CELERY_BROKER_URL", REDIS_HOST="cache", REDIS_PORT="6380", REDIS_DB="2")

    assert caches["default"]["LOCATION"] == broker == "redis://cache:6380/2"


def test_redis_by_url_beats_its_parts(values):
    caches = values("CACHES", REDIS_URL="redis://other:6379/1", REDIS_HOST="cache")

    assert caches["default"]["LOCATION"] == "redis://other:6379/1"


def test_another_broker_beside_redis(values):
    caches, broker = values("CACHES", "CELERY_BROKER_URL", REDIS_URL="redis://r:6379/1", CELERY_BROKER_URL="amqp://b//")

    assert (caches["default"]["LOCATION"], broker) == ("redis://r:6379/1", "amqp://b//")


def test_without_redis_nothing_needs_a_service(values, tmp_path):
    caches, broker, options = values("CACHES", "CELERY_BROKER_URL", "CELERY_BROKER_TRANSPORT_OPTIONS")

    assert caches["default"]["BACKEND"].endswith("LocMemCache")
    assert broker.startswith("filesystem://")
    assert options["data_folder_in"] == options["data_folder_out"] == str(tmp_path / "state" / "broker" / "messages")


def test_data_dir_moves_everything(values, tmp_path):
    folder = tmp_path / "elsewhere"
    databases, mail, media, options = values(
        "DATABASES", "EMAIL_FILE_PATH", "MEDIA_ROOT", "CELERY_BROKER_TRANSPORT_OPTIONS", DATA_DIR=str(folder)
    )

    paths = {databases["default"]["NAME"], mail, media, options["data_folder_in"], options["control_folder"]}
    assert paths == {
        str(folder / name) for name in ("db.sqlite3", "mail", "media", "broker/messages", "broker/control")
    }


def test_the_file_is_read(values, tmp_path):
    file = tmp_path / "env"
    file.write_text(f"SECRET_KEY={GOOD_KEY}-of-the-file\nTIME_ZONE=Asia/Omsk\n")

    key, zone = values("SECRET_KEY", "TIME_ZONE", ENV_FILE=str(file), SECRET_KEY=None)

    assert (key, zone) == (f"{GOOD_KEY}-of-the-file", "Asia/Omsk")


def test_the_environment_beats_the_file(values, tmp_path):
    file = tmp_path / "env"
    file.write_text("TIME_ZONE=Asia/Omsk\nINACTIVITY_DAYS=7\n")

    zone, days = values("TIME_ZONE", "INACTIVITY_DAYS", ENV_FILE=str(file), TIME_ZONE="Asia/Tokyo")

    assert (zone, days) == ("Asia/Tokyo", 7)


def test_a_mail_server_is_used_if_there_is_one(values):
    backend, port = values("EMAIL_BACKEND", "EMAIL_PORT", EMAIL_HOST="mail", EMAIL_PORT="587", EMAIL_USE_TLS="1")

    assert (backend, port) == ("django.core.mail.backends.smtp.EmailBackend", 587)


def test_feedback_is_throttled_unless_said_otherwise(values):
    assert values("REST_FRAMEWORK", THROTTLE_FEEDBACK="")["DEFAULT_THROTTLE_RATES"]["feedback"] == "5/hour"


@pytest.mark.parametrize(
    ("database", "registering", "login"),
    [(None, "200/hour", "600/min"), ("postgres://u:p@localhost/x", "20/hour", "60/min")],
)
def test_a_laptop_is_many_people(values, database, registering, login):
    rates = values("REST_FRAMEWORK", DATABASE_URL=database)["DEFAULT_THROTTLE_RATES"]

    assert (rates["register"], rates["login"]) == (registering, login)


def test_a_throttle_is_switched_off(values):
    rates = values("REST_FRAMEWORK", THROTTLE_USER="off", THROTTLE_ANON="5/min")["DEFAULT_THROTTLE_RATES"]

    assert (rates["user"], rates["anon"]) == (None, "5/min")


def test_stripe_with_a_key_and_its_secrets(values):
    stand_in, base, secrets = values(
        "STRIPE_STAND_IN", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRETS",
        STRIPE_SECRET_KEY="sk_test_1", STRIPE_WEBHOOK_SECRET="whsec_new, whsec_old",
    )  # fmt: skip

    assert (stand_in, base, secrets) == (False, "https://api.stripe.com", ["whsec_new", "whsec_old"])


def test_each_installation_has_a_webhook_secret_of_its_own(values):
    first = values("STRIPE_WEBHOOK_SECRET")
    second = values("STRIPE_WEBHOOK_SECRET", SECRET_KEY=GOOD_KEY[::-1])

    assert first != second


def test_https_makes_cookies_secure(values):
    secure, hsts = values("SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS", **OPEN)

    assert secure is True
    assert hsts > 0


def test_other_addresses_follow_from_the_port(values):
    base, frontend = values("BASE_URL", "FRONTEND_URL", PORT="8123")

    assert (base, frontend) == ("http://127.0.0.1:8123", "http://127.0.0.1:8123")


# --- The key, and what else everybody knows --------------------------------------------------------------------------


def test_a_missing_key_is_made_and_kept(values, tmp_path):
    first = values("SECRET_KEY", SECRET_KEY=None)
    second = values("SECRET_KEY", SECRET_KEY=" ")

    file = tmp_path / "state" / "secret_key"
    assert first == second == file.read_text()
    assert len(first) >= 50
    assert file.stat().st_mode & 0o077 == 0
    assert values("SECRET_KEY", SECRET_KEY=None, DATA_DIR=str(tmp_path / "other")) != first


def test_processes_that_start_at_once_have_one_key(tmp_path):
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATA_DIR": str(tmp_path)}
    code = "from pathlib import Path; from config.environment import kept_key; print(kept_key(Path(%r)))"
    command = [sys.executable, "-c", code % str(tmp_path / "secret_key")]
    together = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]

    assert len({process.communicate(timeout=60)[0] for process in together}) == 1


def test_a_short_key_warns_on_this_machine(run):
    result = run("import config.settings", SECRET_KEY="short")

    assert result.returncode == 0
    assert result.stderr.startswith("Warning: SECRET_KEY is too short")


@pytest.mark.parametrize(
    "variables",
    [
        {"BASE_URL": "https://school.example"},
        {"BASE_URL": "http://192.168.1.5:8000"},
        {"BASE_URL": "http://localhost.example:8000"},
        {"BASE_URL": "http://0.0.0.0:8000"},
        {"ALLOWED_HOSTS": "*"},
        {"ALLOWED_HOSTS": "localhost,school.example"},
        {"ALLOWED_HOSTS": "localhost,.example"},
        {"ALLOWED_HOSTS": "127.0.0.1,10.0.0.1"},
        {"ALLOWED_HOSTS": "backend"},
    ],
    ids=str,
)
def test_others_come_if_any_address_leads_elsewhere(run, variables):
    result = run("import config.settings", **{"STRIPE_SECRET_KEY": "sk_test_1", "SECRET_KEY": GOOD_KEY} | variables)

    assert result.stderr.startswith("Configuration error: SECRET_KEY ")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"BASE_URL": "http://localhost:8080", "ALLOWED_HOSTS": "localhost,127.0.0.1,backend.localhost"},
        {"BASE_URL": "http://[::1]:8000", "ALLOWED_HOSTS": "[::1],127.0.0.2"},
    ],
    ids=str,
)
def test_nobody_else_comes(values, variables):
    assert values("ON_LOOPBACK", **variables) is True


def published_values():
    """Whatever stands for a SECRET_KEY in any file of the repository, with where it stands."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    paths = listed.stdout.split("\0") if listed.returncode == 0 else [str(p.relative_to(ROOT)) for p in sources()]
    for path in filter(None, paths):
        try:
            text = (ROOT / path).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for value in re.findall(r"""_KEY["']?\]?\s*(?::-|:\s*|=\s*)["']?([A-Za-z0-9_.!@#%^&*+-]{24,})""", text):
            yield path, value


def sources():
    """Where there is no git, such as in the image."""
    return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]


def test_no_key_of_a_file_of_the_repository_is_good_for_others(monkeypatch, tmp_path):
    found = dict(published_values())
    assert {"Makefile", "bench/services.py"} <= found.keys(), "the pattern finds no more what it should"
    for path, value in [*found.items(), *(("before", key) for key in PUBLISHED_KEYS)]:
        monkeypatch.setenv("SECRET_KEY", value)
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            secret_key(on_loopback=False, data_dir=tmp_path)
        assert secret_key(on_loopback=True, data_dir=tmp_path) == value, path


def test_no_random_key_is_taken_for_a_published_one():
    assert not any(is_published(make()) for make in (secrets.token_urlsafe, secrets.token_hex) for _ in range(200))


def test_stripes_test_key_alone_starts(values, run):
    secrets_, base = values("STRIPE_WEBHOOK_SECRETS", "STRIPE_API_BASE", STRIPE_SECRET_KEY="sk_test_1")

    assert (secrets_, base) == ([], "https://api.stripe.com")
    assert "STRIPE_WEBHOOK_SECRET is missing" in run("import config.settings", STRIPE_SECRET_KEY="sk_test_1").stderr
