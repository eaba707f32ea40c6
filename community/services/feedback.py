"""The feedback form: telling the admins, and answering by a letter that the database keeps until it is sent."""

import logging
import smtplib
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.background import enqueue
from common.email_addresses import key_of_address
from common.mail import is_refused_for_good
from community.models import Feedback, FeedbackAnswer
from users.limits import LETTERS_PER_HOUR
from users.models import Notification, User
from users.notifications import notify

logger = logging.getLogger(__name__)

LETTERS_PER_RUN = 500
REFUSALS = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)
# What the standard library raises at addresses that it cannot write.
UNSENDABLE = (ValueError, LookupError, AttributeError)


@transaction.atomic
def send_feedback(*, user: User | None, **content: Any) -> Feedback:
    """Keeps what somebody wrote, and tells the admins."""
    feedback = Feedback.objects.create(user=user, **content)
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True)
    notify([_notification(feedback, admin) for admin in admins])
    return feedback


def _notification(feedback: Feedback, admin: User) -> Notification:
    with translation.override(admin.language):
        return Notification(
            recipient=admin,
            kind=Notification.Kind.ANNOUNCEMENT,
            subject=(_("Feedback: %(subject)s") % {"subject": feedback.subject})[:255],
            # Who wrote it stands on its page alone, where it is taken out when they leave.
            message=feedback.message,
            url=f"{settings.BASE_URL}/admin/community/feedback/{feedback.pk}/change/",
            dedup_key=f"feedback:{feedback.pk}",
        )


@transaction.atomic
def answer_feedback(
    *, feedback: Feedback, admin: User, answer: str | None = None, status: str | None = None
) -> Feedback:
    """Changes what is given. An answer other than the one that stands is sent as a letter; the same again is none."""
    current = Feedback.objects.select_for_update(of=("self",)).get(pk=feedback.pk)
    if answer is not None and answer != current.answer:
        current.answer = answer
        current.answered_at = timezone.now()
        current.answered_by = admin
        current.status = Feedback.Status.ANSWERED
        FeedbackAnswer.objects.create(feedback=current, author=admin, text=answer)
        enqueue("community.tasks.send_feedback_answers")
    current.status = status or current.status
    current.save(update_fields=["answer", "answered_at", "answered_by", "status", "updated_at"])
    return current


# --- The letters -----------------------------------------------------------------------------------------------------


def send_answers() -> int:
    """Sends the answers that wait, and returns how many were sent.

    Each is claimed before it goes out and marked as soon as it is accepted: a killed worker repeats at most the letter
    in its hand, with the same Message-ID.
    """
    waiting = FeedbackAnswer.objects.to_send()
    sent = 0
    for answer in waiting.select_related("feedback__user").order_by("created_at")[:LETTERS_PER_RUN]:
        if not waiting.filter(pk=answer.pk).update(leased_until=timezone.now() + FeedbackAnswer.LEASE):
            continue  # another worker was faster
        try:
            sent += _send(answer)
        except (OSError, smtplib.SMTPException) as error:
            FeedbackAnswer.objects.filter(pk=answer.pk, sent_at__isnull=True).update(leased_until=None)
            logger.warning("The mail server is away, answers to feedback wait: %s", error)
            break
    return sent


def _send(answer: FeedbackAnswer) -> int:
    """1 if the letter was accepted, 0 if not. Raises when the server itself is away."""
    mine = FeedbackAnswer.objects.filter(pk=answer.pk)
    if _has_had_enough(answer):
        mine.update(leased_until=timezone.now() + timedelta(hours=1))
        return 0
    attempts = answer.attempts + 1
    try:
        with get_connection() as mail:
            _letter(answer, mail).send()
    except (*REFUSALS, *UNSENDABLE) as error:
        mine.update(
            attempts=attempts,
            is_refused=is_refused_for_good(error) or attempts >= FeedbackAnswer.MAX_ATTEMPTS,
            leased_until=timezone.now() + FeedbackAnswer.LEASE * 2**attempts,
            error=str(error)[:255],
        )
        logger.warning("The answer %s was refused: %s", answer.pk, error)
        return 0
    return mine.update(attempts=attempts, sent_at=timezone.now(), leased_until=None, error="")


def _letter(answer: FeedbackAnswer, mail: Any) -> EmailMessage:
    feedback = answer.feedback
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    with translation.override(feedback.language):
        if _is_senders_own(feedback):
            quoted = "\n".join(f"> {line}" for line in feedback.message.splitlines())
            subject = _("Re: %(subject)s") % {"subject": feedback.subject}
            body = f"{answer.text}\n\n{_('You wrote:')}\n{quoted}\n"
        else:
            subject = _("The answer to your message")
            body = f"{answer.text}\n"
    return EmailMessage(
        subject=" ".join(subject.split()),
        body=body,
        to=[feedback.email],
        headers={"Message-ID": f"<{answer.pk}@{domain}>"},
        connection=mail,
    )


def _is_senders_own(feedback: Feedback) -> bool:
    """Whether it is known that the address is theirs who wrote. Anybody may have typed it into the form: a stranger is
    not written to in their words."""
    user = feedback.user
    if user is None or user.email_verified_at is None:
        return False
    return key_of_address(user.email) == key_of_address(feedback.email)


def _has_had_enough(answer: FeedbackAnswer) -> bool:
    lately = FeedbackAnswer.objects.filter(sent_at__gte=timezone.now() - timedelta(hours=1))
    return lately.filter(feedback__email__iexact=answer.feedback.email).count() >= LETTERS_PER_HOUR


# --- People who leave ------------------------------------------------------------------------------------------------


def anonymise_sender(user: User) -> None:
    """What they wrote stays, without name and address; a letter that waits has nowhere to go."""
    # Anybody can register an address that is not theirs, and leave.
    by_address = Q(email__iexact=user.email) if user.email_verified_at else Q()
    theirs = Feedback.objects.filter(Q(user=user) | by_address)
    FeedbackAnswer.objects.filter(feedback__in=theirs, sent_at__isnull=True).update(is_refused=True)
    theirs.update(name="", email="", updated_at=timezone.now())
