"""What teachers read of a course: students, gradebook, analytics."""

import csv
import io
import random
from collections import defaultdict
from decimal import Decimal

import pytest
from django.utils import timezone

from assignments.models import Answer, Assignment, Attempt, Choice, Question, Quiz, Submission
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    QuizFactory,
    SubmissionFactory,
    SubmissionVersionFactory,
)
from materials.models import Course, Enrollment, Lesson, LessonCompletion
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonCompletionFactory, LessonFactory
from users.models import User
from users.services import anonymise_user
from users.tests.factories import UserFactory

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
REPORTS = ["students", "gradebook", "gradebook/?format=csv", "analytics"]


@pytest.fixture
def client(client_for):
    return client_for("teacher")


@pytest.fixture
def lessons(course):
    return list(course.lessons.order_by("order"))


def report(client, course, name, **params):
    path = name if "?" in name else f"{name}/"
    return client.get(f"/api/courses/{course.pk}/{path}", params)


def students(client, course, **params):
    response = report(client, course, "students", **params)
    assert response.status_code == 200, response.json()
    return response.json()["results"]


def gradebook(client, course, **params):
    response = report(client, course, "gradebook", **params)
    assert response.status_code == 200, response.json()
    return response.json()


def sheet(client, course, **headers):
    """The CSV as a spreadsheet reads it: a list of lists."""
    response = client.get(f"/api/courses/{course.pk}/gradebook/", {"format": "csv"}, **headers)
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(response).decode("utf-8-sig"), newline="")))


def analytics(client, course):
    response = report(client, course, "analytics")
    assert response.status_code == 200, response.json()
    return response.json()


def every(client, path, **params):
    """All results of a list, over all its pages."""
    found, page = [], f"{path}?page_size=100"
    while page:
        answer = client.get(page, params).json()
        found += answer["results"]
        page = answer["next"]
    return found


def done(enrollment, *lessons):
    for lesson in lessons:
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())


# --- Who may read them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
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
def test_who_may_read_a_report(client_for, course, enrolled, name, who, status):
    assert report(client_for(who), course, name).status_code == status


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(("who", "status"), [("student", 404), ("other", 404), ("teacher", 200)])
def test_reports_of_a_draft(client_for, course, name, who, status):
    Course.objects.update(status="draft")

    assert report(client_for(who), course, name).status_code == status


@pytest.mark.parametrize("name", REPORTS)
def test_reports_of_no_course(client_for, admin, name):
    path = name if "?" in name else f"{name}/"

    assert client_for("admin").get(f"/api/courses/{UNKNOWN}/{path}").status_code == 404


@pytest.mark.parametrize("name", REPORTS)
def test_no_report_tells_where_a_student_is_found(client, course, enrolled, name):
    """Names and email are the teacher's to see; the rest is nobody's."""
    User.objects.filter(pk=enrolled.pk).update(city="Secret", phone="+7 900 000-00-00")

    response = report(client, course, name)

    text = (b"".join(response) if response.streaming else response.content).decode()
    for secret in ("Secret", "+7 900"):
        assert secret not in text


# --- Students --------------------------------------------------------------------------------------------------------


def test_a_student(client, course, enrolled, lessons):
    done(Enrollment.objects.get(), lessons[0])

    (line,) = students(client, course)

    assert line["student"] == {
        "id": str(enrolled.pk),
        "username": None,
        "first_name": enrolled.first_name,
        "last_name": enrolled.last_name,
        "email": "enrolled@test.io",
        "avatar": None,
        "role": "student",
    }
    assert (line["source"], line["status"], line["progress"]["percent"]) == ("payment", "active", 33)


@pytest.mark.parametrize("status", ["active", "completed", "expired", "revoked"])
def test_past_students_are_listed_and_revoked_ones_are_not(client, course, enrolled, status):
    Enrollment.objects.update(status=status, completed_at=timezone.now() if status == "completed" else None)

    found = [line["status"] for line in students(client, course)]

    assert found == ([] if status == "revoked" else [status])
    assert gradebook(client, course)["count"] == len(found)


def test_the_status_is_that_of_this_moment(client, course, enrolled):
    Enrollment.objects.update(expires_at="2020-01-01T00:00Z")

    assert students(client, course)[0]["status"] == "expired"


def test_students_of_other_courses_are_theirs(client, course, teacher):
    EnrollmentFactory(course=CourseFactory(owner=teacher))

    assert students(client, course) == []


