"""The catalogue, courses, lessons and what hangs on them."""

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest, Left
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.ids import UUID_PATTERN
from common.paginators import ListPagination
from common.registry import authored
from common.schema import problems
from common.serializers import Serializer
from common.uploads import download
from common.writing import LockedDestroy, LockedWrites, lock
from materials import access, services
from materials.filters import CourseFilter, LessonFilter, ReviewFilter
from materials.models import Attachment, Category, Course, CourseUpdate, Lesson, LessonCompletion, Review
from materials.models.content import Viewer
from materials.outline import set_course_items, set_lesson_items
from materials.permissions import MayAuthor, MayChangeReview, MayManageCourse
from materials.serializers import (
    AttachmentSerializer,
    AuthoredCourseSerializer,
    CategorySerializer,
    CourseCardSerializer,
    CourseIdSerializer,
    CourseOfLessonSerializer,
    CourseSerializer,
    EnrollmentSerializer,
    FlatLessonSerializer,
    LessonSerializer,
    ListedLessonSerializer,
    MyMaterialsSerializer,
    ReviewSerializer,
    SubscriptionStateSerializer,
)
from users.permissions import IsAdmin

AUTHORED_COURSES = 100
POPULAR_DAYS = 30
POPULAR_COURSES = 10
POPULAR_CACHE_SECONDS = 300

COURSE_PATH = [OpenApiParameter("course_pk", OpenApiTypes.UUID, OpenApiParameter.PATH)]
LESSON_PATH = [*COURSE_PATH, OpenApiParameter("lesson_pk", OpenApiTypes.UUID, OpenApiParameter.PATH)]
FLAT_LESSON_PATH = [OpenApiParameter("lesson_pk", OpenApiTypes.UUID, OpenApiParameter.PATH)]

# Of a route whose body names a course.
NO_COURSE = problems(_404="not_found: There is no such course, as far as the caller may know.")

# What a page of a hundred cards can carry. All lessons stand in the course.
LESSONS_ON_A_CARD = 50
# Characters. A course of up to 25 lessons shows them as they are, whatever their length.
DESCRIPTIONS_OF_A_COURSE = 250_000

OUTLINE_FIELDS = ("id", "course", "title", "order", "price", "is_preview", "duration_seconds")


def visible_course(view: APIView, name: str = "course_pk") -> Course:
    """The course of a nested route, or 404."""
    return get_object_or_404(Course.objects.visible_to(view.request.user).select_related("owner"), pk=view.kwargs[name])


class CategoryViewSet(LockedWrites, viewsets.ModelViewSet):
    """Categories of courses, with how many published courses each has. Admins write them."""

    queryset = Category.objects.annotate(
        course_count=Count("courses", filter=Q(courses__status=Course.Status.PUBLISHED))
    )
    serializer_class = CategorySerializer
    lookup_value_regex = UUID_PATTERN
    search_fields = ("title",)
    ordering_fields = ("order", "title")
    ordering = ("order", "title_key")

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method in SAFE_METHODS else [IsAuthenticated(), IsAdmin()]

    @transaction.atomic
    def perform_update(self, serializer: Serializer) -> None:
        services.category_changed(serializer.save())

    def perform_destroy(self, instance: Category) -> None:
        services.delete_category(instance)


