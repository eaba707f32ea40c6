"""What holds of every route, whoever asks."""

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from common.filters import REPEATABLE, StrictFilterBackend
from common.testing.urls import filled, routes
from conftest import CAST

ROUTES = routes()
VIEWS = {view for view in ROUTES.values() if isinstance(view, type) and issubclass(view, APIView)}


def test_the_table_holds_the_api():
    assert {"/api/courses/", "/api/courses/{course_pk}/lessons/{pk}/", "/healthz/", "/success/"} <= set(ROUTES)
    assert len(ROUTES) > 120


@pytest.mark.parametrize("who", CAST)
def test_options_breaks_nowhere(client_for, course, who):
    client = client_for(who)
    client.raise_request_exception = False
    ids = {"course_pk": course.pk, "lesson_pk": course.lessons.first().pk}

    statuses = {}
    for path in ROUTES:
        for values in ({}, ids, {**ids, "pk": course.pk}):
            statuses[path, *values] = client.options(filled(path, **values)).status_code

    assert {where: status for where, status in statuses.items() if status >= 500} == {}


# --- Parameters that are given several times -------------------------------------------------------------------------


def refused(view, query):
    request = Request(APIRequestFactory().get(f"/?{query}"))
    try:
        StrictFilterBackend()._check(request, view, view.filterset_class)
    except Exception as error:
        return next(iter(error.get_codes().values()))[0]
    return None


def test_what_is_given_twice_is_taken_as_either_or_refused():
    filtered = [view() for view in VIEWS if getattr(view, "filterset_class", None)]
    assert len(filtered) > 10

    for view in filtered:
        for name, one in view.filterset_class.base_filters.items():
            expected = None if isinstance(one, REPEATABLE) else "repeated"
            assert refused(view, f"{name}=a&{name}=b") == expected, (view, name)
            assert refused(view, f"{name}={'x' * 1001}") == "max_length", (view, name)
        for name in ("ordering", "page_size", "format"):
            assert refused(view, f"{name}=1&{name}=1") == "repeated", (view, name)


def test_texts_of_filters_have_a_bound():
    texts = [
        (view, name)
        for view in VIEWS
        for name, one in (getattr(getattr(view, "filterset_class", None), "base_filters", None) or {}).items()
        if type(one).__name__ == "CharFilter" and not one.field.max_length
    ]

    assert texts == []
