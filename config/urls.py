"""Every route starts here. Aliases of older clients stand in `config/compat_urls.py`."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from common import views
from config import compat_urls, pages
from payments.views import CancelView, ReturnView
from users.admin import change_own_password, log_in

api = [
    path("", include("users.urls")),
    path("", include("community.urls")),
    path("", include("payments.urls")),
    path("", include("assignments.urls")),
    path("", include("materials.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="swagger-ui")),
    path("api/", include(api)),
    *compat_urls.urlpatterns,
    path("success/", ReturnView.as_view(), name="payment-success"),
    path("cancel/", CancelView.as_view(), name="payment-cancel"),
    path("api/schema/", views.SchemaView.as_view(), name="schema"),
    path("api/schema/swagger-ui/", views.SwaggerView.as_view(), name="swagger-ui"),
    path("api/schema/redoc/", views.RedocView.as_view(), name="redoc"),
    *pages.urlpatterns,
    # The `type` of a problem has no slash at its end.
    re_path(r"^problems/(?P<code>[a-z_]+)/?$", views.ProblemView.as_view(), name="problem"),
    path("admin/login/", log_in),
    path("admin/password_change/", change_own_password),
    path("admin/", admin.site.urls),
    path("healthz/", views.alive, name="alive"),
    path("readyz/", views.ReadyView.as_view(), name="ready"),
    # Pictures that anyone may see. Everything else under MEDIA_ROOT is reached through the API alone.
    re_path(r"^media/public/(?P<path>.+)$", views.public_file),
]

handler400 = "common.handlers.bad_request"
handler403 = "common.handlers.permission_denied"
handler404 = "common.handlers.not_found"
handler500 = "common.handlers.server_error"
