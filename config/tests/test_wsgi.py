import io

import pytest

from config.wsgi import application

pytestmark = pytest.mark.django_db


def call(method, path, query="", body=b"", content_type="text/plain"):
    """(status, body) of what the server answers to a bare WSGI request."""
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
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
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
