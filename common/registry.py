"""Where each app registers its part of what gathers from every app. Nothing else goes through here.

An app registers in its AppConfig.ready(); whoever gathers calls every part in the order of INSTALLED_APPS.
"""

from collections.abc import Callable
from typing import Any

Part = Callable[..., Any]


class Registry:
    """An ordered list of parts, all called with the same arguments."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def register(self, part: Part) -> Part:
        self.parts.append(part)
        return part

    def call_each(self, *args: Any, **kwargs: Any) -> list[Any]:
        return [part(*args, **kwargs) for part in self.parts]


# (user) -> None, inside the transaction that anonymises the user.
anonymisers = Registry()
# (user) -> None, inside the transaction that changes a name or handle of the user, anonymising too, after it is saved.
renamed = Registry()
# (user) -> dict[str, dict | QuerySet]: what the app holds on the user, for the file that they may ask for: one row, or
# a queryset of rows as dicts. Names do not repeat between apps; nobody else's data is in it.
exports = Registry()
# (request | None) -> Serializer: the app's members of the dashboard; without a request, their shape alone.
dashboards = Registry()
# () -> dict[str, Field]: what the app adds to the profile that people read of themselves, and admins of anybody: fields
# that read a user. Profiles in lists are without them.
profile_fields = Registry()
# (user) -> dict[str, expression]: what the dashboard counts, as subqueries: one query counts for every app.
counters = Registry()
# (request | None) -> Serializer: what the caller has authored in the app beside courses; without a request, its shape.
authored = Registry()
# (user, courses=[ids] or lessons=[ids]) -> dict[id, list[dict]]: what the app adds to outlines (kind, id, title,
# due_at, is_final, state), by the id of the lesson, or of the course, that it belongs to. `materials.outline` reads it.
outline_items = Registry()
# (notifications) -> the ids of those that lead nowhere by now: to what their recipient may not open, or has done.
link_checks = Registry()
# (people: dict[str, User]) -> dict[str, int]: creates the app's demo data and says how many rows of what. The part of
# `users` fills `people`, those after it look people up there: people["student"].
demo_loaders = Registry()
# () -> None: deletes the app's demo data; called in reverse order of the loaders.
demo_clearers = Registry()
# () -> dict[str, int]: how many rows of what the app holds that are not the demo's. Any of them stops the demo.
demo_strangers = Registry()
