"""Receipts and credit notes as PDFs."""

import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from common.money import format_money
from common.pdf import BOLD, ITALIC, REGULAR, broken, draw_text, register_fonts
from payments.models import Dispute, Payment, Refund
from users.services import DELETED

INK, QUIET, ACCENT, RULE = map(HexColor, ("#1d2333", "#5c6579", "#27408b", "#c9cedb"))
WIDTH, HEIGHT = A4
LEFT, RIGHT, TOP, BOTTOM = 22 * mm, WIDTH - 22 * mm, HEIGHT - 24 * mm, 22 * mm
LABELS = 44 * mm  # how wide the column of labels is
AMOUNTS = 48 * mm  # and that of amounts
# Beyond so many refunds the rest is one line: the paper stays a page.
LISTED = 12
# A paper that does not fit is drawn smaller and smaller, down to this.
SMALLEST = 0.3


class Paper(NamedTuple):
    number: str
    content: bytes


def render_receipt(payment: Payment, refunds: list[Refund], disputes: list[Dispute]) -> Paper:
    """One A4 page in the buyer's language. `refunds` are those that count, `disputes` the ones that are open or lost,
    both the oldest first. The same rows give the same bytes."""

    def draw(sheet: "Sheet") -> None:
        sheet.head(_("Receipt No. %(number)s") % {"number": payment.receipt_number}, payment.payment_date)
        _draw_buyer(sheet, payment)
        if payment.amount:
            sheet.row(_("Payment method"), payment.get_payment_method_display())
        sheet.row(_("Reference"), payment.reference)
        _draw_item(sheet, payment)
        if payment.discount:
            code = payment.coupon.code if payment.coupon else ""
            sheet.amount(_("Price"), _money(payment, payment.amount + payment.discount))
            sheet.amount(" ".join([_("Discount"), code]), _money(payment, -payment.discount))
        sheet.amount(_("Paid"), _money(payment, payment.amount), strong=True)
        if refunds or disputes:
            _draw_what_became_of_it(sheet, payment, refunds, disputes)
        _draw_foot(sheet, payment)

    return Paper(payment.receipt_number, _drawn(payment, draw))


def render_credit_note(refund: Refund) -> Paper:
    """The same for a refund that counts."""
    payment = refund.payment

    def draw(sheet: "Sheet") -> None:
        sheet.head(_("Credit note No. %(number)s") % {"number": refund.credit_note_number}, _moment(refund))
        _draw_buyer(sheet, payment)
        sheet.row(
            _("For receipt"),
            _("No. %(number)s of %(day)s") % {"number": payment.receipt_number, "day": _day(payment.payment_date)},
        )
        sheet.row(_("Payment method"), payment.get_payment_method_display())
        if refund.reason != Refund.Reason.OTHER:
            sheet.row(_("Reason"), refund.get_reason_display())
        _draw_item(sheet, payment)
        sheet.amount(_("Paid"), _money(payment, payment.amount))
        sheet.amount(_("Given back"), _money(payment, refund.amount), strong=True)
        _draw_foot(sheet, payment)

    return Paper(refund.credit_note_number, _drawn(payment, draw))


def _drawn(payment: Payment, draw: Callable[["Sheet"], None]) -> bytes:
    register_fonts()
    scale = 1.0
    with translation.override(payment.user.language):
        while True:
            sheet = Sheet(scale)
            draw(sheet)
            if sheet.y >= BOTTOM or scale < SMALLEST:
                return sheet.content()
            scale *= 0.95


# --- Parts -----------------------------------------------------------------------------------------------------------


def _draw_buyer(sheet: "Sheet", payment: Payment) -> None:
    user = payment.user
    sheet.row(_("Seller"), settings.SELLER_NAME)
    if user.deactivation_reason != DELETED:  # the address of those who left is nobody's
        sheet.row(_("Buyer"), ", ".join(filter(None, [user.full_name, user.email])))


def _draw_item(sheet: "Sheet", payment: Payment) -> None:
    sheet.heading(_("Online course") if payment.paid_course_id else _("Lesson of an online course"))
    sheet.text(payment.title, BOLD, 12)
    sheet.gap(3)


