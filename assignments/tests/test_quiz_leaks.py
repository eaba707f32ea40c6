"""Nothing that a student is told before an attempt is over says which answer is right.

Every address under /api/ is walked as the student, with the ids that the student knows. What comes back is searched, as
bytes and as JSON; and the key of the quizzes is turned into its opposite, after which every byte must be the same.
"""

import json
import re

import pytest
from django.db.models import Case, Value, When
from django.utils import timezone

from assignments.models import Attempt, Choice, Question, Quiz
from assignments.tests.factories import AssignmentFactory, CommentFactory, SubmissionFactory
from common.testing.routes import paths
from users.tests.factories import NotificationFactory

KEYS = {"is_correct", "correct_choices", "accepted_answers", "correct_number", "tolerance", "explanation", "order"}
SECRETS = ["Canopus-7f3a", "Канопус", "31337.125", "0.003906", "Because-9c1e", "Потому-что"]
QUESTIONS = [
    {
        "kind": "single",
        "text": "Which?",
        "explanation": "Because-9c1e",
        "choices": [{"text": "a", "is_correct": True}, {"text": "b"}, {"text": "c"}],
    },
    {
        "kind": "multiple",
        "text": "Which of them?",
        "explanation": "Потому-что",
        "choices": [{"text": "d", "is_correct": True}, {"text": "e", "is_correct": True}, {"text": "f"}],
    },
    {"kind": "text", "text": "Who?", "accepted_answers": ["Canopus-7f3a", "Канопус"]},
    {"kind": "number", "text": "How many?", "correct_number": 31337.125, "tolerance": 0.003906},
]
# Of nobody's courses.
PASSED_OVER = re.compile("api/(schema|auth|token)/")
# What the walk must have seen with success; the rest of it is whatever routes there are.
SEEN = [
    "api/courses/%(course)s/quizzes/", "api/courses/%(course)s/quizzes/%(quiz)s/",
    "api/courses/%(course)s/quizzes/%(quiz)s/attempts/", "api/courses/", "api/courses/%(course)s/",
    "api/courses/%(course)s/progress/", "api/courses/%(course)s/lessons/", "api/lessons/", "api/lessons/%(lesson)s/",
    "api/courses/%(course)s/lessons/%(lesson)s/", "api/courses/%(course)s/lessons/%(lesson)s/comments/",
    "api/courses/%(course)s/lessons/%(lesson)s/comments/%(comment)s/", "api/users/me/", "api/users/me/courses/",
    "api/users/me/dashboard/", "api/users/certificates/",
    "api/courses/%(course)s/lessons/%(lesson)s/assignments/%(assignment)s/submissions/%(submission)s/",
]  # fmt: skip
ATTEMPT = "api/courses/%(course)s/quizzes/%(quiz)s/attempts/%(attempt)s/"


def members(data):
    """The names of all members, at any depth."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield name
            yield from members(value)
    elif isinstance(data, list):
        for value in data:
            yield from members(value)


def questions_in(data):
    """Everything that looks like a question, at any depth."""
    if isinstance(data, dict):
        if "choices" in data and "kind" in data:
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for value in data:
            yield from questions_in(value)


def hints(body):
    """What the bytes of an answer give away."""
    try:
        text, data = body.decode(), json.loads(body)
    except ValueError:
        text, data = body.decode(errors="replace"), None
    found = {secret for secret in SECRETS if secret in text or json.dumps(secret)[1:-1] in text}
    found |= set(members(data)) & (KEYS - {"order"})
    for question in questions_in(data):
        found |= {f"question: {name}" for name in set(question) - {"id", "kind", "text", "points", "choices"}}
        found |= {f"choice: {name}" for choice in question["choices"] for name in set(choice) - {"id", "text"}}
    return found


@pytest.fixture
def known(client_for, course, enrolled):
    """What the student knows of: the ids around the final quiz, and those around the quiz of a lesson."""
    lesson = course.lessons.get(order=2)
    submission = SubmissionFactory(assignment=AssignmentFactory(lesson=lesson), student=enrolled, graded=True)
    ids = {
        "course": course.pk,
        "lesson": lesson.pk,
        "assignment": submission.assignment_id,
        "submission": submission.pk,
        "comment": CommentFactory(lesson=lesson, author=enrolled).pk,
        "notification": NotificationFactory(recipient=enrolled).pk,
        "user": enrolled.pk,
    }
    found = []
    for place in ({"is_final": True}, {"lesson": str(lesson.pk)}):
        body = {"title": "Stars", "shuffle": True, "questions": QUESTIONS, **place}
        answer = client_for("teacher").post(f"/api/courses/{course.pk}/quizzes/", body)
        assert answer.status_code == 201, answer.json()
        found.append({**ids, "quiz": answer.json()["id"]})
    return found


@pytest.fixture(params=["final", "lesson"])
def ids(request, known):
    """One of the two."""
    return known[request.param == "lesson"]


def attempts(ids):
    return "/api/courses/{course}/quizzes/{quiz}/attempts/".format(**ids)


@pytest.fixture
def client(client_for, enrolled):
    """The student's."""
    return client_for("enrolled")


