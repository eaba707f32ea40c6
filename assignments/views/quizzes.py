"""Quizzes and attempts."""

from typing import Any

from django.db import transaction
from django.db.models import Count, Max, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from assignments.filters import AttemptFilter, MyAttemptFilter, QuizFilter
from assignments.models import Attempt, Question, Quiz
from assignments.permissions import MayManage
from assignments.serializers.quizzes import (
    AnswersSerializer,
    AttemptBriefSerializer,
    AttemptSerializer,
    AuthoredQuizzesSerializer,
    MyAttemptSerializer,
    OptionalAnswersSerializer,
    QuizBriefSerializer,
    QuizSerializer,
)
from assignments.services import attempts, outline
from assignments.views.parents import InCourse, InQuiz, check_own_work, path_parameters
from common.errors import RuleBroken
from common.ids import UUID_PATTERN
from common.schema import problems
from common.serializers import Serializer
from common.writing import LockedWrites
from materials import access
from materials.models import Lesson
from materials.services import look_for_completed

AUTHORED_QUIZZES = 100
IN_COURSE = path_parameters("course")
IN_QUIZ = path_parameters("course", "quiz")
ANY_QUIZ = PolymorphicProxySerializer(
    component_name="AnyQuiz", serializers=[QuizSerializer, QuizBriefSerializer], resource_type_field_name=None
)
FINAL = "The second final quiz of a course is refused with 400."


def check_quiz_open(view: InCourse, quiz: Quiz, *, ignoring: frozenset[str] = access.NOTHING) -> None:
    """The content gate of a quiz: that of its lesson, or of the whole course."""
    if quiz.lesson is not None:
        access.check_open(view.request.user, quiz.lesson, ignoring=ignoring)
    else:
        access.check_course_open(view.request.user, view.course, after_lessons=True, ignoring=ignoring)


@extend_schema_view(
    list=extend_schema(summary="Quizzes of a course", parameters=IN_COURSE),
    create=extend_schema(
        summary="Add a quiz", description=FINAL, parameters=IN_COURSE, responses={201: QuizSerializer}
    ),
    retrieve=extend_schema(
        summary="Open a quiz",
        description="Its author sees the questions with their key. Students get the questions with an attempt.",
        parameters=IN_COURSE,
        responses={200: ANY_QUIZ},
    ),
    update=extend_schema(summary="Change a quiz", description=FINAL, parameters=IN_COURSE),
    partial_update=extend_schema(summary="Change parts of a quiz", description=FINAL, parameters=IN_COURSE),
    destroy=extend_schema(
        summary="Delete a quiz",
        parameters=IN_COURSE,
        responses={204: None, **problems(_409="in_use: Somebody has taken it.")},
    ),
)
class QuizViewSet(LockedWrites, InCourse, viewsets.ModelViewSet):
    """Quizzes of a course, written with their questions in one body."""

    queryset = Quiz.objects.all()
    serializer_class = QuizSerializer
    permission_classes = (IsAuthenticated, MayManage)
    filterset_class = QuizFilter
    search_fields = ("title", "description")
    lookup_value_regex = UUID_PATTERN
    ordering = ("created_at",)

    def get_serializer_class(self) -> type[Serializer]:
        if getattr(self, "swagger_fake_view", False):
            return QuizBriefSerializer if self.action == "list" else QuizSerializer
        sees_keys = self.action != "list" and self.course.is_managed_by(self.request.user)
        return QuizSerializer if sees_keys else QuizBriefSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        if not getattr(self, "swagger_fake_view", False):
            context["course"] = self.course
        return context

    def get_queryset(self) -> QuerySet[Quiz]:
        quizzes = for_reading(Quiz.objects.filter(course=self.course), self.request.user).select_related("lesson")
        if self.action == "list":
            return self._listed(quizzes)
        questions = Question.objects.current().prefetch_related("choices")
        return quizzes.prefetch_related(Prefetch("questions", questions, to_attr="current_questions"))

    def _listed(self, quizzes: QuerySet[Quiz]) -> QuerySet[Quiz]:
        """Those that the caller may open: of open lessons, and of the course as a whole if that is open to them."""
        user = self.request.user
        if self.course.is_managed_by(user):
            return quizzes
        lessons = Lesson.objects.filter(course=self.course).for_viewer(user).open_to(user)
        of_lessons = quizzes.filter(lesson__in=lessons.values("pk"))
        try:
            access.check_course_open(user, self.course)
        except RuleBroken:
            if of_lessons.exists():
                return of_lessons
            raise
        return quizzes.filter(Q(lesson__isnull=True) | Q(lesson__in=lessons.values("pk")))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        quiz = self.get_object()
        if quiz.lesson is not None:
            quiz.lesson.course = self.course
        check_quiz_open(self, quiz)
        return Response(self.get_serializer(quiz).data)

    def perform_create(self, serializer: Serializer) -> None:
        questions = serializer.validated_data.pop("questions", [])
        with transaction.atomic():
            outline.check_room(self.course)
            quiz = serializer.save(course=self.course)
            attempts.replace_questions(quiz, questions)
        serializer.instance = self.get_queryset().get(pk=quiz.pk)

    def perform_update(self, serializer: Serializer) -> None:
        questions = serializer.validated_data.pop("questions", None)
        was_final = serializer.instance.is_final
        quiz = serializer.save()
        if questions is not None:
            attempts.replace_questions(quiz, questions)
        if was_final != quiz.is_final:
            look_for_completed(self.course.pk)
        serializer.instance = self.get_queryset().get(pk=quiz.pk)

    def perform_destroy(self, instance: Quiz) -> None:
        instance.delete()
        look_for_completed(self.course.pk)


