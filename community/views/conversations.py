"""Conversations of two, and their messages."""

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.ids import UUID_PATTERN
from common.paginators import CursorPagination
from common.schema import problems
from common.uploads import download
from community.models import Conversation, Message
from community.serializers.conversations import (
    ConversationSerializer,
    FirstMessageSerializer,
    LastSeenSerializer,
    MessageSerializer,
)
from community.services import conversations
from users.models import User

IN_CONVERSATION = [OpenApiParameter("conversation_pk", OpenApiTypes.UUID, OpenApiParameter.PATH)]
WRITING = problems(
    _403="blocked: The other does not want to hear from the caller; `you_blocked`: the caller has blocked the other; "
    "`recipient_inactive`: the other is not here any more."
)
BEGINNING = problems(
    _403="email_not_verified: A stranger, and the caller's email is not verified; `blocked`, `you_blocked`, "
    "`recipient_inactive`: as in a conversation.",
    _404="not_found: There is no such person, as far as the caller may know.",
)


@extend_schema_view(
    list=extend_schema(summary="My conversations", description="Those with the latest messages first."),
    retrieve=extend_schema(summary="Open a conversation"),
)
class ConversationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """What the caller and others write to each other. Nobody else knows of it, admins neither."""

    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer
    permission_classes = (IsAuthenticated,)
    pagination_class = CursorPagination
    lookup_value_regex = UUID_PATTERN
    ordering = ("-last_message_at",)

    def get_queryset(self) -> QuerySet[Conversation]:
        return Conversation.objects.visible_to(self.request.user).for_listing(self.request.user)

    def paginate_queryset(self, queryset: QuerySet[Conversation]) -> Any:
        return with_last_message(super().paginate_queryset(queryset))

    def get_object(self) -> Conversation:
        return with_last_message([super().get_object()])[0]

    @extend_schema(
        summary="Write to somebody",
        description="In the one conversation of the two, which is begun if there is none.",
        request=FirstMessageSerializer,
        responses={201: ConversationSerializer, **BEGINNING},
    )
    def create(self, request: Request) -> Response:
        serializer = FirstMessageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        people = User.objects.visible_to(request.user).for_request()
        recipient = get_object_or_404(people, pk=serializer.validated_data["recipient"])
        message = conversations.begin(sender=request.user, recipient=recipient, text=serializer.validated_data["text"])
        self.kwargs["pk"] = message.conversation_id
        return Response(self.get_serializer(self.get_object()).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Mark a conversation as read",
        request=LastSeenSerializer,
        responses={200: ConversationSerializer},
    )
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        conversation = self._plain()
        serializer = LastSeenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        last_seen = None
        if "message" in serializer.validated_data:
            messages = Message.objects.filter(conversation=conversation)
            last_seen = get_object_or_404(messages, pk=serializer.validated_data["message"])
        conversations.mark_read(user=request.user, conversation=conversation, last_seen=last_seen)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        summary="Block the other",
        description="Neither can write in the conversation until it is taken back.",
        request=None,
        responses={200: ConversationSerializer},
    )
    @action(detail=True, methods=["post"])
    def block(self, request: Request, pk: str) -> Response:
        conversations.block(user=request.user, conversation=self._plain())
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(summary="Take a block back", responses={204: None})
    @block.mapping.delete
    def unblock(self, request: Request, pk: str) -> Response:
        conversations.unblock(user=request.user, conversation=self._plain())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _plain(self) -> Conversation:
        return get_object_or_404(Conversation.objects.visible_to(self.request.user), pk=self.kwargs["pk"])


def with_last_message(page: list[Conversation]) -> list[Conversation]:
    """Each with its last message, all in one query."""
    wanted = [conversation.last_message_id for conversation in page]
    found = Message.objects.filter(pk__in=wanted).select_related("sender").in_bulk()
    for conversation in page:
        conversation.last_message = found.get(conversation.last_message_id)
    return page


@extend_schema_view(
    list=extend_schema(summary="Messages", description="The newest first.", parameters=IN_CONVERSATION),
)
class MessageViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """What was written in a conversation of the caller's."""

    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    permission_classes = (IsAuthenticated,)
    pagination_class = CursorPagination
    lookup_value_regex = UUID_PATTERN
    ordering = ("-created_at",)

    @cached_property
    def conversation(self) -> Conversation:
        mine = Conversation.objects.visible_to(self.request.user)
        return get_object_or_404(mine, pk=self.kwargs["conversation_pk"])

    def get_queryset(self) -> QuerySet[Message]:
        return Message.objects.filter(conversation=self.conversation).select_related("sender")

    @extend_schema(summary="Write a message", parameters=IN_CONVERSATION, responses={201: MessageSerializer, **WRITING})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        conversation = self.conversation
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        message = conversations.write(sender=request.user, conversation=conversation, **serializer.validated_data)
        return Response(self.get_serializer(message).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Download a message's file",
        parameters=IN_CONVERSATION,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True)
    def file(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        message = self.get_object()
        return download(message.file, message.file_name)
