from typing import Any

from django_filters import rest_framework as filters

from common.filters import DateFromFilter, DateToFilter
from payments.models import Coupon, Payment


class PaymentFilter(filters.FilterSet):
    """Filters of payment histories. `date_from` and `date_to` are inclusive."""

    paid_course = filters.UUIDFilter(field_name="paid_course_id")
    paid_lesson = filters.UUIDFilter(field_name="paid_lesson_id")
    payment_method = filters.ChoiceFilter(choices=Payment.Method.choices)
    status = filters.ChoiceFilter(choices=Payment.Status.choices)
    user = filters.UUIDFilter(field_name="user_id")
    date_from = DateFromFilter("payment_date")
    date_to = DateToFilter("payment_date")

    class Meta:
        model = Payment
        fields = ("paid_course", "paid_lesson", "payment_method", "status", "user")

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        if data is not None and "payment_method" in data:
            # Read in any case, as everywhere.
            data = data.copy()
            data["payment_method"] = data["payment_method"].lower()
        super().__init__(data, *args, **kwargs)


class CouponFilter(filters.FilterSet):
    search = filters.CharFilter("code", lookup_expr="icontains", max_length=40, help_text="A part of the code.")

    class Meta:
        model = Coupon
        fields = ("search",)


class BooksFilter(filters.FilterSet):
    """When money came and went. Inclusive."""

    date_from = DateFromFilter()
    date_to = DateToFilter()


class SalesFilter(BooksFilter):
    course = filters.UUIDFilter()
