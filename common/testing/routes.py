"""Every address of the API, for tests that walk over all of them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import get_resolver

# By which word of a path stands whose id.
WORDS = {
    "courses": "course", "lessons": "lesson", "quizzes": "quiz", "attempts": "attempt", "comments": "comment",
    "assignments": "assignment", "submissions": "submission", "notifications": "notification", "users": "user",
    "certificates": "certificate", "conversations": "conversation", "reviews": "review", "payments": "payment",
}  # fmt: skip


def routes() -> list[str]:
    """Every route under /api/, as a template of its parameters."""
    found: Any = get_resolver().reverse_dict
    templates = set()
    for name in found:
        for possibilities, *_rest in found.getlist(name):
            templates |= {template for template, _params in possibilities if template.startswith("api/")}
    return sorted(templates)


def paths(ids: Mapping[str, Any]) -> Iterator[str]:
    """The routes filled in with ids: `quizzes/%(pk)s/` with that of `quiz`. Routes of what there is none of are left
    out."""
    for template in routes():
        filled = re.sub(
            r"(\w+)/%\(\w+\)s", lambda found: f"{found[1]}/{ids.get(WORDS.get(found[1], ''), '%(unknown)s')}", template
        )
        if "%(" not in filled:
            yield filled
