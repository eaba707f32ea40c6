"""The mail backend of an installation that has no SMTP server, and what servers mean by their refusals."""

import logging
import smtplib
import time
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from common.ids import new_id

logger = logging.getLogger(__name__)


class FileBackend(BaseEmailBackend):
    """Writes each letter, as the raw message, to a file of its own in `EMAIL_FILE_PATH`, and a line to the console."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{new_id()}.eml"
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(message.message().as_bytes())
            unfinished.rename(path)
            logger.info("Letter to %s: %s (%s)", ", ".join(message.recipients()), message.subject, path)
        return len(email_messages)


def is_refused_for_good(error: Exception) -> bool:
    """5yz replies are final, 4yz are not (RFC 5321, 4.2.1). An address that no message can carry is final, too."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return True
