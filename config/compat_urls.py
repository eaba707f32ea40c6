"""Aliases: addresses that clients written against earlier versions of this API use. Each answers as its canonical
route.

One more alias needs no line here: POST /api/users/ registers, too.
"""

from typing import Any

from django.urls import path

from common.views import RedocView, SwaggerView
from materials.views import ToggleSubscriptionView
from payments.views import MyPaymentsView, PaymentViewSet
from users.views import MeView, RegisterView, TokenObtainView, TokenRefreshView

# alias: (canonical route, view)
ALIASES: dict[str, tuple[str, Any]] = {
    "/api/users/register/": ("/api/auth/register/", RegisterView.as_view()),
    "/api/token/": ("/api/auth/token/", TokenObtainView.as_view()),
    "/api/auth/login/": ("/api/auth/token/", TokenObtainView.as_view()),
    "/api/token/refresh/": ("/api/auth/token/refresh/", TokenRefreshView.as_view()),
    "/api/profile/": ("/api/users/me/", MeView.as_view()),
    "/api/course-subscribe/": ("/api/courses/toggle-subscribe/", ToggleSubscriptionView.as_view()),
    "/api/payments/create/": ("/api/payments/", PaymentViewSet.as_view({"post": "create"})),
    "/api/users/payments/": ("/api/payments/", MyPaymentsView.as_view()),
    "/docs/": ("/api/schema/swagger-ui/", SwaggerView.as_view()),
    "/docs": ("/api/schema/swagger-ui/", SwaggerView.as_view()),
    "/swagger/": ("/api/schema/swagger-ui/", SwaggerView.as_view()),
    "/redoc/": ("/api/schema/redoc/", RedocView.as_view()),
}

urlpatterns = [path(alias.lstrip("/"), view) for alias, (_canonical, view) in ALIASES.items()]


def mark_aliases(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook of the schema: marks each alias as deprecated and names its canonical route."""
    for alias, (canonical, _view) in ALIASES.items():
        for operation in result["paths"].get(alias, {}).values():
            _mark(operation, canonical)
    _mark(result["paths"]["/api/users/"]["post"], "/api/auth/register/")
    return result


def _mark(operation: dict[str, Any], canonical: str) -> None:
    operation["deprecated"] = True
    operation["tags"] = ["aliases"]
    operation["x-alias-of"] = canonical
    operation["summary"] = f"Alias of {canonical}"
