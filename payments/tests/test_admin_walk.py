"""Every page of payments in Django admin, with what makes no sense: refused with a message, never a failure, and
nothing is changed."""

import pytest
from django.contrib import admin as site
from django.urls import reverse

from payments.models import Coupon, IdempotencyRecord, Payment
from payments.tests.factories import CouponFactory, DisputeFactory, PaymentFactory, RefundFactory

PAGES = sorted(model._meta.model_name for model in site.site._registry if model._meta.app_label == "payments")
ABSURD = ["", "\x00", "ﷺ" * 500, "-1", "1e99", "NaN", "99999999999999999999", "2026-13-45", "0001-01-01", "<b>", "нет"]
FIELDS = (
    "code", "percent", "amount", "currency", "valid_from_0", "valid_from_1", "valid_until_0", "valid_until_1",
    "max_uses", "max_uses_per_user", "courses",
)  # fmt: skip


@pytest.fixture
def office(client, admin):
    client.raise_request_exception = False
    client.force_login(admin)
    return client


@pytest.fixture
def rows(db, course, student):
    """One of each that has a page."""
    payment = PaymentFactory(user=student, paid_course=course)
    return {
        "payment": payment,
        "refund": RefundFactory(payment=payment),
        "dispute": DisputeFactory(),
        "coupon": CouponFactory(code="TENTH"),
    }


def test_the_walk_knows_every_page():
    unseen = {"idempotencyrecord"}  # answers to others are nobody's to read
    models = {model._meta.model_name for model in (Payment, IdempotencyRecord)} | set(PAGES)
    assert models - unseen == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "address",
    [
        "", "?q=%00", "?q=" + "x" * 5000, "?o=99", "?p=99999", "?all=", "?status__exact=nonsense",
        "?id__exact=nonsense", "?payment_date__year=0", "?created_at__gte=nonsense", "?e=1", "?user__id__exact=%00",
    ],
)  # fmt: skip
def test_lists(office, rows, page, address):
    answer = office.get(f"/admin/payments/{page}/{address}", follow=True)

    assert answer.status_code == 200


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-0000-0000-000000000000", "%00"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_rows_that_are_not_there(office, page, pk, method):
    for name in ("change", "delete", "history"):
        answer = getattr(office, method)(f"/admin/payments/{page}/{pk}/{name}/")

        assert answer.status_code in {302, 403, 404, 405}


@pytest.mark.parametrize("page", [page for page in PAGES if page != "coupon"])
def test_what_the_program_writes_nobody_else_does(office, rows, page):
    assert office.get(f"/admin/payments/{page}/add/").status_code == 403
    assert office.post(f"/admin/payments/{page}/add/", {}).status_code == 403
    if page in rows:
        before = type(rows[page]).objects.filter(pk=rows[page].pk).values().get()
        address = reverse(f"admin:payments_{page}_change", args=[rows[page].pk])
        assert office.get(address).status_code == 200
        assert office.post(address, {"status": "succeeded", "amount": "1"}).status_code == 403
        assert type(rows[page]).objects.filter(pk=rows[page].pk).values().get() == before


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("chosen", [[], ["nonsense"], ["\x00"], ["00000000-0000-0000-0000-000000000000"]])
def test_actions_on_nothing(office, rows, page, chosen):
    listed = site.site._registry[
        next(model for model in site.site._registry if model._meta.label_lower == f"payments.{page}")
    ]
    for action in (*(listed.actions or ()), "delete_selected", "nonsense"):
        body = {"action": action, "_selected_action": chosen, "confirmed": "1"}

        assert office.post(f"/admin/payments/{page}/", body).status_code in {200, 302}


@pytest.mark.parametrize("action", ["refund", "confirm"])
@pytest.mark.parametrize("value", ABSURD, ids=range(len(ABSURD)))
def test_money_moves_by_no_absurd_form(office, rows, action, value):
    body = {"action": action, "_selected_action": [str(rows["payment"].pk)], "confirmed": "1"}
    body |= dict.fromkeys(("reason", "comment", "amount", "refund_id", "reference"), value)

    assert office.post("/admin/payments/payment/", body).status_code in {200, 302}
    assert Payment.objects.get(pk=rows["payment"].pk).status == "succeeded"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ABSURD, ids=range(len(ABSURD)))
def test_absurd_coupons(office, rows, field, value):
    good = {"code": "NEW", "percent": "10"}

    for address in ("add/", f"{rows['coupon'].pk}/change/"):
        answer = office.post(f"/admin/payments/coupon/{address}", {**good, field: value})
        assert answer.status_code in {200, 302}
    for coupon in Coupon.objects.all():
        coupon.full_clean(exclude=["courses"])


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"code": "tenth"}, {"amount": "5"}, {"percent": "", "amount": "5.50", "currency": "JPY"},
        {"percent": "", "amount": "5", "currency": "XXX"}, {"percent": "0"}, {"percent": "100.01"},
        {"percent": "", "amount": "0"}, {"max_uses": "0"}, {"max_uses_per_user": "-1"},
        {
            "valid_from_0": "2026-02-01", "valid_from_1": "00:00",
            "valid_until_0": "2026-01-01", "valid_until_1": "00:00",
        },
    ],
)  # fmt: skip
def test_the_rules_of_the_api_hold(office, rows, fields):
    """`Coupon.clean` and the model's fields: the API's own tests of the same rules are in test_coupons.py."""
    body = {"code": "NEW", "percent": "10", **fields} if fields else {}

    answer = office.post("/admin/payments/coupon/add/", body)

    assert answer.status_code == 200
    assert answer.context["errors"]
    assert Coupon.objects.count() == 1


@pytest.mark.parametrize("value", ABSURD, ids=range(len(ABSURD)))
def test_absurd_ids_in_every_form(office, value):
    """Of all apps: fields that complete what is typed show again what was sent, which may be no id."""
    tried = 0
    for model, page in site.site._registry.items():
        for field in page.autocomplete_fields:
            answer = office.post(f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/", {field: value})
            assert answer.status_code in {200, 403}, (model, field)
            tried += 1
    assert tried > 5
