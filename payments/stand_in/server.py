"""The HTTP server of the stand-in, and the threads around it."""

import contextlib
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from . import checkout, control, hosted
from .api import Api
from .errors import ApiError
from .store import Store
from .webhooks import Webhooks
from .wire import Request, Response, as_json

log = logging.getLogger(__name__)

LARGEST_BODY = 2 * 1024 * 1024
# How often due sessions are expired and changes written, in seconds.
TICK = 0.4
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class StandIn:
    """Stripe's API, its payment page and its webhooks, for one process and without a network.

        with StandIn(port=0, webhook_url=url, webhook_secret="whsec_x") as server:
            client = stripe.StripeClient("sk_test_x", base_addresses={"api": server.base})

    The port is bound when the object is made (OSError if it is taken); 0 takes a free one, see `base`. `public_base`
    is the address under which browsers reach the payment page, where that is another one than `base`.
    """

    def __init__(
        self,
        port: int = 12111,
        host: str = "127.0.0.1",
        webhook_url: str | None = None,
        webhook_secret: str = "",
        state_file: Path | None = None,
        public_base: str = "",
    ) -> None:
        self._http = _Server((host, port), _Handler)
        self.port: int = self._http.server_address[1]
        self._host = "127.0.0.1" if host in ANY_ADDRESS else host
        self.base = f"http://{self._host}:{self.port}"
        self.public_base = public_base.rstrip("/") or self.base
        self.store = Store(Webhooks(webhook_url or None, webhook_secret), state_file)
        self._stopping = threading.Event()
        self._http.stand_in = self
        self._api = Api(self.store, self.public_base, self._stopping)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.25,), name="stand-in", daemon=True),
            threading.Thread(target=self._keep_house, name="stand-in-house", daemon=True),
        ]

    def start(self) -> None:
        self.store.load()
        self.store.webhooks.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the port and every connection, and write the state. Safe to call twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.store.webhooks.stop()
        started = self._threads[0].ident is not None
        if started:
            self._end_serving()
        self._http.server_close()
        self._http.hang_up()
        if started:
            self._threads[1].join()
            self.store.save()

    def __enter__(self) -> "StandIn":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, request: Request) -> Response:
        """What a request gets. Raises nothing."""
        try:
            if request.path.startswith("/v1/"):
                return self._api.answer(request)
            if request.path.startswith(hosted.PREFIX) and request.method in ("GET", "POST"):
                return hosted.answer(self.store, request, self.public_base)
            if request.path.startswith(control.PREFIX):
                return control.answer(self.store, request)
            if request.path == "/healthz":
                return as_json({"status": "ok"})
            raise ApiError(
                f"Unrecognized request URL ({request.method}: {request.path}). Please see "
                "https://stripe.com/docs or we can help at https://support.stripe.com/.",
                status=404,
            )
        except ApiError as error:
            return as_json(error.body(), status=error.status)
        except Exception as error:
            log.exception("%s %s", request.method, request.path)
            return as_json({"error": {"type": "api_error", "message": f"The stand-in failed: {error}"}}, status=500)

    def _end_serving(self) -> None:
        """Serving looks for its end between two connections only: give it one, rather than poll often."""
        ending = threading.Thread(target=self._http.shutdown, daemon=True)
        ending.start()
        with contextlib.suppress(OSError):
            socket.create_connection((self._host, self.port), timeout=1).close()
        ending.join()

    def _keep_house(self) -> None:
        while not self._stopping.wait(TICK):
            with self.store.lock:
                checkout.expire_due(self.store)
            self.store.save()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stand_in: StandIn

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(*args)

    def server_bind(self) -> None:
        # The inherited one asks the resolver for the host's name, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open: their threads would go on answering."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are an everyday matter."""
        log.debug("connection from %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "StripeStandIn"
    sys_version = ""
    disable_nagle_algorithm = True
    # Buffered, so that an answer leaves in one piece.
    wbufsize = -1
    server: _Server

    def _handle(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(Response(413 if length > LARGEST_BODY else 400))
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        self._send(self.server.stand_in.answer(Request(self.command, path, query, headers, body)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names http.server wants

    def _send(self, response: Response) -> None:
        if response.silent:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.body:
            self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        if response.cut or self.close_connection:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body[: len(response.body) // 2] if response.cut else response.body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
