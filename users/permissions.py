"""Who may do what. Each class says yes to something; views AND them with IsAuthenticated."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from users.models import Notification, User


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.is_staff)


class IsSelfOrAdmin(BasePermission):
    """The object is a user: themselves, or an admin."""

    def has_object_permission(self, request: Request, view: APIView, obj: User) -> bool:
        return obj == request.user or request.user.is_staff


class MayWriteNotification(BasePermission):
    """An admin; asked of the row too, so that whoever may not know of it gets 404 and not 403."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return view.action != "create" or request.user.is_staff

    def has_object_permission(self, request: Request, view: APIView, obj: Notification) -> bool:
        return view.action not in {"update", "partial_update", "destroy"} or request.user.is_staff