def test_whoever_has_left_the_cabinet_still_is_a_student(client, course, enrolled):
    Enrollment.objects.update(removed_at=timezone.now())

    assert len(students(client, course)) == 1


@pytest.mark.parametrize("name", ["students", "gradebook"])
def test_pages_of_students(client, course, name):
    people = [EnrollmentFactory(course=course).user for _ in range(5)]

    pages = [report(client, course, name, page_size=2, page=page).json() for page in (1, 2, 3)]

    found = [line["student"]["id"] for page in pages for line in page["results"]]
    assert found == [str(person.pk) for person in reversed(people)]
    assert [page["count"] for page in pages] == [5, 5, 5]
    assert [bool(page["next"]) for page in pages] == [True, True, False]


@pytest.mark.parametrize("name", ["students", "gradebook"])
@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"page": 2}, 404),
        ({"page": 0}, 400),
        ({"page_size": "x"}, 400),
        ({"student": "a"}, 400),
        ({"ordering": "email"}, 400),
        ({"format": "xml"}, 400),
    ],
)
def test_what_the_lists_do_not_know(client, course, enrolled, name, params, status):
    if name == "students" and "format" in params:
        status = 404  # as everywhere: a format that there is not

    assert report(client, course, name, **params).status_code == status


def test_students_in_another_order(client, course):
    people = [EnrollmentFactory(course=course).user for _ in range(3)]

    found = students(client, course, ordering="created_at")

    assert [line["student"]["id"] for line in found] == [str(person.pk) for person in people]


# --- The gradebook ---------------------------------------------------------------------------------------------------


def test_an_empty_gradebook(client, course):
    assert gradebook(client, course) == {
        "count": 0, "next": None, "previous": None, "items": [], "max_total": 0, "results": []
    }  # fmt: skip


def test_the_columns_stand_in_the_order_of_the_course(client, course, lessons):
    QuizFactory(course=course, title="Final", is_final=True)
    AssignmentFactory(lesson=lessons[2], title="Essay", max_score=30)
    AssignmentFactory(lesson=lessons[0], title="Map")
    QuizFactory(course=course, title="Warm-up", lesson=lessons[0])
    AssignmentFactory(lesson=lessons[0], title="Drawing", max_score=5)
    AssignmentFactory()
    QuizFactory()

    book = gradebook(client, course)

    assert [(item["kind"], item["title"], item["max_score"]) for item in book["items"]] == [
        ("assignment", "Map", 100),
        ("assignment", "Drawing", 5),
        ("assignment", "Essay", 30),
        ("quiz", "Warm-up", 100),
        ("quiz", "Final", 100),
    ]
    assert book["max_total"] == 335


def test_scores_of_a_student(client, course, enrolled, lessons):
    graded = SubmissionFactory(assignment__lesson=lessons[0], student=enrolled, graded=True, score=Decimal("64.50"))
    quiz = AttemptFactory(quiz__course=course, student=enrolled, score=Decimal("66.67")).quiz
    nothing = AssignmentFactory(lesson=lessons[1])

    (row,) = gradebook(client, course)["results"]

    assert row["student"]["id"] == str(enrolled.pk)
    assert row["scores"] == {str(graded.assignment_id): 64.5, str(quiz.pk): 66.67, str(nothing.pk): None}
    assert row["total"] == 131.17


def test_a_zero_is_a_score(client, course, enrolled, lessons):
    submission = SubmissionFactory(assignment__lesson=lessons[0], student=enrolled, graded=True, score=0)

    assert gradebook(client, course)["results"][0]["scores"] == {str(submission.assignment_id): 0}


@pytest.mark.parametrize(
    "version",
    [{}, {"status": "returned", "raw_score": 9, "score": 9}],
)
def test_only_final_grades_count(client, course, enrolled, lessons, version):
    submission = SubmissionFactory(assignment__lesson=lessons[0], student=enrolled, **version)

    (row,) = gradebook(client, course)["results"]

    assert (row["scores"], row["total"]) == ({str(submission.assignment_id): None}, 0)


def test_the_best_attempt_counts(client, course, enrolled):
    quiz = QuizFactory(course=course, questions=False)
    for number, score in enumerate((40, 90, 70), 1):
        AttemptFactory(quiz=quiz, student=enrolled, number=number, score=score)
    AttemptFactory(quiz=quiz, student=enrolled, number=4, state="in_progress", submitted_at=None, score=100)

    assert gradebook(client, course)["results"][0]["scores"] == {str(quiz.pk): 90}


