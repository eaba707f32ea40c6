"""What is made at Stripe once and used again: a product for each thing sold, a price for each amount of it."""

from unittest import mock

import pytest

from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from conftest import sign_in
from materials.models import Course
from payments import gateway
from payments.models import Payment, StripePrice, StripeProduct
from payments.tests.factories import CouponFactory
from payments.tests.helpers import failing_at, made, session_of
from users.tests.factories import UserFactory

URL = "/api/payments/"


def buy(course, **fields):
    """Somebody else opens a page for it."""
    answer = sign_in(UserFactory()).post(URL, {"paid_course": course.pk, **fields})
    assert answer.status_code == 201, answer.json()
    return Payment.objects.get(pk=answer.json()["payment_id"])


def counts(stripe):
    return [len(made(stripe, kind)) for kind in ("product", "price", "checkout.session")]


def test_one_product_and_one_price_for_many_buyers(course, stripe):
    payments = [buy(course) for _ in range(3)]

    assert counts(stripe) == [1, 1, 3]
    assert {payment.stripe_price_id for payment in payments} == {made(stripe, "price")[0]["id"]}
    assert {payment.stripe_product_id for payment in payments} == {made(stripe, "product")[0]["id"]}


def test_a_price_for_each_amount_and_currency(course, stripe):
    coupon = CouponFactory()
    for fields in ({}, {"coupon": coupon.code}, {}, {"coupon": coupon.code}):
        buy(course, **fields)
    Course.objects.update(currency="USD")
    buy(course)

    assert [(one["unit_amount"], one["currency"]) for one in made(stripe, "price")] == [
        (100000, "rub"), (90000, "rub"), (100000, "usd"),
    ]  # fmt: skip
    assert counts(stripe) == [1, 3, 5]


def test_a_lesson_is_a_product_of_its_own(course, lesson_for_sale, buyer, stripe):
    buy(course)
    buyer.post(URL, {"paid_lesson": lesson_for_sale.pk})

    assert [one["name"] for one in made(stripe, "product")] == [course.title, lesson_for_sale.title]


def test_a_changed_title_changes_the_product(course, stripe):
    buy(course)
    Course.objects.update(title="Python, advanced")
    buy(course)
    buy(course)

    assert [one["name"] for one in made(stripe, "product")] == ["Python, advanced"]
    assert counts(stripe) == [1, 1, 3]


@pytest.mark.parametrize("kind", ["product", "price"])
@pytest.mark.parametrize("how", ["archived", "deleted"])
def test_what_is_gone_at_stripe_is_made_anew(course, stripe, kind, how):
    buy(course)
    objects = stripe.store.objects
    (known,) = objects[kind].values()
    if how == "archived":
        known["active"] = False
        if kind == "product":  # Stripe refuses its prices then, which stay active themselves
            next(iter(objects["price"].values()))["active"] = False
    else:
        del objects[kind][known["id"]]

    payments = [buy(course), buy(course)]

    assert {session_of(stripe, payment)["status"] for payment in payments} == {"open"}
    assert len({payment.stripe_price_id for payment in payments}) == 1
    usable = [one for one in made(stripe, kind) if one["active"]]
    assert (len(usable), StripeProduct.objects.count(), StripePrice.objects.count()) == (1, 1, 1)


def test_everything_is_gone_at_stripe(course, stripe):
    """Another account, or a stand-in that has forgotten everything."""
    buy(course)
    stripe.store.clear()

    buy(course)

    assert counts(stripe) == [1, 1, 1]


@pytest.mark.parametrize("name", ["create_product", "create_price", "create_session"])
def test_whoever_is_cut_off_goes_on_with_the_same(buyer, course, stripe, name):
    real = getattr(gateway, name)

    class Killed(BaseException):
        """The process ends after Stripe's answer, before it is noted."""

    def answer_nobody(*args):
        real(*args)
        raise Killed

    with mock.patch.object(gateway, name, answer_nobody), pytest.raises(Killed):
        buyer.post(URL, {"paid_course": course.pk})

    assert buyer.post(URL, {"paid_course": course.pk}).status_code == 200
    buy(course)
    assert counts(stripe) == [1, 1, 2]


@pytest.mark.parametrize("address", ["/v1/products", "/v1/prices", "/v1/checkout/sessions"])
def test_an_answer_that_was_lost_makes_nothing_twice(buyer, course, stripe, address):
    with failing_at(stripe, address, cut=True):
        assert buyer.post(URL, {"paid_course": course.pk}).status_code == 503
    Course.objects.update(title="Renamed meanwhile")

    assert buyer.post(URL, {"paid_course": course.pk}).status_code == 200
    assert counts(stripe) == [1, 1, 1]


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_many_buyers_at_once(course, stripe):
    """Unique rows, and their ids as idempotency keys."""
    clients = [sign_in(UserFactory()) for _ in range(8)]

    answers = at_once(8, lambda number: clients[number].post(URL, {"paid_course": course.pk}))

    assert {answer.status_code for answer in answers} == {201}
    assert counts(stripe) == [1, 1, 8]