def for_reading(quizzes: QuerySet[Quiz], user: Any) -> QuerySet[Quiz]:
    """With what the caller is told of each: how many questions, how often they have tried, their best."""
    mine = Attempt.objects.filter(quiz=OuterRef("pk"), student=user.pk).order_by().values("quiz")
    return quizzes.annotate(
        question_count=Count("questions", filter=Q(questions__replaced_at__isnull=True)),
        attempts_used=Coalesce(Subquery(mine.annotate(n=Count("pk")).values("n")), 0),
        best_score=Subquery(mine.annotate(best=Max("score")).values("best")),
    )


def with_titles(attempts: QuerySet[Attempt]) -> QuerySet[Attempt]:
    """With all that an attempt is shown with, and without the long texts of what it belongs to."""
    shown = attempts.select_related("quiz__course", "quiz__lesson", "student")
    return shown.defer(
        "quiz__description", "quiz__course__description", "quiz__lesson__description", "quiz__lesson__body"
    )


@extend_schema_view(get=extend_schema(summary="My attempts"))
class MyAttemptsView(generics.ListAPIView):
    """The caller's attempts in all courses, newest first, whether these are still open to them or not."""

    queryset = Attempt.objects.all()
    serializer_class = MyAttemptSerializer
    filterset_class = MyAttemptFilter
    ordering_fields = ("started_at",)
    ordering = ("-started_at",)

    def get_queryset(self) -> QuerySet[Attempt]:
        return with_titles(Attempt.objects.filter(student=self.request.user)).defer("layout")


CLOSED = problems(
    _403="deadline_passed: Time is up; what had been saved counts.", _409="already_submitted: It is over."
)


@extend_schema_view(
    list=extend_schema(
        summary="Attempts",
        description="One's own, newest first; everybody's for the course's teacher. Readable even when access to the "
        "course has expired.",
        parameters=IN_QUIZ,
    ),
    retrieve=extend_schema(summary="Open an attempt", parameters=IN_QUIZ),
    create=extend_schema(
        summary="Start an attempt",
        description="201 with the questions; 200 with the open attempt, while there is one.",
        parameters=IN_QUIZ,
        request=None,
        responses={
            200: AttemptSerializer,
            201: AttemptSerializer,
            **problems(
                _403="attempts_exhausted: All allowed attempts are used; `not_enrolled` and its like: it is closed.",
                _409="no_questions: The quiz has none yet.",
            ),
        },
    ),
)
class AttemptViewSet(InQuiz, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Attempts at a quiz. The server keeps their time and what they ask."""

    queryset = Attempt.objects.all()
    serializer_class = AttemptSerializer
    permission_classes = (IsAuthenticated,)
    filterset_class = AttemptFilter
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("started_at",)
    ordering = ("-started_at",)

    def get_serializer_class(self) -> type[Serializer]:
        return AttemptBriefSerializer if self.action == "list" else AttemptSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        if not getattr(self, "swagger_fake_view", False):
            context["sees_keys"] = self.course.is_managed_by(self.request.user)
        return context

    def get_queryset(self) -> QuerySet[Attempt]:
        found = with_titles(Attempt.objects.filter(quiz=self.quiz))
        if self.action != "list":
            found = found.prefetch_related("answers")
        if self.course.is_managed_by(self.request.user):
            return found
        mine = found.filter(student=self.request.user)
        check_own_work(lambda: check_quiz_open(self, self.quiz), mine)
        return mine

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if self.quiz.has_overdue:
            attempts.close_overdue(self.get_queryset().overdue()[: attempts.CLOSED_PER_RUN])
        return super().list(request, *args, **kwargs)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        check_quiz_open(self, self.quiz)
        attempt, is_new = attempts.start_attempt(student=request.user, quiz=self.quiz)
        attempt.quiz, attempt.student = self.quiz, request.user  # found already
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.get_serializer(attempt).data, status=code)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        attempt = self.get_object()
        if attempts.close_overdue([attempt] if attempt.is_overdue else []):
            attempt = self.get_object()
        return Response(self.get_serializer(attempt).data)

    @extend_schema(
        summary="Save answers",
        description="Answers to other questions stay as they were.",
        parameters=IN_QUIZ,
        request=AnswersSerializer,
        responses={200: AttemptSerializer, **CLOSED},
    )
    @action(detail=True, methods=["put"])
    def answers(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        attempt = self._mine()
        serializer = AnswersSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        attempts.save_answers(attempt=attempt, answers=serializer.validated_data["answers"])
        return self.retrieve(request)

    @extend_schema(
        summary="Submit an attempt",
        description="With `answers`, these are saved first; once time is up, what had been saved counts. Submitting "
        "again answers the same.",
        parameters=IN_QUIZ,
        request=OptionalAnswersSerializer,
        responses={200: AttemptSerializer},
    )
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        attempt = self._mine()
        serializer = OptionalAnswersSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        attempts.submit_attempt(attempt=attempt, answers=serializer.validated_data.get("answers"))
        return self.retrieve(request)

    def _mine(self) -> Attempt:
        """The caller's own attempt, while they may study: nobody answers for somebody else."""
        attempt = self.get_object()
        if attempt.student_id != self.request.user.pk:
            raise PermissionDenied
        check_quiz_open(self, self.quiz, ignoring=access.GOING_ON)
        return attempt


def authored_part(request: Request | None) -> AuthoredQuizzesSerializer:
    """For the registry: the quizzes of the caller's courses, the latest first; without a request, their shape alone."""
    if request is None:
        return AuthoredQuizzesSerializer()
    quizzes = Quiz.objects.filter(course__owner=request.user).select_related("course", "lesson")
    named = quizzes.defer("description", "course__description", "lesson__description", "lesson__body")
    return AuthoredQuizzesSerializer({"quizzes": named.order_by("-created_at", "-id")[:AUTHORED_QUIZZES]})