def test_scores_are_nobody_elses(client, course, enrolled, lessons):
    stranger = SubmissionFactory(assignment__lesson=lessons[0], graded=True)
    neighbour = EnrollmentFactory(course=course).user
    SubmissionFactory(assignment=stranger.assignment, student=neighbour, graded=True, score=7)

    totals = {row["student"]["id"]: row["total"] for row in gradebook(client, course)["results"]}

    assert totals == {str(enrolled.pk): 0, str(neighbour.pk): 7}


def test_who_has_left_the_platform_has_no_name_in_it(client, course, enrolled):
    anonymise_user(enrolled)

    (row,) = gradebook(client, course)["results"]

    assert row["student"]["first_name"] == ""
    assert sheet(client, course)[1][0] == ""


# --- The gradebook as a file -----------------------------------------------------------------------------------------


def test_the_file(client, course, enrolled):
    response = client.get(f"/api/courses/{course.pk}/gradebook/", {"format": "csv"})

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="gradebook-{course.pk}.csv"'
    assert b"".join(response).startswith(b"\xef\xbb\xbf")  # by which Excel knows the alphabet


def test_the_lines_of_the_file(client, course, enrolled, lessons):
    User.objects.filter(pk=enrolled.pk).update(first_name="Илья", last_name="Морозов")
    submission = SubmissionFactory(
        assignment__lesson=lessons[0], assignment__title="Карта", student=enrolled, graded=True, score=Decimal("64.50")
    )
    QuizFactory(course=course, title="Final")
    assert submission.score

    assert sheet(client, course, HTTP_ACCEPT_LANGUAGE="en") == [
        ["First name", "Last name", "Email", "Id", "Карта", "Final", "Total", "Out of"],
        ["Илья", "Морозов", "enrolled@test.io", str(enrolled.pk), "64.50", "", "64.50", "200"],
    ]


def test_lines_end_as_excel_ends_them(client, course, enrolled):
    response = client.get(f"/api/courses/{course.pk}/gradebook/", {"format": "csv"})

    text = b"".join(response)
    assert text.count(b"\r\n") == text.count(b"\n") == 2


def test_the_file_speaks_the_callers_language(client, course, enrolled):
    heads = [sheet(client, course, HTTP_ACCEPT_LANGUAGE=language)[0][0] for language in ("ru", "en")]

    assert heads == ["Имя", "First name"]


def test_the_file_holds_everybody_in_the_order_of_names(client, course):
    for name, last_name in (("Анна", "Б"), ("Вера", "А"), ("Борис", "А")):
        EnrollmentFactory(course=course, user__first_name=name, user__last_name=last_name)
    EnrollmentFactory.create_batch(22, course=course, user__first_name="А", user__last_name="Я", user__password="")

    names = [row[0] for row in sheet(client, course)[1:]]

    assert names == ["Борис", "Вера", "Анна", *["А"] * 22]


def test_whoever_has_no_name_goes_by_the_handle(client, course, enrolled):
    User.objects.filter(pk=enrolled.pk).update(first_name="", username="ada")

    assert sheet(client, course)[1][0] == "ada"


@pytest.mark.parametrize("text", ['a,b;"c"', "two\nlines", "tab\tinside", "'quoted'", "  spaces  ", "100 %", "a-b=c"])
def test_any_text_comes_out_as_it_went_in(client, course, enrolled, lessons, text):
    AssignmentFactory(lesson=lessons[0], title=text)
    User.objects.filter(pk=enrolled.pk).update(first_name=text)

    head, line = sheet(client, course)

    assert (head[4], line[0]) == (text, text)


FORMULAS = ["=1+1", "+7", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0@x", "|x", "%x", "\tx", "\rx"]
FULL_WIDTH = ["＝1+1", "＋1", "－1", "＠x"]


@pytest.mark.parametrize("text", FORMULAS + FULL_WIDTH)
def test_no_text_is_a_formula(client, course, enrolled, lessons, text):
    AssignmentFactory(lesson=lessons[0], title=text)
    User.objects.filter(pk=enrolled.pk).update(first_name=text)

    head, line = sheet(client, course)

    assert (head[4][0], line[0][0]) == ("'", "'")


@pytest.mark.parametrize("text", ["x;=1+1", "x; =1+1", 'x";"=1+1', "x\t@SUM(A1)", "x\r\n-1"])
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_no_text_is_a_formula_where_columns_are_separated_otherwise(client, course, enrolled, text, separator):
    """Excel takes the separator that its country has."""
    User.objects.filter(pk=enrolled.pk).update(first_name=text)
    response = client.get(f"/api/courses/{course.pk}/gradebook/", {"format": "csv"})

    written = b"".join(response).decode("utf-8-sig")

    cells = [cell for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator) for cell in row]
    assert not any(cell.strip(' "\t').startswith(("=", "+", "-", "@")) for cell in cells)


