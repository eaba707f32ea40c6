"""How passwords are kept. Elsewhere the tests hash them with something quick."""

import pytest
from django.conf import settings as configured
from django.contrib.auth.hashers import make_password

from users.models import User
from users.tests.factories import PASSWORD, UserFactory

HASHERS = list(configured.PASSWORD_HASHERS)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _real_hashers(settings, _fast_passwords):
    settings.PASSWORD_HASHERS = HASHERS


def log_in(api, password=PASSWORD):
    return api.post("/api/auth/token/", {"email": "anna@test.io", "password": password})


def test_argon2id_at_the_recommended_minimum(api):
    api.post("/api/auth/register/", {"email": "anna@test.io", "password": PASSWORD})

    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_log_in(api):
    UserFactory(email="anna@test.io")

    assert log_in(api).status_code == 200
    assert log_in(api, "wrong-horse-7").status_code == 401


def test_an_older_hash_is_renewed_at_log_in(api):
    user = UserFactory(email="anna@test.io")
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    response = log_in(api)

    user.refresh_from_db()
    assert response.status_code == 200
    assert user.password.startswith("argon2$argon2id$")
