"""What has been decided about money, access and links: the section "Decided" of docs/api.md, a test for each line."""

import pytest

from materials.models import Course
from payments.tests.helpers import deliver, dispute, pay
from users.tests.factories import PASSWORD

ELSEWHERE = "https://example.com/slides.pdf"


@pytest.mark.parametrize(
    ("what", "name"),
    [("course", "description"), ("lesson", "description"), ("lesson", "body"), ("lesson", "video_url")],
)
def test_links_in_texts_lead_to_youtube_alone(client_for, course, what, name):
    lesson = course.lessons.get(order=2)
    address = f"/api/courses/{course.pk}/" if what == "course" else f"/api/lessons/{lesson.pk}/"
    teacher = client_for("teacher")

    youtube = teacher.patch(address, {name: "https://www.youtube.com/watch?v=dQw4w9WgXcQ"})
    foreign = teacher.patch(address, {name: ELSEWHERE})

    assert youtube.status_code == 200, youtube.json()
    assert (foreign.status_code, [one["attr"] for one in foreign.json()["errors"]]) == (400, [name])


@pytest.mark.parametrize(("link", "status"), [(ELSEWHERE, 201), (ELSEWHERE.replace("https", "http"), 400)])
def test_an_attachment_leads_anywhere_by_https(client_for, course, link, status):
    address = f"/api/lessons/{course.lessons.get(order=2).pk}/attachments/"

    assert client_for("teacher").post(address, {"title": "Slides", "url": link}).status_code == status


@pytest.mark.parametrize("address", ["/api/auth/token/refresh/", "/api/token/refresh/"])
def test_refresh_rotates_on_every_address(api, student, address):
    pair = api.post("/api/auth/token/", {"email": student.email, "password": PASSWORD}).json()

    first = api.post(address, {"refresh": pair["refresh"]})
    again = api.post(address, {"refresh": pair["refresh"]})

    assert first.status_code == 200
    assert first.json()["refresh"] != pair["refresh"]
    assert (again.status_code, again.json()["code"]) == (401, "token_not_valid")


def test_canceling_at_stripe_leaves_a_payment_pending(api, buyer, pending):
    answer = api.get("/cancel/", {"session_id": pending.stripe_session_id})

    assert answer.status_code == 200
    assert buyer.get(f"/api/payments/{pending.pk}/status/").json()["status"] == "pending"
    pay(pending.payment_url)
    assert buyer.get(f"/api/payments/{pending.pk}/status/").json()["status"] == "succeeded"


def test_a_lesson_needs_no_video(client_for, course):
    answer = client_for("teacher").post(f"/api/courses/{course.pk}/lessons/", {"title": "Text alone"})

    assert (answer.status_code, answer.json()["video_url"]) == (201, "")


@pytest.mark.parametrize(("by_hand", "standing"), [(False, "valid"), (True, "revoked")])
def test_a_certificate_outlives_a_full_refund_of_a_completed_course(api, buyer, boss, paid, course, by_hand, standing):
    Course.objects.filter(pk=course.pk).update(certificate_enabled=True)
    for lesson in course.lessons.order_by("order"):
        assert buyer.post(f"/api/lessons/{lesson.pk}/complete/").status_code == 200
    certificate = buyer.get("/api/users/certificates/").json()["results"][0]

    refund = boss.post(f"/api/payments/{paid.pk}/refund/", {"reason": "requested_by_customer"})
    if by_hand:
        boss.put(f"/api/users/certificates/{certificate['id']}/", {"status": "revoked", "revocation_reason": "Cheated"})

    shown = api.get(f"/api/certificates/verify/{certificate['verification_code']}/", HTTP_ACCEPT="application/json")
    assert refund.json()["status"] == "refunded"
    assert shown.json()["status"] == standing


@pytest.mark.parametrize("end", ["refund", "dispute"])
def test_who_lost_their_access_does_not_come_back_for_nothing_but_by_paying(buyer, boss, paid, course, stripe, end):
    address = f"/api/courses/{course.pk}/enrollment/"
    if end == "refund":
        boss.post(f"/api/payments/{paid.pk}/refund/", {"reason": "requested_by_customer"})
    else:
        dispute(stripe, paid)
        dispute(stripe, paid, "lost")
        deliver(stripe, "charge.dispute.created", "charge.dispute.closed")

    Course.objects.filter(pk=course.pk).update(price=0)
    for_nothing = buyer.post(address)
    Course.objects.filter(pk=course.pk).update(price=1000)
    unpaid = buyer.post(address)
    opened = buyer.post("/api/payments/", {"paid_course": course.pk}).json()

    assert (for_nothing.status_code, for_nothing.json()["code"]) == (403, "access_revoked")
    assert unpaid.status_code == 402
    if end == "refund":  # lost money of the same course is with the bank: an admin lets them in
        pay(opened["payment_url"])
        buyer.get(f"/api/payments/{opened['payment_id']}/status/")
        assert buyer.post(address).status_code == 200