@extend_schema_view(
    list=extend_schema(summary="The catalogue"),
    create=extend_schema(summary="Create a course"),
    retrieve=extend_schema(summary="Open a course"),
    update=extend_schema(summary="Change a course"),
    partial_update=extend_schema(summary="Change parts of a course"),
    destroy=extend_schema(
        summary="Delete a course",
        responses={204: None, **problems(_409="in_use: Somebody has paid for it; archive it.")},
    ),
)
class CourseViewSet(LockedWrites, viewsets.ModelViewSet):
    """Courses. Everyone reads what is published; its author and staff edit it."""

    queryset = Course.objects.all()
    filterset_class = CourseFilter
    lookup_value_regex = UUID_PATTERN
    ordering_fields = {
        "created_at": "created_at",
        "price": "price",
        "rating": "rating_average",
        "popularity": "enrollment_count",
        "title": "title",
    }
    ordering = ("-created_at",)

    def get_permissions(self) -> list[Any]:
        if self.action in {"subscription", "enrollment", "unsubscribe", "leave"}:
            return [IsAuthenticated()]
        if self.action == "create":
            return [IsAuthenticated(), MayAuthor()]
        return [IsAuthenticatedOrReadOnly(), MayManageCourse()]

    def get_serializer_class(self) -> type[Serializer]:
        return CourseCardSerializer if self.action in {"list", "popular"} else CourseSerializer

    def get_queryset(self) -> QuerySet[Course]:
        user = self.request.user
        if self.action in {"list", "popular"}:
            return with_outline(Course.objects.listed_for(user).for_listing(user), user)
        return with_content(Course.objects.visible_to(user).for_listing(user), user)

    def paginate_queryset(self, queryset: QuerySet[Course]) -> Any:
        page = super().paginate_queryset(queryset)
        access.set_outline_locks(self.request.user, page)
        return page

    def get_object(self) -> Course:
        course = super().get_object()
        access.set_outline_locks(self.request.user, [course])
        if self.action == "retrieve":
            set_course_items(self.request.user, course)
        return course

    @transaction.atomic
    def perform_create(self, serializer: Serializer) -> None:
        course = serializer.save()
        services.course_saved(course, tell=False)
        serializer.instance = self._loaded(course)

    def perform_update(self, serializer: Serializer) -> None:
        course = serializer.instance
        if _changes(serializer):
            completion = course.completion
            course = serializer.save()
            services.course_saved(course, ends_otherwise=course.completion != completion)
        serializer.instance = self._loaded(course)

    def perform_destroy(self, instance: Course) -> None:
        services.delete_course(instance)

    def _loaded(self, course: Course) -> Course:
        user = self.request.user
        loaded = with_content(Course.objects.for_listing(user), user).get(pk=course.pk)
        access.set_outline_locks(user, [loaded])
        set_course_items(user, loaded)
        return loaded

    @extend_schema(
        summary="Popular courses",
        description="The most enrolled of the last 30 days, up to ten.",
        responses=CourseCardSerializer(many=True),
    )
    @action(detail=False, pagination_class=ListPagination, filterset_class=None, ordering_fields=())
    def popular(self, request: Request) -> Response:
        ids = cache.get("materials:popular")
        if ids is None:
            ids = popular_course_ids()
            cache.set("materials:popular", ids, POPULAR_CACHE_SECONDS)
        courses = self.filter_queryset(self.get_queryset().filter(pk__in=ids, status="published"))
        page = self.paginate_queryset(sorted(courses, key=lambda course: ids.index(course.pk)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        summary="Subscribe to a course's updates",
        description="201, or 200 where the subscription stood already.",
        request=None,
        responses={200: SubscriptionStateSerializer, 201: SubscriptionStateSerializer},
    )
    @action(detail=True, methods=["post"])
    def subscription(self, request: Request, pk: str) -> Response:
        is_new = services.subscribe(user=request.user, course=self._plain_course())
        return Response(
            {"message": _("You are subscribed to the course's updates."), "is_subscribed": True},
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )

    @extend_schema(summary="Unsubscribe", responses={204: None})
    @subscription.mapping.delete
    def unsubscribe(self, request: Request, pk: str) -> Response:
        services.unsubscribe(user=request.user, course=self._plain_course())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Enroll in a free course",
        description="201, or 200 where the enrollment stood already.",
        request=None,
        responses={
            200: EnrollmentSerializer,
            201: EnrollmentSerializer,
            **problems(_402="payment_required: The course has to be bought; `price` and `currency` say for how much."),
            **problems(_403="access_revoked: It was taken away from the caller, who has not left it by themselves."),
            **problems(_409="own_course: It is the caller's own."),
        },
    )
    @action(detail=True, methods=["post"])
    def enrollment(self, request: Request, pk: str) -> Response:
        enrollment, is_new = services.enroll(user=request.user, course=self._plain_course())
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(EnrollmentSerializer(enrollment).data, status=code)

    @extend_schema(summary="Leave a course", responses={204: None})
    @enrollment.mapping.delete
    def leave(self, request: Request, pk: str) -> Response:
        services.leave_course(user=request.user, course=self._plain_course())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _plain_course(self) -> Course:
        return visible_course(self, "pk")


