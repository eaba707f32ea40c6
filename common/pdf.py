"""What the PDFs of every app share: the fonts, lines that fit, and the answer that carries one."""

from functools import lru_cache
from pathlib import Path

from django.http import HttpResponse
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FONTS = Path(__file__).parent / "fonts"  # PT Serif: Latin and Cyrillic; its licence lies beside it
REGULAR, ITALIC, BOLD = "PTSerif", "PTSerif-Italic", "PTSerif-Bold"


@lru_cache(maxsize=1)
def register_fonts() -> None:
    for name, file in ((REGULAR, "PTF55F.ttf"), (ITALIC, "PTF56F.ttf"), (BOLD, "PTF75F.ttf")):
        pdfmetrics.registerFont(TTFont(name, FONTS / file))


def broken(text: str, font: str, size: float, width: float) -> list[str]:
    """The text in lines of at most this width, broken between words, or within one that is too long by itself."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pdfmetrics.stringWidth(longer, font, size) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if pdfmetrics.stringWidth(lines[-1] + letter, font, size) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def pdf_response(name: str, content: bytes) -> HttpResponse:
    """For browsers to show. Whoever keeps it gets it under this name, in which no character needs quoting."""
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )
