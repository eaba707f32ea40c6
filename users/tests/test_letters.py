import email
import re
import smtplib
from collections import Counter
from datetime import timedelta
from email import policy
from pathlib import Path

import factory
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from common.testing.databases import on_postgresql
from common.testing.mail_server import free_port, mail_server
from common.testing.threads import at_once
from users import delivery, leases, services, tasks
from users.letters import unsubscribe_token
from users.models import EmailLease, Notification
from users.tests.factories import NotificationFactory, UserFactory

pytestmark = pytest.mark.django_db

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def parsed(sent):
    """The message as a mail program reads it."""
    return email.message_from_bytes(sent.message().as_bytes(), policy=policy.default)


def text_of(message):
    return message.get_body(("plain",)).get_content()


def html_of(message):
    return message.get_body(("html",)).get_content()


def later(**spans):
    return time_machine.travel(timezone.now() + timedelta(**spans))


# --- What a letter says ----------------------------------------------------------------------------------------------


def test_a_letter_is_sent(mailoutbox):
    letter = NotificationFactory(subject="Привет", message="Курс обновлён", recipient__email="anna@test.io")

    sent = tasks.send_pending_emails()

    assert sent == 1
    (message,) = mailoutbox
    assert (message.subject, message.to) == ("Привет", ["anna@test.io"])
    assert message.body.startswith("Курс обновлён\n\n-- \n")
    letter.refresh_from_db()
    assert (letter.email_status, letter.email_attempts, letter.email_error) == ("sent", 1, "")
    assert letter.email_sent_at is not None


def test_a_letter_is_sent_once(mailoutbox):
    NotificationFactory()
    for _ in range(2):
        tasks.send_pending_emails()

    assert len(mailoutbox) == 1


def test_the_link_follows_the_text(mailoutbox):
    NotificationFactory(message="Look", url="https://lyceum.test/courses/1")

    tasks.send_pending_emails()

    assert mailoutbox[0].body.startswith("Look\n\nhttps://lyceum.test/courses/1\n\n-- \n")


@pytest.mark.parametrize("subject", ["One\nBcc: evil@test.io", "One\r\n\r\nBody", "One\n"])
def test_a_subject_is_one_line(mailoutbox, subject):
    NotificationFactory(subject=subject)

    tasks.send_pending_emails()

    message = parsed(mailoutbox[0])
    assert message["Subject"] == " ".join(subject.split())
    assert message["Bcc"] is None


def test_headers(mailoutbox, settings):
    settings.DEFAULT_FROM_EMAIL = "Lyceum <noreply@lyceum.test>"
    letter = NotificationFactory()

    tasks.send_pending_emails()

    message = parsed(mailoutbox[0])
    assert message["Message-ID"] == f"<{letter.pk}@lyceum.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "Lyceum <noreply@lyceum.test>"


def test_a_letter_names_its_moment_of_sending(mailoutbox):
    """A mailbox that sorts by date shows a letter that had to wait on top, where it is seen."""
    NotificationFactory()
    with later(days=2):
        tasks.send_pending_emails()

        assert timezone.now() - parsed(mailoutbox[0])["Date"].datetime < timedelta(minutes=1)


def test_html_and_text_say_the_same(mailoutbox):
    NotificationFactory(subject="Новости", message="Раз\nДва\n\nТри", url="https://lyceum.test/courses/1")

    tasks.send_pending_emails()

    message = parsed(mailoutbox[0])
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert text_of(message).startswith("Раз\nДва\n\nТри\n\nhttps://lyceum.test/courses/1\n")
    html = re.sub(r"\s+", " ", html_of(message))
    assert "Новости</h1>" in html
    assert re.search(r"<p[^>]*> Раз<br> Два </p> <p[^>]*> Три </p>", html)
    assert re.search(r'<a class="button" href="https://lyceum.test/courses/1"[^>]*>', html)


def test_what_people_write_is_text_and_not_html(mailoutbox):
    written = '<script>alert(1)</script> & "quotes" {{ settings }}'
    NotificationFactory(subject=written, message=written)

    tasks.send_pending_emails()

    message = parsed(mailoutbox[0])
    assert message["Subject"] == written
    assert text_of(message).startswith(written)
    assert "<script" not in html_of(message)
    assert html_of(message).count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; {{ settings }}") == 3


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "ftp://lyceum.test/", 'x" onclick="alert(1)'])
def test_a_button_opens_web_pages_alone(mailoutbox, url):
    NotificationFactory(url=url)

    tasks.send_pending_emails()

    assert "button" not in html_of(parsed(mailoutbox[0])).partition("</style>")[2]


@pytest.mark.parametrize(("language", "words"), [("en", "Unsubscribe"), ("ru", "Отписаться")])
def test_the_frame_is_in_the_language_of_the_recipient(mailoutbox, language, words):
    NotificationFactory(recipient__language=language)
    with translation.override("en" if language == "ru" else "ru"):
        tasks.send_pending_emails()

    message = parsed(mailoutbox[0])
    assert words in text_of(message)
    assert words in html_of(message)
    assert f'<html lang="{language}">' in html_of(message)


