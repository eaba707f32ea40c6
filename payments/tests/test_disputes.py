"""The buyer's bank takes the money back, until it is decided who is right."""

import pytest

from materials.models import Enrollment
from materials.services import grant_access
from payments import gateway
from payments.models import Dispute, Payment
from payments.services import settling
from payments.tests.helpers import deliver, dispute, events_of, give_back_at_stripe, pay, post_webhook
from users.models import Notification


def is_open(payment):
    return Enrollment.objects.get(user=payment.user, course=payment.paid_course).is_open


def standing(payment):
    payment.refresh_from_db()
    return payment.status, is_open(payment)


def test_a_dispute_suspends(paid, stripe, admin):
    dispute(stripe, paid)

    assert deliver(stripe, "charge.dispute.created") == [200]

    assert standing(paid) == ("disputed", False)
    for person in (admin, paid.user):
        assert Notification.objects.filter(recipient=person, dedup_key__startswith="dispute:").count() == 1


def test_winning_restores(paid, stripe):
    dispute(stripe, paid)
    deliver(stripe, "charge.dispute.created")

    dispute(stripe, paid, "won")
    deliver(stripe, "charge.dispute.closed")

    assert standing(paid) == ("succeeded", True)
    assert Dispute.objects.get().closed_at is not None
    told = Notification.objects.filter(recipient=paid.user, dedup_key__startswith="dispute:").order_by("created_at")
    assert [one.subject.partition(":")[0] for one in told] == ["Спор", "Спор завершён"]


def test_winning_late_is_no_news_of_entering(paid, stripe, student):
    dispute(stripe, paid)
    deliver(stripe, "charge.dispute.created")
    Payment.objects.update(access_until="2026-01-31T00:00Z")
    before = Notification.objects.filter(recipient=student, kind="enrolled").count()

    dispute(stripe, paid, "won")
    deliver(stripe, "charge.dispute.closed")

    assert standing(paid) == ("succeeded", False)
    assert Notification.objects.filter(recipient=student, kind="enrolled").count() == before


@pytest.mark.parametrize(
    ("outcome", "to_buyer", "to_admin"),
    [
        ("open", "Ваш банк оспаривает 1\u00a0000,00\u00a0RUB.", "Банк покупателя оспаривает 1\u00a0000,00\u00a0RUB."),
        ("lost", "Ваш банк вернул вам 1\u00a0000,00\u00a0RUB.", "Банк вернул покупателю 1\u00a0000,00\u00a0RUB."),
    ],
)
def test_each_reads_whose_bank_it_is(paid, admin, stripe, outcome, to_buyer, to_admin):
    dispute(stripe, paid, outcome)
    deliver(stripe)

    for person, words in ((paid.user, to_buyer), (admin, to_admin)):
        letters = Notification.objects.filter(recipient=person, dedup_key__startswith="dispute:")
        assert letters.latest("created_at").message.startswith(words)


def test_winning_restores_what_was_given_back_in_part(paid, stripe):
    give_back_at_stripe(stripe, paid, amount=100_00)
    dispute(stripe, paid)
    deliver(stripe)
    assert standing(paid) == ("disputed", False)

    dispute(stripe, paid, "won")
    deliver(stripe)

    assert standing(paid) == ("partially_refunded", True)


def test_losing_closes_for_good(paid, stripe):
    dispute(stripe, paid, "lost")

    deliver(stripe)

    assert standing(paid) == ("disputed", False)
    assert Dispute.objects.get().closed_at is not None


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_the_end_is_told_before_the_beginning(paid, stripe, outcome):
    """Only what Stripe says now counts, whichever event comes when."""
    dispute(stripe, paid, outcome)
    created, closed = events_of(stripe, "charge.dispute.created", "charge.dispute.closed")

    for told in (closed, created, created):
        assert post_webhook(told).status_code == 200

    assert standing(paid) == (("succeeded", True) if outcome == "won" else ("disputed", False))
    assert Dispute.objects.get().status == outcome


def test_an_answer_from_before_its_end_changes_nothing(paid, stripe):
    """Two asked Stripe, and the one that asked first comes last."""
    dispute(stripe, paid)
    before = gateway.retrieve_session(paid.stripe_session_id)
    dispute(stripe, paid, "won")
    deliver(stripe)

    settling.settle(paid.pk, before)

    assert standing(paid) == ("succeeded", True)


def test_a_dispute_of_what_we_thought_unpaid(pending, stripe):
    pay(pending.payment_url)
    dispute(stripe, pending)

    deliver(stripe, "charge.dispute.created")

    assert standing(pending) == ("disputed", False)


def test_a_grant_stays(paid, student, course, stripe):
    grant_access(user=student, course=course, source="grant")
    dispute(stripe, paid)

    deliver(stripe)

    assert standing(paid) == ("disputed", True)
    assert Enrollment.objects.get().source == "grant"


def test_an_inquiry_takes_nothing(paid, stripe):
    dispute(stripe, paid)["status"]
    for opened in stripe.store.objects["dispute"].values():
        opened["status"] = "warning_needs_response"

    deliver(stripe)

    assert standing(paid) == ("succeeded", True)


def test_nobody_buys_again_while_it_is_open(buyer, paid, course, stripe):
    dispute(stripe, paid)
    deliver(stripe)

    answer = buyer.post("/api/payments/", {"paid_course": course.pk})

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_disputed")


def test_whoever_lost_may_buy_again(buyer, paid, course, stripe):
    dispute(stripe, paid, "lost")
    deliver(stripe)

    opened = buyer.post("/api/payments/", {"paid_course": course.pk})

    assert opened.status_code == 201
    pay(opened.json()["payment_url"])
    buyer.get(f"/api/payments/{opened.json()['payment_id']}/status/")
    assert is_open(paid)
