"""What the hosted page does: GET shows it, POST pays, declines or asks as the test card would."""

from urllib.parse import quote

from . import cards, checkout, pages, payments
from .store import Store
from .templates import Object
from .texts import TEXTS, choose
from .wire import Request, Response, as_html

PREFIX = "/c/pay/"
# What may stand in a URL as it is; everything else is percent-encoded for the Location header.
URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"


def answer(store: Store, request: Request, base: str) -> Response:
    """The lock is held throughout, so of two payments at once the second meets a complete session."""
    accept_language = request.headers.get("accept-language", "")
    with store.lock:
        checkout.expire_due(store)
        session = store.objects["checkout.session"].get(request.path.removeprefix(PREFIX))
        if session is None:
            return as_html(pages.notice("missing", choose(None, accept_language)), status=404)
        language = choose(session["locale"], accept_language)
        if session["status"] == "complete":
            return _leave(session, language)
        if session["status"] == "expired":
            return as_html(pages.notice("expired", language, checkout.way_back(session)), status=410)
        if request.method == "POST":
            return _post(store, request, session, language, base)
        return as_html(pages.payment(session, store.items[session["id"]], language))


def _post(store: Store, request: Request, session: Object, language: str, base: str) -> Response:
    try:
        fields = request.fields()
    except ValueError:
        fields = {}
    if not session["amount_total"]:
        checkout.pay(store, session, "")
        return _leave(session, language)
    if fields.get("payment_method") == "delayed":
        checkout.pay_later(store, session)
        return _leave(session, language)
    number = "".join(character for character in str(fields.get("card_number", "")) if character not in " -")
    confirm = str(fields.get("confirm", ""))
    # The answer to a question names no card: it is about the one that was asked about last.
    number = number or store.challenges.get(session["id"], "") * bool(confirm)
    store.challenges.pop(session["id"], None)
    if not number:
        return _again(store, session, language, TEXTS[language]["bad_request"], status=400)
    if number in cards.ASKING:
        return _authenticate(store, session, language, number, confirm, base)
    if number in cards.PAYING:
        checkout.pay(store, session, number)
        return _leave(session, language)
    if decline := cards.DECLINING.get(number):
        payments.fail(store, payments.intent_of(store, session), session, decline, number)
        return _again(store, session, language, decline.message)
    return _again(store, session, language, "Your card number is incorrect.")


def _authenticate(store: Store, session: Object, language: str, number: str, confirm: str, base: str) -> Response:
    """The two steps of a card that asks for 3-D Secure: the question, and what was answered."""
    if confirm == "yes":
        checkout.pay(store, session, number, authenticated=True)
        return _leave(session, language)
    intent = payments.intent_of(store, session)
    if confirm == "no":
        payments.fail(store, intent, session, cards.NOT_AUTHENTICATED)
        return _again(store, session, language, cards.NOT_AUTHENTICATED.message)
    store.challenges[session["id"]] = number
    payments.challenge(store, intent, f"{base}{PREFIX}{session['id']}")
    return as_html(pages.confirmation(session, store.items[session["id"]], language))


def _again(store: Store, session: Object, language: str, error: str, *, status: int = 402) -> Response:
    return as_html(pages.payment(session, store.items[session["id"]], language, error), status=status)


def _leave(session: Object, language: str) -> Response:
    url = checkout.after_payment(session)
    if url is None:
        return as_html(pages.notice("done", language))
    return Response(303, headers={"Location": quote(url, safe=URL_CHARACTERS)})
