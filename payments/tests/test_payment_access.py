"""Who may do what with payments: (who, status), and that a refusal changes nothing."""

import pytest

from materials.models import Enrollment
from payments.models import Payment, WebhookEvent
from payments.tests.helpers import calls, pay
from users.models import Notification

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
EVERYONE = ("anonymous", "student", "enrolled", "teacher", "other", "moderator", "admin")


def books():
    """Everything that a payment could change."""
    return (
        list(Payment.objects.order_by("pk").values()),
        list(Enrollment.objects.order_by("pk").values()),
        Notification.objects.count(),
        WebhookEvent.objects.count(),
    )


# method, path, body: the status for each of EVERYONE. {pending} is the student's.
TABLE = [
    ("get", "/api/payments/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("get", "/api/users/payments/", None, (401, 200, 200, 200, 200, 200, 200)),
    ("get", "/api/users/{student}/payments/", None, (401, 200, 403, 403, 403, 403, 200)),
    ("get", f"/api/users/{UNKNOWN}/payments/", None, (401, 404, 404, 404, 404, 404, 404)),
    ("get", "/api/payments/{pending}/", None, (401, 200, 404, 404, 404, 200, 200)),
    ("get", f"/api/payments/{UNKNOWN}/", None, (401, 404, 404, 404, 404, 404, 404)),
    ("get", "/api/payments/{pending}/status/", None, (401, 200, 404, 404, 404, 200, 200)),
    ("get", f"/api/payments/{UNKNOWN}/status/", None, (401, 404, 404, 404, 404, 404, 404)),
    ("get", "/api/payments/{pending}/receipt/", None, (401, 409, 404, 404, 404, 409, 409)),
    ("get", f"/api/payments/{UNKNOWN}/receipt/", None, (401, 404, 404, 404, 404, 404, 404)),
    ("post", "/api/payments/{pending}/receipt/", {}, (401, 405, 405, 405, 405, 405, 405)),
    ("get", f"/api/payments/{{pending}}/refunds/{UNKNOWN}/credit-note/", None, (401, 404, 404, 404, 404, 404, 404)),
    ("get", "/api/payments/export/", None, (401, 403, 403, 403, 403, 403, 200)),
    ("post", "/api/payments/export/", {}, (401, 403, 403, 403, 403, 403, 405)),
    ("get", "/api/payments/sales/", None, (401, 403, 403, 200, 200, 403, 200)),
    ("post", "/api/payments/sales/", {}, (401, 403, 403, 405, 405, 403, 405)),
    ("put", "/api/payments/{pending}/", {"status": "succeeded"}, (401, 405, 405, 405, 405, 405, 405)),
    ("patch", "/api/payments/{pending}/", {"status": "succeeded"}, (401, 405, 405, 405, 405, 405, 405)),
    ("delete", "/api/payments/{pending}/", None, (401, 405, 405, 405, 405, 405, 405)),
    ("post", "/api/payments/{pending}/", {}, (401, 405, 405, 405, 405, 405, 405)),
    ("post", "/api/payments/{pending}/status/", {}, (401, 405, 405, 405, 405, 405, 405)),
    ("post", "/api/users/payments/", {"paid_course": "{course}"}, (401, 405, 405, 405, 405, 405, 405)),
    ("get", "/api/payments/create/", None, (401, 405, 405, 405, 405, 405, 405)),
    ("get", "/api/lessons/create-checkout-session/", None, (401, 405, 405, 405, 405, 405, 405)),
    ("post", "/api/payments/webhook/", {}, (400, 400, 400, 400, 400, 400, 400)),
    ("get", "/success/", None, (400, 400, 400, 400, 400, 400, 400)),
    ("get", "/cancel/?session_id=cs_test_x", None, (404, 404, 404, 404, 404, 404, 404)),
]


@pytest.mark.parametrize(("method", "path", "body", "statuses"), TABLE)
def test_who_may(client_for, pending, enrolled, student, course, method, path, body, statuses):
    places = {"pending": pending.pk, "student": student.pk, "course": course.pk}
    body = body and {name: value.format(**places) for name, value in body.items()}
    clients = {who: client_for(who) for who in EVERYONE}
    before = books()

    answers = {who: getattr(client, method)(path.format(**places), body) for who, client in clients.items()}

    assert {who: answer.status_code for who, answer in answers.items()} == dict(zip(EVERYONE, statuses, strict=True))
    assert books() == before


@pytest.mark.parametrize("path", ["/api/payments/", "/api/payments/create/", "/api/lessons/create-checkout-session/"])
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 201),
        ("enrolled", 409),
        ("teacher", 409),
        ("other", 201),
        ("moderator", 201),
        ("admin", 201),
    ],
)
def test_who_may_buy_a_course(client_for, enrolled, course, stripe, path, who, status):
    before = books()
    body = {"course_id": course.pk} if "session" in path else {"paid_course": course.pk}

    answer = client_for(who).post(path, body)

    assert answer.status_code == (200 if status == 201 and "session" in path else status)
    assert Payment.objects.count() == (status == 201)
    if status != 201:
        assert books() == before
        assert calls(stripe) == []


@pytest.mark.parametrize("who", EVERYONE)
def test_a_401_says_how_to_sign_in(client_for, enrolled, pending, who):
    answer = client_for(who).get("/api/payments/")

    assert ("WWW-Authenticate" in answer.headers) is (who == "anonymous")


@pytest.mark.parametrize("token", ["nonsense", "", "a.b.c"])
def test_a_bad_token(api, course, stripe, token):
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    answer = api.post("/api/payments/", {"paid_course": course.pk})

    assert answer.status_code == 401
    assert not Payment.objects.exists()


def test_a_payment_opens_the_course_to_its_buyer_alone(client_for, pending, other, course):
    lesson = course.lessons.get(order=2)
    pay(pending.payment_url)

    client_for("other").get("/success/", {"session_id": pending.stripe_session_id})

    assert client_for("student").get(f"/api/lessons/{lesson.pk}/").status_code == 200
    assert client_for("other").get(f"/api/lessons/{lesson.pk}/").status_code == 403


def test_a_discharged_person_cannot_buy(client_for, student, course, stripe):
    client = client_for("student")
    student.deactivate("inactivity")

    answer = client.post("/api/payments/", {"paid_course": course.pk})

    assert answer.status_code == 401
    assert not Payment.objects.exists()
