"""Google, VK ID and Yandex on the loopback, for tests: each in its own words, and stricter than the real ones.

A code works once, for the client, redirect URI and PKCE verifier that it was given for, and with VK ID for the device
and state, too. A parameter that is missing, unknown or sent twice is refused. Nothing of a failed exchange can be tried
again.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

KEYS = {"google": "google-client.apps.example", "vk": "51234567", "yandex": "0a1b2c3d4e5f"}
SECRETS = {"google": "GOCSPX-secret", "yandex": "yandex-secret"}
CALLBACK = "https://lyceum.test/auth/social/{}/callback"
DEVICE = "device-of-the-browser"

AUTHORIZE = {"response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"}
EXCHANGE = {"grant_type", "code", "redirect_uri", "client_id", "code_verifier"}
ASKED_BY = {
    "google": EXCHANGE | {"client_secret"},
    "vk": EXCHANGE | {"device_id", "state"},
    "yandex": EXCHANGE | {"client_secret"},
}
SCOPES = {
    "google": {"openid", "email", "profile"},
    "vk": {"vkid.personal_info", "email"},
    "yandex": {"login:email", "login:info"},
}


@dataclass
class Person:
    """Who sits before the browser, and what the provider knows of them."""

    uid: str = "1000034426"
    email: str | None = "anna@test.io"
    email_verified: Any = True
    first_name: str = "Anna"
    last_name: str = "Ivanova"


class RefusalError(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


@dataclass
class IdentityProvider:
    person: Person = field(default_factory=Person)
    broken: dict[str, Callable[[Any], None]] = field(default_factory=dict)  # by the last part of the path
    # What the exchange answers besides, or instead.
    lies: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, tuple[str, Person]] = field(default_factory=dict)
    release: threading.Event = field(default_factory=threading.Event)
    base: str = ""

    def __enter__(self) -> "IdentityProvider":
        provider = self

        class Handler(_Handler):
            idp = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        self.release.set()
        self.person, self.release = Person(), threading.Event()
        for kept in (self.broken, self.lies, self.requests, self.codes, self.tokens):
            kept.clear()

    def settings(self) -> dict[str, str]:
        """What points the product here."""
        pointed = {}
        for provider, name in (("google", "GOOGLE_OAUTH2"), ("vk", "VK_ID"), ("yandex", "YANDEX_OAUTH2")):
            pointed |= {
                f"SOCIAL_AUTH_{name}_KEY": KEYS[provider],
                f"SOCIAL_AUTH_{name}_SECRET": SECRETS.get(provider, ""),
                f"SOCIAL_AUTH_{name}_AUTHORIZATION_URL": f"{self.base}/{provider}/authorize",
                f"SOCIAL_AUTH_{name}_ACCESS_TOKEN_URL": f"{self.base}/{provider}/token",
                f"SOCIAL_AUTH_{name}_USERINFO_URL": f"{self.base}/{provider}/info",
            }
        return pointed

    def consent(self, authorization_url: str, **person: Any) -> dict[str, str]:
        """Goes where the browser is led, as the person, who agrees; the parameters that it comes back with."""
        self.person = Person(**person) if person else self.person
        response = requests.get(authorization_url, allow_redirects=False, timeout=5)
        assert response.status_code == 302, response.text
        return dict(parse_qsl(urlsplit(response.headers["Location"]).query, strict_parsing=True))

    # --- Authorizing -------------------------------------------------------------------------------------------------

    def authorize(self, provider: str, sent: dict[str, str]) -> str:
        """The address to go back to."""
        _expect(set(sent) == AUTHORIZE, "invalid_request")
        _expect(sent["response_type"] == "code", "unsupported_response_type")
        _expect(sent["client_id"] == KEYS[provider], "unauthorized_client")
        _expect(sent["redirect_uri"] == CALLBACK.format(provider), "redirect_uri_mismatch")
        _expect(len(sent["state"]) >= 32, "invalid_request")
        _expect(sent["code_challenge_method"] == "S256" and len(sent["code_challenge"]) == 43, "invalid_request")
        _expect(set(sent["scope"].split()) == SCOPES[provider], "invalid_scope")
        code = secrets.token_urlsafe(24)
        self.codes[code] = {**sent, "provider": provider, "person": self.person}
        back = {"code": code, "state": sent["state"]}
        if provider == "vk":
            back |= {"device_id": DEVICE, "type": "code_v2", "expires_in": "600"}
        return f"{sent['redirect_uri']}?{urlencode(back)}"

    # --- Exchanging --------------------------------------------------------------------------------------------------

    def exchange(self, provider: str, sent: dict[str, str]) -> dict[str, Any]:
        given = self.codes.pop(sent.get("code", ""), None)
        _expect(set(sent) == ASKED_BY[provider], "invalid_request")
        _expect(sent["grant_type"] == "authorization_code", "unsupported_grant_type")
        _expect(sent["client_id"] == KEYS[provider], "invalid_client", 401)
        _expect(sent.get("client_secret") == SECRETS.get(provider), "invalid_client", 401)
        if given is None or given["provider"] != provider:
            raise RefusalError(400, "invalid_grant")
        _expect(sent["redirect_uri"] == given["redirect_uri"], "redirect_uri_mismatch")
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        _expect(challenge == given["code_challenge"], "invalid_grant")
        if provider == "vk":
            _expect(sent["device_id"] == DEVICE, "invalid_grant")
            _expect(sent["state"] == given["state"], "invalid_grant")
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (provider, given["person"])
        return {**_token_answer(provider, token, given), **self.lies}

    # --- Telling who it is -------------------------------------------------------------------------------------------

    def info(self, provider: str, request: "_Handler", sent: dict[str, str]) -> dict[str, Any]:
        authorization = request.headers.get("Authorization", "")
        if provider == "vk":
            _expect(request.command == "POST" and set(sent) == {"access_token", "client_id"}, "invalid_request")
            _expect(sent["client_id"] == KEYS["vk"], "invalid_client")
            token = sent["access_token"]
        else:
            scheme = {"google": "Bearer", "yandex": "OAuth"}[provider]
            _expect(request.command == "GET" and authorization.startswith(f"{scheme} "), "invalid_request", 401)
            _expect(sent == ({"format": "json"} if provider == "yandex" else {}), "invalid_request")
            token = authorization.removeprefix(f"{scheme} ")
        whose, person = self.tokens.pop(token, ("", Person()))
        _expect(whose == provider, "invalid_token", 401)
        return _info_answer(provider, person)


def _expect(condition: bool, error: str, status: int = 400) -> None:
    if not condition:
        raise RefusalError(status, error)


def _token_answer(provider: str, token: str, given: dict[str, Any]) -> dict[str, Any]:
    answer = {"access_token": token, "scope": given["scope"]}
    if provider == "google":
        return {**answer, "expires_in": 3599, "token_type": "Bearer", "id_token": "e30.e30.x"}
    if provider == "yandex":
        return {**answer, "expires_in": 31536000, "token_type": "bearer", "refresh_token": "1:ref:resh"}
    return {
        **answer,
        "expires_in": 3600,
        "token_type": "Bearer",
        "refresh_token": "vk2.a.refresh",
        "id_token": "e30.e30.x",
        "user_id": int(given["person"].uid),
        "state": given["state"],
    }


def _info_answer(provider: str, person: Person) -> dict[str, Any]:
    if provider == "google":
        email = {"email": person.email, "email_verified": person.email_verified} if person.email is not None else {}
        return {
            "sub": person.uid,
            "name": f"{person.first_name} {person.last_name}",
            "given_name": person.first_name,
            "family_name": person.last_name,
            "picture": "https://lh3.example/a/photo",
            **email,
        }
    names = {"first_name": person.first_name, "last_name": person.last_name}
    if provider == "vk":
        email = {"email": person.email} if person.email is not None else {}
        user = {"user_id": person.uid, **names, "avatar": "https://pp.example/1.jpg", "sex": 1, "verified": True}
        return {"user": {**user, **email, "birthday": "01.01.2000"}}
    emails = {"default_email": person.email, "emails": [person.email]} if person.email is not None else {}
    return {
        "id": person.uid,
        "login": "anna.ivanova",
        "client_id": KEYS["yandex"],
        "display_name": "anna",
        "real_name": f"{person.first_name} {person.last_name}",
        **names,
        "sex": "female",
        "psuid": "1.AAceCw.x.y",
        **emails,
    }


class _Handler(BaseHTTPRequestHandler):
    idp: IdentityProvider

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(body if form and not urlsplit(self.path).query else "not=a&not=form")

    def _answer(self, parameters: str) -> None:
        _, provider, action = urlsplit(self.path).path.split("/")
        self.idp.requests.append(f"{self.command} {self.path}")
        if breaks := self.idp.broken.get(action):
            return breaks(self)
        pairs = parse_qsl(parameters, keep_blank_values=True)
        sent = dict(pairs)
        try:
            _expect(len(pairs) == len(sent) and all(sent.values()), "invalid_request")
            if action == "authorize":
                self.send_response(302)
                self.send_header("Location", self.idp.authorize(provider, sent))
                self.end_headers()
                return None
            _expect(action != "token" or self.command == "POST", "invalid_request")
            body = self.idp.exchange(provider, sent) if action == "token" else self.idp.info(provider, self, sent)
            return self.send_json(200, body)
        except RefusalError as refusal:
            # VK ID says no in the body of a 200.
            status = 200 if provider == "vk" and action != "authorize" else refusal.status
            return self.send_json(status, {"error": refusal.error, "error_description": "No."})

    def send_json(self, status: int, body: Any) -> None:
        self.send_text(status, json.dumps(body), "application/json")

    def send_text(self, status: int, text: str, content_type: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        """No log."""
