"""A browser without redirects, a webhook receiver, and waiting with a deadline."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

SECRET = "whsec_test"
GOOD, DECLINED, NO_FUNDS, ASKING = (
    "4242424242424242",
    "4000000000000002",
    "4000000000009995",
    "4000002500003155",
)


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def browse(
    url: str, fields: dict[str, Any] | None = None, *, method: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """GET, or POST of a form; redirects are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    body = None if fields is None else urlencode(fields)
    sent = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent | (headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


def wait_until(condition: Callable[[], Any], seconds: float = 5) -> Any:
    """The condition's first true value. Fails the test when the deadline passes without one."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.01)
    return value


class Receiver:
    """Takes webhooks, and answers with the next of `statuses`, or 200 when there is none left."""

    def __init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver.received.append((dict(self.headers), body, status))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.lock = threading.Lock()
        self.statuses: list[int] = []
        self.received: list[tuple[dict[str, str], bytes, int]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/webhook/?from=stripe"

    def types(self) -> list[str]:
        """Of the events taken with 200, in the order of arrival."""
        with self.lock:
            return [json.loads(body)["type"] for _, body, status in self.received if status == 200]

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