def with_outline(courses: QuerySet[Course], user: Viewer) -> QuerySet[Course]:
    """The courses with the lines of their first lessons, all in one further query."""
    of_course = Lesson.objects.filter(course=OuterRef("course")).order_by("order", "id")
    shown = Q(course__lesson_count__lte=LESSONS_ON_A_CARD) | Q(pk__in=of_course.values("pk")[:LESSONS_ON_A_CARD])
    lessons = Lesson.objects.for_viewer(user).filter(shown).only(*OUTLINE_FIELDS).order_by("order", "id")
    durations = Lesson.objects.filter(course=OuterRef("pk")).order_by().values("course")
    durations = durations.annotate(total=Sum("duration_seconds")).values("total")
    courses = courses.annotate(total_duration=Coalesce(Subquery(durations), 0))
    return courses.prefetch_related(Prefetch("lessons", lessons, to_attr="outline"))


def with_content(courses: QuerySet[Course], user: Viewer) -> QuerySet[Course]:
    """The courses with their lessons in full, but for bodies, and for descriptions that are too long together."""
    fair_share = Greatest(DESCRIPTIONS_OF_A_COURSE / Greatest(F("course__lesson_count"), 1), 1)
    lessons = (
        Lesson.objects.for_viewer(user)
        .annotate(shown_description=Left("description", fair_share))
        .defer("body", "description")
        .prefetch_related("attachments")
        .order_by("order", "id")
    )
    return courses.prefetch_related(Prefetch("lessons", lessons, to_attr="outline"))


def popular_course_ids() -> list[Any]:
    since = timezone.now() - timedelta(days=POPULAR_DAYS)
    popular = (
        Course.objects.filter(status=Course.Status.PUBLISHED)
        .annotate(recent=Count("enrollments", filter=Q(enrollments__created_at__gte=since)))
        .order_by("-recent", "-enrollment_count", "-id")
    )
    return list(popular.values_list("pk", flat=True)[:POPULAR_COURSES])


def _changes(serializer: Serializer) -> bool:
    """Whether what was sent differs from what stands."""
    return any(getattr(serializer.instance, name) != value for name, value in serializer.validated_data.items())


class ToggleSubscriptionView(APIView):
    """Subscribes, or unsubscribes whoever is subscribed."""

    @extend_schema(
        summary="Toggle a subscription",
        request=CourseIdSerializer,
        responses={200: SubscriptionStateSerializer, **NO_COURSE},
    )
    def post(self, request: Request) -> Response:
        course = named_course(request)
        with transaction.atomic():
            services.lock_course(course)  # two toggles at once must not both see the same state
            if services.unsubscribe(user=request.user, course=course):
                return Response({"message": _("You get no more letters about it."), "is_subscribed": False})
            services.subscribe(user=request.user, course=course)
        return Response({"message": _("You are subscribed to the course's updates."), "is_subscribed": True})


def named_course(request: Request) -> Course:
    """The course that a body names as `course_id`: 400 without one, 404 for one that the caller may not see."""
    return visible_named_course(request, CourseIdSerializer(data=request.data), "course_id")


def visible_named_course(request: Request, serializer: Serializer, name: str) -> Course:
    """404 for a course that does not exist just as for one that the caller may not know of."""
    serializer.is_valid(raise_exception=True)
    courses = Course.objects.visible_to(request.user).select_related("owner")
    return get_object_or_404(courses, pk=serializer.validated_data[name])


