"""The demo's work: assignments, what was handed in, quizzes, attempts, certificates, comments. Who has come how far is
what `materials.demo` says; this part fills it in so that it agrees."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from django.utils import timezone

from assignments import grading
from assignments.models import (
    WORK_FIELDS,
    Answer,
    Assignment,
    Attempt,
    Certificate,
    Choice,
    Comment,
    Question,
    Quiz,
    Submission,
    SubmissionVersion,
)
from assignments.services.certificates import final_score
from common.demo import delete_demo_rows, demo_id, demo_rows, other_rows, save_demo_rows
from materials.models import Course, Enrollment, Lesson, LessonCompletion
from users.models import User


class Work(NamedTuple):
    course: str
    place: int  # of the lesson
    title: str
    description: str
    due_in_days: int | None = None
    max_score: int = 100
    penalty: int = 0


WORK = [
    Work("python", 3, "Калькулятор скидок", "Напишите программу, которая спрашивает сумму покупки и печатает скидку: "
         "до 1 000 ₽ — ничего, до 5 000 ₽ — 5 %, дальше — 10 %. Пришлите текст программы.", penalty=5),
    Work("python", 6, "Функция для учёта расходов", "Напишите функцию `total(expenses, category)`, которая складывает "
         "расходы одной категории. Не забудьте про пустой список.", due_in_days=20, penalty=10),
    Work("sql", 2, "Кто не платил", "Найдите клиентов без единого заказа. Пришлите запрос и объясните, почему в нём "
         "`IS NULL`, а не `= NULL`."),
    Work("sql", 3, "Отчёт по заказам", "Соедините заказы, клиентов и товары в один отчёт: кто, что и на какую сумму "
         "купил за последний месяц.", due_in_days=2, penalty=10),
]  # fmt: skip

# Questions: (kind, text, points, key, explanation); the key of a choice begins with the right ones, after a bar come
# the wrong ones; that of a number is the number and its tolerance.
QUIZZES: dict[str, dict[str, Any]] = {
    "finance": {
        "title": "Итоговый тест: личные финансы",
        "description": "Двадцать минут, три попытки. После каждой видно, где ошибка.",
        "allowed_attempts": 3,
        "time_limit_minutes": 20,
        "show_correct_answers": True,
        "questions": [
            ("single", "Сколько месяцев расходов обычно советуют держать в подушке безопасности?", 1,
             "От трёх до шести | Полмесяца; Двадцать лет",
             "Этого хватает, чтобы найти работу или пережить болезнь без долгов."),
            ("multiple", "Что из этого — постоянные расходы?", 2,
             "Аренда жилья; Оплата связи | Билет в театр; Подарок другу",
             "Постоянные расходы повторяются каждый месяц и почти не меняются."),
            ("text", "Как называется процент, который начисляется и на проценты?", 1,
             "сложный; сложный процент; compound", "Сложный процент работает и на вас, и против вас."),
            ("number", "На счёте 100 000 ₽ под 10 % годовых. Сколько рублей процентов набежит за год?", 1,
             "10000 1", "100 000 × 0,10 = 10 000."),
        ],
    },
    "python": {
        "title": "Итоговый тест: основы Python",
        "description": "Проверим, что осталось в голове. Вопросы каждый раз в новом порядке.",
        "allowed_attempts": 2,
        "time_limit_minutes": 30,
        "shuffle": True,
        "questions": [
            ("single", "Что напечатает `print(7 // 2)`?", 1, "3 | 3.5; 4", "Две черты — деление без остатка."),
            ("multiple", "Какие из этих типов можно изменять на месте?", 2, "list; dict | str; tuple",
             "Строки и кортежи неизменяемы."),
            ("text", "Какое ключевое слово начинает определение функции?", 1, "def", "def имя(параметры):"),
            ("number", "Чему равен `len([1, [2, 3], 4])`?", 1, "3 0", "Вложенный список — один элемент."),
        ],
    },
}  # fmt: skip

REMARKS = ["Хорошо. В следующий раз назовите переменные понятнее.", "Отлично, особенно проверка крайних случаев.",
           "Работает, но второй цикл лишний.", "Всё верно."]  # fmt: skip
TEXTS = ["Сделал так, как в уроке, и добавил проверку на пустой ввод.", "Моё решение во вложенном тексте ниже.",
         "Получилось не сразу, но теперь работает."]  # fmt: skip
COMMENTS = [
    ("python", 1, "olga", "А можно писать программы прямо в браузере?", 20),
    ("python", 1, "teacher", "Да, для первых уроков этого достаточно.", 19),
    ("python", 3, "nikita", "Наконец-то понял, чем `elif` лучше лесенки из `if`.", 6),
]


def strangers() -> dict[str, int]:
    models = {"submissions": Submission, "attempts": Attempt, "certificates": Certificate}
    return {name: other_rows(model).count() for name, model in models.items()}


def clear() -> None:
    for model in (
        Certificate,
        Comment,
        SubmissionVersion,
        Submission,
        Assignment,
        Answer,
        Attempt,
        Choice,
        Question,
        Quiz,
    ):
        delete_demo_rows(model)


def load(people: dict[str, User]) -> dict[str, int]:
    now, chance = timezone.now(), Random(7)
    names = {user.pk: name for name, user in people.items()}
    enrollments = list(
        demo_rows(Enrollment).exclude(status=Enrollment.Status.REVOKED).select_related("course__owner", "user")
    )
    assignments = {work: build_assignment(work, now) for work in WORK}
    save_demo_rows(list(assignments.values()), overwrite=True)
    submissions, earlier = [], []
    for work, assignment in assignments.items():
        for versions in build_submissions(work, assignment, enrollments, names, now, chance):
            *replaced, standing = versions
            submissions.append(standing)
            earlier += [build_earlier(standing, version) for version in replaced]
    save_demo_rows(submissions)
    save_demo_rows(earlier)
    for key, written in QUIZZES.items():
        load_quiz(key, written, enrollments, now, chance)
    certificates = [build_certificate(enrollment) for enrollment in enrollments if enrollment.completed_at]
    certificates = [certificate for certificate in certificates if certificate is not None]
    save_demo_rows(certificates)
    save_demo_rows(build_comments(people, submissions, now))
    return {"assignments": len(assignments), "submissions": len(submissions), "certificates": len(certificates)}


def build_assignment(work: Work, now: datetime) -> Assignment:
    lesson = Lesson.objects.get(pk=demo_id("lesson", work.course, str(work.place)))
    due_at = None
    if work.due_in_days is not None:
        evening = timezone.localtime(now).replace(hour=21, minute=0, second=0, microsecond=0)
        due_at = evening + timedelta(days=work.due_in_days)
    return Assignment(
        id=demo_id("assignment", work.course, str(work.place)),
        lesson=lesson,
        title=work.title,
        description=work.description,
        due_at=due_at,
        max_score=work.max_score,
        late_penalty_percent_per_day=work.penalty,
        created_at=lesson.created_at,
    )


def build_submissions(
    work: Work,
    assignment: Assignment,
    enrollments: list[Enrollment],
    names: dict[Any, str],
    now: datetime,
    chance: Random,
) -> Iterator[list[Submission]]:
    """The versions of each submission. Those who have completed the lesson have handed something in; for a completed
    course all of it is graded."""
    completions = LessonCompletion.objects.filter(lesson=assignment.lesson, completed_at__isnull=False)
    done = dict(completions.values_list("enrollment_id", "completed_at"))
    for enrollment in sorted(enrollments, key=lambda one: one.pk):
        if enrollment.pk not in done or (names[enrollment.user_id] == "student" and work.due_in_days):
            continue
        statuses = Submission.Status
        states = [statuses.GRADED, statuses.GRADED, statuses.SUBMITTED, statuses.RETURNED]
        last = statuses.GRADED if enrollment.completed_at else chance.choice(states)
        first_at = min(done[enrollment.pk] + timedelta(hours=2), now - timedelta(hours=6))
        tries = [(last, first_at)]
        if names[enrollment.user_id] == "student":  # the second try of somebody to look at
            tries = [(statuses.RETURNED, first_at), (statuses.GRADED, first_at + timedelta(hours=4))]
        versions = []
        for version, (status, moment) in enumerate(tries, start=1):
            is_graded = status == statuses.GRADED
            score = Decimal(chance.randrange(70, 101)) if is_graded else None
            looked_at = moment + timedelta(hours=1) if status != statuses.SUBMITTED else None
            versions.append(
                Submission(
                    id=demo_id("submission", str(assignment.pk), names[enrollment.user_id]),
                    assignment=assignment,
                    student=enrollment.user,
                    version=version,
                    text=chance.choice(TEXTS),
                    status=status,
                    raw_score=score,
                    score=score,
                    feedback=chance.choice(REMARKS) if is_graded else "Проверьте крайние случаи." if looked_at else "",
                    submitted_at=moment,
                    graded_at=looked_at,
                    graded_by=enrollment.course.owner if looked_at else None,
                    created_at=first_at,
                )
            )
        yield versions


def build_earlier(submission: Submission, version: Submission) -> SubmissionVersion:
    return SubmissionVersion(
        id=demo_id("version", str(submission.pk), str(version.version)),
        submission=submission,
        created_at=version.submitted_at,
        **{name: getattr(version, name) for name in WORK_FIELDS},
    )


# --- Quizzes ---------------------------------------------------------------------------------------------------------


def load_quiz(key: str, written: dict[str, Any], enrollments: list[Enrollment], now: datetime, chance: Random) -> None:
    course = Course.objects.get(pk=demo_id("course", key))
    fields = {name: value for name, value in written.items() if name != "questions"}
    quiz = Quiz(
        id=demo_id("quiz", key), course=course, is_final=True, passing_score=60, created_at=course.created_at, **fields
    )
    save_demo_rows([quiz], overwrite=True)
    questions, choices = [], []
    for order, (kind, text, points, answer, explanation) in enumerate(written["questions"]):
        question = Question(
            id=demo_id("question", key, str(order)), quiz=quiz, kind=kind, text=text, points=points, order=order,
            explanation=explanation, created_at=course.created_at,
        )  # fmt: skip
        questions.append(question)
        if kind == Question.Kind.TEXT:
            question.accepted_answers = answer.split("; ")
        elif kind == Question.Kind.NUMBER:
            question.correct_number, question.tolerance = map(Decimal, answer.split())
        else:
            right, wrong = (part.strip().split("; ") for part in answer.split("|"))
            choices += [
                Choice(
                    id=demo_id("choice", key, str(order), str(place)), question=question, text=option,
                    is_correct=place < len(right), order=(place * 2 + 1) % 5, created_at=course.created_at,
                )
                for place, option in enumerate([*right, *wrong])
            ]  # fmt: skip
    save_demo_rows(questions, overwrite=True)
    save_demo_rows(choices, overwrite=True)
    for enrollment in enrollments:
        if enrollment.course_id == course.pk and enrollment.completed_at:
            load_attempts(quiz, enrollment, questions, choices, chance)


def load_attempts(
    quiz: Quiz, enrollment: Enrollment, questions: list[Question], choices: list[Choice], chance: Random
) -> None:
    """A passed attempt on the day of completion; for some a failed one before."""
    of_question = {question.pk: [choice for choice in choices if choice.question is question] for question in questions}
    layout = [
        {"question": str(question.pk), "choices": [str(choice.pk) for choice in of_question[question.pk]]}
        for question in questions
    ]
    mistakes = [3, chance.randrange(2)] if chance.random() < 0.4 else [chance.randrange(2)]
    for number, wrong in enumerate(mistakes, start=1):
        submitted_at = enrollment.completed_at - timedelta(hours=3 * (len(mistakes) - number))
        attempt = Attempt(
            id=demo_id("attempt", str(enrollment.pk), str(number)), quiz=quiz, student=enrollment.user, number=number,
            layout=layout, started_at=submitted_at - timedelta(minutes=9), submitted_at=submitted_at,
            expires_at=submitted_at + timedelta(minutes=11), state=Attempt.State.SUBMITTED,
            max_points=sum(question.points for question in questions), created_at=submitted_at,
        )  # fmt: skip
        answers = [
            build_answer(attempt, question, of_question[question.pk], is_right=place >= wrong)
            for place, question in enumerate(chance.sample(questions, len(questions)))
        ]
        attempt.points = sum((answer.points for answer in answers), Decimal(0))
        attempt.score = grading.percent(attempt.points, Decimal(attempt.max_points))
        attempt.passed = attempt.score >= 60
        save_demo_rows([attempt])
        save_demo_rows(answers)


def build_answer(attempt: Attempt, question: Question, choices: list[Choice], *, is_right: bool) -> Answer:
    kinds = Question.Kind
    picked = [str(choice.pk) for choice in choices if choice.is_correct == is_right]
    return Answer(
        id=demo_id("answer", str(attempt.pk), str(question.pk)),
        attempt=attempt,
        question=question,
        chosen=picked[:1] if question.kind == kinds.SINGLE else picked,
        text=(question.accepted_answers[0] if is_right else "не помню") if question.kind == kinds.TEXT else "",
        number=(question.correct_number if is_right else 0) if question.kind == kinds.NUMBER else None,
        is_correct=is_right,
        points=Decimal(question.points) if is_right else Decimal(0),
        created_at=attempt.submitted_at,
    )


def build_certificate(enrollment: Enrollment) -> Certificate | None:
    course = enrollment.course
    if not course.gives_certificate:
        return None
    return Certificate(
        id=demo_id("certificate", str(enrollment.pk)),
        student=enrollment.user,
        course=course,
        student_name=enrollment.user.full_name,
        course_title=course.title,
        language=course.language,
        score=final_score(student=enrollment.user, course=course),
        issued_at=enrollment.completed_at,
        created_at=enrollment.completed_at,
    )


def build_comments(people: dict[str, User], submissions: list[Submission], now: datetime) -> list[Comment]:
    said = [
        Comment(
            id=demo_id("comment", course, str(place), who),
            author=people[who],
            lesson_id=demo_id("lesson", course, str(place)),
            text=text,
            created_at=now - timedelta(days=days),
        )
        for course, place, who, text, days in COMMENTS
    ]
    returned = [submission for submission in submissions if submission.status == Submission.Status.RETURNED]
    return said + [
        Comment(
            id=demo_id("comment", str(submission.pk)),
            author=submission.assignment.lesson.course.owner,
            submission=submission,
            text="Посмотрите, что будет с пустым списком.",
            created_at=submission.graded_at,
        )
        for submission in returned[:5]
    ]
