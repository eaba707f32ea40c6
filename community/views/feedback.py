"""The feedback form: open to everyone, read by moderators and admins, answered by admins."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.ids import UUID_PATTERN
from common.serializers import Serializer
from common.throttling import ScopedRateThrottle
from common.writing import LockedUpdate
from community.filters import FeedbackFilter
from community.models import Feedback
from community.permissions import MayReadFeedback
from community.serializers.feedback import FeedbackFormSerializer, FeedbackSerializer
from community.services import feedback


@extend_schema_view(
    list=extend_schema(summary="Feedback"),
    create=extend_schema(
        summary="Send feedback",
        description="Open to everyone. The admins get a letter.",
        request=FeedbackFormSerializer,
        responses={201: FeedbackFormSerializer},
    ),
    retrieve=extend_schema(summary="Open feedback"),
)
class FeedbackViewSet(
    LockedUpdate,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    """What people write to the platform. Moderators and admins read it; admins answer."""

    queryset = Feedback.objects.all()
    serializer_class = FeedbackSerializer
    permission_classes = (IsAuthenticated, MayReadFeedback)
    filterset_class = FeedbackFilter
    search_fields = ("name", "email", "subject", "message")
    lookup_value_regex = UUID_PATTERN
    http_method_names = ("get", "post", "patch", "head", "options")
    ordering_fields = ("created_at",)
    ordering = ("-created_at",)

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.action == "create" else super().get_permissions()

    def get_queryset(self) -> QuerySet[Feedback]:
        return Feedback.objects.for_listing()

    def get_serializer_class(self) -> type[Serializer]:
        return FeedbackFormSerializer if self.action == "create" else FeedbackSerializer

    def perform_create(self, serializer: Serializer) -> None:
        # Not before it is valid: a mistyped address is no letter.
        self.throttle_scope = "feedback"
        throttle = ScopedRateThrottle()
        if not throttle.allow_request(self.request, self):
            self.throttled(self.request, throttle.wait())
        user = self.request.user if self.request.user.is_authenticated else None
        serializer.instance = feedback.send_feedback(
            user=user, language=get_language() or settings.LANGUAGE_CODE, **serializer.validated_data
        )

    @extend_schema(
        summary="Answer feedback",
        description="Each new `answer` goes to the sender as a letter; the same one again does not. `status` is "
        "`answered` then, unless another is given.",
    )
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: Serializer) -> None:
        feedback.answer_feedback(feedback=serializer.instance, admin=self.request.user, **serializer.validated_data)
        serializer.instance = self.get_object()
