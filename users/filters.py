from django_filters import rest_framework as filters

from common.filters import BooleanFilter
from users.models import Notification


class NotificationFilter(filters.FilterSet):
    is_read = BooleanFilter()

    class Meta:
        model = Notification
        fields = ("kind", "is_read")
