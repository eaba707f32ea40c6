import pytest

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users.models import Notification, NotificationPreference
from users.notifications import notify, set_preferences
from users.tests.factories import NotificationFactory, PreferenceFactory, UserFactory

URL = "/api/users/notifications/preferences/"
KINDS = [
    "course_updated", "enrolled", "submission_graded", "submission_returned", "comment_added", "certificate_issued",
    "due_soon", "payment_succeeded", "payment_refunded", "account_deactivated", "message_received", "announcement",
]  # fmt: skip

pytestmark = pytest.mark.django_db


def as_dict(response):
    assert response.status_code == 200, response.json()
    return {entry["kind"]: (entry["in_app"], entry["email"]) for entry in response.json()}


def written(user, kind="enrolled", **fields):
    """The notification as it stands in the database."""
    notify([Notification(recipient=user, kind=kind, subject="S", message="M", dedup_key="one", **fields)])
    return Notification.objects.get(recipient=user, dedup_key="one")


# --- Reading and saying them -----------------------------------------------------------------------------------------


def test_whoever_has_said_nothing_hears_everything_at_once(client_for):
    response = client_for("student").get(URL)

    assert response.json()[0].keys() == {"kind", "in_app", "email"}
    assert as_dict(response) == dict.fromkeys(KINDS, (True, "immediate"))


def test_what_is_given_is_set(client_for, student):
    client = client_for("student")
    wanted = [{"kind": "enrolled", "in_app": False, "email": "daily"}, {"kind": "announcement", "email": "never"}]

    response = client.put(URL, wanted)

    expected = dict.fromkeys(KINDS, (True, "immediate"))
    expected |= {"enrolled": (False, "daily"), "announcement": (True, "never")}
    assert as_dict(response) == expected
    assert as_dict(client.get(URL)) == expected
    assert as_dict(client_for("teacher").get(URL)) == dict.fromkeys(KINDS, (True, "immediate"))


def test_what_is_left_out_stays(client_for, student):
    PreferenceFactory(user=student, kind="enrolled", in_app=False, email="daily")
    PreferenceFactory(user=student, kind="due_soon", in_app=False, email="daily")
    client = client_for("student")

    client.put(URL, [{"kind": "enrolled", "email": "never"}, {"kind": "due_soon", "in_app": True}])

    found = as_dict(client.get(URL))
    assert (found["enrolled"], found["due_soon"]) == ((False, "never"), (True, "daily"))


def test_the_whole_list_may_be_sent_back(client_for):
    client = client_for("student")
    whole = [{**entry, "email": "daily"} for entry in client.get(URL).json()]

    assert as_dict(client.put(URL, whole)) == dict.fromkeys(KINDS, (True, "daily"))
    assert as_dict(client.put(URL, whole)) == dict.fromkeys(KINDS, (True, "daily"))
    assert NotificationPreference.objects.count() == len(KINDS)


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ([{"kind": "gossip", "email": "daily"}], "kind"),
        ([{"kind": "password_reset", "email": "never"}], "kind"),
        ([{"kind": "digest", "email": "never"}], "kind"),
        ([{"kind": None, "email": "daily"}], "kind"),
        ([{"kind": ["enrolled"], "email": "daily"}], "kind"),
        ([{"email": "daily"}], "kind"),
        ([{"kind": "enrolled", "email": "weekly"}], "email"),
        ([{"kind": "enrolled", "email": None}], "email"),
        ([{"kind": "enrolled", "email": {}}], "email"),
        ([{"kind": "enrolled", "in_app": "sometimes"}], "in_app"),
        ([{"kind": "enrolled", "in_app": None}], "in_app"),
        ([{"kind": "enrolled"}, {"kind": "enrolled"}], None),
        ({"kind": "enrolled", "email": "never"}, None),
        (["enrolled"], None),
        ("enrolled", None),
        (None, None),
    ],
)
def test_bad_bodies(client_for, body, attr):
    good = {"kind": "announcement", "email": "never"}
    response = client_for("student").put(URL, [good, *body] if isinstance(body, list) else body)

    assert response.status_code == 400
    if attr:
        assert response.json()["errors"][0]["attr"].rpartition(".")[2] == attr
    assert not NotificationPreference.objects.exists()


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_other_methods(client_for, method):
    assert getattr(client_for("student"), method)(URL).status_code == 405


