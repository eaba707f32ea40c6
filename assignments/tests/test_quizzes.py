"""Quizzes as their authors write them, and who may see which: /api/courses/{id}/quizzes/."""

import copy
from datetime import timedelta

import pytest
from django.utils import timezone

from assignments.models import Attempt, Choice, Question, Quiz
from assignments.tests.factories import AttemptFactory, QuizFactory
from assignments.views import quizzes as views
from conftest import CAST
from materials.models import Course, Enrollment, Lesson
from materials.tests.factories import (
    CourseFactory,
    LessonAccessFactory,
    LessonCompletionFactory,
    LessonFactory,
)

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
RIGHT, WRONG = {"text": "right", "is_correct": True}, {"text": "wrong", "is_correct": False}
SINGLE = {"kind": "single", "text": "Which?", "choices": [RIGHT, WRONG]}
MULTIPLE = {"kind": "multiple", "text": "Which of them?", "choices": [RIGHT, WRONG, RIGHT]}
TEXT = {"kind": "text", "text": "Who?", "accepted_answers": ["Sirius"]}
NUMBER = {"kind": "number", "text": "How many?", "correct_number": 8, "tolerance": 0.5}
RULES = {
    "title": "Stars",
    "description": "All of them",
    "is_final": True,
    "passing_score": 75.5,
    "allowed_attempts": 3,
    "time_limit_minutes": 30,
    "shuffle": True,
    "show_correct_answers": True,
}
JUNK = [None, True, 7, -7, 1.5, 10**30, "", " ", "x", "1e400", "NaN", "Infinity", "\x00", "x" * 20_000, [], {}, [1],
        [None], [[]], [{}], {"id": 1}]  # fmt: skip


def url(course, quiz=None):
    return f"/api/courses/{course.pk}/quizzes/" + (f"{quiz.pk}/" if quiz else "")


def with_questions(*questions, **rules):
    return {"title": "Stars", **rules, "questions": list(questions)}


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def rows():
    """All that a quiz is made of."""
    return [list(model.objects.order_by("pk").values()) for model in (Quiz, Question, Choice)]


def texts(quiz):
    """The questions that a new attempt would ask."""
    return list(quiz.questions.current().values_list("text", flat=True))


@pytest.fixture
def teacher_client(client_for, course):
    client = client_for("teacher")
    client.raise_request_exception = False
    return client


@pytest.fixture
def quiz(course):
    return QuizFactory(course=course, title="Old")


@pytest.fixture
def lesson(course):
    """A closed one."""
    return course.lessons.get(order=2)


# --- Writing one -----------------------------------------------------------------------------------------------------


def test_a_quiz_with_everything(teacher_client, course, lesson):
    body = with_questions(SINGLE, MULTIPLE, TEXT, NUMBER, **RULES, lesson=str(lesson.pk))

    answer = teacher_client.post(url(course), body)

    assert answer.status_code == 201, answer.json()
    quiz = answer.json()
    assert {name: quiz[name] for name in RULES} == RULES
    assert (quiz["course"], quiz["lesson"], quiz["question_count"]) == (str(course.pk), str(lesson.pk), 4)
    assert quiz == teacher_client.get(url(course, Quiz.objects.get())).json()


@pytest.mark.parametrize("question", [SINGLE, MULTIPLE, TEXT, NUMBER], ids=lambda question: question["kind"])
def test_a_question_comes_back_as_it_was_written(teacher_client, course, question):
    whole = {**question, "points": 2.5, "order": 4, "explanation": "Because"}
    defaults = {"choices": [], "accepted_answers": [], "exact": False, "correct_number": None, "tolerance": 0}

    (written,) = teacher_client.post(url(course), with_questions(whole)).json()["questions"]

    for one in (written, *written["choices"]):
        one.pop("id")
    choices = [{**choice, "order": number} for number, choice in enumerate(whole.get("choices", []))]
    assert written == {**defaults, **whole, "choices": choices}


def test_a_question_says_that_its_answer_is_exact(teacher_client, course):
    (written,) = teacher_client.post(url(course), with_questions({**TEXT, "exact": True})).json()["questions"]

    assert written["exact"] is True


