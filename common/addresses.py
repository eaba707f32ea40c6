"""Where a request comes from."""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from rest_framework.throttling import BaseThrottle


def client_address(request: Any) -> str:
    """The caller's address; X-Forwarded-For is believed as far as NUM_PROXIES says. "" for one that has none, such as a
    caller through a socket of the system.

    IPv6 is cut to its first 64 bits: that is what one connection to the Internet has, and whoever is there may change
    the rest as they like.
    """
    try:
        address = ip_address(BaseThrottle().get_ident(request))
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), 64), strict=False).network_address)
    return str(address)
