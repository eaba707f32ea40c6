from decimal import Decimal
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer

from common import serializers
from common.numbers import read_number
from materials.models import Course
from users.models import User
from users.services import email_of


class NumberField(serializers.DecimalField):
    """A number that is no money: written in JSON as one, exact to two decimals (or as many as it is declared with)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 9, "decimal_places": 2, "coerce_to_string": False, **kwargs})

    def to_internal_value(self, data: Any) -> Decimal:
        """As people write it: with a decimal comma, a real minus, spaces between thousands."""
        if isinstance(data, str) and len(data) <= self.MAX_STRING_LENGTH:
            data = read_number(data)
        return super().to_internal_value(data)

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


class StudentSerializer(PersonSerializer):
    """A student as whoever manages the course sees them: nobody can teach people who have no names."""

    last_name = serializers.CharField(read_only=True)
    email = serializers.SerializerMethodField(help_text="Null for those who have left.")

    def get_email(self, student: User) -> str | None:
        return email_of(student)


ANY_STUDENT = PolymorphicProxySerializer(
    component_name="AnyStudent",
    serializers=[StudentSerializer, PersonSerializer],
    resource_type_field_name=None,
)


def shown_student(student: User, course: Course, context: dict[str, Any]) -> dict[str, Any]:
    """A student of the course as the caller may see them: `StudentSerializer` for its owner, moderators and admins,
    and for everyone else what a public profile tells."""
    shape = StudentSerializer if course.is_managed_by(context["request"].user) else PersonSerializer
    return shape(student, context=context).data
