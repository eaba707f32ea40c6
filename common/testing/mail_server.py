"""A mail server that tests run in a thread of their own."""

import email
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class MailServer:
    """Takes letters, and refuses those to an address that says so: `550@test.io`."""

    def __init__(self) -> None:
        self.host, self.port = "127.0.0.1", 0
        self.letters: list[tuple[list[str], EmailMessage]] = []
        self.extensions: list[str] = []
        self.on_letter: Callable[[int], Any] = lambda number: None

    @property
    def received(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(message["Message-ID"] for _to, message in self.letters)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*self.extensions, *responses]

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        code = address.partition("@")[0]
        if code.isdecimal():
            return f"{code} not this one"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("refused"):
            return "550 not from you"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        if message["Subject"].isdecimal():
            return f"{message['Subject']} not this one"
        self.letters.append((envelope.rcpt_tos, message))  # type: ignore[arg-type]
        self.on_letter(len(self.letters))
        return "250 OK"


@contextmanager
def mail_server(*extensions: str) -> Iterator[MailServer]:
    """`extensions` are announced beside its own: `PIPELINING`."""
    handler = MailServer()
    handler.extensions = [f"250-{extension}" for extension in extensions]
    handler.port = free_port()  # the library connects to the port that it was told, so 0 will not do
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # a dozen lines a letter
    controller = Controller(handler, hostname=handler.host, port=handler.port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
