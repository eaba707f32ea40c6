from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from materials.tests.factories import CourseFactory
from users.models import User
from users.tests.factories import PASSWORD, TeacherFactory, UserFactory
from users.tests.test_register import FORBIDDEN
from users.tokens import issue_pair

ME = "/api/users/me/"
PUBLIC = {"id", "username", "first_name", "avatar", "role", "is_moderator", "date_joined", "courses", "course_count"}
FULL = {
    "id",
    "email",
    "email_verified_at",
    "pending_email",
    "username",
    "first_name",
    "last_name",
    "phone",
    "city",
    "avatar",
    "role",
    "is_moderator",
    "language",
    "time_zone",
    "is_active",
    "date_joined",
    "last_login",
    "created_at",
    "updated_at",
}
OWN = FULL | {"payments"}
EVERYONE = ["student", "teacher", "other", "moderator", "admin"]

pytestmark = pytest.mark.django_db


def of(user):
    return f"/api/users/{user.pk}/"


@pytest.fixture
def target():
    return UserFactory(email="target@test.io", last_name="Ivanova", phone="+7 900 000", city="Omsk", username="target")


@pytest.fixture
def asleep():
    return UserFactory(email="asleep@test.io", is_active=False)


@pytest.fixture
def superuser():
    return User.objects.create_superuser("root@test.io", PASSWORD)


# --- Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", EVERYONE)
def test_my_own_profile(client_for, request, who):
    response = client_for(who).get(ME)

    assert response.status_code == 200
    assert set(response.json()) == OWN
    assert response.json()["id"] == str(request.getfixturevalue(who).pk)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
@pytest.mark.parametrize("url", [ME, "/api/profile/"])
def test_anonymous_has_no_profile(api, method, url):
    response = getattr(api, method)(url)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_my_profile_asks_two_queries(client_for, django_assert_num_queries):
    client = client_for("student")
    with django_assert_num_queries(2):  # the user, with what permissions ask of them; their payments
        client.get(ME)


@pytest.mark.parametrize(
    ("who", "status", "fields"),
    [
        ("anonymous", 401, None),
        ("student", 200, PUBLIC),
        ("teacher", 200, PUBLIC),
        ("moderator", 200, FULL),
        ("admin", 200, OWN),
    ],
)
def test_what_others_see(client_for, target, who, status, fields):
    response = client_for(who).get(of(target))

    assert response.status_code == status
    assert fields is None or set(response.json()) == fields


@pytest.mark.parametrize("secret", ["target@test.io", "Ivanova", "+7 900 000", "Omsk", "password"])
def test_public_profile_keeps_secrets(client_for, target, secret):
    response = client_for("student").get(of(target))

    assert secret not in response.content.decode()


def test_own_profile_by_id_is_full(client_for, student):
    response = client_for("student").get(of(student))

    assert set(response.json()) == OWN


def test_everyone_is_told_who_moderates(client_for, moderator, target):
    client = client_for("student")

    assert client.get(of(moderator)).json()["is_moderator"] is True
    assert client.get(of(target)).json()["is_moderator"] is False


def test_public_profile_names_published_courses(client_for, course, teacher):
    CourseFactory(owner=teacher, title="Not yet", status="draft")

    response = client_for("student").get(of(teacher))

    assert response.json()["courses"] == [{"id": str(course.pk), "title": "Python basics"}]


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("student", 404), ("teacher", 404), ("moderator", 200), ("admin", 200)]
)
def test_who_sees_sleeping_people(client_for, asleep, who, status):
    response = client_for(who).get(of(asleep))

    assert response.status_code == status


@pytest.mark.parametrize("who", EVERYONE)
@pytest.mark.parametrize("pk", ["0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f", "1", "abc", "%00", "me2", "' OR 1=1"])
def test_ids_of_nobody(client_for, who, pk):
    response = client_for(who).get(f"/api/users/{pk}/")

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_ids_in_upper_case(client_for, student):
    response = client_for("student").get(f"/api/users/{str(student.pk).upper()}/")

    assert response.json()["id"] == str(student.pk)
    assert set(response.json()) == OWN


# --- The list --------------------------------------------------------------------------------------------------------


def emails_in(response):
    """Whose ids the list holds."""
    ids = [person["id"] for person in response.json()["results"]]
    return set(User.objects.filter(pk__in=ids).values_list("email", flat=True))


@pytest.mark.parametrize(
    ("who", "listed"),
    [
        ("student", {"student@test.io", "teacher@test.io"}),
        ("teacher", {"teacher@test.io"}),
        ("other", {"other@test.io", "teacher@test.io"}),
        ("moderator", {"moderator@test.io", "teacher@test.io", "asleep@test.io", "target@test.io"}),
        ("admin", {"admin@test.io", "teacher@test.io", "asleep@test.io", "target@test.io"}),
    ],
)
def test_whom_one_may_list(client_for, course, asleep, target, who, listed):
    response = client_for(who).get("/api/users/")

    assert response.status_code == 200
    assert emails_in(response) == listed
    assert response.json()["count"] == len(listed)


