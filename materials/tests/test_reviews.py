"""What those who study a course say of it, and the rating that comes of it."""

from decimal import Decimal

import pytest

from common.ids import new_id
from materials.models import Course, Enrollment, Review
from materials.tests.factories import CourseFactory, EnrollmentFactory, ReviewFactory


def url(course, review=None):
    return f"/api/courses/{course.pk}/reviews/" + (f"{review.pk}/" if review else "")


def rating(course):
    course = Course.objects.get(pk=course.pk)
    return course.rating_average, course.rating_count


@pytest.fixture
def review(client_for, enrolled, course):
    """The one that the enrolled person has written: 4 of 5."""
    response = client_for("enrolled").post(url(course), {"rating": 4, "text": "Good"})
    assert response.status_code == 201, response.json()
    return Review.objects.get()


def test_reviewing(client_for, enrolled, course):
    response = client_for("enrolled").post(url(course), {"rating": 5, "text": "Отлично"})

    assert response.status_code == 201
    assert (response.json()["rating"], response.json()["text"]) == (5, "Отлично")
    assert response.json()["author"]["id"] == str(enrolled.pk)
    assert response.json()["course"] == str(course.pk)
    assert rating(course) == (Decimal("5.00"), 1)


def test_authors_show_no_more_than_their_public_profile(api, review, course):
    response = api.get(url(course))

    author = response.json()["results"][0]["author"]
    assert not {"email", "last_name", "phone", "city"} & set(author)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("teacher", 403),
        ("moderator", 403),
        ("admin", 403),
        ("enrolled", 201),
    ],
)
def test_who_may_review(client_for, course, who, status):
    response = client_for(who).post(url(course), {"rating": 1})

    assert response.status_code == status
    assert Review.objects.count() == (status == 201)


@pytest.mark.parametrize(("state", "status"), [("active", 201), ("completed", 201), ("expired", 201), ("revoked", 403)])
def test_which_enrollment_counts(client_for, enrolled, course, state, status):
    Enrollment.objects.update(status=state)

    response = client_for("enrolled").post(url(course), {"rating": 3})

    assert response.status_code == status


def test_whoever_is_not_enrolled_is_told_so(client_for, student, course):
    response = client_for("student").post(url(course), {"rating": 3})

    assert response.json()["code"] == "not_enrolled"


def test_one_review_a_person(client_for, review, course):
    response = client_for("enrolled").post(url(course), {"rating": 1})

    assert response.status_code == 409
    assert response.json()["code"] == "already_reviewed"
    assert rating(course) == (Decimal("4.00"), 1)


def test_each_course_has_its_own_reviews(client_for, review, enrolled, course):
    second = CourseFactory()
    EnrollmentFactory(user=enrolled, course=second)

    response = client_for("enrolled").post(url(second), {"rating": 1})

    assert response.status_code == 201
    assert rating(course) == (Decimal("4.00"), 1)


@pytest.mark.parametrize("value", [1, 2, 3, 4, 5, "5"])
def test_good_ratings(client_for, enrolled, course, value):
    response = client_for("enrolled").post(url(course), {"rating": value})

    assert response.status_code == 201
    assert response.json()["rating"] == int(value)


@pytest.mark.parametrize("value", [0, 6, -1, 10**9, 10**30, 4.5, "five", "", None, [], {}])
@pytest.mark.parametrize("method", ["post", "patch"])
def test_bad_ratings(client_for, enrolled, course, method, value):
    reviewed = ReviewFactory(course=course, author=enrolled) if method == "patch" else None

    response = getattr(client_for("enrolled"), method)(url(course, reviewed), {"rating": value})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["rating"]
    assert not Review.objects.exclude(rating=5).exists()


def test_a_rating_is_needed(client_for, enrolled, course):
    response = client_for("enrolled").post(url(course), {"text": "Good"})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["rating"]


