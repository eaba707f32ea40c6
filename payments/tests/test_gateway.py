"""payments.gateway: what is sent to Stripe, and what its answers become."""

import time
from datetime import timedelta
from unittest import mock

import pytest
import stripe as sdk

from payments import gateway
from payments.models import Payment, StripePrice, StripeProduct
from payments.services import catalog
from payments.tests.factories import PaymentFactory
from payments.tests.helpers import browse, calls, control, failing_at, made, pay


@pytest.fixture
def payment(student, course, stripe):
    payment = PaymentFactory(user=student, paid_course=course, title="Python basics", status="pending")
    payment.refresh_from_db()
    return payment


def test_the_three_calls(payment, student, stripe):
    catalog.open_session(payment)

    product, price = made(stripe, "product")[0], made(stripe, "price")[0]
    metadata = {"payment_id": str(payment.pk)}
    sent = {call["path"]: call["params"] for call in calls(stripe)}
    # The stand-in knows every parameter of Stripe's own, and refuses others: nothing here is unknown.
    assert {call["status"] for call in calls(stripe)} == {200}
    assert sent == {
        "/v1/products": {"name": "Python basics", "metadata": {"item_id": str(payment.paid_course_id)}},
        "/v1/prices": {"product": product["id"], "currency": "rub", "unit_amount": "100000"},
        "/v1/checkout/sessions": {
            "mode": "payment",
            "line_items": {"0": {"price": price["id"], "quantity": "1"}},
            "success_url": "http://testserver/success/?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://testserver/cancel/?session_id={CHECKOUT_SESSION_ID}",
            "client_reference_id": str(payment.pk),
            "customer_email": student.email,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "adaptive_pricing": {"enabled": "false"},
            "expires_at": str(int((payment.created_at + timedelta(minutes=35)).timestamp())),
        },
    }


def test_an_unknown_parameter_would_be_noticed(payment, stripe):
    """The guard of the test above: the stand-in does refuse."""
    with pytest.raises(sdk.InvalidRequestError, match="unknown parameter"):
        gateway._client().v1.products.create({"name": "x", "nome": "y"})


def test_every_post_has_its_key(payment, stripe):
    catalog.open_session(payment)

    assert [call["idempotency_key"] for call in calls(stripe, "POST")] == [
        f"product-{StripeProduct.objects.get().pk}",
        f"price-{StripePrice.objects.get().pk}",
        f"payment-{payment.pk}-{made(stripe, 'price')[0]['id']}",
    ]


def test_the_same_session_however_often(payment, stripe):
    first = catalog.open_session(payment)

    assert catalog.open_session(payment) == first
    assert len(made(stripe, "checkout.session")) == 1


def test_an_open_session(payment, stripe):
    _product, _price, session = catalog.open_session(payment)

    assert session.url == f"{stripe.base}/c/pay/{session.id}"
    assert (session.status, session.payment_status, session.is_paid, session.has_failed) == (
        "open",
        "unpaid",
        False,
        False,
    )
    assert (str(session.amount), session.currency, session.payment_intent) == ("1000.00", "RUB", "")
    assert session.client_reference_id == str(payment.pk)


def test_a_paid_session(payment, stripe):
    session = catalog.open_session(payment)[2]
    pay(session.url)

    paid = gateway.retrieve_session(session.id)

    assert (paid.status, paid.payment_status, paid.is_paid, paid.url) == ("complete", "paid", True, "")
    assert paid.payment_intent == made(stripe, "payment_intent")[0]["id"]


def test_a_declined_card_is_no_failure_of_the_session(payment, stripe):
    session = catalog.open_session(payment)[2]
    pay(session.url, "4000000000000002")

    assert gateway.retrieve_session(session.id).has_failed is False


@pytest.mark.parametrize(("outcome", "is_paid", "has_failed"), [("succeeded", True, False), ("failed", False, True)])
def test_delayed_money(payment, stripe, outcome, is_paid, has_failed):
    session = catalog.open_session(payment)[2]
    browse(session.url, {"payment_method": "delayed"})
    waiting = gateway.retrieve_session(session.id)
    control(stripe, "settle", session=session.id, outcome=outcome)

    settled = gateway.retrieve_session(session.id)

    assert (waiting.status, waiting.is_paid, waiting.has_failed) == ("complete", False, False)
    assert (settled.is_paid, settled.has_failed) == (is_paid, has_failed)


def test_an_unknown_session(stripe):
    assert gateway.retrieve_session("cs_test_unknown") is None


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
def test_everything_else_is_a_pause(stripe, status):
    """400 too: a question about a session has nothing that Stripe could refuse for good."""
    control(stripe, "fail", status=status, count=10)

    with pytest.raises(gateway.StripeUnavailable):
        gateway.retrieve_session("cs_test_x")


def test_closing_a_session(payment, stripe):
    session = catalog.open_session(payment)[2]

    assert gateway.expire_session(session.id).status == "expired"
    assert made(stripe, "checkout.session")[0]["status"] == "expired"


def test_closing_it_twice(payment, stripe):
    session = catalog.open_session(payment)[2]
    gateway.expire_session(session.id)

    assert gateway.expire_session(session.id).status == "expired"


def test_a_paid_session_is_not_closed(payment, stripe):
    session = catalog.open_session(payment)[2]
    pay(session.url)

    assert gateway.expire_session(session.id).is_paid


def test_closing_what_is_not_there(stripe):
    assert gateway.expire_session("cs_test_unknown") is None


def test_closing_while_stripe_is_away(payment, stripe):
    session = catalog.open_session(payment)[2]
    control(stripe, "fail", status=500)

    with pytest.raises(gateway.StripeUnavailable):
        gateway.expire_session(session.id)


def test_silence_ends_after_the_time_out(quick_timeout, payment, stripe):
    control(stripe, "fail", hang=3)
    began = time.monotonic()

    with pytest.raises(gateway.StripeUnavailable):
        gateway.retrieve_session("cs_test_x")

    assert time.monotonic() - began < 1.5


def test_failures_are_not_asked_again_by_themselves(payment, stripe):
    """A person waits for the answer, and may ask again."""
    control(stripe, "fail", status=500, count=10)
    with pytest.raises(gateway.StripeUnavailable):
        catalog.open_session(payment)

    assert len(calls(stripe)) == 1


def test_a_key_that_is_in_flight_is_waited_for(payment, stripe):
    """Another request of the same payment is at work: its answer is ours, too."""
    with failing_at(stripe, "/v1/products", status=409, times=1):
        session = catalog.open_session(payment)[2]

    assert session.status == "open"
    assert [call["status"] for call in calls(stripe)] == [409, 200, 200, 200]


def test_a_key_that_stays_in_flight(payment, stripe):
    no_wait = mock.patch.object(sdk.HTTPClient, "_sleep_time_seconds", return_value=0)
    with failing_at(stripe, "/v1/products", status=409), no_wait, pytest.raises(gateway.StripeUnavailable):
        catalog.open_session(payment)

    assert [call["status"] for call in calls(stripe)] == [409] * 5


def test_what_stripe_refuses(payment, stripe):
    control(stripe, "fail", status=400)

    with pytest.raises(gateway.ChargeRefused) as caught:
        catalog.open_session(payment)

    assert caught.value.status_code == 400
    assert "The failure that was asked for." in str(caught.value.detail)


def test_the_least_amounts_are_stripes_to_judge(payment, stripe):
    Payment.objects.filter(pk=payment.pk).update(amount="0.10", currency="EUR")
    payment.refresh_from_db()

    with pytest.raises(gateway.ChargeRefused, match="at least"):
        catalog.open_session(payment)
