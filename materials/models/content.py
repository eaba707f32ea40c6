"""What teachers publish: courses, lessons, attachments."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.db.models import Deferrable, Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.errors import RuleBroken, as_model_errors, invalid
from common.files import FileField, ImageField
from common.models import EditableRow, Language, Row
from common.money import check_price
from common.sorting import SortKeyField
from materials.links import normalise_youtube_url, validate_no_foreign_links
from materials.models.search import CourseSearch, SearchTerm
from materials.search import query_deletions, query_groups
from users.models import User

Viewer = User | AnonymousUser
MAX_ORDER = 1_000_000
# What a course's own page shows at once.
MAX_LESSONS = 1_000
MAX_ATTACHMENTS = 500


def shares_for_free(owner: User) -> bool:
    """Whether what the person makes is free and gives no certificate: students share their own materials."""
    return owner.role == User.Role.STUDENT and not owner.is_staff


def check_author_may_charge(owner: User, price: Decimal) -> None:
    """Raises 400 for a price on what a student made."""
    if price > 0 and shares_for_free(owner):
        raise invalid("price", "free_only", _("Students publish free materials only."))


def _differs(row: Row, stored: Row | None, *names: str) -> bool:
    return stored is None or any(getattr(row, name) != getattr(stored, name) for name in names)


class Category(EditableRow):
    slug = models.SlugField(_("slug"), unique=True)
    title = models.CharField(_("title"), max_length=100)
    title_key = SortKeyField("title")
    order = models.PositiveSmallIntegerField(_("order"), default=0, db_index=True)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("order", "title_key", "id")

    def __str__(self) -> str:
        return self.title


class CourseQuerySet(models.QuerySet["Course"]):
    def visible_to(self, user: Viewer) -> "CourseQuerySet":
        """Published ones for everyone; drafts for their owner and for staff; archived ones also for those whom they, or
        one of their lessons, have been opened to."""
        published = Q(status=Course.Status.PUBLISHED)
        if not user.is_authenticated:
            return self.filter(published)
        if user.may_edit_all_content:
            return self
        enrolled = Exists(user.enrollments.filter(course=OuterRef("pk")).exclude(status="revoked"))
        bought_lesson = Exists(user.lesson_accesses.filter(lesson__course=OuterRef("pk")))
        kept = Q(status=Course.Status.ARCHIVED) & (Q(enrolled) | Q(bought_lesson))
        return self.filter(published | Q(owner=user) | kept)

    def listed_for(self, user: Viewer) -> "CourseQuerySet":
        """The catalogue: what is published, one's own, and everything for staff."""
        if not user.is_authenticated:
            return self.filter(status=Course.Status.PUBLISHED)
        if user.may_edit_all_content:
            return self
        return self.filter(Q(status=Course.Status.PUBLISHED) | Q(owner=user))

    def for_listing(self, user: Viewer) -> "CourseQuerySet":
        """Everything that a card shows but the lessons, in one query: owner, category and the caller's own flags."""
        with_people = self.select_related("owner", "category")
        if not user.is_authenticated:
            return with_people.annotate(is_subscribed=_constant(False), **{name: _constant(None) for name in _FLAGS})
        enrollment = user.enrollments.filter(course=OuterRef("pk"))
        return with_people.annotate(
            is_subscribed=Exists(user.subscriptions.filter(course=OuterRef("pk"))),
            **{name: Subquery(enrollment.values(field)[:1]) for name, field in _FLAGS.items()},
        )

    def search(self, text: str) -> "CourseQuerySet":
        """Courses with every word of the text, in any form, one typo a word forgiven."""
        known = SearchTerm.objects.filter(deletion__in=query_deletions(text)).values_list("deletion", "term")
        groups = query_groups(text, known)
        if not groups:
            return self.none() if text.strip() else self
        return self.filter(pk__in=CourseSearch.objects.filter(terms__matches=groups).values("course"))


