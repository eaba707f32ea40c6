"""The load: a few keep-alive connections, each of which sends its next request once it has read the last answer.

`wrk` does it, with bench/load.lua, or a client of our own in a process of its own (one thread, epoll, no HTTP library):
`python -m bench.load` reads what to do as JSON from its standard input and writes what happened as JSON. Both check
every answer's status and every read's length.
"""

import json
import math
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LONGEST = 1 << 20
STALLED_AFTER = 15


def default_tool() -> str:
    return "wrk" if shutil.which("wrk") else "own"


def put(*, tool: str, **asked: Any) -> dict[str, Any]:
    """Reads `path` for `seconds`, with one of `writes`, in turn, after every `reads_per_write` reads.

    `asked` are the arguments of `run`. `rate` counts reads alone, `client_cores` is what the load itself took.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = _wrk(**asked) if tool == "wrk" else _own(**asked)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen = json.loads(output)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**seen, "client_cores": round(cpu / seen["seconds"], 3)}


def _own(**asked: Any) -> str:
    return _run([sys.executable, "-m", "bench.load"], dict(os.environ), json.dumps(asked))


def _wrk(
    *,
    port: int,
    path: str,
    token: str,
    length: int | None,
    seconds: float,
    connections: int,
    writes: Sequence[dict[str, str]] = (),
    reads_per_write: int = 1,
) -> str:
    environment = dict(os.environ) | {
        "LOAD_TOKEN": token,
        "LOAD_LENGTH": str(length or ""),
        "LOAD_WRITES": "\n".join("\t".join((one["path"], one["token"], one["body"])) for one in writes),
        "LOAD_READS_PER_WRITE": str(reads_per_write),
    }
    script = Path(__file__).with_suffix(".lua")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "-s", str(script)]
    return _run([*command, f"http://127.0.0.1:{port}{path}"], environment).rstrip().rpartition("\n")[2]


def _run(command: list[str], environment: dict[str, str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(LONGEST)
        self.view = memoryview(self.buffer)
        self.is_write = False

    def send(self, request: bytes, *, is_write: bool) -> None:
        self.is_write = is_write
        self.filled = self.header = self.length = 0
        self.is_chunked = False
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Reads what has come; whether that completes the answer."""
        count = self.socket.recv_into(self.view[self.filled :])
        if not count:
            raise ConnectionError("the server has closed a connection")
        self.filled += count
        if not self.header:
            end = self.buffer.find(b"\r\n\r\n", 0, self.filled)
            if end < 0:
                return False
            self.header = end + 4
            self._read_header(bytes(self.view[:end]).lower())
        if self.is_chunked:
            return self.buffer.endswith(b"0\r\n\r\n", 0, self.filled)
        return self.filled >= self.header + self.length

    def _read_header(self, header: bytes) -> None:
        self.status = int(header[9:12])
        at = header.find(b"\r\ncontent-length:")
        self.is_chunked = at < 0
        if at >= 0:
            self.length = int(header[at + 17 :].split(b"\r\n", 1)[0])


def request(method: str, path: str, port: int, token: str, body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", body]).encode() if body else "\r\n".join([*lines, "", ""]).encode()


def run(
    *,
    port: int,
    path: str,
    token: str,
    length: int | None,
    seconds: float,
    connections: int,
    writes: Sequence[dict[str, str]] = (),
    reads_per_write: int = 1,
) -> dict[str, Any]:
    """Our own client. A write has a `path`, a `token` and a `body`; it is a PATCH."""
    read = request("GET", path, port, token)
    prepared = [request("PATCH", write["path"], port, write["token"], write["body"]) for write in writes]
    clients = {client.socket.fileno(): client for client in (Connection(port) for _ in range(connections))}
    poll = select.epoll()
    for number in clients:
        poll.register(number, select.EPOLLIN)
    sent = written = wrong = 0
    latencies: list[float] = []
    write_latencies: list[float] = []
    start = time.perf_counter()
    stop = start + seconds
    for client in clients.values():
        client.send(read, is_write=False)
        sent += 1
    open_requests = len(clients)
    while open_requests:
        events = poll.poll(STALLED_AFTER)
        if not events:
            raise TimeoutError("no answer")
        for number, _ in events:
            client = clients[number]
            if not client.receive():
                continue
            now = time.perf_counter()
            (write_latencies if client.is_write else latencies).append(now - client.sent_at)
            right_length = client.is_write or client.is_chunked or length in {None, client.length}
            wrong += client.status != 200 or not right_length
            open_requests -= 1
            if now >= stop:
                continue
            is_write = bool(prepared) and sent >= (written + 1) * reads_per_write
            if is_write:
                client.send(prepared[written % len(prepared)], is_write=True)
                written += 1
            else:
                client.send(read, is_write=False)
                sent += 1
            open_requests += 1
    elapsed = time.perf_counter() - start
    return {
        "seconds": elapsed,
        "reads": len(latencies),
        "writes": len(write_latencies),
        "wrong": wrong,
        "rate": len(latencies) / elapsed,
        "p50_ms": _quantile(latencies, 0.5),
        "p99_ms": _quantile(latencies, 0.99),
        "write_p50_ms": _quantile(write_latencies, 0.5),
    }


def _quantile(values: list[float], share: float) -> float | None:
    return round(sorted(values)[int(share * (len(values) - 1))] * 1000, 3) if values else None


if __name__ == "__main__":
    json.dump(run(**json.load(sys.stdin)), sys.stdout)
