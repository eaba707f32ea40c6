"""What this app holds on a person, for themselves (common.registry.exports)."""

from typing import Any

from payments.models import Payment, Refund, RefundRequest
from users.models import User


def held_on(user: User) -> dict[str, Any]:
    return {
        "payments": Payment.objects.filter(user=user)
        .order_by("pk")
        .values(
            "id",
            "paid_course",
            "paid_lesson",
            "title",
            "amount",
            "currency",
            "coupon__code",
            "discount",
            "refunded_amount",
            "payment_method",
            "status",
            "payment_date",
            "access_until",
            "receipt_number",
            "reference",
            "stripe_session_id",
            "stripe_payment_intent_id",
            "created_at",
            "updated_at",
        ),
        # Who decided is somebody else.
        "refunds": Refund.objects.filter(payment__user=user)
        .order_by("pk")
        .values(
            "id",
            "payment",
            "amount",
            "reason",
            "comment",
            "status",
            "accepted_at",
            "credit_note_number",
            "stripe_refund_id",
            "created_at",
            "updated_at",
        ),
        "refund_requests": RefundRequest.objects.filter(payment__user=user)
        .order_by("pk")
        .values("id", "payment", "reason", "status", "answer", "decided_at", "created_at", "updated_at"),
    }
