"""The blog: reading, finding, writing."""

import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from community.models import Post, PostTag
from community.slugs import MAX_SLUG, slug_of
from community.tests.factories import PostFactory

BLOG = "/api/blog/"
SOON = timedelta(hours=1)


def titles(answer):
    assert answer.status_code == 200, answer.content
    return [post["title"] for post in answer.json()["results"]]


def codes(answer):
    """(attr, code) of each error of a 400."""
    assert answer.status_code == 400, answer.content
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def write(client, **fields):
    answer = client.post(BLOG, {"title": "Hello", "body": "Text", **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def picture():
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(written, "PNG")
    return SimpleUploadedFile("me.png", written.getvalue(), content_type="image/png")


@pytest.fixture
def writer(client_for):
    return client_for("moderator")


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_a_post(api, db):
    PostFactory(title="Hello", slug="hello", body="*Hi* there", tags=["news", "advice"], author__first_name="Maria")

    post = api.get(f"{BLOG}hello/").json()

    assert (post["title"], post["body"], post["body_html"]) == ("Hello", "*Hi* there", "<p><em>Hi</em> there</p>\n")
    assert post["tags"] == ["advice", "news"]
    assert post["author"]["first_name"] == "Maria"
    assert set(post["author"]) == {"id", "username", "first_name", "avatar", "role", "date_joined"}


@pytest.mark.parametrize(("who", "sees"), [("anonymous", 1), ("student", 1), ("teacher", 1), ("moderator", 3)])
def test_what_is_not_out_yet_is_for_those_who_write(client_for, db, who, sees):
    PostFactory(title="Out")
    PostFactory(slug="draft", status="draft", published_at=None)
    PostFactory(slug="later", published_at=timezone.now() + SOON)
    client = client_for(who)

    assert len(titles(client.get(BLOG))) == sees
    for slug in ("draft", "later"):
        assert client.get(f"{BLOG}{slug}/").status_code == (200 if sees == 3 else 404)


def test_a_scheduled_post_comes_out_by_itself(api, db, time_machine):
    PostFactory(published_at=timezone.now() + SOON)
    assert titles(api.get(BLOG)) == []

    time_machine.move_to(timezone.now() + SOON + timedelta(seconds=1))

    assert len(titles(api.get(BLOG))) == 1


def test_the_newest_come_first_and_drafts_before_all(client_for, db):
    now = timezone.now()
    PostFactory(title="Old", published_at=now - timedelta(days=2))
    PostFactory(title="New", published_at=now)
    PostFactory(title="Draft", status="draft", published_at=None)

    assert titles(client_for("admin").get(BLOG)) == ["Draft", "New", "Old"]
    assert titles(client_for("student").get(BLOG, {"ordering": "published_at"})) == ["Old", "New"]
    assert titles(client_for("student").get(BLOG, {"ordering": "-title"})) == ["Old", "New"]


@pytest.mark.parametrize(
    ("search", "finds"),
    [
        ("ПИТОН", 1),
        ("питоны", 1),
        ("курсах", 1),
        ("lesson", 1),
        ("LESSONS", 1),
        ("новости", 1),
        ("елка", 1),
        ("питон урок", 1),
        ("питон нет", 0),
        ("java", 0),
        ("%", 0),
        ("_", 0),
        ("!!!", 0),
        (" ", 1),
        ("", 1),
    ],
)
def test_search(api, db, search, finds):
    PostFactory(title="Питон для всех", body="В **курсе** много уроков: Lessons. Ёлки", tags=["новости"])

    assert len(titles(api.get(BLOG, {"search": search}))) == finds


def test_what_has_changed_is_found_by_its_new_words(writer, api):
    slug = write(writer, title="Первое", tags=["красный"], status="published")["slug"]
    writer.patch(f"{BLOG}{slug}/", {"body": "Второе", "tags": ["синий"]})

    found = [len(titles(api.get(BLOG, {"search": word}))) for word in ("первое", "второе", "синий", "красный", "Text")]

    assert found == [1, 1, 1, 0, 0]


def test_a_tag(api, db):
    PostFactory(title="A", tags=["новости", "python"])
    PostFactory(title="B", tags=["советы"])

    assert titles(api.get(BLOG, {"tag": "НОВОСТИ"})) == ["A"]
    assert titles(api.get(BLOG, {"tag": "советы"})) == ["B"]
    assert titles(api.get(BLOG, {"tag": "нов"})) == []


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"tags": "x"}, "tags"),
        ({"author": "x"}, "author"),
        ({"status": "gone"}, "status"),
        ({"ordering": "body"}, "ordering"),
        ({"tag": "a\0b"}, "tag"),
        ({"search": "a\0b"}, "search"),
        ({"search": "x" * 201}, "search"),
        ({"page": "0"}, "page"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_filters_that_are_none(api, db, query, attr):
    assert attr in {attr for attr, _code in codes(api.get(BLOG, query))}


def test_drafts_of_the_public_are_none(api, db):
    PostFactory(status="draft", published_at=None)

    assert titles(api.get(BLOG, {"status": "draft"})) == []


def test_pages(api, db):
    for _ in range(3):
        PostFactory()

    page = api.get(BLOG, {"page_size": 2}).json()

    assert (page["count"], len(page["results"]), page["previous"]) == (3, 2, None)
    assert len(api.get(page["next"]).json()["results"]) == 1


@pytest.mark.parametrize("number", [1, 5])
def test_a_page_takes_three_queries(client_for, db, django_assert_num_queries, number):
    for place in range(number):
        PostFactory(tags=[f"tag{place}", "all"])
    client = client_for("student")

    with django_assert_num_queries(3):  # who asks; the page with its count and authors; the tags
        assert len(titles(client.get(BLOG))) == number


def test_etags(api, writer, db):
    PostFactory(slug="hello")
    for path in (BLOG, f"{BLOG}hello/"):
        etag = api.get(path).headers["ETag"]
        assert api.get(path, headers={"If-None-Match": etag}).status_code == 304
        writer.patch(f"{BLOG}hello/", {"body": path})
        assert api.get(path, headers={"If-None-Match": etag}).status_code == 200


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_a_draft_unless_said_otherwise(writer, moderator):
    post = write(writer)

    assert (post["status"], post["published_at"], post["slug"], post["tags"]) == ("draft", None, "hello", [])
    assert Post.objects.get().author == moderator


def test_publishing_dates_it(writer):
    before = timezone.now()
    slug = write(writer)["slug"]

    writer.patch(f"{BLOG}{slug}/", {"status": "published"})

    post = Post.objects.get()
    assert before <= post.published_at <= timezone.now()
    first = post.published_at
    writer.patch(f"{BLOG}{slug}/", {"body": "More"})
    post.refresh_from_db()
    assert post.published_at == first


def test_scheduling(writer, api):
    moment = "2099-01-01T10:00:00Z"
    post = write(writer, status="published", published_at=moment)

    assert post["published_at"] == moment
    assert api.get(f"{BLOG}{post['slug']}/").status_code == 404


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "x", 5, [], "2026-13-01T00:00Z"]
)
def test_moments_that_are_none(writer, moment):
    answer = writer.post(BLOG, {"title": "A", "body": "B", "published_at": moment})

    assert "published_at" in {attr for attr, _code in codes(answer)}


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("Ёлки & Python 3", "elki-python-3"),
        ("Щука съела объявление", "shchuka-sela-obyavlenie"),
        ("Crème brûlée", "creme-brulee"),
        ("  --  ", "post"),
        ("你好", "post"),
        ("Feed", "feed-2"),
        ("Ш" * 200, "sh" * 50),
    ],
)
def test_an_address_is_made_from_the_title(writer, title, slug):
    assert write(writer, title=title)["slug"] == slug


