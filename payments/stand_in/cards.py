"""Stripe's test cards and what they do: https://docs.stripe.com/testing."""

from dataclasses import dataclass

PAYING = {
    "4242424242424242": "visa",
    "4000056655665556": "visa",
    "5555555555554444": "mastercard",
    "2223003122003222": "mastercard",
    "5200828282828210": "mastercard",
    "5105105105105100": "mastercard",
    "378282246310005": "amex",
    "371449635398431": "amex",
    "6011111111111117": "discover",
    "3056930009020004": "diners",
    "3566002020360505": "jcb",
    "6200000000000005": "unionpay",
}
ASKING = {"4000002500003155": "visa", "4000002760003184": "visa", "4000000000003220": "visa"}


@dataclass(frozen=True)
class Decline:
    """Why a payment failed: the error's code, the bank's reason if it was the bank, words for a person."""

    code: str
    decline_code: str | None
    message: str


DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)
DELAYED_FAILED = Decline("payment_intent_payment_attempt_failed", None, "The payment failed.")
DECLINING = {
    "4000000000000002": DECLINED,
    "4000000000009995": Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "4000000000009987": Decline("card_declined", "lost_card", "Your card was declined."),
    "4000000000009979": Decline("card_declined", "stolen_card", "Your card was declined."),
    "4000000000000069": Decline("expired_card", None, "Your card has expired."),
    "4000000000000127": Decline("incorrect_cvc", None, "Your card's security code is incorrect."),
    "4000000000000119": Decline(
        "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
    ),
}


def brand(number: str) -> str:
    return PAYING.get(number) or ASKING.get(number) or "visa"
