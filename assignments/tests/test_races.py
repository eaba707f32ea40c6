"""The same thing at the same time, on PostgreSQL. Each guard that these tests hold on to is named in its docstring."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Model
from django.utils import timezone

from assignments.models import (
    Answer,
    Assignment,
    Attempt,
    Certificate,
    Comment,
    Question,
    Quiz,
    Submission,
    SubmissionVersion,
)
from assignments.services import attempts, certificates, progress, submissions
from assignments.tasks import close_expired_attempts, complete_finished_enrollments, remind_due_assignments
from assignments.tests.factories import (
    AssignmentFactory,
    AttemptFactory,
    CertificateFactory,
    CommentFactory,
    QuizFactory,
    SubmissionFactory,
)
from common import writing
from common.serializers import ModelSerializer
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from materials.models import Enrollment, LessonCompletion
from materials.services import look_for_completed
from materials.tests.factories import EnrollmentFactory, LessonAccessFactory
from users.models import Notification

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]

TIMES = 16
CERTIFICATES = "/api/users/certificates/"


@pytest.fixture
def clients(sign_in_as):
    """`clients(user)`: one for each thread. A failure of the server is an answer, as it is to a browser."""

    def clients(*users):
        signed_in = [sign_in_as(users[number % len(users)]) for number in range(TIMES)]
        for client in signed_in:
            client.raise_request_exception = False
        return signed_in

    return clients


@pytest.fixture
def all_meet(monkeypatch):
    """`all_meet(module, "name")`: nobody goes into the module's function before all have come to it, so that it is
    decided there who was first."""

    def all_meet(module, name):
        barrier = threading.Barrier(TIMES)
        real = getattr(module, name)

        def function(*args, **kwargs):
            barrier.wait(timeout=20)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, function)

    return all_meet


@pytest.fixture
def lesson(course):
    return course.lessons.get(order=2)


@pytest.fixture
def quiz(course, lesson):
    """Of the lesson, with one question: 8 is right."""
    return one_question(QuizFactory(course=course, lesson=lesson, questions=False))


@pytest.fixture
def final(course):
    """Passed by whoever submits it."""
    return one_question(QuizFactory(course=course, is_final=True, passing_score=0, questions=False))


@pytest.fixture
def assignment(lesson):
    return AssignmentFactory(lesson=lesson)


def one_question(quiz):
    Question.objects.create(quiz=quiz, kind="number", text="How many?", correct_number=8)
    return quiz


def opened(quiz, student, **fields):
    """An attempt in progress."""
    layout = [{"question": str(question.pk), "choices": []} for question in quiz.questions.all()]
    unfinished = {"state": "in_progress", "submitted_at": None, "points": None, "score": None, "passed": None}
    return AttemptFactory(quiz=quiz, student=student, layout=layout, max_points=1, **{**unfinished, **fields})


def answer(quiz, number):
    return {"answers": [{"question": str(quiz.questions.get().pk), "number": number}]}


def complete(student, *lessons):
    """These lessons, as far as the rows go."""
    for lesson in lessons:
        enrollment = Enrollment.objects.get(user=student, course=lesson.course)
        LessonCompletion.objects.create(enrollment=enrollment, lesson=lesson, completed_at=timezone.now())


def attempts_url(quiz):
    return f"/api/courses/{quiz.course_id}/quizzes/{quiz.pk}/attempts/"


def submissions_url(assignment):
    lesson = assignment.lesson
    return f"/api/courses/{lesson.course_id}/lessons/{lesson.pk}/assignments/{assignment.pk}/submissions/"


def statuses(answers):
    return Counter(answer.status_code for answer in answers)


def told(student, kind):
    return Notification.objects.filter(recipient=student, kind=kind).count()


def check_completed(course, *students):
    """Once each, with one certificate and one notification of it."""
    for student in students:
        enrollment = Enrollment.objects.get(user=student, course=course)
        assert (enrollment.status, enrollment.completed_at is not None) == ("completed", True)
        assert Certificate.objects.filter(student=student, course=course).count() == 1
        assert told(student, "certificate_issued") == 1


def check_scored(attempt):
    """By the answer that is there."""
    attempt.refresh_from_db()
    saved = Answer.objects.filter(attempt=attempt).first()
    right = saved is not None and saved.number == 8
    assert saved is None or (saved.is_correct, saved.points) == (right, int(right))
    assert (attempt.state, attempt.score) == ("submitted", 100 * right)


# --- Attempts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def closings(monkeypatch):
    """The ids of the attempts that have been scored, each as often as it was."""
    scored = []
    real = attempts._close

    def close(attempt):
        scored.append(attempt.pk)
        return real(attempt)

    monkeypatch.setattr(attempts, "_close", close)
    return scored


@pytest.mark.parametrize("through", ["enrollment", "lesson"])
def test_starting_the_last_attempt(clients, quiz, enrolled, student, through, all_meet):
    """The lock of what lets the student work here: whoever comes second sees what the first has started."""
    all_meet(attempts, "_lock_pass")
    person = enrolled if through == "enrollment" else student
    if person is student:
        LessonAccessFactory(user=student, lesson=quiz.lesson)
    Quiz.objects.update(allowed_attempts=2)
    AttemptFactory(quiz=quiz, student=person)
    each = clients(person)

    answers = at_once(TIMES, lambda number: each[number].post(attempts_url(quiz)))

    assert statuses(answers) == {201: 1, 200: TIMES - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(Attempt.objects.values_list("number", "state")) == [(1, "submitted"), (2, "in_progress")]


def test_starting_without_that_lock(clients, quiz, enrolled, all_meet, monkeypatch):
    """Under it lie unique constraints: no double row even then, and no failure of the server."""
    monkeypatch.setattr(attempts, "_lock_pass", lambda study_pass: None)
    all_meet(attempts, "_lock_pass")
    each = clients(enrolled)

    answers = at_once(TIMES, lambda number: each[number].post(attempts_url(quiz)))

    assert set(statuses(answers)) <= {200, 201, 409}
    assert Attempt.objects.count() == 1


def test_starting_when_the_one_before_has_run_out(clients, quiz, enrolled, closings):
    """One of them closes it; then one of them starts the next."""
    Quiz.objects.update(allowed_attempts=2)
    over = opened(quiz, enrolled, expires_at=timezone.now())
    each = clients(enrolled)

    answers = at_once(TIMES, lambda number: each[number].post(attempts_url(quiz)))

    assert statuses(answers) == {201: 1, 200: TIMES - 1}
    assert sorted(Attempt.objects.values_list("number", "state")) == [(1, "submitted"), (2, "in_progress")]
    assert closings == [over.pk]


def test_starting_while_the_last_one_is_submitted(clients, quiz, enrolled):
    """There it is, or it is over: there is never another."""
    Quiz.objects.update(allowed_attempts=1)
    last = opened(quiz, enrolled)
    each = clients(enrolled)
    urls = [attempts_url(quiz), f"{attempts_url(quiz)}{last.pk}/submit/"]

    answers = at_once(TIMES, lambda number: each[number].post(urls[number % 2]))

    assert set(statuses(answers[::2])) <= {200, 403}
    assert statuses(answers[1::2]) == {200: TIMES // 2}
    assert Attempt.objects.get().state == "submitted"


def test_submitting(clients, course, final, enrolled, closings):
    """The attempt's lock: the first one's answers count, and everyone hears of the same result."""
    complete(enrolled, *course.lessons.all())
    attempt = opened(final, enrolled)
    each = clients(enrolled)
    bodies = [answer(final, 8 if number % 2 else 7) for number in range(TIMES)]

    answers = at_once(
        TIMES, lambda number: each[number].post(f"{attempts_url(final)}{attempt.pk}/submit/", bodies[number])
    )

    assert statuses(answers) == {200: TIMES}
    assert len({answer.content for answer in answers}) == 1
    assert closings == [attempt.pk]
    assert answers[0].json()["score"] == (100 if Answer.objects.get().number == 8 else 0)
    check_completed(course, enrolled)


def test_saving_while_submitting(clients, quiz, enrolled):
    """What is scored is what stays."""
    attempt = opened(quiz, enrolled)
    each = clients(enrolled)
    url = f"{attempts_url(quiz)}{attempt.pk}/"
    bodies = [answer(quiz, number) for number in range(TIMES)]

    def call(number):
        if number % 4 == 0:
            return each[number].post(f"{url}submit/")
        return each[number].put(f"{url}answers/", bodies[number])

    answers = at_once(TIMES, call)

    assert set(statuses(answers)) <= {200, 409}
    check_scored(attempt)
    assert {answer.json()["score"] for answer in answers[::4]} == {Attempt.objects.get().score}


def test_submitting_while_an_answer_is_saved(clients, quiz, enrolled, monkeypatch):
    """The attempt's lock: it is not scored under the hands of whoever saves."""
    attempt = opened(quiz, enrolled)
    each = clients(enrolled)
    url = f"{attempts_url(quiz)}{attempt.pk}/"
    is_saving, is_scored = threading.Event(), threading.Event()
    real_write, real_close = attempts._write_answers, attempts._close

    def write(*args):
        is_saving.set()
        is_scored.wait(timeout=0.5)  # time to be overtaken, if nothing holds the other one back
        real_write(*args)

    def close(*args):
        closed = real_close(*args)
        is_scored.set()
        return closed

    monkeypatch.setattr(attempts, "_write_answers", write)
    monkeypatch.setattr(attempts, "_close", close)

    def call(number):
        if number == 0:
            return each[0].put(f"{url}answers/", answer(quiz, 8))
        is_saving.wait(timeout=10)
        return each[1].post(f"{url}submit/")

    answers = at_once(2, call)

    assert statuses(answers) == {200: 2}
    assert answers[1].json()["score"] == 100
    check_scored(attempt)


