"""Handing letters over with pipelining, to servers that answer in every way that they may."""

import smtplib
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from common.mail import Letter, hand_over, is_refused_for_good

ENVELOPE = ("250 ok", "250 ok", "354 go on")


class Script:
    """A server that gives these answers, in turn, to what asks for one, and notes what it has read."""

    def __init__(self, answers):
        self.answers = iter(["220 here", "250-here\r\n250-SIZE 1000\r\n250 PIPELINING", *answers])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lines = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        client, _address = self.listener.accept()
        with client, client.makefile("rb") as received, suppress(ConnectionError):
            answer = next(self.answers)
            while True:
                client.sendall(f"{answer}\r\n".encode())
                in_body = answer.startswith("354")
                while (line := received.readline()) and in_body and line != b".\r\n":
                    self.lines.append(line.decode().strip())
                self.lines.append(line.decode().strip())
                answer = next(self.answers, None)
                if not line or answer is None:
                    return


@pytest.fixture
def deliver():
    """What became of the letters, what the server has read, and the error in which it ended."""
    scripts = []

    def deliver(*answers, letters=2):
        script = Script(answers)
        scripts.append(script)
        outcomes, error = [], None
        raw = b"Subject: x\r\n\r\n.dot\r\n"
        waiting = [Letter(f"{number}@test.io", raw, "A <a@test.io>") for number in range(1, letters + 1)]
        with smtplib.SMTP("127.0.0.1", script.port, timeout=5) as server:
            try:
                for letter, refusal in hand_over(waiting, SimpleNamespace(connection=server)):
                    outcomes.append((letter.address, refusal))
            except smtplib.SMTPException as raised:
                error = raised
            server.close()
        script.thread.join(timeout=5)
        return outcomes, script.lines, error

    yield deliver
    for script in scripts:
        script.listener.close()


def envelope(number):
    return ["MAIL FROM:<a@test.io> SIZE=20", f"RCPT TO:<{number}@test.io>", "DATA"]


BODY = ["Subject: x", "", "..dot", "."]


def test_two_letters(deliver):
    outcomes, lines, error = deliver(*ENVELOPE, "250 taken", *ENVELOPE, "250 taken", "221 bye")

    assert (outcomes, error) == ([("1@test.io", None), ("2@test.io", None)], None)
    assert lines[1:-1] == [*envelope(1), *BODY, *envelope(2), *BODY]


@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["250 ok", "{} no", "503 nobody to write to", "250 anew"], [*envelope(1), "rset"]),
        (["250 ok", "{} no", "354 go on", "554 nobody", "250 anew"], [*envelope(1), ".", "rset"]),
        (["250 ok", "250 ok", "{} no", "250 anew"], [*envelope(1), "rset"]),
        (["250 ok", "250 ok", "354 go on", "{} no"], [*envelope(1), *BODY]),
    ],
    ids=["recipient", "recipient, but not its body", "body before it was sent", "body"],
)
def test_what_is_refused_does_not_hold_up_the_next(deliver, code, answers, said):
    answers = [answer.format(code) for answer in answers]

    outcomes, lines, error = deliver(*answers, *ENVELOPE, "250 taken", "221 bye")

    (_, refusal), (_, second) = outcomes
    assert is_refused_for_good(refusal) is (code == 550)
    assert "no" in str(refusal)
    assert (second, error) == (None, None)
    assert lines[1:-1] == [*said, *envelope(2), *BODY]


@pytest.mark.parametrize("answers", [["250 ok", "421 no"], ["250 ok", "250 ok", "421 no"], [*ENVELOPE, "421 no"]])
def test_a_refusal_that_ends_the_connection_counts(deliver, answers):
    outcomes, _lines, error = deliver(*answers)

    ((_, refusal),) = outcomes
    assert is_refused_for_good(refusal) is False
    assert isinstance(error, smtplib.SMTPServerDisconnected)


@pytest.mark.parametrize("answers", [["550 not you", "503 no", "503 no"], ["550 not you", "250 ok", "354 go on"]])
def test_a_refused_sender_is_no_fault_of_the_letter(deliver, answers):
    outcomes, lines, error = deliver(*answers)

    assert outcomes == []
    assert isinstance(error, smtplib.SMTPSenderRefused)
    assert lines[1:4] == envelope(1)


@pytest.mark.parametrize("rest", [["503 no", "503 no"], ["503 no", "354 go on", "554 nobody"]])
@pytest.mark.parametrize(("code", "for_good"), [(452, False), (552, True)])
def test_a_letter_that_is_too_large_does_not_hold_up_the_next(deliver, code, for_good, rest):
    outcomes, lines, error = deliver(f"{code} too large", *rest, "250 anew", *ENVELOPE, "250 taken", "221 bye")

    (_, refusal), (_, second) = outcomes
    assert is_refused_for_good(refusal) is for_good
    assert (second, error) == (None, None)
    assert lines[-5:-1] == BODY


def test_a_letter_that_was_taken_counts_when_the_next_finds_nobody(deliver):
    outcomes, _lines, error = deliver(*ENVELOPE, "250 taken")

    assert outcomes == [("1@test.io", None)]
    assert isinstance(error, smtplib.SMTPServerDisconnected)


def test_the_next_body_waits_until_the_one_before_is_noted():
    script = Script([*ENVELOPE, "250 taken", *ENVELOPE, "250 taken", "221 bye"])
    letters = [Letter(f"{n}@test.io", b"x\r\n", "a@test.io") for n in (1, 2)]
    with smtplib.SMTP("127.0.0.1", script.port, timeout=5) as server:
        outcomes = hand_over(letters, SimpleNamespace(connection=server))
        next(outcomes)
        seen = script.lines.count(".")
        outcomes.close()  # an envelope is open: no QUIT may become the body of a letter

    script.thread.join(timeout=5)
    script.listener.close()
    assert seen == script.lines.count(".") == 1
