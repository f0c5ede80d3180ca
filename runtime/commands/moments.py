"""Times in options: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

UNITS = {"h": "hours", "d": "days"}


class MomentType(click.ParamType[str]):
    """A time as the store writes it: from a date or time of ISO 8601 (in UTC, unless it says otherwise), or from how
    long ago it was (`36h`, `7d`)."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The timestamp."""
        ago = re.fullmatch(r"([1-9][0-9]{0,4})([hd])", value)
        try:
            if ago is not None:
                at = datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
            else:
                at = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time; write 2026-11-30, 2026-11-30T14:00, or how long ago: 36h, 7d.", param, ctx
            )
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
