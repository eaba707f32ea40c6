from payments.views.books import ExportView, SalesView
from payments.views.coupons import CouponViewSet, PreviewView
from payments.views.payments import CheckoutSessionView, MyPaymentsView, PaymentViewSet, UserPaymentsView
from payments.views.returns import CancelView, ReturnView

__all__ = [
    "CancelView",
    "CheckoutSessionView",
    "CouponViewSet",
    "ExportView",
    "MyPaymentsView",
    "PaymentViewSet",
    "PreviewView",
    "ReturnView",
    "SalesView",
    "UserPaymentsView",
]