def test_authors_write_numbers_as_students_do(teacher_client, course):
    question = {**NUMBER, "correct_number": "−1 234,5", "tolerance": "0,25", "points": "2,5"}

    (written,) = teacher_client.post(url(course), with_questions(question)).json()["questions"]

    assert [written[name] for name in ("correct_number", "tolerance", "points")] == [-1234.5, 0.25, 2.5]


def test_what_a_quiz_is_unless_it_says_otherwise(teacher_client, course):
    quiz = teacher_client.post(url(course), {"title": "Stars"}).json()

    assert {name: quiz[name] for name in (*RULES, "lesson", "questions")} == {
        "title": "Stars", "description": "", "is_final": False, "passing_score": 60, "allowed_attempts": None,
        "time_limit_minutes": None, "shuffle": False, "show_correct_answers": False, "lesson": None, "questions": [],
    }  # fmt: skip


def test_a_question_is_worth_a_point_unless_it_says_otherwise(teacher_client, course):
    (question,) = teacher_client.post(url(course), with_questions(TEXT)).json()["questions"]

    assert (question["points"], question["order"], question["explanation"]) == (1, 0, "")


def test_questions_and_choices_stand_as_they_were_sent(teacher_client, course):
    choices = [{"text": name, "is_correct": name == "c"} for name in "dcba"]
    body = with_questions({**SINGLE, "text": "b", "choices": choices}, {**TEXT, "text": "a"})

    first, second = teacher_client.post(url(course), body).json()["questions"]

    assert (first["text"], second["text"]) == ("b", "a")
    assert [choice["text"] for choice in first["choices"]] == ["d", "c", "b", "a"]


def test_questions_and_choices_stand_by_their_order(teacher_client, course):
    choices = [{**RIGHT, "order": 5}, {**WRONG, "order": 1}]
    body = with_questions({**TEXT, "order": 9}, {**SINGLE, "order": 2, "choices": choices})

    first, second = teacher_client.post(url(course), body).json()["questions"]

    assert (first["kind"], second["kind"]) == ("single", "text")
    assert [choice["text"] for choice in first["choices"]] == ["wrong", "right"]


def test_choices_are_wrong_unless_they_say_otherwise(teacher_client, course):
    body = with_questions({**SINGLE, "choices": [RIGHT, {"text": "wrong"}]})

    (question,) = teacher_client.post(url(course), body).json()["questions"]

    assert [choice["is_correct"] for choice in question["choices"]] == [True, False]


@pytest.mark.parametrize("value", ["1e2", "100", 0, 100, 33.33, "0.01"])
def test_percents_to_pass_that_are_taken(teacher_client, course, value):
    answer = teacher_client.post(url(course), {"title": "Stars", "passing_score": value})

    assert (answer.status_code, answer.json()["passing_score"]) == (201, float(value))


def test_a_form_makes_a_quiz_without_questions(teacher_client, course):
    answer = teacher_client.post(url(course), {"title": "Stars", "allowed_attempts": "2"}, format="multipart")

    assert (answer.status_code, answer.json()["allowed_attempts"]) == (201, 2)


# --- Bad bodies ------------------------------------------------------------------------------------------------------


def changed(question, **changes):
    return {name: value for name, value in {**question, **changes}.items() if value is not ...}


