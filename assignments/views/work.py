"""Assignments, submissions and comments."""

from typing import Any

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from assignments.filters import MySubmissionFilter, SubmissionFilter
from assignments.models import Assignment, Comment, Submission, SubmissionVersion
from assignments.permissions import MayChangeComment, MayManage, MayTeach
from assignments.serializers.work import (
    AssignmentSerializer,
    CommentSerializer,
    GradeSerializer,
    MySubmissionSerializer,
    SubmissionSerializer,
)
from assignments.services import outline, submissions
from assignments.views.parents import (
    InAssignment,
    InLesson,
    InSubmission,
    check_own_work,
    path_parameters,
)
from common.ids import UUID_PATTERN
from common.schema import problems
from common.serializers import Serializer
from common.uploads import download
from common.writing import LockedWrites
from materials import access
from materials.services import look_for_completed

IN_LESSON = path_parameters("course", "lesson")
IN_ASSIGNMENT = path_parameters("course", "lesson", "assignment")
IN_SUBMISSION = path_parameters("course", "lesson", "assignment", "submission")


@extend_schema_view(
    list=extend_schema(summary="Assignments of a lesson", parameters=IN_LESSON),
    create=extend_schema(summary="Add an assignment", parameters=IN_LESSON),
    retrieve=extend_schema(summary="Open an assignment", parameters=IN_LESSON),
    update=extend_schema(summary="Change an assignment", parameters=IN_LESSON),
    partial_update=extend_schema(summary="Change parts of an assignment", parameters=IN_LESSON),
    destroy=extend_schema(
        summary="Delete an assignment",
        parameters=IN_LESSON,
        responses={204: None, **problems(_409="in_use: Somebody has handed work in.")},
    ),
)
class AssignmentViewSet(LockedWrites, InLesson, viewsets.ModelViewSet):
    """Work that a lesson asks for. Seen by whoever may open the lesson."""

    queryset = Assignment.objects.all()
    serializer_class = AssignmentSerializer
    permission_classes = (IsAuthenticated, MayManage)
    lookup_value_regex = UUID_PATTERN
    search_fields = ("title", "description")
    ordering_fields = ("created_at", "due_at")
    ordering = ("created_at",)

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        if not getattr(self, "swagger_fake_view", False):
            context["time_zone"] = self.course.owner.time_zone  # a day of the course is one of its teacher's
        return context

    def get_queryset(self) -> QuerySet[Assignment]:
        access.check_open(self.request.user, self.lesson)
        return Assignment.objects.filter(lesson=self.lesson)

    @transaction.atomic
    def perform_create(self, serializer: Serializer) -> None:
        outline.check_room(self.course)
        serializer.save(lesson=self.lesson)

    def perform_destroy(self, instance: Assignment) -> None:
        instance.delete()
        look_for_completed(self.course.pk)


SUBMITTING = problems(
    _403="deadline_passed: It is too late; `not_enrolled`, `payment_required` and their like: the lesson is closed.",
    _409="already_submitted: One stands; change that.",
)
RESUBMITTING = problems(
    _403="deadline_passed: It is too late; `resubmissions_not_allowed`: it is handed in once.",
    _409="already_graded: The teacher has looked at it; `too_many_versions`: it has been changed too often.",
)