def answers_to(attempt):
    """A body that answers everything, partly right."""
    answers = []
    for question in attempt["questions"]:
        answer = {
            "single": {"choices": [choice["id"] for choice in question["choices"] if choice["text"] == "a"]},
            "multiple": {"choices": [choice["id"] for choice in question["choices"] if choice["text"] in "df"]},
            "text": {"text": "Vega"},
            "number": {"number": 31337},
        }[question["kind"]]
        answers.append({"question": question["id"], **answer})
    return {"answers": answers}


def walk(client, known):
    """{path: (status, bytes)} of everything that the student can ask for."""
    told = {}
    for path in sorted({path for ids in known for path in paths(ids) if not PASSED_OVER.match(path)}):
        answer = client.get(f"/{path}")
        told[path] = answer.status_code, answer.getvalue()
        if "quizzes" in path:
            answer = client.options(f"/{path}")
            told[f"OPTIONS {path}"] = answer.status_code, answer.getvalue()
    return told


def turn_the_key():
    """What was right is wrong from here on, and the other way round."""
    Choice.objects.update(is_correct=Case(When(is_correct=True, then=Value(False)), default=Value(True)))
    Question.objects.update(accepted_answers=["Other"], correct_number=-1, tolerance=9, explanation="Other")


def assert_told_nothing(told):
    given_away = {path: found for path, (_status, body) in told.items() if (found := hints(body))}
    assert not given_away


def test_the_author_is_told_everything(client_for, ids):
    """The control: what is searched for elsewhere is there to be found."""
    answer = client_for("teacher").get(attempts(ids).removesuffix("attempts/"))

    found = hints(answer.content)
    assert set(SECRETS) <= found
    assert {f"question: {name}" for name in KEYS - {"is_correct", "correct_choices"}} <= found
    assert {"choice: is_correct", "choice: order"} <= found


@pytest.mark.parametrize(
    ("stage", "shows"), [("before", True), ("answered", False), ("answered", True), ("submitted", False)]
)
def test_nothing_is_told_while_it_may_not_be(client, known, stage, shows, time_machine):
    time_machine.move_to(timezone.now(), tick=False)  # some answers say when they were given
    Quiz.objects.update(show_correct_answers=shows)
    written = {}
    for ids in known if stage != "before" else ():
        attempt = client.post(attempts(ids)).json()
        ids["attempt"] = attempt["id"]
        one = f"{attempts(ids)}{attempt['id']}/"
        written[f"save {one}"] = client.put(f"{one}answers/", answers_to(attempt))
        if stage == "submitted":
            written[f"submit {one}"] = client.post(f"{one}submit/")
    told = walk(client, known)
    turn_the_key()
    told_again = walk(client, known)

    assert_told_nothing(told | {name: (answer.status_code, answer.content) for name, answer in written.items()})
    assert {path for path in told if told_again[path] != told[path]} == set()
    expected = {template % ids for ids in known for template in (SEEN if stage == "before" else [*SEEN, ATTEMPT])}
    assert {path for path in expected if told[path][0] != 200} == set()


