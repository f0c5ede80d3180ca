"""Answering voice notes: what a turn adds to a text's, where files and transcriptions are there at once."""

from __future__ import annotations

from typing import Any

from bench.installation import Installations
from bench.measure import progress
from bench.report import Section, Table, at_most
from bench.service import Stage, add_bots, stage

RATE = 50
SECONDS = 8
ROUNDS = 3
"""Of each store; the best one counts, as everywhere here."""
STORES = {"SQLite": 1, "PostgreSQL": 2}
"""With the number of replicas."""
MOST = 15
"""Milliseconds that a voice note may add."""

_TEXT = f"""\
Every message is a user's of its own, {RATE} a second, and every other one is a voice note of 10 seconds and 30 kB. The
stand-ins redirect to the file, give it, transcribe it and answer at once, so what is measured is ours: the file fetched
to disk, known by its bytes, measured in its frames, uploaded, the transcript stored and charged, and the calls
themselves. What a voice note adds is the difference to the texts of the same run, over REST."""


def section(_installations: Installations) -> Section:
    """Texts and voice notes side by side, on both stores."""
    rows, targets = [], []
    with stage() as place:
        for store, replicas in STORES.items():
            rounds = []
            for number in range(ROUNDS):
                rounds.append(_answered(place, store, replicas))
                progress(f"round {number + 1} of {ROUNDS}: {store}: a voice note adds {_added(rounds[-1]):.1f} ms")
            best = min(rounds, key=_added)
            for kind in ("text", "voice"):
                seen = best[kind]
                rows.append([f"{kind}, {store}", f"{seen['p50_ms']:.1f} ms", f"{seen['p99_ms']:.1f} ms"])
            targets.append(at_most(f"a voice note adds, p50 on {store},", _added(best), MOST, "ms"))
    return Section("Answering voice notes", _TEXT, Table(("", "p50", "p99"), rows), targets)


def _added(seen: dict[str, Any]) -> float:
    return float(seen["voice"]["p50_ms"] - seen["text"]["p50_ms"])


def _answered(place: Stage, store: str, replicas: int) -> dict[str, Any]:
    traffic = place.traffic()
    database = place.database(store)
    servers = [place.runtime(database, traffic, MEDIA_DIR=str(place.folder / "media")) for _ in range(replicas)]
    add_bots(servers[0])
    for seconds in (2, SECONDS):
        messages = RATE * seconds
        traffic.write([server.url for server in servers], messages, RATE, messages, voice=True)
        seen = traffic.answers(messages)
    for server in servers:
        server.end()
    return seen
