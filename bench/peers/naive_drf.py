"""Django REST framework as its tutorial has it, with the usual advice followed: ModelSerializers, `select_related`,
`prefetch_related`, `annotate`, page numbers, simplejwt, the user looked up with every request."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.settings"
application = get_wsgi_application()

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402

from bench.peers.locks import course_lock, lesson_locks  # noqa: E402
from materials.models import (  # noqa: E402
    Attachment,
    Category,
    Course,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Subscription,
)
from payments.models import Payment  # noqa: E402
from users.models import User  # noqa: E402

LOCKED = {"body": None, "video_url": None, "video": None, "attachments": None}


def lock(course: Course, user: User) -> None:
    """Sets `lock_reason` on the course's prefetched lessons."""
    lessons = course.lessons.all()
    reason = course_lock(course.price, course.enrollment_status, course.enrollment_expires_at)
    facts = [(one.is_preview or course.owner_id == user.pk, one.is_bought, one.is_completed) for one in lessons]
    for lesson, lesson_lock in zip(lessons, lesson_locks(reason, course.sequential, facts), strict=True):
        lesson.lock_reason = lesson_lock


class OwnerSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ("id", "username", "first_name", "avatar", "role", "date_joined")


class CategorySerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ("id", "slug", "title")


class AttachmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Attachment
        fields = ("id", "title", "url", "created_at")


class LessonLineSerializer(serializers.ModelSerializer):
    is_locked = serializers.SerializerMethodField()
    lock_reason = serializers.CharField()

    class Meta:
        model = Lesson
        fields = ("id", "title", "order", "price", "is_preview", "duration_seconds", "is_locked", "lock_reason")

    def get_is_locked(self, lesson: Lesson) -> bool:
        return lesson.lock_reason is not None

    def to_representation(self, lesson: Lesson) -> dict:
        return {**super().to_representation(lesson), **LOCKED}


class LessonSerializer(serializers.ModelSerializer):
    video = serializers.SerializerMethodField()
    attachments = AttachmentSerializer(many=True)
    is_locked = serializers.SerializerMethodField()
    lock_reason = serializers.CharField()
    is_completed = serializers.BooleanField()

    class Meta:
        model = Lesson
        fields = (
            *("id", "course", "owner", "title", "description", "body", "preview", "video_url", "video", "attachments"),
            *("order", "price", "is_preview", "duration_seconds", "is_locked", "lock_reason", "is_completed"),
            *("created_at", "updated_at"),
        )

    def get_video(self, lesson: Lesson) -> None: ...

    def get_is_locked(self, lesson: Lesson) -> bool:
        return lesson.lock_reason is not None

    def to_representation(self, lesson: Lesson) -> dict:
        data = super().to_representation(lesson)
        return data if lesson.lock_reason is None else {**data, **LOCKED}


class CardSerializer(serializers.ModelSerializer):
    owner = OwnerSerializer()
    category = CategorySerializer()
    lesson_count = serializers.IntegerField(source="lessons_counted")
    lessons = LessonLineSerializer(many=True)
    is_subscribed = serializers.BooleanField()
    is_enrolled = serializers.SerializerMethodField()

    class Meta:
        model = Course
        fields = (
            *("id", "title", "description", "preview", "owner", "category", "level", "language", "price", "currency"),
            *("status", "certificate_enabled", "sequential", "access_days", "published_at", "lesson_count", "lessons"),
            *("rating_average", "rating_count", "enrollment_count", "is_subscribed", "is_enrolled"),
            *("created_at", "updated_at"),
        )

    def get_is_enrolled(self, course: Course) -> bool:
        return Enrollment(status=course.enrollment_status or "", expires_at=course.enrollment_expires_at).is_open

    def to_representation(self, course: Course) -> dict:
        lock(course, self.context["request"].user)
        return super().to_representation(course)


class CourseSerializer(CardSerializer):
    lessons = LessonSerializer(many=True)


class PaymentSerializer(serializers.ModelSerializer):
    payment_url = serializers.SerializerMethodField()

    class Meta:
        model = Payment
        fields = (
            *("id", "user", "paid_course", "paid_lesson", "title", "amount", "currency", "payment_method", "status"),
            *("payment_date", "payment_url", "receipt_number", "created_at", "updated_at"),
        )

    def get_payment_url(self, payment: Payment) -> str | None:
        return payment.payment_url or None if payment.status == "pending" else None


def courses_for(user: User) -> QuerySet[Course]:
    lessons = Lesson.objects.annotate(
        is_bought=Exists(LessonAccess.objects.filter(user=user, lesson=OuterRef("pk"))),
        is_completed=Exists(
            LessonCompletion.objects.filter(enrollment__user=user, lesson=OuterRef("pk"), completed_at__isnull=False)
        ),
    ).prefetch_related("attachments")
    enrollment = Enrollment.objects.filter(user=user, course=OuterRef("pk"))
    return (
        Course.objects.filter(Q(status="published") | Q(owner=user))
        .select_related("owner", "category")
        .annotate(
            lessons_counted=Count("lessons"),
            is_subscribed=Exists(Subscription.objects.filter(user=user, course=OuterRef("pk"))),
            enrollment_status=Subquery(enrollment.values("status")[:1]),
            enrollment_expires_at=Subquery(enrollment.values("expires_at")[:1]),
        )
        .prefetch_related(Prefetch("lessons", lessons))
        .order_by("-created_at")
    )


class CourseViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Course.objects.all()

    def get_queryset(self) -> QuerySet[Course]:
        return courses_for(self.request.user)

    def get_serializer_class(self) -> type[serializers.Serializer]:
        return CardSerializer if self.action == "list" else CourseSerializer


class LessonViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Lesson.objects.all()
    serializer_class = LessonSerializer

    def get_queryset(self) -> QuerySet[Lesson]:
        return Lesson.objects.prefetch_related(Prefetch("course", courses_for(self.request.user)))

    def get_object(self) -> Lesson:
        course = super().get_object().course
        lock(course, self.request.user)
        return next(lesson for lesson in course.lessons.all() if str(lesson.pk) == self.kwargs["pk"])


class PaymentViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.filter(user=self.request.user).order_by("-payment_date")


router = routers.SimpleRouter()
router.register("api/courses", CourseViewSet)
router.register("api/lessons", LessonViewSet)
router.register("api/payments", PaymentViewSet)
urlpatterns = router.urls
