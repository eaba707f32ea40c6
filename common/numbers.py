"""Numbers as people write them: `−1 234,5` is -1234.5."""

from common.text import plain, visible

_SIGNS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
# The decimal comma, and the Arabic one. An Arabic mark of thousands, and what nobody sees, go as spaces do.
_MARKS = {ord(","): ".", 0x066B: "."} | dict.fromkeys([0x066C, 0x200B, 0x2060, 0xFEFF])
_WRITTEN = str.maketrans({**_SIGNS, **_MARKS})


def read_number(text: str) -> str:
    """The number in digits, point and sign, for `Decimal` to read. What is no number comes out as none.

    Both comma and point (`1,234.5`) are no number: which of the two is decimal differs from land to land.
    """
    written = "".join(visible(plain(text)).split())
    return written if "," in written and "." in written else written.translate(_WRITTEN)
