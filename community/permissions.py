"""Who may do what. Each class says yes to something; views AND them with who is signed in."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class MayWritePosts(BasePermission):
    """Everyone reads; moderators and admins write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or _is_staff(request)


class MayReadFeedback(BasePermission):
    """Moderators and admins read; admins answer."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return _is_staff(request) if request.method in SAFE_METHODS else request.user.is_staff


def _is_staff(request: Request) -> bool:
    return request.user.is_authenticated and request.user.may_edit_all_content
