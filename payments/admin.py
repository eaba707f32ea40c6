from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.admin import ReadOnlyAdmin
from payments import gateway
from payments.models import Payment, WebhookEvent
from payments.services import settling, webhooks


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """The books. Nothing is edited here: a payment changes by what Stripe says, or by an action."""

    list_display = ("payment_date", "user", "title", "amount", "currency", "payment_method", "status")
    list_filter = ("status", "payment_method", "currency")
    search_fields = ("user__email", "title", "stripe_session_id", "stripe_payment_intent_id")
    list_select_related = ("user",)
    date_hierarchy = "payment_date"
    actions = ("ask_stripe",)

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