def test_closing_what_has_run_out(clients, course, final, enrolled, closings):
    """The attempt's lock: two workers and the students themselves close each attempt once."""
    students = [enrolled, *(EnrollmentFactory(course=course).user for _ in range(3))]
    for person in students:
        complete(person, *course.lessons.all())
    left = [opened(final, person, expires_at=timezone.now()) for person in students]
    each = clients(*students)

    def call(number):
        if number < 2:
            return close_expired_attempts()
        return each[number].post(f"{attempts_url(final)}{left[number % 4].pk}/submit/").status_code

    closed = at_once(10, call)

    assert set(closed[2:]) == {200}
    assert sum(closed[:2]) <= len(left)
    assert sorted(closings) == sorted(attempt.pk for attempt in left)
    check_completed(course, *students)


def test_two_workers_close_what_has_run_out(quiz, course, closings):
    """The attempt's lock: what one has closed the other leaves alone."""
    left = [
        opened(quiz, EnrollmentFactory(course=course).user, expires_at=timezone.now() - timedelta(minutes=number))
        for number in range(8)
    ]

    closed = at_once(2, lambda number: close_expired_attempts())

    assert sum(closed) == len(left)
    assert sorted(closings) == sorted(attempt.pk for attempt in left)


# --- Submissions -----------------------------------------------------------------------------------------------------


