"""The rows as tables: six columns that fit a terminal, or all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.render.times import NEVER, local_minute, local_short, zone
from reconciler.render.wording import visible
from reconciler.status.attention import SOON
from reconciler.status.row import ClientStatus
from reconciler.status.undelivered import blocking
from terminal.language import label, said

COLUMNS = ("Client", "Answers", "Sync", "Sender", "Last message", "Needs attention")
WIDE_COLUMNS = (
    *("Client", "Answers", "Sync", "Number", "Sender", "Quality", "Webhook", "Assistant", "Model", "Days left"),
    *("Files", "Bot", "Last message", "Undelivered", "Last apply", "Needs attention"),
)
RIGHT = ("Days left", "Files")

SYNC_COLOURS = {
    "in sync": "green",
    "made by hand": "cyan",
    "differs": "yellow",
    "withheld": "yellow",
    "error": "red",
    "unresolved": "red",
}
ANSWERS_COLOURS = {"delivered": "green", "undelivered": "red", "failed": "red", "pending": "yellow"}


def table_text(
    rows: Sequence[ClientStatus], *, now: datetime, width: int | None, colour: bool, wide: bool = False
) -> str:
    """The table, and below it the zone of its times and what needs attention, a line each.

    `width`: characters that a line may have; None for no limit. No word is cut: where six columns do not fit, each
    client has lines of its own. `wide`: all columns, without a limit.
    """
    cells = [_wide_cells(row) if wide else _cells(row, now) for row in rows]
    columns = {
        title: [Text(label(title), "bold"), *(cell[title] for cell in cells)]
        for title in (WIDE_COLUMNS if wide else COLUMNS)
    }
    room = None if wide else width
    layout = fitting([[text.plain for text in column] for column in columns.values()], room)
    out = StringIO()
    console = Console(file=out, width=room or 10_000, force_terminal=colour, no_color=not colour)
    if layout is None:
        _print_stacked(console, cells)
    else:
        console.print(_table(columns, *layout))
    text = "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
    return text + said(f"\nTimes: {zone()}.\n") + _notes(rows, room)


def fitting(columns: Sequence[Sequence[str]], room: int | None) -> tuple[Sequence[int], int] | None:
    """Widths of columns with these texts, and the gap between them, so that a line has at most `room` characters and no
    word is broken; the first column is not wrapped at all. None where that is not possible."""
    widths = [max(map(cell_len, column)) for column in columns]
    least = [widths[0], *(max(cell_len(word) for text in column for word in text.split()) for column in columns[1:])]
    for gap in (2, 1):
        left = sum(widths) if room is None else room - gap * (len(columns) - 1)
        if sum(least) <= left:
            while sum(widths) > left:
                can_shrink = [index for index, width in enumerate(widths) if width > least[index]]
                widths[max(can_shrink, key=widths.__getitem__)] -= 1
            return widths, gap
    return None


def wrapped(text: str, width: int | None) -> str:
    """A sentence as lines of that width, the later ones indented; nothing within a word is broken."""
    if width is None:
        return f"{text}\n"
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)


def _table(columns: Mapping[str, Sequence[Text]], widths: Sequence[int], gap: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=False)
    for title, width in zip(columns, widths, strict=True):
        table.add_column(justify="right" if title in RIGHT else "left", width=width)
    for line in zip(*columns.values(), strict=True):
        table.add_row(*line)
    return table


def _print_stacked(console: Console, cells: Sequence[Mapping[str, Text]]) -> None:
    for cell in cells:
        console.print(cell["Client"], no_wrap=True, overflow="ignore", crop=False)
        facts = Text(" · ").join(cell[title] for title in COLUMNS[1:] if cell[title].plain != NEVER)
        for line in facts.wrap(console, console.width - 2):
            console.print(Text("  ") + line)


def _cells(row: ClientStatus, now: datetime) -> Mapping[str, Text]:
    paused = said(", paused") if row.bot_state == "paused" else ""
    return {
        "Client": Text(row.client),
        "Answers": _answers(row),
        "Sync": Text(f"{label(row.sync)}{paused}", SYNC_COLOURS[row.sync]),
        "Sender": _sender(row),
        "Last message": Text(local_short(row.last_message_at, now)),
        "Needs attention": _topics(row),
    }


def _wide_cells(row: ClientStatus) -> Mapping[str, Text]:
    days = row.model_days_left
    webhook = {"ours": "ok", "": "none", None: NEVER}.get(row.webhook, "elsewhere")
    paused = f" ({label('paused')})" if row.bot_state == "paused" else ""
    return {
        "Client": Text(row.client),
        "Answers": _answers(row),
        "Sync": Text(label(row.sync), SYNC_COLOURS[row.sync]),
        "Number": Text(row.number),
        "Sender": _sender(row),
        "Quality": Text(row.quality_rating or NEVER),
        "Webhook": Text(label(webhook), "green" if webhook == "ok" else "red"),
        "Assistant": Text(f"{row.assistant_id or NEVER} ({row.engine})"),
        "Model": Text(row.model),
        "Days left": Text(NEVER if days is None else str(days), "red" if days is not None and days <= SOON else ""),
        "Files": Text(files_text(row), "red" if row.knowledge_files is None or row.knowledge_failed else ""),
        "Bot": Text(f"{row.bot_id or NEVER}{paused}"),
        "Last message": Text(local_minute(row.last_message_at)),
        "Undelivered": Text(undelivered_text(row), "red" if blocking(row.undelivered) else ""),
        "Last apply": Text(local_minute(row.last_applied_at)),
        "Needs attention": _topics(row),
    }


def _answers(row: ClientStatus) -> Text:
    return Text(label(row.answers or NEVER), ANSWERS_COLOURS.get(row.answers or "", ""))


def _topics(row: ClientStatus) -> Text:
    topics = ", ".join(dict.fromkeys(label(item.topic) for item in row.attention))
    return Text(topics or NEVER, "yellow" if topics else "")


def _sender(row: ClientStatus) -> Text:
    if not row.is_sender_read:
        return Text(label("unread"), "red")
    return Text((row.sender_status or label("missing")).replace("_", " "), "green" if row.is_online else "red")


def files_text(row: ClientStatus) -> str:
    """How many documents a search finds: `2 (1 in progress)`."""
    if row.knowledge_files is None:
        return NEVER
    rest = {"in progress": row.knowledge_in_progress, "failed": row.knowledge_failed}
    more = ", ".join(f"{count} {label(state)}" for state, count in rest.items() if count)
    return f"{row.knowledge_files} ({more})" if more else str(row.knowledge_files)


def undelivered_text(row: ClientStatus) -> str:
    """How many messages of the last day reached no phone, and Twilio's codes: `2 (63112)`."""
    if not row.undelivered:
        return NEVER
    codes = ", ".join(sorted(row.undelivered, key=lambda code: (-row.undelivered[code], code)))
    return f"{sum(row.undelivered.values())} ({codes})"


def _notes(rows: Sequence[ClientStatus], width: int | None) -> str:
    notes = [f"{row.client}: {said(visible(item.text)).rstrip('.')}." for row in rows for item in row.attention]
    return "".join(("\n", *(wrapped(text, width) for text in notes))) if notes else ""
