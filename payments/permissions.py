"""Who may do what with a payment. Each class says yes to something; views AND them with IsAuthenticated."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from materials.models import Course
from payments.models import Payment


class IsAdminWhereMoneyMoves(BasePermission):
    """Confirming and refunding is for admins; asked of the row, so that whoever may not know of it gets 404."""

    def has_object_permission(self, request: Request, view: APIView, obj: Payment) -> bool:
        return view.action not in {"confirm", "refund"} or request.user.is_staff


class IsSeller(BasePermission):
    """Sales are for who teaches, or owns a course otherwise, and for admins."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return user.is_staff or user.role == user.Role.TEACHER or Course.objects.filter(owner=user).exists()


class IsBuyerWhoAsks(BasePermission):
    """Nobody asks for another's money back."""

    def has_object_permission(self, request: Request, view: APIView, obj: Payment) -> bool:
        return view.action != "refund_request" or obj.user_id == request.user.pk
