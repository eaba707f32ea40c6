import io

import pytest
from django.core.management import CommandError, call_command

from users.models import User
from users.tests.factories import AdminFactory, UserFactory

pytestmark = pytest.mark.django_db

EMAIL, PASSWORD = "root@test.io", "a-good-password-1"


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", EMAIL)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    return monkeypatch


def csu() -> str:
    output = io.StringIO()
    call_command("csu", stdout=output)
    return output.getvalue()


def test_creates_a_superuser(environment, api):
    output = csu()

    user = User.objects.get()
    assert (user.email, user.role, user.is_superuser, user.is_staff) == (EMAIL, "admin", True, True)
    assert user.email_verified_at is not None
    assert EMAIL in output
    assert PASSWORD not in output
    assert api.post("/api/auth/token/", {"email": EMAIL, "password": PASSWORD}).status_code == 200


def test_changes_nothing_the_second_time(environment):
    csu()
    before = User.objects.values().get()
    environment.setenv("DJANGO_SUPERUSER_EMAIL", EMAIL.upper())
    environment.setenv("DJANGO_SUPERUSER_PASSWORD", "another-password-2")

    output = csu()

    assert "nothing is changed" in output
    assert User.objects.values().get() == before


@pytest.mark.parametrize("factory", [UserFactory, AdminFactory])
def test_makes_no_superuser_of_somebody_who_exists(environment, factory):
    factory(email=EMAIL)
    before = User.objects.values().get()

    with pytest.raises(CommandError, match="no superuser: nothing is changed"):
        csu()

    assert User.objects.values().get() == before


@pytest.mark.parametrize("name", ["DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_names_the_variable_that_is_missing(environment, name, value):
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)

    with pytest.raises(CommandError, match=name):
        csu()

    assert not User.objects.exists()


def test_refuses_what_is_no_email(environment):
    environment.setenv("DJANGO_SUPERUSER_EMAIL", "root")

    with pytest.raises(CommandError, match="DJANGO_SUPERUSER_EMAIL"):
        csu()

    assert not User.objects.exists()
