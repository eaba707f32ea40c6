"""Markdown as HTML that is safe to show: no raw HTML comes in, and nothing that runs comes out."""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

# Raw HTML is text. What the parser lets through all the same, the sanitiser takes out.
PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}, "code": {"class"}}


@lru_cache(maxsize=256)
def render(markdown: str) -> str:
    """Rendered when it is read, not when it is written: what a later sanitiser takes out is gone from old texts too."""
    return nh3.clean(
        PARSER.render(markdown),
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """Of classes only the language of a block of code."""
    is_language = re.fullmatch(r"language-[\w+#.-]{1,40}", value)
    return value if name != "class" or is_language else None
