"""Work that a lesson asks for: /api/courses/{id}/lessons/{id}/assignments/."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from assignments.models import Assignment
from assignments.tests.factories import AssignmentFactory, SubmissionFactory
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, LessonAccessFactory, LessonCompletionFactory, LessonFactory
from users.models import User

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
NO_IDS = ["1", "x", "%00", "0" * 32, UNKNOWN, UNKNOWN + "0"]
FULL = {
    "title": "Star map",
    "description": "# Draw it\n",
    "due_at": "2030-12-01T18:00:00Z",
    "max_score": 50,
    "allow_late": False,
    "late_penalty_percent_per_day": 10,
    "resubmissions_allowed": False,
}


def url(lesson, assignment=None, course=None):
    where = f"/api/courses/{(course or lesson.course).pk}/lessons/{lesson.pk}/assignments/"
    return where + (f"{assignment.pk}/" if assignment else "")


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def row(assignment):
    return Assignment.objects.filter(pk=assignment.pk).values().get()


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


@pytest.fixture
def assignment(lesson):
    return AssignmentFactory(lesson=lesson, title="Map")


@pytest.fixture
def enrollment(enrolled):
    return Enrollment.objects.get(user=enrolled)


# --- Adding one ------------------------------------------------------------------------------------------------------


def test_an_assignment_with_everything(client_for, lesson):
    answer = client_for("teacher").post(url(lesson), FULL)

    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert shown["lesson"] == str(lesson.pk)
    assert {name: shown[name] for name in FULL} == {**FULL, "description": "# Draw it"}
    assert row(Assignment.objects.get())["due_at"] == datetime(2030, 12, 1, 18, tzinfo=UTC)


@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_a_bare_date_is_due_when_it_ends_where_the_teacher_is(client_for, lesson, teacher, who):
    User.objects.filter(pk=teacher.pk).update(time_zone="Asia/Vladivostok")

    answer = client_for(who).post(url(lesson), {"title": "Map", "due_at": "2030-11-30"})

    assert answer.json()["due_at"] == "2030-11-30T13:59:59.999999Z"


@pytest.mark.parametrize(
    ("moment", "days"), [("2030-11-30T20:59:59Z", 0), ("2030-11-30T21:00:00Z", 1), ("2030-12-01T21:00:00Z", 2)]
)
def test_lateness_counts_from_the_end_of_the_day(client_for, lesson, enrolled, moment, days):
    """The teacher is in Moscow."""
    terms = {"title": "Map", "due_at": "2030-11-30", "late_penalty_percent_per_day": 10}
    where = url(lesson, Assignment(pk=client_for("teacher").post(url(lesson), terms).json()["id"])) + "submissions/"

    with time_machine.travel(datetime.fromisoformat(moment), tick=False):
        handed_in = client_for("enrolled").post(where, {"text": "Here"})
        graded = client_for("teacher").post(f"{where}{handed_in.json()['id']}/grade/", {"score": 100})

    assert graded.json()["late_penalty"] == 10 * days


def test_a_title_is_enough(client_for, lesson):
    answer = client_for("teacher").post(url(lesson), {"title": "Map"})

    assert answer.status_code == 201
    kept = {name: answer.json()[name] for name in FULL}
    assert kept == {
        "title": "Map",
        "description": "",
        "due_at": None,
        "max_score": 100,
        "allow_late": True,
        "late_penalty_percent_per_day": 0,
        "resubmissions_allowed": True,
    }


def test_a_form_leaves_out_what_it_does_not_send(client_for, lesson):
    answer = client_for("teacher").post(url(lesson), {"title": "Map"}, format="multipart")

    assert (answer.json()["allow_late"], answer.json()["resubmissions_allowed"]) == (True, True)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("moderator", 403),
        ("teacher", 201),
        ("admin", 201),
    ],
)
def test_who_adds(client_for, lesson, who, status):
    answer = client_for(who).post(url(lesson), {"title": "Map"})

    assert answer.status_code == status
    assert Assignment.objects.count() == (status == 201)


@pytest.mark.parametrize(("who", "status"), [("student", 404), ("other", 404), ("moderator", 403), ("teacher", 201)])
def test_who_adds_to_a_draft(client_for, lesson, who, status):
    Course.objects.update(status="draft")

    assert client_for(who).post(url(lesson), {"title": "Map"}).status_code == status


# --- Reading them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("enrolled", 200),
        ("teacher", 200),
        ("moderator", 200),
        ("admin", 200),
    ],
)
def test_who_reads(client_for, lesson, assignment, who, status):
    client = client_for(who)

    listed, one = client.get(url(lesson)), client.get(url(lesson, assignment))

    assert (listed.status_code, one.status_code) == (status, status)
    if status == 200:
        assert listed.json()["results"] == [one.json()]
        assert one.json()["title"] == "Map"


def test_a_preview_shows_its_assignments_to_everyone_signed_in(client_for, course):
    assignment = AssignmentFactory(lesson=course.lessons.get(order=1))

    assert client_for("student").get(url(assignment.lesson, assignment)).status_code == 200
    assert client_for("anonymous").get(url(assignment.lesson, assignment)).status_code == 401


def test_a_lesson_bought_alone_shows_its_own_assignments(client_for, course, student, lesson, assignment):
    elsewhere = AssignmentFactory(lesson=course.lessons.get(order=3))
    LessonAccessFactory(user=student, lesson=lesson)
    client = client_for("student")

    assert client.get(url(lesson, assignment)).status_code == 200
    assert client.get(url(elsewhere.lesson, elsewhere)).status_code == 403


def test_a_list_holds_its_own_lesson_alone(client_for, course, lesson, assignment):
    AssignmentFactory(lesson=course.lessons.get(order=3))
    AssignmentFactory()

    lines = client_for("enrolled").get(url(lesson)).json()["results"]

    assert [line["id"] for line in lines] == [str(assignment.pk)]


GATED = ["", "{a}/", "{a}/comments/", "{a}/submissions/"]


def gated(lesson, assignment, path):
    return url(lesson) + path.format(a=assignment.pk)


@pytest.mark.parametrize("path", GATED)
@pytest.mark.parametrize(("price", "code"), [("0.00", "not_enrolled"), ("10.00", "payment_required")])
def test_whoever_is_not_in_the_course_is_told_what_to_do(client_for, lesson, assignment, path, price, code):
    Course.objects.update(price=price)

    answer = client_for("student").get(gated(lesson, assignment, path))

    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("path", GATED[:3])
@pytest.mark.parametrize("changes", [{"status": "expired"}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}], ids=str)
def test_whose_access_has_run_out_is_told_so(client_for, lesson, assignment, enrollment, path, changes):
    Enrollment.objects.update(**changes)

    answer = client_for("enrolled").get(gated(lesson, assignment, path))

    assert (answer.status_code, answer.json()["code"]) == (403, "access_expired")


@pytest.mark.parametrize("path", GATED[:3])
def test_a_sequential_course_asks_for_the_lesson_before(client_for, course, enrollment, lesson, assignment, path):
    Course.objects.update(sequential=True)
    client = client_for("enrolled")

    before = client.get(gated(lesson, assignment, path))
    LessonCompletionFactory(
        enrollment=enrollment, lesson=course.lessons.get(order=1), completed_at=timezone.now() - timedelta(days=1)
    )
    after = client.get(gated(lesson, assignment, path))

    assert (before.status_code, before.json()["code"]) == (403, "previous_lesson_required")
    assert after.status_code == 200


@pytest.mark.parametrize("rows", [1, 100])
def test_queries(client_for, lesson, django_assert_num_queries, rows):
    AssignmentFactory.create_batch(rows, lesson=lesson)
    client = client_for("enrolled")
    client.get(url(lesson))

    # the caller; the lesson with its course; the gate: siblings, enrollment; the page with its count
    with django_assert_num_queries(5):
        answer = client.get(url(lesson), {"page_size": 100})

    assert (answer.json()["count"], len(answer.json()["results"])) == (rows, rows)


@pytest.mark.parametrize(
    ("ordering", "titles"),
    [
        ("", ["a", "b", "c"]),
        ("created_at", ["a", "b", "c"]),
        ("-created_at", ["c", "b", "a"]),
        ("due_at", ["b", "c", "a"]),
        ("-due_at", ["a", "c", "b"]),
    ],
)
def test_the_order_of_a_list(client_for, lesson, ordering, titles):
    for title, day in (("a", 3), ("b", 1), ("c", 2)):
        AssignmentFactory(lesson=lesson, title=title, due_at=datetime(2030, 1, day, tzinfo=UTC))

    lines = client_for("teacher").get(url(lesson), {"ordering": ordering}).json()["results"]

    assert [line["title"] for line in lines] == titles


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"ordering": "title"}, ("ordering", "unknown_ordering")),
        ({"ordering": "lesson__course__owner__password"}, ("ordering", "unknown_ordering")),
        ({"titel": "x"}, ("titel", "unknown_filter")),
        ({"page": "0"}, ("page", "invalid")),
        ({"page_size": "x"}, ("page_size", "invalid")),
    ],
    ids=str,
)
def test_parameters_that_are_refused(client_for, lesson, params, error):
    assert codes(client_for("teacher").get(url(lesson), params)) == {error}


# --- Changing one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("teacher", 200),
        ("moderator", 200),
        ("admin", 200),
    ],
)
def test_who_changes(client_for, lesson, assignment, method, who, status):
    answer = getattr(client_for(who), method)(url(lesson, assignment), {"title": "New"})

    assert answer.status_code == status
    assert (row(assignment)["title"] == "New") is (status == 200)


def test_a_change_of_one_thing_leaves_the_rest(client_for, lesson):
    assignment = AssignmentFactory(lesson=lesson, max_score=7, allow_late=False, description="Draw it")

    answer = client_for("teacher").patch(url(lesson, assignment), {"late_penalty_percent_per_day": 5})

    assert answer.status_code == 200
    kept = row(assignment)
    assert (kept["late_penalty_percent_per_day"], kept["max_score"], kept["allow_late"], kept["description"]) == (
        5,
        7,
        False,
        "Draw it",
    )


def test_a_due_date_is_taken_away(client_for, lesson):
    assignment = AssignmentFactory(lesson=lesson, due_at=timezone.now())

    assert client_for("teacher").patch(url(lesson, assignment), {"due_at": None}).json()["due_at"] is None


@pytest.mark.parametrize(("highest", "status"), [(79, 400), (80, 200), (120, 200)])
def test_no_score_is_above_the_highest(client_for, lesson, assignment, highest, status):
    SubmissionFactory(assignment=assignment, graded=True)

    answer = client_for("teacher").patch(url(lesson, assignment), {"max_score": highest})

    assert answer.status_code == status
    assert row(assignment)["max_score"] == (highest if status == 200 else 100)


@pytest.mark.parametrize("kind", ["json", "multipart"])
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_what_nobody_writes(client_for, course, lesson, assignment, method, kind):
    elsewhere = LessonFactory(course=CourseFactory(owner=course.owner))
    forced = {
        "id": UNKNOWN,
        "pk": UNKNOWN,
        "lesson": str(elsewhere.pk),
        "lesson_id": str(elsewhere.pk),
        "course": str(elsewhere.course_id),
        "created_at": "2000-01-01T00:00:00Z",
        "updated_at": "2000-01-01T00:00:00Z",
    }
    address = url(lesson) if method == "post" else url(lesson, assignment)

    answer = getattr(client_for("teacher"), method)(address, {"title": "New", **forced}, format=kind)

    assert answer.status_code == (201 if method == "post" else 200)
    written = row(Assignment.objects.get(title="New"))
    assert written["lesson_id"] == lesson.pk
    assert str(written["id"]) != UNKNOWN
    assert min(written["created_at"], written["updated_at"]).year > 2000


@pytest.mark.parametrize("method", ["post", "put"])
def test_a_title_is_needed(client_for, lesson, assignment, method):
    address = url(lesson) if method == "post" else url(lesson, assignment)

    assert codes(getattr(client_for("teacher"), method)(address, {"max_score": 1})) == {("title", "required")}
    assert Assignment.objects.get().max_score == 100


@pytest.mark.parametrize("method", ["post", "patch"])
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("title", "", "blank"),
        ("title", "   ", "blank"),
        ("title", None, "null"),
        ("title", "x" * 201, "max_length"),
        ("title", [], "invalid"),
        ("title", "a\x00b", "null_characters_not_allowed"),
        ("description", "x" * 20_001, "max_length"),
        ("due_at", "tomorrow", "invalid"),
        ("due_at", "2026-13-01T00:00:00Z", "invalid"),
        ("due_at", 1, "invalid"),
        ("due_at", "9999-12-31T23:59:59Z", "overflow"),
        ("due_at", "0001-01-01T00:00:00+14:00", "overflow"),
        ("due_at", "0001-01-01T00:00:00", "overflow"),
        ("max_score", 0, "min_value"),
        ("max_score", -1, "min_value"),
        ("max_score", 10_001, "max_value"),
        ("max_score", 1.5, "invalid"),
        ("max_score", "many", "invalid"),
        ("max_score", None, "null"),
        ("allow_late", "maybe", "invalid"),
        ("allow_late", None, "null"),
        ("late_penalty_percent_per_day", -1, "min_value"),
        ("late_penalty_percent_per_day", 101, "max_value"),
        ("late_penalty_percent_per_day", None, "null"),
        ("resubmissions_allowed", [], "invalid"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_values_that_are_refused(client_for, lesson, assignment, method, name, value, code):
    before = row(assignment)
    address = url(lesson) if method == "post" else url(lesson, assignment)

    answer = getattr(client_for("teacher"), method)(address, {"title": "New", name: value})

    assert codes(answer) == {(name, code)}
    assert Assignment.objects.count() == 1
    assert row(assignment) == before


ODD = [None, True, 0, -1, 1.5, 10**400, "", "\ud800", "\x00", [], [[]], {}, {"a": {"b": []}}, ["x"], "x" * 30_000]


@pytest.mark.parametrize("name", list(FULL))
def test_wrong_types_are_never_a_5xx(client_for, lesson, assignment, name):
    client = client_for("teacher")
    statuses = set()

    for value in ODD:
        body = json.dumps({"title": "New", name: value})
        statuses.add(client.post(url(lesson), body, content_type="application/json").status_code)
        statuses.add(client.patch(url(lesson, assignment), body, content_type="application/json").status_code)

    assert statuses <= {200, 201, 400}


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", ""])
def test_wrong_bodies_are_refused(client_for, lesson, assignment, body):
    client = client_for("teacher")

    assert client.post(url(lesson), body, content_type="application/json").status_code == 400
    assert client.patch(url(lesson, assignment), body or "[", content_type="application/json").status_code == 400


# --- Deleting one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("moderator", 403),
        ("teacher", 204),
        ("admin", 204),
    ],
)
def test_who_deletes(client_for, lesson, assignment, who, status):
    answer = client_for(who).delete(url(lesson, assignment))

    assert answer.status_code == status
    assert Assignment.objects.exists() is (status != 204)


@pytest.mark.parametrize("who", ["teacher", "admin"])
@pytest.mark.parametrize("graded", [False, True])
def test_what_somebody_has_handed_in_for_stays(client_for, lesson, assignment, who, graded):
    SubmissionFactory(assignment=assignment, graded=graded)

    answer = client_for(who).delete(url(lesson, assignment))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert (Assignment.objects.count(), assignment.submissions.count()) == (1, 1)


@pytest.mark.parametrize("path", ["/api/courses/{course}/", "/api/lessons/{lesson}/"])
def test_work_outlives_the_deletion_of_what_is_above(client_for, lesson, assignment, path):
    SubmissionFactory(assignment=assignment)

    answer = client_for("teacher").delete(path.format(course=lesson.course_id, lesson=lesson.pk))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert Assignment.objects.exists()


# --- The path --------------------------------------------------------------------------------------------------------

METHODS = pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])


@METHODS
def test_an_assignment_is_not_under_another_lesson(client_for, course, assignment, method):
    answer = getattr(client_for("teacher"), method)(url(course.lessons.get(order=3), assignment), {"title": "New"})

    assert answer.status_code == 404
    assert row(assignment)["title"] == "Map"


@METHODS
def test_a_lesson_is_not_under_another_course(client_for, teacher, lesson, assignment, method):
    elsewhere = CourseFactory(owner=teacher)

    answer = getattr(client_for("teacher"), method)(url(lesson, assignment, elsewhere), {"title": "New"})

    assert answer.status_code == 404
    assert row(assignment)["title"] == "Map"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_list_is_not_under_another_course(client_for, teacher, lesson, assignment, method):
    elsewhere = CourseFactory(owner=teacher)

    answer = getattr(client_for("teacher"), method)(url(lesson, course=elsewhere), {"title": "New"})

    assert answer.status_code == 404
    assert Assignment.objects.count() == 1


@pytest.mark.parametrize("place", ["course", "lesson", "assignment"])
@pytest.mark.parametrize("value", NO_IDS)
def test_what_is_no_id_is_404(client_for, lesson, assignment, place, value):
    ids = {"course": lesson.course_id, "lesson": lesson.pk, "assignment": assignment.pk, place: value}
    address = f"/api/courses/{ids['course']}/lessons/{ids['lesson']}/assignments/{ids['assignment']}/"

    assert client_for("admin").get(address).status_code == 404
    assert client_for("admin").delete(address).status_code == 404
    assert Assignment.objects.exists()


def test_upper_case_is_answered_in_lower_case(client_for, lesson, assignment):
    answer = client_for("teacher").get(
        f"/api/courses/{str(lesson.course_id).upper()}/lessons/{str(lesson.pk).upper()}"
        f"/assignments/{str(assignment.pk).upper()}/"
    )

    assert (answer.json()["id"], answer.json()["lesson"]) == (str(assignment.pk), str(lesson.pk))


@METHODS
def test_a_draft_is_hidden_with_all_that_is_in_it(client_for, lesson, assignment, method):
    Course.objects.update(status="draft")

    answer = getattr(client_for("other"), method)(url(lesson, assignment), {"title": "New"})

    assert answer.status_code == 404
    assert row(assignment)["title"] == "Map"
