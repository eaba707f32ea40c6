"""The whole way of a student through a course, over HTTP."""

import pytest

from assignments.models import Certificate
from assignments.tests.factories import right_answers
from users.models import Notification


@pytest.fixture
def journey(client_for, course):
    return client_for("enrolled"), client_for("teacher"), f"/api/courses/{course.pk}/"


def test_from_the_first_lesson_to_the_certificate(journey, api, course, enrolled):
    student, teacher, base = journey
    lesson = course.lessons.get(order=2)
    work = f"{base}lessons/{lesson.pk}/assignments/"
    assignment = teacher.post(work, {"title": "Map", "late_penalty_percent_per_day": 10}).json()
    quiz = teacher.post(
        f"{base}quizzes/",
        {
            "title": "Final",
            "is_final": True,
            "passing_score": 60,
            "questions": [
                {
                    "kind": "single",
                    "text": "?",
                    "choices": [{"text": "a", "is_correct": True}, {"text": "b", "is_correct": False}],
                }
            ],
        },
    )
    assert quiz.status_code == 201, quiz.json()
    handed_in = student.post(f"{work}{assignment['id']}/submissions/", {"text": "Here"}).json()
    grade = f"{work}{assignment['id']}/submissions/{handed_in['id']}/grade/"
    assert teacher.post(grade, {"score": 90, "feedback": "Good"}).json()["score"] == 90
    for each in course.lessons.all():
        progress = student.post(f"/api/lessons/{each.pk}/complete/").json()
    assert (progress["percent"], [item["kind"] for item in progress["remaining"]]) == (100, ["quiz"])
    attempts = f"{base}quizzes/{quiz.json()['id']}/attempts/"
    attempt = student.post(attempts).json()
    assert "is_correct" not in str(attempt)
    result = student.post(f"{attempts}{attempt['id']}/submit/", right_answers(attempt)).json()
    assert (result["state"], result["score"], result["passed"]) == ("submitted", 100, True)
    progress = student.get(f"{base}progress/").json()
    assert progress["completed_at"]
    assert progress["remaining"] == []
    certificate = student.get("/api/users/certificates/").json()["results"][0]
    verified = api.get(f"/api/certificates/verify/{certificate['verification_code']}/").json()
    assert verified["valid"] is True
    pdf = student.get(f"/api/users/certificates/{certificate['id']}/pdf/")
    assert pdf.content.startswith(b"%PDF")
    assert Certificate.objects.count() == 1
    kinds = set(Notification.objects.filter(recipient=enrolled).values_list("kind", flat=True))
    assert kinds == {"submission_graded", "certificate_issued"}
    for path in ("students/", "gradebook/", "analytics/"):
        answer = teacher.get(base + path)
        assert answer.status_code == 200, answer.json()
    book = teacher.get(f"{base}gradebook/").json()
    assert book["results"][0]["total"] == 190
    assert b"Map" in b"".join(teacher.get(f"{base}gradebook/?format=csv"))
    assert student.get("/api/users/me/courses/").json()["results"][0]["progress"]["percent"] == 100
    dashboard = student.get("/api/users/me/dashboard/").json()
    assert set(dashboard) == {
        "courses_in_progress", "due_assignments", "unread_notifications", "unread_messages", "certificates"
    }  # fmt: skip
    assert dashboard["unread_notifications"] == 2
