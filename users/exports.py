"""What the platform holds on a person, for themselves."""

from collections.abc import Iterator
from typing import Any

import orjson
from django.utils import timezone

from common.registry import exports
from common.renderers import JSONRenderer
from users.models import KnownAddress, Notification, NotificationPreference, SocialAccount, TokenFamily, User

ROWS_AT_ONCE = 500


def personal_data(user: User) -> bytes:
    """A JSON object with a member for each kind of thing, from every app.

    Rows are read in batches and written out at once: of a large account only the text is held. It is no stream: one
    that breaks off would look like all there is.
    """
    return b"".join(_document(user))


def _document(user: User) -> Iterator[bytes]:
    yield b'{"exported_at":' + _json(timezone.now())
    for part in exports.call_each(user):
        for name, held in part.items():
            yield b"," + _json(name) + b":"
            if isinstance(held, dict):
                yield _json(held)
            else:
                yield from _rows(held)
    yield b"}"


def _rows(rows: Any) -> Iterator[bytes]:
    before = b"["
    for row in rows.iterator(chunk_size=ROWS_AT_ONCE):
        yield before + _json(row)
        before = b","
    yield b"]" if before == b"," else b"[]"


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=JSONRenderer.default, option=JSONRenderer.options)


def held_on(user: User) -> dict[str, Any]:
    """For the registry: this app's part. No hash of a password, and no id that a token could be made from."""
    (profile,) = User.objects.filter(pk=user.pk).values(
        "id",
        "email",
        "email_verified_at",
        "pending_email",
        "username",
        "first_name",
        "last_name",
        "phone",
        "city",
        "avatar",
        "role",
        "is_superuser",
        "language",
        "time_zone",
        "is_active",
        "date_joined",
        "last_login",
        "last_seen_at",
        "created_at",
        "updated_at",
    )
    mine = Notification.objects.filter(recipient=user)
    return {
        "profile": {**profile, "groups": list(user.groups.order_by("name").values_list("name", flat=True))},
        "notifications": mine.order_by("pk").values(
            "id",
            "kind",
            "subject",
            "message",
            "url",
            "is_read",
            "read_at",
            "email_status",
            "email_to",
            "email_sent_at",
            "created_at",
        ),
        "notification_preferences": NotificationPreference.objects.filter(user=user)
        .order_by("pk")
        .values("kind", "in_app", "email", "created_at", "updated_at"),
        "known_addresses": KnownAddress.objects.filter(user=user)
        .order_by("pk")
        .values("address", "created_at", "last_login_at"),
        "social_accounts": SocialAccount.objects.filter(user=user)
        .order_by("pk")
        .values("provider", "uid", "created_at"),
        "sign_ins": TokenFamily.objects.filter(user=user).order_by("pk").values("created_at", "expires_at"),
    }
