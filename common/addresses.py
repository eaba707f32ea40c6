"""Where a request comes from: the one notion of a caller's address that throttles, guessing and gates go by."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from rest_framework.settings import api_settings


def client_address(request: Any) -> str:
    """The caller's address; X-Forwarded-For is believed as far as NUM_PROXIES says. "" for one that has none, such as a
    caller through a socket of the system.

    IPv6 is cut to its first 64 bits: that is what one connection to the Internet has, and whoever is there may change
    the rest as they like. IPv4 written as IPv6 is the IPv4 address.
    """
    meta = request.META
    address = None
    forwarded = [part for line in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if (part := line.strip())]
    if api_settings.NUM_PROXIES and forwarded:
        address = _parsed(forwarded[-min(api_settings.NUM_PROXIES, len(forwarded))])
    address = address or _parsed(meta.get("REMOTE_ADDR") or "")
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), 64), strict=False).network_address)
    return str(address or "")


def _parsed(written: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: bare, in brackets, with a port."""
    host = written
    if written.startswith("["):
        host = written[1:].partition("]")[0]
    elif written.count(":") == 1:
        host = written.partition(":")[0]
    try:
        return ip_address(host.strip())
    except ValueError:
        return None
