"""Draws a real plan, with one change of each sort: `docs/plan.svg` as the real command prints it on a terminal, and
`docs/plan.png` as a browser shows its HTML.

The plan is that of a fleet in daily use: a prompt was edited, a client is new, and something was changed in Twilio's
console.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment
from rich.console import Console
from rich.text import Text

from demo.processes import BIN, Failed, Installation, installation
from demo.walk import change_behind_the_back

FOLDER = Path("var/picture")
PICTURE = Path("docs/plan.svg")
SCREENSHOT = Path("docs/plan.png")
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
MEASURE = "document.title = String(document.documentElement.scrollHeight)"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

NEW_CLIENT = """\
id: ferreteria-sur
name: Ferretería Sur
number: "+56223456789"
assistant:
  instructions: Eres el asistente de Ferretería Sur. Respondes sobre stock, precios y despachos en Santiago.
"""

COLOURS = {1: "#e06c75", 2: "#98c379", 3: "#e5c07b", 6: "#56b6c2"}
"""A terminal's red, green, yellow and cyan."""
INK, PAPER = "#d7dae0", "#16181d"
FONT = "13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
CHARACTER, LINE, MARGIN = 7.8, 18, 16
"""Width of a character, height of a line and the border around them, in pixels at a font size of 13."""

DRAWING = Environment(autoescape=True, trim_blocks=True, keep_trailing_newline=True).from_string("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" width="{{ width }}" \
height="{{ height }}">
<style>text { font: {{ font | safe }}; fill: {{ ink }}; white-space: pre }</style>
<rect width="{{ width }}" height="{{ height }}" rx="8" fill="{{ paper }}"/>
<g xml:space="preserve">
{% for y, pieces in rows %}
<text x="{{ margin }}" y="{{ y }}">{% for text, colour, bold in pieces -%}
{% if colour or bold %}<tspan{% if colour %} fill="{{ colour }}"{% endif %}{% if bold %} font-weight="bold"\
{% endif %}>{{ text }}</tspan>{% else %}{{ text }}{% endif %}{% endfor %}</text>
{% endfor %}
</g>
</svg>
""")


def picture() -> None:
    """Make the situation, plan it, draw what was printed."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    clients_dir = FOLDER / "clients.d"
    shutil.copytree("clients.d", clients_dir)
    with installation(FOLDER, clients_dir=clients_dir) as running:
        environment = {**running.environment, "PUBLIC_URL": "https://whatsapp.example.cl"}
        done = subprocess.run(
            [BIN / "reconcile", "--yes"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"The first apply failed:\n{done.stderr}")
        _a_day_passes(running)
        plan = [str(BIN / "reconcile"), "--dry-run"]
        printed = _on_a_terminal(plan, environment)
        page = FOLDER / "plan.html"
        _on_a_terminal([*plan, "--format", "html", "--out", str(page)], environment)
    PICTURE.write_text(_drawn(f"$ reconcile --dry-run\n{printed}"), encoding="utf-8")
    print(f"{PICTURE} is drawn.")
    screenshot(page, SCREENSHOT, 960)


def _a_day_passes(running: Installation) -> None:
    prompt = running.clients_dir / "la-cocina" / "prompt.md"
    text = prompt.read_text(encoding="utf-8")
    prompt.write_text(
        text.replace("Cocina chilena casera.", "Cocina chilena casera; los martes cerramos."), encoding="utf-8"
    )
    (running.clients_dir / "ferreteria-sur.yaml").write_text(NEW_CLIENT, encoding="utf-8")
    sender = {"sender_id": "whatsapp:+56223456789", "status": "ONLINE", "profile": {"name": "Ferretería Sur"}}
    connection = http.client.HTTPConnection(urlsplit(running.twilio_url).netloc, timeout=10)
    connection.request("POST", "/_sandbox/senders", json.dumps(sender), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise Failed(f"The sandbox's console answered {response.status}: {response.read().decode()}")
    connection.close()
    change_behind_the_back(running)


def _on_a_terminal(command: list[str], environment: Mapping[str, str]) -> str:
    """What the command prints, colours and all, when its output is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux: the other end of a pseudo-terminal was closed
                break
            if not piece:
                break
            printed += piece
    os.close(ours)
    if process.returncode:
        raise Failed(f"`{' '.join(command)}` ended with exit code {process.returncode}:\n{printed.decode()}")
    return printed.decode().replace("\r\n", "\n")


def screenshot(page: Path, picture: Path, width: int) -> None:
    """Have a browser draw a whole page into a picture of that width, in pixels of the page."""
    height = _height(page, width)
    size = (f"--window-size={width},{height}", "--force-device-scale-factor=1.5")
    _browse(page, *size, f"--screenshot={picture.resolve()}")
    print(f"{picture} is drawn.")


def _height(page: Path, width: int) -> int:
    """How high a page is at that width, as a browser lays it out: a copy of it, which may run the one script that the
    page's own policy forbids, puts it into its title."""
    text = POLICY.sub("", page.read_text(encoding="utf-8"), count=1)
    measured = page.with_name(f"measured-{page.name}")
    measured.write_text(text.replace("</body>", f"<script>{MEASURE}</script></body>"), encoding="utf-8")
    shown = _browse(measured, f"--window-size={width},600", "--virtual-time-budget=1000", "--dump-dom")
    found = re.search(r"<title>(\d+)</title>", shown)
    if found is None:
        raise Failed(f"Chromium does not say how high {page} is.")
    return int(found[1])


def _browse(page: Path, *options: str) -> str:
    """What a browser without a window prints when it opens a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise Failed(f"{page} is not drawn: there is no Chromium. On Debian: apt-get install chromium")
    profile = (page.parent / "browser").resolve()
    # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the page is ours.
    look = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}")
    done = subprocess.run(
        [browser, *look, *options, page.resolve().as_uri()], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise Failed(f"Chromium ended with exit code {done.returncode}:\n{done.stderr}")
    return done.stdout


def _drawn(printed: str) -> str:
    """The printed lines as a picture: pieces of each with their colours, as the terminal has them."""
    lines = Text.from_ansi(printed.rstrip("\n")).split(allow_blank=True)
    return DRAWING.render(
        width=round(2 * MARGIN + CHARACTER * max(len(line) for line in lines)),
        height=2 * MARGIN + LINE * len(lines),
        rows=[(MARGIN + LINE * row - 5, list(_pieces(line))) for row, line in enumerate(lines, start=1)],
        margin=MARGIN,
        font=FONT,
        ink=INK,
        paper=PAPER,
    )


def _pieces(line: Text) -> Iterator[tuple[str, str | None, bool]]:
    """One line's pieces: text, colour, whether it is bold."""
    for text, style, _ in line.render(Console(color_system="standard", file=io.StringIO())):
        number = style.color.number if style and style.color else None
        yield text, COLOURS.get(number) if number else None, bool(style and style.bold)
