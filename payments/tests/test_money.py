"""common.money: how Stripe counts, https://docs.stripe.com/currencies."""

from decimal import Decimal

import pytest
from rest_framework.exceptions import ValidationError

from common.money import (
    NO_DECIMALS,
    THREE_DECIMALS,
    ZERO_CENTS,
    check_price,
    exponent,
    from_minor_units,
    to_minor_units,
)
from payments.stand_in import money as stripes

CURRENCIES = sorted(code.upper() for code in stripes.CURRENCIES)
PAIRS = [
    ("10.50", "RUB", 1050),
    ("10.5", "rub", 1050),
    ("0.01", "USD", 1),
    ("99999999.99", "EUR", 9999999999),
    ("500", "JPY", 500),
    ("500.00", "JPY", 500),
    ("500", "krw", 500),
    ("1.234", "KWD", 1234),
    ("1.23", "BHD", 1230),
    ("0.001", "TND", 1),
    ("500.00", "ISK", 50000),
    ("500", "UGX", 50000),
    ("0", "RUB", 0),
    ("0", "JPY", 0),
]


@pytest.mark.parametrize(("amount", "currency", "minor"), PAIRS)
def test_to_minor_units(amount, currency, minor):
    counted = to_minor_units(Decimal(amount), currency)

    assert counted == minor
    assert type(counted) is int


@pytest.mark.parametrize(("amount", "currency", "minor"), PAIRS)
def test_and_back(amount, currency, minor):
    assert from_minor_units(minor, currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0.001", "RUB"),
        ("10.555", "USD"),
        ("500.50", "JPY"),
        ("0.01", "VND"),
        ("500.50", "ISK"),
        ("1.01", "UGX"),
        ("1.2345", "KWD"),
        ("NaN", "RUB"),
    ],
)
def test_amounts_that_the_currency_cannot_express(amount, currency):
    with pytest.raises(ValueError, match="cannot express"):
        to_minor_units(Decimal(amount), currency)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_every_currency_is_counted_as_stripe_counts_it(currency):
    assert exponent(currency) == exponent(currency.lower()) == stripes.decimals(currency.lower())


def test_the_lists_are_stripes():
    assert {code.lower() for code in NO_DECIMALS} == stripes.ZERO_DECIMAL
    assert {code.lower() for code in THREE_DECIMALS} == stripes.THREE_DECIMAL


@pytest.mark.parametrize("currency", CURRENCIES)
def test_an_amount_survives_the_way_there_and_back_or_is_refused(currency):
    for cents in (0, 1, 10, 50, 99, 100, 101, 12_345, 12_300, 9_999_999_999):
        amount = Decimal(cents).scaleb(-2)
        whole_units_only = currency in NO_DECIMALS | ZERO_CENTS

        if whole_units_only and cents % 100:
            with pytest.raises(ValueError, match="cannot express"):
                to_minor_units(amount, currency)
        else:
            assert from_minor_units(to_minor_units(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0", "RUB"),
        ("0", "JPY"),
        ("1.00", "RUB"),
        ("0.50", "USD"),
        ("0.50", "EUR"),
        ("50", "JPY"),
        ("999999.99", "RUB"),
    ],
)
def test_good_prices(amount, currency):
    assert check_price(Decimal(amount), currency) is None


@pytest.mark.parametrize(
    ("amount", "currency", "attr", "code"),
    [
        ("10", "GBP", "currency", "unknown_currency"),
        ("0", "XXX", "currency", "unknown_currency"),
        ("10", "rub", "currency", "unknown_currency"),
        ("0.49", "USD", "price", "below_minimum"),
        ("0.01", "EUR", "price", "below_minimum"),
        ("49", "JPY", "price", "below_minimum"),
        ("50.50", "JPY", "price", "not_in_currency"),
        ("10.001", "RUB", "price", "not_in_currency"),
    ],
)
def test_bad_prices(amount, currency, attr, code):
    with pytest.raises(ValidationError) as caught:
        check_price(Decimal(amount), currency)

    assert {name: [error.code for error in errors] for name, errors in caught.value.detail.items()} == {attr: [code]}


def test_the_field_that_is_named():
    with pytest.raises(ValidationError) as caught:
        check_price(Decimal("0.01"), "USD", attr="amount")

    assert list(caught.value.detail) == ["amount"]


@pytest.mark.parametrize(("amount", "currency"), [("1000000.00", "RUB"), ("99999999.99", "USD")])
def test_more_than_stripe_takes(amount, currency):
    with pytest.raises(ValidationError) as refusal:
        check_price(Decimal(amount), currency)

    assert refusal.value.detail["price"][0].code == "above_maximum"
