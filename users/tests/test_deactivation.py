from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import services, tasks
from users.models import Notification, User
from users.tests.factories import PASSWORD, AdminFactory, ModeratorFactory, TeacherFactory, UserFactory
from users.tokens import issue_pair

LONG_AGO = timedelta(days=400)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def now():
    """A moment that stands still, so that boundaries are sharp."""
    with time_machine.travel("2030-06-01T02:00:00Z", tick=False):
        yield timezone.now()


def visitor(now, *, joined=LONG_AGO, logged_in=None, seen=None, factory=UserFactory, **fields):
    """Someone whose visits were so long ago."""
    return factory(
        date_joined=now - joined,
        last_login=now - logged_in if logged_in is not None else None,
        last_seen_at=now - seen if seen is not None else None,
        **fields,
    )


def is_active(user):
    user.refresh_from_db()
    return user.is_active


@pytest.mark.parametrize(
    ("last_visit", "stays"),
    [
        (timedelta(days=31), False),
        (timedelta(days=30, seconds=1), False),
        (timedelta(days=30), True),
        (timedelta(days=29), True),
        (timedelta(0), True),
    ],
)
@pytest.mark.parametrize("kind", ["joined", "logged_in", "seen"])
def test_every_kind_of_visit_counts(now, kind, last_visit, stays):
    user = visitor(now, **{kind: last_visit})

    tasks.deactivate_inactive_users()

    assert is_active(user) is stays


@pytest.mark.parametrize(
    ("visits", "stays"),
    [
        ({"logged_in": 31, "seen": 29}, True),
        ({"logged_in": 29, "seen": 31}, True),
        ({"logged_in": 31, "seen": 31}, False),
        ({"joined": 29, "logged_in": 31, "seen": 31}, True),
    ],
)
def test_the_latest_visit_counts(now, visits, stays):
    user = visitor(now, **{kind: timedelta(days=days) for kind, days in visits.items()})

    tasks.deactivate_inactive_users()

    assert is_active(user) is stays


def test_number_of_days_is_a_setting(now, settings):
    settings.INACTIVITY_DAYS = 5
    user = visitor(now, logged_in=timedelta(days=6))

    tasks.deactivate_inactive_users()

    assert not is_active(user)


@pytest.mark.parametrize(
    ("factory", "fields", "stays"),
    [
        (AdminFactory, {}, True),
        (UserFactory, {"is_superuser": True}, True),
        (TeacherFactory, {}, False),
        (ModeratorFactory, {}, False),
    ],
)
def test_staff_and_superusers_stay(now, factory, fields, stays):
    user = visitor(now, factory=factory, **fields)

    tasks.deactivate_inactive_users()

    assert is_active(user) is stays


def test_what_is_noted(now):
    user = visitor(now)

    done = tasks.deactivate_inactive_users()

    user.refresh_from_db()
    assert done == 1
    assert (user.deactivated_at, user.deactivation_reason) == (now, "inactivity")


def test_those_asleep_are_left_alone(now):
    user = visitor(now, is_active=False, deactivation_reason="admin")

    done = tasks.deactivate_inactive_users()

    user.refresh_from_db()
    assert (done, user.deactivation_reason) == (0, "admin")
    assert not Notification.objects.exists()


def test_logging_in_again_puts_it_off(now, api):
    user = visitor(now, email="anna@test.io")
    api.post("/api/auth/token/", {"email": user.email, "password": PASSWORD})

    tasks.deactivate_inactive_users()

    assert is_active(user)


def test_refreshing_a_token_puts_it_off(now, api):
    user = visitor(now)
    api.post("/api/auth/token/refresh/", {"refresh": issue_pair(user)["refresh"]})

    tasks.deactivate_inactive_users()

    assert is_active(user)


def test_tokens_are_dead(now, api):
    user = visitor(now, email="anna@test.io")
    pair = issue_pair(user)

    tasks.deactivate_inactive_users()

    assert api.get("/api/users/me/", headers={"Authorization": f"Bearer {pair['access']}"}).status_code == 401
    assert api.post("/api/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert api.post("/api/auth/token/", {"email": user.email, "password": PASSWORD}).status_code == 401


def test_each_gets_one_letter(now):
    users = [visitor(now) for _ in range(3)]
    for _ in range(2):
        tasks.deactivate_inactive_users()

    letters = Notification.objects.values_list("recipient", "kind", "email_status")
    assert set(letters) == {(user.pk, "account_deactivated", "pending") for user in users}
    assert len(letters) == 3


def test_letter_says_how_to_come_back(now):
    visitor(now, first_name="Anna", language="en", email_verified_at=now)

    tasks.deactivate_inactive_users()

    letter = Notification.objects.get()
    assert "Anna" in letter.message
    assert "30 days" in letter.message
    assert letter.message.endswith("To wake it up, set a new password:")
    assert letter.url == "https://lyceum.test/password/reset"


def test_letter_to_someone_without_a_name(now):
    visitor(now, first_name="", language="en")

    tasks.deactivate_inactive_users()

    assert Notification.objects.get().message.startswith("Hello!\n")


@pytest.mark.parametrize(("days", "in_words"), [(30, "30 дней"), (21, "21 день")])
def test_letters_are_in_the_languages_of_people(now, settings, days, in_words):
    settings.INACTIVITY_DAYS = days
    people = {visitor(now, language=language).pk: language for language in ("ru", "en", "ru")}
    words = {
        "ru": ("Ваша учётная запись деактивирована", f"Вы не заходили к нам {in_words},"),
        "en": ("Your account has been deactivated", f"You have not visited us for {days} days,"),
    }

    tasks.deactivate_inactive_users()

    for letter in Notification.objects.all():
        subject, message = words[people[letter.recipient_id]]
        assert (letter.subject, message in letter.message) == (subject, True)
    assert Notification.objects.count() == len(people)


def test_someone_put_to_sleep_twice_gets_two_letters(now):
    user = visitor(now)
    tasks.deactivate_inactive_users()
    user.refresh_from_db()
    user.activate()

    with time_machine.travel(now + timedelta(days=40), tick=False):
        tasks.deactivate_inactive_users()

    assert Notification.objects.count() == 2


def test_many_go_in_batches(now, monkeypatch):
    monkeypatch.setattr(services, "DEACTIVATION_BATCH", 2)
    for _ in range(5):
        visitor(now)

    done = tasks.deactivate_inactive_users()

    assert done == 5
    assert Notification.objects.count() == 5
    assert not User.objects.filter(is_active=True).exists()


def test_a_batch_and_its_letters_are_one(now, monkeypatch):
    user = visitor(now)

    def fail(notifications):
        raise RuntimeError("killed")

    monkeypatch.setattr(services, "notify", fail)

    with pytest.raises(RuntimeError):
        tasks.deactivate_inactive_users()

    assert is_active(user)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_deactivate_each_once(now, monkeypatch):
    monkeypatch.setattr(services, "DEACTIVATION_BATCH", 7)
    for _ in range(60):
        visitor(now)

    done = at_once(4, lambda number: tasks.deactivate_inactive_users())

    assert sum(done) == 60
    assert set(User.objects.values_list("is_active", "token_version")) == {(False, 1)}
    assert Notification.objects.count() == 60
