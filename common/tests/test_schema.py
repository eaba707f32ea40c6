"""The OpenAPI document, and the pages that show it."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.urls import get_resolver
from django.urls.resolvers import URLResolver
from django.utils import translation

from config.compat_urls import ALIASES

COMMITTED = Path(settings.BASE_DIR) / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}
DOCUMENT = yaml.safe_load(COMMITTED.read_text())
OPERATIONS = {
    f"{method} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in METHODS
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the bounds of whole numbers are those of the database")
def test_the_committed_document_is_that_of_the_code(tmp_path):
    with translation.override("en"):  # as `make schema` does
        call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "openapi.yaml"))

    assert (tmp_path / "openapi.yaml").read_text() == COMMITTED.read_text(), "run make schema"


@pytest.mark.parametrize("alias", sorted(alias for alias in ALIASES if alias.startswith("/api/")))
def test_an_alias_says_what_it_is_one_of(alias):
    canonical, _view = ALIASES[alias]

    for operation in DOCUMENT["paths"][alias].values():
        assert (operation["deprecated"], operation["x-alias-of"]) == (True, canonical)


def test_registering_at_the_list_of_people_is_an_alias():
    operation = DOCUMENT["paths"]["/api/users/"]["post"]

    assert (operation["deprecated"], operation["x-alias-of"]) == (True, "/api/auth/register/")


@pytest.mark.parametrize("canonical", sorted({canonical for canonical, _ in ALIASES.values()} - {"/api/schema/"}))
def test_what_an_alias_stands_for_is_no_alias(canonical):
    operations = DOCUMENT["paths"].get(canonical, {})

    assert not any("x-alias-of" in operation for operation in operations.values())


def test_only_aliases_are_deprecated():
    assert {name for name, operation in OPERATIONS.items() if operation.get("deprecated")} == {
        name for name, operation in OPERATIONS.items() if "x-alias-of" in operation
    }


@each_operation
def test_an_operation_says_who_it_is_for(operation):
    assert operation["security"]


@each_operation
def test_an_operation_says_what_it_is_for(operation):
    assert operation.get("summary") or operation.get("description")


@each_operation
def test_an_operation_describes_its_success(operation):
    assert any(status.startswith("2") for status in operation["responses"])


@pytest.mark.parametrize("name", sorted(name for name in OPERATIONS if " /api/" in name))
def test_an_operation_of_the_api_describes_its_errors(name):
    statuses = set(OPERATIONS[name]["responses"])

    expected = {"429", "503"}
    if "requestBody" in OPERATIONS[name]:
        expected |= {"400", "413", "415"}
    if OPERATIONS[name]["security"] != [{}]:
        expected |= {"401", "403"}
    if "{" in name:
        expected |= {"404"}
    assert expected <= statuses


@each_operation
def test_errors_are_problem_documents(operation):
    for status, response in operation["responses"].items():
        if status >= "400":
            content = response.get("content") or DOCUMENT["components"]["responses"][status]["content"]
            assert set(content) - {"text/html"} == {"application/problem+json"}


def test_names_of_operations_are_unique():
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(names) == len(set(names))


def test_every_route_of_the_api_is_in_the_document():
    routes = {route for route in each_route(get_resolver()) if route.startswith("api/") and "schema" not in route}

    assert len({path for path in DOCUMENT["paths"] if path.startswith("/api/")}) == len(routes)


def each_route(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        yield from each_route(pattern, route) if isinstance(pattern, URLResolver) else [route]


# --- Served ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["application/vnd.oai.openapi", "*/*", ""])
def test_the_document_is_served(api, accept):
    response = api.get("/api/schema/", headers={"Accept": accept} if accept else {})

    assert response.status_code == 200
    assert yaml.safe_load(response.content)["info"] == DOCUMENT["info"]


@pytest.mark.django_db
def test_the_document_is_served_as_json(api):
    response = api.get("/api/schema/?format=json")

    assert response.status_code == 200
    assert response.json()["paths"].keys() == DOCUMENT["paths"].keys()


@pytest.mark.django_db
def test_the_document_has_one_language(api):
    english = api.get("/api/schema/", headers={"Accept-Language": "en"}).content
    russian = api.get("/api/schema/", headers={"Accept-Language": "ru"}).content

    assert english == russian


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/swagger-ui/", "/api/schema/redoc/", "/swagger/", "/redoc/"])
def test_the_pages(api, path):
    response = api.get(path, headers={"Accept": "text/html"})

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/swagger-ui/", "/api/schema/redoc/"])
def test_the_pages_load_no_scripts_from_elsewhere(api, path):
    response = api.get(path, headers={"Accept": "text/html"})

    scripts = re.findall(r'<script[^>]*src="([^"]+)"', response.content.decode())
    assert scripts
    assert all(src.startswith("/") and not src.startswith("//") for src in scripts)
    assert "http" not in response["Content-Security-Policy"]


@pytest.mark.django_db
def test_the_root_leads_to_the_documentation(api):
    response = api.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/api/schema/swagger-ui/"
