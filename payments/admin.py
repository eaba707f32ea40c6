from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.admin import ReadOnlyAdmin, money_column
from common.errors import RuleBroken
from common.pdf import pdf_response
from payments import gateway
from payments.admin_forms import ConfirmationForm, DeclineForm, RefundForm, RefundsForm, ask_first
from payments.models import (
    Coupon,
    Dispute,
    NumberSeries,
    Payment,
    Refund,
    RefundRequest,
    StripePrice,
    StripeProduct,
    WebhookEvent,
)
from payments.papers import Paper
from payments.services import books, coupons, settling, webhooks

REFUND_QUESTION = _(
    "Is the money of these payments to go back? A full refund closes what was bought; an open request is settled."
)


class WithPaper(ReadOnlyAdmin):
    """Rows of which there is a PDF: a link on the row's page leads to it. Whoever works here sends no token, so the
    API's own address is of no use to them."""

    readonly_fields = ("paper",)
    # What the PDF is made of, besides the row.
    paper_related: tuple[str, ...] = ()

    def print_paper(self, row: Any) -> Paper:
        """Raises RuleBroken for a row that has none."""
        raise NotImplementedError

    @admin.display(description=_("paper"))
    def paper(self, row: Model) -> str:
        return format_html('<a href="{}">PDF</a>', reverse(f"admin:{self._paper_name}", args=[row.pk]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.paper_view)
        return [path("<uuid:pk>/paper/", view, name=self._paper_name), *super().get_urls()]

    def paper_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        row = get_object_or_404(self.model.objects.select_related(*self.paper_related), pk=pk)
        try:
            return pdf_response(*self.print_paper(row))
        except RuleBroken as error:
            self.message_user(request, str(error.detail), messages.WARNING)
            return redirect(f"admin:payments_{self.opts.model_name}_change", pk)

    @property
    def _paper_name(self) -> str:
        return f"payments_{self.opts.model_name}_paper"


@admin.register(Payment)
class PaymentAdmin(WithPaper):
    """The books. Nothing is edited here: a payment changes by what Stripe says, or by an action."""

    list_display = ("payment_date", "user", "status", money_column("amount"), "payment_method", "title")
    list_filter = ("status", "payment_method", "currency")
    search_fields = ("user__email", "title", "receipt_number", "stripe_session_id", "stripe_payment_intent_id")
    list_select_related = ("user",)
    date_hierarchy = "payment_date"
    actions = ("refund", "confirm", "ask_stripe")
    paper_related = ("user", "coupon")

    def print_paper(self, row: Payment) -> Paper:
        return books.receipt(row)

    @admin.action(description=_("Give money back…"), permissions=["view"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        form = RefundForm if queryset.count() == 1 else RefundsForm
        return ask_first(
            self, request, queryset, queryset, form, form.refund,
            title=_("Refund"), question=REFUND_QUESTION, verb=_("Refund"),
        )  # fmt: skip

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

    list_display = ("created_at", "status", "reason", "payment", "answer", "decided_by")
    list_filter = ("status",)
    search_fields = ("payment__user__email", "payment__title")
    list_select_related = ("payment", "decided_by")
    actions = ("refund", "decline")

    @admin.action(description=_("Give money back…"), permissions=["view"])
    def refund(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> HttpResponse | None:
        payments = self._payments(queryset)
        form = RefundForm if payments.count() == 1 else RefundsForm
        return ask_first(
            self, request, queryset, payments, form, form.refund,
            title=_("Refund"), question=REFUND_QUESTION, verb=_("Refund"),
        )  # fmt: skip

    @admin.action(description=_("Decline…"), permissions=["view"])
    def decline(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> HttpResponse | None:
        return ask_first(
            self, request, queryset, self._payments(queryset), DeclineForm, DeclineForm.decline,
            title=_("Decline"), question=_("Are these requests to be declined? The buyers keep what they bought."),
            verb=_("Decline"),
        )  # fmt: skip

    def _payments(self, requests: QuerySet[RefundRequest]) -> QuerySet[Payment]:
        undecided = requests.filter(status=RefundRequest.Status.OPEN)
        return Payment.objects.filter(refund_requests__in=undecided).select_related("user")


@admin.register(Refund)
class RefundAdmin(WithPaper):
    list_display = (
        "created_at", "payment", money_column("amount", "payment.currency"), "reason", "status", "credit_note_number",
    )  # fmt: skip
    list_filter = ("status", "reason")
    search_fields = ("payment__user__email", "payment__title", "credit_note_number", "stripe_refund_id")
    list_select_related = ("payment",)
    date_hierarchy = "created_at"
    paper_related = ("payment__user", "payment__coupon")

    def print_paper(self, row: Refund) -> Paper:
        return books.credit_note(row)


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "payment", money_column("amount", "payment.currency"), "status", "closed_at")
    list_filter = ("status",)
    search_fields = ("payment__user__email", "payment__title", "stripe_dispute_id")
    list_select_related = ("payment",)


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    list_display = ("name", "last")


@admin.register(StripeProduct)
class StripeProductAdmin(ReadOnlyAdmin):
    list_display = ("name", "stripe_id", "item_id", "updated_at")
    search_fields = ("name", "stripe_id")


@admin.register(StripePrice)
class StripePriceAdmin(ReadOnlyAdmin):
    list_display = ("product", "amount", "currency", "stripe_id", "created_at")
    search_fields = ("stripe_id", "product__name")
    list_select_related = ("product",)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "type", "stripe_event_id", "state", "processed_at", "attempts", "error")
    list_filter = ("type", ("processed_at", admin.EmptyFieldListFilter))
    search_fields = ("stripe_event_id",)
    actions = ("process_again",)

    @admin.display(description=_("state"))
    def state(self, event: WebhookEvent) -> str:
        if event.processed_at:
            return _("Processed")
        return _("Given up") if event.is_given_up else _("Waits")

    @admin.action(description=_("Process once more"), permissions=["view"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        done = sum(webhooks.try_event(event) for event in queryset.filter(processed_at__isnull=True))
        self.message_user(request, ngettext("%(n)s event processed", "%(n)s events processed", done) % {"n": done})


class CouponForm(forms.ModelForm):
    # Longer than a code is: what it is in its one form decides.
    code = forms.CharField(label=_("code"), max_length=160, help_text=Coupon._meta.get_field("code").help_text)

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
        "code", "percent", money_column("amount"), "valid_from", "valid_until", "uses", "max_uses", "max_uses_per_user",
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
        obj.is_limited = obj.limited_to(form.cleaned_data["courses"])
        super().save_model(request, obj, form, change)
