from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from common import frontend
from common.demo import delete_demo_rows, demo_id, demo_rows, other_rows, save_demo_rows, save_picture
from materials.demo.content import CATEGORIES, read_courses
from materials.demo.learning import load_learning
from materials.demo.pictures import draw_cover
from materials.indexing import delete_entry, index_course
from materials.models import (
    Category,
    Course,
    CourseSearch,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    Subscription,
)
from materials.models.content import next_order
from materials.services import refresh_rating
from users.models import Notification, User


def strangers() -> dict[str, int]:
    return {"courses": other_rows(Course).count()}


def clear() -> None:
    for model in (LessonCompletion, LessonAccess, Enrollment, Review, Subscription):
        delete_demo_rows(model)
    delete_demo_rows(Lesson)
    # The entry of a course that stays is written anew by the load.
    for course_id in demo_rows(Course).values_list("pk", flat=True):
        delete_entry(course_id)
    CourseSearch.objects.filter(course__in=demo_rows(Course)).delete()
    delete_demo_rows(Course)
    delete_demo_rows(Category)


def load(people: dict[str, User]) -> dict[str, int]:
    now = timezone.now()
    written = read_courses()
    categories = load_categories(now)
    courses = {key: build_course(key, data, people, categories, now) for key, data in written.items()}
    for key, course in courses.items():
        course.preview = save_picture(f"public/courses/{course.pk}.webp", draw_cover(**written[key]["picture"]))
    save_demo_rows(list(courses.values()), overwrite=True)
    lessons = {key: build_lessons(key, courses[key], data["lessons"]) for key, data in written.items()}
    make_room(lessons)
    save_demo_rows([lesson for of_course in lessons.values() for lesson in of_course], overwrite=True)
    load_learning(people, courses, lessons, written, now)
    tell_student(people["student"], courses, now)
    for course in courses.values():
        count(course)
        index_course(course.pk)
    return {"courses": len(courses), "lessons": sum(map(len, lessons.values()))}


def load_categories(now: datetime) -> dict[str, Category]:
    """The categories by slug; one that somebody else has made under the same slug serves as well."""
    save_demo_rows(
        [
            Category(
                id=demo_id("category", slug), slug=slug, title=title, order=order, created_at=now - timedelta(days=400)
            )
            for order, (slug, title) in enumerate(CATEGORIES.items(), start=1)
        ]
    )
    return {category.slug: category for category in Category.objects.filter(slug__in=CATEGORIES)}


def build_course(
    key: str, data: dict[str, Any], people: dict[str, User], categories: dict[str, Category], now: datetime
) -> Course:
    created_at = now - timedelta(days=data["days_ago"], hours=3)
    is_draft = data.get("status") == Course.Status.DRAFT
    owner = people[data["owner"]]
    return Course(
        id=demo_id("course", key),
        owner=owner,
        title=data["title"],
        description=data["description"].strip(),
        category=categories[data["category"]],
        level=data["level"],
        language=data.get("language", "ru"),
        price=Decimal(data.get("price", 0)),
        currency=data.get("currency", "RUB"),
        status=data.get("status", Course.Status.PUBLISHED),
        certificate_enabled=owner.role != User.Role.STUDENT,
        sequential=data.get("sequential", False),
        access_days=data.get("access_days"),
        published_at=None if is_draft else created_at + timedelta(days=1),
        created_at=created_at,
        updated_at=created_at + timedelta(days=data["days_ago"] // 2),
    )


def build_lessons(key: str, course: Course, written: list[dict[str, Any]]) -> list[Lesson]:
    return [
        Lesson(
            id=demo_id("lesson", key, str(order)),
            course=course,
            owner=course.owner,
            title=data["title"],
            description=data["description"],
            body=data["body"].strip() + "\n",
            video_url=data.get("video", ""),
            order=order,
            price=Decimal(data.get("price", 0)),
            is_preview=order == 1,
            duration_seconds=data["minutes"] * 60,
            created_at=course.created_at + timedelta(hours=order),
        )
        for order, data in enumerate(written, start=1)
    ]


def make_room(lessons: dict[str, list[Lesson]]) -> None:
    """Lessons that somebody has added to a course of the demo since go behind those of the demo."""
    for of_course in lessons.values():
        course = of_course[0].course
        for added in other_rows(Lesson).filter(course=course, order__lte=len(of_course)).order_by("order"):
            place = max(next_order(course), len(of_course) + 1)
            Lesson.objects.filter(pk=added.pk).update(order=place)


def count(course: Course) -> None:
    """Brings what the course knows of its rows in line with them."""
    Course.objects.filter(pk=course.pk).update(
        lesson_count=course.lessons.count(), enrollment_count=course.enrollments.count()
    )
    refresh_rating(course)


def tell_student(student: User, courses: dict[str, Course], now: datetime) -> None:
    """Notifications of what has happened, read and unread."""
    kinds = Notification.Kind
    told = [
        ("enrolled", kinds.ENROLLED, "git", 12, "Вы записаны на курс «{}»",
         "Курс «{}» открыт. Начните с первого урока: он занимает четверть часа."),
        ("updated", kinds.COURSE_UPDATED, "sql", 2, "Курс «{}» обновился",
         "Что нового в курсе «{}»:\n\n• Изменён урок: оконные функции — добавлены примеры с накопительным итогом."),
        ("sale", kinds.ANNOUNCEMENT, "python", 1, "Новый набор на «{}»",
         "Открыт курс «{}». Первый урок можно посмотреть бесплатно."),
    ]  # fmt: skip
    rows = []
    for name, kind, key, days, subject, message in told:
        course = courses[key]
        created_at = now - timedelta(days=days, hours=2)
        is_read = days > 7
        rows.append(
            Notification(
                id=demo_id("notification", name, "student"),
                recipient=student,
                kind=kind,
                subject=subject.format(course.title),
                message=message.format(course.title),
                url=frontend.course(course.pk),
                is_read=is_read,
                read_at=created_at + timedelta(hours=1) if is_read else None,
                email_status=Notification.EmailStatus.NONE,
                dedup_key=f"demo:{name}",
                created_at=created_at,
            )
        )
    save_demo_rows(rows)