BAD_QUESTIONS = [
    ("no choices", changed(SINGLE, choices=...), "choices", "too_few"),
    ("no choices of several", changed(MULTIPLE, choices=...), "choices", "too_few"),
    ("one choice", changed(SINGLE, choices=[RIGHT]), "choices", "too_few"),
    ("empty choices", changed(MULTIPLE, choices=[]), "choices", "too_few"),
    ("nothing right", changed(SINGLE, choices=[WRONG, WRONG]), "choices", "correct_choices"),
    ("nothing right of several", changed(MULTIPLE, choices=[WRONG, WRONG]), "choices", "correct_choices"),
    ("two right ones", changed(SINGLE, choices=[RIGHT, WRONG, RIGHT]), "choices", "correct_choices"),
    ("51 choices", changed(SINGLE, choices=[RIGHT] + [WRONG] * 50), "choices", "max_length"),
    ("choices of a text", changed(TEXT, choices=[RIGHT, WRONG]), "choices", "not_allowed"),
    ("choices of a number", changed(NUMBER, choices=[RIGHT, WRONG]), "choices", "not_allowed"),
    ("a choice with no text", changed(SINGLE, choices=[RIGHT, {}]), "choices.1.text", "required"),
    ("a choice that says nothing", changed(SINGLE, choices=[RIGHT, {"text": " "}]), "choices.1.text", "blank"),
    ("a long choice", changed(SINGLE, choices=[RIGHT, {"text": "x" * 1001}]), "choices.1.text", "max_length"),
    ("maybe right", changed(SINGLE, choices=[{**RIGHT, "is_correct": "?"}, WRONG]), "choices.0.is_correct", "invalid"),
    ("no accepted answers", changed(TEXT, accepted_answers=...), "accepted_answers", "required"),
    ("empty accepted answers", changed(TEXT, accepted_answers=[]), "accepted_answers", "required"),
    ("a blank accepted answer", changed(TEXT, accepted_answers=["a", " "]), "accepted_answers.1", "blank"),
    ("a long accepted answer", changed(TEXT, accepted_answers=["x" * 1001]), "accepted_answers.0", "max_length"),
    ("no right number", changed(NUMBER, correct_number=...), "correct_number", "required"),
    ("null for the right number", changed(NUMBER, correct_number=None), "correct_number", "required"),
    ("a huge right number", changed(NUMBER, correct_number=10**12), "correct_number", "max_whole_digits"),
    ("a negative tolerance", changed(NUMBER, tolerance=-0.1), "tolerance", "min_value"),
    ("points 0", changed(TEXT, points=0), "points", "min_value"),
    ("points below 0", changed(TEXT, points=-1), "points", "min_value"),
    ("points above 1000", changed(TEXT, points=1000.01), "points", "max_value"),
    ("huge points", changed(TEXT, points=10**30), "points", "max_digits"),
    ("points in a thousandth", changed(TEXT, points=0.005), "points", "max_decimal_places"),
    ("a negative order", changed(TEXT, order=-1), "order", "min_value"),
    ("a huge order", changed(TEXT, order=10**9), "order", "max_value"),
    ("no kind", changed(TEXT, kind=...), "kind", "required"),
    ("an unknown kind", changed(TEXT, kind="essay"), "kind", "invalid_choice"),
    ("no text", changed(TEXT, text=...), "text", "required"),
    ("a blank text", changed(TEXT, text=" "), "text", "blank"),
    ("a long text", changed(TEXT, text="x" * 5001), "text", "max_length"),
    ("a long explanation", changed(TEXT, explanation="x" * 5001), "explanation", "max_length"),
]  # fmt: skip
BAD_RULES = [
    ("no title", {"title": ...}, "title", "required"),
    ("a blank title", {"title": " "}, "title", "blank"),
    ("a long title", {"title": "x" * 201}, "title", "max_length"),
    ("a long description", {"description": "x" * 10_001}, "description", "max_length"),
    ("101 percent to pass", {"passing_score": 101}, "passing_score", "max_value"),
    ("-1 percent to pass", {"passing_score": -1}, "passing_score", "min_value"),
    ("no percent to pass", {"passing_score": None}, "passing_score", "null"),
    ("0 attempts", {"allowed_attempts": 0}, "allowed_attempts", "min_value"),
    ("-1 attempts", {"allowed_attempts": -1}, "allowed_attempts", "min_value"),
    ("too many attempts", {"allowed_attempts": 1001}, "allowed_attempts", "max_value"),
    ("0 minutes", {"time_limit_minutes": 0}, "time_limit_minutes", "min_value"),
    ("more than a week", {"time_limit_minutes": 10_081}, "time_limit_minutes", "max_value"),
    ("perhaps final", {"is_final": "perhaps"}, "is_final", "invalid"),
    ("no lesson's id", {"lesson": "1"}, "lesson", "invalid"),
    ("an unknown lesson", {"lesson": UNKNOWN}, "lesson", "does_not_exist"),
    ("no list of questions", {"questions": None}, "questions", "null"),
    ("201 questions", {"questions": [TEXT] * 201}, "questions", "max_length"),
]