@pytest.mark.parametrize("message", ["The same for all", "долго " * 1000, "=" * 3000])
def test_letters_that_say_the_same_differ_in_the_recipient(mailoutbox, message):
    """They are written out once; lines too long to be sent as they are take another way."""
    letters = NotificationFactory.create_batch(3, message=message)

    tasks.send_pending_emails()

    for letter, sent in zip(letters, mailoutbox, strict=True):
        received = parsed(sent)
        token = unsubscribe_token(letter.recipient_id, letter.kind)
        link = f"http://testserver/api/users/notifications/unsubscribe/{token}/"
        assert received["To"] == letter.recipient.email
        assert received["Message-ID"] == f"<{letter.pk}@example.com>"
        assert received["List-Unsubscribe"] == f"<{link}>"
        assert link in text_of(received)
        assert link in html_of(received)
        assert message.strip() in text_of(received)
        assert not re.search("(to|id|link|token)-[0-9a-f]{16}", sent.message().as_bytes().decode())


def test_letters_in_two_languages_are_two(mailoutbox):
    for language in ("en", "ru"):
        NotificationFactory(recipient__language=language, message="The same")

    tasks.send_pending_emails()

    assert ["Unsubscribe" in sent.body for sent in mailoutbox] == [True, False]


def test_an_address_beyond_ascii(mailoutbox):
    NotificationFactory(recipient__email="anna@пример.рф")

    tasks.send_pending_emails()

    assert b"To: anna@xn--e1afmkfd.xn--p1ai\n" in mailoutbox[0].message().as_bytes()


@pytest.mark.parametrize("status", ["none", "sent", "failed", "digest"])
def test_nothing_else_is_sent(mailoutbox, status):
    NotificationFactory(email_status=status)

    sent = tasks.send_pending_emails()

    assert (sent, mailoutbox) == (0, [])


def test_the_oldest_goes_first(mailoutbox, monkeypatch):
    monkeypatch.setattr(leases, "LETTERS_PER_LEASE", 1)
    for days in (1, 3, 2):
        with time_machine.travel(timezone.now() - timedelta(days=days)):
            NotificationFactory(subject=str(days))

    tasks.send_pending_emails()

    assert [m.subject for m in mailoutbox] == ["3", "2", "1"]


def test_many_letters_go_in_chunks(mailoutbox, monkeypatch):
    monkeypatch.setattr(leases, "LETTERS_PER_LEASE", 2)
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


def test_letters_ask_for_nothing_one_by_one(mailoutbox):
    """But for the note of each."""
    queries = []
    for number in (1, 5):
        for kind in ("announcement", "password_reset", "email_verification"):
            NotificationFactory.create_batch(number, kind=kind)
        with CaptureQueriesContext(connection) as captured:
            sent = tasks.send_pending_emails()
        queries.append(len(captured) - sent)

    assert queries[0] == queries[1]


# --- Leases ----------------------------------------------------------------------------------------------------------


def test_a_leased_letter_waits_for_its_sender(mailoutbox):
    NotificationFactory()
    leases.lease_letters()
    with later(seconds=30):
        sent = tasks.send_pending_emails()

    assert (sent, mailoutbox) == (0, [])


def test_a_lease_that_ran_out_is_taken_over(mailoutbox):
    letter = NotificationFactory()
    leases.lease_letters()  # and the worker was killed
    with later(minutes=2, seconds=1):
        tasks.send_pending_emails()

    letter.refresh_from_db()
    assert letter.email_status == "sent"
    assert len(mailoutbox) == 1


def test_a_sender_that_gives_signs_of_life_keeps_its_letters(mailoutbox, monkeypatch):
    """However long it takes over all of them."""
    letters = NotificationFactory.create_batch(4)
    note = leases.note

    def slowly(*args):
        clock.shift(EmailLease.LIFETIME * 0.9)
        leases.take_over()
        return note(*args)

    monkeypatch.setattr(leases, "note", slowly)
    with later() as clock:
        sent = tasks.send_pending_emails()

    assert sent == len(mailoutbox) == len(letters)


def test_who_was_too_slow_does_not_send_what_another_took(mailoutbox, monkeypatch):
    NotificationFactory()
    send = delivery._send

    def slowly(*args):
        clock.shift(timedelta(minutes=3))
        monkeypatch.setattr(delivery, "_send", send)
        tasks.send_pending_emails()
        return send(*args)

    monkeypatch.setattr(delivery, "_send", slowly)
    with later() as clock:
        sent = tasks.send_pending_emails()

    assert sent == 0
    assert len(mailoutbox) == 1


