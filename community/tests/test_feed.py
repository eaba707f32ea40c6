"""The blog as RSS."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from django.utils import timezone

from community.tests.factories import PostFactory

FEED = "/api/blog/feed/"


def channel(answer):
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/rss+xml")
    root = ET.fromstring(answer.content)
    assert (root.tag, root.attrib["version"]) == ("rss", "2.0")
    return root.find("channel")


def test_an_empty_feed(api, db):
    found = channel(api.get(FEED))

    assert found.findtext("link") == "https://lyceum.test/blog"
    assert all(found.findtext(name) for name in ("title", "description", "language"))
    assert found.findall("item") == []


def test_a_post(api, db):
    post = PostFactory(title="A < B & C", slug="abc", body="*Hi* <script>x</script>", tags=["new", "old"])

    (item,) = channel(api.get(FEED)).findall("item")

    assert item.findtext("title") == "A &lt; B &amp; C"
    assert item.findtext("link") == "https://lyceum.test/blog/abc"
    assert item.findtext("description") == "<p><em>Hi</em> &lt;script&gt;x&lt;/script&gt;</p>\n"
    assert item.findtext("guid") == f"urn:uuid:{post.pk}"
    assert item.find("guid").attrib["isPermaLink"] == "false"
    assert parsedate_to_datetime(item.findtext("pubDate")) == post.published_at.replace(microsecond=0)
    assert [category.text for category in item.findall("category")] == ["new", "old"]


def test_the_latest_that_are_out(api, db):
    now = timezone.now()
    for day in range(22):
        PostFactory(title=f"Day {day}", published_at=now - timedelta(days=day))
    PostFactory(title="Draft", status="draft", published_at=None)
    PostFactory(title="Later", published_at=now + timedelta(days=1))

    items = channel(api.get(FEED)).findall("item")

    assert [item.findtext("title") for item in items] == [f"Day {day}" for day in range(20)]


@pytest.mark.parametrize("hostile", ["a\x0bb", "a\x01\x1fb", "a\ufffeb", "a\uffffb", "]]>", "a\U0001f600b"])
def test_whatever_it_holds_it_is_xml(api, db, hostile):
    PostFactory(title=hostile, body=hostile, tags=[hostile])

    (item,) = channel(api.get(FEED)).findall("item")

    assert item.findtext("title")


def test_an_etag_and_no_date_to_compare(api, db):
    PostFactory()
    post = PostFactory()
    answer = api.get(FEED)
    assert "Last-Modified" not in answer.headers
    assert api.get(FEED, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304

    post.delete()

    assert api.get(FEED, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize("number", [1, 5])
def test_it_takes_two_queries(api, db, django_assert_num_queries, number):
    for _ in range(number):
        PostFactory(tags=["one"])

    with django_assert_num_queries(2):  # the posts with their authors; the tags
        api.get(FEED)
