"""GET /success/ and /cancel/: where Stripe sends the browser."""

from html.parser import HTMLParser

import pytest
from django.contrib.staticfiles import finders

from common import frontend
from payments.models import Payment
from payments.tests.helpers import calls, control, pay

PAGES = ["/success/", "/cancel/"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

pytestmark = pytest.mark.django_db


def visit(api, page, session_id=None, *, language="en", accept=BROWSER):
    """As a browser does."""
    params = {} if session_id is None else {"session_id": session_id}
    return api.get(page, params, headers={"Accept": accept, "Accept-Language": language})


class Page(HTMLParser):
    """What a browser would run, load and follow."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.loaded, self.inline = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(attributes["href"])
        if tag in {"link", "script", "img"}:
            self.loaded.append(attributes.get("href") or attributes.get("src"))
        self.inline += [name for name in attributes if name == "style" or name.startswith("on")]


# --- For programs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
def test_json(api, pending, course, page, accept):
    pay(pending.payment_url)
    headers = {} if accept is None else {"Accept": accept}

    answer = api.get(page, {"session_id": pending.stripe_session_id}, headers=headers)

    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(pending.pk),
        "status": "succeeded",
        "payment_status": "paid",
        "paid_course": str(course.pk),
        "paid_lesson": None,
        "amount": "1000.00",
        "currency": "RUB",
    }


@pytest.mark.parametrize("page", PAGES)
def test_neither_page_decides_anything(api, pending, page):
    """Coming back is not paying, and the way back says nothing about it."""
    answer = api.get(page, {"session_id": pending.stripe_session_id})

    pending.refresh_from_db()
    assert answer.json()["status"] == pending.status == "pending"


@pytest.mark.parametrize("forged", [{"status": "succeeded"}, {"payment_status": "paid"}, {"payment_id": "1"}])
def test_the_address_is_not_believed(api, pending, forged):
    answer = api.get("/success/", {"session_id": pending.stripe_session_id, **forged})

    assert answer.json()["payment_status"] == "unpaid"


@pytest.mark.parametrize("session_id", [None, ""])
def test_no_session_id(api, stripe, session_id):
    answer = api.get("/success/", {} if session_id is None else {"session_id": session_id})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "session_id"
    assert calls(stripe) == []


@pytest.mark.parametrize("session_id", [None, ""])
def test_turning_back_without_a_session(api, stripe, session_id):
    answer = api.get("/cancel/", {} if session_id is None else {"session_id": session_id})
    page = visit(api, "/cancel/", session_id)

    assert (answer.status_code, answer.json()) == (200, {"status": "canceled", "payment_status": "unpaid"})
    assert page.status_code == 200
    assert "You have not paid" in page.text
    assert Page(page.text).links == [frontend.catalogue()]
    assert calls(stripe) == []


STRANGE = [
    "cs_test_unknown",
    "cs_",
    ".",
    "..",
    "../products",
    "cs_test_a/../..",
    "%2e",
    "\x00",
    "é",
    "🙂",
    "c" * 5000,
    " ",
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("session_id", STRANGE)
def test_unknown_sessions(api, pending, page, session_id):
    answer = api.get(page, {"session_id": session_id})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_only_ids_of_sessions_reach_stripe(api, stripe):
    for session_id in STRANGE[2:]:
        api.get("/success/", {"session_id": session_id})

    assert calls(stripe) == []


@pytest.mark.parametrize("page", PAGES)
def test_stripe_away(api, pending, stripe, page):
    control(stripe, "fail", status=500)

    answer = api.get(page, {"session_id": pending.stripe_session_id})

    assert (answer.status_code, answer.json()["code"]) == (503, "payment_provider_unavailable")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("accept", ["application/json", BROWSER])
@pytest.mark.parametrize("session", ["known", "unknown", "", "away"])
def test_no_cache_keeps_it(api, pending, stripe, accept, session):
    if session == "away":
        control(stripe, "fail", status=500)
    session_id = pending.stripe_session_id if session in {"known", "away"} else session

    answer = visit(api, "/success/", session_id, accept=accept)

    assert "no-store" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("token", ["Bearer nonsense", "Basic x"])
def test_a_bad_token_does_not_matter(api, pending, token):
    answer = api.get("/success/", {"session_id": pending.stripe_session_id}, headers={"Authorization": token})

    assert answer.status_code == 200


@pytest.mark.parametrize("accept", ["application/json", BROWSER])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_pages_are_only_read(api, pending, method, accept):
    answer = getattr(api, method)(f"/success/?session_id={pending.stripe_session_id}", headers={"Accept": accept})

    assert answer.status_code == 405


def test_a_format_that_is_not_spoken(api, pending):
    answer = visit(api, "/success/", pending.stripe_session_id, accept="application/pdf")

    assert (answer.status_code, answer.json()["id"]) == (200, str(pending.pk))


# --- For people ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("succeeded", "it is paid"),
        ("partially_refunded", "it is paid"),
        ("pending", "Not paid yet"),
        ("expired", "is closed"),
        ("canceled", "is closed"),
        ("failed", "is closed"),
        ("refunded", "has been returned"),
        ("disputed", "has been returned"),
    ],
)
def test_what_the_page_says(api, pending, page, status, words):
    Payment.objects.filter(pk=pending.pk).update(status=status)

    answer = visit(api, page, pending.stripe_session_id)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert words in answer.text
    assert "Python basics" in answer.text
    assert "1,000.00\N{NO-BREAK SPACE}RUB" in answer.text


def test_the_page_settles_the_payment(api, pending):
    pay(pending.payment_url)

    answer = visit(api, "/success/", pending.stripe_session_id)

    pending.refresh_from_db()
    assert "it is paid" in answer.text
    assert pending.status == "succeeded"


@pytest.mark.parametrize(
    ("page", "session_id", "status"),
    [
        ("/success/", None, 400),
        ("/success/", "", 400),
        *((page, session_id, 404) for page in PAGES for session_id in ("cs_test_unknown", "..")),
    ],
)
def test_no_such_payment(api, stripe, page, session_id, status):
    answer = visit(api, page, session_id)

    assert answer.status_code == status
    assert "No such payment" in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_the_provider_is_away(api, pending, stripe, page):
    control(stripe, "fail", status=500)

    answer = visit(api, page, pending.stripe_session_id)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "does not answer just now" in answer.text


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_language(api, pending, language):
    answer = visit(api, "/success/", pending.stripe_session_id, language=language)

    assert f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize("status", ["succeeded", "pending", "expired", "refunded", "missing", "away"])
def test_the_page_is_at_home_under_the_csp(api, pending, stripe, status):
    """`default-src 'self'`: no script, no style of its own, nothing from elsewhere."""
    if status == "away":
        control(stripe, "fail", status=500)
    elif status != "missing":
        Payment.objects.filter(pk=pending.pk).update(status=status)

    answer = visit(api, "/success/", "cs_test_none" if status == "missing" else pending.stripe_session_id)

    page = Page(answer.text)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert page.loaded == ["/static/common/page.css"]
    assert page.inline == []
    assert not {"script", "style", "iframe", "form"} & set(page.tags)


def test_its_style_is_served(api):
    assert finders.find("common/page.css")


@pytest.mark.parametrize("status", ["succeeded", "expired", "refunded"])
def test_the_way_on_is_what_was_bought(api, pending, course, status):
    Payment.objects.filter(pk=pending.pk).update(status=status)

    answer = visit(api, "/success/", pending.stripe_session_id)

    assert Page(answer.text).links == [frontend.course(course.pk)]


def test_who_has_not_paid_may_go_on(api, pending, course):
    answer = visit(api, "/cancel/", pending.stripe_session_id)

    assert Page(answer.text).links == [pending.payment_url, frontend.course(course.pk)]


@pytest.mark.parametrize("accept", ["application/json", BROWSER])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_personal_is_shown(api, pending, student, page, accept):
    type(student).objects.filter(pk=student.pk).update(first_name="Xenophon", last_name="Yablokov", phone="+7 900 1")
    pay(pending.payment_url)

    text = visit(api, page, pending.stripe_session_id, accept=accept).text

    for personal in (student.email, str(student.pk), "Xenophon", "Yablokov", "+7 900", "pi_"):
        assert personal not in text


def test_what_the_teacher_wrote_is_text(api, pending):
    Payment.objects.filter(pk=pending.pk).update(title='<script>alert("x")</script>')

    answer = visit(api, "/success/", pending.stripe_session_id)

    assert "script" not in Page(answer.text).tags
    assert "&lt;script&gt;" in answer.text
