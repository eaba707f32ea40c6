"""Who may do what with what belongs to a course. Whether they see it at all is decided before."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from materials.models import Course


def _teaches(request: Request, course: Course) -> bool:
    return course.owner_id == request.user.pk or request.user.is_staff


class MayManage(BasePermission):
    """Assignments and quizzes of a course: its owner and admins; moderators change what is there. `view.course` is the
    course of the route."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        course = view.course  # 404 before 403: looked for even where only the object decides
        return request.method != "POST" or _teaches(request, course)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS:
            return True
        return _teaches(request, view.course) if request.method == "DELETE" else view.course.is_managed_by(request.user)


class MayTeach(BasePermission):
    """Grading, and reading what a course's students do: its owner, admins, and for reading moderators."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        course = view.course
        return course.is_managed_by(request.user) if request.method in SAFE_METHODS else _teaches(request, course)


class MayChangeComment(BasePermission):
    """Their author, and admins."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return request.method in SAFE_METHODS or obj.author_id == request.user.pk or request.user.is_staff
