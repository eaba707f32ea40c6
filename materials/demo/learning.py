"""Who studies the demo's courses, how far they have come, and what they say. A few on purpose, the crowd by chance."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from common.demo import demo_id, demo_rows, save_demo_rows
from materials.models import Course, Enrollment, Lesson, LessonAccess, LessonCompletion, Review, Subscription
from users.models import User

Sources, Statuses = Enrollment.Source, Enrollment.Status


class Study(NamedTuple):
    person: str
    course: str
    days_ago: int  # when it began
    done: int  # lessons
    status: str | None = None  # None: what follows from the rest
    finished_days_ago: int = 1  # the last lesson, if there is one


ALL = 99
CAST = [
    Study("student", "git", 12, 2),
    Study("student", "sql", 25, 3),
    Study("student2", "finance", 40, ALL, finished_days_ago=5),
    Study("student2", "data", 18, 2),
    Study("olga", "english", 205, 4, finished_days_ago=60),  # past the 180 days
    Study("kirill", "web", 55, 1, Statuses.REVOKED),  # the money went back, and so did that of the next three
    Study("vera", "design", 45, 2, Statuses.REVOKED),
    Study("gleb", "python", 38, 1, Statuses.REVOKED),
    Study("artem", "ml", 28, 2, Statuses.REVOKED),
    Study("ruslan", "algorithms", 150, ALL, finished_days_ago=110),
    Study("daria", "web", 70, ALL, finished_days_ago=8),
]
# (person, course, place of the lesson, days ago): one lesson, without the course.
BOUGHT_LESSONS = [
    ("zoya", "python", 6, 20),
    ("vera", "python", 6, 14),
    ("kirill", "sql", 5, 30),
    ("lidia", "sql", 5, 9),
    ("maxim", "data", 3, 33),
]
# Who has nothing but unpaid attempts there, so that they are no longer students of it by chance.
NOT_ENROLLED = {("polina", "python"), ("alina", "design"), ("nikita", "data"), ("ruslan", "web"), ("lidia", "python")}
CROWD = [
    "olga", "nikita", "daria", "artem", "polina", "maxim", "alina", "kirill", "vera", "ruslan", "zoya", "gleb", "lidia",
]  # fmt: skip
SUBSCRIBED = [("student", "python"), ("student", "sql"), ("student2", "data"), ("student2", "finance")]


def load_learning(
    people: dict[str, User],
    courses: dict[str, Course],
    lessons: dict[str, list[Lesson]],
    written: dict[str, dict[str, Any]],
    now: datetime,
) -> None:
    chance = Random(2026)
    studies = [*CAST, *choose_crowd(courses, lessons, written, chance)]
    enrollments = {study: build_enrollment(study, people, courses, lessons, now) for study in studies}
    save_demo_rows(list(enrollments.values()))
    # One may be missing, where somebody has come to the same course by themselves since.
    present = set(demo_rows(Enrollment).values_list("pk", flat=True))
    enrollments = {study: enrollment for study, enrollment in enrollments.items() if enrollment.pk in present}
    save_demo_rows(
        [
            completion
            for study, enrollment in enrollments.items()
            for completion in build_completions(study, enrollment, lessons[study.course], now)
        ]
    )
    save_demo_rows(
        [
            LessonAccess(
                id=demo_id("lesson access", person, course),
                user=people[person],
                lesson=lessons[course][place - 1],
                source=Sources.PAYMENT,
                created_at=now - timedelta(days=days, hours=4),
            )
            for person, course, place, days in BOUGHT_LESSONS
        ]
    )
    save_demo_rows(list(build_reviews(enrollments, written, now, chance)))
    followed = [
        *SUBSCRIBED,
        *((s.person, s.course) for s in enrollments if s.person in CROWD and chance.random() < 0.4),
    ]
    save_demo_rows(
        [
            Subscription(
                id=demo_id("subscription", person, course),
                user=people[person],
                course=courses[course],
                created_at=now - timedelta(days=chance.randrange(1, 20)),
            )
            for person, course in followed
        ]
    )


def choose_crowd(
    courses: dict[str, Course], lessons: dict[str, list[Lesson]], written: dict[str, dict[str, Any]], chance: Random
) -> Iterator[Study]:
    taken = NOT_ENROLLED | {(study.person, study.course) for study in CAST}
    taken |= {(person, course) for person, course, _place, _days in BOUGHT_LESSONS}
    for key, data in written.items():
        free = [person for person in CROWD if (person, key) not in taken]
        for person in chance.sample(free, data.get("popularity", 0)):
            # Nobody begins an archived course any more.
            latest = 100 if courses[key].status == Course.Status.ARCHIVED else 2
            days_ago = chance.randrange(latest, data["days_ago"] - 3)
            done = min(chance.randrange(len(lessons[key]) + 2), len(lessons[key]))
            yield Study(person, key, days_ago, done, finished_days_ago=chance.randrange(days_ago))


def build_enrollment(
    study: Study, people: dict[str, User], courses: dict[str, Course], lessons: dict[str, list[Lesson]], now: datetime
) -> Enrollment:
    course = courses[study.course]
    created_at = now - timedelta(days=study.days_ago, hours=len(study.person))
    expires_at = created_at + timedelta(days=course.access_days) if course.access_days else None
    is_completed = study.done >= len(lessons[study.course])
    status = study.status or Statuses.ACTIVE
    if is_completed:
        status = Statuses.COMPLETED
    elif expires_at is not None and expires_at <= now:
        status = Statuses.EXPIRED
    finished_at = now - timedelta(days=study.finished_days_ago)
    return Enrollment(
        id=demo_id("enrollment", study.person, study.course),
        user=people[study.person],
        course=course,
        source=Sources.FREE if course.is_free else Sources.PAYMENT,
        status=status,
        completed_at=finished_at if is_completed else None,
        expires_at=expires_at,
        created_at=created_at,
        updated_at=finished_at if study.done else created_at,
    )


def build_completions(
    study: Study, enrollment: Enrollment, lessons: list[Lesson], now: datetime
) -> Iterator[LessonCompletion]:
    """What is done, evenly from the beginning to the last one; of the next lesson a third has been seen."""
    done = lessons[: study.done]
    finished_at = now - timedelta(days=study.finished_days_ago)
    for number, lesson in enumerate(lessons[: study.done + 1], start=1):
        is_done = number <= len(done)
        moment = enrollment.created_at + (finished_at - enrollment.created_at) * min(1, number / max(1, len(done)))
        yield LessonCompletion(
            id=demo_id("completion", study.person, study.course, str(number)),
            enrollment=enrollment,
            lesson=lesson,
            completed_at=moment if is_done else None,
            position_seconds=lesson.duration_seconds if is_done else lesson.duration_seconds // 3,
            created_at=moment,
        )


def build_reviews(
    enrollments: dict[Study, Enrollment], written: dict[str, dict[str, Any]], now: datetime, chance: Random
) -> Iterator[Review]:
    """Each course's reviews, by those who have come furthest."""
    for key, data in written.items():
        students = [
            (study, enrollment)
            for study, enrollment in enrollments.items()
            if study.course == key and study.done and enrollment.status != Statuses.REVOKED and study.person in CROWD
        ]
        students.sort(key=lambda pair: -pair[0].done)
        for (study, enrollment), (rating, text) in zip(students, data.get("reviews", []), strict=False):
            since = enrollment.created_at + (now - enrollment.created_at) * (0.3 + 0.6 * chance.random())
            yield Review(
                id=demo_id("review", study.person, key),
                course=enrollment.course,
                author=enrollment.user,
                rating=rating,
                text=text,
                created_at=since,
            )
