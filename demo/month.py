"""Draws `docs/report.png`: the report of a simulated month of the restaurant, as a browser shows its page.

A month can't be talked through, so its rows are written into the demo's own store: who writes when follows a
restaurant's week, by a fixed seed, so that the picture is the same each time.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from demo.picture import screenshot
from demo.processes import BIN, Failed, installation

FOLDER = Path("var/report")
CLIENT: Final = "la-cocina"
MONTHS: Final = ("2026-09", "2026-10")
ZONE: Final = ZoneInfo("America/Santiago")
TARIFFS = """\
agency:
  name: HorizonAI
  contact: hola@horizonai.cl
  currency: CLP
  exchange: [{since: "2026-09-01", per_usd: 950}]
  vat_percent: 19
  margin_percent: 25
  fees: {monthly: 90000}
"""
PEOPLE: Final = 430
FREE: Final = 1000
OF_WEEKDAY: Final = (40, 8, 38, 46, 76, 88, 60)
"""Messages on a Monday, a Tuesday, on which the restaurant is closed, and so on."""
OF_HOUR: Final = (1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 18, 24, 12, 4, 3, 4, 9, 22, 28, 18, 8, 2)
PRICES: Final[Mapping[str, tuple[int, int]]] = {
    "twilio_in": (5_000_000, 1),
    "twilio_out": (5_000_000, 1),
    "meta_service": (20_000_000, 1),
    "model_input": (100_000_000, 1_000_000),
    "model_cached": (10_000_000, 1_000_000),
    "model_output": (500_000_000, 1_000_000),
}
"""10⁻⁹ USD, and for how many."""
UNANSWERED: Final[Mapping[str, int]] = {"twilio_in": 1}
ANSWERED: Final[Mapping[str, int]] = {
    "twilio_in": 1,
    "twilio_out": 1,
    "meta_service": 1,
    "model_input": 640,
    "model_cached": 5200,
    "model_output": 160,
}
"""What a message takes, by its kind."""
USED: Final = ({"documents": ["carta.pdf"]}, {"functions": ["crear_reserva"]}, {"documents": ["vinos.pdf"]})


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of the simulated month."""

    came: datetime
    person: int
    outcome: tuple[str, str | None]
    """State and reason."""
    seconds: float
    used: str | None


def report_picture() -> None:
    """Make the month, report it, draw the page."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    clients_dir = FOLDER / "clients.d"
    shutil.copytree("clients.d", clients_dir)
    (FOLDER / "tariffs.yaml").write_text(TARIFFS, encoding="utf-8")
    with installation(FOLDER, clients_dir=clients_dir) as running:
        _run([BIN / "reconcile", "--yes"], running.environment)
        with closing(sqlite3.connect(running.environment["DATABASE_URL"].removeprefix("sqlite:///"))) as store:
            _fill(store)
        page = FOLDER / "report.html"
        month = ["--client", CLIENT, "--month", MONTHS[-1]]
        _run([BIN / "horizonai-whatsapp-bot", "report", *month, "--format", "html", "--out", page], running.environment)
    screenshot(page, Path("docs/report.png"), 900)


def _run(command: list[str | Path], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"`{' '.join(map(str, command))}` ended with exit code {done.returncode}:\n{done.stderr}")


def _fill(store: sqlite3.Connection) -> None:
    chance = random.Random(2026)  # noqa: S311 - a simulation
    bot, number = store.execute("SELECT id, twilio_phone_number FROM bots WHERE client = ?", [CLIENT]).fetchone()
    prices = {kind: key for key, kind in enumerate((*PRICES, "free"), start=1)}
    store.executemany(
        "INSERT INTO usage_prices (id, kind, nano_usd, per, currency, source, confidence)"
        " VALUES (?, ?, ?, ?, 'USD', 'demo', 'list_price')",
        [(prices[kind], kind, *price) for kind, price in PRICES.items()] + [(prices["free"], "meta_service", 0, 1)],
    )
    store.executemany(
        "INSERT INTO conversations (bot_id, user_key, created_at) VALUES (?, ?, '')",
        [(bot, f"person {person}") for person in range(PEOPLE)],
    )
    (first,) = store.execute("SELECT min(id) FROM conversations WHERE user_key = 'person 0'").fetchone()
    for month in MONTHS:
        _fill_month(store, list(_messages(month, chance)), month, bot, number, first, prices)
    store.commit()


def _messages(month: str, chance: random.Random) -> Iterator[_Message]:
    day = datetime.fromisoformat(f"{month}-01").replace(tzinfo=ZONE)
    number = day.month
    while day.month == number:
        for _ in range(round(OF_WEEKDAY[day.weekday()] * chance.uniform(0.8, 1.2))):
            (hour,) = chance.choices(range(24), OF_HOUR)
            came = day.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))
            (outcome,) = chance.choices(
                [("answered", None), ("unanswered", "human"), ("unanswered", "media"), ("dead", None)], [940, 34, 18, 8]
            )
            used = json.dumps(chance.choice(USED)) if outcome[0] == "answered" and chance.random() < 0.4 else None
            yield _Message(
                came.astimezone(UTC), chance.randrange(PEOPLE), outcome, chance.lognormvariate(1.2, 0.6), used
            )
        day += timedelta(days=1)


def _fill_month(
    store: sqlite3.Connection,
    messages: list[_Message],
    month: str,
    bot: str,
    number: str,
    first: int,
    prices: Mapping[str, int],
) -> None:
    free = 0
    for message in sorted(messages, key=lambda each: each.came):
        turn = _add_turn(store, message, bot, first + message.person)
        went = _text(message.came + timedelta(seconds=message.seconds))
        for kind, quantity in (ANSWERED if message.outcome[0] == "answered" else UNANSWERED).items():
            is_free = kind == "meta_service" and free < FREE
            free += is_free
            nano, per = (0, 1) if is_free else PRICES[kind]
            store.execute(
                "INSERT INTO usage (at, month, client, bot_id, number, turn_id, kind, price_id, quantity, amount)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(went, went[:7], CLIENT, bot, number, turn, kind, prices["free" if is_free else kind], quantity),
                    round(quantity * nano / per),
                ],
            )
    store.execute("INSERT INTO free_service_messages (number, month, used) VALUES (?, ?, ?)", [number, month, free])


def _add_turn(store: sqlite3.Connection, message: _Message, bot: str, person: int) -> int | None:
    """A message, its turn and its answer; the turn's id."""
    came, went = (_text(message.came + timedelta(seconds=seconds)) for seconds in (0, message.seconds))
    state, reason = message.outcome
    turn = store.execute(
        "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at, finished_at, reason, used)"
        " VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
        [person, bot, state, came, went, reason, message.used],
    ).lastrowid
    store.execute(
        "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
        " turn_id, received_at) VALUES ('AC', ?, ?, ?, '', '', '{}', ?, ?, ?)",
        [f"SM{turn}", bot, person, state, turn, came],
    )
    if state == "answered":
        store.execute(
            "INSERT INTO outbox (turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body,"
            " channel, state, created_at, claimed_at) VALUES (?, ?, ?, 0, 'AC', '', '', '', 'rest', 'sent', ?, ?)",
            [turn, person, bot, went, went],
        )
    return turn


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