def bad_bodies():
    for name, question, attr, code in BAD_QUESTIONS:
        yield pytest.param(with_questions(SINGLE, question), f"questions.1.{attr}", code, id=name)
    for name, changes, attr, code in BAD_RULES:
        yield pytest.param(changed(with_questions(TEXT), **changes), attr, code, id=name)


BAD_BODIES = list(bad_bodies())


def named(attr):
    """A list that is wrong as a whole is named with a suffix."""
    return attr.removesuffix(".non_field_errors")


@pytest.mark.parametrize(("body", "attr", "code"), BAD_BODIES)
def test_a_bad_body_names_what_is_wrong(teacher_client, course, body, attr, code):
    found = codes(teacher_client.post(url(course), body))

    assert {(named(name), why) for name, why in found} == {(attr, code)}
    assert not Quiz.objects.exists()


@pytest.mark.parametrize(("body", "attr", "code"), [case for case in BAD_BODIES if case.id != "no title"])
def test_a_bad_change_changes_nothing(teacher_client, course, quiz, body, attr, code):
    before = rows()

    found = codes(teacher_client.patch(url(course, quiz), body))

    assert {(named(name), why) for name, why in found} == {(attr, code)}
    assert rows() == before


def test_a_lesson_of_another_course(teacher_client, course, teacher):
    lesson = LessonFactory(course=CourseFactory(owner=teacher))

    answer = teacher_client.post(url(course), {"title": "Stars", "lesson": str(lesson.pk)})

    assert codes(answer) == {("lesson", "does_not_exist")}


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_second_final_quiz(teacher_client, course, quiz, method):
    QuizFactory(course=course, is_final=True, questions=False)
    address = url(course) if method == "post" else url(course, quiz)

    answer = getattr(teacher_client, method)(address, {"title": "Stars", "is_final": True})

    assert codes(answer) == {("is_final", "unique")}
    assert list(Quiz.objects.filter(is_final=True).values_list("title", flat=True)) != ["Stars"]


def test_another_course_has_a_final_quiz_of_its_own(teacher_client, course, teacher):
    QuizFactory(course=CourseFactory(owner=teacher), is_final=True, questions=False)

    assert teacher_client.post(url(course), {"title": "Stars", "is_final": True}).status_code == 201


def test_the_final_quiz_stays_the_final_one(teacher_client, course):
    final = QuizFactory(course=course, is_final=True, questions=False)

    assert teacher_client.put(url(course, final), {"title": "Stars", "is_final": True}).status_code == 200


def places():
    """Where something of a wrong type may stand: a path into the body."""
    body = with_questions(SINGLE, TEXT, NUMBER, **RULES, lesson=UNKNOWN)
    yield ()
    for name in body:
        yield (name,)
    for number, question in enumerate(body["questions"]):
        yield ("questions", number)
        for name in (*question, "points", "order", "explanation"):
            yield ("questions", number, name)
    yield ("questions", 0, "choices", 0)
    for name in ("text", "is_correct", "order"):
        yield ("questions", 0, "choices", 0, name)
    yield ("questions", 1, "accepted_answers", 0)


@pytest.mark.parametrize("path", list(places()), ids=lambda path: ".".join(map(str, path)) or "body")
def test_nothing_of_a_wrong_type_breaks_it(teacher_client, course, path):
    name = ".".join(map(str, path))
    for junk in JUNK:
        body = junk
        if path:
            body = copy.deepcopy(with_questions(SINGLE, TEXT, NUMBER, title="Stars"))
            *way, last = path
            place = body
            for step in way:
                place = place[step]
            place[last] = junk
        answer = teacher_client.post(url(course), body)
        assert answer.status_code in {201, 400}, (junk, answer.content)
        if answer.status_code == 400 and path:
            attrs = {named(error["attr"]) for error in answer.json()["errors"]}
            # Of choices none of which is right, the whole is named.
            assert all(attr.startswith(name) or name.startswith(attr) for attr in attrs), (junk, attrs)


