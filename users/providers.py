"""Google, VK ID and Yandex: the only module that imports the libraries that speak with them. Completing goes over the
network; call it in no transaction.

A flow is one way to a provider and back. What has to be kept meanwhile (its state, the PKCE verifier, whose it is) is a
dict in the cache, under its state: handed out once, gone after SOCIAL_AUTH_STATE_LIFETIME. No cookie takes part.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from social_core.backends.google import GoogleOAuth2
from social_core.backends.oauth import BaseOAuth2PKCE
from social_core.backends.vk import VKIDOAuth2
from social_core.backends.yandex import YandexOAuth2
from social_core.exceptions import AuthResponseError, AuthSessionError, SocialAuthBaseException
from social_core.storage import BaseStorage, NonceMixin
from social_core.utils import setting_name
from social_django.strategy import DjangoStrategy

from common import frontend
from common.email_addresses import normal_address, validate_address
from common.errors import RuleBroken, ServiceUnavailable
from users.models import SocialAccount, User

logger = logging.getLogger(__name__)

UID_LENGTH = 255
NAME_LENGTH = 100
EMAIL_LENGTH = 254
# The mailboxes that Yandex itself keeps: nobody else reads them.
YANDEX_MAIL = frozenset({"yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua"})
# What the library makes of a provider that says no to a code; the last of them is any word that it does not know.
CODE_REFUSED = frozenset({"authorization_code_rejected", "authorization_declined", "http_error"})


class ProviderUnavailable(ServiceUnavailable):
    """The provider does not answer, or not sensibly. The flow is over; a new one may succeed."""

    default_code = "provider_unavailable"
    default_detail = gettext_lazy("The provider does not answer. Try again soon, or sign in another way.")


@dataclass(frozen=True)
class Profile:
    """Whom a provider has signed in. `email` is "" if it told none; it is verified if the provider vouches for it."""

    provider: str
    uid: str
    email: str
    is_email_verified: bool
    first_name: str
    last_name: str


# --- The library's surroundings --------------------------------------------------------------------------------------


class Nonces(NonceMixin):
    """The library asks whether a state has been used. A flow is handed out once, so no state comes here twice."""

    @classmethod
    def use(cls, server_url: str, timestamp: int, salt: str) -> bool:
        return True

    @classmethod
    def consume(cls, server_url: str, timestamp: int, salt: str) -> bool:
        return True


class Storage(BaseStorage):
    nonce = Nonces


class Strategy(DjangoStrategy):
    """Django's settings, the flow for a session, and the parameters that the provider sent the browser back with."""

    def __init__(self, flow: dict[str, Any], parameters: Mapping[str, str]) -> None:
        self.flow = flow
        self.parameters = dict(parameters)
        super().__init__(Storage)

    def get_request_data(self, merge: bool = True) -> dict[str, Any]:
        return self.parameters

    def session_get(self, name: str, default: Any = None) -> Any:
        return self.flow.get(name, default)

    def session_set(self, name: str, value: Any) -> None:
        self.flow[name] = value

    def session_pop(self, name: str) -> Any:
        return self.flow.pop(name, None)

    def authenticate(self, backend: Any, *args: Any, **kwargs: Any) -> Any:
        """The library would find the account here. Ours are found by users.social."""
        return kwargs["response"]


class Google(BaseOAuth2PKCE, GoogleOAuth2):
    needs_device_id = False
    told = ("email", "given_name", "family_name")

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return _user_info(self, {"Authorization": f"Bearer {access_token}"})

    def vouches_for(self, email: str, response: dict[str, Any]) -> bool:
        return response.get("email_verified") is True


