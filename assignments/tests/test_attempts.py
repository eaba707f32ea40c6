"""Taking a quiz: its attempts, what is saved, how it is scored and when time is up."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
import time_machine
from django.utils import timezone

from assignments import tasks
from assignments.models import Answer, Attempt, Choice, Question, Quiz
from assignments.tests.factories import AttemptFactory, QuizFactory, right_answers
from conftest import CAST
from materials.models import Course, Enrollment
from materials.tests.factories import CourseFactory, EnrollmentFactory, LessonAccessFactory
from users.tests.factories import UserFactory

UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
IN_PROGRESS = {"state": "in_progress", "submitted_at": None, "points": None, "score": None, "passed": None}
JUNK = [None, True, 7, -7, 1.5, 10**30, "", " ", "x", "1e400", "NaN", "Infinity", "\x00", "x" * 20_000, [], {}, [1],
        [None], [[]], [{}], {"id": 1}]  # fmt: skip


@pytest.fixture
def quiz(course):
    return QuizFactory(course=course, title="Stars")


@pytest.fixture
def url(course, quiz):
    return f"/api/courses/{course.pk}/quizzes/{quiz.pk}/attempts/"


@pytest.fixture
def client(client_for, enrolled):
    """The student's."""
    client = client_for("enrolled")
    client.raise_request_exception = False
    return client


@pytest.fixture
def attempt(client, url):
    """The student's open one."""
    return client.post(url).json()


@pytest.fixture
def one(url, attempt):
    """Its address."""
    return f"{url}{attempt['id']}/"


@pytest.fixture
def asked(quiz):
    """The questions by their kind; `choices` holds the ids of their choices in the author's order."""
    found = {question.kind: question for question in quiz.questions.prefetch_related("choices")}
    choices = {kind: [str(choice.pk) for choice in question.choices.all()] for kind, question in found.items()}
    return SimpleNamespace(**{kind: str(question.pk) for kind, question in found.items()}, choices=choices)


def given(asked, **answers):
    """A body of answers by kind: choices by their places, a text, a number."""
    body = []
    for kind, value in answers.items():
        if kind in {"single", "multiple"}:
            answer = {"choices": [asked.choices[kind][place] for place in value]}
        else:
            answer = {kind: value}
        body.append({"question": getattr(asked, kind), **answer})
    return {"answers": body}


def saved(attempt):
    """{kind: what was answered} of an attempt, in an answer of the API."""
    kinds = {question["id"]: question["kind"] for question in attempt["questions"]}
    lines = {kinds[answer["question"]]: answer for answer in attempt["answers"]}
    return {kind: answer["choices"] or answer["text"] or answer["number"] for kind, answer in lines.items()}


def rows():
    return list(Attempt.objects.order_by("pk").values()), list(Answer.objects.order_by("pk").values())


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return True


def codes(answer):
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def end_time(**ago):
    """Time was up so long ago."""
    Attempt.objects.update(expires_at=timezone.now() - timedelta(**ago or {"minutes": 1}))


# --- Starting --------------------------------------------------------------------------------------------------------


def test_starting(client, url, quiz, enrolled):
    answer = client.post(url)

    assert answer.status_code == 201, answer.json()
    attempt = answer.json()
    assert {name: attempt[name] for name in (*IN_PROGRESS, "quiz", "student", "number", "max_points", "answers")} == {
        **IN_PROGRESS, "quiz": str(quiz.pk), "student": str(enrolled.pk), "number": 1, "max_points": 5, "answers": [],
    }  # fmt: skip


def test_a_new_attempt_asks_the_questions(client, url, asked):
    questions = client.post(url).json()["questions"]

    assert [(question["kind"], question["text"], question["points"]) for question in questions] == [
        ("single", "One?", 1), ("multiple", "Several?", 2), ("text", "Name?", 1), ("number", "How many?", 1)
    ]  # fmt: skip
    assert [choice["id"] for choice in questions[0]["choices"]] == asked.choices["single"]
    assert [choice["text"] for choice in questions[0]["choices"]] == [f"Choice {number}" for number in range(4)]
    assert {frozenset(question) for question in questions} == {frozenset({"id", "kind", "text", "points", "choices"})}


@pytest.mark.parametrize(("minutes", "lasts"), [(30, timedelta(minutes=30)), (None, None)])
def test_how_long_an_attempt_lasts(client, url, quiz, minutes, lasts):
    Quiz.objects.update(time_limit_minutes=minutes)

    attempt = client.post(url).json()

    started, expires = attempt["started_at"], attempt["expires_at"]
    assert (expires and datetime.fromisoformat(expires) - datetime.fromisoformat(started)) == lasts


def test_an_open_attempt_is_given_back(client, url, attempt):
    again = client.post(url)

    assert (again.status_code, again.json()) == (200, attempt)
    assert Attempt.objects.count() == 1


def test_an_open_attempt_is_given_back_when_it_was_the_last_one_allowed(client, url, attempt):
    Quiz.objects.update(allowed_attempts=1)

    assert client.post(url).status_code == 200


def test_an_open_attempt_is_given_back_with_its_answers(client, url, one, asked):
    client.put(f"{one}answers/", given(asked, text="Vega"))

    assert saved(client.post(url).json()) == {"text": "Vega"}


@pytest.mark.parametrize("allowed", [1, 2])
def test_beyond_the_allowed_attempts(client, url, quiz, enrolled, allowed):
    Quiz.objects.update(allowed_attempts=allowed)
    for number in range(1, allowed + 1):
        AttemptFactory(quiz=quiz, student=enrolled, number=number)

    assert refused(client.post(url), 403, "attempts_exhausted")
    assert Attempt.objects.count() == allowed


