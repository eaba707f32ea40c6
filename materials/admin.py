from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.admin import ReadOnlyAdmin, money_column
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

    @transaction.atomic
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the course and its lessons: the same that a change over the API entails."""
        super().save_related(request, form, formsets, change)
        course = form.instance
        course.publish()
        course.save(update_fields=["published_at"])
        if change and "completion" in form.changed_data:
            services.look_for_completed(course.pk)
        changed = form.has_changed() or any(formset.has_changed() for formset in formsets)
        kind = CourseUpdate.Kind.COURSE_CHANGED if change and changed else None
        services.content_changed(course, kind, course.title)

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        self._set_status(request, queryset, Course.Status.PUBLISHED)

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        self._set_status(request, queryset, Course.Status.ARCHIVED)

    def _set_status(self, request: HttpRequest, courses: QuerySet[Course], status: str) -> None:
        done = 0
        for course in courses.exclude(status=status):
            course.status = status
            course.publish()
            course.save(update_fields=["status", "published_at", "updated_at"])
            done += 1
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

    @transaction.atomic
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            kind = CourseUpdate.Kind.LESSON_ADDED
        elif form.has_changed() or any(formset.has_changed() for formset in formsets):
            kind = CourseUpdate.Kind.LESSON_CHANGED
        else:
            return
        services.content_changed(form.instance.course, kind, form.instance.title)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Lesson) -> None:
        super().delete_model(request, obj)
        services.content_changed(obj.course, CourseUpdate.Kind.LESSON_REMOVED, obj.title)
        services.look_for_completed(obj.course_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Lesson]) -> None:
        for lesson in queryset.select_related("course__owner"):
            try:
                self.delete_model(request, lesson)
            except ProtectedError:
                self.message_user(request, _("Somebody has paid for it: %s") % lesson, messages.ERROR)


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
            services.change_enrollment(obj, form.changed_data)
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

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.refresh_rating(obj.course)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Review) -> None:
        super().delete_model(request, obj)
        services.refresh_rating(obj.course)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        for review in queryset.select_related("course"):
            self.delete_model(request, review)


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):
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
class LessonAccessAdmin(admin.ModelAdmin):
    list_display = ("user", "lesson", "source", "created_at")
    search_fields = ("user__email", "lesson__title")
    list_select_related = ("user", "lesson")
    autocomplete_fields = ("user", "lesson")
    show_full_result_count = False


@admin.register(LessonCompletion)
class LessonCompletionAdmin(ReadOnlyAdmin):
    list_display = ("enrollment", "lesson", "completed_at", "position_seconds")
    list_select_related = ("enrollment", "lesson")
