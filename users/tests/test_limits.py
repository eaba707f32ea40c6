"""Letters are no weapon: none with other people's words to an address that is not verified, and few an hour to
anybody."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from community.models import Feedback
from community.services import feedback as feedback_service
from users import account, account_letters, delivery, leases, limits, tasks
from users.models import Notification, SocialAccount, User
from users.tests.factories import AdminFactory, NotificationFactory, PreferenceFactory, UserFactory

pytestmark = pytest.mark.django_db

KINDS = sorted(Notification.Kind.values)
ABOUT_THE_ACCOUNT = {"account_deactivated"}
HOSTILE = "Buy at https://evil.test now"
MANY = limits.LETTERS_PER_HOUR + 5


@pytest.fixture
def stranger():
    """Whoever registered has given a stranger's address, and words of their own for everything else."""
    return UserFactory(
        email="stranger@test.io",
        first_name=HOSTILE,
        last_name=HOSTILE,
        city=HOSTILE,
        language="en",
        email_verified_at=None,
    )


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io", language="en")


def letters(mailoutbox):
    tasks.send_pending_emails()
    return mailoutbox


def statuses(kind="enrolled"):
    return sorted(Notification.objects.filter(kind=kind).values_list("email_status", flat=True))


def write(user, number=1, kind="enrolled", **fields):
    return [NotificationFactory(recipient=user, kind=kind, **fields) for _ in range(number)]


# --- Addresses that are not verified ---------------------------------------------------------------------------------


def test_every_kind_is_limited_or_about_the_account():
    assert set(KINDS) - ABOUT_THE_ACCOUNT == Notification.LIMITED


@pytest.mark.parametrize("kind", KINDS)
def test_an_unverified_address_gets_what_is_about_the_account(stranger, mailoutbox, kind):
    (note,) = write(stranger, kind=kind)

    sent = len(letters(mailoutbox))

    assert sent == (1 if kind in ABOUT_THE_ACCOUNT else 0)
    note.refresh_from_db()
    assert (note.email_status, note.in_app, note.email_lease) == ("sent" if sent else "none", True, None)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - ABOUT_THE_ACCOUNT))
def test_nor_a_digest(stranger, mailoutbox, kind):
    PreferenceFactory(user=stranger, kind=kind, email="daily")
    write(stranger, kind=kind, email_status="digest")

    tasks.send_daily_digests()

    assert letters(mailoutbox) == []
    assert statuses(kind) == ["none"]


def test_a_digest_on_its_way_stops_when_the_address_is_no_longer_verified(anna, mailoutbox):
    write(anna, email_status="digest")
    tasks.send_daily_digests()
    User.objects.filter(pk=anna.pk).update(email_verified_at=None)

    assert letters(mailoutbox) == []


def test_once_it_is_verified_letters_come(stranger, mailoutbox):
    User.objects.filter(pk=stranger.pk).update(email_verified_at=timezone.now())
    write(stranger)

    assert len(letters(mailoutbox)) == 1


ACCOUNT_LETTERS = {
    "password_reset": lambda user: account_letters.password_reset(user),
    "email_verification": lambda user: account_letters.email_verification(user),
    "email_changing": lambda user: account_letters.email_changing(user),
    "email_changed": lambda user: account_letters.email_changed(user, "get-it-at-evil.test@test.io"),
    "sign_in_added": lambda user: account_letters.sign_in_added(user, "google"),
    "password_changed": lambda user: account_letters.password_changed(user),
    "signed_out_everywhere": lambda user: account_letters.signed_out_everywhere(user),
    "deactivated": lambda user: Notification(
        recipient=user, kind="account_deactivated", dedup_key="x", **account_letters.deactivated(user)
    ),
}


def test_every_letter_about_the_account_is_walked():
    made = {
        name for name, value in vars(account_letters).items() if getattr(value, "__module__", "").endswith("letters")
    }

    assert {name for name in made if not name.startswith("_")} - {"write", "greeted"} == set(ACCOUNT_LETTERS)


@pytest.mark.parametrize("name", ACCOUNT_LETTERS)
def test_no_letter_about_the_account_repeats_a_word(stranger, mailoutbox, name):
    SocialAccount.objects.create(user=stranger, provider="google", uid=HOSTILE)
    User.objects.filter(pk=stranger.pk).update(pending_email="get-it-at-evil.test@test.io", username="evil.test")
    stranger.refresh_from_db()
    letter = ACCOUNT_LETTERS[name](stranger)
    letter.email_to = "stranger@test.io"
    account_letters.write([letter])

    (sent,) = letters(mailoutbox)

    assert "evil" not in f"{sent.subject} {sent.body} {sent.alternatives}"


@pytest.mark.parametrize("name", ACCOUNT_LETTERS)
def test_few_of_one_kind_come_an_hour(stranger, mailoutbox, name):
    SocialAccount.objects.create(user=stranger, provider="google", uid="1")
    for _ in range(account_letters.PER_HOUR + 2):
        letter = ACCOUNT_LETTERS[name](stranger)
        letter.dedup_key = str(letter.pk)
        account_letters.write([letter])

    assert len(letters(mailoutbox)) == account_letters.PER_HOUR
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        account_letters.write([ACCOUNT_LETTERS[name](stranger)])
        assert len(letters(mailoutbox)) == account_letters.PER_HOUR + 1


def test_asking_again_and_again_fills_no_mailbox(sign_in_as, stranger, mailoutbox):
    client = sign_in_as(stranger)

    assert {client.post("/api/auth/email/verify/resend/").status_code for _ in range(20)} == {204}
    assert len(letters(mailoutbox)) == 5