def test_attempts_of_others_and_at_other_quizzes_are_not_counted(client, url, quiz, enrolled):
    Quiz.objects.update(allowed_attempts=1)
    AttemptFactory(quiz=quiz)
    AttemptFactory(quiz=QuizFactory(course=quiz.course), student=enrolled)

    assert client.post(url).json()["number"] == 1


def test_attempts_without_end(client, url, quiz, enrolled):
    for number in range(1, 6):
        AttemptFactory(quiz=quiz, student=enrolled, number=number)

    assert client.post(url).json()["number"] == 6


def test_a_quiz_without_questions(client, url):
    Question.objects.update(replaced_at=timezone.now())

    assert refused(client.post(url), 409, "no_questions")
    assert not Attempt.objects.exists()


def test_an_attempt_means_what_it_meant_when_the_quiz_changes(client_for, client, one, course, quiz, asked):
    key = {"kind": "text", "text": "New?", "accepted_answers": ["x"]}
    client_for("teacher").put(
        f"/api/courses/{course.pk}/quizzes/{quiz.pk}/", {"title": "New", "questions": [key], "time_limit_minutes": 1}
    )

    result = client.post(f"{one}submit/", given(asked, single=[0], text="Sirius")).json()

    assert (result["points"], result["max_points"], result["expires_at"]) == (2, 5, None)


# --- Saving ----------------------------------------------------------------------------------------------------------


def test_saving_answers(client, one, asked):
    answer = client.put(f"{one}answers/", given(asked, single=[1], multiple=[0, 3], text="Vega", number=2.5))

    assert answer.status_code == 200
    choices = asked.choices
    assert saved(answer.json()) == {
        "single": choices["single"][1:2], "multiple": [choices["multiple"][0], choices["multiple"][3]], "text": "Vega",
        "number": 2.5,
    }  # fmt: skip
    assert {name: answer.json()[name] for name in IN_PROGRESS} == IN_PROGRESS
    assert answer.json() == client.get(one).json()


def test_answers_to_other_questions_stay(client, one, asked):
    client.put(f"{one}answers/", given(asked, text="Vega"))

    assert saved(client.put(f"{one}answers/", given(asked, number=3)).json()) == {"text": "Vega", "number": 3}


def test_a_later_answer_replaces_an_earlier_one(client, one, asked):
    client.put(f"{one}answers/", given(asked, single=[0], text="Vega"))

    answer = client.put(f"{one}answers/", given(asked, single=[2]))

    assert saved(answer.json()) == {"single": [asked.choices["single"][2]], "text": "Vega"}


@pytest.mark.parametrize(
    "nothing",
    [{}, {"choices": []}, {"choices": None}, {"text": ""}, {"text": None}, {"text": "  "}, {"number": None}],
    ids=str,
)
def test_an_answer_can_be_taken_back(client, one, asked, nothing):
    client.put(f"{one}answers/", given(asked, single=[0], multiple=[0, 1], text="Sirius", number=3.5))
    body = {"answers": [{"question": getattr(asked, kind), **nothing} for kind in asked.choices]}

    answer = client.put(f"{one}answers/", body)

    assert set(saved(answer.json()).values()) <= {None, ""}
    assert client.post(f"{one}submit/").json()["points"] == 0


def test_of_two_answers_to_a_question_the_last_one_counts(client, one, asked):
    body = {"answers": [{"question": asked.text, "text": "Vega"}, {"question": asked.text, "text": "Deneb"}]}

    assert saved(client.put(f"{one}answers/", body).json()) == {"text": "Deneb"}


def test_a_choice_named_twice_is_one_choice(client, one, asked):
    answer = client.put(f"{one}answers/", given(asked, single=[0, 0], multiple=[1, 1, 0]))

    assert [len(choices) for choices in saved(answer.json()).values()] == [1, 2]


def test_ids_are_taken_in_upper_case(client, course, quiz, attempt, asked):
    path = [str(part).upper() for part in (course.pk, quiz.pk, attempt["id"])]
    body = {"answers": [{"question": asked.single.upper(), "choices": [asked.choices["single"][0].upper()]}]}

    answer = client.put("/api/courses/{}/quizzes/{}/attempts/{}/answers/".format(*path), body)

    assert saved(answer.json()) == {"single": [asked.choices["single"][0]]}


def test_no_answers_change_nothing(client, one, asked):
    before = client.put(f"{one}answers/", given(asked, text="Vega")).json()

    assert client.put(f"{one}answers/", {"answers": []}).json() == before


