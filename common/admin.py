"""What the admin pages of every app share."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import DataError, NotSupportedError, models
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _


class AddressesAreInput:
    """What stands in an address or a list of selected rows may be anything: Django answers most of what makes no sense
    with the list itself, and this the rest. Every page has it (see `Site`), those of libraries too."""

    opts: Any

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A year 0, a date that no time zone can hold, a pattern that is none: seen only when the rows are counted."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc] # ModelAdmin's
        except (ValueError, OverflowError, DataError, NotSupportedError) as error:
            raise IncorrectLookupParameters(error) from error

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        try:
            queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME)).exists()
        except (ValidationError, ValueError, OverflowError, DataError):
            self.message_user(request, _("There is no such row."), messages.WARNING)  # type: ignore[attr-defined]
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)  # type: ignore[misc]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Autocompletion hands on what stands in the address; no text in PostgreSQL holds a NUL."""
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))  # type: ignore[misc]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What an address fills a new row's form with: without what is no value of the field, and without dates, which
        Django's widgets do not take as text."""
        initial = super().get_changeform_initial_data(request)  # type: ignore[misc]
        for field in [*self.opts.fields, *self.opts.many_to_many]:
            if field.name in initial and not _takes(field, initial[field.name]):
                del initial[field.name]
        return initial


def _takes(field: Any, value: Any) -> bool:
    form_field = None if isinstance(field, models.DateField) else field.formfield()
    try:
        return form_field is not None and form_field.clean(value) is not None
    except (ValidationError, ValueError, OverflowError, DataError):
        return False


class Site(admin.AdminSite):
    site_header = site_title = "Lyceum"
    index_title = _("Administration")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        base = admin_class or admin.ModelAdmin
        careful = type(base.__name__, (AddressesAreInput, base), {"__module__": base.__module__})
        super().register(model_or_iterable, careful, **options)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that are written by the program alone: a person looks at them."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
