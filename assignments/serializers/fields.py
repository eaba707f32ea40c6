from decimal import Decimal
from typing import Any

from common import serializers


class NumberField(serializers.DecimalField):
    """A number that is no money: written in JSON as one, exact to two decimals (or as many as it is declared with)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 9, "decimal_places": 2, "coerce_to_string": False, **kwargs})

    def to_representation(self, value: Any) -> Any:
        number = round(Decimal(value), self.decimal_places)
        return int(number) if number == number.to_integral_value() else float(number)


class PersonSerializer(serializers.Serializer):
    """Who wrote or handed something in, as everyone sees them."""

    id = serializers.UUIDField(read_only=True)
    username = serializers.CharField(read_only=True, allow_null=True)
    first_name = serializers.CharField(read_only=True)
    avatar = serializers.ImageField(read_only=True, allow_null=True)
    role = serializers.CharField(read_only=True)