@pytest.fixture(params=["answers", "submit"])
def send(request, client, one):
    """Sends answers in both of the ways that there are."""
    if request.param == "answers":
        return lambda body: client.put(f"{one}answers/", body)
    return lambda body: client.post(f"{one}submit/", body)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("a question that is none", "unknown_question"),
        ("a question of another quiz", "unknown_question"),
        ("a question that was replaced", "unknown_question"),
        ("a choice that is none", "unknown_choice"),
        ("a choice of another question", "unknown_choice"),
        ("a choice for a text", "unknown_choice"),
        ("two choices for one", "one_choice"),
    ],
)
def test_answers_that_do_not_fit(client, one, asked, course, quiz, send, wrong, code):
    client.put(f"{one}answers/", given(asked, text="Vega"))
    mine, others = asked.choices["single"], asked.choices["multiple"]
    elsewhere = QuizFactory(course=course).questions.first()
    old = Question.objects.create(quiz=quiz, kind="text", text="?", replaced_at=timezone.now())
    misfit = {
        "a question that is none": {"question": UNKNOWN, "text": "x"},
        "a question of another quiz": {"question": str(elsewhere.pk), "choices": []},
        "a question that was replaced": {"question": str(old.pk), "text": "x"},
        "a choice that is none": {"question": asked.single, "choices": [UNKNOWN]},
        "a choice of another question": {"question": asked.single, "choices": [others[0]]},
        "a choice for a text": {"question": asked.text, "choices": [mine[0]]},
        "two choices for one": {"question": asked.single, "choices": mine[:2]},
    }[wrong]
    before = rows()

    answer = send({"answers": [*given(asked, text="Deneb", multiple=[0])["answers"], misfit]})

    assert codes(answer) == {("answers", code)}
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "attr", "code"),
    [
        ({"answers": None}, "answers", "null"),
        ({"answers": "x"}, "answers.non_field_errors", "not_a_list"),
        ({"answers": {}}, "answers.non_field_errors", "not_a_list"),
        ({"answers": [5]}, "answers.0.non_field_errors", "invalid"),
        ({"answers": [{}]}, "answers.0.question", "required"),
        ({"answers": [{"question": None}]}, "answers.0.question", "null"),
        ({"answers": [{"question": "x"}]}, "answers.0.question", "invalid"),
        ({"answers": [{"question": UNKNOWN, "choices": "x"}]}, "answers.0.choices", "not_a_list"),
        ({"answers": [{"question": UNKNOWN, "choices": ["x"]}]}, "answers.0.choices.0", "invalid"),
        ({"answers": [{"question": UNKNOWN, "choices": [UNKNOWN] * 51}]}, "answers.0.choices", "max_length"),
        ({"answers": [{"question": UNKNOWN, "text": []}]}, "answers.0.text", "invalid"),
        ({"answers": [{"question": UNKNOWN, "text": "x" * 10_001}]}, "answers.0.text", "max_length"),
        ({"answers": [{"question": UNKNOWN, "text": "\x00"}]}, "answers.0.text", "null_characters_not_allowed"),
        ({"answers": [{"question": UNKNOWN, "number": {}}]}, "answers.0.number", "invalid"),
        ({"answers": [{"question": UNKNOWN, "number": True}]}, "answers.0.number", "invalid"),
        ({"answers": [{"question": UNKNOWN}] * 201}, "answers.non_field_errors", "max_length"),
        ([], "non_field_errors", "invalid"),
        ("x", "non_field_errors", "invalid"),
    ],
)
def test_answers_that_are_none(attempt, send, body, attr, code):
    before = rows()

    assert codes(send(body)) == {(attr, code)}
    assert rows() == before


@pytest.mark.parametrize("written", ["3,5", "3.5", " 3,5 ", "\u00a03,\u20095", "٣٫٥", "３．５", "+3,50"])
def test_a_number_is_read_as_people_write_it(send, asked, written):
    answer = send(given(asked, number=written)).json()

    assert (saved(answer), answer["answers"][0]["problem"]) == ({"number": 3.5}, None)


@pytest.mark.parametrize("bad", ["3.5 kg", "1/2", "1,234.5", "NaN", "Infinity", 10**12, 1e300, "9" * 2000, "\x00", "−"])
def test_one_bad_number_costs_no_other_answer(client, one, send, asked, bad):
    """It is reported with its question, kept as it was written, and counts as wrong."""
    answer = send(given(asked, single=[0], number=bad, text="Sirius"))

    assert answer.status_code == 200, answer.content
    lines = {line["question"]: line for line in answer.json()["answers"]}
    assert lines[asked.number] == {
        "question": asked.number, "choices": [], "text": str(bad)[:100].replace("\0", ""), "number": None,
        "problem": "invalid_number" if bad != "\x00" else None,
    }  # fmt: skip
    assert {lines[asked.single]["problem"], lines[asked.text]["problem"]} == {None}
    assert client.post(f"{one}submit/").json()["points"] == 2


def test_a_bad_number_can_be_written_anew(client, one, asked):
    client.put(f"{one}answers/", given(asked, number="3;5"))

    answer = client.put(f"{one}answers/", given(asked, number="3,5")).json()

    assert answer["answers"] == [{"question": asked.number, "choices": [], "text": "", "number": 3.5, "problem": None}]


def test_a_bad_number_beside_the_answer_to_another_kind_is_passed_over(client, one, asked):
    body = {"answers": [{"question": asked.text, "text": "Sirius", "number": "x"}]}

    assert saved(client.put(f"{one}answers/", body).json()) == {"text": "Sirius"}


def test_saving_needs_answers(client, one):
    assert codes(client.put(f"{one}answers/", {})) == {("answers", "required")}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("single", "question"), ("single", "choices"), ("text", "choices"), ("text", "text"), ("number", "number")],
)
def test_no_answer_of_a_wrong_type_breaks_it(client, one, asked, kind, name):
    for junk in JUNK:
        answer = client.put(f"{one}answers/", {"answers": [{"question": getattr(asked, kind), name: junk}]})
        assert answer.status_code in {200, 400}, (junk, answer.content)


@pytest.mark.parametrize("body", ["{}", '{{"answers": {}}}', '{{"answers": [{}]}}'])
def test_no_body_of_a_wrong_type_breaks_it(client, one, body):
    for junk in JUNK:
        for send in (lambda data: client.put(f"{one}answers/", data), lambda data: client.post(f"{one}submit/", data)):
            answer = send(json.loads(body.format(json.dumps(junk))))
            assert answer.status_code in {200, 400, 409}, (junk, answer.content)


# --- Submitting ------------------------------------------------------------------------------------------------------


def test_submitting_what_was_saved(client, one, attempt):
    client.put(f"{one}answers/", right_answers(attempt))

    result = client.post(f"{one}submit/")

    assert result.status_code == 200
    assert {name: result.json()[name] for name in ("state", "points", "max_points", "score", "passed")} == {
        "state": "submitted", "points": 5, "max_points": 5, "score": 100, "passed": True,
    }  # fmt: skip
    assert result.json() == client.get(one).json()


