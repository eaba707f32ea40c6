"""Progress, the cabinet, the dashboard's part, and what teachers read of a course."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from assignments.filters import CabinetFilter
from assignments.permissions import MayTeach
from assignments.serializers.learning import (
    AnalyticsSerializer,
    CourseStudentSerializer,
    DashboardPartSerializer,
    GradebookItemSerializer,
    GradebookRowSerializer,
    GradebookSerializer,
    MyCourseSerializer,
    PositionSerializer,
    ProgressAtSerializer,
    ProgressSerializer,
)
from assignments.services import progress, reports
from assignments.views.parents import InCourse, path_parameters
from common.errors import invalid
from materials import access, services
from materials.models import Course, Enrollment, Lesson

IN_COURSE = path_parameters("course")


class _LessonView(APIView):
    """Something that a student does with a lesson."""

    def enrolled_lesson(self) -> tuple[Lesson, Enrollment]:
        """The lesson of the path, open to the caller, and their enrollment in its course."""
        user = self.request.user
        lessons = Lesson.objects.filter(course__in=Course.objects.visible_to(user).values("pk"))
        lesson = get_object_or_404(lessons.select_related("course__owner"), pk=self.kwargs["pk"])
        access.check_open(user, lesson)
        return lesson, access.check_enrolled(user, lesson.course)


class CompleteLessonView(_LessonView):
    """Marks a lesson as done. Doing so again changes nothing."""

    @extend_schema(summary="Complete a lesson", request=None, responses={200: ProgressSerializer})
    def post(self, request: Request, pk: str) -> Response:
        lesson, enrollment = self.enrolled_lesson()
        with transaction.atomic():
            services.complete_lesson(enrollment=enrollment, lesson=lesson)
            progress.complete_if_finished(student=request.user, course=lesson.course)
        enrollment.refresh_from_db(fields=["completed_at"])
        return Response(ProgressSerializer(progress.progress_of([enrollment])[enrollment.pk]).data)


class LessonPositionView(_LessonView):
    """Where the caller has stopped the lesson's video."""

    @extend_schema(
        summary="Remember where the video was stopped",
        request=PositionSerializer,
        responses={200: ProgressAtSerializer},
    )
    def put(self, request: Request, pk: str) -> Response:
        lesson, enrollment = self.enrolled_lesson()
        serializer = PositionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        seconds = serializer.validated_data["position_seconds"]
        services.note_position(enrollment=enrollment, lesson=lesson, seconds=seconds)
        found = progress.progress_of([enrollment])[enrollment.pk]
        return Response({**ProgressSerializer(found).data, "position_seconds": seconds})


class ProgressView(InCourse, APIView):
    """How far the caller has come in a course. Readable even when access has expired."""

    @extend_schema(summary="My progress in a course", parameters=IN_COURSE, responses={200: ProgressSerializer})
    def get(self, request: Request, course_pk: str) -> Response:
        enrollment = access.check_enrolled(request.user, self.course, ignoring=access.READING_OWN_WORK)
        return Response(ProgressSerializer(progress.progress_of([enrollment])[enrollment.pk]).data)


def with_progress(enrollments: list[Enrollment]) -> list[Enrollment]:
    found = progress.progress_of(enrollments)
    for enrollment in enrollments:
        enrollment.progress = found[enrollment.pk]
    return enrollments


@extend_schema_view(get=extend_schema(summary="My courses"))
class CabinetView(generics.ListAPIView):
    """The cabinet: what the caller studies, with progress. A completed course leaves it after a month."""

    queryset = Enrollment.objects.all()
    serializer_class = MyCourseSerializer
    filterset_class = CabinetFilter
    search_fields = ("course__title",)
    ordering_fields = ("created_at",)
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Enrollment]:
        mine = Enrollment.objects.filter(user=self.request.user).select_related("course")
        return mine if "all" in self.request.query_params.getlist("status") else mine.in_cabinet()

    def paginate_queryset(self, queryset: QuerySet[Enrollment]) -> Any:
        return with_progress(super().paginate_queryset(queryset))


def dashboard_part(request: Request | None) -> DashboardPartSerializer:
    """For the registry: this app's members of the dashboard; without a request, their shape alone."""
    if request is None:
        return DashboardPartSerializer()
    return DashboardPartSerializer(progress.dashboard(request.user), context={"request": request})


# --- For teachers ----------------------------------------------------------------------------------------------------


@extend_schema_view(get=extend_schema(summary="Students of a course", parameters=IN_COURSE))
class CourseStudentsView(InCourse, generics.ListAPIView):
    """Who studies the course, and how far they have come. For its owner, moderators and admins."""

    queryset = Enrollment.objects.all()
    serializer_class = CourseStudentSerializer
    permission_classes = (IsAuthenticated, MayTeach)
    search_fields = ("user__first_name", "user__last_name", "user__username", "user__email")
    ordering_fields = ("created_at",)
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Enrollment]:
        return reports.students(self.course)

    def paginate_queryset(self, queryset: QuerySet[Enrollment]) -> Any:
        return with_progress(super().paginate_queryset(queryset))


@extend_schema_view(
    get=extend_schema(
        summary="The gradebook of a course",
        description="A page of students, with the score of everything that is graded. `format=csv` gives everybody in "
        "one file.",
        parameters=[*IN_COURSE, OpenApiParameter("format", OpenApiTypes.STR, enum=["json", "csv"])],
        responses={(200, "application/json"): GradebookSerializer, (200, "text/csv"): OpenApiTypes.STR},
    )
)
class GradebookView(InCourse, generics.ListAPIView):
    """Who has which scores. For the course's owner, moderators and admins."""

    queryset = Enrollment.objects.all()
    serializer_class = GradebookRowSerializer
    permission_classes = (IsAuthenticated, MayTeach)
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Enrollment]:
        return reports.students(self.course)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        renderer = self.get_renderers()[0]  # `format` is read below: it chooses no renderer of DRF's
        return renderer, renderer.media_type

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        kind = request.query_params.get("format", "json")
        if kind == "csv":
            name = f'attachment; filename="gradebook-{self.course.pk}.csv"'
            return StreamingHttpResponse(
                reports.gradebook_csv(self.course),
                content_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": name},
            )
        if kind != "json":
            raise invalid("format", "invalid_choice", "json, csv")
        return self._page()

    def _page(self) -> Response:
        enrollments = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        items = reports.gradebook_items(self.course)
        rows = reports.gradebook_rows(self.course, [enrollment.user for enrollment in enrollments])
        lines = [
            {
                "student": row.student,
                "scores": {str(item.id): row.scores.get(item.id) for item in items},
                "total": row.total,
            }
            for row in rows
        ]
        response = self.get_paginated_response(
            GradebookRowSerializer(lines, many=True, context=self.get_serializer_context()).data
        )
        response.data["items"] = GradebookItemSerializer(items, many=True).data
        response.data["max_total"] = sum(item.max_score for item in items)
        return response


class AnalyticsView(InCourse, APIView):
    """How a course does. For its owner, moderators and admins."""

    permission_classes = (IsAuthenticated, MayTeach)

    @extend_schema(summary="Analytics of a course", parameters=IN_COURSE, responses={200: AnalyticsSerializer})
    def get(self, request: Request, course_pk: str) -> Response:
        return Response(AnalyticsSerializer(reports.analytics(self.course)).data)
