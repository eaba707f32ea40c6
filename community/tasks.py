"""Background entry points. Each may run twice, at once, or be killed at any line."""

from celery import shared_task

from community.services import conversations, feedback


@shared_task
def send_feedback_answers() -> int:
    """Every minute, and whenever feedback has been answered."""
    return feedback.send_answers()


@shared_task
def tell_of_unread_messages() -> int:
    """Every minute: messages that came in during a chat and were not read after all."""
    return conversations.tell_of_unread()
