"""The notification centre, preferences, and the link that ends letters."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import frontend
from common.ids import UUID_PATTERN
from common.paginators import CursorPagination
from common.renderers import JSONRenderer
from common.schema import pages, problems
from common.serializers import Serializer
from common.writing import LockedWrites
from users import notifications
from users.filters import NotificationFilter
from users.letters import read_unsubscribe_token
from users.models import Notification, User
from users.notification_serializers import (
    AnnouncementSerializer,
    MarkedReadSerializer,
    NotificationChangeSerializer,
    NotificationSerializer,
    PreferenceSerializer,
    UnreadCountSerializer,
    UnsubscribeSerializer,
)
from users.permissions import MayWriteNotification


@extend_schema_view(
    list=extend_schema(summary="My notifications", description="The newest first."),
    retrieve=extend_schema(summary="Open a notification"),
    create=extend_schema(
        summary="Tell somebody something",
        description="By admins. An `announcement`: it is shown, and sent, as its recipient prefers.",
        request=AnnouncementSerializer,
        responses={201: NotificationSerializer},
    ),
    update=extend_schema(
        summary="Correct a notification",
        description="By admins. A letter that has gone out is out.",
        request=NotificationChangeSerializer,
        responses=NotificationSerializer,
    ),
    partial_update=extend_schema(
        summary="Correct parts of a notification",
        description="By admins.",
        request=NotificationChangeSerializer,
        responses=NotificationSerializer,
    ),
    destroy=extend_schema(summary="Delete a notification", description="By admins. A letter that waits is not sent."),
)
class NotificationViewSet(LockedWrites, viewsets.ModelViewSet):
    """One's own notifications. Admins write, correct and delete everybody's; their list, too, is their own."""

    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    permission_classes = (IsAuthenticated, MayWriteNotification)
    pagination_class = CursorPagination
    filterset_class = NotificationFilter
    lookup_value_regex = UUID_PATTERN
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Notification]:
        user = self.request.user
        if self.action in {"list", "read"}:
            return Notification.objects.shown_to(user)
        return Notification.objects.visible_to(user)

    def get_serializer_class(self) -> type[Serializer]:
        if self.action == "create":
            return AnnouncementSerializer
        if self.action in {"update", "partial_update"}:
            return NotificationChangeSerializer
        return super().get_serializer_class()

    @extend_schema(summary="Mark a notification as read", request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        notification = self.get_object()
        notifications.mark_read(notification)
        return Response(self.get_serializer(notification).data)

    @extend_schema(summary="Mark all my notifications as read", request=None, responses=MarkedReadSerializer)
    @action(detail=False, methods=["post"], url_path="read-all", filterset_class=None, pagination_class=None)
    def read_all(self, request: Request) -> Response:
        marked = notifications.mark_all_read(request.user)
        return Response(MarkedReadSerializer({"marked_read": marked}).data)

    @extend_schema(summary="How many I have not read", responses=UnreadCountSerializer)
    @action(detail=False, url_path="unread-count", filterset_class=None, pagination_class=None)
    def unread_count(self, request: Request) -> Response:
        return Response(UnreadCountSerializer({"unread_count": notifications.unread_by(request.user).count()}).data)

    @extend_schema(
        summary="How I hear of what",
        description="One entry for every kind. What nobody has set is shown, and sent at once.",
        responses=PreferenceSerializer(many=True),
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def preferences(self, request: Request) -> Response:
        return Response(PreferenceSerializer(notifications.preferences_of(request.user), many=True).data)

    @extend_schema(
        summary="Say how I want to hear of what",
        description="Kinds that are not given stay as they are. With `never`, letters that wait are not sent, either. "
        "That an account has been deactivated is always sent.",
        request=PreferenceSerializer(many=True),
        responses=PreferenceSerializer(many=True),
    )
    @preferences.mapping.put
    def set_preferences(self, request: Request) -> Response:
        serializer = PreferenceSerializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        notifications.set_preferences(user=request.user, preferences=serializer.validated_data)
        return self.preferences(request)


NO_LINK = problems(_404="not_found: The link belongs to no letter.")


@extend_schema_view(
    get=extend_schema(
        summary="What a link to unsubscribe is about",
        description="A page with a button for browsers, JSON for programs. Changes nothing.",
        responses={(200, "application/json"): UnsubscribeSerializer, **NO_LINK, **pages(200, 404)},
    ),
    post=extend_schema(
        summary="Unsubscribe",
        description="From letters of the kind that the link names (RFC 8058). May be repeated.",
        request=None,
        responses={(200, "application/json"): UnsubscribeSerializer, **NO_LINK, **pages(200, 404)},
    ),
)
class UnsubscribeView(APIView):
    """Where the link of a letter leads. Whoever holds the letter may end letters like it, signed in or not.

    Scanners of mail follow its links, so a GET asks and only a POST changes anything.
    """

    permission_classes = (AllowAny,)
    authentication_classes = ()
    # Mail programs unsubscribe for all of their users from a few addresses.
    throttle_classes = ()
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request, token: str) -> HttpResponse:
        return self._answer(request, *self._named(token))

    def post(self, request: Request, token: str) -> HttpResponse:
        user, kind = self._named(token)
        if user is not None:
            notifications.unsubscribe(user=user, kind=kind)
        return self._answer(request, user, kind)

    def _named(self, token: str) -> tuple[User | None, str]:
        """No user for a token that is none, or whose person is gone."""
        user_id, kind = read_unsubscribe_token(token) or (None, "")
        return User.objects.filter(pk=user_id).first(), kind

    def _answer(self, request: Request, user: User | None, kind: str) -> HttpResponse:
        done = user is not None and notifications.is_unsubscribed(user=user, kind=kind)
        if request.accepted_renderer.format == "html":
            label = dict(Notification.Kind.choices).get(kind, _("Daily digest"))
            context = {"person": user, "done": done, "label": label, "frontend_url": frontend.home()}
            code = status.HTTP_200_OK if user else status.HTTP_404_NOT_FOUND
            return render(request._request, "users/unsubscribe.html", context, status=code)
        if user is None:
            raise NotFound
        return Response(UnsubscribeSerializer({"kind": kind, "is_unsubscribed": done}).data)
