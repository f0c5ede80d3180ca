"""Checks of `hours` that its types cannot express: spans that overlap, days that are never open, unknown holidays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.manifest.checks import Violation
from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.shape import Loc
from schemas.hours import DAY_KEYS, overlaps

_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,6})?")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_hours(values: Mapping[str, Any]) -> Iterator[Violation]:
    """The violations of a client's hours."""
    hours = values.get("hours")
    if not isinstance(hours, Mapping):
        return
    days = {key: _texts(spans) for key, spans in hours.items() if key in DAY_KEYS}
    if not any(days.values()) and not any(isinstance(hours.get(key), list) for key in hours if key in DAY_KEYS):
        message = "hours: no day has a span, so it is always closed"
        yield Violation(("hours",), message, 'Add one, like lun-vie: ["09:00-18:30"], or remove hours.')
    for found in overlaps(days):
        loc: Loc = ("hours", found.key, found.place)
        span = days[found.key][found.place]
        message = f"{dotted(loc)}: {shown(span)} overlaps {shown(found.other)} of {found.other_key}"
        yield Violation(loc, message, "Write each time once; a span that ends before it begins goes past midnight.")
    yield from _holidays(hours)
    yield from _message(hours)


def _texts(spans: Any) -> list[str]:
    """The spans of a day; a place is kept for what is not a text."""
    return [span if isinstance(span, str) else "" for span in spans] if isinstance(spans, list) else []


def _holidays(hours: Mapping[str, Any]) -> Iterator[Violation]:
    region = hours.get("holidays")
    if region is None and hours.get("excepted"):
        message = f"{dotted(('hours', 'excepted'))}: there are no holidays to except from"
        yield Violation(("hours", "excepted"), message, "Add holidays: CL, or remove it.")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        return
    from schemas.holiday_dates import regions, regions_of_country  # slow to import, and only needed here

    if region in regions():
        return
    loc: Loc = ("hours", "holidays")
    country, _, part = region.partition("-")
    parts = [known.partition("-")[2] for known in regions_of_country(region)]
    if country not in regions():
        hint = "Write the two capitals of ISO 3166, like CL."
    elif part and parts:
        near = nearest(part, [known.lower() for known in parts])
        hint = f'Did you mean "{country}-{near.upper()}"? ' if near else ""
        hint += f"Regions of {country}: {', '.join(parts)}."
    else:
        hint = f"{country} has the same holidays everywhere: write {country}."
    yield Violation(loc, f"{dotted(loc)}: no holidays are known of {shown(region)}", hint)


def _message(hours: Mapping[str, Any]) -> Iterator[Violation]:
    message = hours.get("message")
    if not isinstance(message, str):
        return
    loc: Loc = ("hours", "message")
    for name in _PLACEHOLDER.findall(message):
        if name != "opening":
            yield Violation(loc, f"{dotted(loc)}: nothing replaces {shown('{' + name + '}')}", "Write {opening}.")
    if hours.get("outside") in (None, "answer"):
        yield Violation(loc, f"{dotted(loc)}: nothing says it", "Write outside: say or outside: away, or remove it.")
