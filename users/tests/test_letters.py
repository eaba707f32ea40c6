import email
import smtplib
import socket
from collections import Counter
from datetime import timedelta
from email import policy
from pathlib import Path

import pytest
import time_machine
from aiosmtpd.controller import Controller
from django.core import mail
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import services, tasks
from users.models import Notification
from users.tests.factories import NotificationFactory, UserFactory

pytestmark = pytest.mark.django_db

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def later(**spans):
    return time_machine.travel(timezone.now() + timedelta(**spans))


# --- What a letter says ----------------------------------------------------------------------------------------------


def test_a_letter_is_sent(mailoutbox):
    letter = NotificationFactory(subject="Привет", message="Курс обновлён", recipient__email="anna@test.io")

    sent = tasks.send_pending_emails()

    assert sent == 1
    assert [(m.subject, m.body, m.to) for m in mailoutbox] == [("Привет", "Курс обновлён", ["anna@test.io"])]
    letter.refresh_from_db()
    assert (letter.email_status, letter.email_attempts, letter.email_error) == ("sent", 1, "")
    assert letter.email_sent_at is not None


def test_a_letter_is_sent_once(mailoutbox):
    NotificationFactory()
    for _ in range(2):
        tasks.send_pending_emails()

    assert len(mailoutbox) == 1


def test_the_link_ends_the_letter(mailoutbox):
    NotificationFactory(message="Look", url="https://lyceum.test/courses/1")

    tasks.send_pending_emails()

    assert mailoutbox[0].body == "Look\n\nhttps://lyceum.test/courses/1"


@pytest.mark.parametrize("subject", ["One\nBcc: evil@test.io", "One\r\n\r\nBody", "One\n"])
def test_a_subject_is_one_line(mailoutbox, subject):
    NotificationFactory(subject=subject)

    tasks.send_pending_emails()

    message = email.message_from_bytes(mailoutbox[0].message().as_bytes(), policy=policy.default)
    assert message["Subject"] == " ".join(subject.split())
    assert message["Bcc"] is None


def test_headers(mailoutbox, settings):
    settings.DEFAULT_FROM_EMAIL = "Lyceum <noreply@lyceum.test>"
    letter = NotificationFactory()

    tasks.send_pending_emails()

    message = mailoutbox[0].message()
    assert message["Message-ID"] == f"<{letter.pk}@lyceum.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "Lyceum <noreply@lyceum.test>"


@pytest.mark.parametrize("status", ["none", "sent", "failed"])
def test_nothing_else_is_sent(mailoutbox, status):
    NotificationFactory(email_status=status)

    sent = tasks.send_pending_emails()

    assert (sent, mailoutbox) == (0, [])


def test_the_oldest_goes_first(mailoutbox):
    for days in (1, 3, 2):
        with time_machine.travel(timezone.now() - timedelta(days=days)):
            NotificationFactory(subject=str(days))

    tasks.send_pending_emails()

    assert [m.subject for m in mailoutbox] == ["3", "2", "1"]


def test_many_letters_go_in_chunks(mailoutbox, monkeypatch):
    monkeypatch.setattr(services, "LETTERS_PER_CONNECTION", 2)
    NotificationFactory.create_batch(5)

    sent = tasks.send_pending_emails()

    assert sent == len(mailoutbox) == 5


def test_notifying_twice_writes_one_letter(django_capture_on_commit_callbacks):
    user = UserFactory()

    def notification():
        return Notification(recipient=user, kind="announcement", subject="S", message="M", dedup_key="one")

    for _ in range(2):
        services.notify([notification()])

    assert Notification.objects.count() == 1


# --- Leases ----------------------------------------------------------------------------------------------------------


def test_a_leased_letter_waits_for_its_sender(mailoutbox):
    NotificationFactory(email_leased_until=timezone.now() + timedelta(seconds=30))

    sent = tasks.send_pending_emails()

    assert (sent, mailoutbox) == (0, [])


