"""The shapes of courses and what hangs on them."""

import copy
import re
from decimal import Decimal
from typing import Any

from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework.reverse import reverse

from common import serializers
from common.fields import OptionalBooleanField
from common.ids import UUID_PATTERN
from common.registry import authored
from common.uploads import DocumentField, ImageField
from common.writing import HoldsRules, SavesWhatWasSent
from materials.links import normalise_youtube_url, validate_no_foreign_links
from materials.models import Attachment, Category, Course, Enrollment, Lesson, Review
from materials.models.content import HTTPS, MAX_ORDER, shares_for_free
from users.serializers import OwnerSerializer


class CategorySerializer(SavesWhatWasSent, serializers.ModelSerializer):
    course_count = serializers.IntegerField(read_only=True, default=0, help_text="Published courses.")

    class Meta:
        model = Category
        fields = ("id", "slug", "title", "order", "course_count")


class CategoryBriefSerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ("id", "slug", "title")
        read_only_fields = fields


class CategoryField(serializers.RelatedField):
    """Read as an object, written as a category's id or slug."""

    default_error_messages = {"does_not_exist": _("There is no such category.")}

    def to_internal_value(self, data: Any) -> Category:
        if isinstance(data, str) and "\0" not in data:  # which PostgreSQL takes in no text
            is_id = re.fullmatch(UUID_PATTERN, data)
            is_slug = re.fullmatch(r"[-\w]{1,50}", data)
            found = Category.objects.filter(**{"pk" if is_id else "slug": data}) if is_id or is_slug else None
            category = found.first() if found is not None else None
            if category is not None:
                return category
        raise serializers.ValidationError(self.error_messages["does_not_exist"], code="does_not_exist")

    def to_representation(self, value: Category) -> dict[str, Any]:
        return CategoryBriefSerializer(value).data

    def use_pk_only_optimization(self) -> bool:
        return False


class CategoryFieldSchema(OpenApiSerializerFieldExtension):
    """For the schema: a string goes in, an object comes out."""

    target_class = CategoryField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if direction == "request":
            return {"type": "string", "description": "A category's id or slug."}
        return auto_schema.resolve_serializer(CategoryBriefSerializer, direction).ref


class ContentSerializer(HoldsRules, SavesWhatWasSent, serializers.ModelSerializer):
    """What authors write: judged by all rules of its model, and saved as far as it was sent."""


