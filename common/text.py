"""Text that people enter, in one normal form: what looks the same is the same, whatever keyboard or system wrote it.

Everything that comes in by the API, the admin pages or an address passes here (`common.serializers`, `common.forms`,
`common.filters`), so that comparisons further in need not think of it.
"""

import re
import unicodedata
from functools import lru_cache

# Seen by nobody, and no part of any word: zero-width spaces, joiners and marks of direction, byte order marks, fillers.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b"
    "\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u2800\u3164\ufe0e\ufe0f\ufeff\uffa0"
)
# Of these, what means something within a word (Persian, emoji, hyphenation, direction) goes at neither end.
_AT_THE_ENDS = "\u200b\u2060\u180e\ufeff"
_SPACES = "".join(map(chr, [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
                            0x202F, 0x205F, 0x3000]))  # fmt: skip
_NOTHING = dict.fromkeys(map(ord, INVISIBLE))
# Signs that keyboards and word processors write for one another.
_SIGNS = dict.fromkeys(map(ord, "\u2010\u2011"), "-") | dict.fromkeys(map(ord, "\u2018\u2019\u02bc"), "'")
_STRIPPED = _SPACES + _AT_THE_ENDS
_UNSEEN = _SPACES + INVISIBLE

# No letter beyond it is a mark, or stands for another.
LAST_CODE = 0x2FFFF

# Unicode's own form for streams (UAX 15, "Stream-Safe Text"): at most so many marks on one letter, then a joiner. Marks
# are sorted as they are normalised, in a time that grows with the square of their number.
MAX_MARKS = 30
GRAPHEME_JOINER = "\u034f"


def normalised(text: str) -> str:
    """The text in NFC, without byte order marks. Takes time in proportion to its length, whatever it holds."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _with_few_marks(text)).replace("\ufeff", "")


def trimmed(text: str) -> str:
    """Without spaces of any kind and what is invisible at its ends; nothing at all of a text that shows nothing."""
    text = text.strip(_STRIPPED)
    return text if text.strip(_UNSEEN) else ""


def visible(text: str) -> str:
    """Without what nobody sees: marks of direction, joiners, soft hyphens. For comparisons alone: within a word some of
    them mean something to its readers."""
    return text if text.isascii() else text.translate(_NOTHING)


def folded(text: str, *, keep_yo: bool = False) -> str:
    """For comparisons: in lower case, ё as е (unless it is kept), runs of spaces as one, letters of compatibility as
    the plain ones."""
    small = visible(plain(text)).translate(_SIGNS).casefold()
    return " ".join((small if keep_yo else small.replace("ё", "е")).split())


def plain(text: str) -> str:
    """The text in NFC, with letters that stand for others for compatibility (full-width, ligatures, in circles) as
    those others. Unlike NFKC it hardly grows: what stands for whole words is left alone."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _with_few_marks(text).translate(_compatible()))


def _with_few_marks(text: str) -> str:
    return _many_marks().sub(lambda run: run.group() + GRAPHEME_JOINER, text)


@lru_cache(maxsize=1)
def _many_marks() -> re.Pattern[str]:
    marks = "".join(_ranges([code for code in range(LAST_CODE + 1) if unicodedata.combining(chr(code))]))
    return re.compile(f"[{marks}]{{{MAX_MARKS}}}(?=[{marks}])")


def _ranges(codes: list[int]) -> list[str]:
    found: list[list[int]] = []
    for code in codes:
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [f"\\U{first:08x}-\\U{last:08x}" for first, last in found]


@lru_cache(maxsize=1)
def _compatible() -> dict[int, str]:
    longest = 6
    table = {}
    for code in range(LAST_CODE + 1):
        letter = chr(code)
        if unicodedata.decomposition(letter).startswith("<"):
            other = unicodedata.normalize("NFKC", letter)
            if len(other) <= longest:
                table[code] = other
    return table
