"""Links in what authors write: videos and playlists on YouTube, and nothing else."""

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit, urlunsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.text import plain

YOUTUBE_HOSTS = {
    "youtube.com",
    "www.youtube.com",
    "m.youtube.com",
    "music.youtube.com",
    "youtu.be",
    "youtube-nocookie.com",
    "www.youtube-nocookie.com",
}
# YouTube promises no length for its ids; today a video's has 11 characters.
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
# A page of YouTube that plays one video, with the video's id as the path's last part.
VIDEO_PATHS = {"embed", "shorts", "live", "v"}

# Courses on programming are full of names with dots: `node.js`, `self.app`, `logger.info(x)`, `rect.width/2`. So a bare
# host needs one of these endings to be taken for a link …
COMMON_ENDINGS = "com net org biz ru рф su by kz ua"
# … or one of these and a path behind it. Endings that are names of attributes or files rather (id, name, top; md, py,
# rs, sh) are left out.
ENDINGS_WITH_PATH = """
    ac ad ae af ag ai al am ao ar at au az ba bb bd be bf bg bh bi bj bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck
    cl cm cn co cr cu cv cy cz de dj dk dm do dz ec ee eg es et eu fi fj fm fo fr ga gd ge gg gh gi gl gm gn gp gr gt
    gy hk hn hr ht hu ie il im in io iq ir is it je jm jo jp ke kg kh ki kr kw ky kz la lb lc li lk lr ls lt lu lv ly
    ma mc me mg mk ml mn mo mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pm pr
    pt pw qa re ro ru rw sa sb sc sd se sg si sk sl sm sn sr st su sv sy sz tc td tf tg th tj tk tl tm tn to tr tt tv
    tw tz ua ug uk us uy uz va vc ve vg vi vn vu ws ye yt za zm zw app biz blog cafe chat click cloud club com design
    dev digital edu fun gov guru info ink int live lol mil mobi net ninja online org pub rocks school shop site social
    solutions space store studio tech tel tools travel tube vip website wiki wtf xyz zone xn--[a-z0-9-]+ рф рус бел
    укр онлайн сайт москва дети орг ком
"""
# Names of things that look like hosts.
NOT_HOSTS = {"asp.net", "ado.net", "vb.net", "ml.net", "json.net", "system.net", "java.net", "self.net", "socket.io"}