def test_handing_in(clients, assignment, enrolled, all_meet):
    """One version 1 (unique constraints), whose error is an answer."""
    all_meet(submissions, "_check_deadline")
    each = clients(enrolled)

    answers = at_once(TIMES, lambda number: each[number].post(submissions_url(assignment), {"text": str(number)}))

    assert statuses(answers) == {201: 1, 409: TIMES - 1}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_submitted"}
    assert Submission.objects.count() == 1


def check_versions(submission, texts):
    """Numbered without a gap, each text once, and none that was graded has been replaced."""
    versions = Submission.objects.get(pk=submission.pk).versions
    assert [version.version for version in versions] == list(range(1, len(versions) + 1))
    assert sorted(version.text for version in versions) == sorted(texts)
    assert "graded" not in {version.status for version in versions[:-1]}
    return versions


def test_handing_in_again(clients, assignment, enrolled, all_meet):
    """The submission's lock: each is a version, and none is lost."""
    all_meet(submissions, "_lock")
    first = SubmissionFactory(assignment=assignment, student=enrolled, text="first")
    each = clients(enrolled)
    url = f"{submissions_url(assignment)}{first.pk}/"

    answers = at_once(TIMES, lambda number: each[number].put(url, {"text": str(number)}))

    assert statuses(answers) == {200: TIMES}
    assert {answer.json()["id"] for answer in answers} == {str(first.pk)}
    check_versions(first, ["first", *map(str, range(TIMES))])


