"""Templates made into pages. Every value is escaped; what people wrote is shown as `person` leaves it, in a <bdi>.

Jinja is imported with the first page: a service without operators does not load it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from runtime.console.words import Sentence, catalogue
from runtime.reports.words import Words
from schemas.addresses import number_of
from schemas.money import Language
from schemas.tariffs import NANOS

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES: Final = Path(__file__).with_name("templates")
STATIC: Final = Path(__file__).with_name("static")
LISTED_CHARACTERS: Final = 160
"""What a list shows of a text."""
SHOWN_CHARACTERS: Final = 4_096
"""What a thread shows of one: WhatsApp's own limit of a message."""
MINUTE_SECONDS: Final = 60.0
DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks of the writing direction. An isolate that ends in a text would end the one that its <bdi> begins."""
CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def rendered(template: str, language: Language, values: Mapping[str, Any]) -> str:
    """A page in a language."""
    return environment(language).get_template(template).render(values)


@cache
def environment(language: Language) -> Environment:
    """Jinja's, with the texts and the ways to write numbers and times of a language."""
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

    from runtime.reports import html as reports  # with Jinja as well

    made = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(TEMPLATES), PrefixLoader({"reports": FileSystemLoader(reports.TEMPLATES)})]
        ),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(language=language, static=static_url, bars=reports.bars, shade=reports.shade)
    made.filters.update(_filters(language))
    return made


@cache
def static_url(name: str) -> str:
    """The address of a static file, another one when it changes: browsers keep it."""
    return f"/console/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _filters(language: Language) -> Mapping[str, Callable[..., str]]:
    words, texts = Words(language), catalogue(language)

    def ago(timestamp: str | None) -> str:
        """`hace 7 min`, `hace 3 h`, `hace 2 días`."""
        if timestamp is None:
            return ""
        if seconds_from(timestamp) < MINUTE_SECONDS:
            return texts.gettext("recién")
        return texts.gettext("hace %(time)s") % {"time": span(seconds_from(timestamp))}

    def span(seconds: float) -> str:
        """`7 min`, `1 h 12 min`, `2 días`."""
        minutes = int(max(seconds, 0) // 60)
        if minutes < 60:
            return f"{minutes} min"
        hours, minutes = divmod(minutes, 60)
        if hours < 24:
            return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
        days = hours // 24
        return texts.ngettext("%(days)s día", "%(days)s días", days) % {"days": days}

    def day(timestamp: str, zone: str) -> str:
        return words.day(_local(timestamp, zone).date())

    def sentence(said: Sentence) -> str:
        return said.said(language)

    return {
        "ago": ago,
        "span": span,
        "day": day,
        "clock": clock,
        "sentence": sentence,
        "address": lambda text: person(number_of(text), LISTED_CHARACTERS),
        "person": person,
        "listed": listed,
        "number": words.number,
        "percent": lambda share: words.percent(Fraction(share)),
        "usd": lambda nanos, places=2: f"US$ {words.number(Fraction(nanos, NANOS), places)}",
    }


def person(text: str | None, limit: int = SHOWN_CHARACTERS) -> str:
    """What a person wrote, without marks of direction and control characters, and no longer than a page bears."""
    clean = CONTROLS.sub("\ufffd", DIRECTIONS.sub("", text or ""))
    return clean if len(clean) <= limit else f"{clean[:limit]}…"


def listed(text: str | None) -> str:
    """The same on one line of a list."""
    return person(" ".join((text or "")[: LISTED_CHARACTERS * 4].split()), LISTED_CHARACTERS)


def clock(timestamp: str, zone: str) -> str:
    """`12:33` in a time zone."""
    return f"{_local(timestamp, zone):%H:%M}"


def seconds_from(timestamp: str) -> float:
    """Seconds since a timestamp; negative for one to come."""
    return time.time() - datetime.fromisoformat(timestamp).timestamp()


def _local(timestamp: str, zone: str) -> datetime:
    return datetime.fromisoformat(timestamp).astimezone(ZoneInfo(zone))
