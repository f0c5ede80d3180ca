"""The console over a large store: every page, and what ten consoles that are open cost those who write.

The store is made by SQL: 1,000 clients, one of which has a fifth of all messages, and their usage of two months.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.old_messages import FIRST, SAID, OldMessages, add_rows, fill
from bench.report import Section, Table, at_most
from bench.service import Process, Stage, Traffic, add_bots, stage
from bench.visitor import Visitor, invited

CLIENTS, MESSAGES = 1_000, 2_000_000
QUICK = 40_000
"""Messages, with `--quick`."""
SPREAD = timedelta(days=55)
LARGEST_SHARE = 5
"""One message of this number is the largest client's."""
LARGEST, ORDINARY = "cliente-0000", "cliente-0500"
TIMES = 30
RATE, SECONDS, ROUNDS = 100, 20, 3
USERS = 1_000
CONSOLES = 10
PAGE_MS, PAGE_KB, OVERHEAD = 200, 150, 1.2
KINDS = ("twilio_out", "meta_service", "model_output")

_BOT = (
    "id, name, twilio_phone_number, state, functions, policy, metadata, protected, client, version, created_at,"
    " updated_at"
)
_TEXT = f"""\
{{messages:,}} messages of {CLIENTS:,} clients in the last {SPREAD.days} days, half of them in, half answers, a fifth of
them one client's, each answer with three lines of the ledger. Each page is got {TIMES} times over loopback, from the
request to its last byte. Then {RATE} messages a second for {SECONDS} seconds, without and with {CONSOLES} consoles, in
turns: half of them at the lists, half at a conversation in which messages come, got again as the browser does. The
overhead is that of "Answering"; the best round counts."""


def section(_installations: Installations, *, messages: int = MESSAGES) -> Section:
    """Pages, then the consoles that are open; both stores."""
    rows, overheads, targets = [], [], []
    with stage() as place:
        for store in ("SQLite", "PostgreSQL"):
            traffic = place.traffic()
            traffic.order(think=0.2)
            database = place.database(store)
            server = place.runtime(database, traffic)
            add_bots(server)
            server.end()
            progress(f"{store}: making {messages:,} messages")
            _fill(database, messages)
            server = place.runtime(database, traffic)
            pages = _pages(server, database)
            server.end()
            rows += [[f"{store}: {name}", *(f"{value:.1f}" for value in seen)] for name, seen in pages.items()]
            slowest = max(pages, key=lambda name: pages[name][1])
            heaviest = max(pages, key=lambda name: pages[name][2])
            calm, busy = _overhead(place, database, traffic)
            overheads += [
                [f"{store}, no console", f"{calm['p50_ms']:.1f}", f"{calm['p99_ms']:.1f}"],
                [f"{store}, {CONSOLES} consoles", f"{busy['p50_ms']:.1f}", f"{busy['p99_ms']:.1f}"],
            ]
            ratio = busy["p99_ms"] / calm["p99_ms"]
            targets += [
                at_most(f"slowest page of the console on {store} ({slowest}), p95", pages[slowest][1], PAGE_MS, "ms"),
                at_most(f"largest page of the console on {store} ({heaviest})", pages[heaviest][2], PAGE_KB, "kB"),
                at_most(
                    f"overhead p99 with {CONSOLES} open consoles on {store}, of that without,", ratio, OVERHEAD, ""
                ),
            ]
    head = ("", "p50 ms", "p95 ms", "kB on the wire")
    further = Table(("", "overhead p50 ms", "overhead p99 ms"), overheads)
    return Section("The console", _TEXT.format(messages=messages), Table(head, rows), targets, [("Consoles:", further)])


