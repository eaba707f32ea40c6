"""What is said about lessons, assignments and submissions."""

import pytest
from django.core import mail
from django.utils import timezone, translation
from django.utils.translation import gettext

from assignments.models import Comment
from assignments.tests.factories import AssignmentFactory, CommentFactory, SubmissionFactory
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonAccessFactory, LessonCompletionFactory
from users.models import Notification, User

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
TARGETS = ("lesson", "assignment", "submission")


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


@pytest.fixture
def submission(lesson, enrolled):
    """The enrolled person's."""
    return SubmissionFactory(assignment__lesson=lesson, assignment__title="Map", student=enrolled)


@pytest.fixture
def targets(lesson, submission):
    return {"lesson": lesson, "assignment": submission.assignment, "submission": submission}


@pytest.fixture
def url(course, lesson, submission):
    """The address of the comments on a target, with ids in the path replaced by others where wanted."""

    def address(target, comment=None, **ids):
        ids = {
            "course": course.pk,
            "lesson": lesson.pk,
            "assignment": submission.assignment_id,
            "submission": submission.pk,
            **ids,
        }
        path = "/api/courses/{course}/lessons/{lesson}/"
        if target != "lesson":
            path += "assignments/{assignment}/"
        if target == "submission":
            path += "submissions/{submission}/"
        return path.format(**ids) + "comments/" + (f"{getattr(comment, 'pk', comment)}/" if comment else "")

    return address


@pytest.fixture(params=TARGETS)
def target(request):
    return request.param


@pytest.fixture
def comment(target, targets, enrolled):
    """What the enrolled person has said."""
    return CommentFactory(author=enrolled, text="Said", **{target: targets[target]})


# --- Who sees and writes ---------------------------------------------------------------------------------------------


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
def test_who_reads(client_for, url, target, comment, who, status):
    client = client_for(who)

    listed, one = client.get(url(target)), client.get(url(target, comment))

    assert (listed.status_code, one.status_code) == (status, status)
    if status == 200:
        assert listed.json()["results"] == [one.json()]


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("other", 403),
        ("enrolled", 201),
        ("teacher", 201),
        ("moderator", 201),
        ("admin", 201),
    ],
)
def test_who_writes(client_for, url, target, who, status):
    answer = client_for(who).post(url(target), {"text": "New"})

    assert answer.status_code == status
    assert Comment.objects.count() == (status == 201)


def test_a_comment(client_for, url, target, targets, enrolled):
    shown = client_for("enrolled").post(url(target), {"text": "  Отлично!  "}).json()

    assert shown["text"] == "Отлично!"
    assert shown["author"]["id"] == str(enrolled.pk)
    assert {name: shown[name] for name in TARGETS} == {
        name: str(targets[name].pk) if name == target else None for name in TARGETS
    }


@pytest.mark.parametrize("target", ["lesson", "assignment"])
def test_authors_show_no_more_than_their_public_profile(client_for, url, target, comment):
    shown = client_for("teacher").get(url(target, comment)).json()

    assert set(shown["author"]) == {"id", "username", "first_name", "avatar", "role"}


@pytest.mark.parametrize(
    ("name", "read", "written"), [("lesson", 200, 201), ("assignment", 200, 201), ("submission", 404, 404)]
)
def test_what_another_student_sees(client_for, course, sign_in_as, url, name, read, written):
    second = sign_in_as(EnrollmentFactory(course=course).user)

    assert second.get(url(name)).status_code == read
    assert second.post(url(name), {"text": "New"}).status_code == written
    assert Comment.objects.count() == (written == 201)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_student_reaches_no_comment_on_a_submission(client_for, course, sign_in_as, url, submission, method):
    said = CommentFactory(submission=submission, text="Said")
    second = sign_in_as(EnrollmentFactory(course=course).user)

    answer = getattr(second, method)(url("submission", said), {"text": "New"})

    assert answer.status_code == 404
    assert Comment.objects.get().text == "Said"


