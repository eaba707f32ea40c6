"""The ASGI entry point, `config.asgi:application`: the WSGI application for servers that clients reach directly.

A WSGI server gives each request to one of a few threads, which waits for the client's body, however slowly it comes: as
many slow clients as there are threads stop it. Here the event loop waits, within a deadline; a thread is taken once the
request is whole, and is free again before the answer is sent. Behind a proxy that buffers requests, such as nginx,
nobody is slow, and `config.wsgi` is the faster one.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from config import wsgi

with contextlib.suppress(ImportError):
    import resource  # POSIX has it

    # Connections are open files: 1,024, the usual limit, are soon held by clients that send nothing.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

THREADS = 8  # each keeps a database connection
IN_MEMORY_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
# What a client has for its body: some seconds, and more of them as long as it sends fast enough.
FIRST_SECONDS = 15
BYTES_PER_SECOND = 16 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
# Status, headers, and what the body is read from.
Answer = tuple[int, list[tuple[bytes, bytes]], Any]

pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web")


class TooSlowError(Exception):
    """The body did not arrive in time."""


class GoneError(Exception):
    """The client went away before the body was whole."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    loop = asyncio.get_running_loop()
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as body:
        environ = _environ(scope)
        run: Callable = wsgi.application
        if "CONTENT_LENGTH" in environ or environ.pop("HTTP_TRANSFER_ENCODING", ""):
            try:
                environ["CONTENT_LENGTH"] = str(await _read(receive, body))
            except TooSlowError:
                run = wsgi.refuse_slow_body
            except GoneError:
                return
        environ["wsgi.input"] = body
        status, headers, answer = await loop.run_in_executor(pool, _answer, run, environ)
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if isinstance(answer, bytes):
            await send({"type": "http.response.body", "body": answer})
            return
        while chunk := await loop.run_in_executor(None, answer.read, CHUNK_BYTES):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        if not isinstance(answer, bytes):
            await loop.run_in_executor(None, answer.close)


async def _live(receive: Receive, send: Send) -> None:
    kind = ""
    while kind != "shutdown":
        kind = (await receive())["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{kind}.complete"})


async def _read(receive: Receive, body: Any) -> int:
    """Writes the body into the file, and says how long it is. What is longer than anything that we take is cut."""
    began, received, is_whole = time.monotonic(), 0, False
    while not is_whole and received <= wsgi.BODY_MAX_BYTES:
        try:
            async with asyncio.timeout(FIRST_SECONDS + received / BYTES_PER_SECOND - (time.monotonic() - began)):
                message = await receive()
        except TimeoutError:
            raise TooSlowError from None
        if message["type"] == "http.disconnect":
            raise GoneError
        received += body.write(message.get("body", b""))
        is_whole = not message.get("more_body", False)
    body.seek(0)
    return received


def _environ(scope: Scope) -> dict[str, Any]:
    """The request without its body, as WSGI has it."""
    path = unquote_to_bytes(scope["raw_path"].partition(b"?")[0]) if scope.get("raw_path") else scope["path"].encode()
    server = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:  # else `X_Forwarded_For` would be taken for the header that a proxy writes
            continue
        name = name.upper().replace("-", "_")
        key = name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
        environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}" if key in environ else value
    return environ


def _answer(run: Callable, environ: dict[str, Any]) -> Answer:
    """Runs in a thread. What is made as it is sent is made whole here: no slow reader keeps the thread."""
    started: list[Any] = []
    response = run(environ, lambda status, headers, exc_info=None: started.extend((status, headers)))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in started[1]]
    status = int(started[0][:3])
    if isinstance(response, FileWrapper):
        return status, headers, response.filelike  # its `close` is the response's
    try:
        if not getattr(response, "streaming", False):
            return status, headers, b"".join(response)
        file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed when it has been sent
        file.writelines(response)
        file.seek(0)
        return status, headers, file
    finally:
        if hasattr(response, "close"):
            response.close()