# --- The feedback form -----------------------------------------------------------------------------------------------


def answer(admin, mailoutbox, number=1, **fields):
    for _ in range(number):
        fields = {"name": HOSTILE, "subject": HOSTILE, "message": HOSTILE, "language": "en", **fields}
        sent = feedback_service.send_feedback(**fields)
        feedback_service.answer_feedback(feedback=sent, admin=admin, answer="We will see.")
    feedback_service.send_answers()
    return [letter for letter in mailoutbox if "We will see." in letter.body]


@pytest.mark.parametrize("verified", [False, True])
def test_an_answer_repeats_words_to_their_owner_alone(mailoutbox, verified):
    user = UserFactory(email="s@test.io", email_verified_at=timezone.now() if verified else None)

    (letter,) = answer(AdminFactory(), mailoutbox, user=user, email="S@test.io")

    assert ("evil" in f"{letter.subject} {letter.body}") is verified


@pytest.mark.parametrize("who", [None, "another"])
def test_an_answer_to_whoever_typed_an_address(anna, mailoutbox, who):
    user = UserFactory() if who else None

    (letter,) = answer(AdminFactory(), mailoutbox, user=user, email=anna.email)

    assert "evil" not in f"{letter.subject} {letter.body}"


def test_answers_are_few_an_hour_too(mailoutbox):
    assert len(answer(AdminFactory(), mailoutbox, MANY, user=None, email="s@test.io")) == limits.LETTERS_PER_HOUR
    with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1)):
        feedback_service.send_answers()
    assert len([letter for letter in mailoutbox if letter.to == ["s@test.io"]]) == MANY
    assert Feedback.objects.count() == MANY


# --- How many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(Notification.LIMITED))
def test_of_a_flood_twenty_letters_come_and_the_rest_in_a_digest(anna, mailoutbox, kind):
    notes = [note for number in range(MANY) for note in write(anna, kind=kind, subject=f"Note {number}.")]

    assert len(letters(mailoutbox)) == limits.LETTERS_PER_HOUR
    assert [letter.subject for letter in mailoutbox] == [note.subject for note in notes[: limits.LETTERS_PER_HOUR]]
    tasks.send_daily_digests()
    *_twenty, digest = letters(mailoutbox)

    assert set(re.findall(r"Note \d+\.", digest.body)) == {note.subject for note in notes[limits.LETTERS_PER_HOUR :]}
    assert statuses(kind) == ["sent"] * MANY


def test_of_all_kinds_together(anna, mailoutbox):
    for kind in sorted(Notification.LIMITED) * 3:
        write(anna, kind=kind)

    assert len(letters(mailoutbox)) == limits.LETTERS_PER_HOUR


def test_in_many_runs(anna, mailoutbox):
    for _ in range(MANY):
        write(anna)
        tasks.send_pending_emails()

    assert len(mailoutbox) == limits.LETTERS_PER_HOUR


def test_in_the_next_hour_letters_come_again(anna, mailoutbox):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        write(anna, MANY)
        assert len(letters(mailoutbox)) == 20
        clock.shift(timedelta(minutes=59))
        write(anna)
        assert len(letters(mailoutbox)) == 20
        clock.shift(timedelta(minutes=2))
        write(anna)
        assert len(letters(mailoutbox)) == 21


def test_what_waited_for_the_server_counts_when_it_goes_out(anna, mailoutbox):
    now = timezone.now()
    for hours in (30, 20, 10):
        with time_machine.travel(now - timedelta(hours=hours)):
            write(anna, 15)

    assert len(letters(mailoutbox)) == limits.LETTERS_PER_HOUR


def test_what_a_digest_told_does_not_count(anna, mailoutbox):
    write(anna, MANY, email_status="digest")
    tasks.send_daily_digests()
    assert len(letters(mailoutbox)) == 1
    write(anna)

    assert len(letters(mailoutbox)) == 2


def test_letters_about_the_account_come_all_the_same(anna, mailoutbox):
    write(anna, MANY)
    account.send_verification(UserFactory(email_verified_at=None))
    account_letters.write([account_letters.password_reset(anna)])

    assert len(letters(mailoutbox)) == limits.LETTERS_PER_HOUR + 2


def test_others_get_theirs(anna, mailoutbox):
    write(anna, MANY)
    boris = UserFactory()
    write(boris)

    assert [letter.to for letter in letters(mailoutbox)].count([boris.email]) == 1


@pytest.mark.parametrize("people", [1, 40])
def test_looking_costs_one_query_a_chunk(django_assert_num_queries, people):
    for user in UserFactory.create_batch(people):
        write(user)
    chunk = leases.lease_letters()

    with django_assert_num_queries(1):
        assert limits.sift(chunk, chunk[0].email_lease) == chunk


def test_two_workers_count_what_the_other_has_in_hand(anna, monkeypatch):
    monkeypatch.setattr(leases, "LETTERS_PER_LEASE", 15)
    write(anna, 30)
    one, other = leases.lease_letters(), leases.lease_letters()

    sent = [len(limits.sift(chunk, chunk[0].email_lease)) for chunk in (one, other)]

    assert sum(sent) <= limits.LETTERS_PER_HOUR


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once(mailoutbox, monkeypatch):
    monkeypatch.setattr(leases, "LETTERS_PER_LEASE", 8)
    anna = UserFactory()
    write(anna, 60)

    at_once(4, lambda number: delivery.send_letters())

    assert 1 <= len(mailoutbox) <= limits.LETTERS_PER_HOUR
    assert set(statuses()) == {"sent", "digest"}