def test_titles_alike_have_addresses_of_their_own(writer):
    assert [write(writer, title="Привет")["slug"] for _ in range(3)] == ["privet", "privet-2", "privet-3"]


@pytest.mark.parametrize("title", ["a" * 200, "слово " * 33, "x"])
def test_an_address_is_never_too_long(title):
    assert len(slug_of(title)) <= MAX_SLUG - 20


def test_an_address_stays_when_the_title_changes(writer):
    slug = write(writer, title="One")["slug"]

    writer.patch(f"{BLOG}{slug}/", {"title": "Two"})
    writer.put(f"{BLOG}{slug}/", {"title": "Three", "body": "Text"})

    assert Post.objects.get().slug == "one"


def test_an_address_may_be_chosen(writer):
    slug = write(writer, slug="My-Own")["slug"]

    assert slug == "my-own"
    assert writer.patch(f"{BLOG}{slug}/", {"slug": "another"}).json()["slug"] == "another"


@pytest.mark.parametrize(
    ("slug", "code"),
    [
        ("taken", "unique"),
        ("feed", "reserved"),
        ("a b", "invalid"),
        ("a--b", "invalid"),
        ("-a", "invalid"),
        ("привет", "invalid"),
        ("a/b", "invalid"),
        ("a\n", "unique"),
        ("x" * 121, "max_length"),
        (None, "null"),
    ],
)
def test_addresses_that_are_refused(writer, slug, code):
    PostFactory(slug="taken")
    PostFactory(slug="a")
    PostFactory(slug="mine")

    for answer in (
        writer.post(BLOG, {"title": "A", "body": "B", "slug": slug}),
        writer.patch(f"{BLOG}mine/", {"slug": slug}),
    ):
        assert codes(answer) == {("slug", code)}