def test_comments_stay_when_the_work_is_handed_in_again(client_for, url, submission):
    CommentFactory(submission=submission)
    client = client_for("enrolled")

    client.put(url("submission").removesuffix("comments/"), {"text": "Second"})

    assert client.get(url("submission")).json()["count"] == 1


def test_a_preview_is_open_to_comments(client_for, course, url):
    preview = course.lessons.get(order=1)

    assert client_for("student").post(url("lesson", lesson=preview.pk), {"text": "New"}).status_code == 201
    assert client_for("anonymous").get(url("lesson", lesson=preview.pk)).status_code == 401


def test_a_lesson_bought_alone_is_open_to_comments(client_for, student, lesson, url):
    LessonAccessFactory(user=student, lesson=lesson)

    assert client_for("student").post(url("lesson"), {"text": "New"}).status_code == 201


@pytest.mark.parametrize(("price", "code"), [("0.00", "not_enrolled"), ("10.00", "payment_required")])
def test_whoever_is_not_in_the_course_is_told_what_to_do(client_for, url, target, price, code):
    Course.objects.update(price=price)

    answer = client_for("student").post(url(target), {"text": "New"})

    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("name", ["lesson", "assignment"])
def test_a_sequential_course_asks_for_the_lesson_before(client_for, course, enrolled, url, name):
    Course.objects.update(sequential=True)
    client = client_for("enrolled")

    before = client.post(url(name), {"text": "New"})
    LessonCompletionFactory(
        enrollment=enrolled.enrollments.get(), lesson=course.lessons.get(order=1), completed_at=timezone.now()
    )
    after = client.post(url(name), {"text": "New"})

    assert (before.status_code, before.json()["code"]) == (403, "previous_lesson_required")
    assert after.status_code == 201


def test_a_lesson_put_before_ends_no_talk_about_what_was_handed_in(client_for, course, url):
    Course.objects.update(sequential=True)

    assert client_for("enrolled").post(url("submission"), {"text": "New"}).status_code == 201


@pytest.mark.parametrize(
    ("name", "method", "status"),
    [
        ("lesson", "get", 403),
        ("assignment", "get", 403),
        ("submission", "get", 200),
        ("lesson", "patch", 403),
        ("assignment", "patch", 403),
        ("submission", "patch", 403),
        ("submission", "delete", 403),
    ],
)
def test_access_that_has_run_out(client_for, url, targets, enrolled, name, method, status):
    said = CommentFactory(author=enrolled, text="Said", **{name: targets[name]})
    Enrollment.objects.update(status="expired")

    answer = getattr(client_for("enrolled"), method)(url(name, said), {"text": "New"})

    assert (answer.status_code, answer.json().get("code")) == (status, "access_expired" if status == 403 else None)
    assert Comment.objects.get().text == "Said"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_draft_is_hidden_with_all_that_is_in_it(client_for, url, target, method):
    Course.objects.update(status="draft")

    assert getattr(client_for("other"), method)(url(target), {"text": "New"}).status_code == 404


# --- Changing and deleting -------------------------------------------------------------------------------------------

CHANGERS = [
    ("anonymous", 401),
    ("student", 403),
    ("other", 403),
    ("teacher", 403),
    ("moderator", 403),
    ("enrolled", 200),
    ("admin", 200),
]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(("who", "status"), CHANGERS)
def test_who_changes(client_for, url, target, comment, method, who, status):
    answer = getattr(client_for(who), method)(url(target, comment), {"text": "New"})

    assert answer.status_code == status
    comment.refresh_from_db()
    assert (comment.text == "New") is (status == 200)


@pytest.mark.parametrize(("who", "status"), CHANGERS)
def test_who_deletes(client_for, url, target, comment, who, status):
    answer = client_for(who).delete(url(target, comment))

    assert answer.status_code == (204 if status == 200 else status)
    assert Comment.objects.exists() is (status != 200)