@pytest.mark.parametrize("question", [{"text": "?"}, {"kind": "single", "choices": [{}, {}]}, {"kind": "text"}, {}])
def test_a_question_is_whole_in_a_patch_too(teacher_client, course, quiz, question):
    answer = teacher_client.patch(url(course, quiz), {"questions": [question]})

    assert {code for _attr, code in codes(answer)} == {"required"}
    assert len(texts(quiz)) == 4


# --- Changing one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["put", "patch"])
def test_new_questions_replace_the_old_ones(teacher_client, course, quiz, method):
    answer = getattr(teacher_client, method)(url(course, quiz), with_questions(TEXT, NUMBER))

    assert [question["text"] for question in answer.json()["questions"]] == ["Who?", "How many?"]
    assert (answer.json()["question_count"], texts(quiz)) == (2, ["Who?", "How many?"])


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_without_questions_keeps_them(teacher_client, course, quiz, method):
    before = texts(quiz)

    answer = getattr(teacher_client, method)(url(course, quiz), {"title": "New"})

    assert (answer.json()["title"], answer.json()["question_count"]) == ("New", 4)
    assert texts(quiz) == before


def test_questions_may_all_be_taken_out(teacher_client, course, quiz):
    answer = teacher_client.put(url(course, quiz), with_questions())

    assert (answer.json()["questions"], answer.json()["question_count"]) == ([], 0)


@pytest.mark.parametrize("state", ["submitted", "in_progress"])
def test_attempts_made_before_keep_their_questions(teacher_client, client_for, course, enrolled, quiz, state):
    student = client_for("enrolled")
    attempt = student.post(f"{url(course, quiz)}attempts/").json()
    address = f"{url(course, quiz)}attempts/{attempt['id']}/"
    if state == "submitted":
        attempt = student.post(f"{address}submit/").json()

    teacher_client.put(url(course, quiz), with_questions(TEXT))

    assert student.get(address).json() == attempt


def test_questions_that_nobody_was_asked_do_not_pile_up(teacher_client, course, quiz):
    counts = []
    for _ in range(10):
        teacher_client.patch(url(course, quiz), with_questions(SINGLE, TEXT))
        counts.append((Question.objects.count(), Choice.objects.count()))

    assert counts == [(2, 2)] * 10


def test_replaced_questions_go_with_the_last_attempt_that_asked_them(
    teacher_client, client_for, course, enrolled, quiz
):
    asked = Question.objects.count()
    attempt = client_for("enrolled").post(f"{url(course, quiz)}attempts/").json()
    for _ in range(2):
        teacher_client.patch(url(course, quiz), with_questions(TEXT))
    kept = Question.objects.count()

    Attempt.objects.filter(pk=attempt["id"]).delete()
    teacher_client.patch(url(course, quiz), with_questions(TEXT))

    assert (kept, Question.objects.count()) == (asked + 1, 1)


def test_a_patch_changes_what_it_names_alone(teacher_client, course, quiz):
    before = teacher_client.get(url(course, quiz)).json()

    after = teacher_client.patch(url(course, quiz), {"passing_score": 10}).json()

    assert {name for name in after if after[name] != before[name]} == {"passing_score", "updated_at"}


