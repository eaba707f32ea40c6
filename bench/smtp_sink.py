"""A mail server that says yes to everything and keeps nothing: `python -m bench.smtp_sink` prints its port.

A thread for each connection. PIPELINING as in RFC 2920: replies to what came together go out together. NOOP is answered
with the number of letters taken so far.
"""

import socket
import threading
from itertools import count

numbers = count(1)


class Sink:
    taken = 0


def serve(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"220 sink\r\n")
    pending, in_letter = b"", False
    while received := client.recv(1 << 18):
        pending += received
        replies = []
        while pending:
            if in_letter:
                _, end, rest = pending.partition(b"\r\n.\r\n")
                if not end:
                    break
                pending, in_letter = rest, False
                Sink.taken = next(numbers)
                replies.append(b"250 taken\r\n")
                continue
            line, end, rest = pending.partition(b"\r\n")
            if not end:
                break
            pending = rest
            command = line[:4].upper()
            in_letter = command == b"DATA"
            if command == b"QUIT":
                client.sendall(b"".join([*replies, b"221 bye\r\n"]))
                client.close()
                return
            replies.append(answer(command))
        if replies:
            client.sendall(b"".join(replies))


def answer(command: bytes) -> bytes:
    if command == b"EHLO":
        return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
    if command == b"DATA":
        return b"354 go on\r\n"
    return b"250 %d\r\n" % Sink.taken if command == b"NOOP" else b"250 ok\r\n"


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
