from django.urls import include, path
from rest_framework.routers import SimpleRouter

from users import account_views, notification_views, social_views, views

router = SimpleRouter()
router.register("users/notifications", notification_views.NotificationViewSet, basename="notification")
router.register("auth/social/accounts", social_views.SocialAccountViewSet, basename="social-account")
router.register("users", views.UserViewSet, basename="user")

urlpatterns = [
    path("auth/register/", views.RegisterView.as_view(), name="register"),
    path("auth/token/", views.TokenObtainView.as_view(), name="token"),
    path("auth/token/refresh/", views.TokenRefreshView.as_view(), name="token-refresh"),
    path("auth/token/verify/", views.TokenVerifyView.as_view(), name="token-verify"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/logout/all/", views.LogoutAllView.as_view(), name="logout-all"),
    path("auth/password/change/", account_views.PasswordChangeView.as_view(), name="password-change"),
    path("auth/password/reset/", account_views.PasswordResetView.as_view(), name="password-reset"),
    path("auth/password/reset/confirm/", account_views.PasswordResetConfirmView.as_view(), name="password-confirm"),
    path("auth/email/change/", account_views.EmailChangeView.as_view(), name="email-change"),
    path("auth/email/verify/", account_views.EmailVerifyView.as_view(), name="email-verify"),
    path("auth/email/verify/resend/", account_views.EmailVerifyResendView.as_view(), name="email-verify-resend"),
    path("users/me/export/", account_views.ExportView.as_view(), name="export"),
    path(
        "users/notifications/unsubscribe/<str:token>/",
        notification_views.UnsubscribeView.as_view(),
        name="unsubscribe",
    ),
    path("users/me/dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("users/me/", views.MeView.as_view(), name="me"),
    path(
        "auth/social/accounts/by-letter/<str:key>/",
        social_views.SignInsByLetterView.as_view(),
        name="sign-ins-by-letter",
    ),
    path("auth/social/", social_views.SocialProvidersView.as_view(), name="social-providers"),
    path("", include(router.urls)),
    # After the router: `accounts` is no provider.
    path("auth/social/<str:provider>/", social_views.SocialSignInView.as_view(), name="social-sign-in"),
    path("auth/social/<str:provider>/link/", social_views.SocialLinkView.as_view(), name="social-link"),
]