# --- Everything adds up ----------------------------------------------------------------------------------------------


@pytest.fixture
def world(course, lessons):
    """A course where much has happened, by chance, though the same each time."""
    chance = random.Random(20261121)
    people = [
        EnrollmentFactory(course=course, user__password="", status=status).user
        for status in ["active"] * 8 + ["expired", "revoked"]
    ]
    assignments = [AssignmentFactory(lesson=chance.choice(lessons), max_score=10 * n) for n in range(1, 6)]
    for assignment in assignments:
        for person in chance.sample(people, 6):
            versions = chance.randint(1, 3)
            graded = chance.random() < 0.7
            score = Decimal(chance.randint(0, assignment.max_score * 100)) / 100
            submission = SubmissionFactory(
                assignment=assignment,
                student=person,
                version=versions,
                status="graded" if graded else chance.choice(["submitted", "returned"]),
                raw_score=score if graded else None,
                score=score if graded else None,
            )
            for version in range(1, versions):
                SubmissionVersionFactory(
                    submission=submission, version=version, status="returned", raw_score=score, score=score
                )
    for quiz in [QuizFactory(course=course), QuizFactory(course=course, is_final=True)]:
        questions = list(quiz.questions.order_by("order"))
        for person in chance.sample(people, 7):
            for number in range(1, chance.randint(2, 4)):
                score = Decimal(chance.randint(0, 10_000)) / 100
                attempt = AttemptFactory(quiz=quiz, student=person, number=number, score=score, passed=score >= 60)
                for question in chance.sample(questions, 3):
                    is_right = chance.random() < 0.5
                    points = question.points if is_right else 0
                    Answer.objects.create(attempt=attempt, question=question, is_correct=is_right, points=points)
        AttemptFactory(quiz=quiz, student=people[0], number=9, state="in_progress", submitted_at=None, score=None)
    for enrollment in Enrollment.objects.all():
        done(enrollment, *chance.sample(lessons, chance.randint(0, 3)))
    return people


def raw_scores(client, course):
    """{student: {item: score}}, added up from the endpoints of submissions and attempts."""
    base = f"/api/courses/{course.pk}"
    scores = defaultdict(dict)
    for assignment in Assignment.objects.all():
        path = f"{base}/lessons/{assignment.lesson_id}/assignments/{assignment.pk}/submissions/"
        for line in every(client, path):
            if line["status"] == "graded":
                scores[line["student"]["id"]][str(assignment.pk)] = line["score"]
    for quiz in Quiz.objects.all():
        for line in every(client, f"{base}/quizzes/{quiz.pk}/attempts/"):
            if line["state"] == "submitted":
                mine = scores[line["student"]]
                mine[str(quiz.pk)] = max(mine.get(str(quiz.pk), 0), line["score"])
    return scores


def test_the_gradebook_adds_up(client, course, world):
    expected = raw_scores(client, course)

    rows = gradebook(client, course)["results"]

    assert len(rows) == 9
    for row in rows:
        mine = expected[row["student"]["id"]]
        assert {item: score for item, score in row["scores"].items() if score is not None} == mine
        assert row["total"] == pytest.approx(sum(mine.values()))


def test_the_file_says_what_the_gradebook_says(client, course, world):
    book = gradebook(client, course)

    head, *lines = sheet(client, course)

    assert head[4:-2] == [item["title"] for item in book["items"]]
    rows = {row["student"]["id"]: row for row in book["results"]}
    assert {line[3] for line in lines} == set(rows)
    for _name, _last_name, _email, student, *scores, total, out_of in lines:
        expected = [rows[student]["scores"][item["id"]] for item in book["items"]]
        assert [float(score) if score else None for score in scores] == expected
        assert (float(total), float(out_of)) == (rows[student]["total"], book["max_total"])