@pytest.mark.parametrize("number", [1, 12])
def test_queries_of_setting(client_for, django_assert_num_queries, number):
    client = client_for("student")
    wanted = [{"kind": kind, "in_app": True, "email": "never"} for kind in KINDS[:number]]

    # The caller, a savepoint and its end, the person's lock, the rows, the letters that wait; the answer.
    with django_assert_num_queries(8):
        client.put(URL, wanted)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_do_not_undo_each_other():
    user = UserFactory()

    def write(number):
        changes = {"email": "never"} if number % 2 else {"in_app": False}
        kinds = KINDS if number < 4 else reversed(KINDS)
        set_preferences(user=user, preferences=[{"kind": kind, **changes} for kind in kinds])

    at_once(8, write)

    found = NotificationPreference.objects.filter(user=user)
    assert [(each.in_app, each.email) for each in found] == [(False, "never")] * len(KINDS)


# --- What they do ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_app", [True, False])
@pytest.mark.parametrize(("email", "status"), [("immediate", "pending"), ("daily", "digest"), ("never", "none")])
def test_notifications_are_written_as_preferred(email, status, in_app):
    user = UserFactory()
    PreferenceFactory(user=user, kind="enrolled", in_app=in_app, email=email)

    note = written(user)

    assert (note.in_app, note.email_status) == (in_app, status)


def test_preferences_are_of_one_person_and_one_kind():
    user, another = UserFactory.create_batch(2)
    PreferenceFactory(user=user, kind="enrolled", in_app=False, email="never")

    for note in (written(user, "due_soon"), written(another)):
        assert (note.in_app, note.email_status) == (True, "pending")


def test_many_recipients_each_have_their_own():
    people = UserFactory.create_batch(6)
    for user, email in zip(people, ["immediate", "daily", "never"] * 2, strict=True):
        PreferenceFactory(user=user, kind="enrolled", email=email)

    notify(Notification(recipient=user, kind="enrolled", subject="S", message="M", dedup_key="one") for user in people)

    found = Notification.objects.in_bulk([note.pk for note in Notification.objects.all()])
    by_user = {note.recipient_id: note.email_status for note in found.values()}
    assert [by_user[user.pk] for user in people] == ["pending", "digest", "none"] * 2


@pytest.mark.parametrize("fields", [{"in_app": False}, {"email_status": "none"}])
def test_what_a_writer_leaves_out_no_preference_brings_back(fields):
    user = UserFactory()
    PreferenceFactory(user=user, kind="enrolled", in_app=True, email="immediate")

    note = written(user, **fields)

    assert (note.in_app, note.email_status) == (fields.get("in_app", True), fields.get("email_status", "pending"))


def test_a_deactivation_is_told_whatever_is_preferred():
    user = UserFactory()
    PreferenceFactory(user=user, kind="account_deactivated", email="never")

    assert written(user, "account_deactivated").email_status == "pending"


@pytest.mark.parametrize("kind", [Notification.PASSWORD_RESET, Notification.EMAIL_VERIFICATION])
def test_letters_about_the_account_are_sent_and_never_shown(kind):
    note = written(UserFactory(), kind)

    assert (note.in_app, note.email_status) == (False, "pending")


@pytest.mark.parametrize(("status", "after"), [("pending", "none"), ("digest", "none"), ("sent", "sent")])
def test_letters_that_wait_are_not_wanted_any_more(client_for, student, status, after):
    note = NotificationFactory(recipient=student, kind="enrolled", email_status=status)
    kept = [
        NotificationFactory(recipient=student, kind="due_soon"),
        NotificationFactory(kind="enrolled"),
        NotificationFactory(recipient=student, kind="account_deactivated"),
    ]

    client_for("student").put(URL, [{"kind": kind, "email": "never"} for kind in ("enrolled", "account_deactivated")])

    note.refresh_from_db()
    assert note.email_status == after
    assert {Notification.objects.get(pk=each.pk).email_status for each in kept} == {"pending"}


def test_preferences_go_with_the_person(client_for, student):
    PreferenceFactory(user=student)
    PreferenceFactory()

    client_for("admin").delete(f"/api/users/{student.pk}/")

    assert NotificationPreference.objects.count() == 1
