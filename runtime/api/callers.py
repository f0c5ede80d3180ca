"""Where a request came from: the address of its connection, or behind a proxy that is trusted, what that proxy says."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Address = IPv4Address | IPv6Address
FORWARDED = "X-Forwarded-For"


class CallerAddresses:
    """Reads them. `X-Forwarded-For` counts only from a trusted proxy, and there only its last address that is not one
    itself: what stands before it was written by the caller."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = trusted

    def of(self, request: web.Request) -> str | None:
        """The caller's address; None where it is not known."""
        address = _read(request.remote or "")
        forwarded = ",".join(request.headers.getall(FORWARDED, [])).split(",")
        while address is not None and self._is_trusted(address) and forwarded:
            before = _read(forwarded.pop().strip())
            if before is None:
                break
            address = before
        return None if address is None else str(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _read(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
