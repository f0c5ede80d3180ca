"""The rows as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.render.wording import visible
from reconciler.status.facts import ClientStatus
from reconciler.status.undelivered import blocking, undelivered

NOBODY_WATCHES = 260
"""Width where there is no terminal: wide enough that nothing is truncated."""
SOON = 60
"""A model's shutdown within this many days is urgent."""

_SYNC_COLOURS = {
    "in sync": "green",
    "made by hand": "cyan",
    "differs": "yellow",
    "withheld": "yellow",
    "error": "red",
    "unresolved": "red",
}


def table_text(rows: Sequence[ClientStatus], *, width: int | None, colour: bool) -> str:
    """The table, and below it problems and what reached no phone, a line each. `width` is the terminal's; None where
    there is none."""
    table = Table(box=None, pad_edge=False, header_style="bold" if colour else "")
    for title in ("Client", "Number", "Sender", "Quality", "Webhook", "Assistant", "Model", "Days left", "Files"):
        table.add_column(title, justify="right" if title in ("Days left", "Files") else "left")
    for title in ("Bot", "Last message", "Undelivered", "Last apply", "State"):
        table.add_column(title)
    for row in rows:
        table.add_row(*_cells(row))
    out = StringIO()
    console = Console(file=out, width=width or NOBODY_WATCHES, force_terminal=colour, no_color=not colour)
    console.print(table)
    notes = "".join(f"{row.client}: {visible(note).rstrip('.')}.\n" for row in rows for note in _notes(row))
    text = "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
    return text + (f"\n{notes}" if notes else "")


def _cells(row: ClientStatus) -> list[Text]:
    online = row.sender_status is not None and row.sender_status.startswith("ONLINE")
    webhook = {"ours": "ok", "": "none", None: "–"}.get(row.webhook, "elsewhere")
    days = row.model_days_left
    paused = " (paused)" if row.bot_state == "paused" else ""
    return [
        Text(row.client),
        Text(row.number),
        Text(row.sender_status or "missing", "green" if online else "red"),
        Text(row.quality_rating or "–"),
        Text(webhook, "green" if webhook == "ok" else "red"),
        Text(f"{row.assistant_id or '–'} ({row.engine})"),
        Text(row.model),
        Text("–" if days is None else str(days), "red" if days is not None and days < SOON else ""),
        _documents(row),
        Text(f"{row.bot_id or '–'}{paused}"),
        Text(_minute(row.last_message_at) + (" ✗" if row.last_turn == "dead" else "")),
        _undelivered(row),
        Text(_minute(row.last_applied_at)),
        Text(row.sync, _SYNC_COLOURS[row.sync]),
    ]


def _notes(row: ClientStatus) -> Sequence[str]:
    blocked = blocking(row.undelivered)
    secrets = [f"{variable} is not set where the runtime runs ({use})" for variable, use in _missing(row).items()]
    return [
        *row.problems,
        *secrets,
        *([undelivered(blocked)] if blocked else []),
        *([_loops(row)] if row.loops else []),
    ]


def _missing(row: ClientStatus) -> Mapping[str, str]:
    return row.missing_secrets or {}


def _loops(row: ClientStatus) -> str:
    paused = "1 conversation is" if row.loops == 1 else f"{row.loops} conversations are"
    return (
        f"{paused} paused until {_minute(row.loops_until)} UTC, since a program answers there; "
        "the log line loop_detected has its number and the sign"
    )


def _undelivered(row: ClientStatus) -> Text:
    if not row.undelivered:
        return Text("–")
    codes = ", ".join(sorted(row.undelivered, key=lambda code: (-row.undelivered[code], code)))
    return Text(f"{sum(row.undelivered.values())} ({codes})", "red" if blocking(row.undelivered) else "")


def _documents(row: ClientStatus) -> Text:
    if row.knowledge_files is None:
        return Text("–", "red")
    rest = {"in progress": row.knowledge_in_progress, "failed": row.knowledge_failed}
    more = ", ".join(f"{count} {state}" for state, count in rest.items() if count)
    return Text(f"{row.knowledge_files} ({more})" if more else str(row.knowledge_files), "red" if more else "")


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else "–"
