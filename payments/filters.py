from django_filters import rest_framework as filters

from common.filters import AnyCaseChoiceFilter, DateFromFilter, DateToFilter
from payments.models import Coupon, Payment


class PaymentFilter(filters.FilterSet):
    """Filters of payment histories. `date_from` and `date_to` are inclusive."""

    paid_course = filters.UUIDFilter(field_name="paid_course_id")
    paid_lesson = filters.UUIDFilter(field_name="paid_lesson_id")
    payment_method = AnyCaseChoiceFilter(choices=Payment.Method.choices)
    status = filters.ChoiceFilter(choices=Payment.Status.choices)
    user = filters.UUIDFilter(field_name="user_id")
    date_from = DateFromFilter("payment_date")
    date_to = DateToFilter("payment_date")

    class Meta:
        model = Payment
        fields = ("paid_course", "paid_lesson", "payment_method", "status", "user")


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
