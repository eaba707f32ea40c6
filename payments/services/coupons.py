"""Coupons: what is left to pay with one, and whether it may be used.

A use is a payment with the coupon that has been paid, or is pending and not past its hold (`that_use_coupons`): one
that fails, expires or is canceled gives it back by that alone. If its money turns up after all, however late, it counts
again: what was asked for is what is taken."""

from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from common.errors import invalid
from common.money import format_money, minimum_charge, round_half_up
from materials.models import Course, Lesson
from payments.models import Coupon, Payment
from users.models import User

HUNDRED = Decimal(100)
# So many unpaid orders of one person may hold a coupon's use.
HOLDS_PER_USER = 2


class Quote(NamedTuple):
    """What something costs somebody: `amount` is `price` less `discount`."""

    price: Decimal
    discount: Decimal
    amount: Decimal
    currency: str


def find_coupon(text: str) -> Coupon:
    """The coupon of a code, however it was typed. Raises ValidationError (400) for an unknown one."""
    coupon = Coupon.objects.filter(code="".join(text.split())).first()  # no code has spaces in it
    if coupon is None:
        raise _refused("unknown_coupon", _("There is no such coupon."))
    return coupon


def hold_coupon(coupon: Coupon) -> Coupon:
    """The coupon as it is now; until the transaction ends nobody else counts its uses. Without it, two checkouts would
    both take the last one."""
    held = Coupon.objects.select_for_update().filter(pk=coupon.pk).first()
    if held is None:
        raise _refused("unknown_coupon", _("There is no such coupon."))
    return held


def make_quote(*, user: User, item: Course | Lesson, coupon: Coupon | None, instead_of: Payment | None = None) -> Quote:
    """The price, with the coupon taken off. Raises ValidationError (400) where the coupon may not be used.

    The use of a payment that this one takes the place of is as good as given back. The answer holds for as long as the
    coupon is held (`hold_coupon`).
    """
    course = item if isinstance(item, Course) else item.course
    price, currency = item.price, course.currency
    if coupon is None:
        return Quote(price, Decimal(0), price, currency)
    _check_usable(coupon, course)
    _check_uses(coupon, user, instead_of)
    if coupon.percent is not None:
        discount = round_half_up(price * coupon.percent / HUNDRED, currency)
    else:
        discount = coupon.amount or Decimal(0)
    discount = min(discount, price)
    amount = price - discount
    minimum = minimum_charge(currency)
    if 0 < amount < minimum:
        text = _("With it, less would remain than can be charged: %(minimum)s.")
        raise _refused("below_minimum", text % {"minimum": format_money(minimum, currency)})
    return Quote(price, discount, amount, currency)


def _check_usable(coupon: Coupon, course: Course) -> None:
    if not coupon.is_valid_at(timezone.now()):
        raise _refused("coupon_not_valid_now", _("This coupon is not valid now."))
    if not coupon.covers(course):
        raise _refused("coupon_not_for_this", _("This coupon is for something else."))
    if coupon.amount is not None and coupon.currency != course.currency:
        text = _("This coupon is for prices in %(currency)s.") % {"currency": coupon.currency}
        raise _refused("coupon_other_currency", text)


def _check_uses(coupon: Coupon, user: User, instead_of: Payment | None) -> None:
    uses = Payment.objects.filter(coupon=coupon).that_use_coupons()
    if instead_of is not None:
        uses = uses.exclude(pk=instead_of.pk)
    if _are_used_up(uses.filter(user=user), coupon.max_uses_per_user):
        raise _refused("coupon_used_by_you", _("You have used this coupon already."))
    if _are_used_up(uses.filter(user=user, status=Payment.Status.PENDING), HOLDS_PER_USER):
        raise _refused("coupon_on_hold", _("Two of your orders with this coupon are not paid yet."))
    if _are_used_up(uses, coupon.max_uses):
        raise _refused("coupon_used_up", _("This coupon has been used up."))


def _are_used_up(uses: QuerySet[Payment], limit: int | None) -> bool:
    """Counts no further than to the limit."""
    return limit is not None and uses.order_by()[:limit].count() >= limit


def _refused(code: str, text: object) -> ValidationError:
    return invalid("coupon", code, text)


def with_uses(coupons: QuerySet[Coupon]) -> QuerySet[Coupon]:
    """Each with `uses`: how often it has been used and not given back."""
    uses = Payment.objects.filter(coupon=OuterRef("pk")).that_use_coupons()
    counted = uses.order_by().values("coupon").annotate(number=Count("pk")).values("number")
    return coupons.annotate(uses=Coalesce(Subquery(counted, output_field=IntegerField()), 0))