def test_grading_while_the_work_is_handed_in_again(clients, assignment, enrolled, teacher, all_meet):
    """The submission's lock: it is graded, and stays, or it is replaced, and the grade of what was read is refused."""
    all_meet(submissions, "_lock")
    first = SubmissionFactory(assignment=assignment, student=enrolled, text="first")
    each = clients(enrolled, teacher)
    url = f"{submissions_url(assignment)}{first.pk}/"

    def call(number):
        if number % 2:
            return each[number].post(f"{url}grade/", {"score": number, "version": 1})
        return each[number].put(url, {"text": str(number)})

    answers = at_once(TIMES, call)

    again, grades = statuses(answers[::2]), statuses(answers[1::2])
    if again == {409: TIMES // 2}:
        assert grades == {200: TIMES // 2}
        assert check_versions(first, ["first"])[0].status == "graded"
        assert told(enrolled, "submission_graded") == TIMES // 2
    else:
        assert (again, grades) == ({200: TIMES // 2}, {409: TIMES // 2})
        versions = check_versions(first, ["first", *map(str, range(0, TIMES, 2))])
        assert {version.status for version in versions} == {"submitted"}
        assert told(enrolled, "submission_graded") == 0


def test_grading_while_the_work_is_taken_back(clients, assignment, enrolled, teacher, all_meet):
    """The submission's lock: a grade is not given to what is gone, and what has one does not go."""
    all_meet(submissions, "_lock")
    first = SubmissionFactory(assignment=assignment, student=enrolled)
    each = clients(enrolled, teacher)
    url = f"{submissions_url(assignment)}{first.pk}/"

    answers = at_once(
        TIMES,
        lambda number: each[number].post(f"{url}grade/", {"score": 5}) if number % 2 else each[number].delete(url),
    )

    back, grades = statuses(answers[::2]), statuses(answers[1::2])
    if Submission.objects.exists():
        assert (back, grades) == ({409: TIMES // 2}, {200: TIMES // 2})
        assert Submission.objects.get().status == "graded"
    else:
        assert back[204] == 1
        assert set(back) | set(grades) <= {204, 404}
        assert told(enrolled, "submission_graded") == 0


def test_taking_back_what_is_handed_in_again(clients, assignment, enrolled, all_meet):
    """The submission's lock: all of it goes, once."""
    all_meet(submissions, "_lock")
    first = SubmissionFactory(assignment=assignment, student=enrolled)
    each = clients(enrolled)
    url = f"{submissions_url(assignment)}{first.pk}/"

    answers = at_once(
        TIMES, lambda number: each[number].delete(url) if number % 2 else each[number].put(url, {"text": "More"})
    )

    assert set(statuses(answers)) <= {200, 204, 404}
    assert statuses(answers)[204] == 1
    assert not Submission.objects.exists()
    assert not SubmissionVersion.objects.exists()


def test_grading_while_the_highest_score_is_lowered(clients, assignment, enrolled, teacher, all_meet):
    """The assignment's lock, which both take: no score is over the highest."""
    all_meet(submissions, "_lock")
    work = SubmissionFactory(assignment=assignment, student=enrolled)
    graders, changer = clients(teacher), clients(teacher)[0]
    url = submissions_url(assignment)

    def call(number):
        if number < TIMES:
            return graders[number].post(f"{url}{work.pk}/grade/", {"score": 90})
        return changer.patch(url.removesuffix("submissions/"), {"max_score": 50})

    answers = at_once(TIMES + 1, call)

    work.refresh_from_db()
    assignment.refresh_from_db()
    assert set(statuses(answers)) <= {200, 400}
    assert work.raw_score is None or work.raw_score <= assignment.max_score


def test_deleting_an_assignment_while_work_is_handed_in(clients, assignment, enrolled, teacher):
    """The foreign key: it is gone, or it stays with the work."""
    each = clients(enrolled, teacher)
    url = submissions_url(assignment)

    answers = at_once(
        TIMES,
        lambda number: (
            each[number].delete(url.removesuffix("submissions/"))
            if number % 2
            else each[number].post(url, {"text": "Here"})
        ),
    )

    assert set(statuses(answers)) <= {201, 204, 404, 409}
    assert Assignment.objects.count() == Submission.objects.count() == statuses(answers)[201] <= 1
    assert (statuses(answers)[201] == 0) is (statuses(answers)[204] > 0)


def test_deleting_a_quiz_while_it_is_started(clients, quiz, enrolled, teacher):
    """The foreign key: it is gone, or it stays with the attempt."""
    each = clients(enrolled, teacher)
    url = attempts_url(quiz)

    answers = at_once(
        TIMES,
        lambda number: each[number].delete(url.removesuffix("attempts/")) if number % 2 else each[number].post(url),
    )

    assert set(statuses(answers)) <= {200, 201, 204, 404, 409}
    assert Quiz.objects.count() == Attempt.objects.count() == statuses(answers)[201] <= 1
    assert (statuses(answers)[201] == 0) is (statuses(answers)[204] > 0)


def test_reminding(assignment, course, enrolled):
    """Every reminder has a key, and exists once."""
    people = [enrolled, *(EnrollmentFactory(course=course).user for _ in range(4))]
    Assignment.objects.update(due_at=timezone.now() + timedelta(hours=3))

    at_once(4, lambda number: remind_due_assignments())

    assert [told(person, "due_soon") for person in people] == [1] * len(people)


# --- Completing ------------------------------------------------------------------------------------------------------


def test_completing_the_last_lesson(clients, course, lesson, enrolled):
    """One completion of the lesson (a unique constraint)."""
    complete(enrolled, *course.lessons.exclude(pk=lesson.pk))
    each = clients(enrolled)

    answers = at_once(TIMES, lambda number: each[number].post(f"/api/lessons/{lesson.pk}/complete/"))

    assert statuses(answers) == {200: TIMES}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["completed_at"]
    check_completed(course, enrolled)


def test_completing_when_nothing_is_left_to_do(course, enrolled, all_meet, monkeypatch):
    """The enrollment's lock: whoever finds the course finished first completes it, and nobody else."""
    complete(enrolled, *course.lessons.all())
    issued = []
    real = certificates.issue
    monkeypatch.setattr(certificates, "issue", lambda **names: issued.append(names) or real(**names))
    all_meet(progress, "complete_if_finished")
    monkeypatch.setattr(progress, "CHECK_LEASE", timedelta(days=-1))  # nobody is kept from looking
    look_for_completed(course.pk)

    at_once(TIMES, lambda number: complete_finished_enrollments(str(course.pk)))

    assert len(issued) == 1
    check_completed(course, enrolled)


def test_two_last_things_at_once(
    clients, course, lesson, assignment, final, enrolled, teacher, sign_in_as, monkeypatch
):
    """The enrollment's lock: a lesson, a grade and the final quiz are each the last one, and one of them sees it."""
    students = [enrolled, *(EnrollmentFactory(course=course).user for _ in range(4))]
    for person in students:
        complete(person, *course.lessons.exclude(pk=lesson.pk))
    work = [SubmissionFactory(assignment=assignment, student=person) for person in students]
    tries = [opened(final, person) for person in students]
    each = clients(*students)
    teachers = [sign_in_as(teacher) for _ in students]
    # Each has done their part, and committed nothing, before the three go on to see whether the course is finished.
    barriers = {person.pk: threading.Barrier(3) for person in students}
    real = progress.complete_if_finished

    def complete_if_finished(*, student, course):
        barriers[student.pk].wait(timeout=20)
        real(student=student, course=course)

    monkeypatch.setattr(progress, "complete_if_finished", complete_if_finished)

    def call(number):
        place, thing = number % 5, number // 5
        if thing == 0:
            return each[number].post(f"/api/lessons/{lesson.pk}/complete/")
        if thing == 1:
            return teachers[place].post(f"{submissions_url(assignment)}{work[place].pk}/grade/", {"score": 5})
        return each[number].post(f"{attempts_url(final)}{tries[place].pk}/submit/")

    answers = at_once(15, call)

    assert statuses(answers) == {200: 15}
    check_completed(course, *students)


def test_completing_while_the_teacher_issues_the_certificate(clients, course, lesson, enrolled, teacher):
    """One valid certificate (a unique constraint); that the teacher was faster keeps nobody from completing."""
    complete(enrolled, *course.lessons.exclude(pk=lesson.pk))
    each = clients(enrolled, teacher)
    body = {"student": str(enrolled.pk), "course": str(course.pk)}

    answers = at_once(
        TIMES,
        lambda number: (
            each[number].post(CERTIFICATES, body)
            if number % 2
            else each[number].post(f"/api/lessons/{lesson.pk}/complete/")
        ),
    )

    assert statuses(answers[::2]) == {200: TIMES // 2}
    assert set(statuses(answers[1::2])) <= {201, 409}
    check_completed(course, enrolled)


def test_completing_what_has_its_certificate_already(client_for, course, lesson, enrolled):
    """The same, one after the other."""
    complete(enrolled, *course.lessons.exclude(pk=lesson.pk))
    certificates.issue(student=enrolled, course=course)

    answer = client_for("enrolled").post(f"/api/lessons/{lesson.pk}/complete/")

    assert answer.status_code == 200, answer.json()
    check_completed(course, enrolled)


def test_positions_of_a_lesson(clients, lesson, enrolled):
    """One row (a unique constraint), which the completion shares."""
    each = clients(enrolled)

    answers = at_once(
        TIMES,
        lambda number: (
            each[number].put(f"/api/lessons/{lesson.pk}/position/", {"position_seconds": number})
            if number % 2
            else each[number].post(f"/api/lessons/{lesson.pk}/complete/")
        ),
    )

    assert statuses(answers) == {200: TIMES}
    assert LessonCompletion.objects.get().completed_at is not None
    assert LessonCompletion.objects.get().position_seconds % 2


# --- Certificates ----------------------------------------------------------------------------------------------------


def test_issuing(clients, course, enrolled, teacher):
    """One valid certificate (a unique constraint), whose error is an answer."""
    each = clients(teacher)
    body = {"student": str(enrolled.pk), "course": str(course.pk)}

    answers = at_once(TIMES, lambda number: each[number].post(CERTIFICATES, body))

    assert statuses(answers) == {201: 1, 409: TIMES - 1}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_issued"}
    assert Certificate.objects.count() == told(enrolled, "certificate_issued") == 1


def test_revoking(clients, course, enrolled, teacher):
    """A conditional update: the first reason stands."""
    certificate = CertificateFactory(student=enrolled, course=course)
    each = clients(teacher)

    answers = at_once(
        TIMES,
        lambda number: each[number].put(f"{CERTIFICATES}{certificate.pk}/", {"revocation_reason": f"No. {number}"}),
    )

    assert statuses(answers) == {200: TIMES}
    assert len({answer.content for answer in answers}) == 1


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_the_final_quiz(clients, course, teacher):
    """One a course (a unique constraint), whose error is an answer."""
    each = clients(teacher)

    answers = at_once(
        TIMES,
        lambda number: each[number].post(f"/api/courses/{course.pk}/quizzes/", {"title": "Final", "is_final": True}),
    )

    assert statuses(answers)[201] == 1
    assert set(statuses(answers)) <= {201, 400, 409}
    assert Quiz.objects.count() == 1


def test_writing_questions(clients, quiz, teacher):
    """The quiz's lock: those of one writer are asked, whole."""
    each = clients(teacher)

    def call(number):
        texts = [f"{number}: {place}" for place in range(2)]
        questions = [{"kind": "number", "text": text, "correct_number": 1} for text in texts]
        return each[number].patch(f"/api/courses/{quiz.course_id}/quizzes/{quiz.pk}/", {"questions": questions})

    answers = at_once(TIMES, call)

    assert statuses(answers) == {200: TIMES}
    writers = [text.split(":")[0] for text in quiz.questions.current().values_list("text", flat=True)]
    assert len(writers) == 2
    assert len(set(writers)) == 1


def test_starting_while_questions_are_replaced(clients, quiz, enrolled, teacher, monkeypatch):
    """The quiz's lock: what an attempt is being made of is not deleted before the attempt is there."""
    student, author = clients(enrolled, teacher)[:2]
    url = f"/api/courses/{quiz.course_id}/quizzes/{quiz.pk}/"
    body = {"questions": [{"kind": "number", "text": "New", "correct_number": 1}]}
    real, others = attempts._layout, []

    def layout(*args, **kwargs):
        writer = threading.Thread(target=lambda: others.append(author.patch(url, body).status_code))
        writer.start()
        writer.join(timeout=0.5)  # as far as it gets
        threads.append(writer)
        return real(*args, **kwargs)

    threads = []
    monkeypatch.setattr(attempts, "_layout", layout)

    started = student.post(f"{url}attempts/")
    threads[0].join(timeout=20)

    assert (started.status_code, others) == (201, [200])
    assert student.get(f"{url}attempts/{started.json()['id']}/").json()["questions"] == started.json()["questions"]


def test_commenting(clients, assignment, enrolled, teacher):
    """Each is heard, and its student told once of each."""
    work = SubmissionFactory(assignment=assignment, student=enrolled)
    each = clients(teacher)
    url = f"{submissions_url(assignment)}{work.pk}/comments/"

    answers = at_once(TIMES, lambda number: each[number].post(url, {"text": str(number)}))

    assert statuses(answers) == {201: TIMES}
    assert Comment.objects.count() == told(enrolled, "comment_added") == TIMES


@pytest.fixture
def targets(course, lesson, assignment, quiz, teacher):
    """What a teacher changes and deletes, with its address."""
    comment = CommentFactory(lesson=lesson, author=teacher)
    base = f"/api/courses/{course.pk}/"
    return {
        "comment": (comment, f"{base}lessons/{lesson.pk}/comments/{comment.pk}/", {"text": "New"}),
        "assignment": (assignment, f"{base}lessons/{lesson.pk}/assignments/{assignment.pk}/", {"title": "New"}),
        "quiz": (quiz, f"{base}quizzes/{quiz.pk}/", {"title": "New"}),
    }


@pytest.mark.parametrize("what", ["comment", "assignment", "quiz"])
def test_changing_while_deleting(clients, targets, teacher, what):
    """Whoever is too late finds nothing."""
    row, url, body = targets[what]
    each = clients(teacher)

    answers = at_once(TIMES, lambda number: each[number].delete(url) if number % 2 else each[number].patch(url, body))

    assert set(statuses(answers)) <= {200, 204, 404}
    assert not type(row).objects.exists()


@pytest.mark.parametrize("what", ["comment", "assignment", "quiz"])
def test_deleting_while_it_is_changed(clients, targets, teacher, monkeypatch, what):
    """The row's lock: it is not deleted under the hands of whoever saves."""
    row, url, body = targets[what]
    each = clients(teacher)
    is_held, is_deleted = threading.Event(), threading.Event()
    real = ModelSerializer.run_validation

    def run_validation(serializer, *args):
        is_held.set()
        is_deleted.wait(timeout=0.5)  # time to be overtaken, if nothing holds the other one back
        return real(serializer, *args)

    monkeypatch.setattr(ModelSerializer, "run_validation", run_validation)

    def call(number):
        if number == 0:
            return each[0].patch(url, body)
        is_held.wait(timeout=10)
        answer = each[1].delete(url)
        is_deleted.set()
        return answer

    answers = at_once(2, call)

    assert [answer.status_code for answer in answers] == [200, 204]
    assert not type(row).objects.exists()


@pytest.mark.parametrize(
    ("what", "first", "second", "answered"),
    [
        ("comment", {"text": "A"}, {"text": "B"}, 200),
        ("assignment", {"title": "A"}, {"description": "B"}, 200),
        ("quiz", {"title": "A"}, {"description": "B"}, 200),
        # What is left to judge it by is what the first has written.
        ("assignment", {"grade": 90}, {"max_score": 50}, 400),
        ("submission", {"grade": 90}, {"text": "B"}, 409),
    ],
    ids=str,
)
def test_two_writes_in_hand(
    clients, targets, assignment, enrolled, teacher, monkeypatch, what, first, second, answered
):
    """The row's lock is taken before a write is judged: whoever comes second is judged by what the first has left."""
    work = SubmissionFactory(assignment=assignment, student=enrolled)
    row, url, _body = targets[what] if what != "submission" else (work, f"{submissions_url(assignment)}{work.pk}/", {})
    each = clients(teacher)
    second_client = clients(enrolled)[0] if what == "submission" else each[1]
    is_saving, has_come = threading.Event(), threading.Event()
    save = Model.save

    def slow_save(self, *args, **kwargs):
        if not is_saving.is_set():
            is_saving.set()
            has_come.wait(timeout=0.5)  # the second has time to read what is about to change
        return save(self, *args, **kwargs)

    monkeypatch.setattr(Model, "save", slow_save)

    def call(number):
        if number == 0:
            if "grade" in first:
                return each[0].post(f"{submissions_url(assignment)}{work.pk}/grade/", {"score": first["grade"]})
            return each[0].patch(url, first)
        is_saving.wait(timeout=10)
        answer = second_client.put(url, second) if what == "submission" else second_client.patch(url, second)
        has_come.set()
        return answer

    answers = at_once(2, call)

    assert [answer.status_code for answer in answers] == [200, answered]
    row.refresh_from_db()
    written = {**first, **second} if answered == 200 else {}
    assert {name: getattr(row, name) for name in written} == written


@pytest.mark.parametrize("what", ["comment", "assignment", "quiz"])
def test_changing_what_has_just_been_deleted(client_for, targets, monkeypatch, what):
    """Between being asked for and being found."""
    row, url, body = targets[what]
    real = writing.lock

    def lock(rows):
        type(row).objects.filter(pk=row.pk).delete()
        real(rows)

    monkeypatch.setattr(writing, "lock", lock)

    assert client_for("teacher").patch(url, body).status_code == 404


def test_commenting_on_what_is_taken_back(clients, assignment, enrolled, teacher):
    """Comments go with the work."""
    work = SubmissionFactory(assignment=assignment, student=enrolled)
    each = clients(enrolled, teacher)
    url = f"{submissions_url(assignment)}{work.pk}/"

    answers = at_once(
        TIMES,
        lambda number: (
            each[number].post(f"{url}comments/", {"text": "Well"}) if number % 2 else each[number].delete(url)
        ),
    )

    assert set(statuses(answers)) <= {201, 204, 404, 409}