@extend_schema_view(
    list=extend_schema(
        summary="Submissions",
        description="One's own; everybody's, newest first, for the course's teacher. Long texts are cut here, and "
        "whole in each submission. Readable even when access to the course has expired.",
        parameters=IN_ASSIGNMENT,
    ),
    create=extend_schema(
        summary="Hand work in", parameters=IN_ASSIGNMENT, responses={201: SubmissionSerializer, **SUBMITTING}
    ),
    retrieve=extend_schema(summary="Open a submission", parameters=IN_ASSIGNMENT),
    update=extend_schema(
        summary="Hand it in again",
        description="Before grading, or when it has been returned. It keeps its id and becomes the next version; "
        "earlier versions and their grades stay as they were, in `versions`.",
        parameters=IN_ASSIGNMENT,
        responses={200: SubmissionSerializer, **RESUBMITTING},
    ),
    destroy=extend_schema(
        summary="Take a submission back",
        description="With all its versions, as long as none of them has been graded or returned.",
        parameters=IN_ASSIGNMENT,
        responses={204: None, **RESUBMITTING},
    ),
)
class SubmissionViewSet(InAssignment, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """What students hand in: one submission a student, with all its versions. The latest of them counts."""

    queryset = Submission.objects.all()
    serializer_class = SubmissionSerializer
    permission_classes = (IsAuthenticated,)
    filterset_class = SubmissionFilter
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("submitted_at",)
    ordering = ("-submitted_at",)

    def get_queryset(self) -> QuerySet[Submission]:
        user = self.request.user
        found = Submission.objects.filter(assignment=self.assignment).with_titles()
        if self.action == "list":
            earlier = SubmissionVersion.objects.for_listing()
            found = found.for_listing().prefetch_related(Prefetch("earlier", earlier))
        if self.course.is_managed_by(user):
            return found
        mine = found.filter(student=user)
        check_own_work(lambda: access.check_open(user, self.lesson), mine)
        return mine

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        assignment = self.assignment
        self._check_may_study()
        submission = submissions.submit(student=request.user, assignment=assignment, **self._content(request))
        return Response(self.get_serializer(submission).data, status=status.HTTP_201_CREATED)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        mine = self._mine()
        submission = submissions.resubmit(submission=mine, **self._content(request))
        return Response(self.get_serializer(submission).data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        submissions.withdraw(submission=self._mine())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _mine(self) -> Submission:
        """The caller's own submission of the path, for which the lesson is still open to them."""
        submission = self.get_object()
        if submission.student_id != self.request.user.pk:
            raise PermissionDenied
        self._check_may_study()
        return submission

    def _check_may_study(self) -> None:
        access.check_open(self.request.user, self.lesson)
        access.check_may_study(self.request.user, self.course, self.lesson)

    def _content(self, request: Request) -> dict[str, Any]:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    @extend_schema(
        summary="Grade a submission",
        description="`score` is before the penalty for lateness. `status: returned` sends the work back to be done "
        "again.",
        parameters=IN_ASSIGNMENT,
        request=GradeSerializer,
        responses={
            200: SubmissionSerializer,
            **problems(_409="stale_version: Another version than the one in `version` stands by now; read that one."),
        },
    )
    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated])
    def grade(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        submission = self.get_object()
        if not MayTeach().has_permission(request, self):
            raise PermissionDenied
        serializer = GradeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        graded = submissions.grade(submission=submission, teacher=request.user, **serializer.validated_data)
        return Response(self.get_serializer(graded).data)

    @extend_schema(
        summary="Download a submission's file",
        parameters=[
            *IN_ASSIGNMENT,
            OpenApiParameter("version", OpenApiTypes.INT, description="Of an earlier version; else of the latest."),
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="file")
    def file(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        submission = self.get_object()
        number = request.query_params.get("version", str(submission.version))
        version = next((one for one in submission.versions if str(one.version) == number), None)
        if version is None:
            raise Http404
        return download(version.file, version.file_name)


@extend_schema_view(get=extend_schema(summary="My submissions"))
class MySubmissionsView(generics.ListAPIView):
    """What the caller has handed in, in all courses, newest first, with its grades; also where access has run out."""

    queryset = Submission.objects.all()
    serializer_class = MySubmissionSerializer
    filterset_class = MySubmissionFilter
    ordering_fields = ("submitted_at",)
    ordering = ("-submitted_at",)

    def get_queryset(self) -> QuerySet[Submission]:
        mine = Submission.objects.filter(student=self.request.user)
        return mine.with_titles().for_listing()


# --- Comments --------------------------------------------------------------------------------------------------------


class CommentViewSet(LockedWrites, viewsets.ModelViewSet):
    """What is said about something. Read and written by those whom it is open to; changed by whoever wrote it."""

    queryset = Comment.objects.all()
    serializer_class = CommentSerializer
    permission_classes = (IsAuthenticated, MayChangeComment)
    lookup_value_regex = UUID_PATTERN
    ordering = ("created_at",)

    def target(self) -> dict[str, Any]:
        """`{"lesson": …}` or its like, open to the caller."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Comment]:
        return Comment.objects.filter(**self.target()).select_related("author")

    def perform_create(self, serializer: Serializer) -> None:
        serializer.instance = submissions.add_comment(
            author=self.request.user, text=serializer.validated_data["text"], **self.target()
        )


def _comments_of(name: str, parameters: list[Any]) -> Any:
    return extend_schema_view(
        list=extend_schema(summary=f"Comments on {name}", parameters=parameters),
        create=extend_schema(summary=f"Comment on {name}", parameters=parameters),
        retrieve=extend_schema(summary=f"Open a comment on {name}", parameters=parameters),
        update=extend_schema(summary=f"Change a comment on {name}", parameters=parameters),
        partial_update=extend_schema(summary=f"Change parts of a comment on {name}", parameters=parameters),
        destroy=extend_schema(summary=f"Delete a comment on {name}", parameters=parameters),
    )


@_comments_of("a lesson", IN_LESSON)
class LessonCommentViewSet(InLesson, CommentViewSet):
    def target(self) -> dict[str, Any]:
        access.check_open(self.request.user, self.lesson)
        return {"lesson": self.lesson}


@_comments_of("an assignment", IN_ASSIGNMENT)
class AssignmentCommentViewSet(InAssignment, CommentViewSet):
    def target(self) -> dict[str, Any]:
        assignment = self.assignment
        access.check_open(self.request.user, self.lesson)
        return {"assignment": assignment}


@_comments_of("a submission", IN_SUBMISSION)
class SubmissionCommentViewSet(InSubmission, CommentViewSet):
    """Seen by the submission's student and the course's teachers alone. Readable even when access has expired."""

    def target(self) -> dict[str, Any]:
        user = self.request.user
        if not self.course.is_managed_by(user):
            access.check_open(
                user,
                self.lesson,
                ignoring=access.READING_OWN_WORK if self.request.method in SAFE_METHODS else access.GOING_ON,
            )
            if self.submission.student_id != user.pk:
                raise Http404
        return {"submission": self.submission}

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        return context if getattr(self, "swagger_fake_view", False) else {**context, "submission": self.submission}
