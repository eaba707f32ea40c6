from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assignments.models import (
    Answer,
    Assignment,
    Attempt,
    Certificate,
    Choice,
    Comment,
    Question,
    Quiz,
    Submission,
    SubmissionVersion,
)
from assignments.services import attempts, certificates
from common.admin import ReadOnlyAdmin
from materials.services import look_for_completed


class LessToDoAdmin(admin.ModelAdmin):
    """Something that a course asks for: once it is gone, whoever was waiting for it alone has completed the course."""

    def course_of(self, obj: Any) -> Any:
        """The id of the course."""
        raise NotImplementedError

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        course_id = self.course_of(obj)
        super().delete_model(request, obj)
        look_for_completed(course_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


@admin.register(Assignment)
class AssignmentAdmin(LessToDoAdmin):
    list_display = ("title", "lesson", "due_at", "max_score", "allow_late", "created_at")
    list_filter = ("allow_late",)
    search_fields = ("title", "lesson__title", "lesson__course__title")
    list_select_related = ("lesson",)
    autocomplete_fields = ("lesson",)
    date_hierarchy = "due_at"
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        return ("lesson",) if obj else ()

    def course_of(self, obj: Assignment) -> Any:
        return obj.lesson.course_id


class EarlierVersionInline(admin.TabularInline):
    model = SubmissionVersion
    fields = ("version", "text", "file_name", "status", "score", "feedback", "submitted_at", "graded_at", "graded_by")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin):
    """Everybody's work, with its earlier versions. Grading goes over the API, where the student hears of it."""

    list_display = ("student", "assignment", "version", "status", "score", "submitted_at", "graded_by")
    list_filter = ("status",)
    search_fields = ("student__email", "assignment__title")
    list_select_related = ("student", "assignment", "graded_by")
    date_hierarchy = "submitted_at"
    inlines = (EarlierVersionInline,)


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ("text", "author", "lesson", "assignment", "submission", "created_at")
    search_fields = ("text", "author__email")
    list_select_related = ("author", "lesson", "assignment", "submission")
    fields = ("author", "lesson", "assignment", "submission", "text", "created_at")
    readonly_fields = ("author", "lesson", "assignment", "submission", "created_at")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class QuestionInline(admin.TabularInline):
    """What the quiz asks now. Questions are written over the API, all at once."""

    model = Question
    fields = ("order", "kind", "text", "points", "key")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Question]:
        return super().get_queryset(request).filter(replaced_at__isnull=True).prefetch_related("choices")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("right answer"))
    def key(self, question: Question) -> str:
        kinds = Question.Kind
        if question.kind == kinds.NUMBER:
            return f"{question.correct_number:f} ± {question.tolerance:f}"
        if question.kind == kinds.TEXT:
            return "; ".join(question.accepted_answers)
        return "; ".join(choice.text for choice in question.choices.all() if choice.is_correct)


@admin.register(Quiz)
class QuizAdmin(LessToDoAdmin):
    list_display = ("title", "course", "lesson", "is_final", "passing_score", "allowed_attempts", "time_limit_minutes")
    list_filter = ("is_final",)
    search_fields = ("title", "course__title")
    list_select_related = ("course", "lesson")
    autocomplete_fields = ("course",)
    readonly_fields = ("lesson",)
    inlines = (QuestionInline,)
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Quiz | None = None) -> Any:
        return ("course", "lesson") if obj else ("lesson",)

    def course_of(self, obj: Quiz) -> Any:
        return obj.course_id

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Quiz, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_final" in form.changed_data:
            look_for_completed(obj.course_id)


class AnswerInline(admin.TabularInline):
    model = Answer
    fields = ("question", "given", "is_correct", "points")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        return super().get_queryset(request).select_related("question").prefetch_related("question__choices")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("answer"))
    def given(self, answer: Answer) -> str:
        if answer.question.kind == Question.Kind.NUMBER:
            return f"{answer.number:f}" if answer.number is not None else ""
        if answer.question.kind == Question.Kind.TEXT:
            return answer.text
        chosen = set(answer.chosen)
        return "; ".join(choice.text for choice in answer.question.choices.all() if str(choice.pk) in chosen)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("student", "quiz", "number", "state", "score", "passed", "started_at", "submitted_at")
    list_filter = ("state", "passed")
    search_fields = ("student__email", "quiz__title")
    list_select_related = ("student", "quiz")
    date_hierarchy = "started_at"
    inlines = (AnswerInline,)
    actions = ("close",)

    @admin.action(description=_("Submit those whose time is up"))
    def close(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> None:
        closed = attempts.close_overdue(queryset.order_by())
        self.message_user(request, ngettext("%(n)s attempt", "%(n)s attempts", closed) % {"n": closed})


class CertificateForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """What `certificates.issue` would refuse is said on the form."""
        cleaned = super().clean() or {}
        student, course = cleaned.get("student"), cleaned.get("course")
        if self.instance._state.adding and student and course:
            if not course.gives_certificate:
                self.add_error("course", _("This course gives no certificate."))
            if student.certificates.filter(course=course, status=Certificate.Status.ISSUED).exists():
                self.add_error("student", _("The student has a valid certificate of this course."))
        return cleaned


@admin.register(Certificate)
class CertificateAdmin(admin.ModelAdmin):
    """Issuing one is adding it; revoking one is writing down why. What stands on it is never changed."""

    form = CertificateForm
    list_display = ("number", "student_name", "course_title", "score", "status", "issued_at", "revoked_at")
    list_filter = ("status",)
    search_fields = ("number", "verification_code", "student_name", "student__email", "course_title")
    autocomplete_fields = ("student", "course")
    date_hierarchy = "issued_at"
    show_full_result_count = False
    shown = (
        "number", "verification", "student", "course", "student_name", "course_title", "score", "status", "issued_at",
        "issued_by", "revoked_at",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Certificate | None = None) -> Any:
        return (*self.shown, "revocation_reason") if obj else ("student", "course")

    def get_readonly_fields(self, request: HttpRequest, obj: Certificate | None = None) -> Any:
        if obj is None:
            return ()
        return self.shown if obj.is_valid else (*self.shown, "revocation_reason")

    @admin.display(description=_("verification"))
    def verification(self, certificate: Certificate) -> str:
        page = reverse("verify", kwargs={"code": certificate.verification_code})
        return format_html('<a href="{}">{}</a>', page, certificate.verification_code)

    def save_model(self, request: HttpRequest, obj: Certificate, form: Any, change: bool) -> None:
        if change:
            if obj.revocation_reason:
                certificates.revoke(certificate=obj, reason=obj.revocation_reason)
        else:
            obj.pk = certificates.issue(student=obj.student, course=obj.course, issued_by=request.user).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Choice)
class ChoiceAdmin(ReadOnlyAdmin):
    """Choices of questions, past ones too."""

    list_display = ("text", "question", "is_correct", "order")
    search_fields = ("text", "question__text")
    list_select_related = ("question",)


@admin.register(Question)
class QuestionAdmin(ReadOnlyAdmin):
    """Questions, past ones too."""

    list_display = ("text", "quiz", "kind", "points", "replaced_at")
    list_filter = ("kind",)
    search_fields = ("text", "quiz__title")
    list_select_related = ("quiz",)
