"""The same thing at the same time, on PostgreSQL. Each guard that these tests hold on to is named in its docstring."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from community.models import Conversation, Feedback, FeedbackAnswer, Message, Participant, Post
from community.services import blog, conversations
from community.tasks import send_feedback_answers, tell_of_unread_messages
from community.tests.factories import FeedbackFactory, PostFactory, conversation_of
from users.models import Notification
from users.tests.factories import UserFactory

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]

TIMES = 16


@pytest.fixture
def clients(sign_in_as):
    """`clients(user, …)`: one for each thread. A failure of the server is an answer, as it is to a browser."""

    def clients(*users):
        signed_in = [sign_in_as(users[number % len(users)]) for number in range(TIMES)]
        for client in signed_in:
            client.raise_request_exception = False
        return signed_in

    return clients


@pytest.fixture
def all_meet(monkeypatch):
    """`all_meet(module, "name")`: nobody goes into the module's function before all have come to it."""

    def all_meet(module, name):
        barrier = threading.Barrier(TIMES)
        real = getattr(module, name)

        def function(*args, **kwargs):
            barrier.wait(timeout=20)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, function)

    return all_meet


@pytest.fixture
def anna():
    return UserFactory(first_name="Anna", email_verified_at=timezone.now())


@pytest.fixture
def bob():
    return UserFactory(first_name="Bob", email_verified_at=timezone.now())


def statuses(answers):
    return Counter(answer.status_code for answer in answers)


