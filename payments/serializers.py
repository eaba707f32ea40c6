"""The shapes of payments."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework.exceptions import ErrorDetail
from rest_framework.validators import UniqueValidator

from common import serializers
from common.fields import EndDateTimeField, StartDateTimeField
from common.writing import SavesWhatWasSent
from materials.models import Course, Lesson
from payments.models import Coupon, Payment, Refund, RefundRequest
from payments.models.coupons import LONGEST_CODE, read_code
from payments.services import coupons
from users.models import User
from users.services import email_of

LATEST_PAYMENTS = 10


class RefundSerializer(serializers.ModelSerializer):
    """Money that went back, or is about to."""

    class Meta:
        model = Refund
        fields = ("id", "amount", "reason", "comment", "status", "credit_note_number", "created_at")
        read_only_fields = fields


class PaymentSerializer(serializers.ModelSerializer):
    """A payment in a history. `payment_url` is null where nothing can be paid any more, or no page is needed."""

    user_name = serializers.CharField(source="user.full_name", read_only=True)
    user_email = serializers.SerializerMethodField(help_text="Null for those who have left.")
    course = serializers.UUIDField(
        source="course_of.pk", read_only=True, allow_null=True, help_text="Of a lesson, the course it is in."
    )
    course_title = serializers.CharField(
        source="course_of.title", read_only=True, allow_null=True, help_text="As it is now."
    )
    payment_url = serializers.CharField(read_only=True, allow_null=True)
    coupon = serializers.SlugRelatedField("code", read_only=True, allow_null=True)

    class Meta:
        model = Payment
        fields = (
            "id",
            "user",
            "user_name",
            "user_email",
            "paid_course",
            "paid_lesson",
            "course",
            "course_title",
            "title",
            "amount",
            "currency",
            "coupon",
            "discount",
            "refunded_amount",
            "payment_method",
            "status",
            "payment_date",
            "payment_url",
            "receipt_number",
            "reference",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_user_email(self, payment: Payment) -> str | None:
        return email_of(payment.user)

    def to_representation(self, payment: Payment) -> dict[str, Any]:
        data = super().to_representation(payment)
        # A page where nothing can be paid any more leads nowhere.
        is_open = payment.status == Payment.Status.PENDING
        return {**data, "payment_url": payment.payment_url or None if is_open else None}


@extend_schema_field(PaymentSerializer(many=True))
class LatestPaymentsField(serializers.Field):
    """The latest payments of a person, as a line of the history each."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, user: User) -> Any:
        latest = Payment.objects.of(user).for_listing().order_by("-payment_date", "-id")
        return PaymentSerializer(latest[:LATEST_PAYMENTS], many=True, context=self.context).data


def profile_fields() -> dict[str, serializers.Field]:
    """For the registry: what a profile tells of money."""
    return {"payments": LatestPaymentsField()}


class RefundRequestSerializer(serializers.ModelSerializer):
    class Meta:
        model = RefundRequest
        fields = ("id", "payment", "reason", "status", "answer", "created_at", "decided_at")
        read_only_fields = ("payment", "status", "answer", "decided_at")


class PaymentDetailSerializer(PaymentSerializer):
    """The same with its refunds and the buyer's requests for one, the newest first. Until `refundable_until` one may be
    asked for; null: of this payment none."""

    refunds = RefundSerializer(many=True, read_only=True)
    refund_requests = RefundRequestSerializer(many=True, read_only=True)
    refundable_until = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta(PaymentSerializer.Meta):
        fields = (*PaymentSerializer.Meta.fields, "refunds", "refund_requests", "refundable_until")
        read_only_fields = fields