def test_submitting_with_answers(client, one, attempt):
    assert client.post(f"{one}submit/", right_answers(attempt)).json()["score"] == 100


def test_answers_that_come_with_it_are_added_to_what_was_saved(client, one, asked):
    client.put(f"{one}answers/", given(asked, single=[0], text="Vega"))

    result = client.post(f"{one}submit/", given(asked, text="Sirius")).json()

    assert (saved(result)["text"], result["points"]) == ("Sirius", 2)


@pytest.mark.parametrize("body", [None, {}, {"answers": []}])
def test_submitting_nothing(client, one, body):
    result = client.post(f"{one}submit/", body).json()

    assert (result["state"], result["score"], result["passed"], result["answers"]) == ("submitted", 0, False, [])


def test_submitting_by_a_form(client, one):
    assert client.post(f"{one}submit/", {}, format="multipart").json()["state"] == "submitted"


def test_submitting_twice(client, one, asked):
    first = client.post(f"{one}submit/", given(asked, single=[0])).json()
    before = rows()

    again = client.post(f"{one}submit/", given(asked, single=[1], text="Sirius"))

    assert (again.status_code, again.json()) == (200, first)
    assert rows() == before


def test_answers_after_submission(client, one, asked):
    client.post(f"{one}submit/")
    before = rows()

    assert refused(client.put(f"{one}answers/", given(asked, single=[0])), 409, "already_submitted")
    assert rows() == before


# --- The score -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ({"single": [0]}, 1),
        ({"single": [1]}, 0),
        ({"single": []}, 0),
        # (right - wrong) / right of two points
        ({"multiple": [0, 1]}, 2),
        ({"multiple": [1, 0]}, 2),
        ({"multiple": [0]}, 1),
        ({"multiple": [0, 1, 2]}, 1),
        ({"multiple": [0, 2]}, 0),
        ({"multiple": [2]}, 0),
        ({"multiple": [0, 2, 3]}, 0),
        ({"multiple": [0, 1, 2, 3]}, 0),
        ({"multiple": []}, 0),
        # without case and outer spaces
        ({"text": "Sirius"}, 1),
        ({"text": " \t sIRIUS\n"}, 1),
        ({"text": "СИРИУС"}, 1),
        ({"text": "Си\u0306риус"}, 0),
        ({"text": "Ｓｉｒｉｕｓ\u00a0"}, 1),
        ({"text": "Sirius B"}, 0),
        ({"text": "Si rius"}, 0),
        ({"text": "Siriu"}, 0),
        ({"text": ""}, 0),
        # 3.5, give or take 0.1
        ({"number": 3.5}, 1),
        ({"number": "3.5"}, 1),
        ({"number": 3.4}, 1),
        ({"number": 3.6}, 1),
        ({"number": 3.399999}, 0),
        ({"number": 3.600001}, 0),
        ({"number": -3.5}, 0),
        ({"number": 0}, 0),
        ({"number": None}, 0),
        # all together
        ({}, 0),
        ({"single": [0], "multiple": [0], "text": "Sirius", "number": 4}, 3),
        ({"single": [0], "multiple": [2, 3], "text": "Sirius", "number": 3.5}, 3),
    ],
    ids=str,
)
def test_what_an_answer_is_worth(client, one, asked, answers, points):
    result = client.post(f"{one}submit/", given(asked, **answers)).json()

    assert (result["points"], result["score"]) == (points, points * 20)
    assert result["points"] == sum(Answer.objects.values_list("points", flat=True), Decimal(0))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("text", {"number": 3.5}),
        ("number", {"text": "3.5"}),
        ("single", {"text": "Choice 0"}),
        ("multiple", {"text": "Choice 0", "number": 1}),
    ],
)
def test_an_answer_of_another_kind_is_worth_nothing(client, one, asked, kind, answer):
    result = client.post(f"{one}submit/", {"answers": [{"question": getattr(asked, kind), **answer}]})

    assert (result.status_code, result.json()["points"]) == (200, 0)


@pytest.mark.parametrize(
    ("number", "points"), [("0.1", 1), ("0.100001", 0), ("0.099999", 0), (0.30000000000000004 - 0.2, 1)]
)
def test_a_number_without_tolerance_is_exact(client, one, asked, number, points):
    Question.objects.filter(kind="number").update(correct_number=Decimal("0.1"), tolerance=0)

    assert client.post(f"{one}submit/", given(asked, number=number)).json()["points"] == points


def parts(quiz, *shares, points=1):
    """A question of several choices for each (chosen, right): so many of the right ones are going to be chosen.

    Returns the answers.
    """
    quiz.questions.all().delete()
    answers = []
    for chosen, right in shares:
        question = Question.objects.create(quiz=quiz, kind="multiple", text="?", points=points)
        choices = Choice.objects.bulk_create(
            Choice(question=question, text="x", is_correct=place < right) for place in range(right + 1)
        )
        answers.append({"question": str(question.pk), "choices": [str(choice.pk) for choice in choices[:chosen]]})
    return {"answers": answers}


def result_of(client, url, body):
    attempt = client.post(url).json()
    return client.post(f"{url}{attempt['id']}/submit/", body).json()


@pytest.mark.parametrize(
    ("shares", "points", "shown", "score"),
    [
        ([(1, 3)], 1, 0.33, 33.33),
        ([(2, 3)], 1, 0.67, 66.67),
        ([(1, 3)] * 3, 1, 1, 33.33),
        ([(2, 3)] * 3, 1, 2, 66.67),
        ([(1, 1), (0, 1), (0, 1)], 1, 1, 33.33),
        ([(1, 1), (1, 1), (0, 1)], 1, 2, 66.67),
        ([(1, 1)] * 7 + [(0, 1)], 1, 7, 87.5),
        ([(1, 2)], Decimal("0.01"), 0.01, 50),
        ([(1, 6)], 1000, 166.67, 16.67),
        ([(1, 7)] * 7, 1, 1, 14.29),
    ],
    ids=str,
)
def test_how_a_score_is_rounded(client, url, quiz, shares, points, shown, score):
    result = result_of(client, url, parts(quiz, *shares, points=points))

    assert (result["points"], result["score"]) == (shown, score)


