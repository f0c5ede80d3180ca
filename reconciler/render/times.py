"""The store's times, which are UTC, as the clock of this machine shows them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

NEVER: Final = "–"
NEAR: Final = timedelta(days=180)
"""Within which a date needs no year."""
LOCAL_TIME = Path("/etc/localtime")
"""The machine's zone, a link into the tz database."""


def local_minute(moment: str | None) -> str:
    """`2026-11-22 09:00`; a dash for None."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M") if moment else NEVER


def local_short(moment: str | None, now: datetime) -> str:
    """`22 Nov 09:00`; `22 Nov 2025` for a time that is months away; a dash for None."""
    if not moment:
        return NEVER
    then = datetime.fromisoformat(moment).astimezone()
    return then.strftime("%d %b %H:%M" if abs(now - then) < NEAR else "%d %b %Y")


def zone() -> str:
    """The zone of these times: `America/Santiago (UTC-03:00)`."""
    offset = _offset()
    name = os.environ.get("TZ", "").removeprefix(":") or _linked()
    return offset if not name or name == "UTC" or name.startswith("Etc/") else f"{name} ({offset})"


def _offset() -> str:
    hours = datetime.now().astimezone().strftime("%z")
    return "UTC" if hours == "+0000" else f"UTC{hours[:3]}:{hours[3:]}"


def _linked() -> str:
    """The name that the machine's zone has in the tz database; "" where there is none."""
    return os.path.realpath(LOCAL_TIME).partition("/zoneinfo/")[2]
