"""Certificates: one's own, those of one's courses, and the page that verifies them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from assignments.certificates import render_certificate
from assignments.filters import CertificateFilter
from assignments.models import Certificate
from assignments.serializers.certificates import (
    CertificateDeleteSerializer,
    CertificateIssueSerializer,
    CertificateRevokeSerializer,
    CertificateSerializer,
    VerificationSerializer,
)
from assignments.services import certificates
from common import frontend
from common.errors import RuleBroken, invalid
from common.ids import UUID_PATTERN
from common.pdf import pdf_response
from common.renderers import JSONRenderer
from common.schema import pages, problems
from materials.models import Enrollment
from materials.views import NO_COURSE, visible_named_course


@extend_schema_view(
    list=extend_schema(
        summary="Certificates", description="One's own and those of one's courses; moderators and admins see all."
    ),
    retrieve=extend_schema(summary="Open a certificate"),
    create=extend_schema(
        summary="Issue a certificate",
        description="By the course's teacher or an admin, to somebody who studies it. Usually it issues itself, when "
        "the course is completed.",
        request=CertificateIssueSerializer,
        responses={
            201: CertificateSerializer,
            **problems(_409="already_issued: A valid one exists; `no_certificate`: the course gives none."),
            **NO_COURSE,
        },
    ),
    update=extend_schema(
        summary="Revoke a certificate",
        description="The one change that a certificate undergoes. A new one may be issued afterwards.",
        request=CertificateRevokeSerializer,
        responses={200: CertificateSerializer},
    ),
    destroy=extend_schema(
        summary="Revoke a certificate without more ado",
        description="It stays in the books as revoked.",
        responses={204: None},
    ),
)
class CertificateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Certificates. They are issued and revoked, and never changed or deleted."""

    queryset = Certificate.objects.all()
    serializer_class = CertificateSerializer
    permission_classes = (IsAuthenticated,)
    filterset_class = CertificateFilter
    search_fields = ("number", "student_name", "course_title")
    lookup_value_regex = UUID_PATTERN
    ordering_fields = ("issued_at",)
    ordering = ("-issued_at",)

    def get_queryset(self) -> QuerySet[Certificate]:
        return Certificate.objects.visible_to(self.request.user).select_related("course", "student")

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = CertificateIssueSerializer(data=request.data)
        course = visible_named_course(request, serializer, "course")
        self._check_may_teach(course)
        enrollments = Enrollment.objects.filter(course=course, user=serializer.validated_data["student"])
        enrollment = enrollments.not_revoked().select_related("user").first()
        if enrollment is None:
            raise invalid("student", "not_enrolled", _("This person does not study the course."))
        certificate = certificates.issue(student=enrollment.user, course=course, issued_by=request.user)
        return Response(self.get_serializer(certificate).data, status=status.HTTP_201_CREATED)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        certificate = self._managed()
        serializer = CertificateRevokeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        revoked = certificates.revoke(certificate=certificate, reason=serializer.validated_data["revocation_reason"])
        return Response(self.get_serializer(revoked).data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        certificate = self._managed()
        serializer = CertificateDeleteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        certificates.revoke(certificate=certificate, reason=serializer.validated_data["revocation_reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="A certificate as PDF",
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            **problems(_409="revoked: There is nothing to print any more."),
        },
    )
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        certificate = self.get_object()
        if not certificate.is_valid:
            raise RuleBroken("revoked", _("This certificate has been revoked."))
        return pdf_response(certificate.number, render_certificate(certificate))

    def _managed(self) -> Certificate:
        certificate = self.get_object()
        self._check_may_teach(certificate.course)
        return certificate

    def _check_may_teach(self, course: Any) -> None:
        if course.owner_id != self.request.user.pk and not self.request.user.is_staff:
            raise PermissionDenied


@extend_schema(
    summary="Verify a certificate",
    description="Open to all: a page for browsers, JSON for programs.",
    responses={
        (200, "application/json"): VerificationSerializer,
        **problems(_404="not_found: No certificate has this code."),
        **pages(200, 404),
    },
)
class VerifyView(APIView):
    """Where the QR code of a certificate leads."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request, code: str) -> HttpResponse:
        found = Certificate.objects.filter(verification_code=code.upper())
        if request.accepted_renderer.format == "html":
            certificate = found.first()
            return render(
                request._request,
                "assignments/verify.html",
                {"certificate": certificate, "frontend_url": frontend.home()},
                status=status.HTTP_200_OK if certificate else status.HTTP_404_NOT_FOUND,
            )
        return Response(VerificationSerializer(get_object_or_404(found)).data)