def test_anonymous_lists_nobody(api):
    response = api.get("/api/users/")

    assert response.status_code == 401


def test_teachers_of_drafts_are_not_listed(client_for, other):
    CourseFactory(owner=other, status="draft")

    response = client_for("student").get("/api/users/")

    assert emails_in(response) == {"student@test.io"}


def test_sleeping_teachers_are_not_listed(client_for):
    CourseFactory(owner__is_active=False)

    response = client_for("student").get("/api/users/")

    assert emails_in(response) == {"student@test.io"}


@pytest.mark.parametrize(
    ("who", "fields"), [("student", PUBLIC), ("teacher", PUBLIC), ("moderator", FULL), ("admin", FULL)]
)
def test_what_the_list_shows(client_for, course, who, fields):
    response = client_for(who).get("/api/users/")

    assert {frozenset(person) for person in response.json()["results"]} == {frozenset(fields)}


@pytest.mark.parametrize("ordering", ["date_joined", "-date_joined"])
def test_order_of_the_list(client_for, ordering):
    old = UserFactory(date_joined=datetime(2020, 1, 1, tzinfo=UTC))
    young = UserFactory(date_joined=datetime(2030, 1, 1, tzinfo=UTC))

    response = client_for("admin").get("/api/users/", {"ordering": ordering})

    ids = [person["id"] for person in response.json()["results"]]
    assert (ids[0], ids[-1]) == tuple(str(u.pk) for u in ((old, young) if ordering == "date_joined" else (young, old)))


@pytest.mark.parametrize("who", ["student", "moderator", "admin"])
def test_queries_of_the_list(client_for, who):
    client = client_for(who)
    counts = []
    for number in (1, 29):
        for teacher in TeacherFactory.create_batch(number):
            CourseFactory(owner=teacher)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get("/api/users/", {"page_size": 100})
        counts.append(len(queries))

    assert response.json()["count"] == 31
    # the caller; the page with its count; the page's published courses
    assert counts == [3, 3]


# --- Changing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["patch", "put"])
@pytest.mark.parametrize("url", [ME, "own id"])
def test_change_my_profile(client_for, student, method, url):
    url = of(student) if url == "own id" else url
    changes = {
        "username": "anna.k",
        "first_name": "Анна",
        "last_name": "Ким",
        "phone": "+7 900 123-45-67",
        "city": "Томск",
        "language": "en",
        "time_zone": "Asia/Tomsk",
    }

    response = getattr(client_for("student"), method)(url, changes)

    assert response.status_code == 200, response.json()
    student.refresh_from_db()
    assert {name: getattr(student, name) for name in changes} == changes
    assert {name: response.json()[name] for name in changes} == changes


def test_change_moves_updated_at(client_for, student):
    before = student.updated_at

    client_for("student").patch(ME, {"city": "Томск"})

    student.refresh_from_db()
    assert student.updated_at > before


@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 403), ("teacher", 403), ("moderator", 403), ("admin", 200), ("target", 200)],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_who_may_change_a_profile(client_for, target, method, who, status):
    response = getattr(client_for(who), method)(of(target), {"city": "Томск"})

    assert response.status_code == status
    target.refresh_from_db()
    assert (target.city == "Томск") is (status == 200)


@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("student", 404), ("moderator", 403), ("admin", 200)])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_who_may_change_a_sleeping_one(client_for, asleep, method, who, status):
    response = getattr(client_for(who), method)(of(asleep), {"city": "Томск"})

    assert response.status_code == status
    asleep.refresh_from_db()
    assert (asleep.city == "Томск") is (status == 200)


@pytest.mark.parametrize(
    ("field", "value"), [*FORBIDDEN, ("pending_email", "new@test.io"), ("password", "x"), ("role", "admin")]
)
@pytest.mark.parametrize("form", ["json", "multipart"])
@pytest.mark.parametrize("url", [ME, "own id"])
def test_fields_that_nobody_forces(client_for, student, field, value, form, url):
    before = User.objects.filter(pk=student.pk).values().get()

    response = client_for("student").patch(of(student) if url == "own id" else url, {field: value}, format=form)

    assert response.status_code == 200
    after = User.objects.filter(pk=student.pk).values().get()
    assert {name for name in before if before[name] != after[name]} <= {"updated_at"}
    assert not student.groups.exists()
    assert not student.user_permissions.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "an"),
        ("username", "taken"),
        ("username", "TAKEN"),
        ("phone", "abc"),
        ("language", "de"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("first_name", "x" * 101),
        ("city", "a\x00b"),
        ("avatar", "not a file"),
        ("first_name", None),
    ],
)
def test_values_that_are_refused(client_for, student, field, value):
    UserFactory(username="taken")
    before = User.objects.filter(pk=student.pk).values().get()

    response = client_for("student").patch(ME, {"last_name": "Changed", field: value})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == field
    assert User.objects.filter(pk=student.pk).values().get() == before


def test_keep_my_username(client_for, student):
    User.objects.filter(pk=student.pk).update(username="anna")

    response = client_for("student").patch(ME, {"username": "Anna"})

    assert response.json()["username"] == "Anna"