def test_a_change_by_an_admin_leaves_the_author(client_for, url, target, comment, enrolled):
    client_for("admin").patch(url(target, comment), {"text": "…"})

    comment.refresh_from_db()
    assert (comment.author, comment.text) == (enrolled, "…")


@pytest.mark.parametrize("kind", ["json", "multipart"])
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_what_nobody_writes(client_for, url, target, targets, comment, admin, method, kind):
    forced = {
        "id": UNKNOWN,
        "author": str(admin.pk),
        "author_id": str(admin.pk),
        **{name: str(row.pk) for name, row in targets.items()},
        **{f"{name}_id": str(row.pk) for name, row in targets.items()},
        "created_at": "2000-01-01T00:00:00Z",
        "updated_at": "2000-01-01T00:00:00Z",
    }
    address = url(target) if method == "post" else url(target, comment)

    answer = getattr(client_for("enrolled"), method)(address, {"text": "New", **forced}, format=kind)

    assert answer.status_code == (201 if method == "post" else 200), answer.json()
    written = Comment.objects.get(text="New")
    assert str(written.pk) != UNKNOWN
    assert written.author.email == "enrolled@test.io"
    assert written.target == targets[target]
    assert [name for name in TARGETS if getattr(written, name)] == [target]
    assert min(written.created_at, written.updated_at).year > 2000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"text": ""}, "blank"),
        ({"text": " \n\t "}, "blank"),
        ({"text": None}, "null"),
        ({"text": "x" * 5001}, "max_length"),
        ({"text": "a\x00b"}, "null_characters_not_allowed"),
        ({"text": []}, "invalid"),
        ({"text": {}}, "invalid"),
        ({"text": True}, "invalid"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("method", ["post", "put"])
def test_texts_that_are_refused(client_for, url, submission, enrolled, method, body, code):
    said = CommentFactory(author=enrolled, text="Said", submission=submission)
    address = url("submission") if method == "post" else url("submission", said)

    answer = getattr(client_for("enrolled"), method)(address, body)

    assert codes(answer) == {("text", code)}
    assert Comment.objects.get().text == "Said"


@pytest.mark.parametrize("text", ["x", "x" * 5000, "ё" * 5000, "<script>alert(1)</script>", "🎓"])
def test_texts_that_are_taken(client_for, url, text):
    answer = client_for("enrolled").post(url("submission"), {"text": text})

    assert (answer.status_code, answer.json()["text"]) == (201, text)


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "{", ""])
def test_wrong_bodies_are_refused(client_for, url, body):
    answer = client_for("enrolled").post(url("submission"), body, content_type="application/json")

    assert answer.status_code == 400
    assert not Comment.objects.exists()


# --- The path --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("lesson", "course"),
        ("assignment", "course"),
        ("assignment", "lesson"),
        ("submission", "course"),
        ("submission", "lesson"),
        ("submission", "assignment"),
    ],
)
def test_comments_are_under_their_own_parents_alone(client_for, teacher, url, course, lesson, name, parent, method):
    another = {
        "course": lambda: CourseFactory(owner=teacher),
        "lesson": lambda: course.lessons.get(order=3),
        "assignment": lambda: AssignmentFactory(lesson=lesson),
    }

    answer = getattr(client_for("teacher"), method)(url(name, **{parent: another[parent]().pk}), {"text": "New"})

    assert answer.status_code == 404
    assert not Comment.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_comment_is_under_its_own_target_alone(client_for, url, lesson, submission, target, comment, method):
    another = {
        "lesson": {"lesson": lesson.course.lessons.get(order=3).pk},
        "assignment": {"assignment": AssignmentFactory(lesson=lesson).pk},
        "submission": {"submission": SubmissionFactory(assignment=submission.assignment).pk},
    }
    elsewhere = [url(target, comment, **another[target]), *(url(name, comment) for name in TARGETS if name != target)]

    statuses = {getattr(client_for("admin"), method)(address, {"text": "New"}).status_code for address in elsewhere}

    assert statuses == {404}
    assert Comment.objects.get().text == "Said"


