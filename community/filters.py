from django.db.models import QuerySet
from django_filters import rest_framework as filters

from community.models import Feedback, Post, PostTag


class PostFilter(filters.FilterSet):
    """The blog's filters. `status` tells posts apart for those who see more than the published ones."""

    tag = filters.CharFilter(method="by_tag", max_length=30)
    search = filters.CharFilter(
        method="by_search", max_length=200, help_text="Words of title, body or tags, in any form, Russian or English."
    )

    class Meta:
        model = Post
        fields = ("status",)

    def by_tag(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(pk__in=PostTag.objects.filter(name=value.lower()).values("post"))

    def by_search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.search(value)


class FeedbackFilter(filters.FilterSet):
    class Meta:
        model = Feedback
        fields = ("status",)
