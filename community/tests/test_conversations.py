"""Conversations: who may write to whom, what is unread, and how people hear of it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from common import background
from community.models import Conversation, Message, Participant
from community.services.conversations import PRESENCE
from community.tasks import tell_of_unread_messages
from community.tests.factories import MessageFactory, conversation_of
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory
from users.models import Notification, User
from users.tasks import send_pending_emails
from users.tests.factories import PASSWORD, ModeratorFactory, TeacherFactory, UserFactory

CONVERSATIONS = "/api/conversations/"
UNKNOWN = "01939f00-0000-7000-8000-000000000000"


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def path(conversation, rest=""):
    return f"{CONVERSATIONS}{getattr(conversation, 'pk', conversation)}/{rest}"


def begin(client, recipient, text="Hello"):
    return client.post(CONVERSATIONS, {"recipient": str(recipient.pk), "text": text})


def say(client, conversation, text="Hello"):
    answer = client.post(path(conversation, "messages/"), {"text": text})
    assert answer.status_code == 201, answer.content
    return answer.json()


def unread(client):
    return {one["id"]: one["unread_count"] for one in client.get(CONVERSATIONS).json()["results"]}


def told(user):
    return Notification.objects.filter(recipient=user, kind="message_received")


@pytest.fixture
def anna(db):
    return UserFactory(email="anna@test.io", first_name="Anna", email_verified_at=timezone.now(), language="en")


@pytest.fixture
def bob(db):
    return UserFactory(email="bob@test.io", first_name="Bob", language="en", email_verified_at=None)


@pytest.fixture
def conversation(anna, bob):
    """Nobody has said anything yet."""
    return conversation_of(anna, bob)


@pytest.fixture
def as_anna(anna, sign_in_as):
    return sign_in_as(anna)


@pytest.fixture
def as_bob(bob, sign_in_as):
    return sign_in_as(bob)


# --- Who may write to whom -------------------------------------------------------------------------------------------


def study(user, course, **fields):
    return EnrollmentFactory(user=user, course=course, **fields)


def teaches(one, other):
    study(other, CourseFactory(owner=one))


def studies(one, other):
    teaches(other, one)


def both_study(one, other):
    course = CourseFactory()
    study(one, course)
    study(other, course)


@pytest.mark.parametrize("together", [teaches, studies, both_study])
def test_those_who_share_a_course(as_bob, bob, anna, together):
    together(bob, anna)
    Course.objects.update(status="archived")  # whoever owns a published one is there for everybody

    assert begin(as_bob, anna).status_code == 201


@pytest.mark.parametrize("together", [teaches, studies, both_study])
@pytest.mark.parametrize("ended", [{"status": "revoked"}, {"expires_at": timezone.now() - timedelta(days=1)}])
def test_those_who_shared_one_are_strangers(as_bob, bob, anna, together, ended):
    together(bob, anna)
    Course.objects.update(status="archived")
    Enrollment.objects.update(**ended)

    assert refusal(begin(as_bob, anna)) == (403, "email_not_verified")


def test_those_who_study_different_courses_are_strangers(as_bob, bob, anna):
    for user in (bob, anna):
        study(user, CourseFactory())

    assert refusal(begin(as_bob, anna)) == (403, "email_not_verified")
    assert not Conversation.objects.exists()


def test_a_verified_email_opens_the_door_to_strangers(as_anna, bob):
    assert begin(as_anna, bob).status_code == 201


def test_whoever_was_written_to_may_answer(as_anna, as_bob, anna, bob):
    begin(as_anna, bob)

    assert begin(as_bob, anna).status_code == 201


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin", "author"])
def test_those_who_are_there_for_everyone(as_bob, request, who):
    someone = CourseFactory(owner=UserFactory()).owner if who == "author" else request.getfixturevalue(who)

    assert begin(as_bob, someone).status_code == 201


@pytest.mark.parametrize("who", ["moderator", "admin"])
def test_staff_write_to_everyone(client_for, bob, who):
    assert begin(client_for(who), bob).status_code == 201


def test_nobody_writes_to_themselves(as_anna, anna):
    assert codes(begin(as_anna, anna)) == {("recipient", "yourself")}
    assert not Conversation.objects.exists()


def test_whoever_is_not_there_cannot_be_written_to(as_anna, bob, client_for, admin):
    bob.deactivate("admin")

    assert refusal(begin(as_anna, bob)) == (404, "not_found")
    assert refusal(as_anna.post(CONVERSATIONS, {"recipient": UNKNOWN, "text": "x"})) == (404, "not_found")
    assert refusal(begin(client_for("admin"), bob)) == (403, "recipient_inactive")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {("recipient", "required"), ("text", "required")}),
        ({"recipient": "x", "text": "x"}, {("recipient", "invalid")}),
        ({"recipient": ["x"], "text": "x"}, {("recipient", "invalid")}),
        ({"recipient": None, "text": "x"}, {("recipient", "null")}),
        ({"recipient": UNKNOWN, "text": " "}, {("text", "blank")}),
        ({"recipient": UNKNOWN, "text": "a\0"}, {("text", "null_characters_not_allowed")}),
        ({"recipient": UNKNOWN, "text": "x" * 10_001}, {("text", "max_length")}),
        ({"recipient": UNKNOWN, "text": []}, {("text", "invalid")}),
    ],
)
def test_first_messages_that_are_refused(as_anna, body, errors):
    assert codes(as_anna.post(CONVERSATIONS, body)) == errors


# --- One conversation of the two -------------------------------------------------------------------------------------


def test_a_conversation(as_anna, as_bob, anna, bob):
    begun = begin(as_anna, bob, "Hi Bob").json()

    seen = as_bob.get(CONVERSATIONS).json()
    assert set(seen) == {"next", "previous", "results"}
    (seen,) = seen["results"]
    assert (begun["id"], begun["unread_count"], seen["unread_count"]) == (seen["id"], 0, 1)
    assert [person["first_name"] for person in begun["participants"]] == ["Bob"]
    (person,) = seen["participants"]
    assert set(person) == {"id", "username", "first_name", "avatar", "role", "date_joined"}
    assert (person["id"], person["first_name"]) == (str(anna.pk), "Anna")
    assert (seen["last_message"]["text"], seen["last_message"]["sender"]["id"]) == ("Hi Bob", str(anna.pk))
    assert seen["last_message_at"] == seen["last_message"]["created_at"]
    assert seen["is_blocked"] is False
    assert as_bob.get(path(seen["id"])).json() == seen


def test_it_is_used_again_whoever_writes(as_anna, as_bob, anna, bob):
    ids = {begin(client, to, text).json()["id"] for client, to, text in [
        (as_anna, bob, "1"), (as_anna, bob, "2"), (as_bob, anna, "3"),
    ]}  # fmt: skip

    assert len(ids) == 1
    assert Message.objects.count() == 3
    assert Participant.objects.count() == 2


def test_the_latest_come_first(as_anna, anna, bob):
    old, new = conversation_of(anna, bob, texts=("1",)), conversation_of(anna, UserFactory(), texts=("2",))

    assert list(unread(as_anna)) == [str(new.pk), str(old.pk)]
    say(as_anna, old)
    assert list(unread(as_anna)) == [str(old.pk), str(new.pk)]


def test_pages_of_conversations(as_anna, anna):
    made = [str(conversation_of(anna, texts=("x",)).pk) for _ in range(5)]

    first = as_anna.get(CONVERSATIONS, {"page_size": 2}).json()
    second = as_anna.get(first["next"]).json()
    third = as_anna.get(second["next"]).json()

    seen = [one["id"] for page in (first, second, third) for one in page["results"]]
    assert seen == made[::-1]
    assert third["next"] is None
    assert as_anna.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize("number", [1, 5])
def test_a_page_of_conversations_takes_four_queries(as_anna, anna, django_assert_num_queries, number):
    for _ in range(number):
        conversation_of(anna, texts=("Hi", "Hello"))

    with django_assert_num_queries(4):  # who asks; the page; the others; the last messages
        assert len(as_anna.get(CONVERSATIONS).json()["results"]) == number


# --- Messages --------------------------------------------------------------------------------------------------------


def test_messages_are_read_newest_first_in_pages(as_anna, as_bob, conversation):
    for place in range(5):
        say(as_anna if place % 2 else as_bob, conversation, str(place))

    first = as_anna.get(path(conversation, "messages/"), {"page_size": 2}).json()
    say(as_bob, conversation, "meanwhile")
    second = as_anna.get(first["next"]).json()

    assert [m["text"] for m in first["results"] + second["results"]] == ["4", "3", "2", "1"]
    assert set(first["results"][0]["sender"]) == {"id", "username", "first_name", "avatar", "role"}


def test_messages_of_one_moment_are_all_read(as_anna, anna, bob):
    conversation = conversation_of(anna, bob, texts=tuple("abcde"))
    Message.objects.update(created_at=timezone.now())
    seen, page = [], as_anna.get(path(conversation, "messages/"), {"page_size": 2}).json()
    while page["next"]:
        seen += page["results"]
        page = as_anna.get(page["next"]).json()

    assert [message["text"] for message in seen + page["results"]] == list("edcba")


@pytest.mark.parametrize("number", [1, 5])
def test_a_page_of_messages_takes_three_queries(as_anna, anna, bob, django_assert_num_queries, number):
    conversation = conversation_of(anna, bob, texts=("x",) * number)

    with django_assert_num_queries(3):  # who asks; the conversation; the page with its senders
        assert len(as_anna.get(path(conversation, "messages/")).json()["results"]) == number


@pytest.mark.parametrize("name", ["", "messages/"])
@pytest.mark.parametrize(
    "cursor",
    ["x", "я", "cD14", "cD0yMDI2LTAxLTAx", "bz14", "cD0wMDAxLTAxLTAxKzAwJTNBMDA=", "cD0yMDI2LTAxLTAxVDAwOjAwOjAw",
     "cD0wMDAxLTAxLTAxVDAwJTNBMDAlM0EwMCUyQjE0JTNBMDA=", "cD05OTk5LTEyLTMxVDIzJTNBNTklM0E1OS0xNCUzQTAw"],
)  # fmt: skip
def test_cursors_that_are_none(as_anna, conversation, name, cursor):
    where = path(conversation, name) if name else CONVERSATIONS

    assert as_anna.get(where, {"cursor": cursor}).status_code == 404


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"page": "1"}, "page"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "x"}, "page_size"),
        ({"ordering": "text"}, "ordering"),
        ({"search": "x"}, "search"),
    ],
)
def test_filters_that_are_none(as_anna, conversation, query, attr):
    for where in (CONVERSATIONS, path(conversation, "messages/")):
        assert {name for name, _code in codes(as_anna.get(where, query))} == {attr}


def test_a_file_is_for_the_two_alone(as_anna, as_bob, client_for, conversation, admin):
    file = SimpleUploadedFile("my notes.txt", b"Notes")
    sent = as_anna.post(path(conversation, "messages/"), {"file": file}, format="multipart").json()

    assert (sent["text"], sent["file_name"]) == ("", "my notes.txt")
    assert sent["file"] == f"http://testserver{path(conversation, 'messages/')}{sent['id']}/file/"
    for client in (as_anna, as_bob):
        answer = client.get(sent["file"])
        assert b"".join(answer.streaming_content) == b"Notes"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="my notes.txt"'
    assert client_for("admin").get(sent["file"]).status_code == 404
    stored = Message.objects.get().file.name
    assert stored.startswith("private/messages/")
    assert as_anna.get(f"/media/{stored}").status_code == 404


def test_a_message_without_a_file_has_none_to_download(as_anna, conversation):
    sent = say(as_anna, conversation)

    assert sent["file"] is None
    assert as_anna.get(f"{path(conversation, 'messages/')}{sent['id']}/file/").status_code == 404


def test_messages_that_are_refused(as_anna, conversation):
    where = path(conversation, "messages/")
    script = SimpleUploadedFile("run.exe", b"MZ")
    fake = SimpleUploadedFile("a.pdf", b"<script>")

    assert codes(as_anna.post(where, {})) == {("text", "required")}
    assert codes(as_anna.post(where, {"text": "  "})) == {("text", "required")}
    assert codes(as_anna.post(where, {"text": None})) == {("text", "null")}
    assert codes(as_anna.post(where, {"text": "x" * 10_001})) == {("text", "max_length")}
    assert codes(as_anna.post(where, {"text": "x", "file": "x"})) == {("file", "invalid")}
    assert codes(as_anna.post(where, {"file": script}, format="multipart")) == {("file", "unsupported")}
    assert codes(as_anna.post(where, {"file": fake}, format="multipart")) == {("file", "mismatch")}
    assert not Message.objects.exists()


def test_who_says_it_is_who_is_signed_in(as_anna, anna, bob, conversation):
    body = {"text": "x", "sender": str(bob.pk), "conversation": UNKNOWN, "created_at": "2000-01-01", "file_name": "x"}
    as_anna.post(path(conversation, "messages/"), body)

    message = Message.objects.get()
    assert (message.sender, message.conversation, message.file_name) == (anna, conversation, "")


def test_whoever_is_gone_is_not_written_to(as_anna, bob, conversation):
    bob.deactivate("admin")

    assert refusal(as_anna.post(path(conversation, "messages/"), {"text": "x"})) == (403, "recipient_inactive")


# --- Blocking --------------------------------------------------------------------------------------------------------


def test_blocking_stops_both(as_anna, as_bob, anna, bob, conversation):
    assert as_bob.post(path(conversation, "block/")).json()["is_blocked"] is True
    assert as_bob.post(path(conversation, "block/")).status_code == 200

    for attempt in (
        lambda: as_anna.post(path(conversation, "messages/"), {"text": "x"}),
        lambda: begin(as_anna, bob),
    ):
        assert refusal(attempt()) == (403, "blocked")
    assert refusal(begin(as_bob, anna)) == (403, "you_blocked")
    assert not Message.objects.exists()
    assert as_anna.get(path(conversation)).json()["is_blocked"] is False

    for _ in range(2):
        assert as_bob.delete(path(conversation, "block/")).status_code == 204
    say(as_anna, conversation)


def test_a_block_is_taken_back_by_whoever_set_it(as_anna, as_bob, conversation):
    as_bob.post(path(conversation, "block/"))

    as_anna.delete(path(conversation, "block/"))

    assert refusal(as_anna.post(path(conversation, "messages/"), {"text": "x"})) == (403, "blocked")


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_unread_messages_are_counted_for_the_other(as_anna, as_bob, conversation):
    for _ in range(3):
        say(as_anna, conversation)
    say(as_bob, conversation)

    assert (unread(as_anna), unread(as_bob)) == ({str(conversation.pk): 1}, {str(conversation.pk): 3})
    assert as_bob.post(path(conversation, "read/")).json()["unread_count"] == 0
    assert as_bob.post(path(conversation, "read/")).json()["unread_count"] == 0
    assert (unread(as_anna), unread(as_bob)) == ({str(conversation.pk): 1}, {str(conversation.pk): 0})


def test_what_has_come_in_since_stays_unread(as_anna, as_bob, conversation):
    seen = [say(as_anna, conversation, str(n))["id"] for n in range(4)]

    def read(message):
        return as_bob.post(path(conversation, "read/"), {"message": message}).json()["unread_count"]

    assert [read(seen[1]), read(seen[0]), read(seen[2]), read(seen[3]), read(seen[0])] == [2, 2, 1, 0, 0]


def test_the_last_message_seen_is_one_of_the_conversation(as_anna, as_bob, anna, conversation):
    elsewhere = MessageFactory(conversation=conversation_of(anna), sender=anna)
    say(as_anna, conversation)

    for message in (elsewhere.pk, UNKNOWN):
        assert as_bob.post(path(conversation, "read/"), {"message": str(message)}).status_code == 404
    assert codes(as_bob.post(path(conversation, "read/"), {"message": "x"})) == {("message", "invalid")}
    assert unread(as_bob) == {str(conversation.pk): 1}


def test_the_dashboard_counts_all_of_them(as_anna, as_bob, anna, bob, conversation):
    other = conversation_of(bob, TeacherFactory(), texts=())
    Participant.objects.filter(conversation=other, user=bob).update(unread_count=2, unread_since=timezone.now())
    say(as_anna, conversation)

    def count(client):
        return client.get("/api/users/me/dashboard/").json()["unread_messages"]

    assert (count(as_bob), count(as_anna)) == (3, 0)


# --- Hearing of it ---------------------------------------------------------------------------------------------------


def test_the_first_unread_message_is_told_and_sent_as_a_letter(as_anna, bob, conversation):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    say(as_anna, conversation, "Are you there?")
    say(as_anna, conversation, "Hello?")

    notification = told(bob).get()
    assert notification.subject == "Anna has written to you"
    assert notification.message == "Are you there?"
    assert notification.url == f"https://lyceum.test/messages/{conversation.pk}"
    send_pending_emails()
    (letter,) = mail.outbox
    assert letter.to == ["bob@test.io"]
    assert not told(conversation.participants.exclude(user=bob).get().user).exists()


def test_reading_ends_it(as_anna, as_bob, bob, conversation, time_machine):
    say(as_anna, conversation)
    as_bob.post(path(conversation, "read/"))
    assert told(bob).get().is_read

    time_machine.move_to(timezone.now() + PRESENCE + timedelta(minutes=1))
    say(as_anna, conversation)

    assert told(bob).count() == 2


def test_a_chat_brings_no_letters(as_anna, as_bob, anna, bob, conversation):
    say(as_anna, conversation)
    for _ in range(5):
        as_bob.post(path(conversation, "read/"))
        say(as_bob, conversation)
        as_anna.post(path(conversation, "read/"))
        say(as_anna, conversation)

    assert (told(bob).count(), told(anna).count()) == (1, 1)


def test_what_is_left_unread_after_a_chat_is_told_all_the_same(as_anna, as_bob, bob, conversation, time_machine):
    say(as_anna, conversation)
    as_bob.post(path(conversation, "read/"))
    say(as_anna, conversation, "One more thing")
    say(as_anna, conversation, "And another")
    assert tell_of_unread_messages() == 0

    time_machine.move_to(timezone.now() + PRESENCE + timedelta(minutes=1))

    assert [tell_of_unread_messages() for _ in range(2)] == [1, 0]
    assert told(bob).count() == 2
    assert told(bob).latest("pk").message == "One more thing"


def test_what_was_read_in_the_meantime_is_not_told(as_anna, as_bob, bob, conversation, time_machine):
    say(as_anna, conversation)
    as_bob.post(path(conversation, "read/"))
    say(as_anna, conversation)
    as_bob.post(path(conversation, "read/"))

    time_machine.move_to(timezone.now() + PRESENCE + timedelta(minutes=1))

    assert tell_of_unread_messages() == 0
    assert told(bob).count() == 1


def test_it_is_told_in_the_recipients_language(as_anna, bob, conversation):
    User.objects.filter(pk=bob.pk).update(language="ru")

    say(as_anna, conversation, "x" * 600)

    notification = told(bob).get()
    assert notification.subject == "Вам пишет Anna"
    assert len(notification.message) == 501


def test_a_broker_that_is_away_loses_nothing(as_anna, bob, conversation, monkeypatch, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(background._Pause, "until", 0.0)

    say(as_anna, conversation)

    assert told(bob).get().email_status == "pending"


# --- Leaving ---------------------------------------------------------------------------------------------------------


def test_whoever_leaves_leaves_their_messages_without_a_name(as_anna, as_bob, anna, bob, conversation):
    say(as_anna, conversation, "Hi")
    stays = Notification.objects.create(recipient=bob, kind="announcement", subject="x", message="x", dedup_key="x")

    assert as_anna.delete("/api/users/me/", {"password": PASSWORD}).status_code == 204

    (message,) = as_bob.get(path(conversation, "messages/")).json()["results"]
    assert (message["text"], message["sender"]["first_name"], message["sender"]["username"]) == ("Hi", "", None)
    assert list(Notification.objects.filter(recipient=bob)) == [stays]
    assert refusal(as_bob.post(path(conversation, "messages/"), {"text": "x"})) == (403, "recipient_inactive")


def test_a_moderator_has_no_eye_on_conversations(sign_in_as, conversation):
    client = sign_in_as(ModeratorFactory())

    assert client.get(CONVERSATIONS).json()["results"] == []
    assert client.get(path(conversation)).status_code == 404
