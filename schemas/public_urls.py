"""Which URLs the service may call for a client: https, to a host of the public network.

A model decides when such a URL is called, and a manifest or a person's API call where it leads, so one that leads into
our own network would let a prompt reach it. One guard for every room; it is pure and resolves no name. What a name
resolves to is checked with `is_public`, where the connection is made.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_PRIVATE_ENDS: Final = (".localhost", ".localdomain", ".local", ".internal", ".home.arpa")
"""Domains of a machine or its network: RFC 6761, 6762 and 8375, and what ICANN reserved for private use."""
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All IPv6 addresses that a public host can have; RFC 4291."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""NAT64, RFC 6052: the last 32 bits are the IPv4 address that is reached."""
_COMPATIBLE: Final = IPv6Network("::/96")
"""The deprecated form of an IPv4 address in IPv6; RFC 4291."""


class Refusal(NamedTuple):
    """Why a URL is not called, without repeating it: it may contain a password."""

    reason: str
    """Continues a sentence that begins with the URL: "has a port that does not exist"."""
    hint: str
    """What to do."""


_NOT_A_URL: Final = Refusal("is not a URL with a host that can be called", "Correct it, such as https://api.cliente.cl")
_SCHEME: Final = Refusal("does not begin with https://", "Serve the endpoint over https, with a certificate.")
_USER: Final = Refusal(
    "has a user or password in it",
    "Remove it; secret: {env: NAME} signs each call, authorization: {env: NAME} sends a header.",
)
_NOT_PUBLIC: Final = Refusal(
    "leads to an address that is not a public one",
    "Serve it at a public address; on a machine for development the runtime's ALLOW_PRIVATE_ENDPOINTS=true allows it.",
)


def refusal(url: str, *, allow_private: bool) -> Refusal | None:
    """Why this URL may not be called, as far as it shows without the network; None for one that may be.

    `allow_private` allows http and private addresses, for development, and nothing else.
    """
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, "@" in parts.netloc
    except ValueError:
        return _NOT_A_URL
    if parts.scheme not in ("https", "http"):
        return _SCHEME
    if user:
        return _USER
    host = _as_called(host or "")
    if host is None or port == 0:
        return _NOT_A_URL
    if allow_private:
        return None
    if parts.scheme != "https":
        return _SCHEME
    return None if _may_be_public(host) else _NOT_PUBLIC


def is_public(address: str) -> bool:
    """Whether an IP address is one of a public host. An IPv6 address that stands for an IPv4 address is as public as
    that one: NAT64, 6to4, mapped and compatible addresses reach it.
    """
    found = ip_address(address)
    inner = _inner(found) if isinstance(found, IPv6Address) else found
    if inner is not None:
        return inner.is_global and not inner.is_multicast
    return found in _GLOBAL_UNICAST and found.is_global


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is reached at an IPv6 address."""
    if address in _TRANSLATED or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _as_called(host: str) -> str | None:
    """The host as the HTTP client connects to it, lower-case and in ASCII; None for one that no client accepts."""
    if not host.isascii():
        from yarl import URL  # what aiohttp encodes with; slow to import, and few hosts need it

        try:
            host = URL.build(scheme="https", host=host).raw_host or ""
        except ValueError:
            return None
    if ":" in host:
        return host if _is_address(host) else None
    return host if _NAME.fullmatch(host) else None


def _may_be_public(host: str) -> bool:
    if _is_address(host):
        return is_public(host)
    name = host.removesuffix(".")
    if _is_number(name) or "." not in name:
        return False  # 2130706433, 127.1 and 0x7f.1 are addresses too; a name without a dot is one of this network
    return not f".{name}".endswith(_PRIVATE_ENDS)


def _is_address(host: str) -> bool:
    if ":" not in host and not host[-1:].isdigit():
        return False  # the usual case, without an exception
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_number(name: str) -> bool:
    """Whether the system's resolver reads it as an IPv4 address, in any of the forms that C knows."""
    if not name[:1].isdigit():
        return False  # each of them begins with a digit
    import socket  # for such a host only

    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True
