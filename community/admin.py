from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.admin import ReadOnlyAdmin
from common.background import enqueue
from community.models import Conversation, Feedback, FeedbackAnswer, Message, Participant, Post
from community.services import blog, feedback
from community.slugs import RESERVED

MAX_TAG = 30


class PostForm(forms.ModelForm):
    tags = forms.CharField(label=_("tags"), required=False, help_text=_("Separated by commas."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["tags"].initial = ", ".join(tag.name for tag in self.instance.tags.all())
        self.fields["slug"].required = False
        self.fields["slug"].help_text = _("Made from the title if there is none.")

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or self.instance.slug
        if slug in RESERVED:
            raise forms.ValidationError(_("This address is taken by another page."), code="reserved")
        return slug

    def clean_tags(self) -> list[str]:
        names = {" ".join(name.lower().split()) for name in self.cleaned_data["tags"].split(",")} - {""}
        if any(len(name) > MAX_TAG for name in names):
            raise forms.ValidationError(_("A tag has at most %(max)s letters.") % {"max": MAX_TAG}, code="max_length")
        return sorted(names)

    def clean(self) -> dict[str, Any]:
        """A published post without a time appears now."""
        cleaned = super().clean() or {}
        if cleaned.get("status") == Post.Status.PUBLISHED and not cleaned.get("published_at"):
            post = Post(status=Post.Status.PUBLISHED)
            post.publish()
            cleaned["published_at"] = post.published_at
        return cleaned


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    form = PostForm
    list_display = ("title", "author", "status", "published_at", "created_at")
    list_filter = ("status",)
    search_fields = ("title", "slug", "author__email")
    list_select_related = ("author",)
    date_hierarchy = "published_at"
    show_full_result_count = False
    fields = ("title", "slug", "body", "cover", "tags", "status", "published_at")

    def save_model(self, request: HttpRequest, obj: Post, form: Any, change: bool) -> None:
        fields = (*self.fields[:-3], "status", "published_at")
        content = {name: form.cleaned_data[name] for name in fields if name != "tags"}
        tags = form.cleaned_data["tags"]
        if change:
            # A picture that was not sent anew stays; the box that takes it away leaves False.
            if "cover" not in form.changed_data:
                content.pop("cover")
            elif not content["cover"]:
                content["cover"] = ""
            blog.change_post(post=obj, tags=tags, **content)
        else:
            content["cover"] = content["cover"] or ""
            obj.pk = blog.create_post(author=request.user, tags=tags, **content).pk

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        blog.delete_post(post=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        for post in queryset:
            blog.delete_post(post=post)


class ParticipantInline(admin.TabularInline):
    model = Participant
    fields = readonly_fields = ("user", "unread_count", "last_read_at", "blocked_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Who writes to whom, and when. What they write is theirs alone."""

    list_display = ("id", "last_message_at", "created_at")
    fields = ("id", "last_message_at", "created_at")
    search_fields = ("participants__user__email",)
    date_hierarchy = "last_message_at"
    inlines = (ParticipantInline,)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """That something was written, not what."""

    list_display = ("id", "sender", "conversation", "created_at")
    fields = ("id", "sender", "conversation", "created_at")
    search_fields = ("sender__email",)
    list_select_related = ("sender", "conversation")


class AnswerInline(admin.TabularInline):
    model = FeedbackAnswer
    fields = readonly_fields = ("created_at", "author", "text", "sent_at", "attempts", "is_refused", "error")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Feedback)
class FeedbackAdmin(admin.ModelAdmin):
    """What people write to the platform. Writing an answer sends it to them."""

    list_display = ("subject", "name", "email", "status", "created_at", "answered_at", "answered_by")
    list_filter = ("status",)
    search_fields = ("subject", "name", "email")
    list_select_related = ("answered_by",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = (
        "name", "email", "user", "language", "subject", "message", "created_at", "status", "answer", "answered_at",
        "answered_by",
    )  # fmt: skip
    readonly_fields = tuple(name for name in fields if name not in {"status", "answer"})
    inlines = (AnswerInline,)
    actions = ("send_again",)

    def get_readonly_fields(self, request: HttpRequest, obj: Feedback | None = None) -> Any:
        """Whoever has left takes their address along: an answer would reach nobody."""
        return self.readonly_fields if obj is None or obj.email else (*self.readonly_fields, "answer")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Feedback, form: Any, change: bool) -> None:
        feedback.answer_feedback(
            feedback=obj,
            admin=request.user,
            answer=form.cleaned_data.get("answer") or None,
            status=form.cleaned_data["status"] if "status" in form.changed_data else None,
        )

    @admin.action(description=_("Send the answers that were refused once more"), permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        refused = FeedbackAnswer.objects.filter(feedback__in=queryset, is_refused=True).exclude(feedback__email="")
        done = refused.update(is_refused=False, attempts=0, leased_until=None)
        enqueue("community.tasks.send_feedback_answers")
        self.message_user(request, ngettext("%(n)s letter", "%(n)s letters", done) % {"n": done})
