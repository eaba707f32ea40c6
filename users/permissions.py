"""Who may do what. Each class says yes to something; views AND them with IsAuthenticated."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from users.models import User


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.is_staff)


class IsSelfOrAdmin(BasePermission):
    """The object is a user: themselves, or an admin."""

    def has_object_permission(self, request: Request, view: APIView, obj: User) -> bool:
        return obj == request.user or request.user.is_staff
