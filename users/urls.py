from django.urls import include, path
from rest_framework.routers import SimpleRouter

from users import views

router = SimpleRouter()
router.register("users", views.UserViewSet, basename="user")

urlpatterns = [
    path("auth/register/", views.RegisterView.as_view(), name="register"),
    path("auth/token/", views.TokenObtainView.as_view(), name="token"),
    path("auth/token/refresh/", views.TokenRefreshView.as_view(), name="token-refresh"),
    path("auth/token/verify/", views.TokenVerifyView.as_view(), name="token-verify"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/logout/all/", views.LogoutAllView.as_view(), name="logout-all"),
    path("users/me/dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("users/me/", views.MeView.as_view(), name="me"),
    path("", include(router.urls)),
]
