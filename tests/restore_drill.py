"""`python -m tests.restore_drill`, or `make restore-drill`: a store is lost, and `deploy/restore` brings it back.

    people write ──► backup ──► more people write ──► the store is lost, one writes ──► restored ──► all write again
                       └ a minute ago, or last night

On SQLite and PostgreSQL, encrypted. It is passed when each person has one answer to each message, in spite of all of
that, and the assistant remembers what was said before the backup.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from runtime.store_keys import new_key
from tests.drivers.fleet import SETTINGS, Fleet
from tests.resilience.test_sweep import lose
from tests.runtime.stores import drop_database, make_empty_database, postgresql_answers
from tests.runtime_process import Line, open_line, start_runtime
from tests.sandbox_process import ROOT, Sandbox, start_sandbox, wait_until

MINUTE: Final = 60.0
LAST_NIGHT: Final = 10 * 3600.0
AGES: Final = {"a minute ago": MINUTE, "last night": LAST_NIGHT}
ANA, BEA, CARO, DANI = (f"+5691111222{number}" for number in range(4))
PATIENCE: Final = 60.0
MODEL: Final = {"kind": "latency", "provider": "openai", "path": "/v1/responses", "seconds": 3, "times": 1}


def play(store: str, age: float, folder: Path, sandbox: Sandbox) -> dict[str, tuple[int, int]]:
    """One drill: by person, how many messages they wrote and how many answers they got."""
    with _earlier(store, age, folder, sandbox) as fleet:
        shop = open_line(fleet.replicas[0], sandbox)
        written = dict.fromkeys((ANA, BEA, CARO, DANI), 0)
        _ask(shop, written, ANA, "Hola, soy Ana", "¿Tienen mesa?")
        sandbox.faults(MODEL)
        shop.write("¿Tienen estacionamiento?", BEA, wait=0)
        written[BEA] += 1
        wait_until(lambda: _is_under_way(fleet, shop), what="Bea's turn")
        backup = _back_up(fleet, folder)
        wait_until(lambda: len(shop.outbound(BEA)) == 1, what="Bea's answer")
        sandbox.settings(clock_ahead_seconds=0)
        _restart(fleet, "runtime")
        _ask(shop, written, ANA, "Después de la copia")
        _ask(shop, written, CARO, "Soy nueva", "¿Y el menú?")
        fleet.kill()
        _lose_the_store(fleet)
        lose(shop, "¿Hay alguien?", origin=DANI)
        written[DANI] += 1
        _restore(fleet, backup, folder)
        fleet.start_again()
        wait_until(lambda: len(shop.outbound(DANI)) == 1, what="the answer to who wrote while nothing served")
        for person in written:
            _ask(shop, written, person, "¿Siguen ahí?")
        return {person: (count, len(shop.outbound(person))) for person, count in written.items()}


def _ask(shop: Line, written: dict[str, int], person: str, *texts: str) -> None:
    for text in texts:
        before = len(shop.outbound(person))
        shop.write(text, person, wait=0)
        written[person] += 1
        wait_until(lambda before=before: len(shop.outbound(person)) > before, what=f"an answer to {text!r}")


@contextmanager
def _earlier(store: str, age: float, folder: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """A fleet whose clock, and Twilio's, are that much behind."""
    url = make_empty_database() if store == "postgresql" else f"sqlite:///{folder}/store.db"
    settings = {**SETTINGS, "DATABASE_URL": url, "STORE_KEY": new_key(), "EARLIER_SECONDS": str(age)}
    settings |= {"SWEEP_SECONDS": "1", "SWEEP_WINDOW_MINUTES": "60"}
    sandbox.settings(clock_ahead_seconds=-age)
    fleet = Fleet([], sandbox, url)
    try:
        for number in range(2 if store == "postgresql" else 1):
            home = folder / f"replica-{number}"
            home.mkdir()
            fleet.replicas.append(start_runtime(home, sandbox, "tests.earlier_runtime", **settings))
        yield fleet
    finally:
        for replica in fleet.replicas:
            if replica.process.poll() is None:
                replica.kill()
        if store == "postgresql":
            drop_database(url)


def _is_under_way(fleet: Fleet, shop: Line) -> bool:
    running = f"SELECT count(*) FROM turns WHERE state = 'running' AND bot_id = '{shop.bot['id']}'"
    return fleet.rows(running) == [(1,)]


def _restart(fleet: Fleet, program: str) -> None:
    for replica in fleet.replicas:
        replica.stop()
        replica.program = program
        replica.start_again()


def _back_up(fleet: Fleet, folder: Path) -> Path:
    """As docs/operations.md does it, while the service runs."""
    if fleet.database_url.startswith("sqlite:///"):
        backup = folder / "backup.db"
        path = fleet.database_url.removeprefix("sqlite:///")
        subprocess.run(["sqlite3", path, f".backup {backup}"], check=True, capture_output=True)
    else:
        backup = folder / "backup.sql"
        subprocess.run(["pg_dump", "--file", str(backup), fleet.database_url], check=True, capture_output=True)
    return backup


def _lose_the_store(fleet: Fleet) -> None:
    if fleet.database_url.startswith("sqlite:///"):
        path = fleet.database_url.removeprefix("sqlite:///")
        for suffix in ("", "-wal", "-shm"):
            Path(path + suffix).unlink(missing_ok=True)
        return
    with psycopg.connect(fleet.database_url, autocommit=True) as server:
        server.execute("DROP SCHEMA public CASCADE")
        server.execute("CREATE SCHEMA public")


def _restore(fleet: Fleet, backup: Path, folder: Path) -> None:
    """The command, with the service's settings in a file; what serves the store is stopped already."""
    settings = folder / "horizonai.env"
    settings.write_text("".join(f"{name}='{value}'\n" for name, value in fleet.replicas[0].environment.items()))
    with settings.open("a") as file:
        file.write(f"PUBLIC_URL='{fleet.replicas[0].url}'\n")
    environment = {"PATH": os.environ["PATH"], "SETTINGS": str(settings), "STOP": "true", "START": "true"}
    done = subprocess.run(
        ["bash", str(ROOT / "deploy" / "restore"), str(backup)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4/4 Starting\nRestored." in done.stdout, done.stdout


def main() -> int:
    """Plays all drills and prints their results; 1 where one is not passed."""
    is_passed = True
    for store in ("sqlite", "postgresql"):
        if store == "postgresql" and not postgresql_answers():
            print("postgresql: skipped, no server answers; set TEST_POSTGRESQL_URL to one")
            continue
        for named, age in AGES.items():
            with tempfile.TemporaryDirectory() as folder:
                (home := Path(folder) / "drill").mkdir()
                sandbox = start_sandbox(Path(folder) / "sandbox")
                try:
                    people = play(store, age, home, sandbox)
                finally:
                    sandbox.stop()
            once = all(written == answered for written, answered in people.values())
            is_passed = is_passed and once
            counts = ", ".join(f"{answered} of {written}" for written, answered in people.values())
            print(f"{store}, backup of {named}: answers {counts}: {'passed' if once else 'NOT PASSED'}", flush=True)
    return 0 if is_passed else 1


if __name__ == "__main__":
    sys.exit(main())
