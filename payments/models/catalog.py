from django.db import models
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow


class StripeProduct(EditableRow):
    """A course or a lesson as Stripe knows it: made with the first payment for it, and used again. The row is written
    before Stripe is asked, and its id is the request's idempotency key: whoever is cut off goes on with the same."""

    item_id = models.UUIDField(_("course or lesson"), unique=True)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    name = models.CharField(_("name at Stripe"), max_length=200)

    class Meta:
        verbose_name = _("product at Stripe")
        verbose_name_plural = _("products at Stripe")

    def __str__(self) -> str:
        return self.name


class StripePrice(EditableRow):
    """What the product has been sold for, in full or with a coupon. A price at Stripe cannot change: each is a row."""

    product = models.ForeignKey(StripeProduct, models.CASCADE, related_name="prices", verbose_name=_("product"))
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("price at Stripe")
        verbose_name_plural = _("prices at Stripe")
        constraints = [
            models.UniqueConstraint(fields=["product", "currency", "amount"], name="payments_stripe_price_once")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
