from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework.exceptions import APIException

from common.admin import ReadOnlyAdmin, money_column
from common.writing import lock_row
from materials import services
from materials.models import (
    Attachment,
    Category,
    CompletionCheck,
    Course,
    CourseUpdate,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    Subscription,
)


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ("title", "slug", "order")
    list_editable = ("order",)
    search_fields = ("title", "slug")
    prepopulated_fields = {"slug": ("title",)}

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "title" in form.changed_data:
            services.category_changed(obj)

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        services.delete_category(obj)


class LessonInline(admin.TabularInline):
    model = Lesson
    fields = ("order", "title", "video_url", "price", "is_preview", "duration_seconds")
    extra = 0
    show_change_link = True
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Course)
class CourseAdmin(admin.ModelAdmin):
    list_display = (
        "title",
        "owner",
        "category",
        "status",
        money_column("price"),
        "lesson_count",
        "enrollment_count",
        "rating_average",
        "created_at",
    )
    list_filter = ("status", "category", "level", "language")
    search_fields = ("title", "owner__email")
    list_select_related = ("owner", "category")
    autocomplete_fields = ("owner",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = ("published_at", "rating_average", "rating_count", "lesson_count", "enrollment_count")
    inlines = (LessonInline,)
    actions = ("publish", "archive")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the course and its lessons: the same that a change over the API entails."""
        super().save_related(request, form, formsets, change)
        changed = form.has_changed() or any(formset.has_changed() for formset in formsets)
        services.course_saved(
            form.instance, tell=change and changed, ends_otherwise=change and "completion" in form.changed_data
        )

    def delete_model(self, request: HttpRequest, obj: Course) -> None:
        services.delete_course(obj)

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        self._set_status(request, queryset, Course.Status.PUBLISHED)

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        self._set_status(request, queryset, Course.Status.ARCHIVED)

    def _set_status(self, request: HttpRequest, courses: QuerySet[Course], status: str) -> None:
        done = 0
        for course in courses:
            try:
                done += services.set_status(course, status)
            except (APIException, ValidationError) as error:
                self.tell(request, error)  # type: ignore[attr-defined] # every page's, by `common.admin.Site`
        self.message_user(request, ngettext("%(n)s course", "%(n)s courses", done) % {"n": done}, messages.SUCCESS)


class AttachmentInline(admin.TabularInline):
    model = Attachment
    fields = ("title", "url")
    extra = 0


@admin.register(Lesson)
class LessonAdmin(admin.ModelAdmin):
    list_display = (
        "title",
        "course",
        "order",
        "is_preview",
        money_column("price", "course.currency"),
        "duration_seconds",
        "updated_at",
    )
    list_filter = ("is_preview",)
    search_fields = ("title", "course__title")
    list_select_related = ("course",)
    autocomplete_fields = ("course", "owner")
    show_full_result_count = False
    inlines = (AttachmentInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:
        return ("course",) if obj else ()  # a lesson never moves to another course

    def lock(self, obj: Lesson) -> None:
        """The whole course: its lessons, their places and their number change together."""
        lock_row(obj.course)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            kind = CourseUpdate.Kind.LESSON_ADDED
        elif form.has_changed() or any(formset.has_changed() for formset in formsets):
            kind = CourseUpdate.Kind.LESSON_CHANGED
        else:
            return
        services.content_changed(form.instance.course, kind, form.instance.title)

    def delete_model(self, request: HttpRequest, obj: Lesson) -> None:
        services.delete_lesson(obj)


@admin.register(Enrollment)
class EnrollmentAdmin(admin.ModelAdmin):
    """Who is in which course. Adding one grants access; closing one is setting its status to revoked."""

    list_display = ("user", "course", "source", "status", "completed_at", "expires_at", "created_at")
    list_filter = ("status", "source")
    search_fields = ("user__email", "course__title")
    list_select_related = ("user", "course")
    autocomplete_fields = ("user", "course")
    fields = ("user", "course", "source", "status", "completed_at", "expires_at", "removed_at")
    readonly_fields = ("completed_at",)
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Enrollment | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "user", "course", "source") if obj else (*fields, "source", "status")

    def save_model(self, request: HttpRequest, obj: Enrollment, form: Any, change: bool) -> None:
        if change:
            services.change_enrollment(obj, self.changed_fields(obj, form))  # type: ignore[attr-defined] # see `Site`
        else:
            granted = services.grant_access(user=obj.user, course=obj.course, source=Enrollment.Source.GRANT)
            obj.pk = granted.pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ("course", "author", "rating", "created_at")
    list_filter = ("rating",)
    search_fields = ("course__title", "author__email", "text")
    list_select_related = ("course", "author")
    readonly_fields = ("course", "author")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def lock(self, obj: Review) -> None:
        """The course: its rating is counted with whatever changes."""
        lock_row(obj.course)

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.refresh_rating(obj.course)

    def delete_model(self, request: HttpRequest, obj: Review) -> None:
        services.delete_review(obj)


class GivenAdmin(admin.ModelAdmin):
    """Rows that are there or are not: added and deleted, never changed."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Subscription)
class SubscriptionAdmin(GivenAdmin):
    list_display = ("user", "course", "created_at")
    search_fields = ("user__email", "course__title")
    list_select_related = ("user", "course")
    autocomplete_fields = ("user", "course")
    show_full_result_count = False


@admin.register(CourseUpdate)
class CourseUpdateAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "course", "kind", "summary", "announced_at")
    list_filter = ("kind",)
    list_select_related = ("course",)


@admin.register(CompletionCheck)
class CompletionCheckAdmin(ReadOnlyAdmin):
    """What is here waits: rows that stay mean that looking for completed enrollments fails."""

    list_display = ("course", "created_at")
    list_select_related = ("course",)


@admin.register(LessonAccess)
class LessonAccessAdmin(GivenAdmin):
    """Adding one opens the lesson to somebody."""

    list_display = ("user", "lesson", "source", "created_at")
    search_fields = ("user__email", "lesson__title")
    list_select_related = ("user", "lesson")
    autocomplete_fields = ("user", "lesson")
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: LessonAccess | None = None) -> Any:
        return ("user", "lesson", "source", "created_at") if obj else ("user", "lesson")

    def save_model(self, request: HttpRequest, obj: LessonAccess, form: Any, change: bool) -> None:
        obj.pk = services.grant_lesson_access(user=obj.user, lesson=obj.lesson, source=Enrollment.Source.GRANT).pk


@admin.register(LessonCompletion)
class LessonCompletionAdmin(ReadOnlyAdmin):
    list_display = ("enrollment", "lesson", "completed_at", "position_seconds")
    list_select_related = ("enrollment", "lesson")
