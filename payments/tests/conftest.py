from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from materials.models import Course, Lesson
from materials.tests.factories import LessonFactory
from payments.models import Payment
from payments.stand_in import StandIn
from payments.tests.helpers import pay


@pytest.fixture
def api(api: APIClient) -> APIClient:
    """A failure of the server is an answer, as it is to a browser."""
    api.raise_request_exception = False
    return api


@pytest.fixture
def buyer(client_for: Callable[[str], APIClient]) -> APIClient:
    """The student's client."""
    client = client_for("student")
    client.raise_request_exception = False
    return client


@pytest.fixture
def pending(buyer: APIClient, course: Course, stripe: StandIn) -> Payment:
    """The student's open payment for the course, by card."""
    answer = buyer.post("/api/payments/", {"paid_course": course.pk})
    assert answer.status_code == 201, answer.json()
    return Payment.objects.get(pk=answer.json()["payment_id"])


@pytest.fixture
def paid(buyer: APIClient, pending: Payment) -> Payment:
    """The same, paid: 1,000 RUB."""
    pay(pending.payment_url)
    assert buyer.get(f"/api/payments/{pending.pk}/status/").json()["status"] == "succeeded"
    pending.refresh_from_db()
    return pending


@pytest.fixture
def cash(buyer: APIClient, course: Course) -> Payment:
    """The student will bring 1,000 RUB."""
    answer = buyer.post("/api/payments/", {"paid_course": course.pk, "payment_method": "cash"})
    assert answer.status_code == 201, answer.json()
    return Payment.objects.get(pk=answer.json()["payment_id"])


@pytest.fixture
def boss(client_for: Callable[[str], APIClient]) -> APIClient:
    """The admin's client."""
    client = client_for("admin")
    client.raise_request_exception = False
    return client


@pytest.fixture
def lesson_for_sale(course: Course) -> Lesson:
    """A closed lesson of the course that is sold alone, for 150 RUB."""
    return LessonFactory(course=course, order=10, title="Closures", price="150.00")


@pytest.fixture
def quick_timeout(settings: Any) -> None:
    """Stripe is given up on after a fifth of a second. Ask for it before `stripe`."""
    settings.STRIPE_TIMEOUT_SECONDS = 0.2