@pytest.mark.parametrize(
    ("shares", "limit", "passed"),
    [
        ([(2, 3)], "66.67", False),  # 66.666… is shown as 66.67, and is not
        ([(2, 3)], "66.66", True),
        ([(2, 3)] * 3, "66.67", False),
        ([(1, 3)] * 3, "33.33", True),
        ([(1, 3)] * 3, "33.34", False),
        ([(1, 3)] * 3 + [(0, 1)], "25", True),  # three thirds are one
        ([(1, 6)] * 6, "16.66", True),
        ([(1, 7)] * 7 + [(1, 1)], "25", True),
        ([(1, 2)], "50", True),
        ([(1, 2)], "50.01", False),
        ([(0, 1)], "0", True),
        ([(0, 1)], "0.01", False),
        ([(1, 1)], "100", True),
    ],
    ids=str,
)
def test_what_passes_is_compared_before_rounding(client, url, quiz, shares, limit, passed):
    Quiz.objects.update(passing_score=limit)

    assert result_of(client, url, parts(quiz, *shares))["passed"] is passed


def test_the_best_score_counts(client, url, course, quiz, enrolled):
    for number, score in enumerate((40, 90, 10), 1):
        AttemptFactory(quiz=quiz, student=enrolled, number=number, score=score)

    assert client.get(f"/api/courses/{course.pk}/quizzes/{quiz.pk}/").json()["best_score"] == 90


# --- What is shown afterwards ----------------------------------------------------------------------------------------


def test_right_answers_are_shown_if_the_quiz_shows_them(client, one, asked):
    Quiz.objects.update(show_correct_answers=True)

    single, multiple, text, number = client.post(f"{one}submit/", given(asked, single=[1], number=3.5)).json()[
        "answers"
    ]

    assert (single["choices"], single["is_correct"], single["points"]) == (asked.choices["single"][1:2], False, 0)
    assert (single["correct_choices"], single["explanation"]) == (asked.choices["single"][:1], "Because")
    assert (multiple["choices"], multiple["correct_choices"]) == ([], asked.choices["multiple"][:2])
    assert (text["is_correct"], text["accepted_answers"]) == (False, ["Sirius", "Сириус"])
    assert (number["is_correct"], number["points"], number["correct_number"]) == (True, 1, 3.5)


@pytest.mark.parametrize("who", ["teacher", "moderator", "admin"])
def test_who_manages_the_course_sees_right_answers(client_for, client, one, who):
    client.post(f"{one}submit/")

    assert client_for(who).get(one).json()["answers"][0]["is_correct"] is False


# --- Time ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def overdue(client, one, asked):
    """One point was saved before the time was up."""
    client.put(f"{one}answers/", given(asked, single=[0]))
    end_time(minutes=3)
    return Attempt.objects.get()


def closed():
    """What became of the overdue attempt: its score, and whether it ended when its time was up."""
    attempt = Attempt.objects.get(number=1)
    return attempt.state, attempt.score, attempt.submitted_at == attempt.expires_at


CLOSED = ("submitted", 20, True)


def test_answers_after_the_time(client, one, asked, overdue):
    assert refused(client.put(f"{one}answers/", given(asked, text="Sirius")), 403, "deadline_passed")
    assert saved(client.get(one).json()) == {"single": asked.choices["single"][:1]}


def test_after_the_time_the_saved_answers_count(client, one, asked, overdue):
    result = client.post(f"{one}submit/", given(asked, multiple=[0, 1], text="Sirius"))

    assert (result.status_code, result.json()["points"]) == (200, 1)
    assert closed() == CLOSED


@pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 403), (-1, 403)])
def test_the_very_end_of_the_time(sign_in_as, enrolled, url, quiz, asked, left, status):
    with time_machine.travel("2026-03-02T09:00Z", tick=False):
        client = sign_in_as(enrolled)
        one = f"{url}{client.post(url).json()['id']}/"
        Attempt.objects.update(expires_at=timezone.now() + timedelta(milliseconds=left))

        assert client.put(f"{one}answers/", given(asked, text="Sirius")).status_code == status
        assert client.post(f"{one}submit/").json()["points"] == (status == 200)


def test_an_attempt_submitted_in_time_ends_then(client, one):
    expires_at = timezone.now() + timedelta(hours=1)
    Attempt.objects.update(expires_at=expires_at)

    client.post(f"{one}submit/")

    assert Attempt.objects.get().submitted_at < expires_at


def test_the_task_closes_it(overdue):
    assert tasks.close_expired_attempts() == 1
    assert closed() == CLOSED


def test_the_task_closes_it_once(overdue):
    tasks.close_expired_attempts()
    before = rows()

    assert tasks.close_expired_attempts() == 0
    assert rows() == before


@pytest.mark.parametrize("left", [None, timedelta(hours=1)])
def test_the_task_leaves_open_ones_alone(attempt, left):
    Attempt.objects.update(expires_at=timezone.now() + left if left else None)
    before = rows()

    assert tasks.close_expired_attempts() == 0
    assert rows() == before


def test_the_task_leaves_submitted_ones_alone(client, one):
    client.post(f"{one}submit/")
    end_time()
    before = rows()

    assert tasks.close_expired_attempts() == 0
    assert rows() == before


