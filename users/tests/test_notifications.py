import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.utils import timezone

from common.ids import new_id
from common.testing.databases import on_postgresql
from users import notifications
from users.models import Notification
from users.tests.factories import NotificationFactory, PreferenceFactory, UserFactory

URL = "/api/users/notifications/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def note(student):
    return NotificationFactory(recipient=student, url="https://lyceum.test/courses/1")


def path_of(notification, action=""):
    return f"{URL}{notification.pk}/{action}"


def ids(response):
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


# --- The list --------------------------------------------------------------------------------------------------------


def test_a_notification(client_for, note):
    (row,) = client_for("student").get(URL).json()["results"]

    assert row == {
        "id": str(note.pk),
        "recipient": str(note.recipient_id),
        "kind": "announcement",
        "subject": "Subject",
        "message": "Message",
        "url": "https://lyceum.test/courses/1",
        "is_read": False,
        "read_at": None,
        "created_at": note.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_the_list_holds_ones_own(client_for, note):
    NotificationFactory()

    assert ids(client_for("student").get(URL)) == [str(note.pk)]
    assert ids(client_for("admin").get(URL)) == []


def test_what_is_not_shown_is_not_listed(client_for, student):
    NotificationFactory(recipient=student, in_app=False)

    assert ids(client_for("student").get(URL)) == []


def test_the_newest_comes_first(client_for, student):
    notes = []
    for hours in (2, 3, 1):
        with time_machine.travel(timezone.now() - timedelta(hours=hours)):
            notes.append(NotificationFactory(recipient=student))

    assert ids(client_for("student").get(URL)) == [str(notes[number].pk) for number in (2, 0, 1)]


def test_pages_follow_each_other_while_new_ones_come_in(client_for, student):
    notes = NotificationFactory.create_batch(5, recipient=student)
    client = client_for("student")
    first = client.get(f"{URL}?page_size=2").json()
    NotificationFactory(recipient=student)

    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()
    back = client.get(second["previous"]).json()

    assert set(first) == {"next", "previous", "results"}
    pages = [[row["id"] for row in page["results"]] for page in (first, second, third)]
    expected = [str(note.pk) for note in reversed(notes)]
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    assert third["next"] is None
    assert [row["id"] for row in back["results"]] == expected[:2]


def test_pages_of_what_was_written_at_one_moment(client_for, student):
    with time_machine.travel("2026-03-02T09:00Z", tick=False):
        notes = NotificationFactory.create_batch(5, recipient=student)
    client = client_for("student")
    page = client.get(f"{URL}?page_size=2").json()
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]

    assert sorted(seen) == sorted(str(note.pk) for note in notes)


@pytest.mark.parametrize("number", [1, 100])
def test_queries_of_the_list(client_for, student, django_assert_num_queries, number):
    NotificationFactory.create_batch(number, recipient=student)
    client = client_for("student")

    with django_assert_num_queries(2) as queries:  # the caller, the page
        rows = ids(client.get(f"{URL}?page_size=100"))

    assert len(rows) == number
    assert not any("COUNT(" in query["sql"] for query in queries)


@pytest.mark.parametrize(("query", "found"), [("is_read=true", 1), ("is_read=false", 2), ("kind=enrolled", 1)])
def test_filters(client_for, student, query, found):
    NotificationFactory(recipient=student, is_read=True)
    NotificationFactory(recipient=student)
    NotificationFactory(recipient=student, kind="enrolled")

    assert len(ids(client_for("student").get(f"{URL}?{query}"))) == found


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("is_read=maybe", "is_read"),
        ("kind=gossip", "kind"),
        ("kind=password_reset", "kind"),
        ("recipient=1", "recipient"),
        ("ordering=subject", "ordering"),
        ("page=2", "page"),
        ("page_size=0", "page_size"),
    ],
)
def test_bad_queries(client_for, query, attr):
    response = client_for("student").get(f"{URL}?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == attr


@pytest.mark.parametrize("cursor", ["x", "cD0x", "cD1ub3c%3D", "cD05OTk5LTEyLTMxVDIzOjU5OjU5LTE0OjAw"])
def test_bad_cursors(client_for, note, cursor):
    assert client_for("student").get(f"{URL}?cursor={cursor}").status_code == 404


# --- One -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 200), ("teacher", 404), ("moderator", 404), ("admin", 200)],
)
def test_who_opens_a_notification(client_for, note, who, status):
    assert client_for(who).get(path_of(note)).status_code == status


def test_what_is_not_shown_cannot_be_opened_or_read(client_for, student):
    note = NotificationFactory(recipient=student, in_app=False)

    assert client_for("student").get(path_of(note)).status_code == 404
    assert client_for("student").post(path_of(note, "read/")).status_code == 404


