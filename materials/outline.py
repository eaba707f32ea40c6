"""What stands in the outline of a course beside its lessons: their assignments and quizzes, which other apps add
(`common.registry.outline_items`)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from common.registry import outline_items
from materials.models import Course, Lesson
from materials.models.content import Viewer


def set_course_items(user: Viewer, course: Course) -> None:
    """Sets `items` on the course and on each lesson of its `outline`: the same few queries, however many there are."""
    found = _found(user, courses=[course.pk])
    course.items = found[course.pk]
    for lesson in course.outline:
        lesson.items = found[lesson.pk]


def set_lesson_items(user: Viewer, lessons: Iterable[Lesson]) -> None:
    """Sets `items` on lessons taken by themselves."""
    wanted = list(lessons)
    found = _found(user, lessons=[lesson.pk for lesson in wanted])
    for lesson in wanted:
        lesson.items = found[lesson.pk]


def _found(user: Viewer, **where: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for part in outline_items.call_each(user, **where):
        for place, items in part.items():
            found[place] += items
    return found
