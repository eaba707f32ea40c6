"""Fields of serializers that more than one module needs."""

from typing import Any

from common import serializers


class PasswordField(serializers.CharField):
    """As it is typed, spaces around it too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "max_length": 128, "trim_whitespace": False, **kwargs})
