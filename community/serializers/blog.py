from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework.validators import UniqueValidator

from common import serializers
from common.fields import StartDateTimeField
from common.uploads import ImageField
from community import markup
from community.models import Post
from community.slugs import MAX_SLUG, RESERVED, SLUG_PATTERN
from users.serializers import OwnerSerializer

MAX_TAGS = 10


@extend_schema_field(serializers.ListField(child=serializers.CharField(max_length=30), max_length=MAX_TAGS))
class TagsField(serializers.ListField):
    """Words, kept in lower case and in their alphabet's order, each once."""

    child = serializers.CharField(max_length=30)

    def to_internal_value(self, data: Any) -> list[str]:
        names = [" ".join(name.lower().split()) for name in super().to_internal_value(data)]
        return sorted(set(names))

    def to_representation(self, value: Any) -> list[str]:
        """The post's tags; prefetched by the view."""
        return sorted(tag.name for tag in value.all())


class SlugField(serializers.RegexField):
    """The address of a post; without one, or with an empty one, it is made from the title."""

    default_error_messages = {
        "invalid": _("Small Latin letters, digits and single dashes."),
        "reserved": _("This address is taken by another page."),
    }

    def __init__(self, **kwargs: Any) -> None:
        unique = UniqueValidator(Post.objects.all(), message=_("Another post has this address."))
        super().__init__(rf"^{SLUG_PATTERN}\Z", **{"max_length": MAX_SLUG, "validators": [unique], **kwargs})

    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data).lower()
        if slug in RESERVED:
            self.fail("reserved")
        return slug


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Published at once",
            {
                "title": "Как учиться по вечерам",
                "body": "Начните с **двадцати минут**.\n\n- Тот же час\n- То же место",
                "tags": ["советы", "учёба"],
                "status": "published",
            },
            request_only=True,
        )
    ]
)
class PostSerializer(serializers.ModelSerializer):
    slug = SlugField(required=False)
    author = OwnerSerializer(read_only=True)
    body_html = serializers.SerializerMethodField()
    cover = ImageField(required=False, allow_null=True)
    tags = TagsField(required=False, max_length=MAX_TAGS)
    published_at = StartDateTimeField(
        required=False, allow_null=True, help_text="When it appears; for a published post without one, at once."
    )

    class Meta:
        model = Post
        fields = (
            "id",
            "slug",
            "title",
            "author",
            "body",
            "body_html",
            "cover",
            "tags",
            "status",
            "published_at",
            "created_at",
            "updated_at",
        )

    def get_body_html(self, post: Post) -> str:
        """The body as HTML: without scripts, raw HTML, styles or frames."""
        return markup.render(post.body)

    def validate_cover(self, value: Any) -> Any:
        return value or ""


class AuthoredPostSerializer(serializers.ModelSerializer):
    """A post as a line in the list of what its author has made."""

    class Meta:
        model = Post
        fields = ("id", "slug", "title", "status", "published_at", "created_at", "updated_at")
        read_only_fields = fields


class AuthoredSerializer(serializers.Serializer):
    """This app's members of `/users/me/materials/`."""

    posts = AuthoredPostSerializer(many=True)