_FLAGS = {
    "my_enrollment_id": "id",
    "my_enrollment_status": "status",
    "my_enrollment_expires_at": "expires_at",
}


def _constant(value: Any) -> models.Value:
    return models.Value(value, output_field=models.BooleanField(null=True))


def default_currency() -> str:
    return settings.DEFAULT_CURRENCY


class Course(EditableRow):
    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        ARCHIVED = "archived", _("Archived")

    class Level(models.TextChoices):
        BEGINNER = "beginner", _("Beginner")
        INTERMEDIATE = "intermediate", _("Intermediate")
        ADVANCED = "advanced", _("Advanced")

    class Completion(models.TextChoices):
        EVERYTHING = "everything", _("All lessons, all assignments and the final quiz")
        FINAL_QUIZ = "final_quiz", _("The final quiz alone")

    owner = models.ForeignKey(User, models.PROTECT, related_name="courses", verbose_name=_("owner"))
    title = models.CharField(_("title"), max_length=200, validators=[validate_no_foreign_links])
    title_key = SortKeyField("title")
    description = models.TextField(
        _("description"), max_length=10_000, blank=True, validators=[validate_no_foreign_links]
    )
    preview = ImageField(_("picture"), upload_to="public/courses", blank=True)
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, blank=True, related_name="courses", verbose_name=_("category")
    )
    level = models.CharField(_("level"), max_length=20, choices=Level.choices, default=Level.BEGINNER)
    language = models.CharField(_("language"), max_length=2, choices=Language.choices, default=Language.RUSSIAN)
    price = models.DecimalField(
        _("price"), max_digits=10, decimal_places=2, default=Decimal(0), validators=[MinValueValidator(0)]
    )
    currency = models.CharField(_("currency"), max_length=3, default=default_currency)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.PUBLISHED)
    certificate_enabled = models.BooleanField(_("gives a certificate"), default=True)
    completion = models.CharField(
        _("what completes it"),
        max_length=10,
        choices=Completion.choices,
        default=Completion.EVERYTHING,
        help_text=_("Without a final quiz, “the final quiz alone” completes nobody."),
    )
    sequential = models.BooleanField(_("lessons open one after another"), default=False)
    access_days = models.PositiveIntegerField(
        _("days of access"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(36_500)]
    )
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    rating_average = models.DecimalField(_("rating"), max_digits=3, decimal_places=2, default=Decimal(0))
    rating_count = models.PositiveIntegerField(_("reviews"), default=0)
    lesson_count = models.PositiveIntegerField(_("lessons"), default=0)
    enrollment_count = models.PositiveIntegerField(_("enrolled"), default=0)
    announced_at = models.DateTimeField(_("last update letter"), null=True, blank=True, editable=False)
    # While a digest is being written: until when nobody else takes it over.
    digest_leased_until = models.DateTimeField(null=True, blank=True, editable=False)

    # What `for_listing` adds, and the view's prefetch of lessons.
    is_subscribed: bool
    my_enrollment_status: str | None
    my_enrollment_expires_at: datetime | None
    outline: list["Lesson"]
    # What `materials.outline` adds: what belongs to the course as a whole.
    items: list[dict[str, Any]]

    objects = CourseQuerySet.as_manager()

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="materials_course_price_not_negative"),
        ]
        indexes = [
            models.Index(fields=["status", "-created_at", "-id"]),
            models.Index(fields=["status", "price", "id"]),
            models.Index(fields=["status", "rating_average", "id"]),
            models.Index(fields=["status", "enrollment_count", "id"]),
            models.Index(fields=["status", "title_key", "id"]),
            models.Index(fields=["owner", "status", "-created_at", "-id"], name="materials_course_newest_of"),
            models.Index(fields=["level"]),
            models.Index(fields=["language"]),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """The rules of a course by itself: 400s on its fields, and 409 for what people have paid for. What stays as it
        was is not judged anew. Hold its lock."""
        stored = self.as_stored()
        self.currency = self.currency.upper()
        if not hasattr(self, "owner"):
            return  # a form that names nobody
        with as_model_errors():
            if _differs(self, stored, "price", "currency", "owner_id"):
                check_author_may_charge(self.owner, self.price)
                check_price(self.price, self.currency)
            if stored is not None and _differs(self, stored, "currency", "owner_id"):
                for price in self.lessons.exclude(price=0).values_list("price", flat=True):
                    check_author_may_charge(self.owner, price)
                    check_price(price, self.currency, attr="currency")
            if shares_for_free(self.owner):
                if self.certificate_enabled and _differs(self, stored, "certificate_enabled"):
                    raise invalid("certificate_enabled", "no_certificate", _("Students' courses give no certificate."))
                self.certificate_enabled = False
        if self.status == self.Status.DRAFT and stored is not None and _differs(self, stored, "status"):
            self._check_nobody_has_paid()

    def _check_nobody_has_paid(self) -> None:
        """Its students would lose sight of a draft."""
        lessons = self.lessons.filter(accesses__source="payment")
        if self.enrollments.filter(source="payment").exists() or lessons.exists():
            raise RuleBroken("has_students", _("Somebody has paid for this course. Archive it instead."))

    @property
    def is_free(self) -> bool:
        return self.price == 0

    @property
    def gives_certificate(self) -> bool:
        """What a student makes is free and gives none, whatever it says."""
        return self.certificate_enabled and not shares_for_free(self.owner)

    def is_managed_by(self, user: Viewer) -> bool:
        """Whether the user sees all of it and may edit it."""
        return user.is_authenticated and (self.owner_id == user.pk or user.may_edit_all_content)

    def publish(self) -> bool:
        """Remembers when the course was first published. Says whether it is now."""
        is_first = self.status == self.Status.PUBLISHED and self.published_at is None
        if is_first:
            self.published_at = timezone.now()
        return is_first


class LessonQuerySet(models.QuerySet["Lesson"]):
    def open_to(self, user: User) -> "LessonQuerySet":
        """Lessons of visible courses that the user owns or may open: what `materials.access` decides, as one filter."""
        if user.may_edit_all_content:
            return self
        enrolled = user.enrollments.open_at(timezone.now()).values("course")
        bought = user.lesson_accesses.values("lesson")
        skipped = Lesson.objects.filter(course=OuterRef("course"), order__lt=OuterRef("order")).for_viewer(user)
        reached = Q(course__sequential=False) | Q(is_completed=True) | ~Exists(skipped.filter(is_completed=False))  # type: ignore[misc] # for_viewer adds it
        return self.filter(
            Q(course__owner=user) | Q(is_preview=True) | Q(pk__in=bought) | (Q(course__in=enrolled) & reached)
        )

    def for_viewer(self, user: Viewer) -> "LessonQuerySet":
        """With what the content gate asks of each lesson about this user."""
        if not user.is_authenticated:
            return self.annotate(is_bought=_constant(False), is_completed=_constant(False))
        completions = user.enrollments.filter(
            completions__lesson=OuterRef("pk"), completions__completed_at__isnull=False
        )
        return self.annotate(
            is_bought=Exists(user.lesson_accesses.filter(lesson=OuterRef("pk"))), is_completed=Exists(completions)
        )


class Lesson(EditableRow):
    course = models.ForeignKey(Course, models.CASCADE, related_name="lessons", verbose_name=_("course"))
    owner = models.ForeignKey(User, models.PROTECT, related_name="lessons", verbose_name=_("owner"))
    title = models.CharField(_("title"), max_length=200, validators=[validate_no_foreign_links])
    title_key = SortKeyField("title")
    description = models.TextField(
        _("description"), max_length=10_000, blank=True, validators=[validate_no_foreign_links]
    )
    body = models.TextField(
        _("body, in Markdown"), max_length=200_000, blank=True, validators=[validate_no_foreign_links]
    )
    preview = ImageField(_("picture"), upload_to="public/lessons", blank=True)
    video_url = models.CharField(_("video on YouTube"), max_length=500, blank=True)
    # Blank: behind the course's last one.
    order = models.PositiveIntegerField(
        _("order"), blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_ORDER)]
    )
    price = models.DecimalField(
        _("price on its own"), max_digits=10, decimal_places=2, default=Decimal(0), validators=[MinValueValidator(0)]
    )
    is_preview = models.BooleanField(_("free preview"), default=False)
    duration_seconds = models.PositiveIntegerField(_("duration, seconds"), default=0)

    # What `for_viewer` adds, and the content gate.
    is_bought: bool
    is_completed: bool
    lock_reason: str | None
    # What `materials.outline` adds.
    items: list[dict[str, Any]]

    objects = LessonQuerySet.as_manager()

    class Meta:
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        ordering = ("order", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["course", "order"], name="materials_lesson_order", deferrable=Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="materials_lesson_price_not_negative"),
        ]
        # The second is for the first lessons of a course: the deferrable constraint is no index on SQLite.
        indexes = [models.Index(fields=["title_key", "id"]), models.Index(fields=["course", "order", "id"])]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """The rules of a lesson in its course. Hold the course's lock."""
        if not hasattr(self, "course"):
            return  # a form that names none
        stored = self.as_stored()
        if self.video_url:
            try:
                self.video_url = normalise_youtube_url(self.video_url)
            except ValidationError as error:
                raise ValidationError({"video_url": error}) from None
        if stored is None and self.course.lessons.count() >= MAX_LESSONS:
            text = _("A course has at most %(n)s lessons.") % {"n": MAX_LESSONS}
            raise ValidationError(text, code="too_many_lessons")
        if self.order is None:
            self.order = next_order(self.course)
        with as_model_errors():
            if _differs(self, stored, "price"):
                check_author_may_charge(self.course.owner, self.price)
                check_price(self.price, self.course.currency)
            taken = Lesson.objects.filter(course=self.course_id, order=self.order).exclude(pk=self.pk)
            if _differs(self, stored, "order") and taken.exists():
                raise invalid("order", "unique", _("Another lesson of the course has this place."))


