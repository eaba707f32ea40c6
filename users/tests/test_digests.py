"""The daily letter: one for each person and day, whatever happens to the worker that writes it or sends it."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import delivery, leases, tasks
from users.models import Notification
from users.tests.factories import NotificationFactory, PreferenceFactory, UserFactory
from users.tests.test_letters import html_of, parsed, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-03-02T05:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def reader(db):
    """Has chosen the digest, for two kinds."""
    user = UserFactory(email="reader@test.io", language="en")
    for kind in ("enrolled", "due_soon"):
        PreferenceFactory(user=user, kind=kind, email="daily")
    return user


def waiting(user, **fields):
    return NotificationFactory(recipient=user, kind="enrolled", email_status="digest", **fields)


def digests():
    return Notification.objects.filter(kind=Notification.DIGEST)


def statuses(*notes):
    found = dict(Notification.objects.values_list("pk", "email_status"))
    return [found[note.pk] for note in notes]


def write_and_send():
    tasks.send_daily_digests()
    tasks.send_pending_emails()


# --- What it says ----------------------------------------------------------------------------------------------------


def test_one_letter_tells_of_all_that_waits(mailoutbox, reader):
    notes = [
        waiting(reader, subject="First", message="One\n\nline", url="https://lyceum.test/1"),
        waiting(reader, subject="Second <b>", message="Two"),
    ]

    write_and_send()

    (sent,) = mailoutbox
    message = parsed(sent)
    assert (sent.to, sent.subject) == (["reader@test.io"], "What is new for you")
    assert text_of(message).startswith("• Second <b>\nTwo\n\n• First\nOne\n\nline\n\nhttps://lyceum.test/1\n\n-- \n")
    html = html_of(message)
    assert html.index("Second &lt;b&gt;</h2>") < html.index("First</h2>")
    assert html.count('href="https://lyceum.test/1"') == 1
    assert statuses(*notes) == ["sent", "sent"]
    assert set(Notification.objects.values_list("email_sent_at", flat=True)) == {timezone.now()}


def test_it_is_in_the_language_of_its_reader(mailoutbox):
    waiting(UserFactory(language="ru"))

    write_and_send()

    assert mailoutbox[0].subject == "Что у вас нового"


def test_it_can_be_unsubscribed_from(mailoutbox, api, reader):
    waiting(reader)
    write_and_send()

    api.post(parsed(mailoutbox[0])["List-Unsubscribe"].strip("<>").removeprefix("http://testserver"))

    assert set(reader.notification_preferences.values_list("email", flat=True)) == {"never"}


def test_a_long_one_is_cut(mailoutbox, reader):
    for number in range(53):
        waiting(reader, subject=f"Note {number}.", message="x" * 600)

    write_and_send()

    text = text_of(parsed(mailoutbox[0]))
    assert "Note 52." in text
    assert "Note 2." not in text
    assert "And 3 more." in text
    assert "x" * 501 not in text
    assert not Notification.objects.filter(email_status="digest").exists()


def test_it_is_no_notification_itself(client_for, student):
    waiting(student)

    tasks.send_daily_digests()

    results = client_for("student").get("/api/users/notifications/").json()["results"]
    assert [row["kind"] for row in results] == ["enrolled"]


# --- Who gets one ----------------------------------------------------------------------------------------------------


def test_everyone_gets_their_own(mailoutbox):
    people = UserFactory.create_batch(3)
    for user in people:
        waiting(user, message=f"For {user.email}")

    write_and_send()

    assert sorted(sent.to[0] for sent in mailoutbox) == sorted(user.email for user in people)
    for sent in mailoutbox:
        assert f"For {sent.to[0]}" in sent.body


@pytest.mark.parametrize("status", ["none", "pending", "sent", "failed"])
def test_nothing_else_is_told(reader, status):
    NotificationFactory(recipient=reader, email_status=status)

    assert tasks.send_daily_digests() == 0
    assert not digests().exists()


def test_whoever_sleeps_gets_none(mailoutbox, reader):
    note = waiting(reader)
    reader.deactivate("inactivity")
    write_and_send()
    reader.activate()
    write_and_send()

    assert mailoutbox == []
    assert statuses(note) == ["none"]


def test_many_are_written_in_batches(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(delivery, "DIGESTS_PER_BATCH", 2)
    for user in UserFactory.create_batch(5):
        waiting(user)

    assert tasks.send_daily_digests() == 5
    assert digests().count() == 5


@pytest.mark.parametrize("number", [1, 30])
def test_queries_of_a_batch(django_assert_num_queries, number):
    for user in UserFactory.create_batch(number):
        waiting(user)
        waiting(user)

    # The sleepers, the people, a savepoint and its end; their languages, the letters, which are new, taking up; nobody
    # is left.
    with django_assert_num_queries(9):
        tasks.send_daily_digests()


# --- Once a day ------------------------------------------------------------------------------------------------------


def test_twice_on_a_day_is_once(mailoutbox, clock, reader):
    waiting(reader)
    write_and_send()
    late = waiting(reader)
    clock.shift(timedelta(hours=15))
    write_and_send()

    assert len(mailoutbox) == 1
    assert statuses(late) == ["digest"]


def test_what_came_later_is_told_the_next_day(mailoutbox, clock, reader):
    waiting(reader, subject="Early")
    write_and_send()
    waiting(reader, subject="Late")
    clock.shift(timedelta(days=1))

    write_and_send()

    assert ["Early" in sent.body for sent in mailoutbox] == [True, False]
    assert ["Late" in sent.body for sent in mailoutbox] == [False, True]


def test_what_came_between_writing_and_sending_is_told_the_next_day(mailoutbox, clock, reader):
    waiting(reader, subject="Early")
    tasks.send_daily_digests()
    waiting(reader, subject="Late")
    tasks.send_pending_emails()
    clock.shift(timedelta(days=1))
    write_and_send()

    assert ["Early" in sent.body for sent in mailoutbox] == [True, False]
    assert ["Late" in sent.body for sent in mailoutbox] == [False, True]


def test_unsubscribing_reaches_a_digest_that_is_written(mailoutbox, client_for, student):
    PreferenceFactory(user=student, kind="enrolled", email="daily")
    waiting(student)
    tasks.send_daily_digests()

    client_for("student").put("/api/users/notifications/preferences/", [{"kind": "enrolled", "email": "never"}])
    tasks.send_pending_emails()

    assert mailoutbox == []
    assert [each.email_status for each in digests()] == ["none"]


# --- A worker that dies ----------------------------------------------------------------------------------------------


class WorkerDied(BaseException):
    """No Exception: nothing in between may catch it."""


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_a_writer_that_dies_is_followed_by_another(mailoutbox, monkeypatch, batch, when):
    people = UserFactory.create_batch(6)
    notes = [waiting(user) for user in people for _ in range(2)]
    write = delivery._write_batch
    batches = []

    def die(*args):
        raise WorkerDied

    def dying(*args):
        batches.append(args)
        if len(batches) < batch:
            return write(*args)
        if when == "within":
            patch.setattr(delivery, "Subquery", die)
        if when != "before":
            write(*args)
        raise WorkerDied

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "DIGESTS_PER_BATCH", 2)
        patch.setattr(delivery, "_write_batch", dying)
        with pytest.raises(WorkerDied):
            tasks.send_daily_digests()
    assert digests().count() == 2 * (batch if when == "after" else batch - 1)

    write_and_send()

    assert sorted(sent.to[0] for sent in mailoutbox) == sorted(user.email for user in people)
    assert set(statuses(*notes)) == {"sent"}


def test_a_sender_that_dies_repeats_the_letter_with_all_that_it_told(mailoutbox, clock, monkeypatch, reader):
    notes = [waiting(reader), waiting(reader)]
    tasks.send_daily_digests()

    note = leases.note

    def die(lease, done_up_to=None):
        if done_up_to is not None:
            raise WorkerDied
        return note(lease)

    with monkeypatch.context() as patch:
        patch.setattr(leases, "note", die)
        with pytest.raises(WorkerDied):
            tasks.send_pending_emails()
    assert statuses(*notes) == ["digest", "digest"]
    clock.shift(timedelta(minutes=3))
    write_and_send()

    first, second = (parsed(sent) for sent in mailoutbox)
    assert first["Message-ID"] == second["Message-ID"]
    assert text_of(first) == text_of(second)
    assert statuses(*notes) == ["sent", "sent"]


def test_what_a_dead_sender_has_noted_is_not_repeated(mailoutbox, clock, monkeypatch, reader):
    notes = [waiting(reader), waiting(reader)]
    tasks.send_daily_digests()

    def die(*args):
        raise WorkerDied

    with monkeypatch.context() as patch:
        patch.setattr(leases, "settle", die)
        with pytest.raises(WorkerDied):
            tasks.send_pending_emails()
    assert statuses(*notes) == ["digest", "digest"]
    clock.shift(timedelta(minutes=3))
    write_and_send()

    assert len(mailoutbox) == 1
    assert statuses(*notes, digests().get()) == ["sent", "sent", "sent"]


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_write_one_letter_for_each(mailoutbox, monkeypatch):
    monkeypatch.setattr(delivery, "DIGESTS_PER_BATCH", 3)
    people = UserFactory.create_batch(20)
    notes = [waiting(user) for user in people for _ in range(2)]

    written = at_once(4, lambda number: tasks.send_daily_digests())
    tasks.send_pending_emails()

    assert sum(written) == digests().count() == 20
    assert sorted(sent.to[0] for sent in mailoutbox) == sorted(user.email for user in people)
    assert set(statuses(*notes)) == {"sent"}
