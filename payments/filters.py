from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from payments.models import Coupon, Payment

FIRST_YEAR, LAST_YEAR = 1970, 2999


class MomentField(forms.CharField):
    """A date or a date-time; without a zone it is in the project's. A bare date stands for its first moment, or, with
    `last=True`, for its last."""

    def __init__(self, *, last: bool = False, **kwargs: Any) -> None:
        self.last = last
        super().__init__(**kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            moment: date | datetime | None = parse_date(text) or parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise forms.ValidationError(_("A date or a date-time is needed, such as 2026-03-31."), code="invalid")
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time.max if self.last else time.min)
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment.astimezone(UTC)


@extend_schema_field(OpenApiTypes.STR)
class MomentFilter(filters.Filter):
    field_class = MomentField


class PaymentFilter(filters.FilterSet):
    """Filters of payment histories. `date_from` and `date_to` are inclusive."""

    paid_course = filters.UUIDFilter(field_name="paid_course_id")
    paid_lesson = filters.UUIDFilter(field_name="paid_lesson_id")
    payment_method = filters.ChoiceFilter(choices=Payment.Method.choices)
    status = filters.ChoiceFilter(choices=Payment.Status.choices)
    user = filters.UUIDFilter(field_name="user_id")
    date_from = MomentFilter("payment_date", lookup_expr="gte", help_text="A date or a date-time, inclusive.")
    date_to = MomentFilter("payment_date", lookup_expr="lte", last=True, help_text="A date or a date-time, inclusive.")

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

    date_from = MomentFilter(help_text="A date or a date-time, inclusive.")
    date_to = MomentFilter(last=True, help_text="A date or a date-time, inclusive.")


class SalesFilter(BooksFilter):
    course = filters.UUIDFilter()