@pytest.mark.parametrize("kind", [Notification.PASSWORD_RESET, Notification.EMAIL_VERIFICATION, Notification.DIGEST])
def test_what_is_a_letter_alone_is_nobodys_to_see(client_for, student, kind):
    note = NotificationFactory(recipient=student, kind=kind, in_app=False)

    for who in ("student", "admin"):
        assert client_for(who).get(path_of(note)).status_code == 404
        assert client_for(who).delete(path_of(note)).status_code in {403, 404}
    assert Notification.objects.filter(pk=note.pk).exists()


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_reading_one(client_for, note):
    response = client_for("student").post(path_of(note, "read/"))

    note.refresh_from_db()
    assert response.status_code == 200
    assert response.json()["is_read"] is True
    assert note.is_read
    assert note.read_at is not None


def test_reading_again_keeps_the_first_moment(client_for, note):
    client = client_for("student")
    first = client.post(path_of(note, "read/")).json()["read_at"]

    assert client.post(path_of(note, "read/")).json()["read_at"] == first


@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("teacher", 404), ("moderator", 404), ("admin", 404)])
def test_nobody_reads_for_another(client_for, note, who, status):
    response = client_for(who).post(path_of(note, "read/"))

    note.refresh_from_db()
    assert (response.status_code, note.is_read) == (status, False)


def test_reading_all(client_for, student, note):
    NotificationFactory(recipient=student)
    before = NotificationFactory(recipient=student, is_read=True)
    others = NotificationFactory()

    response = client_for("student").post(f"{URL}read-all/")

    assert (response.status_code, response.json()) == (200, {"marked_read": 2})
    assert not Notification.objects.filter(recipient=student, is_read=False).exists()
    before.refresh_from_db()
    others.refresh_from_db()
    assert (before.read_at, others.is_read) == (None, False)


def test_reading_all_of_nothing(client_for):
    assert client_for("student").post(f"{URL}read-all/").json() == {"marked_read": 0}


def test_the_unread_are_counted(client_for, student, note):
    NotificationFactory(recipient=student, is_read=True)
    NotificationFactory(recipient=student, in_app=False)
    NotificationFactory()
    client = client_for("student")

    assert client.get(f"{URL}unread-count/").json() == {"unread_count": 1}
    assert client.get("/api/users/me/dashboard/").json()["unread_notifications"] == 1


@pytest.mark.parametrize("path", ["", "read-all/", "unread-count/", "preferences/"])
def test_the_anonymous_have_none(api, path):
    assert api.generic("POST" if path == "read-all/" else "GET", f"{URL}{path}").status_code == 401


# --- Admins write ----------------------------------------------------------------------------------------------------


def announcement(person, **fields):
    return {"recipient": str(person.pk), "subject": "Break", "message": "On Monday we rest.", **fields}


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("teacher", 403), ("moderator", 403), ("admin", 201)],
)
def test_who_tells_somebody_something(client_for, student, who, status):
    response = client_for(who).post(URL, announcement(student))

    assert response.status_code == status
    assert Notification.objects.count() == (status == 201)


def test_an_announcement(client_for, student, django_capture_on_commit_callbacks):
    response = client_for("admin").post(URL, announcement(student, url="https://lyceum.test/news"))

    note = Notification.objects.get()
    assert response.json()["id"] == str(note.pk)
    assert response.json()["created_at"] is not None
    assert "Location" not in response.headers  # which the note's link is not
    assert (note.recipient, note.kind, note.subject, note.message, note.url, note.email_status) == (
        student, "announcement", "Break", "On Monday we rest.", "https://lyceum.test/news", "pending",
    )  # fmt: skip
    assert ids(client_for("student").get(URL)) == [str(note.pk)]


@pytest.mark.parametrize(("language", "subject"), [("ru", "Объявление"), ("en", "Announcement")])
def test_an_announcement_without_a_subject(client_for, language, subject):
    """In its reader's language, whatever the admin's is."""
    reader = UserFactory(language=language)
    body = {"recipient": str(reader.pk), "message": "On Monday we rest."}

    response = client_for("admin").post(URL, body, headers={"accept-language": "ru" if language == "en" else "en"})

    assert (response.status_code, response.json()["subject"]) == (201, subject)


def test_the_same_may_be_said_twice(client_for, student):
    for _ in range(2):
        client_for("admin").post(URL, announcement(student))

    assert Notification.objects.count() == 2


