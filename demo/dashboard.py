"""Draws `docs/dashboard.png`: the panels of `deploy/grafana/dashboard.json`, with what a runtime counted in a run.

Grafana draws it nicer. This reads the same dashboard, evaluates its own expressions over scrapes of /metrics (in
`demo.promql`), and has Chromium draw the lines.
"""

from __future__ import annotations

import html
import http.client
import json
import math
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from demo.picture import screenshot
from demo.processes import BIN, Failed, Installation, installation
from demo.promql import Scrape, Series, evaluate, parse

FOLDER = Path("var/dashboard")
SOURCE = Path("deploy/grafana/dashboard.json")
PICTURE = Path("docs/dashboard.png")
RUN_SECONDS, STEP_SECONDS, WINDOW_STEPS = 75, 1.0, 10
FAULTS = [
    {"kind": "status", "provider": "openai", "path": "/v1/responses", "status": 500, "rate": 0.3},
    {"kind": "retry_after", "provider": "openai", "path": "/v1/responses", "rate": 0.1, "seed": 1},
]
TEXTS = ("Hola, ¿tienen mesa para dos hoy?", "¿Hasta qué hora atienden?", "Gracias", "Quiero cambiar mi reserva")
WIDTH, ROW_HEIGHT, GAP = 1440, 30, 8
COLOURS = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300")


def dashboard() -> None:
    """Run, measure, draw."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    with installation(FOLDER) as running:
        done = subprocess.run(
            [BIN / "reconcile", "--yes"], env=running.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"The apply failed:\n{done.stderr}")
        scrapes = _run(running)
    page = FOLDER / "dashboard.html"
    document = json.loads(SOURCE.read_text(encoding="utf-8"))
    height = _page_height(document)
    page.write_text(_page(document, scrapes, height), encoding="utf-8")
    screenshot(page, PICTURE, WIDTH, height)


def _run(running: Installation) -> list[Scrape]:
    """Users write at a rate that rises and falls, the model thinks, and for a while the provider fails."""
    numbers = [sender.removeprefix("whatsapp:") for sender in _senders(running)]
    scrapes: list[Scrape] = []
    _ask(running.twilio_url, "PUT", "/_sandbox/settings", {"think_seconds": 0.9})
    began = time.monotonic()
    dice = random.Random(7)  # noqa: S311 - the same run every time
    failing = False
    while (passed := time.monotonic() - began) < RUN_SECONDS:
        if failing != (failing := 0.35 < passed / RUN_SECONDS < 0.6):
            _ask(running.twilio_url, "PUT", "/_sandbox/faults", {"rules": FAULTS if failing else []})
        for _ in range(round(6 + 5 * math.sin(passed / 8))):
            message = {
                "to": dice.choices(numbers, weights=range(1, len(numbers) + 1))[0],
                "body": dice.choice(TEXTS),
                "from": f"+569{dice.randrange(40):08d}",
                "wait": 0,
            }
            threading.Thread(target=_ask, args=(running.twilio_url, "POST", "/_sandbox/inbound", message)).start()
        scrapes.append(parse(_ask(running.runtime_url, "GET", "/metrics", token=running.settings["API_TOKEN"])))
        time.sleep(max(0.0, STEP_SECONDS * len(scrapes) - (time.monotonic() - began)))
    return scrapes


def _senders(running: Installation) -> list[str]:
    bots = json.loads(_ask(running.runtime_url, "GET", "/bots/", token=running.settings["API_TOKEN"]))
    return [bot["twilio_phone_number"] for bot in bots]


def _ask(url: str, method: str, path: str, document: object = None, token: str | None = None) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None if document is None else json.dumps(document)
    connection.request(method, path, body, headers | {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise Failed(f"{method} {path} answered {response.status}: {text}")
    return text


def _page_height(document: dict[str, Any]) -> int:
    """Height of the whole dashboard in pixels."""
    rows = max(int(panel["gridPos"]["y"] + panel["gridPos"]["h"]) for panel in document["panels"])
    return ROW_HEIGHT * rows + 60


def _page(document: dict[str, Any], scrapes: Sequence[Scrape], height: int) -> str:
    panels = "\n".join(_panel(panel, scrapes) for panel in document["panels"])
    return f"""<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #111217; color: #ccccdc; font: 12px Inter, 'DejaVu Sans', sans-serif }}
