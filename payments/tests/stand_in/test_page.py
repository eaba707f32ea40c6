"""What the hosted page shows."""

import pytest

from payments.stand_in import StandIn, money, texts

from .conftest import client_of, session_params
from .helpers import ASKING, GOOD, browse


def priced(currency, amount):
    return [
        {
            "price_data": {"currency": currency, "unit_amount": amount, "product_data": {"name": "Course"}},
            "quantity": 1,
        }
    ]


def test_names_are_escaped(session):
    page = browse(session.url).text

    assert "Course &lt;b&gt;one&lt;/b&gt;" in page
    assert "<b>one" not in page


def test_the_way_back_to_the_shop(session):
    assert 'href="http://shop.test/cancel"' in browse(session.url).text


def test_the_way_back_names_the_session(new_session):
    session = new_session(cancel_url="http://shop.test/cancel?session={CHECKOUT_SESSION_ID}")

    assert f'href="http://shop.test/cancel?session={session.id}"' in browse(session.url).text
    assert session.cancel_url == "http://shop.test/cancel?session={CHECKOUT_SESSION_ID}"


def test_the_way_back_from_an_expired_session(new_session, client):
    session = new_session(cancel_url="http://shop.test/cancel?session={CHECKOUT_SESSION_ID}")
    client.v1.checkout.sessions.expire(session.id)

    assert f'href="http://shop.test/cancel?session={session.id}"' in browse(session.url).text


@pytest.mark.parametrize("public_base", ["http://pay.shop.test:8080", "https://pay.shop.test/"])
def test_browsers_may_know_it_under_another_name(public_base):
    """In a container, say: the shop and the browser reach it under two names."""
    with StandIn(port=0, public_base=public_base) as server:
        client = client_of(server)
        session = client.v1.checkout.sessions.create(session_params())

        page = browse(f"{server.base}/c/pay/{session.id}", {"card_number": ASKING})
        intent = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]}).payment_intent

    assert page.status == 200
    assert session.url == f"{public_base.rstrip('/')}/c/pay/{session.id}"
    assert intent.next_action.redirect_to_url.url == session.url


def test_the_page_runs_no_scripts(session):
    answer = browse(session.url)

    assert "<script" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("locale", "header", "language"),
    [
        (None, "", "ru"),
        (None, "de", "ru"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "ru;q=0.2, en;q=0.8", "en"),
        (None, "en;q=0, ru", "ru"),
        ("auto", "en", "en"),
        ("en", "ru", "en"),
        ("ru", "en", "ru"),
        ("de", "en", "en"),
    ],
)
def test_the_language(locale, header, language):
    assert texts.choose(locale, header) == language


def test_the_session_locale_wins_over_the_browser(new_session):
    page = browse(new_session(locale="en").url, headers={"Accept-Language": "ru"}).text

    assert '<html lang="en">' in page


@pytest.mark.parametrize(
    ("amount", "currency", "language", "shown"),
    [
        (1990, "usd", "en", "19.90\u00a0USD"),
        (199000, "rub", "ru", "1\u00a0990,00\u00a0RUB"),
        (199000, "rub", "en", "1,990.00\u00a0RUB"),
        (500, "jpy", "en", "500\u00a0JPY"),
        (12345, "kwd", "ru", "12,345\u00a0KWD"),
        (100000, "isk", "en", "1,000\u00a0ISK"),
    ],
)
def test_amounts(amount, currency, language, shown):
    assert money.display(amount, currency, language) == shown


def test_the_page_shows_the_amount(new_session):
    page = browse(new_session(line_items=priced("jpy", 500), locale="en").url).text

    assert "Pay 500\u00a0JPY" in page


def test_an_unknown_session_has_no_page(server):
    assert browse(f"{server.base}/c/pay/cs_test_none").status == 404


def test_the_success_address_may_have_any_letters(new_session):
    session = new_session(success_url="http://shop.test/курс?s={CHECKOUT_SESSION_ID}")

    location = browse(session.url, {"card_number": GOOD}).headers["Location"]

    assert location == f"http://shop.test/%D0%BA%D1%83%D1%80%D1%81?s={session.id}"
