"""`make translations`: gathers texts from code and templates into the Russian catalogue, and compiles it; `--check`
fails if a text is missing from it, has no translation, or the compiled file is out of date. Needs no GNU gettext."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

APPS = ("common", "users", "materials", "payments", "assignments", "community", "config")
PO = Path("common/locale/ru/LC_MESSAGES/django.po")
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_lazy": None, "ngettext_lazy": (1, 2), "pgettext_lazy": ((1, "c"), 2)}


def main() -> int:
    gathered = Catalog(locale="ru", charset="utf-8", fuzzy=False, project="Lyceum", version="1")
    for source, line, message, context in sorted(_messages(), key=lambda found: (str(found[0]), found[1])):
        gathered.add(message, locations=[(source.as_posix(), line)], context=context)
    catalog = (
        _read()
        if PO.exists()
        else Catalog(locale="ru", charset="utf-8", fuzzy=False, header_comment="# Russian texts of Lyceum.")
    )
    if "--check" in sys.argv:
        return _check(gathered, catalog)
    catalog.update(gathered, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, catalog, width=120, include_lineno=False, omit_header=False)
    PO.with_suffix(".mo").write_bytes(_compiled(_read()))
    missing = [message.id for message in catalog if message.id and not _is_translated(message.string)]
    print(f"{len(catalog)} texts, {len(missing)} without a translation")
    return 0


def _messages() -> Iterator[tuple[Path, int, object, str | None]]:
    """(file, line, text or (singular, plural), context) of every text in the apps."""
    from django.utils.translation.template import templatize

    for app in APPS:
        for path in Path(app).rglob("*.py"):
            if not {"tests", "testing", "migrations", "stand_in"} & set(path.parts):
                yield from _extract(path, path.read_bytes())
        for path in (*Path(app).rglob("templates/**/*.html"), *Path(app).rglob("templates/**/*.txt")):
            yield from _extract(path, templatize(path.read_text()).encode())


def _extract(path: Path, source: bytes) -> Iterator[tuple[Path, int, object, str | None]]:
    for line, message, _comments, context in extract("python", io.BytesIO(source), KEYWORDS):
        yield path, line, message, context


def _read() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="ru")


def _compiled(catalog: Catalog) -> bytes:
    target = io.BytesIO()
    write_mo(target, catalog)
    return target.getvalue()


def _is_translated(translation: object) -> bool:
    return all(translation) if isinstance(translation, tuple) else bool(translation)


def _check(gathered: Catalog, catalog: Catalog) -> int:
    problems = []
    for message in gathered:
        known = catalog.get(message.id, message.context) if message.id else None
        if message.id and (known is None or not _is_translated(known.string)):
            problems.append(f"not translated: {message.id!r}")
        elif known is not None and list(known.check()):
            problems.append(f"placeholders differ: {message.id!r}")
    if not problems and PO.with_suffix(".mo").read_bytes() != _compiled(catalog):
        problems.append("django.mo is out of date: run make translations")
    print("\n".join(problems) or "All texts are translated.")
    return 1 if problems else 0


if __name__ == "__main__":
    import django.conf

    django.conf.settings.configure()
    sys.exit(main())