def test_first_messages_at_once_make_one_conversation(clients, anna, bob, all_meet):
    """The unique pair, and `get_or_create`."""
    all_meet(conversations, "pair_of")
    people = clients(anna, bob)

    def write(number):
        recipient = (bob, anna)[number % 2]
        return people[number].post("/api/conversations/", {"recipient": str(recipient.pk), "text": str(number)})

    assert statuses(at_once(TIMES, write)) == {201: TIMES}
    assert (Conversation.objects.count(), Participant.objects.count(), Message.objects.count()) == (1, 2, TIMES)
    assert set(Participant.objects.values_list("unread_count", flat=True)) == {TIMES // 2}


def test_messages_at_once_are_all_counted_and_told_of_once(clients, anna, bob):
    """The lock of the conversation in `_hold`."""
    conversation = conversation_of(anna, bob)
    people = clients(anna)

    answers = at_once(
        TIMES, lambda n: people[n].post(f"/api/conversations/{conversation.pk}/messages/", {"text": str(n)})
    )

    assert statuses(answers) == {201: TIMES}
    assert Participant.objects.get(user=bob).unread_count == TIMES
    assert Notification.objects.filter(recipient=bob).count() == 1
    latest = Message.objects.latest("created_at")
    conversation.refresh_from_db()
    assert conversation.last_message_at == latest.created_at


def test_reading_while_messages_come_in_leaves_what_was_not_seen(clients, anna, bob):
    """The lock of the conversation: a count that was read before a message came in would be written after it."""
    conversation = conversation_of(anna, bob)
    where = f"/api/conversations/{conversation.pk}/"
    people = clients(anna, bob)
    seen = people[0].post(f"{where}messages/", {"text": "seen"}).json()["id"]

    def write_or_read(number):
        if number % 2:
            return people[number].post(f"{where}read/", {"message": seen})
        return people[number].post(f"{where}messages/", {"text": str(number)})

    assert statuses(at_once(TIMES, write_or_read)) == {201: TIMES // 2, 200: TIMES // 2}
    assert Participant.objects.get(user=bob).unread_count == TIMES // 2


def test_after_a_block_nothing_comes_in(clients, anna, bob):
    """The lock of the conversation: whoever was blocked a moment ago must not pass on what was read before."""
    conversation = conversation_of(anna, bob)
    where = f"/api/conversations/{conversation.pk}/"
    people = clients(anna, bob)

    def write_or_block(number):
        return people[number].post(f"{where}block/" if number % 2 else f"{where}messages/", {"text": "x"})

    answers = at_once(TIMES, write_or_block)

    blocked_at = Participant.objects.get(user=bob).blocked_at
    assert set(statuses(answers)) <= {200, 201, 403}
    assert not Message.objects.filter(created_at__gt=blocked_at).exists()


def test_sweepers_at_once_tell_once(anna, bob):
    """The lock, and the conditional update in `_tell_if_unread`."""
    conversation = conversation_of(anna, bob)
    for user in (anna, bob):
        conversations.mark_read(user=user, conversation=conversation)
    conversations.write(sender=anna, conversation=conversation, text="x")
    Participant.objects.filter(user=bob).update(unread_since=timezone.now() - timedelta(hours=1))

    assert sum(at_once(4, lambda _: tell_of_unread_messages())) == 1
    assert Notification.objects.filter(recipient=bob).count() == 1


def test_titles_alike_at_once_have_addresses_of_their_own(clients, moderator, all_meet):
    """The unique address, and the second try in `create_post`."""
    all_meet(blog, "terms_of")
    people = clients(moderator)

    answers = at_once(TIMES, lambda n: people[n].post("/api/blog/", {"title": "Привет", "body": str(n)}))

    assert statuses(answers) == {201: TIMES}
    assert len(set(Post.objects.values_list("slug", flat=True))) == TIMES


def test_of_those_who_want_one_address_one_gets_it(clients, moderator, all_meet):
    """The error of the database, which becomes a 400."""
    all_meet(blog, "terms_of")
    people = clients(moderator)

    answers = at_once(TIMES, lambda n: people[n].post("/api/blog/", {"title": "A", "body": "B", "slug": "mine"}))

    assert statuses(answers) == {201: 1, 400: TIMES - 1}
    assert {a.json()["errors"][0]["code"] for a in answers if a.status_code == 400} == {"unique"}


def test_parts_changed_at_once_are_all_kept_and_found(clients, moderator, all_meet):
    """The lock of the post: its words are gathered from what others have written."""
    all_meet(blog, "change_post")
    PostFactory(slug="hello")
    people = clients(moderator)
    bodies = [{"title": "Звезда"}, {"body": "Комета"}, {"tags": ["луна"]}]

    answers = at_once(TIMES, lambda n: people[n].patch("/api/blog/hello/", bodies[n % 3]))

    assert statuses(answers) == {200: TIMES}
    found = [people[0].get("/api/blog/", {"search": word}).json()["count"] for word in ("звезда", "комета", "луна")]
    assert found == [1, 1, 1]


def test_a_post_deleted_while_it_is_changed(clients, moderator, all_meet):
    """The lock of the post: saving one that is gone would fail."""
    PostFactory(slug="hello")
    people = clients(moderator)

    def change_or_delete(number):
        if number % 2:
            return people[number].patch("/api/blog/hello/", {"title": "New", "tags": ["new"]})
        return people[number].delete("/api/blog/hello/")

    assert set(statuses(at_once(TIMES, change_or_delete))) <= {200, 204, 404}
    assert not Post.objects.exists()


def test_the_same_answer_at_once_is_one_letter(clients, admin):
    """The lock of the feedback."""
    feedback = FeedbackFactory()
    people = clients(admin)

    answers = at_once(TIMES, lambda n: people[n].patch(f"/api/feedback/{feedback.pk}/", {"answer": "So"}))

    assert statuses(answers) == {200: TIMES}
    assert FeedbackAnswer.objects.count() == 1
    assert Feedback.objects.get().status == "answered"


def test_workers_at_once_send_each_answer_once(admin):
    """The conditional update that leases a letter."""
    for _ in range(5):
        FeedbackAnswer.objects.create(feedback=FeedbackFactory(), author=admin, text="So")

    assert sum(at_once(8, lambda _: send_feedback_answers())) == 5
    assert len(mail.outbox) == 5
