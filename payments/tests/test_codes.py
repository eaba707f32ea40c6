"""A coupon's code has one form, however it is typed, pasted, stored or compared."""

import pytest
from django.db import IntegrityError, transaction

from conftest import sign_in
from payments.models import Coupon
from payments.tests.factories import CouponFactory

SPELLINGS = {
    "lower case": "sky-500",
    "spaces": "  SKY-500\n",
    "spaces of other kinds": "\u00a0SKY-500\u2009\u3000",
    "full-width letters": "ＳＫＹ－５００",
    "letters in circles": "ⓢⓚⓨ-⑤⓪⓪",
    "a dash for the hyphen": "sky–500",
    "a minus": "sky−500",
    "something invisible": "\ufeffSK\u200bY-5\u00ad00\u200d",
}


@pytest.mark.parametrize("code", [*SPELLINGS.values(), "sky - 500", "sky\u00a0-500"], ids=ascii)
def test_whoever_types_it(buyer, course, code):
    CouponFactory(code="SKY-500")

    answer = buyer.post("/api/payments/preview/", {"paid_course": course.pk, "coupon": code})

    assert (answer.status_code, answer.json().get("amount")) == (200, "900.00"), answer.json()


@pytest.mark.parametrize("code", SPELLINGS.values(), ids=SPELLINGS)
def test_whoever_makes_it(boss, code):
    answer = boss.post("/api/coupons/", {"code": code, "percent": "10"})

    assert (answer.status_code, answer.json().get("code")) == (201, "SKY-500"), answer.json()
    again = boss.post("/api/coupons/", {"code": "SKY-500", "percent": "10"})
    assert (again.status_code, again.json()["errors"][0]["attr"]) == (400, "code")


@pytest.mark.parametrize("code", SPELLINGS.values(), ids=SPELLINGS)
def test_whoever_writes_it_into_the_database(db, code):
    coupon = CouponFactory(code=code)

    assert coupon.code == Coupon.objects.get(code=code).code == "SKY-500"
    with transaction.atomic(), pytest.raises(IntegrityError):
        Coupon.objects.create(code="sky-500", percent="5")


@pytest.mark.parametrize("code", SPELLINGS.values(), ids=SPELLINGS)
def test_whoever_makes_it_in_the_admin(client, admin, code):
    client.force_login(admin)

    answer = client.post("/admin/payments/coupon/add/", {"code": code, "percent": "10"})

    assert answer.status_code == 302, answer.context["errors"]
    assert Coupon.objects.get().code == "SKY-500"


@pytest.mark.parametrize("code", ["straße", "SKI\u00df", "ﷺ" * 650_000, "ﷺ" * 30, "А" * 10, "\u0301" * 40, "a" * 161])
def test_what_is_no_code(buyer, boss, course, code):
    """ß must not become SS, and nothing takes long."""
    CouponFactory(code="STRASSE")
    made = boss.post("/api/coupons/", {"code": code, "percent": "10"}, format="json")
    used = buyer.post("/api/payments/preview/", {"paid_course": course.pk, "coupon": code}, format="json")

    for answer, attr in ((made, "code"), (used, "coupon")):
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, attr)


def test_a_bare_date_is_a_whole_day_of_the_server(admin, settings):
    settings.TIME_ZONE = "Europe/Moscow"
    admin.time_zone = "Asia/Tokyo"
    admin.save()

    answer = sign_in(admin).post(
        "/api/coupons/", {"code": "DAY", "percent": "10", "valid_from": "2026-11-30", "valid_until": "2026-11-30"}
    )

    assert answer.status_code == 201, answer.json()
    assert answer.json()["valid_from"] == "2026-11-29T21:00:00Z"
    assert answer.json()["valid_until"].startswith("2026-11-30T20:59:59")
