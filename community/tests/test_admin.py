"""The admin pages of the community."""

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.urls import reverse

from community.models import Conversation, Feedback, FeedbackAnswer, Message, Post
from community.tests.factories import FeedbackFactory, PostFactory, conversation_of

REGISTERED = [model for model in apps.get_app_config("community").get_models() if site.site.is_registered(model)]
POST = {"title": "Новый год", "slug": "", "body": "Text", "tags": "News, два  слова,,news", "status": "published"}


@pytest.fixture
def office(client, admin):
    """Django's own client, signed in as an admin."""
    client.force_login(admin)
    return client


@pytest.fixture
def rows(db, enrolled, teacher):
    conversation = conversation_of(enrolled, teacher, texts=("A secret",))
    made = [PostFactory(tags=["news"]), conversation, conversation.messages.get(), FeedbackFactory()]
    return {type(row): row for row in made}


def page(model, name, *args):
    return reverse(f"admin:community_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", REGISTERED)
def test_every_page_opens(office, rows, model):
    pk = rows[model].pk

    assert str(pk) in office.get(page(model, "changelist"), {"q": ""}).content.decode()
    assert office.get(page(model, "changelist"), {"q": "a"}).status_code == 200
    assert office.get(page(model, "change", pk)).status_code == 200


def inline(**counts):
    names = ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    return {
        f"{prefix}-{name}": total if name == "TOTAL_FORMS" else 0 for prefix, total in counts.items() for name in names
    }


def test_a_post_is_written(office, admin, api):
    office.post(page(Post, "add"), POST)

    post = Post.objects.get()
    assert (post.slug, post.author, post.published_at is not None) == ("novyy-god", admin, True)
    assert api.get("/api/blog/novyy-god/").json()["tags"] == ["news", "два слова"]
    assert api.get("/api/blog/", {"search": "года"}).json()["count"] == 1


def test_a_post_is_changed(office, rows, api):
    post = rows[Post]

    office.post(page(Post, "change", post.pk), {**POST, "tags": "other"})

    changed = api.get(f"/api/blog/{post.slug}/").json()
    assert (changed["title"], changed["tags"]) == ("Новый год", ["other"])
    assert api.get("/api/blog/", {"search": "other"}).json()["count"] == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"slug": "feed"}, "slug"), ({"slug": "a b"}, "slug"), ({"tags": "x" * 31}, "tags"), ({"title": ""}, "title")],
)
def test_what_is_refused_is_said_on_the_form(office, fields, field):
    answer = office.post(page(Post, "add"), {**POST, **fields})

    assert set(answer.context["adminform"].form.errors) == {field}
    assert not Post.objects.exists()


def test_a_post_is_deleted(office, rows):
    office.post(page(Post, "delete", rows[Post].pk), {"post": "yes"})

    assert not Post.objects.exists()


def test_what_people_write_to_each_other_is_shown_to_nobody(office, rows):
    for model in (Conversation, Message):
        shown = (
            office.get(page(model, "changelist")).content + office.get(page(model, "change", rows[model].pk)).content
        )
        assert b"secret" not in shown
        assert office.post(page(model, "change", rows[model].pk), {}).status_code == 403


def test_an_answer_is_written(office, rows, admin):
    feedback = rows[Feedback]

    for status in ("new", "answered"):
        office.post(page(Feedback, "change", feedback.pk), {"status": status, "answer": "So", **inline(answers=0)})

    feedback.refresh_from_db()
    assert (feedback.answer, feedback.status, feedback.answered_by) == ("So", "answered", admin)
    assert FeedbackAnswer.objects.count() == 1


def test_refused_letters_are_sent_again(office, rows, admin):
    refused = {"author": admin, "text": "So", "is_refused": True, "attempts": 10}
    FeedbackAnswer.objects.create(feedback=rows[Feedback], **refused)
    gone = FeedbackFactory(email="")
    FeedbackAnswer.objects.create(feedback=gone, **refused)

    office.post(
        page(Feedback, "changelist"), {"action": "send_again", "_selected_action": [rows[Feedback].pk, gone.pk]}
    )

    assert [answer.feedback for answer in FeedbackAnswer.objects.to_send()] == [rows[Feedback]]


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
def test_nobody_else_gets_in(client, request, rows, who):
    client.force_login(request.getfixturevalue(who))

    assert client.get(page(Feedback, "changelist")).status_code in {302, 403}
