from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.forms import AdminPasswordChangeForm as PasswordChangeForm
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework.exceptions import Throttled

from common.admin import ReadOnlyAdmin
from common.errors import try_again
from users import account, services, tokens
from users.models import Notification, NotificationPreference, SocialAccount, TokenFamily, User


class LoginForm(AdminAuthenticationForm):
    """Says when to come back to whoever has guessed too often."""

    wait = 0

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except Throttled as refusal:
            self.wait = refusal.wait
            raise forms.ValidationError(try_again(self.wait), code=refusal.default_code) from None


admin.site.login_form = LoginForm


def log_in(request: HttpRequest) -> HttpResponse:
    """The admin's own page, with 429 and Retry-After for whoever has to wait."""
    response = admin.site.login(request)
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and form.wait:
        response.status_code = 429
        response.headers["Retry-After"] = str(form.wait)
    return response


class _KeepsPassword:
    """A form that sets a password as the API does, with the same consequences. Of the row, nothing else is written."""

    def set_password_and_save(self, user: User, *args: Any, commit: bool = True, **kwargs: Any) -> User:
        super().set_password_and_save(user, *args, commit=False, **kwargs)  # type: ignore[misc] # Django's
        user.save(update_fields=["password", "updated_at"])
        account.follow_new_password(user)
        return user


class PasswordForm(_KeepsPassword, AdminPasswordChangeForm): ...


class OwnPasswordForm(_KeepsPassword, PasswordChangeForm): ...


def change_own_password(request: HttpRequest) -> HttpResponseBase:
    """The admin's own page to change one's password."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return admin.site.admin_view(view)(request)


class UserCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "role")
        field_classes = {"email": forms.EmailField}


class UserForm(UserChangeForm):
    class Meta(UserChangeForm.Meta):
        model = User
        field_classes = {"email": forms.EmailField}

    def clean_username(self) -> str | None:
        return self.cleaned_data["username"] or None


@admin.register(User)
class UserAdmin(BaseUserAdmin):
    """People. They are put to sleep or anonymised, never deleted: their payments and certificates stay in the books."""

    form = UserForm
    add_form = UserCreationForm
    change_password_form = PasswordForm
    list_display = ("email", "full_name", "role", "is_active", "city", "last_login", "date_joined")
    list_filter = ("role", "is_active", "groups", "language")
    search_fields = ("email", "username", "first_name", "last_name")
    ordering = ("-date_joined",)
    date_hierarchy = "date_joined"
    show_full_result_count = False
    list_per_page = 50
    filter_horizontal = ("groups",)
    readonly_fields = ("last_login", "last_seen_at", "date_joined", "deactivated_at", "deactivation_reason")
    actions = ("deactivate", "wake", "anonymise")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("username", "first_name", "last_name", "phone", "city", "avatar")}),
        (_("Language and time"), {"fields": ("language", "time_zone")}),
        (_("Rights"), {"fields": ("role", "groups", "is_superuser")}),
        (_("Visits"), {"fields": ("email_verified_at", "date_joined", "last_login", "last_seen_at")}),
        (_("Sleep"), {"fields": ("is_active", "deactivated_at", "deactivation_reason")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "role", "usable_password", "password1", "password2")}),)

    @admin.display(description=_("full name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.full_name

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if not request.user.is_superuser:
            fields = (*fields, "is_superuser")
        if obj is not None and obj.deactivation_reason == services.DELETED:
            # They do not come back, and theirs is no address that anybody could write to.
            fields = (*fields, "email", "is_active", "role", "groups", "is_superuser")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponseBase:
        """Django's page for others. One's own password is changed where the old one is asked for."""
        if str(request.user.pk) == str(id).lower():
            return HttpResponseRedirect(reverse("admin:password_change"))
        return super().user_change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        has_moved = change and "email" in form.changed_data
        if has_moved:
            obj.pending_email = ""
        if has_moved and "email_verified_at" not in form.changed_data:
            obj.email_verified_at = None
        super().save_model(request, obj, form, change)
        if change:
            services.tell_of_name(obj, form.changed_data)
        if change and "is_active" in form.changed_data:
            obj.activate() if obj.is_active else obj.deactivate("admin")
        if change and {"email", "is_active", "password", "role"} & set(form.changed_data):
            # What opens the account, or what a token may do, has changed: everyone signs in anew.
            tokens.revoke_all(obj)
        if has_moved or not change:
            account.send_verification(obj)

    @admin.action(description=_("Put to sleep"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._act(request, queryset.filter(is_active=True), lambda user: user.deactivate("admin"))

    @admin.action(description=_("Wake up"), permissions=["change"])
    def wake(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        asleep = queryset.filter(is_active=False).exclude(deactivation_reason="deleted")
        self._act(request, asleep, lambda user: user.activate())

    @admin.action(description=_("Anonymise: take the person out, keep the books"), permissions=["change"])
    def anonymise(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._act(request, queryset, services.anonymise_user)

    def _act(self, request: HttpRequest, users: QuerySet[User], act: Any) -> None:
        done = 0
        for user in users:
            if self.has_change_permission(request, user) and user != request.user:
                act(user)
                done += 1
        self.message_user(request, ngettext("%(n)s account", "%(n)s accounts", done) % {"n": done}, messages.SUCCESS)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "recipient", "kind", "subject", "email_status", "email_sent_at", "in_app", "is_read")
    list_filter = ("kind", "email_status")
    search_fields = ("recipient__email", "subject")
    list_select_related = ("recipient",)
    actions = ("send_again",)

    @admin.action(description=_("Send the letters that failed once more"), permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        failed = queryset.filter(email_status=Notification.EmailStatus.FAILED)
        done = failed.update(email_status=Notification.EmailStatus.PENDING, email_attempts=0, email_not_before=None)
        self.message_user(request, ngettext("%(n)s letter", "%(n)s letters", done) % {"n": done}, messages.SUCCESS)


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(admin.ModelAdmin):
    """How people want to hear of what. Without an entry: in the notification centre, and by a letter at once."""

    list_display = ("user", "kind", "in_app", "email", "updated_at")
    list_filter = ("kind", "email", "in_app")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    autocomplete_fields = ("user",)
    show_full_result_count = False


@admin.register(TokenFamily)
class TokenFamilyAdmin(admin.ModelAdmin):
    """Sign-ins. Deleting one ends it."""

    list_display = ("user", "created_at", "expires_at")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SocialAccount)
class SocialAccountAdmin(admin.ModelAdmin):
    """Accounts at Google, VK ID and Yandex that open one here. Deleting one closes that way in; whoever has no other
    sets a password by letter."""

    list_display = ("user", "provider", "uid", "created_at")
    list_filter = ("provider",)
    search_fields = ("user__email", "uid")
    list_select_related = ("user",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
