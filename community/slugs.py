"""Addresses of posts: words of the title in Latin letters, Cyrillic ones transliterated (a link stays readable wherever
it is pasted)."""

import re
import unicodedata

MAX_SLUG = 120
SLUG_PATTERN = "[a-z0-9]+(?:-[a-z0-9]+)*"
# Routes that stand beside the posts.
RESERVED = {"feed"}

LATIN = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
        "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
        "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu",
        "я": "ya", "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ў": "u",
    }
)  # fmt: skip


def slug_of(title: str) -> str:
    """ "Ёлки & Python 3" → "elki-python-3"; empty for a title without a letter of these alphabets or a digit."""
    latin = unicodedata.normalize("NFC", title.lower()).translate(LATIN)
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
    words = re.findall("[a-z0-9]+", plain)
    # Room for a number at the end; no word is cut unless it is the first.
    while len(words) > 1 and len("-".join(words)) > MAX_SLUG - 20:
        words.pop()
    return "-".join(words)[: MAX_SLUG - 20]