def _draw_what_became_of_it(sheet: "Sheet", payment: Payment, refunds: list[Refund], disputes: list[Dispute]) -> None:
    sheet.heading(_("Refunds"))
    for refund in refunds[:LISTED]:
        on_its_way = _("on its way") if refund.status == Refund.Status.PENDING else ""
        words = [_day(_moment(refund)), refund.credit_note_number, on_its_way]
        sheet.amount(" · ".join(filter(None, words)), _money(payment, -refund.amount))
    if rest := refunds[LISTED:]:
        total = sum((refund.amount for refund in rest), Decimal(0))
        sheet.amount(_("Others: %(n)s") % {"n": len(rest)}, _money(payment, -total))
    for dispute in disputes:
        if dispute.status == Dispute.Status.LOST:
            ended = _day(dispute.closed_at or dispute.created_at)
            sheet.amount(_("%(day)s · taken back by the bank") % {"day": ended}, _money(payment, -dispute.amount))
        else:
            text = _("%(day)s · disputed at the bank, not decided yet") % {"day": _day(dispute.created_at)}
            sheet.amount(text, format_money(dispute.amount, payment.currency), colour=QUIET)
    gone = [refund.amount for refund in refunds]
    gone += [dispute.amount for dispute in disputes if dispute.status == Dispute.Status.LOST]
    sheet.amount(_("Remains paid"), _money(payment, payment.amount - sum(gone, Decimal(0))), strong=True)


def _draw_foot(sheet: "Sheet", payment: Payment) -> None:
    sheet.gap(8)
    sheet.text(_("Payment %(id)s") % {"id": payment.pk}, REGULAR, 8, QUIET)


def _moment(refund: Refund) -> datetime:
    return refund.accepted_at or refund.created_at


def _day(moment: datetime) -> str:
    local = timezone.localtime(moment, timezone.get_default_timezone())
    return formats.date_format(local, "DATE_FORMAT")


def _money(payment: Payment, amount: Decimal) -> str:
    return format_money(amount, payment.currency)


# --- Drawing ---------------------------------------------------------------------------------------------------------


class Sheet:
    """A page that is written from top to bottom; `y` is where it has got to. Texts of any length are broken."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.y = TOP
        self.file = io.BytesIO()
        self.canvas = Canvas(self.file, pagesize=A4, invariant=1, pageCompression=1)
        self.canvas.setAuthor(settings.SELLER_NAME)

    def content(self) -> bytes:
        self.canvas.save()
        return self.file.getvalue()

    def head(self, title: str, moment: datetime) -> None:
        self.canvas.setTitle(title)
        self.text(settings.SELLER_NAME, BOLD, 15, ACCENT)
        for line in settings.SELLER_DETAILS.splitlines():
            self.text(line, REGULAR, 9, QUIET)
        self.gap(8)
        self.text(title, BOLD, 24)
        self.text(_day(moment), ITALIC, 12, QUIET)
        self.gap(6)

    def heading(self, text: str) -> None:
        self.gap(5)
        self._line()
        self.text(text, ITALIC, 10, QUIET)

    def text(self, text: str, font: str, size: float, colour: HexColor = INK) -> None:
        self._column(text, LEFT, RIGHT - LEFT, font, size, colour)

    def row(self, label: str, value: str) -> None:
        """A label and what it says; nothing, if it says nothing."""
        if not value:
            return
        start = self.y
        self._column(label, LEFT, LABELS - 4 * mm, REGULAR, 10, QUIET)
        below_label, self.y = self.y, start
        self._column(value, LEFT + LABELS, RIGHT - LEFT - LABELS, REGULAR, 10, INK)
        self.y = min(self.y, below_label)

    def amount(self, text: str, amount: str, *, strong: bool = False, colour: HexColor = INK) -> None:
        """A line with an amount at its end; a strong one is a total."""
        font, size = (BOLD, 12) if strong else (REGULAR, 10.5)
        if strong:
            self.gap(1.5)
            self._line()
        size *= self.scale
        self.canvas.setFillColor(colour)
        draw_text(self.canvas, amount, RIGHT, self.y - size, font, size, "right")
        self._column(text, LEFT, RIGHT - LEFT - AMOUNTS, font, size / self.scale, colour)

    def gap(self, millimetres: float) -> None:
        self.y -= millimetres * mm * self.scale

    def _line(self) -> None:
        self.canvas.setStrokeColor(RULE)
        self.canvas.setLineWidth(0.7)
        self.canvas.line(LEFT, self.y, RIGHT, self.y)
        self.gap(1.5)

    def _column(self, text: str, x: float, width: float, font: str, size: float, colour: HexColor) -> None:
        size *= self.scale
        for line in broken(text, font, size, width):
            self.canvas.setFillColor(colour)
            draw_text(self.canvas, line, x, self.y - size, font, size)
            self.y -= size * 1.35
