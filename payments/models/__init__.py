from payments.models.catalog import StripePrice, StripeProduct
from payments.models.coupons import Coupon
from payments.models.inbox import IdempotencyRecord, WebhookEvent
from payments.models.payments import Payment, PaymentQuerySet, item_field
from payments.models.refunds import Dispute, NumberSeries, Refund, RefundRequest

__all__ = [
    "Coupon",
    "Dispute",
    "IdempotencyRecord",
    "NumberSeries",
    "Payment",
    "PaymentQuerySet",
    "Refund",
    "RefundRequest",
    "StripePrice",
    "StripeProduct",
    "WebhookEvent",
    "item_field",
]
