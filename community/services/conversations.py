"""Who may write to whom, what has been read, and how people hear of what has not."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common import frontend
from common.errors import RuleBroken, invalid
from community.models import Conversation, Message, Participant
from community.models.conversations import pair_of
from materials.models import Course, Enrollment
from users.models import Notification, User
from users.notifications import notify

# Whoever has read a conversation so recently has it before their eyes: nobody is told of each line of a chat.
PRESENCE = timedelta(minutes=2)
TOLD_PER_RUN = 500
MAX_QUOTE = 500


# --- Who may write to whom -------------------------------------------------------------------------------------------


def check_may_begin(*, sender: User, recipient: User) -> None:
    """Raises 400 for oneself, and 403 `email_not_verified` for a stranger while the sender's email is not verified.

    No stranger is whom one shares a course with, or has written with before. People who teach, and staff, can be
    written to by everyone.
    """
    if sender.pk == recipient.pk:
        raise invalid("recipient", "yourself", _("You cannot write to yourself."))
    if sender.email_verified_at is not None or sender.may_edit_all_content or is_public(recipient):
        return
    if not Conversation.objects.between(sender, recipient).exists() and not share_a_course(sender, recipient):
        raise RuleBroken(
            "email_not_verified", _("Verify your email to write to people whom you do not know."), status_code=403
        )


def is_public(user: User) -> bool:
    """Whether the person is there for everyone: teaches, or belongs to the staff."""
    if user.role == User.Role.TEACHER or user.may_edit_all_content:
        return True
    return Course.objects.filter(owner=user, status=Course.Status.PUBLISHED).exists()


def share_a_course(one: User, other: User) -> bool:
    """Whether one studies what the other teaches, or both study the same."""
    studying = Enrollment.objects.open_at(timezone.now())
    together = Q(user=one, course__in=studying.filter(user=other).values("course"))
    return studying.filter(Q(user=one, course__owner=other) | Q(user=other, course__owner=one) | together).exists()


def _check_open(mine: Participant, other: Participant) -> None:
    if other.blocked_at is not None:
        raise RuleBroken("blocked", _("This person does not want to hear from you."), status_code=403)
    if mine.blocked_at is not None:
        raise RuleBroken("you_blocked", _("You have blocked this person. Unblock them to write."), status_code=403)
    if not other.user.is_active:
        raise RuleBroken("recipient_inactive", _("This person is not here any more."), status_code=403)


# --- Writing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def begin(*, sender: User, recipient: User, text: str) -> Message:
    """A message to the person, in the one conversation of the two. See `check_may_begin` and `write`."""
    check_may_begin(sender=sender, recipient=recipient)
    # Of two first messages at once, one makes the conversation, and the other waits for it and takes it.
    conversation, is_new = Conversation.objects.get_or_create(pair=pair_of(sender.pk, recipient.pk))
    if is_new:
        Participant.objects.bulk_create(
            [Participant(conversation=conversation, user=user) for user in (sender, recipient)]
        )
    return write(sender=sender, conversation=conversation, text=text)


@transaction.atomic
def write(*, sender: User, conversation: Conversation, text: str, file: Any = "", file_name: str = "") -> Message:
    """Adds a message, counts it as unread and tells the other one, unless they have been told since they last read.

    Raises 403 `blocked`, `you_blocked` or `recipient_inactive`.
    """
    mine, other = _hold(conversation, sender.pk)
    _check_open(mine, other)
    message = Message.objects.create(
        conversation=conversation, sender=sender, text=text, file=file, file_name=file_name
    )
    Conversation.objects.filter(pk=conversation.pk).update(last_message_at=message.created_at)
    other.unread_count += 1
    other.unread_since = other.unread_since or message.created_at
    if other.told_at is None and not _is_present(other, message.created_at):
        other.told_at = message.created_at
        _tell(other, message)
    other.save(update_fields=["unread_count", "unread_since", "told_at"])
    return message


@transaction.atomic
def mark_read(*, user: User, conversation: Conversation, last_seen: Message | None = None) -> None:
    """All of it, or what is not newer than the message that the person saw last: what came in since stays unread."""
    mine, other = _hold(conversation, user.pk)
    since: datetime | None = None
    if last_seen is not None:
        later = Q(created_at__gt=last_seen.created_at) | Q(created_at=last_seen.created_at, pk__gt=last_seen.pk)
        newer = Message.objects.filter(later, conversation=conversation, sender=other.user)
        unread = list(newer.order_by("created_at", "pk").values_list("created_at", flat=True))
        # What was read once stays read, whatever is said to be the last that was seen.
        unread = unread[-mine.unread_count :] if mine.unread_count else []
        since = unread[0] if unread else None
        mine.unread_count = len(unread)
    else:
        mine.unread_count = 0
    mine.unread_since = since
    mine.told_at = None
    mine.last_read_at = timezone.now()
    mine.save(update_fields=["unread_count", "unread_since", "told_at", "last_read_at"])
    told = Notification.objects.filter(
        recipient=user, kind=Notification.Kind.MESSAGE_RECEIVED, url=url_of(conversation.pk), is_read=False
    )
    told.update(is_read=True, read_at=timezone.now())


@transaction.atomic
def block(*, user: User, conversation: Conversation) -> None:
    """Neither writes in it from now on."""
    mine, _other = _hold(conversation, user.pk)
    if mine.blocked_at is None:
        mine.blocked_at = timezone.now()
        mine.save(update_fields=["blocked_at"])


@transaction.atomic
def unblock(*, user: User, conversation: Conversation) -> None:
    mine, _other = _hold(conversation, user.pk)
    mine.blocked_at = None
    mine.save(update_fields=["blocked_at"])


def _hold(conversation: Conversation, user_id: UUID) -> tuple[Participant, Participant]:
    """Both sides, the user's own first; nobody else writes, reads or blocks until the transaction ends."""
    Conversation.objects.select_for_update().get(pk=conversation.pk)
    sides = Participant.objects.filter(conversation=conversation).select_related("user")
    mine, other = sorted(sides, key=lambda side: side.user_id != user_id)
    return mine, other


