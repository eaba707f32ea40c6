from datetime import datetime
from typing import Any

from rest_framework import serializers


class OptionalBooleanField(serializers.BooleanField):
    """Left out means left alone, in a form too: DRF reads a box that a form does not send as an unticked one."""

    default_empty_html = serializers.empty


class MomentField(serializers.DateTimeField):
    """A date and time. DRF stumbles over one in the first hours of the year 1 that says no time zone."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return super().to_internal_value(value)
        except OverflowError:
            self.fail("overflow", input_format="")