def test_drop_my_username(client_for, student):
    User.objects.filter(pk=student.pk).update(username="anna")

    response = client_for("student").patch(ME, {"username": None})

    assert response.json()["username"] is None


def test_a_change_does_not_undo_a_deactivation_meanwhile(client_for, student, monkeypatch):
    """The request has loaded the person before they are put to sleep, and saves after."""
    from users.serializers import ProfileSerializer

    update = ProfileSerializer.update

    def late(self, instance, validated_data):
        User.objects.get(pk=instance.pk).deactivate("inactivity")
        return update(self, instance, validated_data)

    monkeypatch.setattr(ProfileSerializer, "update", late)

    client_for("student").patch(ME, {"city": "Томск"})

    student.refresh_from_db()
    assert (student.city, student.is_active, student.token_version) == ("Томск", False, 1)


# --- Admins ----------------------------------------------------------------------------------------------------------


def test_admin_puts_to_sleep(client_for, api, target):
    pair = issue_pair(target)

    response = client_for("admin").patch(of(target), {"is_active": False})

    assert response.json()["is_active"] is False
    target.refresh_from_db()
    assert (target.is_active, target.deactivation_reason) == (False, "admin")
    assert target.deactivated_at is not None
    assert api.get(ME, headers={"Authorization": f"Bearer {pair['access']}"}).status_code == 401
    assert api.post("/api/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert api.post("/api/auth/token/", {"email": target.email, "password": PASSWORD}).status_code == 401


def test_admin_wakes(client_for, api, target):
    target.deactivate("inactivity")

    response = client_for("admin").patch(of(target), {"is_active": True})

    assert response.json()["is_active"] is True
    target.refresh_from_db()
    assert (target.deactivated_at, target.deactivation_reason) == (None, "")
    assert api.post("/api/auth/token/", {"email": target.email, "password": PASSWORD}).status_code == 200


def test_nobody_wakes_those_who_left(client_for, target):
    client_for("target").delete(ME, {"password": PASSWORD})

    response = client_for("admin").patch(of(target), {"is_active": True})

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "deleted"
    target.refresh_from_db()
    assert not target.is_active


def test_admin_sets_the_role(client_for, target):
    response = client_for("admin").patch(of(target), {"role": "teacher"})

    assert response.json()["role"] == "teacher"


@pytest.mark.parametrize("form", ["json", "multipart"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_an_admin_leaves_out_stays(client_for, target, method, form):
    response = getattr(client_for("admin"), method)(of(target), {"city": "Томск"}, format=form)

    assert (response.json()["is_active"], response.json()["role"]) == (True, "student")


@pytest.mark.parametrize(
    "field",
    ["id", "is_superuser", "pending_email", "email_verified_at", "token_version", "date_joined", "password", "groups"],
)
def test_fields_that_no_admin_forces(client_for, target, field):
    value = dict(FORBIDDEN).get(field, "new@test.io")
    before = User.objects.filter(pk=target.pk).values().get()

    client_for("admin").patch(of(target), {field: value})

    after = User.objects.filter(pk=target.pk).values().get()
    assert {name for name in before if before[name] != after[name]} <= {"updated_at"}


@pytest.mark.parametrize("change", [{"city": "Томск"}, {"is_active": False}, {"role": "student"}])
def test_admin_does_not_change_a_superuser(client_for, superuser, change):
    before = User.objects.filter(pk=superuser.pk).values().get()

    response = client_for("admin").patch(of(superuser), change)

    assert response.status_code == 403
    assert User.objects.filter(pk=superuser.pk).values().get() == before


def test_admin_does_not_delete_a_superuser(client_for, superuser):
    response = client_for("admin").delete(of(superuser))

    assert response.status_code == 403
    superuser.refresh_from_db()
    assert superuser.email == "root@test.io"


def test_superuser_changes_a_superuser(client_for, superuser, sign_in_as):
    another = User.objects.create_superuser("root2@test.io", PASSWORD)

    response = sign_in_as(another).patch(of(superuser), {"is_active": False})

    assert response.json()["is_active"] is False


@pytest.mark.parametrize("who", ["student", "teacher", "moderator"])
def test_nobody_else_puts_to_sleep(client_for, target, who):
    response = client_for(who).patch(of(target), {"is_active": False})

    assert response.status_code == 403
    target.refresh_from_db()
    assert target.is_active


def test_a_profile_shows_the_newest_twenty_courses(client_for, teacher):
    courses = [CourseFactory(owner=teacher, title=f"Course {number}") for number in range(25)]
    CourseFactory(owner=teacher, status="draft")
    client = client_for("student")

    alone = client.get(f"/api/users/{teacher.pk}/").json()
    (listed,) = [row for row in client.get("/api/users/").json()["results"] if row["id"] == str(teacher.pk)]

    for profile in (alone, listed):
        assert [course["id"] for course in profile["courses"]] == [str(course.pk) for course in courses[:4:-1]]
        assert profile["course_count"] == 25