@pytest.mark.parametrize("name", ["lesson", "allowed_attempts", "time_limit_minutes"])
def test_limits_can_be_taken_back(teacher_client, course, quiz, lesson, name):
    Quiz.objects.update(lesson=lesson, allowed_attempts=1, time_limit_minutes=1)

    assert teacher_client.patch(url(course, quiz), {name: None}).json()[name] is None


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_what_nobody_writes_is_ignored(teacher_client, course, other, quiz, method):
    elsewhere = CourseFactory(owner=other)
    forced = {
        "id": UNKNOWN, "course": str(elsewhere.pk), "question_count": 99, "attempts_used": 9, "best_score": 100,
        "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z", "owner": str(other.pk),
    }  # fmt: skip
    mine = {
        "id": UNKNOWN, "quiz": UNKNOWN, "replaced_at": "2001-01-01T00:00:00Z",
        "choices": [{**RIGHT, "id": UNKNOWN, "question": UNKNOWN}, WRONG],
    }  # fmt: skip
    address = url(course) if method == "post" else url(course, quiz)

    answer = getattr(teacher_client, method)(address, {**with_questions({**SINGLE, **mine}), **forced}).json()

    assert answer["course"] == str(course.pk)
    assert {name for name, value in forced.items() if answer.get(name) == value} == set()
    assert (answer["question_count"], answer["attempts_used"], answer["best_score"]) == (1, 0, None)
    (question,) = answer["questions"]
    assert UNKNOWN not in {question["id"], *(choice["id"] for choice in question["choices"])}


def test_a_quiz_that_is_final_no_more_lets_whoever_waited_complete(teacher_client, course, quiz, monkeypatch):
    asked = []
    monkeypatch.setattr(views, "look_for_completed", asked.append)
    Quiz.objects.update(is_final=True)

    teacher_client.patch(url(course, quiz), {"title": "New"})
    teacher_client.patch(url(course, quiz), {"is_final": False})
    teacher_client.patch(url(course, quiz), {"is_final": False})

    assert asked == [course.pk]


# --- Deleting one ----------------------------------------------------------------------------------------------------


def test_deleting_a_quiz(teacher_client, course, quiz):
    assert teacher_client.delete(url(course, quiz)).status_code == 204
    assert rows() == [[], [], []]


@pytest.mark.parametrize("state", ["submitted", "in_progress"])
def test_a_quiz_that_was_taken_is_not_deleted(teacher_client, course, quiz, state):
    ended = {} if state == "submitted" else {"submitted_at": None, "score": None, "passed": None}
    AttemptFactory(quiz=quiz, state=state, **ended)

    answer = teacher_client.delete(url(course, quiz))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert Quiz.objects.exists()


# --- Who may ---------------------------------------------------------------------------------------------------------

ACCESS = [
    #                 anon stud enro teac othe mode admi
    ("get", False, (401, 403, 200, 200, 403, 200, 200)),
    ("get", True, (401, 403, 200, 200, 403, 200, 200)),
    ("post", False, (401, 403, 403, 201, 403, 403, 201)),
    ("put", True, (401, 403, 403, 200, 403, 200, 200)),
    ("patch", True, (401, 403, 403, 200, 403, 200, 200)),
    ("delete", True, (401, 403, 403, 204, 403, 403, 204)),
]


@pytest.mark.parametrize(
    ("method", "one", "who", "status"),
    [(method, one, who, status) for method, one, line in ACCESS for who, status in zip(CAST, line, strict=True)],
)
def test_who_may_do_what(client_for, course, enrolled, quiz, method, one, who, status):
    before = rows()

    body = None if method == "get" else {"title": "New"}
    answer = getattr(client_for(who), method)(url(course, quiz if one else None), body)

    assert answer.status_code == status
    assert (rows() != before) is (status < 300 and method != "get")


@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("student", 404), ("other", 404), ("teacher", 200)])
@pytest.mark.parametrize("one", [False, True])
def test_quizzes_of_a_draft(client_for, course, quiz, who, status, one):
    Course.objects.update(status="draft")

    assert client_for(who).get(url(course, quiz if one else None)).status_code == status


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_quiz_is_not_under_another_course(teacher_client, teacher, quiz, method):
    elsewhere = CourseFactory(owner=teacher)

    assert getattr(teacher_client, method)(url(elsewhere, quiz), {}).status_code == 404
    assert Quiz.objects.get().title == "Old"


@pytest.mark.parametrize(
    "path", [f"{UNKNOWN}/", "1/", "x/", "%00/", f"{UNKNOWN}x/", "{course}/", "0193a6c27b1e7c3d9f006a1b2c3d4e5f/"]
)
def test_addresses_of_no_quiz(teacher_client, course, path):
    assert teacher_client.get(url(course) + path.format(course=course.pk)).status_code == 404


