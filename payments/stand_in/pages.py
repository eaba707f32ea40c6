"""The HTML of the hosted page. It needs no script and loads nothing; styles are in `STYLE`."""

from html import escape

from . import checkout, money
from .style import STYLE
from .templates import Object
from .texts import TEXTS

ONE_CLICK = (
    ("4242 4242 4242 4242", "pays", "good"),
    ("4000 0000 0000 0002", "declined", "bad"),
    ("4000 0000 0000 9995", "no_funds", "bad"),
    ("4000 0025 0000 3155", "asks", "ask"),
)


def payment(session: Object, items: list[Object], language: str, error: str = "") -> str:
    """What is bought, a card form, and a button for each test card. `error` is in Stripe's English words."""
    words = TEXTS[language]
    if session["amount_total"]:
        form = _card_form(session, language) + _one_click(language)
    else:
        form = f'<form method="post"><button class="pay">{words["free"]}</button></form>'
    return _two_sides(session, items, language, _alert(error, language) + form)


def confirmation(session: Object, items: list[Object], language: str) -> str:
    words = TEXTS[language]
    form = (
        f"<h2>{words['confirm_title']}</h2><p>{words['confirm_text']}</p>"
        '<form method="post" class="pair">'
        f'<button class="pay" name="confirm" value="yes">{words["confirm_yes"]}</button>'
        f'<button class="plain" name="confirm" value="no">{words["confirm_no"]}</button></form>'
    )
    return _two_sides(session, items, language, form)


def notice(kind: str, language: str, back: str | None = None) -> str:
    """A page that only tells something: `kind` is expired, missing or done."""
    words = TEXTS[language]
    title = words[f"{kind}_title"]
    body = f'<main class="note"><h1>{title}</h1><p>{words[f"{kind}_text"]}</p>{_back(back, language)}</main>'
    return _document(title, body, language)


def _two_sides(session: Object, items: list[Object], language: str, form: str) -> str:
    words = TEXTS[language]
    total = money.display(session["amount_total"], session["currency"], language)
    lines = "".join(_line(item, language) for item in items)
    body = f"""<main class="sides">
<section class="order" aria-label="{words["total"]}">
<p class="badge">{words["stand_in"]}</p>
<p class="due">{words["pay_to"]}</p>
<h1 class="amount">{escape(total)}</h1>
<ul>{lines}</ul>
<p class="total"><span>{words["total"]}</span><span>{escape(total)}</span></p>
{_back(checkout.way_back(session), language)}
</section>
<section class="form">
{form}
<p class="fine">{words["notice"]}</p>
</section>
</main>"""
    return _document(f"{words['title']}: {total}", body, language)


def _line(item: Object, language: str) -> str:
    each = ""
    if item["quantity"] > 1:
        unit = money.display(item["price"]["unit_amount"], item["currency"], language)
        each = f"<small>{item['quantity']} &times; {escape(unit)}</small>"
    amount = money.display(item["amount_total"], item["currency"], language)
    return f"<li><span>{escape(item['description'])}{each}</span><span>{escape(amount)}</span></li>"


def _card_form(session: Object, language: str) -> str:
    words = TEXTS[language]
    amount = money.display(session["amount_total"], session["currency"], language)
    return f"""<form method="post" autocomplete="off">
<h2>{words["card"]}</h2>
<label>{words["number"]}
<input name="card_number" inputmode="numeric" placeholder="4242 4242 4242 4242" maxlength="23" required>
</label>
<div class="pair">
<label>{words["expiry"]}
<input name="expiry" inputmode="numeric" placeholder="{words["expiry_hint"]}" maxlength="7"></label>
<label>{words["cvc"]}
<input name="cvc" inputmode="numeric" placeholder="123" maxlength="4"></label>
</div>
<button class="pay">{words["pay"]} {escape(amount)}</button>
</form>"""


def _one_click(language: str) -> str:
    words = TEXTS[language]
    forms = "".join(
        '<form method="post">'
        f'<button class="card {kind}" name="card_number" value="{number.replace(" ", "")}">'
        f"<b>{number}</b><span>{words[text]}</span></button></form>"
        for number, text, kind in ONE_CLICK
    )
    return f'<p class="or">{words["or_test"]}</p><div class="cards">{forms}</div>'


def _alert(error: str, language: str) -> str:
    if not error:
        return ""
    return f'<p class="alert" role="alert">{escape(TEXTS[language].get(error, error))}</p>'


def _back(url: str | None, language: str) -> str:
    if not url:
        return ""
    return f'<p class="back"><a href="{escape(url)}">← {TEXTS[language]["back"]}</a></p>'


def _document(title: str, body: str, language: str) -> str:
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>{body}</body>
</html>
"""
