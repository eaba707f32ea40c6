from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from common.ids import UUID_PATTERN
from payments import views, webhooks

router = SimpleRouter()
router.register("payments", views.PaymentViewSet, basename="payment")
router.register("coupons", views.CouponViewSet, basename="coupon")

urlpatterns = [
    path("payments/preview/", views.PreviewView.as_view(), name="payment-preview"),
    path("payments/webhook/", webhooks.WebhookView.as_view(), name="payment-webhook"),
    path("payments/export/", views.ExportView.as_view(), name="payment-export"),
    path("payments/sales/", views.SalesView.as_view(), name="payment-sales"),
    path("lessons/create-checkout-session/", views.CheckoutSessionView.as_view(), name="create-checkout-session"),
    re_path(rf"^users/(?P<pk>{UUID_PATTERN})/payments/$", views.UserPaymentsView.as_view(), name="user-payments"),
    path("", include(router.urls)),
]
