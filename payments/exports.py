"""What this app holds on a person, for themselves (common.registry.exports)."""

from typing import Any

from payments.models import Payment
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
            "payment_method",
            "status",
            "payment_date",
            "receipt_number",
            "stripe_session_id",
            "stripe_payment_intent_id",
            "created_at",
            "updated_at",
        ),
    }