def test_the_task_issues_what_the_final_quiz_earns(client, one, attempt, enrolled, course):
    Quiz.objects.update(is_final=True)
    client.put(f"{one}answers/", right_answers(attempt))
    for lesson in course.lessons.all():
        client.post(f"/api/lessons/{lesson.pk}/complete/")
    end_time()

    tasks.close_expired_attempts()

    assert Enrollment.objects.get(user=enrolled).status == "completed"


def test_reading_it_shows_it_closed(client, one, overdue):
    shown = client.get(one).json()

    assert (shown["state"], shown["score"]) == ("submitted", 20)
    assert closed() == CLOSED


@pytest.mark.parametrize("query", ["", "?state=submitted"])
@pytest.mark.parametrize("who", ["enrolled", "teacher"])
def test_listing_it_shows_it_closed(client_for, url, overdue, who, query):
    (line,) = client_for(who).get(url + query).json()["results"]

    assert (line["state"], line["score"]) == ("submitted", 20)
    assert closed() == CLOSED


def test_a_list_closes_no_more_than_it_shows(client_for, sign_in_as, course, url, overdue):
    sign_in_as(EnrollmentFactory(course=course).user).get(url)

    overdue.refresh_from_db()
    assert overdue.state == "in_progress"


def test_a_new_attempt_closes_it(client, url, overdue):
    answer = client.post(url)

    assert (answer.status_code, answer.json()["number"], answer.json()["answers"]) == (201, 2, [])
    assert closed() == CLOSED


def test_an_overdue_attempt_was_one_of_those_allowed(client, url, overdue):
    Quiz.objects.update(allowed_attempts=1)

    assert refused(client.post(url), 403, "attempts_exhausted")
    assert closed() == CLOSED


# --- A new order each time -------------------------------------------------------------------------------------------


def order(attempt):
    return [(question["id"], [choice["id"] for choice in question["choices"]]) for question in attempt["questions"]]


@pytest.fixture
def long(quiz):
    """So many questions that two orders are never alike."""
    Question.objects.bulk_create(Question(quiz=quiz, kind="text", text="?", order=9) for _ in range(26))


def test_without_shuffling_all_attempts_are_alike(client, url, long, one, attempt):
    client.post(f"{one}submit/")

    assert order(client.post(url).json()) == order(attempt)


def test_a_shuffled_attempt_keeps_its_order(client, url, quiz, long, asked):
    Quiz.objects.update(shuffle=True)
    attempt = client.post(url).json()
    one = f"{url}{attempt['id']}/"

    later = [
        client.get(one), client.post(url), client.put(f"{one}answers/", given(asked, text="x")),
        client.post(f"{one}submit/"), client.get(one),
    ]  # fmt: skip

    assert [order(answer.json()) == order(attempt) for answer in later] == [True] * 5


def test_shuffling_loses_nothing_and_adds_nothing(client, url, quiz, long):
    plain = client.post(url).json()
    client.post(f"{url}{plain['id']}/submit/")
    Quiz.objects.update(shuffle=True)

    shuffled = client.post(url).json()

    assert order(shuffled) != order(plain)
    assert {key: set(ids) for key, ids in order(shuffled)} == {key: set(ids) for key, ids in order(plain)}


def test_shuffled_attempts_differ(client, url, long):
    Quiz.objects.update(shuffle=True)
    first = client.post(url).json()
    client.post(f"{url}{first['id']}/submit/")

    assert order(client.post(url).json()) != order(first)


def test_choices_are_shuffled_too(client, url, quiz):
    question = quiz.questions.get(kind="multiple")
    Choice.objects.bulk_create(Choice(question=question, text="x", order=9) for _ in range(26))
    Quiz.objects.update(shuffle=True)

    shown = dict(order(client.post(url).json()))[str(question.pk)]

    assert shown != [str(choice.pk) for choice in question.choices.all()]


def test_shuffled_answers_are_scored_alike(client, url, quiz, attempt, one):
    client.post(f"{one}submit/")
    Quiz.objects.update(shuffle=True)
    shuffled = client.post(url).json()

    assert client.post(f"{url}{shuffled['id']}/submit/", right_answers(shuffled)).json()["score"] == 100


# --- The history -----------------------------------------------------------------------------------------------------


def test_the_history_is_kept(client, url, asked):
    for answers in ({"single": [0]}, {}, {"text": "Sirius", "multiple": [0, 1]}):
        result_of(client, url, given(asked, **answers))

    lines = client.get(url).json()["results"]

    assert [(line["number"], line["score"], line["state"]) for line in lines] == [
        (3, 60, "submitted"), (2, 0, "submitted"), (1, 20, "submitted")
    ]  # fmt: skip


def test_a_line_of_the_history_has_no_questions(client, url, attempt):
    (line,) = client.get(url).json()["results"]

    assert line == {name: value for name, value in attempt.items() if name not in {"questions", "answers"}}


@pytest.fixture
def history(quiz, enrolled):
    """The student's first, an older one of somebody else, and the student's open one."""
    stranger = EnrollmentFactory(course=quiz.course, user=UserFactory(email="second@test.io")).user
    times = [timezone.now() - timedelta(hours=hours) for hours in (2, 3, 1)]
    AttemptFactory(quiz=quiz, student=enrolled, number=1, started_at=times[0], score=11)
    AttemptFactory(quiz=quiz, student=stranger, number=1, started_at=times[1], score=22)
    AttemptFactory(quiz=quiz, student=enrolled, number=2, started_at=times[2], **IN_PROGRESS)
    return {"mine": str(enrolled.pk), "theirs": str(stranger.pk), "nobody": UNKNOWN}


