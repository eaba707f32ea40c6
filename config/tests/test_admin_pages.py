"""What every page of the admin has by its making, those of libraries too."""

import pytest
from django.contrib import admin as site
from django.contrib.admin import ModelAdmin
from django.db.models import F
from django.test import RequestFactory
from django.urls import reverse

from common.admin import RulesForm, SavesWhatChanged
from materials.models import Category, Course
from materials.tests.factories import CategoryFactory
from users.models import User

PAGES = list(site.site._registry.values())


@pytest.fixture
def office(client, admin):
    client.force_login(admin)
    return client


@pytest.fixture
def asked(admin):
    request = RequestFactory().get("/admin/")
    request.user = admin
    return request


def page_name(page):
    return page.model.__name__


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_page_saves_what_has_changed_alone(page):
    """Right above Django's own class: whatever a page does itself ends there."""
    above = type(page).__mro__[: type(page).__mro__.index(ModelAdmin)]

    assert above[-1] is SavesWhatChanged


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_form_holds_all_rules_of_its_model(page, asked, db):
    obj = page.model()

    assert issubclass(page.get_form(asked, obj, change=True), RulesForm)
    for formset, _inline in page.get_formsets_with_inlines(asked, obj):
        assert issubclass(formset.form, RulesForm)


@pytest.fixture
def meanwhile(monkeypatch):
    """What happens between reading a row for a page and saving it."""

    def meanwhile(values):
        save = SavesWhatChanged.save_model

        def step_in(page, request, obj, form, change):
            type(obj)._base_manager.filter(pk=obj.pk).update(**values)
            save(page, request, obj, form, change)

        monkeypatch.setattr(SavesWhatChanged, "save_model", step_in)

    return meanwhile


def sent(office, url):
    form = office.get(url).context["adminform"].form
    values = {}
    for bound in form:
        value = bound.value()
        if hasattr(bound.field.widget, "decompress"):
            parts = bound.field.widget.decompress(value)
            values |= {f"{bound.html_name}_{n}": part or "" for n, part in enumerate(parts)}
        elif value is True:
            values[bound.html_name] = "on"
        elif value and str(value):
            values[bound.html_name] = value
    return values


def test_a_person_saved_keeps_what_has_changed_meanwhile(office, student, meanwhile):
    """An old `token_version` would make tokens valid that were refused."""
    meanwhile({"token_version": F("token_version") + 7, "last_seen_at": "2026-01-01T00:00Z"})
    url = reverse("admin:users_user_change", args=[student.pk])

    answer = office.post(url, {**sent(office, url), "city": "Kazan"})

    assert answer.status_code == 302, answer.context["errors"]
    student.refresh_from_db()
    assert (student.city, student.token_version) == ("Kazan", 7)
    assert student.last_seen_at is not None


def test_a_row_of_a_list_saved_keeps_what_has_changed_meanwhile(office, meanwhile):
    category = CategoryFactory()
    meanwhile({"title": "Theirs"})
    row = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": category.pk, "form-0-order": 5, "_save": "1"}

    answer = office.post(reverse("admin:materials_category_changelist"), row)

    assert answer.status_code == 302
    category.refresh_from_db()
    assert (category.order, category.title) == (5, "Theirs")


def test_what_the_database_refuses_is_a_message(office, course, monkeypatch):
    def refuse(page, request, obj, form, change):
        Category.objects.create(slug="twice", title="Twice")
        Category.objects.create(slug="twice", title="Twice")

    monkeypatch.setattr(SavesWhatChanged, "save_model", refuse)
    url = reverse("admin:materials_category_add")

    answer = office.post(url, {"slug": "mine", "title": "Mine", "order": 1}, follow=True)

    assert answer.redirect_chain == [(url, 302)]
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]
    assert not Category.objects.exists()


def test_people_and_courses_are_among_the_pages():
    assert {User, Course} <= {page.model for page in PAGES}
