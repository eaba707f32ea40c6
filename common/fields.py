from rest_framework import serializers


class OptionalBooleanField(serializers.BooleanField):
    """Left out means left alone, in a form too: DRF reads a box that a form does not send as an unticked one."""

    default_empty_html = serializers.empty