def test_message_id_stays_when_a_letter_is_repeated(mailoutbox):
    letter = NotificationFactory()
    tasks.send_pending_emails()
    Notification.objects.update(email_status="pending")  # killed before it was noted

    tasks.send_pending_emails()

    assert len(mailoutbox) == 2
    assert {parsed(m)["Message-ID"] for m in mailoutbox} == {f"<{letter.pk}@example.com>"}


# --- A real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=[(), ("PIPELINING",)], ids=["plain", "pipelining"])
def server(request, settings):
    with mail_server(*request.param) as server:
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
        yield server


def test_letters_arrive(server):
    letter = NotificationFactory(subject="Привет", message="Курс обновлён\n.\nтак", recipient__email="anna@test.io")

    sent = tasks.send_pending_emails()

    assert sent == 1
    ((recipients, message),) = server.letters
    assert recipients == ["anna@test.io"]
    assert message["Subject"] == "Привет"
    assert message["Message-ID"] == f"<{letter.pk}@example.com>"
    assert text_of(message).splitlines()[:3] == ["Курс обновлён", ".", "так"]


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


def test_letters_refused_together_do_not_come_back_together(server):
    NotificationFactory.create_batch(5, recipient__email=factory.Sequence(lambda n: f"451@{n}.test.io"))
    with time_machine.travel(timezone.now(), tick=False):
        now = timezone.now()
        tasks.send_pending_emails()

    waits = {wait - now for wait in Notification.objects.values_list("email_not_before", flat=True)}
    assert len(waits) == 5
    assert timedelta(minutes=3) < min(waits) < max(waits) < timedelta(minutes=5)


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


@pytest.mark.parametrize("address", ["no\naddress@test.io", "=?iso8859_13?B?_?=@test.io"])
def test_an_address_that_no_letter_can_carry_is_final(server, address):
    """And keeps no other letter from going out, however the standard library trips over it."""
    letter = NotificationFactory(recipient__email=address)
    NotificationFactory()

    tasks.send_pending_emails()

    letter.refresh_from_db()
    assert letter.email_status == "failed"
    assert Notification.objects.filter(email_status="sent").count() == 1


def test_a_refused_sender_loses_nothing(server, settings):
    """That is a fault of the settings, not of the letter."""
    settings.DEFAULT_FROM_EMAIL = "refused@test.io"
    NotificationFactory.create_batch(3)

    sent = tasks.send_pending_emails()

    assert sent == 0
    assert Notification.objects.to_send().count() == 3


def test_a_server_that_is_down_loses_nothing(settings):
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    NotificationFactory.create_batch(3)

    sent = tasks.send_pending_emails()

    assert sent == 0
    assert Notification.objects.to_send().count() == 3
    assert set(Notification.objects.values_list("email_attempts", flat=True)) == {0}


def test_a_server_that_breaks_off_loses_nothing(server, monkeypatch):
    letters = NotificationFactory.create_batch(4)
    send = smtplib.SMTP.send

    def break_off(self, *args):
        if len(server.letters) == 2:
            self.close()
            raise smtplib.SMTPServerDisconnected("gone")
        return send(self, *args)

    monkeypatch.setattr(smtplib.SMTP, "send", break_off)
    tasks.send_pending_emails()
    monkeypatch.undo()

    tasks.send_pending_emails()

    assert server.received == Counter(f"<{letter.pk}@example.com>" for letter in letters)


def test_a_letter_at_which_the_server_breaks_off_does_not_hold_up_the_others(server, monkeypatch):
    """Every time: such as one that its filter cannot read."""
    culprit, *others = NotificationFactory.create_batch(3)
    send = smtplib.SMTP.send

    def break_off(self, data):
        if f"<{culprit.pk}@".encode() in (data if isinstance(data, bytes) else data.encode()):
            self.close()
            raise smtplib.SMTPServerDisconnected("gone")
        return send(self, data)

    monkeypatch.setattr(smtplib.SMTP, "send", break_off)
    for _ in range(3):
        tasks.send_pending_emails()
    while_it_does = set(server.received)
    monkeypatch.undo()
    with later(minutes=10):
        tasks.send_pending_emails()

    assert while_it_does == {f"<{letter.pk}@example.com>" for letter in others}
    culprit.refresh_from_db()
    assert (culprit.email_status, culprit.email_attempts, culprit.email_error) == ("sent", 1, "")


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_each_letter_once(server, monkeypatch):
    monkeypatch.setattr(leases, "LETTERS_PER_LEASE", 5)
    letters = NotificationFactory.create_batch(40)

    sent = at_once(4, lambda number: tasks.send_pending_emails())

    assert server.received == Counter(f"<{letter.pk}@example.com>" for letter in letters)
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
    assert text_of(message).startswith("Курс обновлён\n\n-- \n")
    assert "<p" in html_of(message)


def test_each_letter_has_a_file_of_its_own(settings, tmp_path):
    settings.EMAIL_BACKEND = "common.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    NotificationFactory.create_batch(3)

    tasks.send_pending_emails()

    assert len(list(Path(settings.EMAIL_FILE_PATH).iterdir())) == 3
