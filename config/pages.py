"""Small pages at the addresses of the front end (common.frontend), until a web application is there.

What letters lead to works on a newcomer's machine, where FRONTEND_URL is this server: an email is verified and a
password set by pressing a button; everything else shows what anyone may see, and where the API has the rest. A GET
changes nothing, since scanners of mail follow the links of letters.
"""

from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import re_path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from assignments.models import Certificate
from assignments.views.certificates import VerifyView
from common import frontend
from common.ids import UUID_PATTERN, is_id
from common.money import format_money
from common.serializers import Serializer
from community import markup
from community.models import Post
from materials.models import Course, Lesson
from users import keys
from users.account_serializers import EmailVerifySerializer, PasswordResetConfirmSerializer, PasswordResetSerializer
from users.models import SocialAccount

COURSES = 20
LESSONS = 200
POSTS = 20


class Page(APIView):
    """A page for everyone. It asks for no sign-in and knows none: what the address holds is all that it goes by."""

    schema = None
    permission_classes = (AllowAny,)
    authentication_classes = ()
    renderer_classes = (StaticHTMLRenderer,)

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(self.request._request, f"common/pages/{template}.html", context, status=status)

    def point(self, api: str) -> HttpResponse:
        """For what is shown to those who are signed in alone. It looks the same whether the thing exists or not."""
        return self.show("pointer", api=api, docs=reverse("swagger-ui"))


@method_decorator(never_cache, name="dispatch")
class FormPage(Page):
    """A page with a form, which is judged by the serializer that judges the same in the API."""

    @property
    def throttle_scope(self) -> str | None:
        """Looking is not counted as asking for a letter."""
        return "password_reset" if self.request.method == "POST" else None

    def errors_of(self, serializer: Serializer) -> list[str]:
        """What stands against it, in words; nothing does once it is done."""
        try:
            serializer.is_valid(raise_exception=True)
            serializer.save()
        except ValidationError as error:
            detail: Any = error.detail
            return [str(text) for texts in detail.values() for text in texts]
        return []


# --- The account -----------------------------------------------------------------------------------------------------


class AskForResetPage(FormPage):
    def get(self, request: Request) -> HttpResponse:
        return self.show("password_reset")

    def post(self, request: Request) -> HttpResponse:
        email = request.POST.get("email", "")
        errors = self.errors_of(PasswordResetSerializer(data={"email": email}))
        return self.show("password_reset", email=email, errors=errors, done=not errors, status=400 if errors else 200)


class ResetPage(FormPage):
    def get(self, request: Request, uid: str, token: str) -> HttpResponse:
        if keys.who_resets(uid, token) is None:
            return self.show("dead_link", again=frontend.password_reset(), status=410)
        return self.show("password_new")

    def post(self, request: Request, uid: str, token: str) -> HttpResponse:
        if keys.who_resets(uid, token) is None:
            return self.show("dead_link", again=frontend.password_reset(), status=410)
        data = {"uid": uid, "token": token, "new_password": request.POST.get("new_password", "")}
        errors = self.errors_of(PasswordResetConfirmSerializer(data=data, context={"request": request}))
        return self.show("password_new", errors=errors, done=not errors, status=400 if errors else 200)


class VerifyEmailPage(FormPage):
    def get(self, request: Request, key: str) -> HttpResponse:
        found = keys.what_is_verified(key)
        if found is None:
            return self.show("dead_link", status=410)
        return self.show("email_verify", address=found[1])

    def post(self, request: Request, key: str) -> HttpResponse:
        errors = self.errors_of(EmailVerifySerializer(data={"key": key}))
        return self.show("email_verify", errors=errors, done=not errors, status=400 if errors else 200)


class SocialCallbackPage(Page):
    def get(self, request: Request, provider: str) -> HttpResponse:
        return self.point(f"POST /api/auth/social/{provider}/")


# --- Courses ---------------------------------------------------------------------------------------------------------


class CoursesPage(Page):
    def get(self, request: Request) -> HttpResponse:
        courses = Course.objects.filter(status=Course.Status.PUBLISHED).order_by("-created_at")[:COURSES]
        rows = [(course.title, frontend.course(course.pk)) for course in courses]
        return self.show("list", title=_("Courses"), rows=rows, api="/api/courses/")


