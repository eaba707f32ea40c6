"""Roles, in the terms of Django that its admin and commands use."""

import pytest
from django.contrib.auth import authenticate

from users.models import User
from users.tests.factories import PASSWORD, AdminFactory, ModeratorFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "is_staff"),
    [({}, False), ({"role": "teacher"}, False), ({"role": "admin"}, True), ({"is_superuser": True}, True)],
)
def test_staff_are_admins_and_superusers(fields, is_staff):
    assert UserFactory(**fields).is_staff is is_staff


@pytest.mark.parametrize(
    ("role", "is_staff", "becomes"),
    [
        ("student", True, "admin"),
        ("teacher", True, "admin"),
        ("admin", False, "student"),
        ("teacher", False, "teacher"),
    ],
)
def test_setting_is_staff_sets_the_role(role, is_staff, becomes):
    user = User(role=role)

    user.is_staff = is_staff

    assert user.role == becomes


@pytest.mark.parametrize(("factory", "edits"), [(UserFactory, False), (ModeratorFactory, True), (AdminFactory, True)])
def test_who_edits_everything(factory, edits):
    assert User.objects.get(pk=factory().pk).may_edit_all_content is edits


def test_superusers_are_admins():
    user = User.objects.create_superuser("root@test.io", PASSWORD)

    assert (user.role, user.is_staff, user.is_superuser, user.is_active) == ("admin", True, True, True)


@pytest.mark.parametrize("email", ["anna@test.io", "ANNA@TEST.IO"])
def test_natural_key_is_the_email_in_any_case(email):
    user = UserFactory(email="anna@test.io")

    assert User.objects.get_by_natural_key(email) == user


@pytest.mark.parametrize("credentials", [{"username": None, "password": "x"}, {"username": "a@test.io"}])
def test_half_of_the_credentials(credentials):
    assert authenticate(None, **credentials) is None


@pytest.mark.parametrize(
    ("names", "full", "short"),
    [
        ({"first_name": "Anna", "last_name": "Kim"}, "Anna Kim", "Anna"),
        ({"first_name": "Anna", "last_name": ""}, "Anna", "Anna"),
        ({"first_name": "", "last_name": ""}, "", "a@test.io"),
    ],
)
def test_names(names, full, short):
    user = User(email="a@test.io", **names)

    assert (user.full_name, user.get_short_name(), str(user)) == (full, short, "a@test.io")
