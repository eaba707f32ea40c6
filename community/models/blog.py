"""What the platform tells everyone."""

from django.contrib.auth.models import AnonymousUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.files import ImageField
from common.models import EditableRow, Row
from common.sorting import SortKeyField
from community.slugs import MAX_SLUG, SLUG_PATTERN
from materials.search import TermsField, query_groups
from users.models import User

Viewer = User | AnonymousUser


class PostQuerySet(models.QuerySet["Post"]):
    def published(self) -> "PostQuerySet":
        """Those whose time has come."""
        return self.filter(status=Post.Status.PUBLISHED, published_at__lte=timezone.now())

    def visible_to(self, user: Viewer) -> "PostQuerySet":
        """Published ones for everyone; drafts, and what is to appear later, for those who write."""
        return self if user.is_authenticated and user.may_edit_all_content else self.published()

    def for_listing(self) -> "PostQuerySet":
        """Everything that is shown of a post, and not what it is found by."""
        return self.select_related("author").prefetch_related("tags").defer("terms")

    def search(self, text: str) -> "PostQuerySet":
        """Posts with every word of the text, in any form, Russian or English."""
        groups = query_groups(text, ())
        if not groups:
            return self.none() if text.strip() else self
        return self.filter(terms__matches=groups)


class Post(EditableRow):
    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")

    author = models.ForeignKey(User, models.PROTECT, related_name="posts", verbose_name=_("author"))
    title = models.CharField(_("title"), max_length=200)
    title_key = SortKeyField("title")
    slug = models.SlugField(
        _("address"),
        max_length=MAX_SLUG,
        unique=True,
        validators=[RegexValidator(rf"^{SLUG_PATTERN}\Z", _("Small Latin letters, digits and single dashes."))],
    )
    body = models.TextField(_("body, in Markdown"), max_length=100_000)
    cover = ImageField(_("picture"), upload_to="public/blog", blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    terms = TermsField(editable=False, default="")

    objects = PostQuerySet.as_manager()

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="published") | Q(published_at__isnull=False), name="community_post_published_at"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-published_at", "-id"]),
            models.Index(fields=["status", "title_key", "id"]),
            models.Index(fields=["-published_at", "-id"]),
            models.Index(fields=["author", "-created_at", "-id"]),
        ]

    def __str__(self) -> str:
        return self.title

    def publish(self) -> None:
        """A published post without a time appears now."""
        if self.status == self.Status.PUBLISHED and self.published_at is None:
            self.published_at = timezone.now()


class PostTag(Row):
    """A word that a post is filed under, in lower case."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="tags", verbose_name=_("post"))
    name = models.CharField(_("tag"), max_length=30)
    name_key = SortKeyField("name")

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("name_key", "id")
        constraints = [models.UniqueConstraint(fields=["post", "name"], name="community_post_tag_once")]
        indexes = [models.Index(fields=["name", "post"])]

    def __str__(self) -> str:
        return self.name
