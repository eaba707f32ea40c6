"""The admin's pages of the books and of Stripe's events."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from conftest import sign_in
from payments import gateway
from payments.models import NumberSeries, Payment, Refund, RefundRequest, WebhookEvent
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from payments.tests.helpers import give_back_at_stripe, made, pay
from users.models import Notification

PAYMENTS = "/admin/payments/payment/"
REFUNDS = "/admin/payments/refund/"
DISPUTES = "/admin/payments/dispute/"
SERIES = "/admin/payments/numberseries/"
EVENTS = "/admin/payments/webhookevent/"

pytestmark = pytest.mark.django_db


def admin_client(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff(admin):
    return admin_client(admin)


@pytest.fixture
def event(db):
    return WebhookEvent.objects.create(stripe_event_id="evt_admin", type="customer.created", payload={})


def run_action(client, path, action, *rows):
    response = client.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    assert response.status_code == 302, response.content[:500]


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
@pytest.mark.parametrize("path", [PAYMENTS, REFUNDS, DISPUTES, SERIES, EVENTS])
def test_no_one_else_enters(request, who, path):
    response = admin_client(request.getfixturevalue(who)).get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("query", [{}, {"q": "x"}, {"status": "succeeded"}])
def test_payments_open(staff, query):
    PaymentFactory()

    response = staff.get(PAYMENTS, query)

    assert response.status_code == 200


@pytest.mark.parametrize("query", [{}, {"q": "evt"}, {"processed_at__isempty": "1"}])
def test_events_open(staff, event, query):
    response = staff.get(EVENTS, query)

    assert response.status_code == 200


def test_a_payment_opens(staff):
    response = staff.get(f"{PAYMENTS}{PaymentFactory().pk}/change/")

    assert response.status_code == 200


def test_an_event_opens(staff, event):
    response = staff.get(f"{EVENTS}{event.pk}/change/")

    assert response.status_code == 200


def test_the_books_are_not_edited(staff):
    payment = PaymentFactory()

    response = staff.post(f"{PAYMENTS}{payment.pk}/change/", {"amount": "1.00"})

    assert response.status_code == 403
    payment.refresh_from_db()
    assert payment.amount == 1000


@pytest.mark.parametrize("path", [PAYMENTS, REFUNDS, DISPUTES, SERIES, EVENTS])
def test_nothing_is_added(staff, path):
    assert staff.get(f"{path}add/").status_code == 403


def test_nothing_is_deleted(staff):
    payment = PaymentFactory()

    response = staff.post(f"{PAYMENTS}{payment.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert Payment.objects.filter(pk=payment.pk).exists()


@pytest.mark.parametrize(
    ("path", "make"),
    [
        (REFUNDS, RefundFactory),
        (DISPUTES, DisputeFactory),
        (SERIES, lambda: NumberSeries.objects.create(name="R", last=7)),
    ],
)
def test_the_rest_of_the_books_is_looked_at(staff, path, make):
    row = make()

    assert staff.get(path).status_code == staff.get(f"{path}{row.pk}/change/").status_code == 200
    assert staff.get(path, {"q": "x"}).status_code == 200
    assert staff.post(f"{path}{row.pk}/change/", {"amount": "1.00"}).status_code == 403


# --- Papers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "make"), [(PAYMENTS, PaymentFactory), (REFUNDS, RefundFactory)])
def test_a_page_leads_to_its_paper(staff, path, make):
    row = make()

    page = staff.get(f"{path}{row.pk}/change/").content.decode()
    answer = staff.get(f"{path}{row.pk}/paper/")

    assert f'href="{path}{row.pk}/paper/"' in page
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")


def test_where_there_is_no_paper_the_page_says_so(staff):
    payment = PaymentFactory(status="pending")

    answer = staff.get(f"{PAYMENTS}{payment.pk}/paper/", follow=True)

    assert answer.redirect_chain == [(f"{PAYMENTS}{payment.pk}/change/", 302)]
    assert "messagelist" in answer.content.decode()


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
def test_papers_are_behind_the_same_door(request, who):
    answer = admin_client(request.getfixturevalue(who)).get(f"{PAYMENTS}{PaymentFactory().pk}/paper/")

    assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)
    assert not NumberSeries.objects.exists()


# --- Actions ---------------------------------------------------------------------------------------------------------


def test_stripe_is_asked(staff, pending):
    pay(pending.payment_url)

    run_action(staff, PAYMENTS, "ask_stripe", pending)

    pending.refresh_from_db()
    assert pending.status == "succeeded"


def test_stripe_is_away(staff, pending, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    gateway._client.cache_clear()

    run_action(staff, PAYMENTS, "ask_stripe", pending)

    pending.refresh_from_db()
    assert pending.status == "pending"


def test_an_event_is_processed_again(staff, event):
    run_action(staff, EVENTS, "process_again", event)

    event.refresh_from_db()
    assert event.processed_at is not None


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "Waits"),
        ({"attempts": WebhookEvent.MAX_ATTEMPTS}, "Given up"),
        ({"attempts": WebhookEvent.MAX_ATTEMPTS, "processed_at": timezone.now()}, "Processed"),
    ],
)
def test_it_shows_how_an_event_stands(staff, event, fields, state):
    WebhookEvent.objects.update(**fields)

    assert f'<td class="field-state">{state}</td>' in staff.get(EVENTS).text


def test_an_event_that_fails_again_says_why(staff, event):
    WebhookEvent.objects.filter(pk=event.pk).update(type="checkout.session.completed", payload={})

    run_action(staff, EVENTS, "process_again", event)

    event.refresh_from_db()
    assert event.processed_at is None
    assert "KeyError" in event.error


# --- Money moves, after a question -----------------------------------------------------------------------------------

REQUESTS = "/admin/payments/refundrequest/"


def ask(client, path, action, *rows, **fields):
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], **fields}
    return client.post(path, body, follow=True)


def hidden(response, name):
    return re.search(rf'name="{name}" value="([^"]+)"', response.text)[1]


def test_a_refund_is_asked_about_first(staff, paid, stripe):
    question = ask(staff, PAYMENTS, "refund", paid)

    assert "Is the money of these payments to go back?" in question.text
    assert not Refund.objects.exists()


@pytest.mark.parametrize(("amount", "status"), [("", "refunded"), ("250.50", "partially_refunded")])
def test_refunding(staff, admin, paid, stripe, amount, status):
    refund_id = hidden(ask(staff, PAYMENTS, "refund", paid), "refund_id")
    said = {"confirmed": "yes", "reason": "requested_by_customer", "amount": amount, "refund_id": refund_id}

    for _ in range(2):  # a double click
        response = ask(staff, PAYMENTS, "refund", paid, **said)

    paid.refresh_from_db()
    assert response.status_code == 200
    assert paid.status == status
    assert [one["amount"] for one in made(stripe, "refund")] == [25050 if amount else 100000]
    assert Refund.objects.get().created_by == admin


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": "other"}, "Say why."),
        ({"reason": "requested_by_customer", "amount": "1000.01"}, "At most 1,000.00\u00a0RUB can be given back."),
        ({"reason": "requested_by_customer", "amount": "-1"}, "greater than or equal to 0.01"),
    ],
)
def test_a_refund_that_cannot_be(staff, paid, stripe, fields, words):
    refund_id = hidden(ask(staff, PAYMENTS, "refund", paid), "refund_id")

    response = ask(staff, PAYMENTS, "refund", paid, confirmed="yes", refund_id=refund_id, **fields)

    assert words in response.text
    assert made(stripe, "refund") == []


def test_a_refund_that_stripe_refused_is_no_success_at_the_second_click(staff, paid, stripe):
    give_back_at_stripe(stripe, paid, amount=999_00)
    refund_id = hidden(ask(staff, PAYMENTS, "refund", paid), "refund_id")
    said = {"confirmed": "yes", "reason": "duplicate", "amount": "1000", "refund_id": refund_id}

    for _ in range(2):
        response = ask(staff, PAYMENTS, "refund", paid, **said)

        assert "The payment service refused this refund" in response.text


def test_a_request_that_is_decided_is_not_decided_again(staff, paid):
    declined = RefundRequest.objects.create(payment=paid, status="declined", reason="No time")

    response = ask(staff, REQUESTS, "decline", declined)

    assert "it has been decided already" in response.text


def test_several_go_back_in_full(staff):
    payments = [PaymentFactory(), PaymentFactory(), PaymentFactory(status="pending")]

    response = ask(staff, PAYMENTS, "refund", *payments, confirmed="yes", reason="duplicate")

    assert "Nothing of this payment can be given back." in response.text
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["pending", "refunded", "refunded"]


def test_confirming_cash(staff, admin):
    payment = PaymentFactory(status="pending", payment_method="cash")
    assert "Has this money arrived?" in ask(staff, PAYMENTS, "confirm", payment).text

    ask(staff, PAYMENTS, "confirm", payment, confirmed="yes", reference="17")

    payment.refresh_from_db()
    assert (payment.status, payment.reference, payment.confirmed_by) == ("succeeded", "17", admin)


@pytest.fixture
def asked(student, course):
    payment = PaymentFactory(user=student, paid_course=course, payment_method="cash")
    return RefundRequest.objects.create(payment=payment, reason="No time")


def test_approving_a_request(staff, admin, asked):
    refund_id = hidden(ask(staff, REQUESTS, "refund", asked), "refund_id")

    ask(staff, REQUESTS, "refund", asked, confirmed="yes", reason="requested_by_customer", refund_id=refund_id)

    asked.refresh_from_db()
    assert (asked.status, asked.decided_by, Payment.objects.get().status) == ("approved", admin, "refunded")


def test_declining_a_request(staff, admin, asked, student):
    assert "Are these requests to be declined?" in ask(staff, REQUESTS, "decline", asked).text
    assert "errorlist" in ask(staff, REQUESTS, "decline", asked, confirmed="yes", answer=" ").text
    asked.refresh_from_db()
    assert asked.status == "open"

    for _ in range(2):  # a double click
        ask(staff, REQUESTS, "decline", asked, confirmed="yes", answer="100% of it was watched")

    asked.refresh_from_db()
    assert (asked.status, asked.decided_by, Payment.objects.get().status) == ("declined", admin, "succeeded")
    letter = Notification.objects.get(recipient=student, dedup_key=f"refund_declined:{asked.pk}")
    assert letter.message.endswith("\n\n100% of it was watched")
    seen = sign_in(student).get(f"/api/payments/{asked.payment_id}/").json()["refund_requests"]
    assert [(one["status"], one["answer"]) for one in seen] == [("declined", "100% of it was watched")]
