"""The server that clients reach directly: slow ones keep nobody from it."""

import asyncio

from config import asgi


def call(messages, method="POST", path=b"/api/nowhere/", headers=((b"content-length", b"100"),)):
    """What is sent; `messages` is what the client sends, and then nothing any more."""
    sent, left = [], list(messages)

    async def receive():
        if left:
            return left.pop(0)
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "raw_path": path, "path": path.decode(), "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers], "http_version": "1.1", "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(asgi.application(scope, receive, send))
    return sent


def part(body, *, more):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_does_not_arrive_is_given_up(monkeypatch):
    monkeypatch.setattr(asgi, "FIRST_SECONDS", 0.05)

    start, body = call([part(b"{", more=True)])

    assert start["status"] == 408
    assert b'"request_timeout"' in body["body"]


def test_a_whole_body_is_answered():
    start, body = call([part(b"{", more=True), part(b"}", more=False)])

    assert start["status"] == 404
    assert b'"not_found"' in body["body"]


def test_who_goes_away_is_not_answered():
    assert call([part(b"{", more=True), {"type": "http.disconnect"}]) == []


def test_a_header_that_only_looks_like_another_is_dropped():
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1"}

    environ = asgi._environ(scope | {"headers": [(b"x_forwarded_for", b"10.0.0.1"), (b"x-request-id", b"7")]})

    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_REQUEST_ID"] == "7"