class LessonPages(
    LockedWrites, mixins.ListModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet
):
    """What the nested and the flat route of lessons share."""

    search_fields = ("title", "description")
    queryset = Lesson.objects.all()
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("order", "created_at", "title")
    ordering = ("order",)

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticatedOrReadOnly(), MayManageCourse()]

    def get_serializer_class(self) -> type[Serializer]:
        return ListedLessonSerializer if self.action == "list" else super().get_serializer_class()

    def lessons(self) -> QuerySet[Lesson]:
        user = self.request.user
        lessons = Lesson.objects.filter(course__in=Course.objects.visible_to(user).values("pk"))
        stopped = LessonCompletion.objects.filter(lesson=OuterRef("pk"), enrollment__user=user.pk)
        lessons = lessons.annotate(position_seconds=Coalesce(Subquery(stopped.values("position_seconds")[:1]), 0))
        lessons = lessons.for_viewer(user).select_related("course__owner").prefetch_related("attachments")
        return lessons.defer("body") if self.action == "list" else lessons

    def paginate_queryset(self, queryset: QuerySet[Lesson]) -> Any:
        page = super().paginate_queryset(queryset)
        access.set_lesson_locks(self.request.user, page)
        return page

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        lesson = self.get_object()
        access.check_open(request.user, lesson)
        set_lesson_items(request.user, [lesson])
        return Response(self.get_serializer(lesson).data)

    def lock_rows(self) -> None:
        """The whole course: its lessons, their places and their number change together."""
        lessons = Lesson.objects.filter(pk=self.kwargs["pk"])
        lock(Course.objects.filter(pk__in=lessons.values("course")))

    def create_in(self, course: Course) -> Response:
        """201 with the new lesson of the course, which has been found visible."""
        self.check_object_permissions(self.request, course)
        self.request.data  # noqa: B018 - the body has arrived before anything is locked
        with transaction.atomic():
            context = {**self.get_serializer_context(), "course": services.lock_course(course)}
            serializer = self.get_serializer(data=self.request.data, context=context)
            serializer.is_valid(raise_exception=True)
            lesson = serializer.save(course=context["course"])
            services.content_changed(course, CourseUpdate.Kind.LESSON_ADDED, lesson.title)
            return Response(self._shown(serializer, lesson), status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: Serializer) -> None:
        lesson = serializer.instance
        if _changes(serializer):
            lesson = serializer.save()
            services.content_changed(lesson.course, CourseUpdate.Kind.LESSON_CHANGED, lesson.title)
        access.set_lesson_locks(self.request.user, [lesson])
        set_lesson_items(self.request.user, [lesson])

    def perform_destroy(self, instance: Lesson) -> None:
        services.delete_lesson(instance)

    def _shown(self, serializer: Serializer, lesson: Lesson) -> Any:
        access.set_lesson_locks(self.request.user, [lesson])
        set_lesson_items(self.request.user, [lesson])
        return serializer.to_representation(lesson)


@extend_schema_view(
    list=extend_schema(summary="Lessons of a course", parameters=COURSE_PATH),
    create=extend_schema(summary="Add a lesson", parameters=COURSE_PATH),
    retrieve=extend_schema(summary="Open a lesson", parameters=COURSE_PATH),
    update=extend_schema(summary="Change a lesson", parameters=COURSE_PATH),
    partial_update=extend_schema(summary="Change parts of a lesson", parameters=COURSE_PATH),
    destroy=extend_schema(
        summary="Delete a lesson",
        parameters=COURSE_PATH,
        responses={204: None, **problems(_409="in_use: Somebody has paid for it.")},
    ),
)
class CourseLessonViewSet(LessonPages):
    """The lessons of one course. A closed one is listed without its content, and answers 403 by itself."""

    serializer_class = LessonSerializer

    def get_queryset(self) -> QuerySet[Lesson]:
        return self.lessons().filter(course=self.kwargs["course_pk"])

    def paginate_queryset(self, queryset: QuerySet[Lesson]) -> Any:
        page = super().paginate_queryset(queryset)
        if not page:
            visible_course(self)  # no lessons yet, or no such course
        return page

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.create_in(visible_course(self))


@extend_schema_view(
    list=extend_schema(summary="Lessons that I own or may open"),
    create=extend_schema(summary="Add a lesson to a course", responses={201: FlatLessonSerializer, **NO_COURSE}),
    retrieve=extend_schema(summary="Open a lesson"),
    update=extend_schema(summary="Change a lesson"),
    partial_update=extend_schema(summary="Change parts of a lesson"),
    destroy=extend_schema(summary="Delete a lesson"),
)
class LessonViewSet(LessonPages):
    """Lessons by themselves, whatever their course."""

    serializer_class = FlatLessonSerializer
    filterset_class = LessonFilter
    ordering = ("-created_at",)

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated()] if self.action == "list" else super().get_permissions()

    def get_queryset(self) -> QuerySet[Lesson]:
        return self.lessons().open_to(self.request.user) if self.action == "list" else self.lessons()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        named = CourseOfLessonSerializer(data=request.data)
        named.is_valid(raise_exception=True)
        courses = Course.objects.visible_to(request.user).select_related("owner")
        return self.create_in(get_object_or_404(courses, pk=named.validated_data["course"]))