class MethodField(serializers.ChoiceField):
    """`card`, `cash` or `transfer`, read in any case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=Payment.Method.choices, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data.lower() if isinstance(data, str) else data)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A course, by card",
            {"paid_course": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "payment_method": "card"},
            request_only=True,
        ),
        OpenApiExample(
            "With a coupon",
            {"paid_course": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "coupon": "WELCOME10"},
            request_only=True,
        ),
    ]
)
class PaymentCreateSerializer(serializers.Serializer):
    """What to buy, and how to pay: exactly one of a course and a lesson. `coupon` is a code, in any case."""

    paid_course = serializers.PrimaryKeyRelatedField(queryset=Course.objects.all(), required=False, allow_null=True)
    paid_lesson = serializers.PrimaryKeyRelatedField(queryset=Lesson.objects.all(), required=False, allow_null=True)
    payment_method = MethodField(required=False, default=Payment.Method.CARD)
    coupon = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, default=None, max_length=4 * LONGEST_CODE
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        if "request" in self.context:
            courses = Course.objects.visible_to(self.context["request"].user)
            fields["paid_course"].queryset = courses.select_related("owner")
            fields["paid_lesson"].queryset = Lesson.objects.filter(course__in=courses.values("pk")).select_related(
                "course__owner"
            )
        return fields

    @serializers.rule("paid_course", "paid_lesson")
    def check_item(self, attrs: dict[str, Any]) -> None:
        if (attrs.get("paid_course") is None) == (attrs.get("paid_lesson") is None):
            text = ErrorDetail(str(_("Name a course or a lesson, and only one of them.")), code="exactly_one_item")
            raise serializers.ValidationError({"paid_course": [text]})

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        course, lesson = attrs.pop("paid_course", None), attrs.pop("paid_lesson", None)
        code = attrs["coupon"]
        return {
            "item": course or lesson,
            "method": attrs["payment_method"],
            "coupon": coupons.find_coupon(code) if code else None,
        }


class QuoteSerializer(serializers.Serializer):
    """What a payment would ask for: `amount` is `price` less `discount`."""

    price = serializers.DecimalField(max_digits=10, decimal_places=2, read_only=True)
    discount = serializers.DecimalField(max_digits=10, decimal_places=2, read_only=True)
    amount = serializers.DecimalField(max_digits=10, decimal_places=2, read_only=True)
    currency = serializers.CharField(read_only=True)


class PaymentOpenedSerializer(serializers.ModelSerializer):
    """A payment that waits for money; `payment_url` is null where no page is needed."""

    payment_id = serializers.UUIDField(source="pk", read_only=True)
    payment_url = serializers.SerializerMethodField()

    class Meta:
        model = Payment
        fields = ("payment_id", "payment_url", "amount", "currency", "status")
        read_only_fields = fields

    def get_payment_url(self, payment: Payment) -> str | None:
        return payment.payment_url or None


class CheckoutSessionSerializer(serializers.Serializer):
    checkout_url = serializers.URLField(read_only=True, source="payment_url")
    session_id = serializers.CharField(read_only=True, source="stripe_session_id")
    payment_id = serializers.UUIDField(read_only=True, source="pk")


class PaymentStatusSerializer(serializers.ModelSerializer):
    """Where a payment stands. `payment_status` is Stripe's word for it: unpaid or paid."""

    payment_status = serializers.SerializerMethodField()

    class Meta:
        model = Payment
        fields = ("id", "status", "payment_status", "paid_course", "paid_lesson", "amount", "currency")
        read_only_fields = fields

    def get_payment_status(self, payment: Payment) -> str:
        return "unpaid" if payment.is_unpaid else "paid"


class CanceledCheckoutSerializer(serializers.Serializer):
    """Somebody turned back from paying, and the address does not say from which payment."""

    status = serializers.CharField(help_text="canceled")
    payment_status = serializers.CharField(help_text="unpaid")


class ConfirmationSerializer(serializers.Serializer):
    """What cash or a transfer was confirmed by: a number of a cash receipt, of a bank statement."""

    reference = serializers.CharField(max_length=100)


class RefundCreateSerializer(serializers.Serializer):
    """How much goes back (all that is left, if not given), and why: one of Stripe's reasons, or other words."""

    amount = serializers.DecimalField(
        max_digits=10, decimal_places=2, min_value=Decimal("0.01"), required=False, allow_null=True, default=None
    )
    reason = serializers.CharField(max_length=500)