def test_an_announcement_is_told_as_its_recipient_prefers(client_for, student):
    PreferenceFactory(user=student, kind="announcement", in_app=False, email="never")

    response = client_for("admin").post(URL, announcement(student))

    note = Notification.objects.get()
    assert (response.status_code, note.in_app, note.email_status) == (201, False, "none")
    assert client_for("admin").get(path_of(note)).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", None),
        ("recipient", "nobody"),
        ("recipient", "018f0000-0000-7000-8000-000000000000"),
        ("recipient", 7),
        ("recipient", {"id": 1}),
        ("subject", ""),
        ("subject", "x" * 256),
        ("subject", "a\x00b"),
        ("message", ""),
        ("message", "x" * 10_001),
        ("message", ["a"]),
        ("url", "javascript:alert(1)"),
        ("url", "ftp://lyceum.test/"),
        ("url", "/courses/1"),
        ("url", "https://[x"),
        ("url", f"https://lyceum.test/{'x' * 500}"),
    ],
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_bad_fields(client_for, student, note, method, field, value):
    if (method, field) == ("patch", "recipient"):
        pytest.skip("nobody changes to whom it was said")
    path = path_of(note) if method == "patch" else URL

    response = getattr(client_for("admin"), method)(path, announcement(student, **{field: value}))

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == field
    assert Notification.objects.get().subject == "Subject"


def test_half_a_character(client_for, student):
    body = json.dumps(announcement(student, message="\ud800"))

    response = client_for("admin").post(URL, body, content_type="application/json")

    assert (response.status_code, Notification.objects.count()) == (400, 0)


def test_nobody_tells_those_who_left(client_for):
    response = client_for("admin").post(URL, announcement(UserFactory(is_active=False)))

    assert (response.status_code, Notification.objects.count()) == (400, 0)


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("student", 403), ("teacher", 404), ("moderator", 404), ("admin", 200)]
)
def test_who_corrects_a_notification(client_for, note, method, who, status):
    response = getattr(client_for(who), method)(path_of(note), {"subject": "New", "message": "Better"})

    note.refresh_from_db()
    assert response.status_code == status
    assert (note.subject, note.message) == (("New", "Better") if status == 200 else ("Subject", "Message"))


def test_nothing_else_is_corrected(client_for, student, note, other):
    body = announcement(other, kind="enrolled", is_read=True, email_status="sent", in_app=False, dedup_key="x")

    response = client_for("admin").put(path_of(note), body)

    after = Notification.objects.get(pk=note.pk)
    assert (response.status_code, after.subject) == (200, "Break")
    assert (after.recipient, after.kind, after.is_read, after.email_status, after.in_app, after.dedup_key) == (
        student, "announcement", False, "pending", True, note.dedup_key,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("student", 403), ("teacher", 404), ("moderator", 404), ("admin", 204)]
)
def test_who_deletes_a_notification(client_for, note, who, status):
    assert client_for(who).delete(path_of(note)).status_code == status
    assert Notification.objects.filter(pk=note.pk).exists() is (status != 204)


# --- Writing many ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 40])
def test_notifying_costs_the_same_for_one_and_for_many(django_assert_num_queries, number):
    users = UserFactory.create_batch(number)
    notes = [Notification(recipient=user, kind="enrolled", subject="S", message="M", dedup_key="one") for user in users]

    with django_assert_num_queries(2):  # the preferences, the rows
        notifications.notify(iter(notes))

    assert Notification.objects.count() == number


def test_many_are_written_in_batches(monkeypatch):
    monkeypatch.setattr(notifications, "BATCH", 2)
    users = UserFactory.create_batch(5)
    in_memory, most = 0, 0

    def notes():
        nonlocal in_memory, most
        for user in users:
            in_memory += 1
            most = max(most, in_memory - Notification.objects.count())
            yield Notification(recipient=user, kind="enrolled", subject="S", message="M", dedup_key="one")

    notifications.notify(notes())

    assert (Notification.objects.count(), most) == (5, 2)


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(20)
def test_reading_all_while_letters_are_marked_as_sent(client_for, student):
    """Both change several rows of one person, and lock them in the order of their ids."""
    first, second = new_id(), new_id()
    for pk in (second, first):  # a bare UPDATE would lock them as they lie
        NotificationFactory(pk=pk, recipient=student)
    client = client_for("student")

    def read_all():
        try:
            return client.post(f"{URL}read-all/")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Notification.objects.filter(pk=first).lock()
        response = pool.submit(read_all)
        while not is_anybody_waiting():
            assert not response.done()
        Notification.objects.filter(pk=second).lock()

    assert response.result().status_code == 200


def is_anybody_waiting():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks waiting JOIN pg_locks held USING (pid) "
            "JOIN pg_database ON oid = held.database WHERE NOT waiting.granted AND datname = current_database()"
        )
        return cursor.fetchone()[0]
