"""Whatever is written into a form of the admin is saved or refused: no page breaks. Every page is walked over, those of
libraries too: with nothing, with what makes no sense in one field after another, and with what another row has."""

import importlib
from datetime import timedelta

import pytest
from django import forms
from django.contrib import admin as site
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import UniqueConstraint
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from factory.django import DjangoModelFactory

from assignments.models import Comment
from assignments.tests.factories import CommentFactory, QuizFactory
from materials.tests.factories import LessonFactory

PAGES = sorted(site.site._registry, key=lambda model: model._meta.label)
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
TEXTS = ["", "\0", "x" * 30_000, "‮ﷺ=𝟙"]
NUMBERS = ["", "-1", "9" * 400, "1e400", "NaN"]
DATES = ["x", "0001-01-01", "9999-12-31"]
CHOICES = ["x\0", UNKNOWN, "9" * 400]


def library_rows():
    """One of each model that has no factory of ours, each time another."""
    return {
        Group: lambda n: Group.objects.create(name=f"Group {n}"),
        IntervalSchedule: lambda n: IntervalSchedule.objects.create(every=n, period="days"),
        CrontabSchedule: lambda n: CrontabSchedule.objects.create(minute=str(n)),
        ClockedSchedule: lambda n: ClockedSchedule.objects.create(clocked_time=timezone.now() + timedelta(days=n)),
        SolarSchedule: lambda n: SolarSchedule.objects.create(event="dawn_civil", latitude=n, longitude=n),
        PeriodicTask: lambda n: PeriodicTask.objects.create(
            name=f"Task {n}", task="x", interval=IntervalSchedule.objects.create(every=100 + n, period="days")
        ),
    }


def factories():
    found = {}
    for app in ("users", "materials", "payments", "assignments", "community"):
        for thing in vars(importlib.import_module(f"{app}.tests.factories")).values():
            if isinstance(thing, type) and issubclass(thing, DjangoModelFactory) and thing._meta.model:
                found.setdefault(thing._meta.model, thing)
    return found


def two_rows(model):
    """Two of a model, or none where nobody writes it by hand."""
    if model is Comment:
        return [CommentFactory(lesson=LessonFactory()) for _ in range(2)]
    if factory := factories().get(model):
        try:
            with transaction.atomic():
                return [factory(), factory()]
        except Exception:  # it needs to be told more: then its page for a new row is enough
            return []
    make = library_rows().get(model)
    return [make(1), make(2)] if make else []


@pytest.fixture
def office(client, admin):
    admin.is_superuser = True
    admin.save()
    client.force_login(admin)
    client.raise_request_exception = False
    return client


def addresses(model, rows):
    """Of the pages with a form, as far as the admin gets one."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    pages = [reverse(f"{name}_change", args=[row.pk]) for row in rows[:1]]
    return [*pages, reverse(f"{name}_add")]


def form_of(office, url):
    """The page's form and what it would send as it stands; nothing where there is no form."""
    answer = office.get(url)
    assert answer.status_code in {200, 302, 403}, url
    context = answer.context
    if answer.status_code != 200 or context is None or "adminform" not in context:
        return None, {}
    if not context["adminform"].form.fields:
        return None, {}
    values = {}
    shown = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        shown += [inline.formset.management_form, *inline.formset.initial_forms]
    for form in shown:
        for bound in form:
            values |= written(bound, bound.value())
    return context["adminform"].form, values


def written(bound, value):
    """A value as a browser sends it; that of a date and a time in two parts."""
    if isinstance(bound.field.widget, forms.MultiWidget):
        parts = bound.field.widget.decompress(value) or [None, None]
        return {f"{bound.html_name}_{number}": part or "" for number, part in enumerate(parts)}
    if isinstance(value, bool):
        return {bound.html_name: "on"} if value else {}
    if value is None or isinstance(bound.field, forms.FileField):
        return {}
    return {bound.html_name: value}


def nonsense(bound):
    """What makes no sense in a field, as a browser could send it."""
    field, name = bound.field, bound.html_name
    if isinstance(field, forms.SplitDateTimeField):
        return [{f"{name}_0": day, f"{name}_1": "23:59:59"} for day in DATES]
    if isinstance(field, forms.DateField | forms.DateTimeField | forms.TimeField):
        return [{name: day} for day in DATES]
    if isinstance(field, forms.ModelChoiceField | forms.ChoiceField):
        return [{name: value} for value in CHOICES]
    if isinstance(field, forms.IntegerField | forms.DecimalField | forms.FloatField):
        return [{name: value} for value in NUMBERS]
    return [{name: value} for value in TEXTS]


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
def test_no_input_breaks_a_page(office, model):
    pages = 0
    for url in addresses(model, two_rows(model)):
        form, values = form_of(office, url)
        if form is None:
            continue
        pages += 1
        bodies = [{}, values, *({**values, **odd} for bound in form for odd in nonsense(bound))]
        for body in bodies:
            answer = office.post(url, body)
            changed = {name: value for name, value in body.items() if values.get(name) != value}
            assert answer.status_code < 500, (url, changed)
        if pages:  # a page of a row says all that one for a new row does
            break


def unique_sets(model):
    """Names of fields that no two rows may share."""
    sets = [[field.name] for field in model._meta.fields if field.unique and not field.primary_key]
    sets += [list(names) for names in model._meta.unique_together]
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            named = constraint.fields or [
                part.name
                for expression in constraint.expressions
                for part in expression.flatten()
                if hasattr(part, "name")
            ]
            sets.append(list(named))
    return sets


@pytest.mark.parametrize("model", [model for model in PAGES if unique_sets(model)], ids=lambda model: model._meta.label)
def test_what_another_row_has_is_refused(office, model):
    rows = two_rows(model)
    if not rows:
        pytest.skip("written by the program alone")
    first, second = rows
    url = addresses(model, [second])[0]
    form, values = form_of(office, url)
    for names in unique_sets(model):
        if form is None or not set(names) & set(form.fields):
            continue  # nobody writes it there
        taken = {}
        for name in names:
            if name in form.fields:
                taken |= written(
                    form[name], form[name].field.prepare_value(model._meta.get_field(name).value_from_object(first))
                )
        answer = office.post(url, {**values, **taken})

        assert answer.status_code in {200, 302}, (names, answer.status_code)


def test_a_second_final_quiz_is_refused_on_the_form(office, course):
    QuizFactory(course=course, is_final=True)
    other = QuizFactory(course=course)
    url = reverse("admin:assignments_quiz_change", args=[other.pk])
    _form, values = form_of(office, url)

    answer = office.post(url, {**values, "is_final": "on"})

    assert answer.status_code == 200
    assert answer.context["errors"]
    other.refresh_from_db()
    assert other.is_final is False


def test_the_pages_of_every_app_are_walked_over():
    assert {model._meta.app_label for model in PAGES} >= {
        "users", "materials", "payments", "assignments", "community", "django_celery_beat", "auth"
    }  # fmt: skip
