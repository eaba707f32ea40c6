"""People who leave: their courses are archived, their names gone, and what others wrote or paid for stays."""

from materials.models import Review, Subscription
from materials.tests.factories import EnrollmentFactory, ReviewFactory, SubscriptionFactory
from users.tests.factories import PASSWORD


def found(client):
    names = ("pavlova", "ceramics")
    return {name: client.get("/api/courses/", {"search": name}).json()["count"] for name in names}


def test_people_who_leave_archive_their_courses(client_for, admin, course, enrolled, teacher):
    """Those who paid keep them; the name is found no more."""
    teacher.last_name = "Pavlova"
    teacher.save()
    client_for("teacher").patch(f"/api/courses/{course.pk}/", {"title": "Ceramics"})
    before = found(client_for("admin"))

    response = client_for("teacher").delete("/api/users/me/", {"password": PASSWORD})

    assert response.status_code == 204
    assert (before, found(client_for("admin"))) == ({"pavlova": 1, "ceramics": 1}, {"pavlova": 0, "ceramics": 1})
    assert client_for("enrolled").get(f"/api/courses/{course.pk}/").json()["status"] == "archived"
    assert client_for("student").get(f"/api/courses/{course.pk}/").status_code == 404


def test_people_who_leave_stay_counted(client_for, course, enrolled):
    EnrollmentFactory(course=course)
    review = ReviewFactory(course=course, author=enrolled)

    client_for("enrolled").delete("/api/users/me/", {"password": PASSWORD})

    assert Review.objects.get() == review
    assert course.enrollments.count() == 2


def test_people_who_leave_are_no_subscribers(client_for, course, student):
    SubscriptionFactory(user=student, course=course)

    client_for("student").delete("/api/users/me/", {"password": PASSWORD})

    assert not Subscription.objects.exists()