class AttachmentViewSet(
    LockedDestroy, mixins.ListModelMixin, mixins.CreateModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet
):
    """What accompanies a lesson. Seen by whoever may open it; added and removed by the course's owner and admins."""

    queryset = Attachment.objects.all()
    serializer_class = AttachmentSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    lookup_value_regex = UUID_PATTERN
    ordering = ("created_at",)

    def get_lesson(self) -> Lesson:
        """The lesson of the route, open to the caller for reading, managed by them for writing."""
        lessons = Lesson.objects.filter(course__in=Course.objects.visible_to(self.request.user).values("pk"))
        if "course_pk" in self.kwargs:
            lessons = lessons.filter(course=self.kwargs["course_pk"])
        lesson = get_object_or_404(lessons.select_related("course"), pk=self.kwargs["lesson_pk"])
        if self.request.method in SAFE_METHODS:
            access.check_open(self.request.user, lesson)
        elif not MayManageCourse().has_object_permission(self.request, self, lesson):
            self.permission_denied(self.request)
        return lesson

    def get_queryset(self) -> QuerySet[Attachment]:
        return Attachment.objects.filter(lesson=self.get_lesson())

    def lock_rows(self) -> None:
        lessons = Lesson.objects.filter(pk=self.kwargs["lesson_pk"])
        lock(Course.objects.filter(pk__in=lessons.values("course")))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.locked():
            lesson = self.get_lesson()
            context = {**self.get_serializer_context(), "lesson": lesson}
            serializer = self.get_serializer(data=request.data, context=context)
            serializer.is_valid(raise_exception=True)
            serializer.save()
            services.content_changed(lesson.course, CourseUpdate.Kind.LESSON_CHANGED, lesson.title)
            return Response(serializer.data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Download an attachment", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def file(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        attachment = self.get_object()
        kind = attachment.file.name.rpartition(".")[2]
        return download(attachment.file, f"{attachment.title}.{kind}")

    def perform_destroy(self, instance: Attachment) -> None:
        services.delete_attachment(instance)


@extend_schema_view(
    list=extend_schema(summary="Reviews of a course", parameters=COURSE_PATH),
    create=extend_schema(
        summary="Review a course",
        parameters=COURSE_PATH,
        responses={201: ReviewSerializer, **problems(_409="already_reviewed: One review a person; change that one.")},
    ),
    retrieve=extend_schema(summary="Open a review", parameters=COURSE_PATH),
    update=extend_schema(summary="Change a review", parameters=COURSE_PATH),
    partial_update=extend_schema(summary="Change parts of a review", parameters=COURSE_PATH),
    destroy=extend_schema(summary="Delete a review", parameters=COURSE_PATH),
)
class ReviewViewSet(LockedWrites, viewsets.ModelViewSet):
    """What those who study a course say of it: one review each."""

    queryset = Review.objects.all()
    serializer_class = ReviewSerializer
    permission_classes = (IsAuthenticatedOrReadOnly, MayChangeReview)
    filterset_class = ReviewFilter
    search_fields = ("text",)
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("created_at", "rating")
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Review]:
        return Review.objects.filter(course=visible_course(self)).select_related("author")

    def lock_rows(self) -> None:
        """The course: its rating is counted with whatever changes."""
        lock(Course.objects.filter(pk=self.kwargs["course_pk"]))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.locked():
            services.check_may_review(request.user, visible_course(self))
            return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: Serializer) -> None:
        course = visible_course(self)
        serializer.save(author=self.request.user, course=course)
        services.refresh_rating(course)

    def perform_update(self, serializer: Serializer) -> None:
        services.refresh_rating(serializer.save().course)

    def perform_destroy(self, instance: Review) -> None:
        services.delete_review(instance)


class MyMaterialsView(generics.ListAPIView):
    """What I have authored, drafts too, the latest first: `courses`, `posts` and `quizzes` hold up to 100 lines each,
    and `results` a page of my courses as cards."""

    queryset = Course.objects.all()
    serializer_class = CourseCardSerializer
    ordering = ("-created_at",)

    @extend_schema(summary="What I authored", responses=MyMaterialsSerializer)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().get(request, *args, **kwargs)
        latest = Course.objects.filter(owner=request.user).defer("description").order_by("-created_at", "-id")
        lines = AuthoredCourseSerializer(latest[:AUTHORED_COURSES], many=True, context=self.get_serializer_context())
        response.data["courses"] = lines.data
        for part in authored.call_each(request):
            response.data |= part.data
        return response

    def get_queryset(self) -> QuerySet[Course]:
        user = self.request.user
        return with_outline(Course.objects.filter(owner=user).for_listing(user), user)

    def paginate_queryset(self, queryset: QuerySet[Course]) -> Any:
        page = super().paginate_queryset(queryset)
        access.set_outline_locks(self.request.user, page)
        return page