h1 {{ font-size: 17px; font-weight: 500; margin: 14px 16px 0 }}
.panel {{ position: absolute; background: #181b1f; border: 1px solid #2a2d33; border-radius: 3px; overflow: hidden }}
.panel b {{ position: absolute; left: 10px; top: 7px; font-weight: 500 }}
.row {{ position: absolute; font-size: 14px; font-weight: 500; padding: 8px 4px }}
.stat {{ position: absolute; inset: 30px 0 0; text-align: center; font-size: 38px; color: #73bf69 }}
svg {{ position: absolute; left: 0; top: 0 }} text {{ fill: #9fa1a8; font-size: 11px }}
</style><h1>{html.escape(document["title"])}</h1>
<div style="position:absolute;top:44px;left:0;width:{WIDTH}px;height:{height - 44}px">{panels}</div>"""


def _panel(panel: dict[str, Any], scrapes: Sequence[Scrape]) -> str:
    place = panel["gridPos"]
    unit = (WIDTH - 2 * GAP) / 24
    left, top = place["x"] * unit + GAP, place["y"] * ROW_HEIGHT
    width, height = place["w"] * unit - GAP, place["h"] * ROW_HEIGHT - GAP
    style = f"left:{left:.0f}px;top:{top}px;width:{width:.0f}px;height:{height}px"
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f'<div class="row" style="{style}">{title}</div>'
    lines = _lines(panel, scrapes)
    shown = panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] == "stat":
        last = [points[-1][1] for points in lines.values() if points]
        inside = f'<div class="stat">{_value(max(last, default=0.0), shown)}</div>'
    else:
        inside = _chart(lines, width, height, shown)
    return f'<div class="panel" style="{style}"><b>{title}</b>{inside}</div>'


def _lines(panel: dict[str, Any], scrapes: Sequence[Scrape]) -> dict[str, list[tuple[int, float]]]:
    """The panel's lines by their name in the legend; a point is (number of the scrape, value)."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for target in panel["targets"]:
        for step in range(WINDOW_STEPS, len(scrapes)):
            found: Series = evaluate(
                target["expr"], scrapes[step], scrapes[step - WINDOW_STEPS], WINDOW_STEPS * STEP_SECONDS
            )
            for labels, value in found.items():
                name = target["legendFormat"]
                for label, said in labels:
                    name = name.replace(f"{{{{{label}}}}}", said)
                if not math.isnan(value):
                    # Prometheus adds the label `instance`; nobody does here.
                    lines.setdefault(name or "the replica", []).append((step, value))
    return lines


def _chart(lines: dict[str, list[tuple[int, float]]], width: float, height: float, unit: str) -> str:
    left, right, top, bottom = 62.0, width - 12, 34.0, height - 44
    first, last = WINDOW_STEPS, max((points[-1][0] for points in lines.values()), default=WINDOW_STEPS + 1)
    highest = max((value for points in lines.values() for _, value in points), default=0.0) * 1.1 or 1.0
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#2a2d33"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{_value(share * highest, unit)}</text>')
    legend_x = left
    for (name, points), colour in zip(sorted(lines.items()), COLOURS * 3, strict=False):
        path = " ".join(
            f"{left + (step - first) / max(last - first, 1) * (right - left):.1f},"
            f"{bottom - value / highest * (bottom - top):.1f}"
            for step, value in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<rect x="{legend_x}" y="{height - 20}" width="12" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{legend_x + 16}" y="{height - 14}">{html.escape(name)}</text>')
        legend_x += 30 + 6.6 * len(name)
    if not lines:
        parts.append(f'<text x="{width / 2}" y="{height / 2}" text-anchor="middle">No data</text>')
    return f'<svg width="{width:.0f}" height="{height}">{"".join(parts)}</svg>'


def _value(number: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{number:.3g} s"
        case "bytes":
            return f"{number / 2**20:.0f} MiB"
        case "currencyUSD":
            return f"${number:.2g}"
        case "reqps":
            return f"{number:.3g}/s"
    return f"{number:.3g}"