@pytest.mark.parametrize("shows", [False, True])
def test_no_write_tells_anything_before_the_end(client, ids, shows):
    Quiz.objects.update(show_correct_answers=shows)
    attempt = client.post(attempts(ids)).json()
    one, body = f"{attempts(ids)}{attempt['id']}/", answers_to(attempt)
    choice = next(question["choices"][0]["id"] for question in attempt["questions"] if question["choices"])
    lines = [{**line, "choices": [choice]} for line in body["answers"]]
    nonsense = {"answers": [{"question": str(ids["user"])}]}
    lesson, changed = f"/api/lessons/{ids['lesson']}/", {"title": "New", "questions": QUESTIONS}

    def writes():
        sent = {
            "start": client.post(attempts(ids)),
            **{f"save {n}": client.put(f"{one}answers/", {"answers": [line]}) for n, line in enumerate(lines)},
            "save": client.put(f"{one}answers/", body),
            "save nonsense": client.put(f"{one}answers/", nonsense),
            "submit nonsense": client.post(f"{one}submit/", nonsense),
            "write to the attempt": client.patch(one, body),
            "write to the quiz": client.patch(attempts(ids).removesuffix("attempts/"), changed),
            "add a quiz": client.post("/api/courses/{course}/quizzes/".format(**ids), changed),
            "complete the lesson": client.post(f"{lesson}complete/"),
            "stop the video": client.put(f"{lesson}position/", {"position_seconds": 5}),
        }
        return {name: (answer.status_code, answer.content) for name, answer in sent.items()}

    writes()
    told = writes()
    turn_the_key()

    assert_told_nothing(told)
    assert writes() == told
    assert Attempt.objects.get().state == "in_progress"


@pytest.mark.parametrize("who", ["anonymous", "student", "other"])
def test_nothing_is_told_to_others(client_for, client, known, who):
    for ids in known:
        ids["attempt"] = client.post(attempts(ids)).json()["id"]

    assert_told_nothing(walk(client_for(who), known))


@pytest.mark.parametrize("shows", [False, True])
def test_what_is_told_at_the_end(client, ids, shows):
    Quiz.objects.update(show_correct_answers=shows)
    attempt = client.post(attempts(ids)).json()
    one = f"{attempts(ids)}{attempt['id']}/"
    shown = {*SECRETS, *KEYS} - {"0.003906", "tolerance", "order"}  # these help nobody

    for answer in (client.post(f"{one}submit/", answers_to(attempt)), client.get(one), client.post(f"{one}submit/")):
        assert hints(answer.content) == (shown if shows else set())


def test_a_key_that_was_shown_is_not_in_the_next_attempt(client, ids):
    Quiz.objects.update(show_correct_answers=True)
    first = client.post(attempts(ids)).json()
    client.post(f"{attempts(ids)}{first['id']}/submit/")

    second = client.post(attempts(ids))

    for answer in (second, client.get(f"{attempts(ids)}{second.json()['id']}/"), client.get(attempts(ids))):
        assert hints(answer.content) == set()


def test_a_key_that_is_hidden_again_is_shown_no_more(client, ids):
    Quiz.objects.update(show_correct_answers=True)
    one = f"{attempts(ids)}{client.post(attempts(ids)).json()['id']}/"
    client.post(f"{one}submit/")

    Quiz.objects.update(show_correct_answers=False)

    assert hints(client.get(one).content) == set()


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_order_of_choices_tells_nothing(client_for, client, course, shuffle):
    """Authors like to write the right one first. A test of forty questions never shows it there each time, nor have
    its ids been given out first each time."""
    choices = [{"text": "right", "is_correct": True}, *({"text": f"wrong {n}"} for n in range(3))]
    question = {"kind": "single", "text": "?", "choices": choices}
    base = f"/api/courses/{course.pk}/quizzes/"
    quiz = client_for("teacher").post(base, {"title": "Stars", "shuffle": shuffle, "questions": [question] * 40}).json()

    asked = client.post(f"{base}{quiz['id']}/attempts/").json()["questions"]

    places = [[choice["text"] for choice in line["choices"]].index("right") for line in asked]
    ranks = [[c["text"] for c in sorted(line["choices"], key=lambda c: c["id"])].index("right") for line in asked]
    assert set(ranks) == {0, 1, 2, 3}
    assert set(places) == ({0, 1, 2, 3} if shuffle else {0})