# Anything that a browser, a mail program or a Markdown renderer would take for a link to somewhere. A link in text ends
# at these characters; whatever they cut off stands behind the host, which alone decides.
LINK = re.compile(
    r"""
      [a-z][a-z0-9+.-]{0,30} : (?: // | (?<! \b \w : ) [/\\]{2} ) (?: \[ REST* \]? )? REST*  # scheme://, not C:\\
    | (?<! [\w.$] ) https? : [/\\]? [^\W_] REST*                                    # http:host, http:/host
    | (?<! [\w.$-] ) (?: javascript | vbscript ) : (?= \S{0,99} [(=/%`\\&;] ) REST*
    | (?<! [\w.$-] ) (?: data:[a-z]+/ | mailto:[^\s@]{1,99}@ | tel:\+?\d ) REST*
    | (?<! [\w:/\\] ) // (?: [\w-]{1,63} \. )+ (?: WITH_PATH ) (?! [\w-] ) REST*    # //host.tld
    | (?<! [\w:/\\] ) // (?: \d{1,3} \. ){3} \d{1,3} (?! [\w-] ) REST*
    | (?<! [^\W_] ) (?<! [@.-] ) www \. REST+
    | < (?: (?: ftp | tg | sms | skype | viber | whatsapp | intent | blob | file | data | javascript | vbscript ) :
          (?! : ) [^\s<>]* | https? : [^\s<>]* ) >
    | (?<! [\w@.-] ) (?! (?: self | this | cls ) \. ) (?: [\w-]{1,63} \. )+ (?: WITH_PATH ) (?: :\d{1,5} )? / REST+
    | (?<! [\w@.-] ) (?: [\w-]{1,63} \. )+ (?: COMMON ) (?: (?: :\d | [/?\#] ) REST* | (?! [\w(=\[@-] | \.\w | \s*= ) )
    """.replace("REST", r"""[^\s<>"'`()|\[\]«»“”„]""")
    .replace("WITH_PATH", "|".join(ENDINGS_WITH_PATH.split()))
    .replace("COMMON", "|".join(COMMON_ENDINGS.split())),
    re.IGNORECASE | re.VERBOSE,
)
# The places of Markdown and HTML that hold a link's target and nothing else.
TARGET = re.compile(
    r"""
    (?: \] \( \s* | ^ (?: [ ]{0,3} (?: > | [-*+] | \d{1,3}[.)] ) [ ]? ){0,4} [ ]{0,3} \[ [^\]]{1,200} \] : \s* )
        (?: < ([^<>\n]*) > | ([^\s()<>]+) )
    | \b (?: href | src | srcset | action | formaction | poster | ping ) \s* = \s*
        (?: "([^"]*)" | '([^']*)' | ([^\s"'<>]+) )
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# A target that leaves this site: with a scheme, or with two slashes of either kind.
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]+:(?!:)|[/\\]{2}", re.IGNORECASE)

BELOW_BLANK = "".join(map(chr, range(33)))
ESCAPED_IN_MARKDOWN = re.compile(r"\\([!-/:-@\[-`{-~])")
ENTITY = re.compile(r"&(?:#\d{1,20};?|#x[0-9a-f]{1,20};?|\w{1,31};)", re.IGNORECASE)


def normalise_youtube_url(raw: str) -> str:
    """The https address of a video or playlist on YouTube.

    Raises ValidationError with code `not_youtube` for every other text. The address is parsed, never matched as text:
    the host that counts is the one that a browser would open.
    """
    refusal = ValidationError(_("Only a video or playlist on YouTube can be linked here."), code="not_youtube")
    # urlsplit drops tabs and newlines silently, and browsers read a backslash as a slash.
    if any(c.isspace() or ord(c) < 32 or ord(c) == 127 or c == "\\" for c in raw) or not raw.isascii():
        raise refusal
    try:
        url = urlsplit(raw)
        port = url.port
    except ValueError:
        raise refusal from None
    standard_port = port in {None, 443 if url.scheme == "https" else 80}
    has_credentials = "@" in url.netloc
    if url.scheme not in {"http", "https"} or url.hostname not in YOUTUBE_HOSTS or has_credentials or not standard_port:
        raise refusal
    if not _names_a_video_or_playlist(url.hostname, url.path, url.query):
        raise refusal
    return urlunsplit(("https", url.hostname, url.path, url.query, url.fragment))


def _names_a_video_or_playlist(host: str, path: str, query: str) -> bool:
    parts = [part for part in path.split("/") if part]
    try:
        values = parse_qs(query, max_num_fields=50)
    except ValueError:
        return False
    video, playlist = values.get("v", [""])[0], values.get("list", [""])[0]
    if host == "youtu.be":
        return len(parts) == 1 and bool(YOUTUBE_ID.match(parts[0]))
    if parts == ["watch"]:
        return bool(YOUTUBE_ID.match(video))
    if parts in (["playlist"], ["embed", "videoseries"]):
        return bool(YOUTUBE_ID.match(playlist))
    return len(parts) == 2 and parts[0] in VIDEO_PATHS and bool(YOUTUBE_ID.match(parts[1]))


def find_foreign_link(text: str) -> str | None:
    """The first link in the text that does not lead to a video or playlist on YouTube."""
    return next((link for link in _links(text) if not _leads_to_youtube(link)), None)


def _links(text: str) -> Iterator[str]:
    """Everything in the text that someone may take for a link; more than one reader's understanding of it."""
    # As it is written, and as it reads once Markdown's escapes, HTML's entities and look-alikes of ASCII are resolved.
    resolved = ENTITY.sub(lambda entity: html.unescape(entity.group()), ESCAPED_IN_MARKDOWN.sub(r"\1", text))
    for reading in dict.fromkeys([text, plain(resolved).replace("。", ".")]):
        for match in TARGET.finditer(reading):
            # Browsers ignore tabs and newlines in a target, and control characters before it.
            target = re.sub(r"[\t\r\n]", "", next(filter(None, match.groups()), "")).lstrip(BELOW_BLANK)
            if ABSOLUTE.match(target):
                yield target
        for match in LINK.finditer(reading):
            link = match.group().strip("<>").rstrip(".,;:!?*_~…—–")
            if link.lower() not in NOT_HOSTS:
                yield link


def _leads_to_youtube(link: str) -> bool:
    has_scheme = re.match(r"[a-z0-9]+://", link, re.IGNORECASE)
    try:
        normalise_youtube_url(link if has_scheme else f"https://{link.removeprefix('//')}")
    except ValidationError:
        return False
    return True


def validate_no_foreign_links(text: str) -> None:
    """Raises ValidationError, code `foreign_link`, that names the first link that is not to YouTube."""
    link = find_foreign_link(text)
    if link:
        raise ValidationError(
            _("Only links to YouTube are allowed; this one is not: %(link)s"),
            code="foreign_link",
            params={"link": link[:200]},
        )
