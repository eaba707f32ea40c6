"""What counts as somebody's email address, and its one spelling.

A domain has two spellings, `почта.рф` and `xn--80a1acny.xn--p1ai`, and either of them in any case of letters. What is
stored, compared and sent goes by the second one, which mail servers and all other systems take. The part before the @
stays as it was typed; addresses that differ there in case alone are compared without it.
"""

import re
from typing import Any

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 254
MAX_LOCAL_LENGTH = 64  # RFC 5321, 4.5.3.1.1
# The local part of an address as people have it (RFC 5321's dot-string), without what begins an encoded word.
LOCAL_PART = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
# A last label that makes of the whole domain a number of IPv4 (the URL standard's "ends in a number").
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
# Names that are nobody's on the Internet (RFC 6761), and which we or others use for what is no mailbox.
NOBODYS = ("localhost", "invalid")

message = _("Enter a valid email address.")
_validate_form = EmailValidator(message=message, allowlist=[])


def normal_address(value: str) -> str:
    """The address in its one spelling. What is no address stays as it is: `validate_address` says so."""
    local, at, domain = value.strip().rpartition("@")
    if not at or len(domain) > MAX_LENGTH:
        return value
    return f"{local}@{_in_ascii(domain) or domain.lower()}"


def key_of_address(value: str) -> str:
    """The same for every way to write one mailbox: what accounts are told apart by."""
    return normal_address(value).lower()


def validate_address(value: str) -> None:
    """Raises ValidationError for what is nobody's mailbox.

    Beyond Django's own check: refuses quoted, encoded and non-ASCII local parts, some of which the standard library
    decodes, so that letters would go to another mailbox than the one that was written down; domains that are no names
    of the Internet; and what no mail server takes.
    """
    local, _at, domain = value.rpartition("@")
    domain = _in_ascii(domain) or ""
    last_label = domain.rpartition(".")[2]
    if (
        not LOCAL_PART.fullmatch(local)
        or len(local) > MAX_LOCAL_LENGTH
        or domain.startswith("[")  # an address of a machine
        or last_label in NOBODYS
        or NUMBER.fullmatch(last_label)
        or len(f"{local}@{domain}") > MAX_LENGTH
    ):
        raise ValidationError(message, code="invalid")
    _validate_form(f"{local}@{domain}")


def _in_ascii(domain: str) -> str | None:
    """`xn--80a1acny.xn--p1ai` of `почта.рф`; None for what is no domain."""
    if domain.isascii() and "xn--" not in domain.lower():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return None


class AddressField(models.EmailField):
    """A column of addresses, in their one spelling however they are written: a unique one is unique by the mailbox."""

    default_validators = [validate_address]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normal_address(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))
