"""One bounded HTTP request to an address that others will call: is anyone there? Follows nothing, retries nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What came back."""

    status: int | None
    """None when nothing did."""
    said: str
    """The status, or why nothing came back."""


def probe(
    method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Probe:
    """Send one request, with a form when one is given; never raises for what the other side does."""
    sent = {"User-Agent": "horizonai-reconciler", **(headers or {})}
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    body = None if form is None else urlencode(form)
    with urllib3.PoolManager(timeout=Timeout(total=PROBE_SECONDS), retries=False) as pool:
        try:
            response = pool.request(method, url, body=body, headers=sent, redirect=False)
        except HTTPError as error:
            return Probe(None, str(error).rsplit(": ", 1)[-1] or type(error).__name__)
    return Probe(response.status, f"it answers {response.status}")
