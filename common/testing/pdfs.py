"""Reading PDFs of ours."""

import io

from pypdf import PdfReader


def lines_of(document: bytes) -> list[str]:
    """What a PDF of one page reads, piece by piece in the order in which they were drawn."""
    (page,) = PdfReader(io.BytesIO(document)).pages
    return [line.strip() for line in page.extract_text().splitlines() if line.strip()]
