"""What the admin pages of every app share."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import DataError, IntegrityError, NotSupportedError, connection, models, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from common.admin_choices import guard
from common.errors import texts_of
from common.handlers import known_problem
from common.money import format_money
from common.text import normalised, trimmed
from common.writing import lock_row, save_fields

# What services and the database refuse, and a person is told rather than a page that broke.
REFUSALS = (APIException, ValidationError, IntegrityError)


class _KnownIds:
    """For the widgets of autocompletion: a form that is shown again holds what was sent, which may be no id at all."""

    field: Any

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        key = self.field.remote_field.model._meta.pk
        return super().optgroups(name, [one for one in value if _is_value_of(key, one)], attr)  # type: ignore[misc]


class _AutocompleteSelect(_KnownIds, AutocompleteSelect): ...


class _AutocompleteSelectMultiple(_KnownIds, AutocompleteSelectMultiple): ...


def _is_value_of(field: Any, value: Any) -> bool:
    try:
        return field.to_python(value) is not None
    except (ValidationError, ValueError, OverflowError):
        return False


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

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined] # ModelAdmin's
            kwargs.setdefault("widget", _AutocompleteSelect(db_field, self.admin_site))  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs.setdefault("widget", _AutocompleteSelectMultiple(db_field, self.admin_site))  # type: ignore[attr-defined]
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Autocompletion hands on what stands in the address; no text in PostgreSQL holds a NUL."""
        text = trimmed(normalised(search_term.replace("\0", "")))
        return super().get_search_results(request, queryset, text)  # type: ignore[misc]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What an address fills a new row's form with: without what is no value of the field, and without dates, which
        Django's widgets do not take as text."""
        initial = super().get_changeform_initial_data(request)  # type: ignore[misc]
        for field in [*self.opts.fields, *self.opts.many_to_many]:
            if field.name in initial and not _takes(field, initial[field.name]):
                del initial[field.name]
        return initial


def money_column(amount: str, currency: str = "currency") -> Callable[[Model], str]:
    """A column of a list that shows an amount in its currency; `currency` may lead over related rows by dots."""

    @admin.display(description=_("amount") if amount == "amount" else _("price"), ordering=amount)
    def column(row: Model) -> str:
        value = attrgetter(amount)(row)
        return "" if value is None else format_money(value, attrgetter(currency)(row))

    return column


def _takes(field: Any, value: Any) -> bool:
    form_field = None if isinstance(field, models.DateField) else field.formfield()
    try:
        return form_field is not None and form_field.clean(value) is not None
    except (ValidationError, ValueError, OverflowError, DataError):
        return False


class RefusalsAreMessages:
    """What a service or the database refuses is said in a message above the page, and nothing has changed. Every page
    has it (see `Site`)."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._or_message(request, super().changeform_view, *args, **kwargs)  # type: ignore[misc] # ModelAdmin's

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._or_message(request, super().delete_view, *args, **kwargs)  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._or_message(request, super().changelist_view, *args, **kwargs)  # type: ignore[misc]

    def _or_message(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            return view(request, *args, **kwargs)
        except REFUSALS as error:
            self.tell(request, error)
            return HttpResponseRedirect(request.get_full_path())

    def tell(self, request: HttpRequest, error: Exception) -> None:
        for text in texts_of(known_problem(error)):
            self.message_user(request, text, messages.ERROR)  # type: ignore[attr-defined]


class RulesForm(forms.ModelForm):
    """A form that holds all rules of its model: its constraints too where they name fields that the form does not show,
    or that are fixed. Every form of every page has it (see `SavesWhatChanged`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            guard(field)

    def clean(self) -> dict[str, Any] | None:
        try:
            cleaned = super().clean() or self.cleaned_data
        except KeyError:  # a library's form looks for a value that has been refused
            if not self.errors:
                raise
            return self.cleaned_data
        # Fields of libraries let a NUL through, which no text in PostgreSQL holds.
        for name in [name for name, value in cleaned.items() if isinstance(value, str) and "\0" in value]:
            self.add_error(name, ProhibitNullCharactersValidator.message)
        return cleaned

    def _post_clean(self) -> None:
        try:
            super()._post_clean()  # type: ignore[misc] # Django's own hook: the model's rules
        except APIException as refusal:
            self.add_error(None, texts_of(refusal))
        if self.errors:
            return
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self._update_errors(error)  # type: ignore[attr-defined] # Django's own

    def add_error(self, field: str | None, error: Any) -> None:
        """What is wrong with a field that is not on the form is said above it."""
        if field is None and hasattr(error, "error_dict"):
            by_field: dict[str, list[Any]] = {}
            for name, found in error.error_dict.items():
                by_field.setdefault(name if name in self.fields else NON_FIELD_ERRORS, []).extend(found)
            error = ValidationError(by_field)
        super().add_error(field, error)


def _with_rules(form: type[forms.BaseModelForm]) -> type[forms.BaseModelForm]:
    return form if issubclass(form, RulesForm) else type(form.__name__, (RulesForm, form), {})


class SavesWhatChanged(admin.ModelAdmin):
    """Changes a row as the API does: it is locked, then read, judged by all rules of its model, and of its columns only
    those that have changed are written. Every page has it (see `Site`), those of libraries too, above Django's own."""

    def lock(self, obj: Any) -> None:
        """Before the row is read that is to be changed or deleted. A part of something larger locks that first."""
        lock_row(obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is None or request.method != "POST" or not connection.in_atomic_block:
            return obj
        self.lock(obj)
        locked = super().get_object(request, object_id, from_field)
        if locked is not None:
            locked.columns_as_read = dict(locked.__dict__)
        return locked

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return _with_rules(super().get_form(request, obj, change, **kwargs))

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Iterator[Any]:
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.form = _with_rules(formset.form)
            yield formset, inline

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _with_rules(super().get_changelist_form(request, **kwargs))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            save_fields(obj, self.changed_fields(obj, form))
        else:
            super().save_model(request, obj, form, change)

    def changed_fields(self, obj: Any, form: Any) -> list[str]:
        """Of what the row consists of, what the form has changed, or the page itself since it has read the row."""
        before = getattr(obj, "columns_as_read", {})
        sent = set(form.changed_data)
        return [
            field.name
            for field in obj._meta.concrete_fields
            if field.name in sent or (field.attname in before and before[field.attname] != getattr(obj, field.attname))
        ]

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for row in formset.deleted_objects:
            row.delete()
        for row, changed in formset.changed_objects:
            save_fields(row, changed)
        for row in formset.new_objects:
            row.save()
        formset.save_m2m()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one, each as by its own page. What may not be deleted stays, and is named."""
        for row in queryset.order_by():
            try:
                with transaction.atomic():
                    self.lock(row)
                    self.delete_model(request, row)
            except REFUSALS as error:
                self.message_user(request, f"{row}: {' '.join(texts_of(known_problem(error)))}", messages.ERROR)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Whoever may delete a row takes along what hangs on it, as over the API, whether or not that has a page where
        it could be deleted by itself. What must stay keeps the row."""
        deleted, counts, _lacking, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(), protected


class Site(admin.AdminSite):
    site_header = site_title = "Lyceum"
    index_title = _("Administration")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        base = admin_class or admin.ModelAdmin
        bases = (AddressesAreInput, RefusalsAreMessages, base, SavesWhatChanged)
        careful = type(base.__name__, bases, {"__module__": base.__module__})
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