def test_the_lists_of_students_add_up(client, course, world):
    expected = {line["student"]["id"]: line["progress"]["completed_lessons"] for line in students(client, course)}

    figures = analytics(client, course)

    assert figures["enrolled"] == len(expected) == 9
    assert figures["started"] == sum(number > 0 for number in expected.values())
    assert sum(lesson["completed"] for lesson in figures["lessons"]) == sum(expected.values())


def test_the_statistics_of_quizzes_add_up(client, course, world):
    for quiz in analytics(client, course)["quizzes"]:
        attempts = every(client, f"/api/courses/{course.pk}/quizzes/{quiz['id']}/attempts/", state="submitted")
        scores = [attempt["score"] for attempt in attempts]
        assert quiz["attempts"] == len(attempts)
        assert quiz["students"] == len({attempt["student"] for attempt in attempts})
        assert quiz["passed"] == sum(attempt["passed"] for attempt in attempts)
        assert quiz["average_score"] == pytest.approx(sum(scores) / len(scores), abs=0.01)


def test_the_statistics_of_questions_add_up(client, course, world):
    for quiz in analytics(client, course)["quizzes"]:
        answers = defaultdict(list)
        path = f"/api/courses/{course.pk}/quizzes/{quiz['id']}/attempts/"
        for attempt in Attempt.objects.submitted().filter(quiz=quiz["id"]):
            for answer in attempt.answers.all():
                answers[str(answer.question_id)].append(answer)
        assert client.get(path).json()["count"] > 0
        assert {question["id"] for question in quiz["questions"]} == set(answers)
        for question in quiz["questions"]:
            given = answers[question["id"]]
            assert question["answered"] == len(given)
            assert question["correct"] == sum(answer.is_correct for answer in given)
            expected = float(sum(answer.points for answer in given)) / len(given)
            assert question["average_points"] == pytest.approx(expected, abs=0.01)


# --- Analytics -------------------------------------------------------------------------------------------------------


def test_analytics_of_an_empty_course(client, teacher):
    course = CourseFactory(owner=teacher)

    assert analytics(client, course) == {"enrolled": 0, "started": 0, "completed": 0, "lessons": [], "quizzes": []}


def test_where_students_stop(client, course, lessons):
    first, second, third = lessons
    people = [EnrollmentFactory(course=course) for _ in range(6)]
    done(people[0], first, second, third)
    done(people[1], first, second)
    done(people[2], first)
    done(people[3], first)
    done(people[4], second, third)  # came in at the side
    Enrollment.objects.filter(pk=people[0].pk).update(status="completed", completed_at=timezone.now())
    revoked = EnrollmentFactory(course=course, status="revoked")
    done(revoked, first)

    figures = analytics(client, course)

    assert (figures["enrolled"], figures["started"], figures["completed"]) == (6, 5, 1)
    assert [(line["title"], line["completed"], line["drop_off"]) for line in figures["lessons"]] == [
        ("Hello", 4, 2),
        ("Variables", 3, 2),
        ("Loops", 2, 1),
    ]


def test_a_lesson_that_was_only_looked_at_is_not_started(client, course, enrolled, lessons):
    LessonCompletionFactory(enrollment=Enrollment.objects.get(), lesson=lessons[0], position_seconds=9)

    figures = analytics(client, course)

    assert (figures["started"], figures["lessons"][0]["completed"]) == (0, 0)


def test_lessons_in_the_order_of_the_course(client, course):
    Lesson.objects.filter(order=1).update(order=9)

    assert [line["title"] for line in analytics(client, course)["lessons"]] == ["Variables", "Loops", "Hello"]


def test_statistics_of_a_quiz(client, course, enrolled):
    quiz = QuizFactory(course=course, title="Final", is_final=True, questions=False)
    one = Question.objects.create(quiz=quiz, kind="text", text="One?", order=1, accepted_answers=["1"])
    two = Question.objects.create(quiz=quiz, kind="text", text="Two?", order=0, points=2, accepted_answers=["2"])
    for number, (score, right) in enumerate(((100, True), (50, False), (30, False)), 1):
        attempt = AttemptFactory(quiz=quiz, student=enrolled, number=number, score=score, passed=score > 60)
        Answer.objects.create(attempt=attempt, question=one, is_correct=right, points=int(right))
    Answer.objects.create(attempt=attempt, question=two, is_correct=False, points=1)
    unfinished = AttemptFactory(quiz=quiz, number=1, state="in_progress", submitted_at=None, score=None, passed=None)
    Answer.objects.create(attempt=unfinished, question=one)

    (figures,) = analytics(client, course)["quizzes"]

    assert figures == {
        "id": str(quiz.pk),
        "title": "Final",
        "is_final": True,
        "attempts": 3,
        "students": 1,
        "passed": 1,
        "average_score": 60,
        "questions": [
            {"id": str(two.pk), "text": "Two?", "points": 2, "answered": 1, "correct": 0, "average_points": 1},
            {"id": str(one.pk), "text": "One?", "points": 1, "answered": 3, "correct": 1, "average_points": 0.33},
        ],
    }


