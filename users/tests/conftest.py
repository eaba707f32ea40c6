from collections.abc import Iterator
from typing import Any

import pytest

from users.tests.identity_provider import IdentityProvider


@pytest.fixture(scope="session")
def _identity_provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as server:
        yield server


@pytest.fixture
def idp(_identity_provider: IdentityProvider, settings: Any) -> Iterator[IdentityProvider]:
    """Google, VK ID and Yandex, all three of them configured."""
    for name, value in _identity_provider.settings().items():
        setattr(settings, name, value)
    yield _identity_provider
    _identity_provider.forget()