class CoursePage(Page):
    def get(self, request: Request, course_id: str) -> HttpResponse:
        course = Course.objects.filter(status=Course.Status.PUBLISHED, pk=course_id).first()
        if course is None:
            return self.point(f"GET /api/courses/{course_id}/")
        lessons = course.lessons.order_by("order").only("title", "course_id")[:LESSONS]
        return self.show(
            "course",
            course=course,
            price=_("Free") if course.price == 0 else format_money(course.price, course.currency),
            lessons=[(lesson.title, frontend.lesson(course.pk, lesson.pk)) for lesson in lessons],
            api=f"/api/courses/{course.pk}/",
            docs=reverse("swagger-ui"),
        )


class LessonPage(Page):
    """A lesson, and what hangs below it."""

    def get(self, request: Request, lesson_id: str, course_id: str = "", rest: str | None = None) -> HttpResponse:
        lessons = Lesson.objects.filter(course__status=Course.Status.PUBLISHED, pk=lesson_id)
        lesson = lessons.select_related("course").first()
        if rest:
            return self.point(f"GET /api/courses/{course_id}/lessons/{lesson_id}{rest}/")
        if lesson is None:
            return self.point(f"GET /api/lessons/{lesson_id}/")
        return self.show(
            "lesson",
            lesson=lesson,
            course=frontend.course(lesson.course_id),
            api=f"/api/lessons/{lesson.pk}/",
            docs=reverse("swagger-ui"),
        )


class CertificatePage(Page):
    """The page that verifies it. Whoever knows the id was told of the certificate, as whoever knows the code was."""

    def get(self, request: Request, code: str) -> HttpResponse:
        named = Q(pk=code) if is_id(code) else Q(verification_code=code.upper())
        certificate = Certificate.objects.filter(named).first()
        if certificate is None:
            return self.point("GET /api/users/certificates/")
        return VerifyView.as_view()(request._request, code=certificate.verification_code)


# --- The rest --------------------------------------------------------------------------------------------------------


class ConversationPage(Page):
    def get(self, request: Request, conversation_id: str) -> HttpResponse:
        return self.point(f"GET /api/conversations/{conversation_id}/messages/")


class BlogPage(Page):
    def get(self, request: Request) -> HttpResponse:
        posts = Post.objects.published().order_by("-published_at")[:POSTS]
        rows = [(post.title, frontend.blog(post.slug)) for post in posts]
        return self.show("list", title=_("Blog"), rows=rows, api="/api/blog/")


class PostPage(Page):
    def get(self, request: Request, slug: str) -> HttpResponse:
        post = Post.objects.published().filter(slug=slug).first()
        if post is None:
            return self.show("dead_link", again=frontend.blog(), status=404)
        return self.show("post", post=post, body=markup.render(post.body))


ID = UUID_PATTERN
urlpatterns = [
    re_path(r"^password/reset/?$", AskForResetPage.as_view()),
    re_path(r"^password/reset/(?P<uid>[^/]+)/(?P<token>[^/]+)/?$", ResetPage.as_view()),
    re_path(r"^email/verify/(?P<key>[^/]+)/?$", VerifyEmailPage.as_view()),
    re_path(
        rf"^auth/social/(?P<provider>{'|'.join(SocialAccount.Provider.values)})/callback/?$",
        SocialCallbackPage.as_view(),
    ),
    re_path(r"^courses/?$", CoursesPage.as_view()),
    re_path(rf"^courses/(?P<course_id>{ID})/?$", CoursePage.as_view()),
    re_path(
        rf"^courses/(?P<course_id>{ID})/lessons/(?P<lesson_id>{ID})(?P<rest>/assignments/{ID}/submissions/{ID})?/?$",
        LessonPage.as_view(),
    ),
    re_path(rf"^lessons/(?P<lesson_id>{ID})/?$", LessonPage.as_view()),  # letters once led there
    re_path(r"^certificates/(?P<code>[0-9A-Za-z-]+)/?$", CertificatePage.as_view()),
    re_path(rf"^messages/(?P<conversation_id>{ID})/?$", ConversationPage.as_view()),
    re_path(r"^blog/?$", BlogPage.as_view()),
    re_path(r"^blog/(?P<slug>[^/]+)/?$", PostPage.as_view()),
]