@pytest.mark.parametrize(
    ("who", "query", "scores"),
    [
        ("teacher", "", [None, 11, 22]),
        ("teacher", "?ordering=started_at", [22, 11, None]),
        ("teacher", "?ordering=-started_at", [None, 11, 22]),
        ("teacher", "?state=submitted", [11, 22]),
        ("teacher", "?state=in_progress", [None]),
        ("teacher", "?student={mine}", [None, 11]),
        ("teacher", "?student={theirs}", [22]),
        ("teacher", "?student={theirs}&state=in_progress", []),
        ("teacher", "?student={nobody}", []),
        ("moderator", "", [None, 11, 22]),
        ("admin", "", [None, 11, 22]),
        ("enrolled", "", [None, 11]),
        ("enrolled", "?state=submitted", [11]),
        ("enrolled", "?student={theirs}", []),
    ],
)
def test_finding_attempts(client_for, url, history, who, query, scores):
    lines = client_for(who).get(url + query.format(**history)).json()["results"]

    assert [line["score"] for line in lines] == scores


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("?state=done", "state"),
        ("?student=x", "student"),
        ("?ordering=score", "ordering"),
        ("?quiz=x", "quiz"),
        ("?number=1", "number"),
        ("?page=0", "page"),
    ],
)
def test_what_the_list_does_not_know(client, url, query, attr):
    assert {name for name, _code in codes(client.get(url + query))} == {attr}


@pytest.mark.parametrize("of", ["course", "lesson"])
@pytest.mark.parametrize("who", ["enrolled", "teacher"])
@pytest.mark.parametrize("count", [1, 100])
def test_queries_of_the_list(client_for, django_assert_num_queries, url, course, quiz, enrolled, of, who, count):
    Quiz.objects.update(lesson=course.lessons.get(order=2) if of == "lesson" else None)
    Attempt.objects.bulk_create(
        AttemptFactory.build(quiz=quiz, student=enrolled, number=number + 1) for number in range(count)
    )
    client = client_for(who)

    # the user, the quiz with its course, the gate of who does not manage it (the enrollment, or the lessons and the
    # course), the page with its count
    gate = {"course": 1, "lesson": 2}[of] if who == "enrolled" else 0
    with django_assert_num_queries(3 + gate):
        answer = client.get(url, {"page_size": 100})

    assert len(answer.json()["results"]) == count


@pytest.mark.parametrize("count", [1, 25])
def test_queries_of_an_attempt(client, django_assert_num_queries, url, quiz, count):
    quiz.questions.all().delete()
    for number in range(count):
        question = Question.objects.create(quiz=quiz, kind="single", text="?", order=number)
        Choice.objects.bulk_create(Choice(question=question, text="x", is_correct=True) for _ in range(3))
    one = f"{url}{client.post(url).json()['id']}/"

    # the user, the quiz with its course, the enrollment, the attempt, its answers, its questions, their choices
    with django_assert_num_queries(7):
        assert len(client.get(one).json()["questions"]) == count


# --- Who may ---------------------------------------------------------------------------------------------------------

ACCESS = [
    #                    anon stud enro teac othe mode admi
    ("get", "", (401, 403, 200, 200, 403, 200, 200)),
    ("post", "", (401, 403, 200, 403, 403, 403, 403)),
    ("get", "{one}/", (401, 403, 200, 200, 403, 200, 200)),
    ("put", "{one}/answers/", (401, 403, 200, 403, 403, 403, 403)),
    ("post", "{one}/submit/", (401, 403, 200, 403, 403, 403, 403)),
    ("put", "{one}/", (401, 405, 405, 405, 405, 405, 405)),
    ("patch", "{one}/", (401, 405, 405, 405, 405, 405, 405)),
    ("delete", "{one}/", (401, 405, 405, 405, 405, 405, 405)),
]


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [(method, path, who, status) for method, path, line in ACCESS for who, status in zip(CAST, line, strict=True)],
)
def test_who_may_do_what(client_for, url, attempt, asked, method, path, who, status):
    before = rows()
    address = url + path.format(one=attempt["id"])

    answer = getattr(client_for(who), method)(address, given(asked, text="x") if "{" in path else None)

    assert answer.status_code == status
    changed = method != "get" and status == 200 and "{" in path
    assert (rows() != before) is changed


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("put", "answers/"), ("post", "submit/")])
def test_another_students_attempt(sign_in_as, course, one, asked, method, path):
    before = rows()
    stranger = sign_in_as(EnrollmentFactory(course=course).user)

    assert getattr(stranger, method)(one + path, given(asked, text="x") if path else None).status_code == 404
    assert rows() == before


def test_another_students_open_attempt_is_not_given_out(sign_in_as, course, url, attempt):
    answer = sign_in_as(EnrollmentFactory(course=course).user).post(url)

    assert (answer.status_code, answer.json()["id"] == attempt["id"]) == (201, False)


@pytest.mark.parametrize(("who", "code"), [("teacher", "not_enrolled"), ("moderator", "payment_required")])
def test_who_looks_is_no_student(client_for, url, quiz, who, code):
    assert refused(client_for(who).post(url), 403, code)
    assert not Attempt.objects.exists()


def test_a_moderator_may_study_too(client_for, url, course, quiz, moderator):
    EnrollmentFactory(course=course, user=moderator)

    assert client_for("moderator").post(url).status_code == 201


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("put", "answers/"), ("post", "submit/")])
@pytest.mark.parametrize("place", ["course", "quiz", "attempt"])
def test_wrong_parents(client, course, enrolled, quiz, attempt, asked, method, path, place):
    elsewhere = CourseFactory()
    EnrollmentFactory(user=enrolled, course=elsewhere)
    names = {"course": course.pk, "quiz": quiz.pk, "attempt": attempt["id"]}
    names[place] = {
        "course": elsewhere.pk,
        "quiz": QuizFactory(course=course, questions=False).pk,
        "attempt": AttemptFactory(quiz=QuizFactory(course=course), student=enrolled).pk,
    }[place]
    before = rows()

    address = "/api/courses/{course}/quizzes/{quiz}/attempts/{attempt}/".format(**names)

    assert getattr(client, method)(address + path, given(asked, text="x") if path else None).status_code == 404
    assert rows() == before