class CodeField(serializers.CharField):
    """A coupon's code in its one form, whatever is sent."""

    def _read(self, text: str) -> str:
        return read_code(super()._read(text))


class CourseIdsField(serializers.ListField):
    """Ids of courses that there are, looked up at once."""

    child = serializers.UUIDField()

    def to_internal_value(self, data: Any) -> list[Course]:
        ids = super().to_internal_value(data)
        found = Course.objects.in_bulk(ids)
        if missing := [pk for pk in ids if pk not in found]:
            text = _("There is no course %(id)s.") % {"id": missing[0]}
            raise serializers.ValidationError(text, "does_not_exist")
        return list(found.values())

    def to_representation(self, data: Any) -> list[str]:
        return [str(course.pk) for course in data.all()]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A tenth off, once for each person",
            {"code": "WELCOME10", "percent": "10.00", "max_uses_per_user": 1},
            request_only=True,
        ),
        OpenApiExample(
            "500 RUB off one course, for a while and a hundred times",
            {
                "code": "SKY500",
                "amount": "500.00",
                "currency": "RUB",
                "valid_until": "2026-12-31T20:59:59Z",
                "max_uses": 100,
                "courses": ["0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"],
            },
            request_only=True,
        ),
    ]
)
class CouponSerializer(SavesWhatWasSent, serializers.ModelSerializer):
    """A coupon: exactly one of `percent` and `amount`. No `courses` means all; `is_limited` says that it had some, even
    when the last of them has been deleted. `uses` counts payments that are open or have been paid."""

    code = CodeField(
        max_length=40,
        validators=[*Coupon._meta.get_field("code").validators, UniqueValidator(queryset=Coupon.objects.all())],
    )
    currency = serializers.CharField(required=False, allow_blank=True, max_length=3)
    valid_from = StartDateTimeField(required=False, allow_null=True)
    valid_until = EndDateTimeField(required=False, allow_null=True)
    courses = CourseIdsField(required=False, max_length=1000)
    uses = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Coupon
        fields = (
            "id",
            "code",
            "percent",
            "amount",
            "currency",
            "valid_from",
            "valid_until",
            "max_uses",
            "max_uses_per_user",
            "courses",
            "is_limited",
            "uses",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("is_limited",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        merged = {
            name: attrs.get(name, getattr(self.instance, name, None))
            for name in ("percent", "amount", "valid_from", "valid_until")
        }
        candidate = Coupon(**merged, currency=attrs.get("currency", getattr(self.instance, "currency", "")))
        candidate.clean()
        if "courses" in attrs:
            attrs["is_limited"] = (self.instance or candidate).limited_to(attrs["courses"])
        return {**attrs, "currency": candidate.currency}

    def update(self, instance: Coupon, validated_data: dict[str, Any]) -> Coupon:
        courses = validated_data.pop("courses", None)
        coupon = super().update(instance, validated_data)
        if courses is not None:
            coupon.courses.set(courses)
        return coupon


@extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$"})
class MonthField(serializers.DateField):
    """The month of a date."""

    def to_representation(self, value: date) -> str:
        return f"{value:%Y-%m}"


class SalesSerializer(serializers.Serializer):
    """What a course brought in a month, in one currency; the lessons of it that were sold alone among it."""

    course = serializers.UUIDField(read_only=True)
    title = serializers.CharField(read_only=True)
    month = MonthField(read_only=True, help_text="Such as 2026-11.")
    currency = serializers.CharField(read_only=True)
    payments = serializers.IntegerField(read_only=True, help_text="How many of the month were paid.")
    gross = serializers.DecimalField(max_digits=20, decimal_places=2, read_only=True)
    refunded = serializers.DecimalField(
        max_digits=20, decimal_places=2, read_only=True, help_text="Given back in this month, or lost to a dispute."
    )
    net = serializers.DecimalField(max_digits=20, decimal_places=2, read_only=True)
