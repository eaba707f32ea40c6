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
from django.utils.translation import ngettext
from rest_framework.exceptions import APIException

from common.admin import ReadOnlyAdmin
from common.ids import new_id
from payments import gateway
from payments.models import Coupon, Payment, Refund, RefundRequest, WebhookEvent
from payments.models.coupons import read_code
from payments.services import buying, coupons, refunds, settling, webhooks


class RefundForm(forms.Form):
    reason = forms.ChoiceField(label=_("Reason"), choices=Refund.Reason.choices, initial="requested_by_customer")
    comment = forms.CharField(
        label=_("In words"), max_length=500, required=False, help_text=_("Needed for “other”: it goes into the books.")
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


def ask_first(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    payments: Iterable[Payment],
    form_class: type[forms.Form],
    do: Callable[[Any, HttpRequest, Payment], Payment],
    **words: Any,
) -> HttpResponse | None:
    """A page that asks whether money should move, and then moves it, payment by payment."""
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
            payment = do(form, request, payment)
        except APIException as error:
            model_admin.message_user(request, f"{payment}: {_text(error)}", messages.ERROR)
        else:
            model_admin.message_user(request, str(payment), messages.SUCCESS)
    return None


def _text(error: APIException) -> str:
    detail: Any = error.detail
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """The books. Nothing is edited here: a payment changes by what Stripe says, or by an action."""

    list_display = ("payment_date", "user", "title", "amount", "currency", "payment_method", "status")
    list_filter = ("status", "payment_method", "currency")
    search_fields = ("user__email", "title", "stripe_session_id", "stripe_payment_intent_id")
    list_select_related = ("user",)
    date_hierarchy = "payment_date"
    actions = ("refund", "confirm", "ask_stripe")

    @admin.action(description=_("Give money back…"), permissions=["view"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        form = RefundForm if queryset.count() == 1 else RefundsForm
        question = _("Is the money of these payments to go back? A full refund closes what was bought.")
        return ask_first(
            self, request, queryset, queryset, form, form.refund, title=_("Refund"), question=question, verb=_("Refund")
        )

    @admin.action(description=_("Confirm cash or a transfer…"), permissions=["view"])
    def confirm(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return ask_first(
            self, request, queryset, queryset, ConfirmationForm, ConfirmationForm.confirm,
            title=_("Confirm"), question=_("Has this money arrived?"), verb=_("Confirm"),
        )  # fmt: skip

    @admin.action(description=_("Ask Stripe how it stands"), permissions=["view"])
    def ask_stripe(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        moved = 0
        try:
            for payment in queryset.filter(status=Payment.Status.PENDING):
                moved += settling.refresh(payment).status != Payment.Status.PENDING
        except gateway.StripeUnavailable as error:
            self.message_user(request, str(error), messages.ERROR)
        self.message_user(
            request, ngettext("%(n)s payment has moved on", "%(n)s payments have moved on", moved) % {"n": moved}
        )


@admin.register(RefundRequest)
class RefundRequestAdmin(ReadOnlyAdmin):
    """What buyers ask for; here an admin decides."""

    list_display = ("created_at", "payment", "reason", "status", "decided_by")
    list_filter = ("status",)
    search_fields = ("payment__user__email", "payment__title")
    list_select_related = ("payment", "decided_by")
    actions = ("refund", "decline")

    @admin.action(description=_("Give money back…"), permissions=["view"])
    def refund(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> HttpResponse | None:
        payments = Payment.objects.filter(refund_requests__in=queryset.filter(status=RefundRequest.Status.OPEN))
        form = RefundForm if payments.count() == 1 else RefundsForm
        question = _("Is the money of these payments to go back? A full refund closes what was bought.")
        return ask_first(
            self, request, queryset, payments, form, form.refund, title=_("Refund"), question=question, verb=_("Refund")
        )

    @admin.action(description=_("Decline"), permissions=["view"])
    def decline(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> None:
        done = sum(refunds.decline_request(request=one, admin=request.user) for one in queryset)
        self.message_user(request, ngettext("%(n)s request declined", "%(n)s requests declined", done) % {"n": done})


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "type", "stripe_event_id", "processed_at", "attempts", "error")
    list_filter = ("type", ("processed_at", admin.EmptyFieldListFilter))
    search_fields = ("stripe_event_id",)
    actions = ("process_again",)

    @admin.action(description=_("Process once more"), permissions=["view"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        done = sum(webhooks.try_event(event) for event in queryset.filter(processed_at__isnull=True))
        self.message_user(request, ngettext("%(n)s event processed", "%(n)s events processed", done) % {"n": done})


class CodeField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return read_code(super().to_python(value))


class CouponForm(forms.ModelForm):
    code = CodeField(label=_("code"), max_length=40, help_text=Coupon._meta.get_field("code").help_text)

    class Meta:
        model = Coupon
        fields = (
            "code", "percent", "amount", "currency", "valid_from", "valid_until", "max_uses", "max_uses_per_user",
            "courses",
        )  # fmt: skip


@admin.register(Coupon)
class CouponAdmin(admin.ModelAdmin):
    form = CouponForm
    list_display = (
        "code", "percent", "amount", "currency", "valid_from", "valid_until", "uses", "max_uses", "max_uses_per_user",
    )  # fmt: skip
    search_fields = ("code",)
    autocomplete_fields = ("courses",)
    readonly_fields = ("uses",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        return coupons.with_uses(super().get_queryset(request))

    @admin.display(description=_("uses"))
    def uses(self, coupon: Coupon) -> int:
        return getattr(coupon, "uses", 0)

    def save_model(self, request: HttpRequest, obj: Coupon, form: forms.ModelForm, change: bool) -> None:
        obj.is_limited = bool(form.cleaned_data["courses"])
        super().save_model(request, obj, form, change)
