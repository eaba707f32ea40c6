"""Writing posts: their address, their tags, and what they are found by."""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils.translation import gettext as _

from common.errors import invalid
from community.models import Post, PostTag
from community.slugs import RESERVED, slug_of
from materials.search import stem, words
from users.models import User

MAX_WORDS = 5000


@transaction.atomic
def create_post(*, author: User, tags: list[str] | None = None, slug: str = "", **content: Any) -> Post:
    """A post at the address, or one made from its title. 400 if somebody else took the address a moment ago."""
    post = Post(author=author, slug=slug or _free_slug(content["title"]), **content)
    post.publish()
    post.terms = terms_of(post, tags or [])
    try:
        with transaction.atomic():
            post.save(force_insert=True)
    except IntegrityError:
        if slug:
            raise slug_taken() from None
        # Another post of the same title was faster. The end of an id is chance.
        post.slug = f"{slug_of(post.title) or 'post'}-{post.pk.hex[-8:]}"
        post.save(force_insert=True)
    _set_tags(post, tags or [])
    return post


@transaction.atomic
def change_post(*, post: Post, tags: list[str] | None = None, **content: Any) -> Post:
    """Changes what is given and leaves the rest. The address stays when the title changes: links lead there."""
    current = _hold(post)
    for name, value in content.items():
        setattr(current, name, value)
    current.publish()
    if tags is not None:
        _set_tags(current, tags)
    current.terms = terms_of(current, list(current.tags.values_list("name", flat=True)))
    try:
        with transaction.atomic():
            current.save(update_fields=[*content, "published_at", "terms", "updated_at"])
    except IntegrityError:
        raise slug_taken() from None
    return current


@transaction.atomic
def delete_post(*, post: Post) -> None:
    current = _hold(post)
    current.delete()


def _hold(post: Post) -> Post:
    """The post as it is now, and nobody else's to change until the transaction ends. 404 if it has just been deleted:
    saving it would fail."""
    current = Post.objects.select_for_update(of=("self",)).select_related("author").filter(pk=post.pk).first()
    if current is None:
        raise Http404
    return current


def terms_of(post: Post, tags: list[str]) -> str:
    """The stems of its title, body and tags."""
    written = list(dict.fromkeys(words("\n".join([post.title, *tags, post.body]))))[:MAX_WORDS]
    return " ".join(dict.fromkeys(stem(word) for word in written))


def slug_taken() -> Exception:
    return invalid("slug", "unique", _("Another post has this address."))


def _free_slug(title: str) -> str:
    wanted = slug_of(title) or "post"
    taken = RESERVED | set(Post.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    if wanted not in taken:
        return wanted
    return next(slug for number in range(2, len(taken) + 3) if (slug := f"{wanted}-{number}") not in taken)


def _set_tags(post: Post, tags: list[str]) -> None:
    post.tags.exclude(name__in=tags).delete()
    PostTag.objects.bulk_create([PostTag(post=post, name=name) for name in tags], ignore_conflicts=True)
