import io

import pytest

from config.wsgi import application

pytestmark = pytest.mark.django_db


def call(method, path, query="", body=b"", content_type="text/plain", stream=None, **more):
    """(status, body) of what the server answers to a bare WSGI request. The body is read from `stream`."""
    statuses = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": stream or io.BytesIO(body),
        "wsgi.url_scheme": "http",
    } | more
    response = application(environ, lambda status, headers: statuses.append(status))
    return int(statuses[0][:3]), b"".join(response)


@pytest.mark.parametrize("charset", ["hex", "base64", "rot13", "punycode", "idna", "cp1251", "utf-16", "nonsense"])
def test_the_charset_of_a_request_is_utf_8(charset):
    status, _body = call("GET", "/healthz/", "a=%D0%B6", content_type=f"text/plain; charset={charset}")

    assert status == 200


@pytest.mark.parametrize("charset", ["hex", "punycode", "utf-16"])
def test_forms_are_utf_8(charset):
    body = b"token=nonsense"

    status, _body = call(
        "POST",
        "/api/auth/token/verify/",
        body=body,
        content_type=f"application/x-www-form-urlencoded; charset={charset}",
    )

    assert status == 401


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/api/blog/", b'{"title": "x"}', 401),
        ("/api/auth/token/", b'{"email": "' + b"x" * 3 * 1024**2 + b'"}', 413),
        ("/nowhere/", b"x" * 1024**2, 404),
    ],
    ids=["not signed in", "too large", "nowhere"],
)
def test_what_is_refused_is_read_all_the_same(path, body, expected):
    """Otherwise servers close the connection under the client's next request."""
    stream = io.BytesIO(body)

    status, _body = call("POST", path, body=body, content_type="application/json", stream=stream)

    assert (status, stream.tell()) == (expected, len(body))


@pytest.mark.parametrize(("size", "expected"), [(100, 401), (3 * 1024**2, 413)])
def test_a_body_that_comes_in_chunks(size, expected):
    """It has no length beforehand."""
    body = b'{"token": "' + b"x" * size + b'"}'
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    status, _body = call(
        "POST", "/api/auth/token/verify/", content_type="application/json", stream=io.BytesIO(body), **chunked
    )

    assert status == expected