# To a document anywhere, but by a way that nobody can look into.
HTTPS = URLValidator(schemes=["https"], message=_("Send an address that begins with https://."))


class Attachment(Row):
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="attachments", verbose_name=_("lesson"))
    title = models.CharField(_("title"), max_length=200)
    file = FileField(_("file"), upload_to="private/attachments", blank=True)
    url = models.CharField(_("link"), max_length=500, blank=True, validators=[HTTPS])

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=(Q(file="") & ~Q(url="")) | (~Q(file="") & Q(url="")), name="materials_attachment_file_or_url"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if bool(self.file) == bool(self.url):
            error = ValidationError(_("Send either a file or a link."), code="exactly_one_source")
            raise ValidationError({"url": error})
        if self._state.adding and hasattr(self, "lesson"):
            of_course = Attachment.objects.filter(lesson__course=self.lesson.course_id)
            if of_course.count() >= MAX_ATTACHMENTS:
                text = _("A course has at most %(n)s attachments.") % {"n": MAX_ATTACHMENTS}
                raise ValidationError(text, code="too_many_attachments")


def next_order(course: Course) -> int:
    """The place behind the course's last lesson. Hold the course's lock."""
    last: QuerySet[Lesson] = course.lessons.order_by("-order")
    place = (last.values_list("order", flat=True).first() or 0) + 1
    return place if place <= MAX_ORDER else close_gaps(course) + 1


def close_gaps(course: Course) -> int:
    """Numbers the course's lessons from 1, in the order that they have. Says how many there are."""
    lessons = list(course.lessons.order_by("order", "id").only("id", "order"))
    for place, lesson in enumerate(lessons, start=1):
        lesson.order = place  # never above what it was, so never one that another has at this moment
    Lesson.objects.bulk_update(lessons, ["order"], batch_size=500)
    return len(lessons)
