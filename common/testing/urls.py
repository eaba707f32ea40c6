"""Every route of the URLconf, generated from it, with something in the place of each of its parameters."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

ID = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
PARAMETER = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:(\w+):)?(\w+)>")


def routes() -> dict[str, Any]:
    """Path → view class or function, of all that is no page of the admin; parameters as in `{name}`."""
    return {path: view for path, view in _below(get_resolver()) if not path.startswith("/admin/")}


def filled(path: str, **values: Any) -> str:
    """The path with these values, and an id that nothing has for the rest."""
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], ID)), path)


def _below(resolver: Any, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _below(pattern, route)
        elif isinstance(pattern, URLPattern):
            path = PARAMETER.sub(lambda match: f"{{{match[1] or match[3]}}}", route)
            path = path.replace("\\Z", "").replace("$", "").replace("\\", "")
            if "{format}" not in path:
                view = pattern.callback
                yield path, getattr(view, "cls", getattr(view, "view_class", view))
