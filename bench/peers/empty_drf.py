"""A DRF view that returns nothing, behind the product's own authentication: what the framework costs by itself."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.settings"
application = get_wsgi_application()

from django.urls import re_path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from common.renderers import JSONRenderer  # noqa: E402
from users.authentication import JWTAuthentication  # noqa: E402


class EmptyView(APIView):
    authentication_classes = (JWTAuthentication,)
    renderer_classes = (JSONRenderer,)

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [re_path("", EmptyView.as_view())]
