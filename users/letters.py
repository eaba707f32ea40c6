"""What a letter looks like: HTML and text, from one set of templates, and the bytes that a mail server takes.

Writing out a message costs more than a millisecond. Letters that say the same to many people differ in three places
only (the address, the Message-ID, the link to unsubscribe), so one is written out with marks in these places, and the
marks are replaced for each recipient.
"""

import re
import secrets
from collections.abc import Sequence
from email.utils import format_datetime, parseaddr
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import sanitize_address
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common import frontend
from common.mail import Letter
from users.keys import link_of
from users.models import Notification

PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
ITEMS_PER_DIGEST = 50
CHARACTERS_PER_ITEM = 500

signer = Signer(salt="users.unsubscribe", sep="~")


def unsubscribe_token(user_id: UUID, kind: str) -> str:
    """Does not expire: a letter is found again years later, and its link has to work."""
    return signer.sign(f"{user_id.hex}~{kind}")


def read_unsubscribe_token(token: str) -> tuple[UUID, str] | None:
    """Whose letters of which kind; None for what we have not signed."""
    try:
        user, _sep, kind = signer.unsign(token).partition("~")
        return UUID(hex=user), kind
    except (BadSignature, ValueError):
        return None


class Writer:
    """Writes the letters of one run. It remembers what it has written out, so it should not outlive a chunk of them."""

    def __init__(self) -> None:
        self.forms: dict[tuple[str, ...], _Form] = {}

    def letter(self, notification: Notification, items: Sequence[Notification] = ()) -> Letter:
        """`items` are what a digest tells of. Raises ValueError for an address that no message can carry."""
        if notification.kind == Notification.DIGEST:
            return _Form(notification, items).filled_in(notification)
        notification.url = link_of(notification)  # for this letter; nothing of it is stored
        text = (notification.subject, notification.message, notification.url)
        key = (notification.recipient.language, notification.kind, *text)
        form = self.forms.get(key)
        if form is None:
            form = self.forms[key] = _Form(notification, [notification])
        return form.filled_in(notification)


class _Form:
    """A letter with marks where each recipient's own parts go."""

    def __init__(self, notification: Notification, items: Sequence[Notification]) -> None:
        # Nobody can guess it, so no text that people have written holds one of the marks.
        mark = secrets.token_hex(8)
        self.address = f"to-{mark}@lyceum.invalid"
        self.message_id = f"id-{mark}"
        self.link = f"link-{mark}"  # short, so that the header stays on one line
        self.token = f"token-{mark}"
        self.unsubscribe_url = "" if notification.must_be_sent else f"{settings.BASE_URL}{_path(self.token)}"
        self.subject = " ".join(notification.subject.split())
        self.date = format_datetime(timezone.now())
        self.domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        self._render(notification, items)
        self.pieces = self._cut(self.text, self.html)
        # A line too long to be sent as it is gets an encoding that may cut the mark in two.
        self.has_marks = self.pieces.count(self.token) == (2 if self.unsubscribe_url else 0)

    def _render(self, notification: Notification, items: Sequence[Notification]) -> None:
        is_digest = notification.kind == Notification.DIGEST
        with translation.override(notification.recipient.language):
            context = {
                "language": notification.recipient.language,
                "subject": self.subject,
                "is_digest": is_digest,
                "items": [_item(item, CHARACTERS_PER_ITEM if is_digest else None) for item in items[:ITEMS_PER_DIGEST]],
                "more": len(items[ITEMS_PER_DIGEST:]),
                "why": _why(notification),
                "unsubscribe_url": self.unsubscribe_url,
                "frontend_url": frontend.home(),
            }
            self.text = render_to_string("users/letters/letter.txt", context).strip() + "\n"
            html = render_to_string("users/letters/letter.html", context)
        self.html = "\n".join(line for line in html.splitlines() if line.strip())

    def _cut(self, text: str, html: str) -> list[str]:
        """The letter, cut before and after each mark."""
        marks = "|".join([self.address, self.message_id, self.link, self.token])
        return re.split(f"({marks})", self._write_out(text, html).decode("ascii", "surrogateescape"))

    def _write_out(self, text: str, html: str) -> bytes:
        headers = self._headers(self.message_id, self.link)
        message = EmailMultiAlternatives(self.subject, text, to=[self.address], headers=headers)
        message.attach_alternative(html, "text/html")
        written: Any = message.message()
        return written.as_bytes(linesep="\r\n")

    def _headers(self, message_id: str, link: str) -> dict[str, str]:
        headers = {
            "Date": self.date,
            "Message-ID": f"<{message_id}@{self.domain}>",
            "Auto-Submitted": "auto-generated",
        }
        if self.unsubscribe_url:
            # RFC 8058: mail programs show a button of their own, and POST to the address.
            headers["List-Unsubscribe"] = f"<{link}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers

    def filled_in(self, notification: Notification) -> Letter:
        address = notification.address
        if not PLAIN_ADDRESS.fullmatch(address):
            address = sanitize_address(address, settings.DEFAULT_CHARSET)
        token = unsubscribe_token(notification.recipient_id, notification.kind)
        parts = {
            self.address: address,
            self.message_id: str(notification.pk),
            self.link: self.unsubscribe_url.replace(self.token, token),
            self.token: token,
        }
        pieces = self.pieces
        if not self.has_marks:
            pieces = self._cut(self.text.replace(self.token, token), self.html.replace(self.token, token))
        raw = "".join([parts.get(piece, piece) for piece in pieces]).encode("ascii", "surrogateescape")
        return Letter(address, raw, settings.DEFAULT_FROM_EMAIL)


def _path(token: str) -> str:
    return reverse("unsubscribe", args=[token])


def _item(notification: Notification, characters: int | None) -> dict[str, Any]:
    message = notification.message.strip()
    url = link_of(notification)
    if characters is not None and len(message) > characters:
        message = f"{message[:characters].rstrip()}…"
    return {
        "subject": " ".join(notification.subject.split()),
        "message": message,
        "paragraphs": [paragraph.splitlines() for paragraph in re.split(r"\n\s*\n", message) if paragraph],
        "url": url,
        # A button is made for what a browser opens, and nothing else.
        "link": url if url.startswith(("https://", "http://")) else "",
    }


def _why(notification: Notification) -> str:
    if notification.kind == Notification.DIGEST:
        return _(
            "You get this letter because you have chosen a daily digest, or because there was too much news at once."
        )
    return _("You get letters of this kind: “%(kind)s”.") % {"kind": notification.get_kind_display()}