def counters(user: User) -> dict[str, Any]:
    """For the registry: what the dashboard counts here."""
    mine = Participant.objects.filter(user=user).order_by().values("user").annotate(count=Sum("unread_count"))
    return {"unread_messages": Coalesce(Subquery(mine.values("count")), 0)}


# --- Telling people --------------------------------------------------------------------------------------------------


def tell_of_unread() -> int:
    """Tells those who had a conversation before their eyes, and have left it unread all the same. Returns how many."""
    waiting = Participant.objects.filter(
        unread_count__gt=0, told_at__isnull=True, unread_since__lt=timezone.now() - PRESENCE
    )
    done = 0
    for participant in waiting.select_related("conversation").order_by("unread_since")[:TOLD_PER_RUN]:
        done += _tell_if_unread(waiting, participant)
    return done


@transaction.atomic
def _tell_if_unread(waiting: QuerySet[Participant], participant: Participant) -> int:
    """1 if they were told; 0 if they have read it, or have been told, in the meantime."""
    mine, other = _hold(participant.conversation, participant.user_id)
    if not waiting.filter(pk=mine.pk).update(told_at=timezone.now()):
        return 0
    unread = Message.objects.filter(
        conversation=participant.conversation, sender=other.user, created_at__gte=mine.unread_since
    )
    message = unread.select_related("sender").order_by("created_at", "pk").first()
    if message is not None and mine.user.is_active:
        _tell(mine, message)
    return 1


def _is_present(participant: Participant, moment: datetime) -> bool:
    return participant.last_read_at is not None and participant.last_read_at > moment - PRESENCE


def _tell(participant: Participant, message: Message) -> None:
    """Once for all that is unread: by its first message."""
    recipient = participant.user
    with translation.override(recipient.language):
        name = message.sender.first_name or message.sender.username
        subject = _("%(name)s has written to you") % {"name": name} if name else _("You have a new message")
        text = message.text or message.file_name
        notification = Notification(
            recipient=recipient,
            kind=Notification.Kind.MESSAGE_RECEIVED,
            subject=subject[:255],
            message=text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…",
            url=url_of(message.conversation_id),
            dedup_key=f"message:{message.pk}",
        )
    notify([notification])


def url_of(conversation_id: UUID) -> str:
    return frontend.conversation(conversation_id)


# --- People who leave ------------------------------------------------------------------------------------------------


def anonymise_writer(user: User) -> None:
    """Messages and posts stay, and name nobody any more; the others' notifications of them would."""
    conversations = Conversation.objects.filter(participants__user=user)
    others = Participant.objects.filter(conversation__in=conversations).exclude(user=user)
    Notification.objects.filter(
        recipient__in=others.values("user"),
        kind=Notification.Kind.MESSAGE_RECEIVED,
        url__in=[url_of(pk) for pk in conversations.values_list("pk", flat=True)],
    ).delete()
