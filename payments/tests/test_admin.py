"""The admin's pages of the books and of Stripe's events."""

import pytest
from django.test import Client

from payments import gateway
from payments.models import Payment, WebhookEvent
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import pay

PAYMENTS = "/admin/payments/payment/"
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
@pytest.mark.parametrize("path", [PAYMENTS, EVENTS])
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


@pytest.mark.parametrize("path", [PAYMENTS, EVENTS])
def test_nothing_is_added(staff, path):
    assert staff.get(f"{path}add/").status_code == 403


def test_nothing_is_deleted(staff):
    payment = PaymentFactory()

    response = staff.post(f"{PAYMENTS}{payment.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert Payment.objects.filter(pk=payment.pk).exists()


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


def test_an_event_that_fails_again_says_why(staff, event):
    WebhookEvent.objects.filter(pk=event.pk).update(type="checkout.session.completed", payload={})

    run_action(staff, EVENTS, "process_again", event)

    event.refresh_from_db()
    assert event.processed_at is None
    assert "KeyError" in event.error
