from payments.views.payments import CheckoutSessionView, MyPaymentsView, PaymentViewSet, UserPaymentsView
from payments.views.returns import ReturnView

__all__ = ["CheckoutSessionView", "MyPaymentsView", "PaymentViewSet", "ReturnView", "UserPaymentsView"]
