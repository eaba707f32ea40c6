"""The question that Django admin asks before money moves, or is refused."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from common.ids import new_id
from payments.models import Payment, Refund
from payments.services import buying, refunds


class RefundForm(forms.Form):
    reason = forms.ChoiceField(label=_("Reason"), choices=Refund.Reason.choices, initial="requested_by_customer")
    comment = forms.CharField(
        label=_("In words"), max_length=500, required=False, help_text=_("Needed for “other”; the buyer may read it.")
    )
    amount = forms.DecimalField(
        label=_("Amount"),
        max_digits=10,
        decimal_places=2,
        min_value=Decimal("0.01"),
        required=False,
        help_text=_("Empty: all that is left."),
    )
    # Sent twice, the form gives back once.
    refund_id = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("reason") == Refund.Reason.OTHER and not cleaned.get("comment"):
            self.add_error("comment", _("Say why."))
        return cleaned

    def refund(self, request: HttpRequest, payment: Payment) -> Payment:
        said = self.cleaned_data
        return refunds.refund_payment(
            payment=payment,
            amount=said.get("amount"),
            reason=said["comment"] if said["reason"] == Refund.Reason.OTHER else said["reason"],
            admin=request.user,
            refund_id=said["refund_id"],
        )


class RefundsForm(RefundForm):
    """Of several payments: all that is left of each."""

    amount = None
    refund_id = None

    def refund(self, request: HttpRequest, payment: Payment) -> Payment:
        self.cleaned_data["refund_id"] = None
        return super().refund(request, payment)


class ConfirmationForm(forms.Form):
    reference = forms.CharField(
        label=_("Reference"), max_length=100, help_text=_("What it is known by: a cash receipt, a bank statement.")
    )

    def confirm(self, request: HttpRequest, payment: Payment) -> Payment:
        return buying.confirm_payment(payment=payment, admin=request.user, reference=self.cleaned_data["reference"])


class DeclineForm(forms.Form):
    answer = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 4}), help_text=_("The buyer reads it.")
    )

    def decline(self, request: HttpRequest, payment: Payment) -> str:
        refunds.decline_request(payment=payment, admin=request.user, answer=self.cleaned_data["answer"])
        return _("Declined: %s") % payment


def ask_first(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    payments: Iterable[Payment],
    form_class: type[forms.Form],
    do: Callable[[Any, HttpRequest, Payment], Payment | str],
    **words: Any,
) -> HttpResponse | None:
    """A page that asks, and then does it, payment by payment, and says what it has come to."""
    payments = list(payments)
    if not payments:
        model_admin.message_user(request, _("There is nothing to do: it has been decided already."), messages.WARNING)
        return None
    form = form_class(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        context = {
            **model_admin.admin_site.each_context(request),
            **words,
            "opts": model_admin.opts,
            "queryset": queryset,
            "payments": payments,
            "form": form,
            "action": request.POST["action"],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/payments/confirm_action.html", context)
    for payment in payments:
        try:
            done = do(form, request, payment)
        except APIException as error:
            model_admin.message_user(request, f"{payment}: {_text(error)}", messages.ERROR)
        else:
            model_admin.message_user(request, str(done), messages.SUCCESS)
    return None


def _text(error: APIException) -> str:
    detail: Any = error.detail
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)