@pytest.mark.parametrize("course_id", [UNKNOWN, "1", "x"])
def test_addresses_of_no_course(teacher_client, quiz, course_id):
    assert teacher_client.get(f"/api/courses/{course_id}/quizzes/{quiz.pk}/").status_code == 404
    assert teacher_client.post(f"/api/courses/{course_id}/quizzes/", {"title": "New"}).status_code == 404


def test_ids_are_taken_in_upper_case(teacher_client, course, quiz):
    answer = teacher_client.get(f"/api/courses/{str(course.pk).upper()}/quizzes/{str(quiz.pk).upper()}/")

    assert answer.json()["id"] == str(quiz.pk)


# --- What is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "sees"), [("enrolled", False), ("teacher", True), ("moderator", True), ("admin", True)]
)
def test_only_who_manages_the_course_sees_questions(client_for, course, enrolled, quiz, who, sees):
    client = client_for(who)

    assert ("questions" in client.get(url(course, quiz)).json()) is sees
    assert "questions" not in client.get(url(course)).json()["results"][0]


def test_a_quiz_tells_of_ones_own_attempts_alone(client_for, course, enrolled, quiz):
    AttemptFactory(quiz=quiz, student=enrolled, number=1, score=40, passed=False)
    AttemptFactory(quiz=quiz, student=enrolled, number=2, score="66.67")
    AttemptFactory(quiz=quiz, student=enrolled, number=3, score=50)
    AttemptFactory(quiz=quiz, score=100)

    client = client_for("enrolled")
    one = client.get(url(course, quiz)).json()

    assert client.get(url(course)).json()["results"] == [one]
    assert (one["attempts_used"], one["best_score"]) == (3, 66.67)


def test_an_open_attempt_counts_and_has_no_score(client_for, course, enrolled, quiz):
    AttemptFactory(quiz=quiz, student=enrolled, state="in_progress", submitted_at=None, score=None, passed=None)

    one = client_for("enrolled").get(url(course, quiz)).json()

    assert (one["attempts_used"], one["best_score"]) == (1, None)


def test_replaced_questions_are_not_counted(client_for, course, enrolled, quiz):
    Question.objects.filter(kind="text").update(replaced_at=timezone.now())

    assert client_for("enrolled").get(url(course)).json()["results"][0]["question_count"] == 3


def test_quizzes_stand_as_they_were_made(teacher_client, course):
    made = [str(QuizFactory(course=course, questions=False).pk) for _ in range(3)]

    assert [line["id"] for line in teacher_client.get(url(course)).json()["results"]] == made


@pytest.mark.parametrize("query", ["?title=x", "?ordering=title", "?lesson__title=x", "?page=0", "?page_size=x"])
def test_what_the_list_does_not_know(teacher_client, course, query):
    assert teacher_client.get(url(course) + query).status_code == 400


@pytest.mark.parametrize("who", ["enrolled", "teacher"])
@pytest.mark.parametrize("count", [1, 100])
def test_queries_of_the_list(client_for, course, lesson, enrolled, django_assert_num_queries, who, count):
    quizzes = Quiz.objects.bulk_create(
        Quiz(course=course, lesson=lesson if number % 2 else None, title="Stars") for number in range(count)
    )
    Question.objects.bulk_create(Question(quiz=quiz, kind="text", text="?") for quiz in quizzes)
    AttemptFactory(quiz=quizzes[0], student=enrolled)
    client = client_for(who)

    # the user, the course, the enrollment of who does not manage it, the page with its count
    with django_assert_num_queries(4 if who == "enrolled" else 3):
        answer = client.get(url(course), {"page_size": 100})

    assert len(answer.json()["results"]) == count


# --- The gate --------------------------------------------------------------------------------------------------------


@pytest.fixture
def enrollment(enrolled):
    return Enrollment.objects.get(user=enrolled)