def test_a_lease_that_ran_out_is_taken_over(mailoutbox):
    letter = NotificationFactory()
    services._lease_letters()  # and the worker was killed
    with later(minutes=2, seconds=1):
        tasks.send_pending_emails()

    letter.refresh_from_db()
    assert letter.email_status == "sent"
    assert len(mailoutbox) == 1


def test_who_was_too_slow_does_not_send_what_another_took(mailoutbox):
    NotificationFactory()
    mine = services._lease_letters()
    with later(minutes=3):
        tasks.send_pending_emails()

        sent = services._send_one(mine[0], mail.get_connection())

    assert sent == 0
    assert len(mailoutbox) == 1


def test_message_id_stays_when_a_letter_is_repeated(mailoutbox):
    letter = NotificationFactory()
    tasks.send_pending_emails()
    Notification.objects.update(email_status="pending", email_leased_until=None)  # killed before it was noted

    tasks.send_pending_emails()

    assert len(mailoutbox) == 2
    assert {m.message()["Message-ID"] for m in mailoutbox} == {f"<{letter.pk}@example.com>"}


# --- A real server ---------------------------------------------------------------------------------------------------


class Server:
    """Takes letters, and refuses those to an address that says so: `550@test.io`."""

    def __init__(self):
        self.letters = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        code = address.partition("@")[0]
        if code.isdecimal():
            return f"{code} not this one"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("refused"):
            return "550 not from you"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        if message["Subject"].isdecimal():
            return f"{message['Subject']} not this one"
        self.letters.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture
def server(settings):
    handler = Server()
    with socket.socket() as probe:  # the library connects to the port that it was told, so 0 will not do
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_PORT = controller.server.sockets[0].getsockname()
    yield handler
    controller.stop()


def test_letters_arrive(server):
    letter = NotificationFactory(subject="Привет", message="Курс обновлён\n.\nтак", recipient__email="anna@test.io")

    sent = tasks.send_pending_emails()

    assert sent == 1
    ((recipients, message),) = server.letters
    assert recipients == ["anna@test.io"]
    assert message["Subject"] == "Привет"
    assert message["Message-ID"] == f"<{letter.pk}@example.com>"
    assert message.get_content().rstrip().splitlines() == ["Курс обновлён", ".", "так"]


@pytest.mark.parametrize("refused", [{"recipient__email": "550@test.io"}, {"subject": "554"}])
def test_a_permanent_refusal_is_final(server, refused):
    letter = NotificationFactory(**refused)

    sent = tasks.send_pending_emails()

    letter.refresh_from_db()
    assert (sent, letter.email_status, letter.email_attempts) == (0, "failed", 1)
    assert "not this one" in letter.email_error


@pytest.mark.parametrize("refused", [{"recipient__email": "451@test.io"}, {"subject": "452"}])
def test_a_transient_refusal_waits(server, refused):
    letter = NotificationFactory(**refused)
    for _ in range(2):
        tasks.send_pending_emails()

    letter.refresh_from_db()
    assert (letter.email_status, letter.email_attempts) == ("pending", 1)
    assert "not this one" in letter.email_error


def test_a_transient_refusal_is_tried_again(server):
    letter = NotificationFactory(recipient__email="451@test.io")
    tasks.send_pending_emails()
    letter.recipient.email = "anna@test.io"
    letter.recipient.save()

    with later(minutes=5):
        tasks.send_pending_emails()

    letter.refresh_from_db()
    assert (letter.email_status, letter.email_attempts, letter.email_error) == ("sent", 2, "")


def test_refusals_for_a_day_lose_nothing(server):
    """Grey lists and full mailboxes last for hours."""
    letter = NotificationFactory(recipient__email="451@test.io")
    for minutes in range(0, 24 * 60, 10):
        with later(minutes=minutes):
            tasks.send_pending_emails()

    letter.refresh_from_db()
    assert letter.email_status == "pending"
    assert letter.email_attempts < Notification.MAX_ATTEMPTS


