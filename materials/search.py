"""Full-text search over courses: word forms of Russian and English, one typo forgiven, on every database alike.

A text is cut into words and each word into its stem (Snowball), so that what is stored and what is asked for meet. On
PostgreSQL the stems live in a tsvector under a GIN index, elsewhere in a text column.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from threading import Lock
from typing import Any

import snowballstemmer
from django.db import models
from django.db.models.lookups import Lookup

from common.text import plain, visible

WORD = re.compile(r"[^\W_]+(?:[+#]+)?")
MAX_WORD = 40
# More words than this in one query add cost and no meaning.
MAX_QUERY_WORDS = 8
# A word shorter than this is never taken for a misspelt one: too much is one letter away from it.
MIN_TYPO_WORD = 4


STEMMERS = {"ru": snowballstemmer.stemmer("russian"), "en": snowballstemmer.stemmer("english")}
# A stemmer keeps the word that it works on in itself: one thread at a time.
STEMMING = Lock()


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    with STEMMING:
        return STEMMERS["ru" if re.search("[а-я]", word) else "en"].stemWord(word)


def words(text: str) -> list[str]:
    """The words in the one spelling that is compared: "Ёлки & PYTHON" → ["елки", "python"]."""
    spelt = visible(plain(text)).lower().replace("ё", "е")
    return [word[:MAX_WORD] for word in WORD.findall(spelt)]


def deletions(term: str) -> set[str]:
    """The term and everything that remains of it with one letter left out.

    Two words that differ by one edit (a letter more, less, other, or two swapped) share a deletion: looking these up
    finds misspelt words by an index alone (the symmetric-delete method).
    """
    return {term} | {term[:i] + term[i + 1 :] for i in range(len(term))}


def is_one_edit_away(a: str, b: str) -> bool:
    """Optimal string alignment distance of at most 1."""
    if a == b:
        return True
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])
    )


class TermsField(models.TextField):
    """Stems, written as text separated by blanks; on PostgreSQL a tsvector, which a migration puts under an index."""

    def db_type(self, connection: Any) -> str | None:
        return "tsvector" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        # Not to_tsvector, which would cut the terms up again by rules of its own: "c#" and "c++" are no "c".
        postgresql = "array_to_tsvector(string_to_array(trim(%s), ' '))"
        return postgresql if connection.vendor == "postgresql" else "%s"

    def get_prep_value(self, value: Any) -> str:
        # A blank on either side of every term lets LIKE '% term %' find whole terms.
        return f" {' '.join(value.split())} "


@TermsField.register_lookup
class Matches(Lookup):
    """Every group of the query has a term in the text: [["pyton", "python"], ["основ"]] → (pyton | python) & основ."""

    lookup_name = "matches"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        clause = f"({column} LIKE %s ESCAPE '!')"
        groups = [" OR ".join([clause] * len(group)) for group in self.rhs]
        escaped = [
            f"% {term.replace('!', '!!').replace('%', '!%').replace('_', '!_')} %"
            for group in self.rhs
            for term in group
        ]
        return " AND ".join(f"({group})" for group in groups), (*params, *escaped)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        query = " & ".join(f"({' | '.join(_quoted(term) for term in group)})" for group in self.rhs)
        return f"{column} @@ %s::tsquery", (*params, query)


def query_words(text: str) -> list[str]:
    return list(dict.fromkeys(words(text)))[:MAX_QUERY_WORDS]


def query_deletions(text: str) -> set[str]:
    """What to look up in the vocabulary for `query_groups`."""
    return {deletion for word in query_words(text) for deletion in deletions(word) | deletions(stem(word))}


def query_groups(text: str, known: Iterable[tuple[str, str]]) -> list[list[str]]:
    """For each word of the query the stems that it may stand for: its own, or those of known words one typo away.

    `known` are (deletion, word) pairs of the vocabulary for the query's own deletions. The vocabulary holds words as
    they were written, for a typo in an ending, and their stems, for a typo in another form of the word.
    """
    candidates: dict[str, set[str]] = {}
    for deletion, word in known:
        candidates.setdefault(deletion, set()).add(word)
    groups = []
    for word in query_words(text):
        own = stem(word)
        near = {found for deletion in deletions(word) | deletions(own) for found in candidates.get(deletion, ())}
        meant: set[str] = set()
        if own not in near and len(word) >= MIN_TYPO_WORD:
            meant |= {stem(found) for found in near if is_one_edit_away(word, found)}
            meant |= {form for found in near if is_one_edit_away(own, found) for form in (found, stem(found))}
        groups.append([own, *sorted(meant - {own})])
    return groups


def _quoted(term: str) -> str:
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"
