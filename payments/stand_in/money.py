"""Currencies as Stripe counts them: https://docs.stripe.com/currencies."""

from django.utils import translation

from common.money import format_money, from_minor_units

_SUPPORTED = (
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl "
    "hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga "
    "mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron "
    "rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs "
    "vnd vuv wst xaf xcd xof xpf yer zar zmw"
)
CURRENCIES = frozenset(_SUPPORTED.split())
# Not ISO 4217: ISK and UGX, for example, are sent with two decimals.
ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

# Minor units. A currency that is not listed has no minimum of its own: Stripe then applies the equivalent of
# the account's settlement currency, which a stand-in cannot know.
MINIMUM_CHARGE = {
    **{"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "aud": 50, "cad": 50, "chf": 50, "nzd": 50, "sgd": 50},
    **{"brl": 50, "inr": 50, "aed": 200, "bgn": 100, "czk": 1500, "dkk": 250, "hkd": 400, "huf": 17500},
    **{"mxn": 1000, "myr": 200, "nok": 300, "pln": 200, "ron": 200, "sek": 300, "thb": 1000},
}
# Eight digits for most; a few currencies of small units get more, and the widest bound serves for those.
MAXIMUM_AMOUNT = 99_999_999
WIDE_MAXIMUM = dict.fromkeys(["idr", "cop", "huf", "jpy", "inr", "lbp"], 999_999_999_999)

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "rub": "₽"}


def decimals(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def maximum_amount(currency: str) -> int:
    return WIDE_MAXIMUM.get(currency, MAXIMUM_AMOUNT)


def plain(amount: int, currency: str) -> str:
    """As Stripe's messages write it: `$20.00`, `¥500`, `20.00 rub`."""
    number = f"{amount / 10 ** decimals(currency):,.{decimals(currency)}f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol and currency != "rub" else f"{number} {currency}"


def display(amount: int, currency: str, language: str) -> str:
    """For people, spelt as everywhere in Lyceum."""
    with translation.override(language):
        return format_money(from_minor_units(amount, currency), currency)
