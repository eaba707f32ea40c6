"""Amounts of money: which of them a currency can express, how Stripe counts them, and how people read them."""

from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from common.errors import invalid

# Stripe's own lists (https://docs.stripe.com/currencies), which differ from ISO 4217: ISK and UGX are sent with two
# decimals that must be zero.
NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMALS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
ZERO_CENTS = frozenset({"ISK", "UGX"})
# Stripe takes amounts of up to eight digits in minor units.
LARGEST_CHARGE = 99_999_999


def exponent(currency: str) -> int:
    """How many decimals Stripe counts in the currency's minor unit."""
    code = currency.upper()
    return 0 if code in NO_DECIMALS else 3 if code in THREE_DECIMALS else 2


def to_minor_units(amount: Decimal, currency: str) -> int:
    """The whole number that Stripe takes: 10.50 EUR → 1050, 500 JPY → 500. ValueError if there is none."""
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value() or (currency.upper() in ZERO_CENTS and minor % 100):
        raise ValueError(f"{currency} cannot express {amount}")
    return int(minor)


def from_minor_units(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-exponent(currency))


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """The nearest amount that the currency can express, and that our two decimals can hold."""
    places = 0 if currency.upper() in ZERO_CENTS else min(exponent(currency), 2)
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def minimum_charge(currency: str) -> Decimal:
    """The least amount over zero that is charged in the currency."""
    return Decimal(settings.MINIMUM_CHARGES.get(currency, "0"))


def format_money(amount: Decimal, currency: str) -> str:
    """The one way in which people read an amount, in their language and with the currency's own decimals: 4,990.00 RUB,
    −500 JPY."""
    decimals = 0 if currency.upper() in ZERO_CENTS else exponent(currency)
    number = number_format(amount, decimals, force_grouping=True).replace("-", "\N{MINUS SIGN}")
    return f"{number}\N{NO-BREAK SPACE}{currency.upper()}"


def check_in_currency(amount: Decimal, currency: str, *, attr: str) -> int:
    """The amount in minor units. Raises ValidationError (400) for one that the currency cannot express."""
    try:
        return to_minor_units(amount, currency)
    except ValueError:
        raise invalid(attr, "not_in_currency", _("The currency has no such small units.")) from None


def check_price(amount: Decimal, currency: str, *, attr: str = "price") -> None:
    """Raises ValidationError (400) unless the amount is zero or can be charged in the currency."""
    if currency not in settings.CURRENCIES:
        raise invalid("currency", "unknown_currency", _("This currency is not accepted here."))
    if amount == 0:
        return
    minor = check_in_currency(amount, currency, attr=attr)
    if minor > LARGEST_CHARGE:
        text = _("The highest price is %(maximum)s.")
        maximum = format_money(from_minor_units(LARGEST_CHARGE, currency), currency)
        raise invalid(attr, "above_maximum", text % {"maximum": maximum})
    minimum = minimum_charge(currency)
    if amount < minimum:
        text = _("The least price over zero is %(minimum)s.")
        raise invalid(attr, "below_minimum", text % {"minimum": format_money(minimum, currency)})
