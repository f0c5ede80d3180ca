"""Draws `docs/plan.svg`: a real plan, printed on a terminal by the real command, with one change of each sort.

The plan is that of a fleet in daily use: a prompt was edited, a client is new, and somebody was in Twilio's console.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from demo.processes import BIN, Failed, Installation, installation
from demo.walk import change_behind_the_back

FOLDER = Path("var/picture")
PICTURE = Path("docs/plan.svg")
COLUMNS = 118

NEW_CLIENT = """\
id: ferreteria-sur
name: Ferretería Sur
number: "+56223456789"
assistant:
  instructions: Eres el asistente de Ferretería Sur. Respondes sobre stock, precios y despachos en Santiago.
"""

SVG = """\
<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect fill="#16181d" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate(12, 12)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture() -> None:
    """Make the situation, plan it, draw what was printed."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    clients_dir = FOLDER / "clients.d"
    shutil.copytree("clients.d", clients_dir)
    with installation(FOLDER, clients_dir=clients_dir) as running:
        done = subprocess.run(
            [BIN / "reconcile", "--yes"], env=running.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"The first apply failed:\n{done.stderr}")
        _a_day_passes(running)
        printed = _on_a_terminal([str(BIN / "reconcile"), "--dry-run"], running)
    PICTURE.write_text(_drawn(f"$ reconcile --dry-run\n{printed}"), encoding="utf-8")
    print(f"{PICTURE} is drawn.")


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


def _on_a_terminal(command: list[str], running: Installation) -> str:
    """What the command prints, colours and all, when its output is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=running.environment, stdout=theirs, stderr=subprocess.DEVNULL) as process:
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


def _drawn(printed: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(printed.rstrip("\n")))
    return console.export_svg(code_format=SVG, unique_id="plan")
