"""What a completed course is shown with."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.models import EditableRow
from materials.models import Course
from users.models import User

# Crockford's base 32: no I, L, O or U, which are misread and misspelt from paper.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_number() -> str:
    """LYC-20261121-7F3K9QXW: the day, and eight letters that no two certificates of a day share."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"LYC-{timezone.localdate():%Y%m%d}-{letters}"


def new_verification_code() -> str:
    """120 bits of chance: nobody finds a certificate by trying codes."""
    return "".join(secrets.choice(ALPHABET) for _ in range(24))


class CertificateQuerySet(models.QuerySet["Certificate"]):
    def visible_to(self, user: User) -> "CertificateQuerySet":
        """One's own, those of one's courses, and all for staff."""
        if user.may_edit_all_content:
            return self
        return self.filter(Q(student=user) | Q(course__owner=user))


class Certificate(EditableRow):
    """Name, title and score stand here as they were on the day: neither a marriage nor a new title changes them."""

    class Status(models.TextChoices):
        ISSUED = "issued", _("Issued")
        REVOKED = "revoked", pgettext_lazy("certificate", "Revoked")

    student = models.ForeignKey(User, models.PROTECT, related_name="certificates", verbose_name=_("student"))
    course = models.ForeignKey(Course, models.PROTECT, related_name="certificates", verbose_name=_("course"))
    number = models.CharField(_("number"), max_length=30, unique=True, default=new_number, editable=False)
    verification_code = models.CharField(
        _("verification code"), max_length=30, unique=True, default=new_verification_code, editable=False
    )
    student_name = models.CharField(_("name of the student, as issued"), max_length=201)
    course_title = models.CharField(_("title of the course, as issued"), max_length=200)
    language = models.CharField(_("language"), max_length=2)
    score = models.DecimalField(_("score, percent"), max_digits=5, decimal_places=2, null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ISSUED)
    issued_at = models.DateTimeField(_("issued at"), default=timezone.now)
    issued_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="issued_certificates", verbose_name=_("issued by")
    )
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    revocation_reason = models.CharField(_("reason of the revocation"), max_length=500, blank=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("certificate")
        verbose_name_plural = _("certificates")
        ordering = ("-issued_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["student", "course"], condition=Q(status="issued"), name="assignments_certificate_one_issued"
            ),
            models.CheckConstraint(
                condition=Q(status="issued", revoked_at__isnull=True) | Q(status="revoked", revoked_at__isnull=False),
                name="assignments_certificate_revoked_at",
            ),
        ]
        indexes = [
            models.Index(fields=["student", "-issued_at"]),
            models.Index(fields=["course", "-issued_at"]),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_valid(self) -> bool:
        return self.status == self.Status.ISSUED

    @property
    def verification_url(self) -> str:
        """The public page that the QR code leads to."""
        return f"{settings.BASE_URL}/api/certificates/verify/{self.verification_code}/"