def test_refusals_without_end_are_given_up(server):
    letter = NotificationFactory(recipient__email="451@test.io")
    for days in range(Notification.MAX_ATTEMPTS):
        with later(days=days):
            tasks.send_pending_emails()

    letter.refresh_from_db()
    assert (letter.email_status, letter.email_attempts) == ("failed", Notification.MAX_ATTEMPTS)


@pytest.mark.parametrize("address", ["550@test.io", "451@test.io", "421@test.io", "a@" + "x" * 70 + ".рф"])
def test_a_refused_letter_does_not_hold_up_the_others(server, address):
    NotificationFactory(recipient__email=address)
    letters = NotificationFactory.create_batch(3)
    for minutes in (0, 3):
        with later(minutes=minutes):
            tasks.send_pending_emails()

    assert {message["Message-ID"] for _to, message in server.letters} == {
        f"<{each.pk}@example.com>" for each in letters
    }
    assert len(server.letters) == 3


def test_an_address_that_no_letter_can_carry_is_final(server):
    letter = NotificationFactory(recipient__email="no\naddress@test.io")

    tasks.send_pending_emails()

    letter.refresh_from_db()
    assert letter.email_status == "failed"


def test_a_refused_sender_loses_nothing(server, settings):
    """That is a fault of the settings, not of the letter."""
    settings.DEFAULT_FROM_EMAIL = "refused@test.io"
    NotificationFactory.create_batch(3)

    sent = tasks.send_pending_emails()

    assert sent == 0
    assert Notification.objects.to_send().count() == 3


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_server_that_is_down_loses_nothing(settings):
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port()
    NotificationFactory.create_batch(3)

    sent = tasks.send_pending_emails()

    assert sent == 0
    assert Notification.objects.to_send().count() == 3
    assert set(Notification.objects.values_list("email_attempts", flat=True)) == {0}


def test_a_server_that_breaks_off_loses_nothing(server, monkeypatch):
    letters = NotificationFactory.create_batch(4)
    sendmail = smtplib.SMTP.sendmail

    def break_off(self, *args, **kwargs):
        if len(server.letters) == 2:
            self.close()
            raise smtplib.SMTPServerDisconnected("gone")
        return sendmail(self, *args, **kwargs)

    monkeypatch.setattr(smtplib.SMTP, "sendmail", break_off)
    tasks.send_pending_emails()
    monkeypatch.undo()

    tasks.send_pending_emails()

    received = Counter(message["Message-ID"] for _to, message in server.letters)
    assert received == Counter(f"<{letter.pk}@example.com>" for letter in letters)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_each_letter_once(server, monkeypatch):
    monkeypatch.setattr(services, "LETTERS_PER_CONNECTION", 5)
    letters = NotificationFactory.create_batch(40)

    sent = at_once(4, lambda number: tasks.send_pending_emails())

    received = Counter(message["Message-ID"] for _to, message in server.letters)
    assert received == Counter(f"<{letter.pk}@example.com>" for letter in letters)
    assert sum(sent) == 40


# --- Without a server ------------------------------------------------------------------------------------------------


def test_files_hold_raw_messages(settings, tmp_path):
    settings.EMAIL_BACKEND = "common.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    letter = NotificationFactory(subject="Привет", message="Курс обновлён", recipient__email="anna@test.io")

    tasks.send_pending_emails()

    (path,) = Path(settings.EMAIL_FILE_PATH).iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert path.suffix == ".eml"
    assert (message["To"], message["Subject"]) == ("anna@test.io", "Привет")
    assert message["Message-ID"] == f"<{letter.pk}@example.com>"
    assert message.get_content().strip() == "Курс обновлён"


def test_each_letter_has_a_file_of_its_own(settings, tmp_path):
    settings.EMAIL_BACKEND = "common.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    NotificationFactory.create_batch(3)

    tasks.send_pending_emails()

    assert len(list(Path(settings.EMAIL_FILE_PATH).iterdir())) == 3