@pytest.mark.parametrize("value", ["1", "x", "%00", "0" * 32, UNKNOWN, UNKNOWN + "0"])
def test_what_is_no_id_is_404(client_for, url, target, value):
    places = ("course", "lesson", "assignment", "submission")[: 2 + TARGETS.index(target)]
    client = client_for("admin")

    statuses = {client.get(url(target, **{place: value})).status_code for place in places}
    statuses |= {client.get(url(target, value)).status_code, client.delete(url(target, value)).status_code}

    assert statuses == {404}


# --- Lists -----------------------------------------------------------------------------------------------------------


def test_a_list_goes_from_the_first_to_the_last(client_for, url, target, targets):
    for text in ("a", "b", "c"):
        CommentFactory(text=text, **{target: targets[target]})

    assert [line["text"] for line in client_for("enrolled").get(url(target)).json()["results"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("params", "error"),
    [({"author": UNKNOWN}, ("author", "unknown_filter")), ({"ordering": "text"}, ("ordering", "unknown_ordering"))],
    ids=str,
)
def test_parameters_that_are_refused(client_for, url, target, params, error):
    assert codes(client_for("enrolled").get(url(target), params)) == {error}


@pytest.mark.parametrize("rows", [1, 100])
def test_queries(client_for, url, target, targets, course, django_assert_num_queries, rows):
    people = [EnrollmentFactory(course=course).user for _ in range(min(rows, 10))]
    Comment.objects.bulk_create(
        Comment(author=people[number % len(people)], text="x", **{target: targets[target]}) for number in range(rows)
    )
    client = client_for("enrolled")

    # the caller; what it is about, with all that is above it; the gate, twice; the page with its count and authors
    with django_assert_num_queries(5):
        answer = client.get(url(target), {"page_size": 100})

    assert (answer.json()["count"], len(answer.json()["results"])) == (rows, rows)


# --- Telling the student ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_comment_on_a_submission_is_told(client_for, url, submission, enrolled, language):
    User.objects.filter(pk=enrolled.pk).update(language=language)

    client_for("teacher").post(url("submission"), {"text": "Nearly"}, headers={"accept-language": "en"})

    told = Notification.objects.get()
    with translation.override(language):
        subject = gettext("A comment on your work “%(title)s”") % {"title": "Map"}
    assert (told.recipient, told.kind, told.subject, told.message) == (enrolled, "comment_added", subject, "Nearly")
    assert told.url.endswith(f"/submissions/{submission.pk}")


def test_a_letter_goes_out(client_for, url, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client_for("teacher").post(url("submission"), {"text": "Nearly"})

    assert Notification.objects.get().email_status == "pending"
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("who", "name", "told"),
    [
        ("enrolled", "submission", 0),
        ("teacher", "submission", 1),
        ("moderator", "submission", 1),
        ("admin", "submission", 1),
        ("teacher", "assignment", 0),
        ("teacher", "lesson", 0),
    ],
)
def test_whom_a_comment_is_told(client_for, url, who, name, told):
    client_for(who).post(url(name), {"text": "New"})

    assert Notification.objects.count() == told


def test_every_comment_is_told(client_for, url):
    for _ in range(2):
        client_for("teacher").post(url("submission"), {"text": "Same"})

    assert Notification.objects.count() == 2


def test_a_change_is_told_to_nobody(client_for, url, submission, teacher):
    said = CommentFactory(author=teacher, submission=submission)

    client_for("teacher").patch(url("submission", said), {"text": "New"})

    assert not Notification.objects.exists()


def test_what_is_refused_is_told_to_nobody(client_for, url):
    client_for("teacher").post(url("submission"), {"text": ""})

    assert not Notification.objects.exists()