@pytest.mark.parametrize("place", ["course", "quiz", "attempt"])
@pytest.mark.parametrize("name", [UNKNOWN, "1", "x", "%00"])
def test_addresses_of_nothing(client, course, quiz, attempt, place, name):
    names = {"course": course.pk, "quiz": quiz.pk, "attempt": attempt["id"], place: name}

    assert client.get("/api/courses/{course}/quizzes/{quiz}/attempts/{attempt}/".format(**names)).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_list_is_not_under_another_course(client, enrolled, quiz, method):
    elsewhere = EnrollmentFactory(user=enrolled).course

    assert getattr(client, method)(f"/api/courses/{elsewhere.pk}/quizzes/{quiz.pk}/attempts/").status_code == 404
    assert not Attempt.objects.exists()


def test_attempts_of_a_draft_are_hidden(client, url, attempt, one):
    Course.objects.update(status="draft")

    assert [client.get(address).status_code for address in (url, one)] == [404, 404]


def test_attempts_of_an_archived_course_go_on(client, one, asked):
    Course.objects.update(status="archived")

    assert client.post(f"{one}submit/", given(asked, single=[0])).json()["points"] == 1


# --- Access that has run out -----------------------------------------------------------------------------------------

REVOKED, GONE = "payment_required", "access_expired"


@pytest.fixture(params=["status", "date"])
def expired(request, attempt):
    """The access ran out while the attempt was open."""
    yesterday = timezone.now() - timedelta(days=1)
    Enrollment.objects.update(**({"status": "expired"} if request.param == "status" else {"expires_at": yesterday}))


@pytest.mark.parametrize("of", ["course", "lesson"])
def test_attempts_stay_readable(client, url, one, attempt, course, expired, of):
    Quiz.objects.update(lesson=course.lessons.get(order=2) if of == "lesson" else None)

    assert client.get(one).json() == attempt
    assert client.get(url).json()["count"] == 1


@pytest.mark.parametrize("of", ["course", "lesson"])
@pytest.mark.parametrize(("method", "path"), [("post", "{url}"), ("put", "{one}answers/"), ("post", "{one}submit/")])
def test_nothing_is_written_any_more(client, url, one, asked, course, expired, of, method, path):
    Quiz.objects.update(lesson=course.lessons.get(order=2) if of == "lesson" else None)
    before = rows()

    answer = getattr(client, method)(path.format(url=url, one=one), given(asked, text="Sirius"))

    assert refused(answer, 403, GONE)
    assert rows() == before


def test_an_attempt_whose_time_is_up_is_closed_all_the_same(overdue):
    Enrollment.objects.update(status="expired")

    assert tasks.close_expired_attempts() == 1
    assert closed() == CLOSED


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "{url}"), ("post", "{url}"), ("get", "{one}"), ("put", "{one}answers/"), ("post", "{one}submit/")],
)
def test_revoked_access_closes_everything(client, url, one, asked, method, path):
    Enrollment.objects.update(status="revoked")
    before = rows()

    answer = getattr(client, method)(path.format(url=url, one=one), given(asked) if method != "get" else None)

    assert refused(answer, 403, REVOKED)
    assert rows() == before


def test_a_lesson_bought_by_itself_is_enough(sign_in_as, course, url, attempt):
    lesson = course.lessons.get(order=2)
    Quiz.objects.update(lesson=lesson)
    client = sign_in_as(LessonAccessFactory(lesson=lesson).user)

    assert result_of(client, url, right_answers(attempt))["score"] == 100


# --- What nobody writes ----------------------------------------------------------------------------------------------

FORCED = {
    "id": UNKNOWN, "quiz": UNKNOWN, "number": 7, "state": "submitted", "started_at": "2001-01-01T00:00:00Z",
    "expires_at": "2099-01-01T00:00:00Z", "submitted_at": "2001-01-01T00:00:00Z", "points": 5, "max_points": 1,
    "score": 100, "passed": True, "is_correct": True, "layout": [], "questions": [],
}  # fmt: skip


@pytest.mark.parametrize("format", ["json", "multipart"])
def test_nothing_is_forced_on_a_new_attempt(client, url, quiz, enrolled, student, format):
    forced = {**FORCED, "student": str(student.pk)}
    if format == "multipart":
        forced = {name: value for name, value in forced.items() if value != []}

    attempt = client.post(url, forced, format=format).json()

    assert {name for name, value in forced.items() if attempt.get(name) == value} == set()
    assert (attempt["student"], attempt["expires_at"], len(attempt["questions"])) == (str(enrolled.pk), None, 4)


def test_nothing_is_forced_when_saving(client, one, attempt, student, asked):
    (answer,) = given(asked, text="Vega")["answers"]
    body = {"answers": [{**FORCED, **answer}], **FORCED, "student": str(student.pk)}

    after = client.put(f"{one}answers/", body).json()

    assert {name for name in after if after[name] != attempt[name]} == {"answers"}
    assert list(Answer.objects.values_list("points", "is_correct")) == [(None, None)]


def test_nothing_is_forced_when_submitting(client, one, attempt, student, asked):
    (answer,) = given(asked, text="Vega")["answers"]
    body = {"answers": [{**FORCED, **answer}], **FORCED, "student": str(student.pk)}

    after = client.post(f"{one}submit/", body).json()

    changed = {name: after[name] for name in after if after[name] != attempt[name]}
    assert set(changed) == {"answers", "state", "submitted_at", "points", "score", "passed"}
    assert (changed["points"], changed["score"], changed["passed"]) == (0, 0, False)
    assert changed["submitted_at"] > attempt["started_at"]
