"""Fields of serializers that more than one module needs."""

from typing import Any

from common import serializers
from users.models import MAX_PASSWORD_LENGTH


class PasswordField(serializers.CharField):
    """As it is typed, spaces around it too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "max_length": MAX_PASSWORD_LENGTH, "trim_whitespace": False, **kwargs})
