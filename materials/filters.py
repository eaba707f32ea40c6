import re

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from common.filters import BooleanFilter
from common.ids import UUID_PATTERN
from common.models import Language
from materials.models import Course, Lesson, Review


class CourseFilter(filters.FilterSet):
    """The catalogue's filters."""

    category = filters.CharFilter(method="by_category", help_text="A category's slug or id.", max_length=100)
    level = filters.ChoiceFilter(choices=Course.Level.choices)
    language = filters.ChoiceFilter(choices=Language.choices)
    owner = filters.UUIDFilter(field_name="owner_id")
    mine = BooleanFilter(method="by_mine", help_text="Only the caller's own courses, drafts too.")
    status = filters.ChoiceFilter(choices=Course.Status.choices)
    price_min = filters.NumberFilter("price", lookup_expr="gte", max_digits=12, decimal_places=2)
    price_max = filters.NumberFilter("price", lookup_expr="lte", max_digits=12, decimal_places=2)
    is_free = BooleanFilter(method="by_is_free")
    rating_min = filters.NumberFilter("rating_average", lookup_expr="gte", max_digits=4, decimal_places=2)
    search = filters.CharFilter(
        method="by_search",
        max_length=200,
        help_text="Words of title, description, lessons or author, in any form; one typo a word is forgiven.",
    )

    class Meta:
        model = Course
        fields = ("category", "level", "language", "owner", "mine", "status")

    def by_category(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        is_id = re.fullmatch(UUID_PATTERN, value)
        return queryset.filter(**{"category" if is_id else "category__slug": value})

    def by_mine(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        user = self.request.user
        mine = Q(owner=user) if user.is_authenticated else Q(pk__in=[])
        return queryset.filter(mine if value else ~mine)

    def by_is_free(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        return queryset.filter(price=0) if value else queryset.filter(price__gt=0)

    def by_search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.search(value)


class LessonFilter(filters.FilterSet):
    course = filters.UUIDFilter(field_name="course_id")
    is_preview = BooleanFilter()

    class Meta:
        model = Lesson
        fields = ("course", "is_preview")


class ReviewFilter(filters.FilterSet):
    rating = filters.NumberFilter(max_digits=1, decimal_places=0)

    class Meta:
        model = Review
        fields = ("rating",)
