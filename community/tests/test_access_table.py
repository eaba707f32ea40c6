"""Who may do what: every route of the community, every method, every member of the cast."""

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.urls import get_resolver, resolve

from assignments.tests.test_access_table import names
from community.tests.factories import FeedbackFactory, MessageFactory, PostFactory, conversation_of
from conftest import CAST
from materials.tests.test_access_table import cells, routes
from users.models import Notification, User
from users.tests.factories import UserFactory

POST = {"title": "New", "body": "Text"}
LETTER = {"name": "Anna", "email": "anna@test.io", "subject": "Why", "message": "Because"}
TEXT = {"text": "New"}
CONVERSATION = "/api/conversations/{conversation}/"

# The conversation is of `enrolled` and `teacher`; everybody may be written to by `enrolled`'s teacher.
# (method, path, body, the statuses of CAST in its order)
TABLE = [
    #                                                             anon stud enro teac othe mode admi
    ("GET", "/api/blog/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/blog/", POST, (401, 403, 403, 403, 403, 201, 201)),
    ("GET", "/api/blog/feed/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/api/blog/{post}/", None, (200, 200, 200, 200, 200, 200, 200)),
    ("PUT", "/api/blog/{post}/", POST, (401, 403, 403, 403, 403, 200, 200)),
    ("PATCH", "/api/blog/{post}/", POST, (401, 403, 403, 403, 403, 200, 200)),
    ("DELETE", "/api/blog/{post}/", None, (401, 403, 403, 403, 403, 204, 204)),
    ("GET", "/api/blog/{draft}/", None, (404, 404, 404, 404, 404, 200, 200)),
    ("PATCH", "/api/blog/{draft}/", POST, (401, 403, 403, 403, 403, 200, 200)),
    ("GET", "/api/conversations/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("POST", "/api/conversations/", {"recipient": "{reachable}", **TEXT}, (401, 201, 201, 201, 201, 201, 201)),
    ("POST", "/api/conversations/", {"recipient": "{stranger}", **TEXT}, (401, 403, 403, 403, 403, 201, 201)),
    ("GET", CONVERSATION, None, (401, 404, 200, 200, 404, 404, 404)),
    ("POST", CONVERSATION + "read/", None, (401, 404, 200, 200, 404, 404, 404)),
    ("POST", CONVERSATION + "block/", None, (401, 404, 200, 200, 404, 404, 404)),
    ("DELETE", CONVERSATION + "block/", None, (401, 404, 204, 204, 404, 404, 404)),
    ("GET", CONVERSATION + "messages/", None, (401, 404, 200, 200, 404, 404, 404)),
    ("POST", CONVERSATION + "messages/", TEXT, (401, 404, 201, 201, 404, 404, 404)),
    ("GET", CONVERSATION + "messages/{message}/file/", None, (401, 404, 200, 200, 404, 404, 404)),
    ("GET", "/api/feedback/", None, (401, 403, 403, 403, 403, 200, 200)),
    ("POST", "/api/feedback/", LETTER, (201, 201, 201, 201, 201, 201, 201)),
    ("GET", "/api/feedback/{feedback}/", None, (401, 403, 403, 403, 403, 200, 200)),
    ("PATCH", "/api/feedback/{feedback}/", {"answer": "So"}, (401, 403, 403, 403, 403, 403, 200)),
]
# What is a success and changes nothing, since it is so already.
NOTHING_TO_DO = {("DELETE", CONVERSATION + "block/")}
UNKNOWN = "01939f00-0000-7000-8000-000000000000"


@pytest.fixture
def ids(enrolled, teacher, other):
    """What the paths of the table are filled in with."""
    conversation = conversation_of(enrolled, teacher)
    message = MessageFactory(
        conversation=conversation, sender=enrolled, file=ContentFile(b"Mine", name="mine.txt"), file_name="mine.txt"
    )
    return {
        "post": PostFactory(slug="hello").slug,
        "draft": PostFactory(slug="draft", status="draft", published_at=None).slug,
        "conversation": conversation.pk,
        "message": message.pk,
        "reachable": UserFactory(role="teacher").pk,
        "stranger": UserFactory().pk,
        "feedback": FeedbackFactory().pk,
    }


def world():
    """Every row of the app, and what it leaves in others."""
    models = [*apps.get_app_config("community").get_models(), Notification]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def send(client, row, ids):
    method, path, body, _statuses = row
    filled = {name: value.format(**ids) for name, value in (body or {}).items()}
    return getattr(client, method.lower())(path.format(**ids), filled if body else None)


@pytest.mark.parametrize(("row", "who"), cells(TABLE))
def test_who_may_do_what(client_for, ids, row, who):
    client, status = client_for(who), row[3][CAST.index(who)]
    User.objects.update(email_verified_at=None)  # who has a verified one may write to strangers
    before = world()

    response = send(client, row, ids)

    assert response.status_code == status, getattr(response, "content", b"")
    assert (world() == before) is (row[0] == "GET" or status >= 400 or row[:2] in NOTHING_TO_DO)


def test_whoever_has_to_sign_in_is_told_how(api, ids):
    told = {row[:2]: send(api, row, ids).headers.get("WWW-Authenticate", "") for row in TABLE if row[3][0] == 401}

    assert all(header.startswith("Bearer") for header in told.values())


@pytest.mark.parametrize("wrong", [UNKNOWN, "1", "x", "0193", "a%00b", "../x", "%D0%B0"])
def test_what_does_not_exist_is_404(client_for, ids, wrong):
    client = client_for("admin")
    before = world()

    answers = {
        (*row[:2], name): send(client, row, {**ids, name: wrong}).status_code for row in TABLE for name in names(row[1])
    }

    assert answers == dict.fromkeys(answers, 404)
    assert world() == before


def test_a_message_of_another_conversation_is_404(client_for, ids, enrolled):
    elsewhere = conversation_of(enrolled, UserFactory())
    path = f"/api/conversations/{elsewhere.pk}/messages/{ids['message']}/file/"

    assert client_for("enrolled").get(path).status_code == 404


def test_every_route_stands_in_the_table():
    unknown = dict.fromkeys((name for row in TABLE for name in names(row[1])), UNKNOWN)

    found = {(resolve(path.format(**unknown)).url_name, method) for method, path, _body, _statuses in TABLE}

    assert found == set(routes(get_resolver("community.urls")))


@pytest.mark.parametrize("path", sorted({row[1] for row in TABLE}))
def test_other_methods_are_405(client_for, ids, path):
    served = {row[0] for row in TABLE if row[1].replace("{draft}", "{post}") == path.replace("{draft}", "{post}")}
    client = client_for("admin")
    before = world()

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - served:
        assert getattr(client, method.lower())(path.format(**ids), {}).status_code == 405, method

    assert world() == before
