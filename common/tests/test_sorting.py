"""Lists by title or name stand in the order of the language, on every database."""

import random

import pytest
from django.apps import apps
from django.db import models
from django.urls import get_resolver

from common.sorting import SortKeyField, sort_key, sort_keys, sorted_by
from common.testing.urls import routes
from materials.models import Course
from materials.tests.factories import CourseFactory, EnrollmentFactory
from users.tests.factories import UserFactory

IN_ORDER = [
    "10 шагов", "Äpfel", "Apple", "Apple pie", "éclair", "Zebra", "Арбуз", "Банан", "«Ворона»", "Все", "Всё",
    "ежевика", "Елена", "Ёлка", "Игра", "Йога", "яблоко",
]  # fmt: skip
URL = "/api/courses/"


def shuffled(texts):
    return random.sample(texts, len(texts))


def test_keys_sort_as_people_do():
    assert sorted(shuffled(IN_ORDER), key=sort_key) == IN_ORDER


@pytest.mark.parametrize("text", ["", "Я" * 300, "𠮷" * 300, "\ufdfa" * 300, "e\u0301" * 300])
def test_a_key_fits_its_column_and_sorts_alike_by_every_collation(text):
    key = sort_key(text)

    assert len(key) <= 255
    assert set(key) <= set("0123456789abcdef")


def test_the_catalogue_by_title(api, teacher):
    for title in shuffled(IN_ORDER):
        CourseFactory(owner=teacher, title=title)

    def titles(ordering):
        return [each["title"] for each in api.get(URL, {"ordering": ordering}).json()["results"]]

    assert titles("title") == IN_ORDER
    assert titles("-title") == IN_ORDER[::-1]


def test_a_new_title_takes_its_place(client_for, course, teacher):
    CourseFactory(owner=teacher, title="Банан")
    client = client_for("teacher")

    for title, place in (("Ёлка", 1), ("арбуз", 0)):
        assert client.patch(f"{URL}{course.pk}/", {"title": title}).status_code == 200
        found = client.get(URL, {"ordering": "title"}).json()["results"]
        assert [each["title"] for each in found].index(title) == place


def test_students_by_their_names(client_for, course):
    for name in ("Яблоков", "ёлкин", "Елисеев", "Абрамов"):
        EnrollmentFactory(user=UserFactory(last_name=name), course=course)

    found = client_for("teacher").get(f"{URL}{course.pk}/gradebook/").json()

    names = [row["student"]["last_name"] for row in found["results"]]
    assert names == ["Абрамов", "Елисеев", "ёлкин", "Яблоков"]


def text_orderings():
    """(where, model, column) of every ordering over a text, of lists and of models."""
    get_resolver().url_patterns  # noqa: B018 - imports all views
    for path, view in routes().items():
        queryset = getattr(view, "queryset", None)
        fields = getattr(view, "ordering_fields", None) or ()
        named = [*(fields.values() if isinstance(fields, dict) else fields), *(getattr(view, "ordering", None) or ())]
        yield from ((path, queryset.model, name) for name in named if queryset is not None)
    for model in apps.get_models():
        if model.__module__.split(".")[0] in {"users", "materials", "payments", "assignments", "community"}:
            yield from ((model.__name__, model, name) for name in model._meta.ordering)


def test_every_ordering_over_a_text_goes_by_its_key():
    """A coupon's code is of ASCII letters and digits, in capitals."""
    bare = set()
    for where, model, name in text_orderings():
        if not isinstance(name, str):  # an expression, over times and numbers
            continue
        column = sorted_by(model, name).removeprefix("-")
        field = next((each for each in model._meta.concrete_fields if each.name == column), None)
        if isinstance(field, models.CharField | models.TextField) and not isinstance(field, SortKeyField):
            bare.add((where, column))

    assert {column for _where, column in bare} == {"code"}


@pytest.mark.parametrize(
    "model", [model for model in apps.get_models() if sort_keys(model)], ids=lambda each: each.__name__
)
def test_a_key_goes_along_with_its_text(model):
    (key,) = sort_keys(model)
    row = model(**dict.fromkeys(key.sources, "Ёж"))

    assert key.pre_save(row, add=True) == sort_key("  ".join(["Ёж"] * len(key.sources)))


def test_fixtures_carry_the_keys(db):
    from django.core.management import call_command

    call_command("loaddata", "initial_data", verbosity=0)

    wrong = [
        str(row)
        for model in apps.get_models()
        for key in sort_keys(model)
        for row in model._base_manager.all()
        if getattr(row, key.name) != sort_key("  ".join(getattr(row, source) for source in key.sources))
    ]
    assert Course.objects.exists()
    assert wrong == []