def refusal(client, course, quiz):
    """The code of the refusal to open the quiz, which refuses an attempt, too."""
    opened, started = client.get(url(course, quiz)), client.post(f"{url(course, quiz)}attempts/")
    if opened.status_code == 200:
        assert started.status_code == 201
        return None
    assert (opened.status_code, started.status_code) == (403, 403)
    assert opened.json()["code"] == started.json()["code"]
    assert not Attempt.objects.exists()
    return opened.json()["code"]


@pytest.mark.parametrize("where", ["course", "lesson"])
@pytest.mark.parametrize(("price", "code"), [("0.00", "not_enrolled"), ("10.00", "payment_required")])
def test_whoever_is_not_in_the_course(client_for, student, course, lesson, quiz, where, price, code):
    Course.objects.update(price=price)
    Quiz.objects.update(lesson=lesson if where == "lesson" else None)

    assert refusal(client_for("student"), course, quiz) == code
    assert client_for("student").get(url(course)).json()["code"] == code


@pytest.mark.parametrize("where", ["course", "lesson"])
@pytest.mark.parametrize(
    ("status", "days", "code"),
    [
        ("active", None, None),
        ("active", 1, None),
        ("completed", None, None),
        ("active", -1, "access_expired"),
        ("completed", -1, "access_expired"),
        ("expired", None, "access_expired"),
        ("revoked", None, "payment_required"),
    ],
)
def test_an_enrollment_in_each_state(client_for, course, lesson, enrollment, quiz, where, status, days, code):
    expires_at = None if days is None else timezone.now() + timedelta(days=days)
    Enrollment.objects.update(status=status, expires_at=expires_at)
    Quiz.objects.update(lesson=lesson if where == "lesson" else None)

    assert refusal(client_for("enrolled"), course, quiz) == code
    assert client_for("enrolled").get(url(course)).json().get("code") == code


@pytest.mark.parametrize(
    ("place", "completed", "code"),
    [
        (1, [], None),  # a preview
        (2, [1], None),
        (2, [], "previous_lesson_required"),
        (3, [1], "previous_lesson_required"),
        (3, [1, 2], None),
        (None, [], "previous_lesson_required"),
        (None, [1, 2], "previous_lesson_required"),
        (None, [1, 2, 3], None),
    ],
)
def test_the_order_of_a_sequential_course(client_for, course, enrollment, quiz, place, completed, code):
    Course.objects.update(sequential=True)
    Quiz.objects.update(lesson=course.lessons.get(order=place) if place else None)
    for lesson in course.lessons.filter(order__in=completed):
        LessonCompletionFactory(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())

    assert refusal(client_for("enrolled"), course, quiz) == code


def test_a_quiz_of_the_course_comes_at_any_time_in_a_course_without_order(client_for, course, enrolled, quiz):
    assert refusal(client_for("enrolled"), course, quiz) is None


def test_the_list_of_a_sequential_course_is_open(client_for, course, enrolled, quiz):
    Course.objects.update(sequential=True)

    assert client_for("enrolled").get(url(course)).json()["count"] == 1


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_the_order_is_not_for_those_who_manage_it(client_for, course, quiz, who):
    Course.objects.update(sequential=True)

    assert client_for(who).get(url(course, quiz)).status_code == 200


@pytest.mark.parametrize(
    ("where", "code"), [("bought", None), ("another", "payment_required"), ("course", "payment_required")]
)
def test_a_lesson_bought_by_itself_opens_its_quizzes(client_for, student, course, lesson, quiz, where, code):
    LessonAccessFactory(user=student, lesson=lesson)
    homes = {"bought": lesson, "another": course.lessons.get(order=3), "course": None}
    Quiz.objects.update(lesson=homes[where])

    assert refusal(client_for("student"), course, quiz) == code


def test_a_quiz_of_a_preview_is_open_to_look_at_alone(client_for, student, course, quiz):
    Quiz.objects.update(lesson=Lesson.objects.get(is_preview=True))
    client = client_for("student")

    assert client.get(url(course, quiz)).status_code == 200
    assert client.post(f"{url(course, quiz)}attempts/").json()["code"] == "payment_required"
