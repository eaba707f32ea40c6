"""Identifiers: UUIDs of version 7 (RFC 9562), so that new rows land at the end of an index."""

import re
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

# Either case is accepted in a path; anything else is no route at all, hence a 404.
UUID_PATTERN = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def new_id() -> UUID:
    return uuid7()


def is_id(value: Any) -> bool:
    """Whether it is an id as clients write one."""
    return isinstance(value, UUID) or (isinstance(value, str) and re.fullmatch(UUID_PATTERN, value) is not None)
