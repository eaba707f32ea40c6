"""The shapes of payments."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from materials.models import Course, Lesson
from payments.models import Payment, Refund, RefundRequest


class RefundSerializer(serializers.ModelSerializer):
    """Money that went back, or is about to."""

    class Meta:
        model = Refund
        fields = ("id", "amount", "reason", "status", "credit_note_number", "created_at")
        read_only_fields = fields


class PaymentSerializer(serializers.ModelSerializer):
    """A payment in a history. `payment_url` is null where nothing can be paid any more, or no page is needed."""

    payment_url = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = Payment
        fields = (
            "id",
            "user",
            "paid_course",
            "paid_lesson",
            "title",
            "amount",
            "currency",
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

    def to_representation(self, payment: Payment) -> dict[str, Any]:
        data = super().to_representation(payment)
        # A page where nothing can be paid any more leads nowhere.
        is_open = payment.status == Payment.Status.PENDING
        return {**data, "payment_url": payment.payment_url or None if is_open else None}


class PaymentDetailSerializer(PaymentSerializer):
    """The same with its refunds, the newest first."""

    refunds = RefundSerializer(many=True, read_only=True)

    class Meta(PaymentSerializer.Meta):
        fields = (*PaymentSerializer.Meta.fields, "refunds")
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
        )
    ]
)
class PaymentCreateSerializer(serializers.Serializer):
    """What to buy, and how to pay: exactly one of a course and a lesson."""

    paid_course = serializers.PrimaryKeyRelatedField(queryset=Course.objects.all(), required=False, allow_null=True)
    paid_lesson = serializers.PrimaryKeyRelatedField(queryset=Lesson.objects.all(), required=False, allow_null=True)
    payment_method = MethodField(required=False, default=Payment.Method.CARD)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        if "request" in self.context:
            courses = Course.objects.visible_to(self.context["request"].user)
            fields["paid_course"].queryset = courses.select_related("owner")
            fields["paid_lesson"].queryset = Lesson.objects.filter(course__in=courses.values("pk")).select_related(
                "course__owner"
            )
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        course, lesson = attrs.pop("paid_course", None), attrs.pop("paid_lesson", None)
        if (course is None) == (lesson is None):
            text = ErrorDetail(str(_("Name a course or a lesson, and only one of them.")), code="exactly_one_item")
            raise serializers.ValidationError({"paid_course": [text]})
        return {**attrs, "item": course or lesson}


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


class ConfirmationSerializer(serializers.Serializer):
    """What cash or a transfer was confirmed by: a number of a cash receipt, of a bank statement."""

    reference = serializers.CharField(max_length=100)


class RefundCreateSerializer(serializers.Serializer):
    """How much goes back (all that is left, if not given), and why: one of Stripe's reasons, or other words."""

    amount = serializers.DecimalField(
        max_digits=10, decimal_places=2, min_value=Decimal("0.01"), required=False, allow_null=True, default=None
    )
    reason = serializers.CharField(max_length=500)


class RefundRequestSerializer(serializers.ModelSerializer):
    class Meta:
        model = RefundRequest
        fields = ("id", "payment", "reason", "status", "created_at", "decided_at")
        read_only_fields = ("payment", "status", "decided_at")
