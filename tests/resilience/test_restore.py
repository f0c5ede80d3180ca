"""A store that is restored from a backup: no user is answered twice, and the others are."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.resilience.test_sweep import lose
from tests.runtime_process import Ran, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

ANA, BEA, CARO, DANI, EVA = (f"+5691111111{number}" for number in range(5))


@pytest.fixture
def running(tmp_path: Path, sandbox_process: Sandbox) -> Iterator[Runtime]:
    runtime = start_runtime(tmp_path, sandbox_process)
    sandbox_process.reset()
    yield runtime
    runtime.stop()


def back_up(runtime: Runtime) -> Path:
    """As docs/operations.md does it, while the service runs."""
    file = runtime.folder / "backup.db"
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store, closing(sqlite3.connect(file)) as backup:
        store.backup(backup)
    return file


def restore(runtime: Runtime, backup: Path) -> None:
    for name in ("runtime.db-wal", "runtime.db-shm"):
        (runtime.folder / name).unlink(missing_ok=True)
    backup.replace(runtime.folder / "runtime.db")


def settle(runtime: Runtime, **settings: str) -> Ran:
    return runtime.command("restored", **{"PUBLIC_URL": runtime.url, **settings})


def test_no_user_is_answered_twice_after_a_restore(running: Runtime, sandbox_process: Sandbox) -> None:
    shop = open_line(running, sandbox_process)
    shop.ask("antes", ANA)
    # Bea's message is in the backup, and answered after it.
    sandbox_process.faults({"kind": "latency", "provider": "openai", "path": "/v1/responses", "seconds": 4, "times": 1})
    shop.write("en el respaldo", BEA, wait=0)
    running.wait_for_turns(1, after=1)
    backup = back_up(running)
    wait_until(lambda: len(shop.outbound(BEA)) == 1, what="Bea's answer")
    # Ana and Caro write after the backup; Dani's message is lost, and Eva's comes while no process listens.
    shop.ask("después", ANA)
    shop.ask("después", CARO)
    running.kill()
    lose(shop, "¿hay alguien?", origin=EVA)
    restore(running, backup)

    done = settle(running)
    running.start_again()

    assert done.code == 0, done.err
    assert "1 messages that it has as unanswered, 2 that it does not have. Unanswered: 0" in done.out
    wait_until(lambda: len(shop.outbound(EVA)) == 1, what="Eva's answer")
    shop.ask("otra cosa", DANI)
    assert [len(shop.outbound(user)) for user in (ANA, BEA, CARO, DANI, EVA)] == [2, 1, 1, 1, 1]


def test_an_answer_that_the_backup_has_unsent_is_looked_up_first(running: Runtime, sandbox_process: Sandbox) -> None:
    shop = open_line(running, sandbox_process, instructions="echo")
    shop.ask("Hola", ANA)
    running.stop()
    with closing(sqlite3.connect(running.folder / "runtime.db")) as store, store:
        store.execute("UPDATE outbox SET state = 'ready', claimed_at = NULL, message_sid = NULL, status = NULL")

    assert settle(running).code == 0
    running.start_again()

    wait_until(lambda: shop.ask("¿sigues ahí?", ANA) != "", what="an answer")
    assert len(shop.outbound(ANA)) == 2


def test_a_store_is_not_settled_while_twilio_cannot_be_asked(running: Runtime, sandbox_process: Sandbox) -> None:
    open_line(running, sandbox_process).ask("Hola", ANA)
    running.stop()
    refused = settle(running, TWILIO_AUTH_TOKEN="another")
    assert (refused.code, "Traceback" in refused.err) == (1, False)
    assert "Twilio" in refused.err
    nowhere = settle(running, PUBLIC_URL="")
    assert (nowhere.code, "PUBLIC_URL is not set" in nowhere.err) == (1, True)
