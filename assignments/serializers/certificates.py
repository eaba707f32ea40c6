"""The shapes of certificates."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.reverse import reverse

from assignments.models import Certificate
from assignments.serializers.fields import ANY_STUDENT, NumberField, shown_student
from common import serializers


class CertificateSerializer(serializers.ModelSerializer):
    """A certificate for its student, its teacher and staff. Names and titles are as they were when it was issued."""

    student_profile = serializers.SerializerMethodField()
    score = NumberField(read_only=True, allow_null=True, help_text="Percent.")
    verification_url = serializers.CharField(read_only=True)
    pdf_url = serializers.SerializerMethodField()

    class Meta:
        model = Certificate
        fields = (
            "id",
            "student",
            "student_profile",
            "course",
            "number",
            "verification_code",
            "verification_url",
            "pdf_url",
            "student_name",
            "course_title",
            "score",
            "status",
            "issued_at",
            "issued_by",
            "revoked_at",
            "revocation_reason",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(ANY_STUDENT)
    def get_student_profile(self, certificate: Certificate) -> Any:
        """The student as they are now, while `student_name` says what they were called then."""
        return shown_student(certificate.student, certificate.course, self.context)

    @extend_schema_field(serializers.URLField())
    def get_pdf_url(self, certificate: Certificate) -> str:
        return reverse("certificate-pdf", kwargs={"pk": certificate.pk}, request=self.context.get("request"))


class CertificateIssueSerializer(serializers.Serializer):
    student = serializers.UUIDField()
    course = serializers.UUIDField()


class CertificateRevokeSerializer(serializers.Serializer):
    """The one change that a certificate can undergo."""

    status = serializers.ChoiceField(choices=[Certificate.Status.REVOKED], default=Certificate.Status.REVOKED)
    revocation_reason = serializers.CharField(max_length=500)


class CertificateDeleteSerializer(serializers.Serializer):
    revocation_reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class VerificationSerializer(serializers.ModelSerializer):
    """What anyone may know who holds the code: whether it is valid, of whom, of what, of when."""

    valid = serializers.BooleanField(source="is_valid", read_only=True)
    status = serializers.SerializerMethodField()
    score = NumberField(read_only=True, allow_null=True)

    class Meta:
        model = Certificate
        fields = ("valid", "status", "number", "student_name", "course_title", "score", "issued_at", "revoked_at")
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["valid", "revoked"]))
    def get_status(self, certificate: Certificate) -> str:
        return "valid" if certificate.is_valid else "revoked"
