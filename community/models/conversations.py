"""What two people write to each other. Nobody else reads it, whatever their role."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, OuterRef, Prefetch, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.files import FileField
from common.models import Row
from users.models import User


def pair_of(one: UUID, other: UUID) -> str:
    """The same for both of them, whoever writes first."""
    return "".join(sorted((one.hex, other.hex)))


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: User) -> "ConversationQuerySet":
        """One's own alone: of others' not even admins know."""
        return self.filter(participants__user=user)

    def between(self, one: User, other: User) -> "ConversationQuerySet":
        return self.filter(pair=pair_of(one.pk, other.pk))

    def for_listing(self, user: User) -> "ConversationQuerySet":
        """Of conversations visible to the user: how they stand for them, who the others are, which message was last."""
        others = Participant.objects.exclude(user=user).select_related("user")
        latest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
        return self.annotate(
            unread_count=F("participants__unread_count"),
            my_blocked_at=F("participants__blocked_at"),
            last_message_id=Subquery(latest.values("pk")[:1]),
        ).prefetch_related(Prefetch("participants", others, to_attr="others"))


class Conversation(Row):
    pair = models.CharField(max_length=64, unique=True, editable=False)
    last_message_at = models.DateTimeField(_("last message at"), default=timezone.now)

    # What `for_listing` adds, and the view.
    unread_count: int
    my_blocked_at: Any
    last_message_id: UUID | None
    last_message: "Message | None"

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ("-last_message_at", "-id")
        indexes = [models.Index(fields=["-last_message_at", "-id"])]

    def __str__(self) -> str:
        return str(self.pk)


class Participant(Row):
    """One side of a conversation. What is counted here changes under the lock of the conversation's row."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="participants", verbose_name=_("conversation")
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="participations", verbose_name=_("person"))
    last_read_at = models.DateTimeField(_("last read at"), null=True, blank=True)
    unread_count = models.PositiveIntegerField(_("unread"), default=0)
    unread_since = models.DateTimeField(_("unread since"), null=True, blank=True)
    # When they were told of what is unread now.
    told_at = models.DateTimeField(_("told at"), null=True, blank=True)
    blocked_at = models.DateTimeField(_("blocked the other at"), null=True, blank=True)

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="community_participant_once"),
            models.CheckConstraint(
                condition=Q(unread_count=0, unread_since__isnull=True)
                | Q(unread_count__gt=0, unread_since__isnull=False),
                name="community_participant_unread_since",
            ),
        ]
        indexes = [
            models.Index(
                fields=["unread_since"],
                condition=Q(unread_count__gt=0, told_at__isnull=True),
                name="community_participant_to_tell",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"


class Message(Row):
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", verbose_name=_("conversation")
    )
    sender = models.ForeignKey(User, models.PROTECT, related_name="sent_messages", verbose_name=_("sender"))
    text = models.TextField(_("text"), max_length=10_000, blank=True)
    file = FileField(_("file"), upload_to="private/messages", blank=True)
    file_name = models.CharField(_("name of the file"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(condition=~Q(text="") | ~Q(file=""), name="community_message_says_something"),
        ]
        indexes = [models.Index(fields=["conversation", "-created_at", "-id"])]

    def __str__(self) -> str:
        return str(self.pk)
