"""A certificate as a PDF."""

import io
from decimal import Decimal

from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from assignments.models import Certificate
from common.pdf import BOLD, ITALIC, REGULAR, broken, draw_text, register_fonts

INK, QUIET, ACCENT, GOLD, PAPER = map(HexColor, ("#1d2333", "#5c6579", "#27408b", "#b08d3c", "#fdfcf8"))
WIDTH, HEIGHT = landscape(A4)
MIDDLE = WIDTH / 2
TEXT_WIDTH = WIDTH - 80 * mm


def render_certificate(certificate: Certificate) -> bytes:
    """The PDF, one landscape A4 page in the certificate's own language. The same certificate gives the same bytes."""
    register_fonts()
    written = io.BytesIO()
    with translation.override(certificate.language):
        canvas = Canvas(written, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1)
        canvas.setTitle(f"{_('Certificate')} {certificate.number}")
        canvas.setAuthor("Lyceum")
        canvas.setSubject(certificate.course_title)
        _draw_frame(canvas)
        _draw_text(canvas, certificate)
        _draw_foot(canvas, certificate)
        canvas.save()
    return written.getvalue()


def _draw_frame(canvas: Canvas) -> None:
    canvas.setFillColor(PAPER)
    canvas.rect(0, 0, WIDTH, HEIGHT, stroke=0, fill=1)
    canvas.setStrokeColor(ACCENT)
    canvas.setLineWidth(2.2)
    canvas.rect(10 * mm, 10 * mm, WIDTH - 20 * mm, HEIGHT - 20 * mm)
    canvas.setStrokeColor(GOLD)
    canvas.setLineWidth(0.7)
    canvas.rect(13 * mm, 13 * mm, WIDTH - 26 * mm, HEIGHT - 26 * mm)
    for x in (13 * mm, WIDTH - 13 * mm):
        for y in (13 * mm, HEIGHT - 13 * mm):
            canvas.setFillColor(PAPER)
            canvas.circle(x, y, 3.2 * mm, stroke=1, fill=1)
            canvas.setFillColor(GOLD)
            canvas.circle(x, y, 1.1 * mm, stroke=0, fill=1)


def _draw_text(canvas: Canvas, certificate: Certificate) -> None:
    y = HEIGHT - 36 * mm
    _spaced(canvas, "LYCEUM", y, BOLD, 15, ACCENT, spacing=6)
    y -= 20 * mm
    _spaced(canvas, _("CERTIFICATE"), y, BOLD, 38, INK, spacing=7)
    y -= 12 * mm
    _centred(canvas, _("of completion"), y, ITALIC, 16, QUIET)
    y -= 17 * mm
    _centred(canvas, _("This is to certify that"), y, REGULAR, 13, QUIET)
    y -= 15 * mm
    y = _fitted(canvas, certificate.student_name or _("Student"), y, BOLD, 30, ACCENT, lines=1)
    canvas.setStrokeColor(GOLD)
    canvas.setLineWidth(0.8)
    canvas.line(MIDDLE - 62 * mm, y - 5 * mm, MIDDLE + 62 * mm, y - 5 * mm)
    y -= 15 * mm
    _centred(canvas, _("has successfully completed the course"), y, REGULAR, 13, QUIET)
    y -= 13 * mm
    y = _fitted(canvas, _("“%(title)s”") % {"title": certificate.course_title}, y, BOLD, 21, INK, lines=2)
    if certificate.score is not None:
        _centred(
            canvas, _("with a score of %(score)s %%") % {"score": _number(certificate.score)}, y - 11 * mm, ITALIC, 14,
            QUIET,
        )  # fmt: skip


def _draw_foot(canvas: Canvas, certificate: Certificate) -> None:
    left, bottom, side = 24 * mm, 21 * mm, 27 * mm
    day = formats.date_format(timezone.localtime(certificate.issued_at), "DATE_FORMAT")
    for line, (name, value) in enumerate(((_("Date"), day), (_("Certificate number"), certificate.number))):
        y = bottom + 15 * mm - line * 14 * mm
        canvas.setFillColor(QUIET)
        draw_text(canvas, name, left, y + 5.5 * mm, REGULAR, 9)
        canvas.setFillColor(INK)
        draw_text(canvas, value, left, y, BOLD, 12)
    code = QrCodeWidget(certificate.verification_url, barLevel="M", barBorder=0, barFillColor=INK)
    x1, y1, x2, y2 = code.getBounds()
    drawing = Drawing(side, side, transform=[side / (x2 - x1), 0, 0, side / (y2 - y1), 0, 0])
    drawing.add(code)
    renderPDF.draw(drawing, canvas, WIDTH - left - side, bottom)
    canvas.setFillColor(QUIET)
    right = WIDTH - left - side - 5 * mm
    draw_text(canvas, _("Scan to verify, or look up the code"), right, bottom + 10 * mm, REGULAR, 9, "right")
    canvas.setFillColor(INK)
    draw_text(canvas, certificate.verification_code, right, bottom + 5 * mm, BOLD, 9.5, "right")


def _spaced(canvas: Canvas, text: str, y: float, font: str, size: float, colour: HexColor, spacing: float) -> None:
    """A heading of our own, its letters set apart."""
    width = pdfmetrics.stringWidth(text, font, size) + spacing * (len(text) - 1)
    canvas.setFillColor(colour)
    line = canvas.beginText(MIDDLE - width / 2, y)
    line.setFont(font, size)
    line.setCharSpace(spacing)
    line.textOut(text)
    line.setCharSpace(0)  # it would hold for all texts that follow
    canvas.drawText(line)


def _centred(canvas: Canvas, text: str, y: float, font: str, size: float, colour: HexColor) -> None:
    canvas.setFillColor(colour)
    draw_text(canvas, text, MIDDLE, y, font, size, "middle")


def _fitted(canvas: Canvas, text: str, y: float, font: str, size: float, colour: HexColor, *, lines: int) -> float:
    """Draws the text in so many lines, as large as it fits, or small in more of them: no letter is lost. Returns where
    the last line stands."""
    while True:
        parts = broken(text, font, size, TEXT_WIDTH)
        if len(parts) <= lines or size <= 9:
            break
        size -= 1
    for number, line in enumerate(parts):
        y -= size * 1.25 if number else 0
        _centred(canvas, line, y, font, size, colour)
    return y


def _number(value: Decimal) -> str:
    """Without zeros that say nothing: 80, 66.67."""
    return formats.number_format(f"{value.normalize():f}")
