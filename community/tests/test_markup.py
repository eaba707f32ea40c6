"""What becomes of the Markdown of a post."""

import re
import time
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from community import markup
from community.markup import ATTRIBUTES, TAGS, render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<IMG SRC=javascript:alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<math><mtext></mtext><mglyph><style><img src onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<form action=//evil.test><input name=password>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<object data=//evil.test></object><embed src=//evil.test>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![x](https://a.test/"onerror="alert(1))',
    '[x](https://a.test "onmouseover=alert(1)")',
    "[x]: javascript:alert(1)\n\n[x]",
    "[x][y]\n\n[y]: <javascript:alert(1)>",
    '```"><script>alert(1)</script>\ncode\n```',
    "```x onclick=alert(1)\ncode\n```",
    "``<script>alert(1)</script>``",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <script>alert(1)</script>",
    "> <iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='https://a.test' target=_blank rel=opener style='position:fixed'>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>alert(1)\\</script>",
]


class Reader(HTMLParser):
    """What a browser would make of it: the tags, and their attributes."""

    def __init__(self, html):
        super().__init__()
        self.seen = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def check(html):
    assert "<!" not in html
    for tag, attrs in Reader(html).seen:
        assert tag in TAGS
        assert set(attrs) <= ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
        for name in {"href", "src"} & set(attrs):
            assert re.match(r"(https?|mailto):|[^:]*\Z", attrs[name] or ""), attrs
        assert "class" not in attrs or attrs["class"].startswith("language-")


@pytest.mark.parametrize("payload", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "text {} text", "- {}", "**{}**"])
def test_nothing_that_runs_comes_out(payload, around):
    check(render(around.format(payload)))


@pytest.mark.parametrize("payload", HOSTILE)
def test_the_sanitiser_needs_no_help_of_the_parser(payload, monkeypatch):
    credulous = MarkdownIt("commonmark", {"html": True})
    monkeypatch.setattr(credulous, "validateLink", lambda url: True)
    monkeypatch.setattr(markup, "PARSER", credulous)

    check(render.__wrapped__(payload))


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**bold** *em* ~~gone~~", "<p><strong>bold</strong> <em>em</em> <s>gone</s></p>\n"),
        ("# Title", "<h1>Title</h1>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>\n'),
        ("```python\nx < 1\n```", '<pre><code class="language-python">x &lt; 1\n</code></pre>\n'),
        (
            "[x](https://a.test/?a=1&b=2)",
            '<p><a href="https://a.test/?a=1&amp;b=2" rel="nofollow noopener">x</a></p>\n',
        ),
        ("[x](/courses/1/)", '<p><a href="/courses/1/" rel="nofollow noopener">x</a></p>\n'),
        ("<mailto:a@b.test>", '<p><a href="mailto:a@b.test" rel="nofollow noopener">mailto:a@b.test</a></p>\n'),
        ("![x](https://a.test/x.png)", '<p><img src="https://a.test/x.png" alt="x"></p>\n'),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("", ""),
    ],
)
def test_markdown(markdown, html):
    assert render(markdown) == html


def test_a_table():
    html = render("| a | b |\n|:--|--:|\n| 1 | 2 |")

    assert "<th>a</th>" in html
    assert "<td>2</td>" in html
    assert "style" not in html


@pytest.mark.parametrize(
    "text", ["[" * 20_000, ">" * 20_000, "*a_" * 7_000, "`" * 20_000, "![](" * 5_000, "<" * 20_000, "- " * 10_000]
)
def test_no_text_takes_long(text):
    started = time.monotonic()
    render(text)

    assert time.monotonic() - started < 5
