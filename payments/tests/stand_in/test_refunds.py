"""Refunds and disputes."""

import pytest
import stripe


def charge_of(client, paid):
    return client.v1.charges.list({"payment_intent": paid.payment_intent}).data[0]


def events(client, kind):
    return client.v1.events.list({"type": kind}).data


def test_a_partial_refund(client, paid):
    refund = client.v1.refunds.create(
        {"payment_intent": paid.payment_intent, "amount": 500, "reason": "requested_by_customer"}
    )

    charge = charge_of(client, paid)
    assert (refund.status, refund.amount, refund.reason) == ("succeeded", 500, "requested_by_customer")
    assert (charge.amount_refunded, charge.refunded) == (500, False)


def test_refunds_add_up(client, paid):
    client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 500})
    rest = client.v1.refunds.create({"payment_intent": paid.payment_intent})

    charge = charge_of(client, paid)
    assert rest.amount == 1490
    assert (charge.amount_refunded, charge.refunded) == (1990, True)
    assert [one.data.object.amount_refunded for one in events(client, "charge.refunded")] == [1990, 500]


def test_a_refund_by_charge(client, paid):
    refund = client.v1.refunds.create({"charge": charge_of(client, paid).id, "metadata": {"why": "x"}})

    assert (refund.payment_intent, refund.metadata.to_dict()) == (paid.payment_intent, {"why": "x"})


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refunded"])
def test_a_refund_makes_events(client, paid, kind):
    client.v1.refunds.create({"payment_intent": paid.payment_intent})

    assert [one.data.object.payment_intent for one in events(client, kind)] == [paid.payment_intent]


def test_more_than_what_is_left_is_refused(client, paid):
    client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 990})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 1001})

    words = "Refund amount ($10.01) is greater than unrefunded amount on charge ($10.00)"
    assert (caught.value.http_status, caught.value.param, caught.value.user_message) == (400, "amount", words)


def test_a_refunded_charge_is_refused(client, paid):
    client.v1.refunds.create({"payment_intent": paid.payment_intent})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.payment_intent})

    assert caught.value.code == "charge_already_refunded"


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_is_positive(client, paid, amount):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": amount})

    assert caught.value.code == "parameter_invalid_integer"


def test_other_reasons_are_refused(client, paid):
    with pytest.raises(stripe.InvalidRequestError, match="must be one of duplicate, fraudulent, or requested"):
        client.v1.refunds.create({"payment_intent": paid.payment_intent, "reason": "bored"})


def test_an_unknown_payment_is_missing(client):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": "pi_none"})

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (
        404,
        "resource_missing",
        "payment_intent",
    )


def test_a_dispute_is_opened(client, control, paid):
    control("dispute", payment_intent=paid.payment_intent, outcome="open")

    (dispute,) = client.v1.disputes.list({"payment_intent": paid.payment_intent}).data
    assert (dispute.status, dispute.amount) == ("needs_response", 1990)
    assert [one.data.object.id for one in events(client, "charge.dispute.created")] == [dispute.id]


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_an_open_dispute_is_closed(client, control, paid, outcome):
    control("dispute", payment_intent=paid.payment_intent, outcome="open")
    control("dispute", payment_intent=paid.payment_intent, outcome=outcome)

    (dispute,) = client.v1.disputes.list().data
    assert dispute.status == outcome
    assert [one.data.object.status for one in events(client, "charge.dispute.closed")] == [outcome]


def test_closing_opens_a_dispute_first(client, control, paid):
    control("dispute", payment_intent=paid.payment_intent, outcome="lost")

    assert len(events(client, "charge.dispute.created")) == 1


@pytest.mark.parametrize(("outcome", "refundable"), [("open", False), ("lost", False), ("won", True)])
def test_a_disputed_charge_is_refunded_only_after_winning(client, control, paid, outcome, refundable):
    control("dispute", payment_intent=paid.payment_intent, outcome=outcome)

    if refundable:
        assert client.v1.refunds.create({"payment_intent": paid.payment_intent}).status == "succeeded"
    else:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.refunds.create({"payment_intent": paid.payment_intent})
        assert caught.value.code == "charge_disputed"
