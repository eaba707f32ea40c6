"""Handing letters over to a mail server, what servers mean by their refusals, and the backend of an installation that
has no SMTP server."""

import email
import logging
import smtplib
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import Message
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address

from common.ids import new_id

logger = logging.getLogger(__name__)


class FileBackend(BaseEmailBackend):
    """Writes each letter, as the raw message, to a file of its own in `EMAIL_FILE_PATH`, and a line to the console."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{new_id()}.eml"
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(message.message().as_bytes())
            unfinished.rename(path)
            logger.info("Letter to %s: %s (%s)", ", ".join(message.recipients()), message.subject, path)
        return len(email_messages)


def is_refused_for_good(error: Exception) -> bool:
    """5yz replies are final, 4yz are not (RFC 5321, 4.2.1). An address that no message can carry is final, too."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A message that is written out already, to one recipient.

    Lines of `raw` end in CRLF; `address` is the recipient's as SMTP carries it: ASCII without a line break.
    """

    address: str
    raw: bytes
    sender: str

    def email_message(self) -> EmailMessage:
        """For backends that hand messages over in a way of their own."""
        written = email.message_from_bytes(self.raw, policy=policy.default)
        message = _WrittenOut(str(written["Subject"]), "", self.sender, [self.address])
        message.raw = self.raw
        for part in written.walk():
            if part.get_content_type() == "text/plain":
                message.body = part.get_content().replace("\r\n", "\n")
            elif not part.is_multipart():
                message.attach_alternative(part.get_content().replace("\r\n", "\n"), part.get_content_type())
        message.extra_headers = {
            name: str(value)
            for name, value in written.items()
            if name in ("Date", "Message-ID") or name.startswith(("Auto-", "List-"))
        }
        return message


class _WrittenOut(EmailMultiAlternatives):
    raw = b""

    def message(self, *, policy: Any = None) -> Any:
        return _Raw(self.raw)


class _Raw(Message):
    """All that mail backends ask a message for."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:  # type: ignore[override]
        return self.raw if linesep == "\r\n" else self.raw.replace(b"\r\n", linesep.encode())


# What a server says to MAIL of one letter: too little room for it, or too large. Anything else is about us.
TOO_LARGE = (452, 552)

Outcome = tuple[Letter, Exception | None]


def hand_over(letters: Sequence[Letter], mail: Any) -> Generator[Outcome, None, None]:
    """Each letter with what the server says of it: its refusal, or None if it was taken. `mail` is an open connection.

    A letter is handed over when its outcome is asked for: whoever notes each outcome before asking for the next has one
    letter at most in hand of which nothing is noted. Raises OSError or SMTPException when the server itself is away.
    """
    server = getattr(mail, "connection", None)
    if isinstance(server, smtplib.SMTP):
        server.ehlo_or_helo_if_needed()
        if server.has_extn("pipelining"):
            return _pipelined(letters, server)
    return _one_by_one(letters, mail)


def _one_by_one(letters: Sequence[Letter], mail: Any) -> Generator[Outcome, None, None]:
    for letter in letters:
        try:
            mail.send_messages([letter.email_message()])
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as refusal:
            yield letter, refusal
        except smtplib.SMTPSenderRefused as refusal:
            if refusal.smtp_code not in TOO_LARGE:
                raise
            yield letter, refusal
        else:
            yield letter, None


def _pipelined(letters: Sequence[Letter], server: smtplib.SMTP) -> Generator[Outcome, None, None]:
    """A letter's body goes out in one packet with MAIL, RCPT and DATA of the next (RFC 2920)."""
    # All at once: what is computed between two answers finds the processor's caches cold, and takes five times as long.
    envelopes = [*(_envelope(letter, server) for letter in letters), b""]
    packets = [_body(letter) + following for letter, following in zip(letters, envelopes[1:], strict=True)]
    try:
        server.send(envelopes[0])
        for number, letter in enumerate(letters):
            refusal = _refused_envelope(letter, server)
            if refusal is None:
                server.send(packets[number])
                yield letter, _refused_body(server)
            else:
                yield letter, refusal
                server.send(envelopes[number + 1])
    except BaseException:
        server.close()  # it may wait for a body, where whatever is said is part of it
        raise


def _envelope(letter: Letter, server: smtplib.SMTP) -> bytes:
    size = f" SIZE={len(letter.raw)}" if server.has_extn("size") else ""
    return f"MAIL FROM:<{_sender(letter.sender)}>{size}\r\nRCPT TO:<{letter.address}>\r\nDATA\r\n".encode("ascii")


def _body(letter: Letter) -> bytes:
    return letter.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _refused_envelope(letter: Letter, server: smtplib.SMTP) -> Exception | None:
    """Reads the answers to the envelope. After None the server waits for the body."""
    code, text = _answer(server)
    if code in TOO_LARGE:
        _answer(server)  # to the recipient
        return _start_anew(smtplib.SMTPDataError(code, text), code, server)
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, text, letter.sender)
    code, text = _answer(server)
    if code not in (250, 251):
        return _start_anew(smtplib.SMTPRecipientsRefused({letter.address: (code, text)}), code, server)
    code, text = _answer(server)
    if code != 354:
        return _start_anew(smtplib.SMTPDataError(code, text), code, server, is_data_answered=True)
    return None


def _refused_body(server: smtplib.SMTP) -> Exception | None:
    """Reads the answer to the body, which ends the letter's transaction, whatever it is (RFC 5321, 4.1.1.4)."""
    code, text = _answer(server)
    if code == 421:
        server.close()  # as it does
    return None if code == 250 else smtplib.SMTPDataError(code, text)


def _answer(server: smtplib.SMTP) -> tuple[int, bytes]:
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("The server has said goodbye.")
    return server.getreply()


def _start_anew(refusal: Exception, code: int, server: smtplib.SMTP, *, is_data_answered: bool = False) -> Exception:
    """What the server has said of this letter counts, whatever becomes of the connection."""
    with suppress(smtplib.SMTPServerDisconnected):
        if code == 421:
            server.close()  # as it does
        else:
            if not is_data_answered and server.getreply()[0] == 354:
                server.send(".\r\n")  # a body for nobody
                server.getreply()
            server.rset()
    return refusal


@lru_cache(maxsize=16)
def _sender(sender: str) -> str:
    """`a@b.c` of `Name <a@b.c>`."""
    return smtplib.quoteaddr(sanitize_address(sender, settings.DEFAULT_CHARSET))[1:-1]
