import unicodedata
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow
from common.money import to_minor_units
from common.text import plain
from materials.models import Course

LONGEST_CODE = 40


def read_code(text: str) -> str:
    """A code as it is kept, however it was typed or pasted: full-width letters as plain ones, any dash as a hyphen,
    nothing invisible, no spaces around it, upper case. What is beyond ASCII then is no code, and must not become one
    (ß → SS)."""
    if len(text) > 4 * LONGEST_CODE:
        return text  # no code
    shown = (letter for letter in plain(text) if unicodedata.category(letter) != "Cf")
    code = "".join("-" if unicodedata.category(letter) == "Pd" or letter == "−" else letter for letter in shown)
    code = code.strip()
    return code.upper() if code.isascii() else code


class CodeField(models.CharField):
    """A coupon's code in its one form, wherever it comes from: forms, fixtures, comparisons."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return read_code(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        code = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, code)
        return code


class Coupon(EditableRow):
    """A discount for whoever knows its code: a share of the price, or an amount in one currency."""

    code = CodeField(
        _("code"),
        max_length=LONGEST_CODE,
        unique=True,
        help_text=_("Kept in upper case; read in any case."),
        validators=[
            RegexValidator(r"^[A-Z0-9_-]{3,40}\Z", _("3 to 40 Latin letters, digits, dashes and underscores."))
        ],
    )
    percent = models.DecimalField(
        _("percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
    )
    amount = models.DecimalField(
        _("amount"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
    )
    currency = models.CharField(_("currency of the amount"), max_length=3, blank=True)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    max_uses = models.PositiveIntegerField(_("uses in all"), null=True, blank=True, validators=[MinValueValidator(1)])
    max_uses_per_user = models.PositiveIntegerField(
        _("uses of one person"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    courses = models.ManyToManyField(
        Course,
        blank=True,
        related_name="coupons",
        verbose_name=_("courses"),
        help_text=_("These courses and their lessons; without any, all."),
    )
    is_limited = models.BooleanField(
        _("for its courses alone"),
        default=False,
        editable=False,
        help_text=_("Stays when the last of its courses is deleted: it must not become one for all."),
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
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True)
                | Q(valid_until__isnull=True)
                | Q(valid_from__lte=F("valid_until")),
                name="payments_coupon_window",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        """What one field alone does not say; brings the currency into order. Raises Django's ValidationError."""
        if (self.percent is None) == (self.amount is None):
            text = _("Give a percentage or an amount, and only one of them.")
            raise ValidationError({"percent": ValidationError(text, "percent_or_amount")})
        self.currency = "" if self.amount is None else (self.currency.upper() or settings.DEFAULT_CURRENCY)
        if self.amount is not None:
            if self.currency not in settings.CURRENCIES:
                text = _("This currency is not accepted here.")
                raise ValidationError({"currency": ValidationError(text, "unknown_currency")})
            try:
                to_minor_units(self.amount, self.currency)
            except ValueError:
                text = _("The currency has no such small units.")
                raise ValidationError({"amount": ValidationError(text, "not_in_currency")}) from None
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            text = _("It ends before it begins.")
            raise ValidationError({"valid_until": ValidationError(text, "ends_before_it_begins")})

    def is_valid_at(self, moment: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment <= self.valid_until
        )

    def limited_to(self, courses: Collection[Course]) -> bool:
        """Whether it is for its courses alone once it has these. One that has lost its last course, and is saved
        without any as before, does not become one for all."""
        has_lost_them = not self._state.adding and self.is_limited and not self.courses.exists()
        return bool(courses) or has_lost_them

    def covers(self, course: Course) -> bool:
        return not self.is_limited or self.courses.filter(pk=course.pk).exists()
