"""CSV for spreadsheets: nothing that people have written is calculated there."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

# Excel takes a file without this mark for one in the system's own alphabet.
BOM = "\ufeff"

# What a spreadsheet takes for a formula at the beginning of a cell (OWASP on CSV injection, full-width letters too). In
# countries where columns are separated by semicolons or tabs, a cell also begins after one of those.
FORMULA = re.compile(r"""^(?=[\t\r\n]|\s*[=+\-@|%＝＋－＠])|(?<=[;\t\r\n])(?=[\s"]*[=+\-@|%＝＋－＠])""")


def csv_line(cells: Iterable[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([_harmless(cell) for cell in cells])
    return written.getvalue()


def _harmless(cell: Any) -> Any:
    """With an apostrophe before whatever would be calculated: it is shown instead."""
    return FORMULA.sub("'", cell) if isinstance(cell, str) else cell
