"""The installation's record of its tariffs, which an apply writes and the runtime reads.

    {"tariffs": {"meta": […], "twilio": […], "models": […], "agency": {…}}, "sha256": "…"}

Kept with the other records of the last apply, under the installation in place of a client. The hash is that of the
tariffs as they were applied: where it is not that of the tariffs beside it, they were changed by hand since. Light,
since planning imports it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

KIND: Final = "tariffs"
TARIFFS, SHA256 = "tariffs", "sha256"


def record_values(tariffs: Mapping[str, Any]) -> dict[str, Any]:
    """The record of tariffs, which are plain values."""
    return {TARIFFS: dict(tariffs), SHA256: fingerprint(tariffs)}


def fingerprint(tariffs: object) -> str:
    """Equal exactly when the tariffs are."""
    canonical = json.dumps(tariffs, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
