"""Whether the link of a notification leads to something that its recipient may open at this moment: what was open when
it was written may have been taken back since (`common.registry.link_checks`)."""

import re
from collections.abc import Iterable
from uuid import UUID

from common import frontend
from common.ids import UUID_PATTERN
from materials import access
from materials.models import Course
from users.models import Notification

PATH = re.compile(
    rf"/courses/(?P<course>{UUID_PATTERN})"
    rf"(/lessons/(?P<lesson>{UUID_PATTERN})(/assignments/{UUID_PATTERN})?(?P<own>/submissions/{UUID_PATTERN})?)?/?"
)


def closed_links(notifications: Iterable[Notification]) -> set[UUID]:
    """Those that lead to a course that their recipient does not see, or to a lesson that is closed to them. One's own
    work stays readable when access has run out."""
    courses: dict[UUID, access.Pair] = {}
    lessons: dict[UUID, access.Pair] = {}
    own: dict[UUID, access.Pair] = {}
    for notification in notifications:
        match = PATH.fullmatch(notification.url.removeprefix(frontend.home()))
        if match is None:
            continue
        target = courses if match["lesson"] is None else own if match["own"] else lessons
        target[notification.pk] = notification.recipient_id, UUID(match["lesson"] or match["course"])
    return (
        _without(courses, _seen(courses, {each.recipient_id for each in notifications if each.recipient.is_active}))
        | _without(lessons, access.openable(lessons.values()) if lessons else set())
        | _without(own, access.openable(own.values(), ignoring=access.READING_OWN_WORK) if own else set())
    )


def _seen(courses: dict[UUID, access.Pair], active: set[UUID]) -> set[access.Pair]:
    """What is published is seen by all: letters about it go out by the thousand, for one query."""
    wanted = {pair for pair in courses.values() if pair[0] in active}
    published = Course.objects.filter(pk__in={course for _user, course in wanted}, status=Course.Status.PUBLISHED)
    ids = set(published.values_list("pk", flat=True)) if wanted else set()
    others = {pair for pair in wanted if pair[1] not in ids}
    return (wanted - others) | (access.seen_courses(others) if others else set())


def _without(pairs: dict[UUID, access.Pair], open_to: set[access.Pair]) -> set[UUID]:
    return {pk for pk, pair in pairs.items() if pair not in open_to}
