"""How much a test of a promise does: a little in every run, in full where `PROMISES=full` is set, and with
`PROMISES=part` an eighth of that: what CI does beside the suite, with other seeds each time."""

import os


def size(small: int, full: int) -> int:
    how_much = os.environ.get("PROMISES")
    return full if how_much == "full" else small + (full - small) // 8 if how_much == "part" else small
