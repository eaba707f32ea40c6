from datetime import datetime

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow
from materials.models import Course


class Coupon(EditableRow):
    """A discount for whoever knows its code: a share of the price, or an amount in one currency."""

    code = models.CharField(
        _("code"),
        max_length=40,
        unique=True,
        help_text=_("Kept in upper case; read in any case."),
        validators=[
            RegexValidator(r"^[A-Z0-9_-]{3,40}\Z", _("3 to 40 Latin letters, digits, dashes and underscores."))
        ],
    )
    percent = models.DecimalField(_("percent"), max_digits=5, decimal_places=2, null=True, blank=True)
    amount = models.DecimalField(
        _("amount"), max_digits=10, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    currency = models.CharField(_("currency of the amount"), max_length=3, blank=True)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    max_uses = models.PositiveIntegerField(_("uses in all"), null=True, blank=True)
    max_uses_per_user = models.PositiveIntegerField(_("uses of one person"), null=True, blank=True)
    courses = models.ManyToManyField(
        Course,
        blank=True,
        related_name="coupons",
        verbose_name=_("courses"),
        help_text=_("These courses and their lessons; without any, all."),
    )

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["-created_at", "-id"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=False, amount__isnull=True, currency="")
                | Q(percent__isnull=True, amount__isnull=False) & ~Q(currency=""),
                name="payments_coupon_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__gt=0, percent__lte=100),
                name="payments_coupon_percent_range",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gt=0), name="payments_coupon_amount_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def is_valid_at(self, moment: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment <= self.valid_until
        )
