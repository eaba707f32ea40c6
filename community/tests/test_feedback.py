"""The feedback form: what comes in, who is told, and what is answered."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from community.models import Feedback, FeedbackAnswer
from community.tasks import send_feedback_answers
from community.tests.factories import FeedbackFactory
from users.models import Notification
from users.tasks import send_pending_emails
from users.tests.factories import PASSWORD, AdminFactory, UserFactory

FEEDBACK = "/api/feedback/"
LETTER = {"name": "Анна", "email": "anna@test.io", "subject": "Почему?", "message": "Не открывается урок"}


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def answer(client, feedback, **body):
    return client.patch(f"{FEEDBACK}{feedback.pk}/", body)


@pytest.fixture
def office(client_for):
    return client_for("admin")


# --- Sending ---------------------------------------------------------------------------------------------------------


def test_anybody_sends_it(api, db):
    sent = api.post(FEEDBACK, LETTER, headers={"Accept-Language": "ru"})

    assert sent.status_code == 201
    feedback = Feedback.objects.get()
    assert sent.json() == {
        **LETTER,
        "id": str(feedback.pk),
        "status": "new",
        "created_at": sent.json()["created_at"],
    }
    assert (feedback.user, feedback.language) == (None, "ru")


def test_whoever_is_signed_in_is_remembered(client_for, student):
    client_for("student").post(FEEDBACK, {**LETTER, "user": "x", "answer": "x", "status": "closed"})

    feedback = Feedback.objects.get()
    assert (feedback.user, feedback.answer, feedback.status) == (student, "", "new")


def test_the_admins_are_told_by_a_letter(api, admin):
    AdminFactory(is_active=False)
    UserFactory(is_superuser=True)

    api.post(FEEDBACK, LETTER)

    notification = Notification.objects.get()
    feedback = Feedback.objects.get()
    assert (notification.recipient, notification.kind) == (admin, "announcement")
    assert "Почему?" in notification.subject
    assert notification.message == LETTER["message"]
    assert notification.url == f"http://testserver/admin/community/feedback/{feedback.pk}/change/"
    send_pending_emails()
    assert [letter.to for letter in mail.outbox] == [[admin.email]]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": ""}, ("name", "blank")),
        ({"name": "x" * 101}, ("name", "max_length")),
        ({"email": "x"}, ("email", "invalid")),
        ({"email": "a@b.test\nBcc: c@d.test"}, ("email", "invalid")),
        ({"subject": "x" * 201}, ("subject", "max_length")),
        ({"subject": "a\0"}, ("subject", "null_characters_not_allowed")),
        ({"message": " "}, ("message", "blank")),
        ({"message": "x" * 5001}, ("message", "max_length")),
        ({"message": {}}, ("message", "invalid")),
    ],
)
def test_what_is_refused(api, db, fields, error):
    assert codes(api.post(FEEDBACK, {**LETTER, **fields})) == {error}
    assert not Feedback.objects.exists()


def test_what_is_needed(api, db):
    assert {attr for attr, _code in codes(api.post(FEEDBACK, {}))} == set(LETTER)


def test_a_throttle_for_an_address_and_for_a_person(api, client_for, student, moderator, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": None, "user": None, "feedback": "5/hour"})
    person, staff = client_for("student"), client_for("moderator")

    assert [api.post(FEEDBACK, {}).status_code for _ in range(6)] == [400] * 6

    statuses = [api.post(FEEDBACK, LETTER).status_code for _ in range(6)]

    assert statuses == [201] * 5 + [429]
    refused = api.post(FEEDBACK, LETTER, headers={"X-Forwarded-For": "203.0.113.9"})
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert person.post(FEEDBACK, LETTER).status_code == 201
    assert [staff.get(FEEDBACK).status_code for _ in range(7)] == [200] * 7


# --- Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 5])
def test_a_page_takes_two_queries(office, django_assert_num_queries, number):
    for _ in range(number):
        FeedbackFactory()

    with django_assert_num_queries(2):  # who asks; the page with its count
        assert office.get(FEEDBACK).json()["count"] == number


def test_by_status(office, db):
    FeedbackFactory(status="answered")
    new = FeedbackFactory()

    found = office.get(FEEDBACK, {"status": "new"}).json()["results"]

    assert [one["id"] for one in found] == [str(new.pk)]
    assert codes(office.get(FEEDBACK, {"status": "x"})) == {("status", "invalid_choice")}


# --- Answering -------------------------------------------------------------------------------------------------------


def test_an_answer_goes_out_as_a_letter(office, admin, api):
    anna = UserFactory(email="anna@test.io")
    feedback = FeedbackFactory(user=anna, email=anna.email, subject="Why\r\nBcc: x@test.io", message="First\nsecond")

    answered = answer(office, feedback, answer="Because").json()

    assert (answered["status"], answered["answer"], answered["answered_by"]) == ("answered", "Because", str(admin.pk))
    assert answered["answer_sent_at"] is None
    assert send_feedback_answers() == 1
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["anna@test.io"], "Re: Why Bcc: x@test.io")
    assert letter.body == "Because\n\nYou wrote:\n> First\n> second\n"
    assert letter.extra_headers["Message-ID"] == f"<{FeedbackAnswer.objects.get().pk}@example.com>"
    assert office.get(f"{FEEDBACK}{feedback.pk}/").json()["answer_sent_at"] is not None
    assert send_feedback_answers() == 0


def test_each_answer_is_one_letter(office):
    feedback = FeedbackFactory()

    for text in ("One", "One", "Two", "Two"):
        answer(office, feedback, answer=text)

    send_feedback_answers()
    assert [letter.body.partition("\n")[0] for letter in mail.outbox] == ["One", "Two"]


def test_a_status_alone_sends_nothing(office):
    feedback = FeedbackFactory()

    assert answer(office, feedback, status="closed").json()["status"] == "closed"
    assert answer(office, feedback, answer="So", status="closed").json()["status"] == "closed"
    assert answer(office, feedback).json()["answer"] == "So"
    assert FeedbackAnswer.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"answer": ""}, ("answer", "blank")),
        ({"answer": None}, ("answer", "null")),
        ({"answer": "x" * 10_001}, ("answer", "max_length")),
        ({"answer": []}, ("answer", "invalid")),
        ({"status": "x"}, ("status", "invalid_choice")),
    ],
)
def test_answers_that_are_refused(office, body, error):
    assert codes(answer(office, FeedbackFactory(), **body)) == {error}
    assert not FeedbackAnswer.objects.exists()


def test_what_was_written_is_not_changed(office):
    feedback = FeedbackFactory(email="anna@test.io")

    answer(office, feedback, answer="x", email="other@test.io", message="x", name="x", user="x")

    feedback.refresh_from_db()
    assert (feedback.email, feedback.message, feedback.user) == ("anna@test.io", "What is it?", None)


def test_it_is_sent_in_the_senders_language(office):
    answer(office, FeedbackFactory(language="ru"), answer="x")

    send_feedback_answers()

    assert mail.outbox[0].subject == "Ответ на ваше сообщение"


# --- The letters -----------------------------------------------------------------------------------------------------


class Server:
    """A mail server that fails as it is told to, one failure a letter."""

    def __init__(self, monkeypatch, *failures):
        self.failures = list(failures)
        send = mail.EmailMessage.send

        def fail_or_send(message, *args, **kwargs):
            if self.failures:
                raise self.failures.pop(0)
            return send(message, *args, **kwargs)

        monkeypatch.setattr("community.services.feedback.EmailMessage.send", fail_or_send)


@pytest.fixture
def waiting(admin):
    return FeedbackAnswer.objects.create(feedback=FeedbackFactory(), author=admin, text="So")


def test_a_server_that_is_away_loses_no_letter(waiting, monkeypatch):
    Server(monkeypatch, ConnectionRefusedError(), smtplib.SMTPServerDisconnected())

    assert [send_feedback_answers() for _ in range(4)] == [0, 0, 1, 0]
    waiting.refresh_from_db()
    assert (len(mail.outbox), waiting.attempts) == (1, 1)


def test_a_letter_refused_for_the_moment_is_tried_again_later(waiting, monkeypatch, time_machine):
    Server(monkeypatch, smtplib.SMTPRecipientsRefused({"a": (450, b"Later")}))

    assert [send_feedback_answers() for _ in range(2)] == [0, 0]
    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    assert send_feedback_answers() == 1


@pytest.mark.parametrize("failure", [smtplib.SMTPRecipientsRefused({"a": (550, b"No")}), ValueError("no address")])
def test_a_letter_refused_for_good_is_given_up(waiting, monkeypatch, time_machine, failure):
    Server(monkeypatch, failure)
    send_feedback_answers()

    time_machine.move_to(timezone.now() + timedelta(days=9))

    assert send_feedback_answers() == 0
    waiting.refresh_from_db()
    assert waiting.is_refused
    assert waiting.error


def test_a_killed_workers_letter_is_taken_over(waiting, time_machine):
    FeedbackAnswer.objects.update(leased_until=timezone.now() + FeedbackAnswer.LEASE)
    assert send_feedback_answers() == 0

    time_machine.move_to(timezone.now() + timedelta(minutes=3))

    assert send_feedback_answers() == 1


# --- Leaving ---------------------------------------------------------------------------------------------------------


def test_whoever_leaves_takes_name_and_email_along(client_for, student, admin):
    mine = FeedbackFactory(user=student)
    before_joining = FeedbackFactory(email="Student@Test.io")
    other = FeedbackFactory(name="Other")
    waits = FeedbackAnswer.objects.create(feedback=mine, author=admin, text="So")

    assert client_for("student").delete("/api/users/me/", {"password": PASSWORD}).status_code == 204

    for feedback in (mine, before_joining):
        feedback.refresh_from_db()
        assert (feedback.name, feedback.email, feedback.message) == ("", "", "What is it?")
    other.refresh_from_db()
    assert other.name == "Other"
    waits.refresh_from_db()
    assert waits.is_refused
    assert send_feedback_answers() == 0


def test_whoever_has_left_is_not_answered(office, client_for):
    """It would look as if a letter had been sent."""
    left = FeedbackFactory(email="")

    response = office.patch(f"{FEEDBACK}{left.pk}/", {"answer": "So"})

    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "answer")
    assert not FeedbackAnswer.objects.exists()
    assert office.patch(f"{FEEDBACK}{left.pk}/", {"status": "closed"}).status_code == 200
