"""Reading the environment, loudly: a missing or malformed variable stops the start with one line that names it."""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from kombu.transport import TRANSPORT_ALIASES

T = TypeVar("T")


class ConfigurationError(SystemExit):
    """Ends the process with a line instead of a traceback."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"Configuration error: {name} {problem}")


def warn(problem: str) -> None:
    print(f"Warning: {problem}", file=sys.stderr)  # noqa: T201 - logging is not set up yet


def read(name: str, default: T | None = None, cast: Callable[[str], T] | None = None) -> T:
    """The variable's value, passed through `cast`; an empty one counts as unset.

    Without a default the variable is required. `cast` raises ValueError with a text that says what it wants.
    """
    raw = os.environ.get(name, "").strip()
    if not raw:
        if default is None:
            raise ConfigurationError(name, "is missing. See .env.example.")
        return default
    try:
        return cast(raw) if cast else raw  # type: ignore[return-value]
    except ValueError as error:
        raise ConfigurationError(name, f"is malformed: {error}") from None


def boolean(raw: str) -> bool:
    value = raw.lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{raw!r} is neither true nor false")


def whole(raw: str) -> int:
    if not (raw.isascii() and raw.isdecimal()):
        raise ValueError(f"{raw!r} is not a whole number")
    return int(raw)


def positive(raw: str) -> int:
    """At most 100,000: a number of days beyond leads out of the calendar."""
    if not (raw.isascii() and raw.isdecimal() and 1 <= int(raw[:7]) <= 100_000):
        raise ValueError(f"{raw!r} is not a whole number from 1 to 100000")
    return int(raw)


def port(raw: str) -> int:
    if not (raw.isascii() and raw.isdecimal() and 1 <= int(raw[:6]) <= 65_535):
        raise ValueError(f"{raw!r} is not a port: a whole number from 1 to 65535")
    return int(raw)


def comma_separated(raw: str) -> list[str]:
    parts = [part.strip() for part in raw.split(",") if part.strip()]
    if not parts:
        raise ValueError(f"{raw!r} names nothing")
    return parts


def some_of(*values: str) -> Callable[[str], list[str]]:
    def cast(raw: str) -> list[str]:
        return [choice_of(*values)(part) for part in comma_separated(raw)]

    return cast


def web_address(raw: str) -> str:
    """`http(s)://host[:port][/path]`, kept without a slash at its end."""
    if not raw.startswith(("http://", "https://")):
        raise ValueError(f"{raw!r} does not start with http:// or https://")
    return server_address(raw).rstrip("/")


def web_addresses(raw: str) -> list[str]:
    return [web_address(part) for part in comma_separated(raw)]


def server_address(raw: str) -> str:
    """An address with a host, and no port but a number."""
    parts = urlsplit(raw)  # raises ValueError itself, as `port` does
    if not parts.hostname or parts.port == 0:
        raise ValueError(f"{raw!r} names no host")
    return raw


def redis_address(raw: str) -> str:
    if raw.startswith("unix://"):
        return raw
    if not raw.startswith(("redis://", "rediss://")):
        raise ValueError(f"{raw!r} does not start with redis://, rediss:// or unix://")
    return server_address(raw)


def broker_address(raw: str) -> str:
    """Of any broker that Celery knows."""
    scheme, separator, _rest = raw.partition("://")
    if not separator or scheme.partition("+")[0] not in TRANSPORT_ALIASES:
        raise ValueError(f"{raw!r} does not start with redis://, amqp:// or the like")
    return raw


def throttle_rate(raw: str) -> str:
    """`20/hour`, or `off`."""
    if raw == "off":
        return raw
    number, _, period = raw.partition("/")
    if not number.isdecimal() or period not in {"second", "sec", "min", "minute", "hour", "day"}:
        raise ValueError(f"{raw!r} is neither off nor a rate such as 20/hour")
    return raw


def time_zone(raw: str) -> str:
    """An IANA name, such as Europe/Moscow."""
    if raw not in available_timezones():
        raise ValueError(f"there is no time zone {raw!r}")
    return raw


def choice_of(*values: str) -> Callable[[str], str]:
    def cast(raw: str) -> str:
        if raw not in values:
            raise ValueError(f"{raw!r} is none of {', '.join(values)}")
        return raw

    return cast


# --- What nobody but this machine reaches ----------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Whether a name of ALLOWED_HOSTS or of an address leads to this machine and nowhere else."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_is_loopback(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")


# --- The key ---------------------------------------------------------------------------------------------------------

KEY_CHARACTERS = 32
# Keys that stand, or have stood, in a file that everybody can read. A test looks for others.
PUBLISHED_KEYS = {
    "development-only-key-known-to-everybody-who-reads-this",
    "collectstatic-signs-nothing-so-any-text-will-do",
}
# Fewer different characters than any random key has: `tests-tests-tests-…`, `changeme` over and over.
KEY_DIFFERENT_CHARACTERS = 12


def is_published(key: str) -> bool:
    """Whether the key is one that others know, or is no random one at all."""
    return (
        key in PUBLISHED_KEYS
        or key.startswith(("django-insecure-", "development-only"))
        or len(set(key)) < KEY_DIFFERENT_CHARACTERS
    )


def secret_key(*, on_loopback: bool, data_dir: Path) -> str:
    """SECRET_KEY. Where nobody but this machine comes, a missing one is made and kept, and a poor one does."""
    key = os.environ.get("SECRET_KEY", "").strip()
    if not key:
        if not on_loopback:
            raise ConfigurationError("SECRET_KEY", "is missing. See .env.example.")
        return kept_key(data_dir / "secret_key")
    if len(key) < KEY_CHARACTERS:
        if not on_loopback:
            raise ConfigurationError("SECRET_KEY", "is too short: use 50 random characters")
        warn("SECRET_KEY is too short for anything but this machine: use 50 random characters")
    elif is_published(key) and not on_loopback:
        raise ConfigurationError("SECRET_KEY", "is known to everybody, or not random: use 50 random characters")
    return key


def kept_key(file: Path) -> str:
    """The key in the file, made by whichever process comes first; the others find it whole."""
    try:
        if not file.exists():
            with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix="secret_key.", delete=False) as draft:
                draft.write(secrets.token_urlsafe(50))
            try:
                os.link(draft.name, file)  # unlike a renaming, it fails if another process was faster
            except FileExistsError:
                pass
            finally:
                Path(draft.name).unlink()
        key = file.read_text().strip()
    except OSError as error:
        raise ConfigurationError("SECRET_KEY", f"is missing, and none can be kept in DATA_DIR: {error}") from None
    if len(key) < KEY_CHARACTERS:
        raise ConfigurationError("SECRET_KEY", f"in {file} is too short: delete the file, and another is made")
    return key