def _fill(database: str, messages: int) -> None:
    now = datetime.now(UTC)
    bots = [(f"cliente-{number:04}", f"+5623{number:07}") for number in range(CLIENTS)]
    made = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    add_rows(
        database,
        "bots",
        _BOT,
        ((id_, f"Cliente {id_}", of, "active", "{}", "{}", "{}", 0, id_, 1, made, made) for id_, of in bots),
    )
    # Named again, the largest client has a fifth of the people.
    largest = [bots[0]] * (CLIENTS // (LARGEST_SHARE - 1))
    old = OldMessages(messages, [*largest, *bots], now - SPREAD, SPREAD)
    fill(database, old)
    prices = "id, kind, model, nano_usd, per, currency, source, confidence"
    models = ((FIRST + number, kind, "gpt-6-luna" if "model" in kind else None) for number, kind in enumerate(KINDS))
    add_rows(database, "usage_prices", prices, ((*one, 5_000_000, 1, "USD", "bench", "list_price") for one in models))
    lines = "at, month, client, bot_id, number, turn_id, outbox_id, kind, price_id, quantity, amount"
    add_rows(database, "usage", lines, _usage(old))
    if database.startswith("sqlite:///"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as store, store:
            store.execute("ANALYZE")


def _usage(old: OldMessages) -> Iterator[tuple[object, ...]]:
    for _, turn, _, bot, _, _, number, *_, at, _, _ in old.rows("outbox"):
        for index, kind in enumerate(KINDS):
            of_message = None if kind.startswith("model") else turn
            month = str(at)[:7]
            yield at, month, bot, bot, str(number)[9:], turn, of_message, kind, FIRST + index, 1, 5_000_000


def _pages(server: Process, database: str) -> dict[str, tuple[float, float, float]]:
    """Page → p50 and p95 in ms, and kB on the wire."""
    admin = invited(server.url, database, "ana@example.cl", "--role", "admin")
    owner = invited(server.url, database, "duena@example.cl", "--role", "client", "--client", LARGEST)
    row = FIRST + MESSAGES // 1_000
    conversation, month = _newest(database), f"{datetime.now(UTC):%Y-%m}"
    pages: dict[str, tuple[Visitor, str]] = {
        "fleet": (admin, "/console"),
        "fleet, filtered": (admin, "/console?q=cliente-05"),
        "client": (admin, f"/console/clients/{LARGEST}"),
        "conversations": (admin, "/console/conversations?list=assistant"),
        "conversations that wait": (admin, "/console/conversations"),
        "conversations of a client": (admin, f"/console/conversations?list=assistant&client={LARGEST}"),
        "conversations by text": (
            admin,
            f"/console/conversations?list=assistant&client={LARGEST}&q={SAID[-6:-1]}",
        ),
        "conversations by a text that no one wrote": (
            admin,
            f"/console/conversations?list=assistant&client={LARGEST}&q=zarzaparrilla",
        ),
        "conversation": (admin, f"/console/conversations/{conversation}"),
        "turn": (admin, f"/console/conversations/{_of_turn(database, row)}/turns/{row}"),
        "waiting room": (admin, "/console/waiting"),
        "report": (admin, f"/console/reports?client={ORDINARY}&month={month}"),
        "report of the largest client": (admin, f"/console/reports?client={LARGEST}&month={month}"),
        "conversations behind a figure": (
            admin,
            f"/console/reports/conversations?client={LARGEST}&month={month}&figure=received",
        ),
        "plans": (admin, "/console/plans"),
        "audit": (admin, "/console/audit"),
        "tokens": (admin, "/console/tokens"),
        "access": (admin, "/console/access"),
        "client's own report": (owner, "/console/own"),
        "client's own conversations": (owner, "/console/own/conversations"),
        "client's own waiting": (owner, "/console/own/waiting"),
    }
    return {name: _seen(name, visitor, path) for name, (visitor, path) in pages.items()}


def _seen(name: str, visitor: Visitor, path: str) -> tuple[float, float, float]:
    got = [visitor.get(path, compressed=True) for _ in range(TIMES + 1)][1:]
    if any(one.status != 200 for one in got):
        raise BenchError(f"{name} ({path}) was answered with HTTP {got[0].status} {got[0].location}")
    seconds = sorted(one.seconds for one in got)
    progress(f"{name}: p95 {1000 * seconds[TIMES * 95 // 100]:.0f} ms")
    return 1000 * seconds[TIMES // 2], 1000 * seconds[TIMES * 95 // 100], max(one.wire_bytes for one in got) / 1000


def _overhead(place: Stage, database: str, traffic: Traffic) -> tuple[dict[str, Any], dict[str, Any]]:
    """Without consoles, and with them."""
    best: dict[bool, dict[str, Any]] = {}
    for number in range(ROUNDS):
        for are_open in (False, True):
            server = place.runtime(database, traffic)
            traffic.write([server.url], RATE, RATE, USERS)
            traffic.answers(RATE)
            over = threading.Event()
            with ThreadPoolExecutor(CONSOLES) as pool:
                try:
                    consoles = _open(pool, server, database, over, number) if are_open else []
                    traffic.write([server.url], RATE * SECONDS, RATE, USERS)
                    seen = traffic.answers(RATE * SECONDS)
                finally:
                    over.set()
                if are_open and not all(console.result() for console in consoles):
                    raise BenchError("a console that was open never got its page again")
            server.end()
            progress(f"round {number + 1}, {'with' if are_open else 'without'} consoles: p99 {seen['p99_ms']:.1f} ms")
            if are_open not in best or seen["p99_ms"] < best[are_open]["p99_ms"]:
                best[are_open] = seen
    return best[False], best[True]


def _open(
    pool: ThreadPoolExecutor, server: Process, database: str, over: threading.Event, number: int
) -> Sequence[Any]:
    """Half at the lists, half at a conversation; a browser opens six streams to a host."""
    visitors = [invited(server.url, database, f"o{number}{each}@example.cl", "--role", "admin") for each in range(2)]
    shown = _of_users(database, CONSOLES // 2)
    opened = []
    for each in range(CONSOLES):
        visitor, list_page = visitors[each % 2], "/console/conversations?list=assistant"
        one = f"/console/conversations/{shown[each // 2]}"
        stream, page = ("/console/conversations/0/live", list_page) if each % 2 else (f"{one}/live", one)
        if visitor.get(page, compressed=True).status != 200:
            raise BenchError(f"{page} cannot be opened")
        opened.append(pool.submit(visitor.keep_open, stream, page, over))
    return opened


def _newest(database: str) -> int:
    return int(_rows(database, f"SELECT max(id) FROM conversations WHERE bot_id = '{LARGEST}'")[0])


def _of_turn(database: str, turn: int) -> int:
    return int(_rows(database, f"SELECT conversation_id FROM turns WHERE id = {turn}")[0])


def _of_users(database: str, count: int) -> list[int]:
    """Conversations in which messages come."""
    newest = f"SELECT conversation_id FROM inbox ORDER BY received_at DESC LIMIT {count}"
    return [int(id_) for id_ in _rows(database, newest)]


def _rows(database: str, query: str) -> list[Any]:
    if database.startswith("sqlite:///"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=60)) as store:
            return [row[0] for row in store.execute(query).fetchall()]
    with psycopg.connect(database) as server:
        return [row[0] for row in server.execute(query.encode()).fetchall()]
