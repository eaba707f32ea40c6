"""The books: receipts and credit notes."""

from django.utils.translation import gettext as _

from common.errors import RuleBroken
from payments import papers
from payments.models import Dispute, Payment, Refund
from payments.papers import Paper
from payments.services import settling


def receipt(payment: Payment) -> Paper:
    """The PDF. Raises RuleBroken for a payment whose money has not come in."""
    if payment.is_unpaid:
        raise RuleBroken("no_receipt", _("Nothing has been paid, so there is no receipt."))
    payment = _with_receipt_number(payment)
    refunds = [_with_credit_note_number(refund) for refund in payment.refunds.accepted().order_by("accepted_at", "pk")]
    disputes = payment.disputes.filter(status__in=Dispute.CLOSING).order_by("created_at", "pk")
    return papers.render_receipt(payment, refunds, list(disputes))


def credit_note(refund: Refund) -> Paper:
    """The PDF. Raises RuleBroken for a refund that does not count."""
    if not refund.is_accepted:
        raise RuleBroken("no_credit_note", _("This refund does not count, so there is no credit note."))
    payment = _with_receipt_number(refund.payment)
    refund = _with_credit_note_number(refund)
    refund.payment = payment
    return papers.render_credit_note(refund)


def _with_receipt_number(payment: Payment) -> Payment:
    """What was paid before there were numbers, or was loaded without one, gets its own when it is first needed."""
    if payment.receipt_number:
        return payment
    with settling.locked(payment.pk) as (payment, _siblings):
        if not payment.receipt_number:
            payment.receipt_number = settling.draw_number(settling.RECEIPTS)
            payment.save(update_fields=["receipt_number", "updated_at"])
    return payment


def _with_credit_note_number(refund: Refund) -> Refund:
    if refund.credit_note_number:
        return refund
    with settling.locked(refund.payment_id):
        refund = Refund.objects.get(pk=refund.pk)
        if not refund.credit_note_number:
            refund.credit_note_number = settling.draw_number(settling.CREDIT_NOTES)
            refund.save(update_fields=["credit_note_number", "updated_at"])
    return refund