class VK(VKIDOAuth2):
    DEFAULT_SCOPE = ["vkid.personal_info", "email"]
    needs_device_id = True
    told = ("email", "first_name", "last_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.USER_INFO_URL = self.setting("USERINFO_URL")

    def vouches_for(self, email: str, response: dict[str, Any]) -> bool:
        """Nothing in the answer says that somebody reads the letters to this address (`verified` is about the page)."""
        return False


class Yandex(BaseOAuth2PKCE, YandexOAuth2):
    DEFAULT_SCOPE = ["login:email", "login:info"]
    needs_device_id = False
    told = ("default_email", "first_name", "last_name")

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # The library would put the token into the address, where proxies log it.
        return _user_info(self, {"Authorization": f"OAuth {access_token}"}, {"format": "json"})

    def vouches_for(self, email: str, response: dict[str, Any]) -> bool:
        """Its own mailboxes. Of other addresses the answer does not say whether they have been confirmed."""
        return email.rpartition("@")[2].lower() in YANDEX_MAIL


PROVIDERS: dict[str, Any] = {
    SocialAccount.Provider.GOOGLE.value: Google,
    SocialAccount.Provider.VK.value: VK,
    SocialAccount.Provider.YANDEX.value: Yandex,
}


def _user_info(backend: Any, headers: dict[str, str], params: dict[str, str] | None = None) -> dict[str, Any]:
    answer = backend.get_json(backend.setting("USERINFO_URL"), headers=headers, params=params)
    if not isinstance(answer, dict):
        raise AuthResponseError(backend, code="malformed_response", stage="user_info")
    return answer


# --- There and back --------------------------------------------------------------------------------------------------


def configured() -> list[str]:
    """The providers that have a key."""
    return [name for name, backend in PROVIDERS.items() if getattr(settings, setting_name(backend.name, "KEY"))]


def redirect_uri(provider: str) -> str:
    """Where the provider sends the browser back to: a page of the SPA. Never made from the request's host."""
    return frontend.social_callback(provider)


def begin(provider: str, *, user: User | None) -> tuple[str, str]:
    """(the provider's address for the browser, state) of a new flow: the user's, who links, or nobody's, who signs in.

    Raises ServiceUnavailable if the cache does not keep the flow.
    """
    flow: dict[str, Any] = {"whose": _whose(user)}
    url: str = _backend(provider, flow, {}).auth_url()
    (state,) = parse_qs(urlsplit(url).query)["state"]
    key = _key(provider, state)
    cache.set(key, flow, settings.SOCIAL_AUTH_STATE_LIFETIME)
    if cache.get(key) is None:
        raise ServiceUnavailable
    return url, state


def complete(provider: str, *, code: str, state: str, device_id: str, user: User | None) -> Profile:
    """Whom the provider has signed in, for a code that it gave in the flow of this state, once.

    Raises RuleBroken: invalid_state (400) unless the flow is alive and the user's, invalid_code (400) if the provider
    refuses the code; ProviderUnavailable.
    """
    flow = _take(provider, state, user)
    backend = _backend(provider, flow, {"code": code, "state": state, "device_id": device_id})
    try:
        response = backend.auth_complete()
        uid = str(backend.get_user_id({}, response) or "")
        if not 0 < len(uid) <= UID_LENGTH or not uid.isprintable():
            raise AuthResponseError(backend, code="invalid_claim", claim="id", stage="user_info")
    except SocialAuthBaseException as error:
        raise _refusal(provider, error) from error
    except (ValueError, RecursionError) as error:  # what no JSON of theirs should hold
        logger.warning("%s: %r", provider, error)
        raise ProviderUnavailable from error
    email, first_name, last_name = (response.get(name) for name in backend.told)
    email = _address(email)
    return Profile(
        provider=provider,
        uid=uid,
        email=email,
        is_email_verified=bool(email) and backend.vouches_for(email, response),
        first_name=_name(first_name),
        last_name=_name(last_name),
    )


def _backend(provider: str, flow: dict[str, Any], parameters: Mapping[str, str]) -> Any:
    return PROVIDERS[provider](Strategy(flow, parameters), redirect_uri(provider))


def _take(provider: str, state: str, user: User | None) -> dict[str, Any]:
    """The flow of this state, which nobody gets again: deleting a key succeeds once."""
    key = _key(provider, state)
    flow = cache.get(key)
    if flow is None or flow["whose"] != _whose(user) or not cache.delete(key):
        raise _invalid_state()
    return flow


def _whose(user: User | None) -> str:
    return str(user.pk) if user else ""


def _key(provider: str, state: str) -> str:
    return f"social:{provider}:{hashlib.sha256(state.encode(errors='replace')).hexdigest()}"


def _refusal(provider: str, error: SocialAuthBaseException) -> Exception:
    """What the caller is told. The log says what the provider said, which holds no secret of ours."""
    logger.warning(
        "%s: %s (%s, %s %s) %r",
        provider, error.code, error.stage, error.status_code, error.provider_code, error.detail,
    )  # fmt: skip
    if isinstance(error, AuthSessionError) and error.stage == "callback":
        return _invalid_state()
    has_said_no = error.code in CODE_REFUSED and (error.provider_code or error.status_code)
    if error.stage == "token_exchange" and has_said_no:
        return RuleBroken("invalid_code", _("The provider does not accept this code. Start again."), status_code=400)
    return ProviderUnavailable()


def _invalid_state() -> RuleBroken:
    text = _("This sign-in was begun elsewhere, too long ago, or is over. Start again.")
    return RuleBroken("invalid_state", text, status_code=400)


def _address(value: Any) -> str:
    if not isinstance(value, str) or len(value) > EMAIL_LENGTH:
        return ""
    value = normal_address(value)
    try:
        validate_address(value)
    except ValidationError:
        return ""
    return value


def _name(value: Any) -> str:
    """Of one line, as long as ours may be."""
    return "".join(filter(str.isprintable, value)).strip()[:NAME_LENGTH] if isinstance(value, str) else ""
