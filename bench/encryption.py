"""What STORE_KEY costs: CPU time of accepting with and without it, in turns, and of an answered message's texts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.cpu import REPLICAS, cpu_now
from bench.installation import Installations
from bench.measure import progress
from bench.report import Section, Table, at_most
from bench.service import NUMBERS, Stage, add_bots, stage
from runtime.store.encryption.columns import TEXT
from runtime.store.encryption.keyring import Keyring
from runtime.store_keys import new_key, parse_keys

MESSAGES = 8_000
ROUNDS = 6
WRITTEN, READ = 16, 75
"""Texts of one answered message: three of the message, two of the answer, the memory's, and the turn's; and what is
read for it, with 60 items of memory."""
LENGTH = 300

_TEXT = f"""\
{MESSAGES:,} signed webhooks as fast as they are acknowledged, to one runtime on SQLite, {ROUNDS} times without and with
STORE_KEY in turns; CPU time of the process for each, the median. Then the CPU time of encrypting {WRITTEN} and
decrypting {READ} texts of {LENGTH} characters: a message with 60 items of memory that is answered."""


def section(_installations: Installations) -> Section:
    """Both in turns, then the texts alone."""
    seen: dict[str, list[float]] = {"without": [], "with": []}
    with stage() as place:
        for number in range(ROUNDS):
            for name, taken in seen.items():
                taken.append(_accepting(place, new_key() if name == "with" else ""))
                progress(f"round {number + 1} of {ROUNDS}: {name} {taken[-1]:.3f} ms")
    without, encrypted = (statistics.median(taken) for taken in seen.values())
    texts = _texts()
    rows = [
        ["accepting without STORE_KEY", f"{without:.3f}"],
        ["accepting with STORE_KEY", f"{encrypted:.3f}"],
        ["the texts of an answered message, encrypted and decrypted", f"{texts:.3f}"],
    ]
    targets = [
        at_most("CPU time of accepting that encryption adds", 100 * (encrypted / without - 1), 10, " %"),
        at_most("CPU time of an answered message's texts", texts, 1, "ms"),
    ]
    return Section("Encryption at rest", _TEXT, Table(("", "CPU ms a message"), rows), targets)


def _accepting(place: Stage, key: str) -> float:
    """CPU milliseconds of one message."""
    traffic = place.traffic()
    traffic.order(think=3600)
    server = place.runtime(place.database("SQLite"), traffic, STORE_KEY=key)
    add_bots(server)
    traffic.write([server.url], MESSAGES // 8, 0, len(NUMBERS))
    before = cpu_now([server.popen.pid], traffic.pid, None)
    traffic.write([server.url], MESSAGES, 0, len(NUMBERS))
    used = cpu_now([server.popen.pid], traffic.pid, None).since(before)
    server.end()
    traffic.end()
    return used[REPLICAS] / MESSAGES * 1000


def _texts() -> float:
    """CPU milliseconds of an answered message's texts, the least of several tries."""
    keys = parse_keys(new_key())
    assert keys is not None
    ring, text = Keyring(keys), "a" * LENGTH
    cell = ring.encrypted(text, TEXT)
    assert isinstance(cell, str)
    return WRITTEN * _least(lambda: ring.encrypted(text, TEXT)) + READ * _least(lambda: ring.decrypted(cell))


def _least(call: Callable[[], object], times: int = 5_000) -> float:
    tries = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(times):
            call()
        tries.append((time.process_time() - begun) / times * 1000)
    return min(tries)
