"""What every test may ask for. The cast is the same everywhere:

student     has no part in anything        enrolled   studies the teacher's course
teacher     owns the course                other      teaches another one
moderator   is in the group                admin      is one            anonymous  sends no token
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import translation
from rest_framework.test import APIClient

from common.ids import new_id
from common.testing import answers
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonFactory
from payments import gateway
from payments.stand_in import StandIn
from users.models import User
from users.tests.factories import AdminFactory, ModeratorFactory, TeacherFactory, UserFactory
from users.tokens import issue_pair

# Every answer that a test gets is held to the OpenAPI document.
answers.watch()

CAST = ("anonymous", "student", "enrolled", "teacher", "other", "moderator", "admin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What migrations wrote is put back after every test that commits: emptied tables would miss it in the next one.

    It holds for all of them or for none: Django fills the tables anew in another way for those without the flag.
    """
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and marker.kwargs.get("transaction"):
            item.add_marker(pytest.mark.django_db(transaction=True, serialized_rollback=True), append=False)


@pytest.fixture(autouse=True)
def _separate_cache(settings: Any) -> None:
    """Each test has keys of its own, also in a Redis that several processes share."""
    cache.key_prefix = f"test-{new_id()}"


@pytest.fixture(autouse=True)
def _own_language() -> None:
    """Not the one in which a request of the test before was answered."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def _static_files_when_asked_for(settings: Any) -> None:
    """Every test client starts the middleware anew: it need not list all static files each time."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _own_media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def api() -> APIClient:
    """A client that sends no token."""
    return APIClient()


def sign_in(user: User) -> APIClient:
    """A client that sends the user's access token, as an SPA would."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(user)['access']}")
    return client


@pytest.fixture
def sign_in_as() -> Callable[[User], APIClient]:
    return sign_in


@pytest.fixture
def student(db: None) -> User:
    return UserFactory(email="student@test.io")


@pytest.fixture
def teacher(db: None) -> User:
    return TeacherFactory(email="teacher@test.io", first_name="Anna")


@pytest.fixture
def other(db: None) -> User:
    return TeacherFactory(email="other@test.io")


@pytest.fixture
def moderator(db: None) -> User:
    return ModeratorFactory(email="moderator@test.io")


@pytest.fixture
def admin(db: None) -> User:
    return AdminFactory(email="admin@test.io")


@pytest.fixture
def course(teacher: User) -> Any:
    """Published, for 1,000 RUB, with a free preview and two closed lessons."""
    course = CourseFactory(owner=teacher, title="Python basics", price="1000.00")
    LessonFactory(course=course, order=1, title="Hello", is_preview=True)
    LessonFactory(course=course, order=2, title="Variables")
    LessonFactory(course=course, order=3, title="Loops")
    return course


@pytest.fixture
def enrolled(course: Any) -> User:
    user = UserFactory(email="enrolled@test.io")
    EnrollmentFactory(user=user, course=course, source="payment")
    return user


@pytest.fixture
def client_for(request: pytest.FixtureRequest) -> Callable[[str], APIClient]:
    """`client_for("teacher")`: a client signed in as that member of the cast."""

    def client(who: str) -> APIClient:
        return APIClient() if who == "anonymous" else sign_in(request.getfixturevalue(who))

    return client


@pytest.fixture(scope="session")
def _stand_in() -> Iterator[StandIn]:
    with StandIn(port=0) as server:
        yield server


@pytest.fixture
def stripe(_stand_in: StandIn, settings: Any) -> Iterator[StandIn]:
    """Stripe's stand-in, empty; nothing is delivered by itself."""
    _stand_in.store.clear()
    settings.STRIPE_API_BASE = _stand_in.base
    gateway._client.cache_clear()
    yield _stand_in
    gateway._client.cache_clear()