class HttpsField(serializers.URLField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = [each for each in self.validators if not isinstance(each, URLValidator)] + [HTTPS]


class AttachmentSerializer(ContentSerializer):
    """Either a file or a link. A file is given out by the API alone, to whoever may open the lesson."""

    file = DocumentField(required=False, allow_null=True)
    url = HttpsField(max_length=500, required=False, allow_null=True)

    class Meta:
        model = Attachment
        fields = ("id", "title", "file", "url", "created_at")

    def new_row(self) -> Attachment:
        return Attachment(lesson=self.context["lesson"])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return super().validate({**attrs, "file": attrs.get("file") or "", "url": attrs.get("url") or ""})

    def to_representation(self, attachment: Attachment) -> dict[str, Any]:
        data = super().to_representation(attachment)
        kwargs = {"lesson_pk": attachment.lesson_id, "pk": attachment.pk}
        address = reverse("lesson-attachment-file", kwargs=kwargs, request=self.context.get("request"))
        return {**data, "file": address if attachment.file else None, "url": attachment.url or None}


class TextWithoutLinksField(serializers.CharField):
    """Text in which every link leads to YouTube."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(validate_no_foreign_links)


class VideoURLField(serializers.CharField):
    """A video or playlist on YouTube, stored as its https address."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        return normalise_youtube_url(text) if text else ""


class OutlineItemSerializer(serializers.Serializer):
    """An assignment or a quiz in an outline, open to whom the outline is; what it asks is not."""

    kind = serializers.ChoiceField(choices=["assignment", "quiz"])
    id = serializers.UUIDField()
    title = serializers.CharField()
    due_at = serializers.DateTimeField(read_only=True, allow_null=True)
    is_final = serializers.BooleanField()
    state = serializers.ChoiceField(
        choices=["not_started", "submitted", "returned", "graded", "in_progress", "passed", "failed"],
        allow_null=True,
        help_text="The caller's: of an assignment `not_started`, `submitted`, `returned`, `graded`; of a quiz "
        "`not_started`, `in_progress`, `passed`, `failed`; null without sign-in.",
    )


class NextLessonSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()


class LessonOutlineSerializer(serializers.ModelSerializer):
    """A lesson's line on a course card. Cards never carry content: the last three members are null here, and filled in
    the course itself wherever the lesson is open."""

    is_locked = serializers.SerializerMethodField()
    lock_reason = serializers.SerializerMethodField()
    video_url = serializers.SerializerMethodField()
    video = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()

    class Meta:
        model = Lesson
        fields = (
            "id",
            "title",
            "order",
            "price",
            "is_preview",
            "duration_seconds",
            "is_locked",
            "lock_reason",
            "video_url",
            "video",
            "attachments",
        )
        read_only_fields = fields

    def to_representation(self, lesson: Lesson) -> dict[str, Any]:
        # Written out by hand: a page of the catalogue holds hundreds of these.
        return {
            "id": lesson.pk,
            "title": lesson.title,
            "order": lesson.order,
            "price": str(lesson.price),
            "is_preview": lesson.is_preview,
            "duration_seconds": lesson.duration_seconds,
            "is_locked": lesson.lock_reason is not None,
            "lock_reason": lesson.lock_reason,
            "video_url": None,
            "video": None,
            "attachments": None,
        }

    @extend_schema_field(int)
    def get_position_seconds(self, lesson: Lesson) -> int:
        return getattr(lesson, "position_seconds", 0)

    @extend_schema_field(bool)
    def get_is_locked(self, lesson: Lesson) -> bool:
        return lesson.lock_reason is not None

    @extend_schema_field(
        serializers.ChoiceField(
            choices=["not_enrolled", "payment_required", "access_expired", "previous_lesson_required"], allow_null=True
        )
    )
    def get_lock_reason(self, lesson: Lesson) -> str | None:
        return lesson.lock_reason

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_video_url(self, lesson: Lesson) -> None: ...

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_video(self, lesson: Lesson) -> None: ...

    @extend_schema_field(AttachmentSerializer(many=True, allow_null=True))
    def get_attachments(self, lesson: Lesson) -> None: ...


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A lesson with a video",
            {
                "title": "Переменные и типы",
                "description": "С чего начинается любая программа",
                "body": "# Переменные\n\nИмя, значение и тип.",
                "video_url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
                "is_preview": True,
                "duration_seconds": 900,
            },
            request_only=True,
        )
    ]
)
class LessonSerializer(ContentSerializer):
    """A lesson. What a locked one holds (body, video_url, video, attachments) is null."""

    title = TextWithoutLinksField(max_length=200)
    description = TextWithoutLinksField(max_length=10_000, required=False, allow_blank=True)
    # Null where the lesson is locked; sent as null, they are emptied.
    body = TextWithoutLinksField(
        max_length=200_000, required=False, allow_blank=True, allow_null=True, trim_whitespace=False
    )
    video_url = VideoURLField(max_length=500, required=False, allow_blank=True, allow_null=True)
    preview = ImageField(required=False, allow_null=True)
    order = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ORDER)
    price = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=Decimal(0), required=False)
    currency = serializers.CharField(source="course.currency", read_only=True)
    course_title = serializers.CharField(source="course.title", read_only=True)
    is_preview = OptionalBooleanField(required=False)
    duration_seconds = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    attachments = serializers.SerializerMethodField()
    video = serializers.SerializerMethodField()
    is_locked = serializers.SerializerMethodField()
    lock_reason = serializers.SerializerMethodField()
    items = OutlineItemSerializer(many=True, read_only=True)
    is_completed = serializers.BooleanField(read_only=True)
    position_seconds = serializers.SerializerMethodField(help_text="Where the caller has stopped the video.")

    class Meta:
        model = Lesson
        fields = (
            "id",
            "course",
            "course_title",
            "owner",
            "title",
            "description",
            "body",
            "preview",
            "video_url",
            "video",
            "attachments",
            "order",
            "price",
            "currency",
            "is_preview",
            "duration_seconds",
            "is_locked",
            "lock_reason",
            "items",
            "is_completed",
            "position_seconds",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("course", "owner")
        validators: list[Any] = []  # the place in the course is judged by the model

    def to_representation(self, lesson: Lesson) -> dict[str, Any]:
        data = super().to_representation(lesson)
        if lesson.lock_reason is not None:
            data |= {"body": None, "video_url": None, "video": None, "attachments": None}
        return data

    def validate_preview(self, value: Any) -> Any:
        return value or ""

    def new_row(self) -> Lesson:
        return Lesson(course=self.context["course"], owner=self.context["request"].user)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return super().validate(attrs | {name: "" for name in ("body", "video_url") if attrs.get(name, "") is None})

    @extend_schema_field(AttachmentSerializer(many=True, allow_null=True))
    def get_attachments(self, lesson: Lesson) -> Any:
        return AttachmentSerializer(lesson.attachments.all(), many=True, context=self.context).data

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_video(self, lesson: Lesson) -> None:
        """Uploaded videos; there are none yet."""

    @extend_schema_field(int)
    def get_position_seconds(self, lesson: Lesson) -> int:
        return getattr(lesson, "position_seconds", 0)

    @extend_schema_field(bool)
    def get_is_locked(self, lesson: Lesson) -> bool:
        return lesson.lock_reason is not None

    @extend_schema_field(
        serializers.ChoiceField(
            choices=["not_enrolled", "payment_required", "access_expired", "previous_lesson_required"], allow_null=True
        )
    )
    def get_lock_reason(self, lesson: Lesson) -> str | None:
        return lesson.lock_reason


class ListedLessonSerializer(LessonSerializer):
    """A lesson among others: its body stands on its own route alone, what it asks for there and in the course."""

    body = None

    class Meta(LessonSerializer.Meta):
        fields = tuple(name for name in LessonSerializer.Meta.fields if name not in {"body", "items"})

    def to_representation(self, lesson: Lesson) -> dict[str, Any]:
        data = super().to_representation(lesson)
        data.pop("body", None)
        return data


class LessonOfCourseSerializer(ListedLessonSerializer):
    """A lesson in its course, which may have a thousand of them: a long description is cut there."""

    description = serializers.CharField(source="shown_description", read_only=True)
    course_title = None

    class Meta(LessonSerializer.Meta):
        fields = tuple(name for name in LessonSerializer.Meta.fields if name not in {"body", "course_title"})


class CourseOfLessonSerializer(serializers.Serializer):
    course = serializers.UUIDField()


class FlatLessonSerializer(LessonSerializer):
    """The same on the flat route, where a new lesson names its course."""

    course = serializers.PrimaryKeyRelatedField(queryset=Course.objects.all())

    class Meta(LessonSerializer.Meta):
        read_only_fields = ("owner",)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        if self.instance is not None:
            fields["course"].read_only = True  # a lesson never moves to another course
        return fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A priced course",
            {
                "title": "Основы Python",
                "description": "Первый язык программирования за шесть недель",
                "level": "beginner",
                "language": "ru",
                "price": "4900.00",
                "currency": "RUB",
            },
            request_only=True,
        )
    ]
)
class CourseCardSerializer(ContentSerializer):
    """A course in the catalogue."""

    title = TextWithoutLinksField(max_length=200)
    description = TextWithoutLinksField(max_length=10_000, required=False, allow_blank=True)
    preview = ImageField(required=False, allow_null=True)
    owner = OwnerSerializer(read_only=True)
    category = CategoryField(queryset=Category.objects.all(), required=False, allow_null=True)
    price = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=Decimal(0), required=False)
    currency = serializers.CharField(max_length=3, required=False)
    certificate_enabled = OptionalBooleanField(required=False)
    sequential = OptionalBooleanField(required=False)
    duration_seconds = serializers.SerializerMethodField()
    lessons = LessonOutlineSerializer(many=True, read_only=True, source="outline")
    is_subscribed = serializers.BooleanField(read_only=True)
    is_enrolled = serializers.SerializerMethodField()

    class Meta:
        model = Course
        fields = (
            "id",
            "title",
            "description",
            "preview",
            "owner",
            "category",
            "level",
            "language",
            "price",
            "currency",
            "status",
            "certificate_enabled",
            "completion",
            "sequential",
            "access_days",
            "published_at",
            "lesson_count",
            "duration_seconds",
            "lessons",
            "rating_average",
            "rating_count",
            "enrollment_count",
            "is_subscribed",
            "is_enrolled",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("published_at", "lesson_count", "rating_average", "rating_count", "enrollment_count")

    @extend_schema_field(int)
    def get_duration_seconds(self, course: Course) -> int:
        """Of all its lessons."""
        if hasattr(course, "total_duration"):  # a card does not have all of them at hand
            return int(course.total_duration)
        return sum(lesson.duration_seconds for lesson in course.outline)

    @extend_schema_field(bool)
    def get_is_enrolled(self, course: Course) -> bool:
        """Whether the caller's enrollment is open now."""
        return Enrollment(status=course.my_enrollment_status or "", expires_at=course.my_enrollment_expires_at).is_open

    def validate_preview(self, value: Any) -> Any:
        return value or ""

    def new_row(self) -> Course:
        owner = self.context["request"].user
        return Course(owner=owner, certificate_enabled=not shares_for_free(owner))


class CourseSerializer(CourseCardSerializer):
    """A course with its outline; lessons that are open to the caller bring their content, but for the body."""

    lessons = LessonOfCourseSerializer(many=True, read_only=True, source="outline")
    items = OutlineItemSerializer(many=True, read_only=True, help_text="What belongs to no lesson: a final quiz, say.")
    next_lesson = serializers.SerializerMethodField()

    class Meta(CourseCardSerializer.Meta):
        fields = (*CourseCardSerializer.Meta.fields, "items", "next_lesson")

    @extend_schema_field(NextLessonSerializer(allow_null=True))
    def get_next_lesson(self, course: Course) -> Any:
        """Where the caller goes on: the first open lesson that they have not completed. Null for who does not study."""
        if not self.get_is_enrolled(course):
            return None
        left = (lesson for lesson in course.outline if lesson.lock_reason is None and not lesson.is_completed)
        lesson = next(left, None)
        return NextLessonSerializer(lesson).data if lesson else None


class CourseIdSerializer(serializers.Serializer):
    course_id = serializers.UUIDField(write_only=True)


class SubscriptionStateSerializer(serializers.Serializer):
    message = serializers.CharField(read_only=True)
    is_subscribed = serializers.BooleanField(read_only=True)


class EnrollmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Enrollment
        fields = ("id", "course", "source", "status", "completed_at", "expires_at", "created_at")
        read_only_fields = fields


class ReviewSerializer(SavesWhatWasSent, serializers.ModelSerializer):
    author = OwnerSerializer(read_only=True)
    text = serializers.CharField(max_length=5000, required=False, allow_blank=True)

    class Meta:
        model = Review
        fields = ("id", "course", "author", "rating", "text", "created_at", "updated_at")
        read_only_fields = ("course",)


class AuthoredCourseSerializer(serializers.ModelSerializer):
    """A course as a line in the list of what its author has made."""

    class Meta:
        model = Course
        fields = ("id", "title", "preview", "status", "lesson_count", "published_at", "created_at", "updated_at")
        read_only_fields = fields


@extend_schema_serializer(many=False)
class MyMaterialsSerializer(serializers.Serializer):
    """For the schema: the latest courses in a line each, what other apps add, and a page of all courses as cards."""

    courses = AuthoredCourseSerializer(many=True)

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = CourseCardSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        added = {name: field for part in authored.call_each(None) for name, field in part.fields.items()}
        return {**super().get_fields(), **{name: copy.deepcopy(field) for name, field in added.items()}}
