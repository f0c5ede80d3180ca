"""A report as one HTML file that prints well: nothing is loaded but a logo by its address, nothing is executed.

The markup is in `templates/`; values are escaped by Jinja. The content security policy names the one style sheet by
its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runtime.reports.content import ClientReport
from runtime.reports.overview import Overview

TEMPLATES = Path(__file__).with_name("templates")
SHADES = 6
"""Steps of the shading of a table's numbers, 0 among them."""
CHART_WIDTH, CHART_HEIGHT, LABELS_HEIGHT, SCALE_WIDTH = 720, 160, 18, 44
"""Of a chart, in its own units."""


def report_html(document: ClientReport) -> str:
    """The report of a client."""
    return _page("report.html", document)


def overview_html(overview: Overview) -> str:
    """The agency's overview."""
    return _page("overview.html", overview)


def _page(template: str, document: ClientReport | Overview) -> str:
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template(template).render(document=document, style=style, style_hash=digest)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals["bars"] = bars
    environment.globals["shade"] = shade
    return environment


def bars(values: Sequence[int]) -> dict[str, Any]:
    """The geometry of a bar chart: its size, its scale, and a rectangle for each value."""
    top = round_up(max(values, default=0))
    step = (CHART_WIDTH - SCALE_WIDTH) / max(len(values), 1)
    rectangles = []
    for place, value in enumerate(values):
        height = CHART_HEIGHT * value / top
        x = SCALE_WIDTH + place * step
        rectangles.append(
            {
                "x": f"{x + step * 0.15:.1f}",
                "y": f"{CHART_HEIGHT - height:.1f}",
                "width": f"{step * 0.7:.1f}",
                "height": f"{height:.1f}",
                "middle": f"{x + step / 2:.1f}",
                "value": value,
            }
        )
    return {
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT + LABELS_HEIGHT,
        "base": CHART_HEIGHT,
        "left": SCALE_WIDTH,
        "top": top,
        "rectangles": rectangles,
    }


def round_up(value: int) -> int:
    """A scale's end: the next multiple of a fifth of the power of ten that the value has."""
    step = max(int(10 ** (len(str(value)) - 1)) // 5, 1)
    return max(-(-value // step) * step, 1)


def shade(value: int, rows: Sequence[Sequence[int]]) -> int:
    """The step of a number's shading among all of a table: 0 for 0, the last one for the largest."""
    most = max(map(max, rows))
    return -(-value * (SHADES - 1) // most) if most else 0