def test_tags_are_kept_in_one_spelling(writer):
    post = write(writer, tags=["News", " news ", "Два   слова"])

    assert post["tags"] == ["news", "два слова"]
    slug = post["slug"]
    assert writer.patch(f"{BLOG}{slug}/", {"title": "Other"}).json()["tags"] == ["news", "два слова"]
    assert writer.patch(f"{BLOG}{slug}/", {"tags": []}).json()["tags"] == []
    assert not PostTag.objects.exists()


@pytest.mark.parametrize(
    "tags", ["news", {"a": 1}, [""], ["x" * 31], [["a"]], [None], ["a\0"], [str(n) for n in range(11)], None]
)
def test_tags_that_are_refused(writer, tags):
    answer = writer.post(BLOG, {"title": "A", "body": "B", "tags": tags})

    assert {attr.partition(".")[0] for attr, _code in codes(answer)} == {"tags"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"title": ""}, ("title", "blank")),
        ({"title": "x" * 201}, ("title", "max_length")),
        ({"title": "a\0b"}, ("title", "null_characters_not_allowed")),
        ({"body": ""}, ("body", "blank")),
        ({"body": "x" * 100_001}, ("body", "max_length")),
        ({"body": []}, ("body", "invalid")),
        ({"status": "gone"}, ("status", "invalid_choice")),
        ({"cover": "x"}, ("cover", "invalid")),
    ],
)
def test_fields_that_are_refused(writer, fields, error):
    assert codes(writer.post(BLOG, {"title": "A", "body": "B", **fields})) == {error}


def test_what_is_needed(writer):
    assert codes(writer.post(BLOG, {})) == {("title", "required"), ("body", "required")}


def test_what_is_not_theirs_to_say_changes_nothing(writer, moderator, admin):
    slug = write(writer, author=str(admin.pk), id="x", body_html="<b>", terms="x", created_at="2000-01-01")["slug"]

    post = Post.objects.get()
    assert (post.author, post.created_at.year > 2000) == (moderator, True)
    assert writer.get(f"{BLOG}{slug}/").json()["body_html"] == "<p>Text</p>\n"


def test_a_cover_and_tags_in_a_form(writer, django_capture_on_commit_callbacks):
    form = {"title": "A", "body": "B", "tags": ["one", "two"], "cover": picture()}
    post = writer.post(BLOG, form, format="multipart").json()

    assert post["tags"] == ["one", "two"]
    stored = Post.objects.get().cover.name
    assert stored.startswith("public/blog/")
    assert "me" not in stored
    with django_capture_on_commit_callbacks(execute=True):
        writer.patch(f"{BLOG}{post['slug']}/", {"cover": picture()}, format="multipart")
    assert not default_storage.exists(stored)
    stored = Post.objects.get().cover.name
    with django_capture_on_commit_callbacks(execute=True):
        assert writer.patch(f"{BLOG}{post['slug']}/", {"cover": None}).json()["cover"] is None
    assert not default_storage.exists(stored)


def test_a_deleted_posts_cover_goes_with_it(writer, django_capture_on_commit_callbacks):
    post = writer.post(BLOG, {"title": "A", "body": "B", "cover": picture()}, format="multipart").json()
    stored = Post.objects.get().cover.name

    with django_capture_on_commit_callbacks(execute=True):
        assert writer.delete(f"{BLOG}{post['slug']}/").status_code == 204

    assert not default_storage.exists(stored)


# --- What I authored -------------------------------------------------------------------------------------------------


def test_my_posts_stand_beside_my_courses(writer, client_for, moderator):
    PostFactory()
    mine = PostFactory(author=moderator, status="draft", published_at=None)

    found = writer.get("/api/users/me/materials/").json()

    assert (found["count"], found["results"], [post["id"] for post in found["posts"]]) == (0, [], [str(mine.pk)])
    assert found["posts"][0]["status"] == "draft"
    assert client_for("student").get("/api/users/me/materials/").json()["posts"] == []
