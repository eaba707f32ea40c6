"""What the demo shows of the community."""

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from common.demo import load_demo
from community import demo
from community.models import Conversation, Feedback, FeedbackAnswer, Message, Post
from community.tests.factories import conversation_of
from conftest import sign_in


@pytest.fixture
def people(db, monkeypatch):
    import materials.demo.loading
    import users.demo

    dot = Image.new("RGB", (1, 1))
    monkeypatch.setattr(materials.demo.loading, "draw_cover", lambda **_: dot)
    monkeypatch.setattr(users.demo, "draw_avatar", lambda _: dot)
    monkeypatch.setattr(demo, "gradient", lambda *_: dot)
    return load_demo()[0]


def test_the_demo(people, api):
    posts = api.get("/api/blog/").json()["results"]
    assert [post["title"] for post in posts][-1] == "Добро пожаловать в блог"
    assert len(posts) == 3
    assert all(default_storage.exists(post.cover.name) for post in Post.objects.all())
    assert api.get("/api/blog/", {"search": "студенты"}).json()["count"] == 1
    assert b"<item>" in api.get("/api/blog/feed/").content
    assert len(sign_in(people["moderator"]).get("/api/blog/").json()["results"]) == 5
    (talk,) = sign_in(people["teacher"]).get("/api/conversations/").json()["results"]
    assert (talk["unread_count"], talk["participants"][0]["first_name"]) == (1, "Илья")
    assert talk["last_message"]["text"] == demo.SAID[-1][1]
    assert sign_in(people["student"]).get("/api/users/me/dashboard/").json()["unread_messages"] == 0
    assert sign_in(people["admin"]).get("/api/feedback/").json()["count"] == 2
    assert not FeedbackAnswer.objects.to_send().exists()


def test_it_is_loaded_anew_beside_what_people_have_added(people):
    talk = Conversation.objects.get()
    Message.objects.create(conversation=talk, sender=people["student"], text="Mine")
    own = conversation_of(people["student"], people["admin"], texts=("Also mine",))
    Feedback.objects.create(user=people["student"], name="x", email="x@test.io", subject="x", message="x")

    load_demo(force=True)

    assert Message.objects.filter(text__in=["Mine", "Also mine"]).count() == 2
    assert (talk.participants.count(), own.participants.count()) == (2, 2)
    assert (Post.objects.count(), Feedback.objects.count()) == (5, 3)
    assert demo.strangers() == {"posts": 0, "messages": 2, "feedback": 1}