def test_a_quiz_that_nobody_took(client, course):
    QuizFactory(course=course)

    (figures,) = analytics(client, course)["quizzes"]

    assert (figures["attempts"], figures["average_score"], figures["questions"]) == (0, None, [])


def test_answers_given_over_http_are_counted(client, client_for, course, enrolled):
    quiz = QuizFactory(course=course)
    student = client_for("enrolled")
    path = f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/"
    attempt = student.post(path).json()
    single = quiz.questions.get(kind="single")
    wrong = Choice.objects.filter(question=single, is_correct=False).first()
    answers = [{"question": str(single.pk), "choices": [str(wrong.pk)]}]

    student.post(f"{path}{attempt['id']}/submit/", {"answers": answers})

    (figures,) = analytics(client, course)["quizzes"]
    assert [(line["text"], line["answered"], line["correct"]) for line in figures["questions"]] == [("One?", 1, 0)]


# --- Queries ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(course, lessons):
    """`crowd(100)`: so many students, each with grades, attempts and lessons."""

    def make(number):
        people = User.objects.bulk_create(User(email=f"{n}@test.io", password="x") for n in range(number))
        entered = Enrollment.objects.bulk_create(
            Enrollment(user=person, course=course, source="free") for person in people
        )
        assignments = [AssignmentFactory(lesson=lesson) for lesson in lessons]
        quiz = QuizFactory(course=course, is_final=True)
        Submission.objects.bulk_create(
            Submission(assignment=each, student=person, text="x", status="graded", raw_score=1, score=1)
            for each in assignments
            for person in people
        )
        now = timezone.now()
        Attempt.objects.bulk_create(
            Attempt(quiz=quiz, student=person, number=1, state="submitted", submitted_at=now, score=50, passed=False)
            for person in people
        )
        LessonCompletion.objects.bulk_create(
            LessonCompletion(enrollment=each, lesson=lessons[0], completed_at=now) for each in entered
        )

    return make


@pytest.mark.parametrize("number", [1, 100])
@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("students", 4),  # the user, the course, the page with its count, the progress
        ("gradebook", 5),  # the user, the course, the page with its count, the columns, the scores
        ("analytics", 7),  # the user, the course; people, completions, lessons; quizzes, answers
    ],
)
def test_queries_of_reports(client, course, crowd, name, queries, number, django_assert_max_num_queries):
    crowd(number)

    with django_assert_max_num_queries(queries):
        response = report(client, course, name, page_size=100) if name != "analytics" else report(client, course, name)

    assert len(response.json().get("results", range(number))) == number


@pytest.mark.parametrize("number", [1, 100])
def test_queries_of_the_file(client, course, crowd, number, django_assert_max_num_queries):
    crowd(number)

    with django_assert_max_num_queries(5):  # the user, the course, the columns, the students, the scores
        lines = sheet(client, course)

    assert len(lines) == number + 1
    assert {line[-2] for line in lines[1:]} == {"53.00"}


def test_one_person_in_two_courses(client, course, enrolled, lessons, teacher):
    other = LessonFactory(course__owner=teacher)
    EnrollmentFactory(user=enrolled, course=other.course)
    SubmissionFactory(assignment__lesson=other, student=enrolled, graded=True)
    AttemptFactory(quiz__course=other.course, student=enrolled)

    (row,) = gradebook(client, course)["results"]

    assert (row["scores"], row["total"]) == ({}, 0)


def test_the_teachers_own_attempts_are_no_students(client, course, teacher, lessons):
    AttemptFactory(quiz__course=course, student=teacher)
    SubmissionFactory(assignment__lesson=lessons[0], student=UserFactory(), graded=True)

    assert gradebook(client, course)["results"] == []
    assert len(sheet(client, course)) == 1
