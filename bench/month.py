"""A month of 300,000 messages of one client: what a report of it takes, and what only reading the rows takes.

The store is made by SQL: two months of the client, and as much of another one, which is not to be read.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.installation import Installations
from bench.measure import Case, measure, progress, run_once
from bench.report import TIMING_HEAD, Section, Table, at_most, timing
from bench.sandbox import ROOT

CLIENT, OTHER = "la-cocina", "ferreteria-sur"
MONTH, BEFORE = "2026-10", "2026-09"
ANSWERS = 150_000
"""Messages in, each with its answer: 300,000 messages."""
PEOPLE = 9_000
KINDS = ("twilio_in", "twilio_out", "meta_service", "model_input", "model_cached", "model_output")

ROUNDS = 5
SECONDS, MEGABYTES = 3, 150

_READ = """\
import sqlite3
import sys
store = sqlite3.connect(sys.argv[1])
for table, column in (("usage", "client"), ("inbox", "bot_id")):
    bound = "month = ?" if table == "usage" else "received_at LIKE ? || '%'"
    rows = store.execute(f"SELECT * FROM {table} WHERE {column} = ? AND {bound}", sys.argv[2:])
    print(table, sum(1 for _ in rows))
"""
_TEXT = f"""\
{ANSWERS:,} messages in and as many out, of {PEOPLE:,} people, with {ANSWERS * 6:,} rows of the ledger, as much in the
month before, and as much again of another client, in SQLite. The floor fetches the month's rows of the ledger and of
the inbox with `sqlite3` and does nothing with them; it has neither the answers' times nor the month before."""

_BOT = (
    "INSERT INTO bots (id, name, twilio_phone_number, state, functions, policy, metadata, protected, client, version,"
    " created_at, updated_at) VALUES (?, ?, ?, 'active', '{}', '{}', '{}', 0, ?, 1, '', '')"
)


def fill(path: Path) -> None:
    """Adds both months of the client, and as much of another client, to a store that has been migrated."""
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA synchronous = OFF")
        store.execute("BEGIN")
        store.executemany(_BOT, [(CLIENT, "La Cocina", "+56961234501", CLIENT), (OTHER, "Sur", "+56961234502", OTHER)])
        store.executemany(
            "INSERT INTO usage_prices (id, kind, model, nano_usd, per, currency, source, confidence)"
            " VALUES (?, ?, ?, ?, ?, 'USD', 'bench', 'list_price')",
            [
                (number, kind, "gpt-6-luna" if "model" in kind else None, 5_000_000, 1)
                for number, kind in enumerate(KINDS)
            ],
        )
        first = 1
        for month in (BEFORE, MONTH):
            for client in (OTHER, CLIENT):
                _fill_month(store, client, month, first)
                first += ANSWERS
        store.execute("COMMIT")
        store.execute("ANALYZE")


def _times(month: str) -> Iterator[tuple[str, str]]:
    """When each message came, and when its answer went out."""
    begin = datetime.fromisoformat(f"{month}-01T03:00:00+00:00")
    step = timedelta(days=29) / ANSWERS
    for number in range(ANSWERS):
        came = begin + number * step
        yield _text(came), _text(came + timedelta(seconds=2 + number % 7))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fill_month(store: sqlite3.Connection, client: str, month: str, first: int) -> None:
    number = f"+5696123450{1 if client == CLIENT else 2}"
    rows = [(first + index, first + index % PEOPLE, *times) for index, times in enumerate(_times(month))]
    store.executemany(
        "INSERT INTO conversations (id, bot_id, user_key, created_at) VALUES (?, ?, ?, '')",
        [(first + index, client, f"+569{first + index:08d}") for index in range(PEOPLE)],
    )
    store.executemany(
        "INSERT INTO inbox (id, account_sid, message_sid, bot_id, conversation_id, sender, body, params,"
        f" state, turn_id, received_at) VALUES (?, 'AC', ?, '{client}', ?, 'whatsapp:+56911111111', 'Hola', '{{}}',"
        " 'answered', ?, ?)",
        [(row, f"SM{row:032x}", conversation, row, came) for row, conversation, came, _ in rows],
    )
    store.executemany(
        "INSERT INTO turns (id, conversation_id, bot_id, state, starts, model, started_at, finished_at)"
        f" VALUES (?, ?, '{client}', 'answered', 1, 'gpt-6-luna', ?, ?)",
        [(row, conversation, came, went) for row, conversation, came, went in rows],
    )
    store.executemany(
        "INSERT INTO outbox (id, turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, channel,"
        f" state, message_sid, status, created_at, claimed_at, settled_at, charged) VALUES (?, ?, ?, '{client}', 0,"
        f" 'AC', 'whatsapp:{number}', 'whatsapp:+56911111111', 'Sí.', 'rest', 'sent', ?, 'delivered', ?, ?, ?, 2)",
        [(row, row, conversation, f"SN{row:032x}", went, went, went) for row, conversation, _, went in rows],
    )
    store.executemany(
        "INSERT INTO usage (at, month, client, bot_id, number, turn_id, inbox_id, outbox_id, kind, price_id, quantity,"
        f" amount) VALUES (?, '{month}', '{client}', '{client}', '{number}', ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                went,
                row if price > 2 else None,
                row if price == 0 else None,
                row if price in (1, 2) else None,
                kind,
                price,
                1,
                5_000_000,
            )
            for row, _, _, went in rows
            for price, kind in enumerate(KINDS)
        ],
    )


def section(_installations: Installations) -> Section:
    """A report in each of its formats but the one that a browser prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"DATABASE_URL": f"sqlite:///{folder}/store.db", "PYTHONPATH": str(ROOT)}
        run_once(Case("migrate", [sys.executable, "-m", "runtime", "migrate"], folder, settings))
        progress(f"making a store with {ANSWERS * 8:,} messages")
        fill(folder / "store.db")
        report = [sys.executable, "-m", "runtime", "report", "--client", CLIENT, "--month", MONTH, "--format"]
        said = {"text": "9.000 personas", "html": "9.000 personas", "json": '"people": 9000'}
        cases = [Case(f"report, {form}", [*report, form], folder, settings, words) for form, words in said.items()]
        floor: list[str | Path] = [sys.executable, "-c", _READ, folder / "store.db", CLIENT, MONTH]
        cases.append(Case("fetching the rows (floor)", floor, folder, says=f"usage {ANSWERS * len(KINDS)}"))
        taken = measure(cases, ROUNDS)
    rows = [timing(case, runs) for case, runs in taken.items()]
    slowest = max((runs for case, runs in taken.items() if case.startswith("report")), key=lambda runs: runs.best)
    targets = [
        at_most("report of 300,000 messages", slowest.best, SECONDS, "s"),
        at_most("report of 300,000 messages, peak", slowest.peak_mb, MEGABYTES, "MB"),
    ]
    return Section("Reporting a month", _TEXT, Table(TIMING_HEAD, rows), targets)
