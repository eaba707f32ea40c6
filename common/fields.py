from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from common import serializers
from common.email_addresses import MAX_LENGTH, normal_address, validate_address
from common.moments import end_of_day, read_date, start_of_day


class OptionalBooleanField(serializers.BooleanField):
    """Left out means left alone, in a form too: DRF reads a box that a form does not send as an unticked one."""

    default_empty_html = serializers.empty


class _MomentField(serializers.DateTimeField):
    """A date and time that people write. What says no time zone is in that of the serializer's context (`time_zone`),
    else in its writer's, else in the project's."""

    day_is = ""  # for the schema

    def __init__(self, *, help_text: str = "", **kwargs: Any) -> None:
        super().__init__(help_text=f"{help_text} {self.day_is}".strip(), **kwargs)

    def day(self, day: date, zone: tzinfo) -> datetime:
        """What a bare date stands for."""
        raise NotImplementedError

    def to_internal_value(self, value: Any) -> datetime:
        try:
            day = read_date(value) if isinstance(value, str) else None
            moment = super().to_internal_value(value if day is None else self.day(day, self._zone()))
            return moment.astimezone(UTC)
        except OverflowError:  # at either end of the calendar
            self.fail("overflow", input_format="")

    def enforce_timezone(self, value: datetime) -> datetime:
        return super().enforce_timezone(value.replace(tzinfo=self._zone()) if timezone.is_naive(value) else value)

    def _zone(self) -> tzinfo:
        user = getattr(self.context.get("request"), "user", None)
        name = self.context.get("time_zone") or getattr(user, "time_zone", None)
        return ZoneInfo(name) if name else timezone.get_default_timezone()


class StartDateTimeField(_MomentField):
    """When something begins. A bare date stands for its first moment."""

    day_is = "A date alone is its first moment."

    def day(self, day: date, zone: tzinfo) -> datetime:
        return start_of_day(day, zone)


class EndDateTimeField(_MomentField):
    """When something ends. A bare date stands for its last moment, so that the day still counts."""

    day_is = "A date alone is its last moment."

    def day(self, day: date, zone: tzinfo) -> datetime:
        return end_of_day(day, zone)


class AddressField(serializers.EmailField):
    """An email address, in its one spelling."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": MAX_LENGTH, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        return normal_address(super().to_internal_value(data))


class NewAddressField(AddressField):
    """One that letters are to go to from now on: where nobody can have a mailbox, none is accepted."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(validate_address)
