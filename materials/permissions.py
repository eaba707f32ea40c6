"""Who may do what with courses and what hangs on them. Whether they see it at all is `visible_to`'s affair."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from materials.models import Course


class MayAuthor(BasePermission):
    """Creating courses: the roles of `COURSE_AUTHOR_ROLES` and admins; moderators edit what others create."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if user.is_staff:
            return True
        return not user.is_moderator and user.role in settings.COURSE_AUTHOR_ROLES


class MayManageCourse(BasePermission):
    """Editing a course or what it holds: its owner, moderators and admins. Adding and deleting: not moderators."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS:
            return True
        course: Course = obj if isinstance(obj, Course) else obj.course
        if request.method in {"POST", "DELETE"}:
            return course.owner_id == request.user.pk or request.user.is_staff
        return course.is_managed_by(request.user)


class MayChangeReview(BasePermission):
    """Their author, and admins."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return request.method in SAFE_METHODS or obj.author_id == request.user.pk or request.user.is_staff