@pytest.mark.parametrize(("length", "status"), [(0, 201), (5000, 201), (5001, 400)])
def test_how_long_a_text_may_be(client_for, enrolled, course, length, status):
    response = client_for("enrolled").post(url(course), {"rating": 5, "text": "x" * length})

    assert response.status_code == status


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("teacher", 403),
        ("moderator", 403),
        ("enrolled", 200),
        ("admin", 200),
    ],
)
@pytest.mark.parametrize("method", ["patch", "put"])
def test_who_may_change_a_review(client_for, review, course, method, who, status):
    response = getattr(client_for(who), method)(url(course, review), {"rating": 1, "text": "Bad"})

    assert response.status_code == status
    assert rating(course) == ((Decimal("1.00") if status == 200 else Decimal("4.00")), 1)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("teacher", 403),
        ("moderator", 403),
        ("enrolled", 204),
        ("admin", 204),
    ],
)
def test_who_may_delete_a_review(client_for, review, course, who, status):
    response = client_for(who).delete(url(course, review))

    assert response.status_code == status
    assert rating(course) == ((Decimal("0.00"), 0) if status == 204 else (Decimal("4.00"), 1))


def test_a_change_by_an_admin_leaves_the_author(client_for, review, enrolled, course):
    client_for("admin").patch(url(course, review), {"text": "…"})

    review.refresh_from_db()
    assert (review.author, review.text, review.rating) == (enrolled, "…", 4)


@pytest.mark.parametrize("field", ["author", "course", "id", "created_at"])
def test_what_a_review_keeps(client_for, review, course, admin, field):
    before = client_for("enrolled").get(url(course, review)).json()[field]

    response = client_for("enrolled").patch(url(course, review), {field: str(new_id())})

    assert response.status_code == 200
    assert response.json()[field] == before


def test_the_rating_is_the_average(client_for, sign_in_as, review, course):
    for value in (5, 5):
        person = EnrollmentFactory(course=course).user
        sign_in_as(person).post(url(course), {"rating": value})

    card = client_for("student").get("/api/courses/").json()["results"][0]

    assert (card["rating_average"], card["rating_count"]) == ("4.67", 3)


def test_the_rating_after_a_deletion(client_for, sign_in_as, review, course):
    person = EnrollmentFactory(course=course).user
    sign_in_as(person).post(url(course), {"rating": 1})

    client_for("enrolled").delete(url(course, review))

    assert rating(course) == (Decimal("1.00"), 1)


def test_a_new_review_after_a_deletion(client_for, review, course):
    client_for("enrolled").delete(url(course, review))

    response = client_for("enrolled").post(url(course), {"rating": 2})

    assert response.status_code == 201
    assert rating(course) == (Decimal("2.00"), 1)


@pytest.mark.parametrize("who", ["anonymous", "student", "enrolled", "teacher", "moderator", "admin"])
def test_who_reads_reviews(client_for, review, course, who):
    client = client_for(who)

    listed, one = client.get(url(course)), client.get(url(course, review))

    assert (listed.status_code, one.status_code) == (200, 200)
    assert listed.json()["results"] == [one.json()]


@pytest.mark.parametrize(("who", "status"), [("anonymous", 404), ("student", 404), ("teacher", 200), ("admin", 200)])
def test_reviews_of_a_draft(client_for, review, course, who, status):
    Course.objects.filter(pk=course.pk).update(status="draft")

    response = client_for(who).get(url(course))

    assert response.status_code == status


def test_a_review_is_not_under_another_course(api, review):
    response = api.get(url(CourseFactory(), review))

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("query", "ratings"),
    [
        ("?rating=5", [5]),
        ("?rating=1", []),
        ("?ordering=rating", [2, 4, 5]),
        ("?ordering=-rating", [5, 4, 2]),
        ("", [2, 5, 4]),
    ],
)
def test_finding_reviews(api, review, course, query, ratings):
    for value in (5, 2):
        ReviewFactory(course=course, rating=value)

    response = api.get(url(course) + query)

    assert [line["rating"] for line in response.json()["results"]] == ratings


@pytest.mark.parametrize("reviews", [1, 5])
def test_queries(api, course, django_assert_max_num_queries, reviews):
    for _ in range(reviews):
        ReviewFactory(course=course)

    with django_assert_max_num_queries(3):  # the course, the count, the page with its authors
        response = api.get(url(course))

    assert response.json()["count"] == reviews
