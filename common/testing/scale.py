"""How much a test of a promise does: a little in every run, and in full where `PROMISES=full` is set."""

import os


def size(small: int, full: int) -> int:
    return full if os.environ.get("PROMISES") == "full" else small
