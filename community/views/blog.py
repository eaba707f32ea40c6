"""The blog, and its feed."""

import re
from datetime import datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.db.models import F, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.views import APIView

from common import frontend
from common.serializers import Serializer
from community import markup
from community.filters import PostFilter
from community.models import Post
from community.permissions import MayWritePosts
from community.serializers.blog import AuthoredSerializer, PostSerializer
from community.services import blog
from community.slugs import SLUG_PATTERN

POSTS_IN_FEED = 20
AUTHORED_POSTS = 100
# What no XML document may hold, however it is written (XML 1.0, 2.2).
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@extend_schema_view(
    list=extend_schema(summary="Posts of the blog"),
    create=extend_schema(summary="Write a post"),
    retrieve=extend_schema(summary="Read a post"),
    update=extend_schema(summary="Change a post"),
    partial_update=extend_schema(summary="Change parts of a post"),
    destroy=extend_schema(summary="Delete a post"),
)
class PostViewSet(viewsets.ModelViewSet):
    """The blog. Everyone reads what is published and whose time has come; moderators and admins write."""

    queryset = Post.objects.all()
    serializer_class = PostSerializer
    permission_classes = (IsAuthenticatedOrReadOnly, MayWritePosts)
    filterset_class = PostFilter
    lookup_field = "slug"
    lookup_value_regex = SLUG_PATTERN
    ordering_fields = ("published_at", "title")
    # Drafts, which have no time, stand first on every database.
    ordering = (F("published_at").desc(nulls_first=True), "-id")

    def get_queryset(self) -> QuerySet[Post]:
        return Post.objects.visible_to(self.request.user).for_listing()

    def perform_create(self, serializer: Serializer) -> None:
        post = blog.create_post(author=self.request.user, **serializer.validated_data)
        serializer.instance = get_object_or_404(self.get_queryset(), pk=post.pk)

    def perform_update(self, serializer: Serializer) -> None:
        post = blog.change_post(post=serializer.instance, **serializer.validated_data)
        serializer.instance = get_object_or_404(self.get_queryset(), pk=post.pk)

    def perform_destroy(self, instance: Post) -> None:
        blog.delete_post(post=instance)


class FeedView(APIView):
    """The latest posts as RSS 2.0."""

    permission_classes = (AllowAny,)

    @extend_schema(summary="The blog as RSS", responses={(200, "application/rss+xml"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponseBase:
        response = PostFeed()(request._request)
        # A post that is deleted would set it back. The ETag tells what has changed.
        del response.headers["Last-Modified"]
        return response


class PostFeed(Feed):
    link = frontend.blog()

    def title(self) -> str:
        return _("Lyceum: the blog")

    def description(self) -> str:
        return _("News of the platform and advice on learning.")

    def items(self) -> QuerySet[Post]:
        return Post.objects.published().for_listing().order_by("-published_at", "-id")[:POSTS_IN_FEED]

    def item_title(self, item: Post) -> str:
        return _in_xml(super().item_title(item))

    def item_description(self, item: Post) -> str:
        return _in_xml(markup.render(item.body))

    def item_link(self, item: Post) -> str:
        return frontend.blog(item.slug)

    def item_guid(self, item: Post) -> str:
        return f"urn:uuid:{item.pk}"

    item_guid_is_permalink = False

    def item_pubdate(self, item: Post) -> datetime | None:
        return item.published_at

    def item_categories(self, item: Post) -> list[str]:
        return sorted(_in_xml(tag.name) for tag in item.tags.all())


def _in_xml(text: Any) -> str:
    return NOT_IN_XML.sub("", str(text))


def authored_part(request: Request | None) -> AuthoredSerializer:
    """For the registry: the caller's posts, the latest first; without a request, their shape alone."""
    if request is None:
        return AuthoredSerializer()
    posts = Post.objects.filter(author=request.user).defer("body", "terms").order_by("-created_at", "-id")
    return AuthoredSerializer({"posts": posts[:AUTHORED_POSTS]})
