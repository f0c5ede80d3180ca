"""Pages are read and made in a process beside the service, which comes and goes without anyone noticing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop
from sqlalchemy import Connection

from runtime.console import page_store
from runtime.console.page import MadeFrom, PageRead
from runtime.console.page_process import GIVES_WAY, StoreAccess
from runtime.console.page_store import PageStore
from runtime.console.words import Sentence
from runtime.store import audit_reading
from runtime.store.audit import Actor, Entry, audited
from runtime.store.audit_reading import AuditFilter
from runtime.store.console import accounts
from runtime.store.database.database import Database, open_database
from runtime.store.errors import NoConversation, StoreMissing
from runtime.store.messages import replays
from tests.runtime.console import Browser, sign_in
from tests.runtime.stores import new_store
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import PATIENCE, Sandbox, wait_until

REFUSED = {"http_status": 404, "here": "/console", "form_token": "", "operator": None, "may": ()}
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="macOS has neither os.sched_getscheduler nor a policy of it"
)
ANA = Actor("ana@horizonai.cl", "console", None)


@pytest.fixture
def runtime(tmp_path: Path, sandbox_process: Sandbox) -> Iterator[Runtime]:
    runtime = start_runtime(tmp_path, sandbox_process)
    yield runtime
    runtime.stop()


@pytest.fixture
def ana(runtime: Runtime) -> Browser:
    """An operator who has signed in, so that the process runs."""
    return sign_in(runtime, "ana@horizonai.cl", "--role", "admin")


def process_of(runtime: Runtime) -> int:
    """The newest one."""
    return [int(line["pid"]) for line in runtime.log() if line["event"] == "page_process_started"][-1]


def has_ended(pid: int) -> bool:
    """Whether a process is no more, or waits for its parent to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_page_comes_although_the_process_was_killed(runtime: Runtime, ana: Browser) -> None:
    killed = process_of(runtime)
    os.kill(killed, signal.SIGKILL)
    assert ana.get("/console").status == 200
    assert process_of(runtime) != killed


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_it_ends_with_the_service_however_that_ends(runtime: Runtime, ana: Browser, ending: str) -> None:
    pid = process_of(runtime)
    assert not has_ended(pid)
    getattr(runtime, ending)()
    wait_until(lambda: has_ended(pid), what="the end of the page process")


def test_a_service_without_pages_has_none(runtime: Runtime) -> None:
    runtime.api("GET", "/bots/")
    assert not [line for line in runtime.log() if line["event"] == "page_process_started"]


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[PageStore, Database]]:
    # A process that gives way does not even end where others take all of the processors, and is killed then.
    monkeypatch.setattr(page_store, "END_SECONDS", PATIENCE)
    with new_store(request.param, tmp_path) as url:
        database = await open_database(url)
        pages = PageStore(database, StoreAccess(url, None))
        yield pages, database
        await pages.close()
        await database.close()


async def test_what_was_read_is_in_the_audit_before_it_is_given(store: tuple[PageStore, Database]) -> None:
    pages, database = store
    found = await pages.read_traced(audited, ANA, Entry("read", "operator", "all"), accounts.any_operator)
    entries = await database.read(audit_reading.newest_entries, AuditFilter(), limit=10)
    assert found is False
    assert [(entry.actor, entry.action, entry.kind) for entry in entries] == [("ana@horizonai.cl", "read", "operator")]


async def test_what_a_read_raises_is_raised_with_its_sentence_and_leaves_nothing(
    store: tuple[PageStore, Database],
) -> None:
    pages, database = store
    with pytest.raises(NoConversation, match=r"^There is no conversation 7;"):
        await pages.read_traced(replays.turn_for, ANA, 7, None)
    assert await database.read(audit_reading.newest_entries, AuditFilter(), limit=10) == []


async def test_a_page_is_made_where_it_is_read_and_that_is_in_the_audit(store: tuple[PageStore, Database]) -> None:
    pages, database = store
    entry = Entry("read", "operator", "all")
    read = PageRead(partial(audited_for, entry=entry), said_so)
    made = await pages.made(MadeFrom("refused.html", "es", REFUSED, read))
    assert made is not None
    assert "Nadie: False" in made
    entries = await database.read(audit_reading.newest_entries, AuditFilter(), limit=10)
    assert [(one.actor, one.action, one.kind) for one in entries] == [("ana@horizonai.cl", "read", "operator")]
    assert await pages.made(MadeFrom("refused.html", "es", REFUSED, PageRead(nothing, said_so))) is None


def audited_for(connection: Connection, entry: Entry) -> bool:
    return audited(connection, ANA, entry, accounts.any_operator)


def nothing(_connection: Connection) -> None:
    """There is none."""


def said_so(found: bool) -> dict[str, Sentence]:
    return {"sentence": Sentence("Nadie: %(found)s", {"found": found})}


async def test_a_page_that_cannot_be_made_says_where(store: tuple[PageStore, Database]) -> None:
    pages, _ = store
    with pytest.raises(Exception, match="http_status") as raised:
        await pages.made(MadeFrom("refused.html", "es", {"sentence": Sentence("No.")}))
    assert any("refused.html" in note for note in raised.value.__notes__)


async def test_it_ends_when_no_page_was_asked_for_some_time(
    store: tuple[PageStore, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, _ = store
    await pages.read(accounts.any_operator)
    running = pages.running
    assert running is not None
    monkeypatch.setattr(page_store, "IDLE_SECONDS", 0.0)
    await pages.read(accounts.any_operator)
    assert await running.process.wait() == 0
    assert await pages.read(accounts.any_operator) is False, "from another one"


@on_linux
async def test_it_gives_way_to_others_unless_they_leave_it_nothing(
    store: tuple[PageStore, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, _ = store
    monkeypatch.setattr(page_store, "_has_room", lambda: True)
    monkeypatch.setattr(page_store, "PATIENCE_SECONDS", PATIENCE)
    assert await pages.read(policy_of, 0.0) == GIVES_WAY
    first = pages.running
    assert first is not None
    monkeypatch.setattr(page_store, "PATIENCE_SECONDS", 0.5)
    assert await pages.read(policy_of, 2.0) == os.SCHED_OTHER
    assert await first.process.wait() == 0, "the one that came to nothing ends"
    monkeypatch.setattr(page_store, "IDLE_SECONDS", 0.0)
    await pages.read(policy_of, 0.0)
    second = pages.running
    assert second is not None
    assert await second.process.wait() == 0
    monkeypatch.setattr(page_store, "PATIENCE_SECONDS", PATIENCE)
    assert await pages.read(policy_of, 0.0) == GIVES_WAY, "after some time without pages it is tried again"


@on_linux
async def test_it_does_not_where_the_processors_are_busy_as_it_starts(
    store: tuple[PageStore, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, _ = store
    monkeypatch.setattr(page_store, "_has_room", lambda: False)
    assert await pages.read(policy_of, 0.0) == os.SCHED_OTHER


def policy_of(_connection: Connection, starved_seconds: float) -> int:
    """The process's policy, which it is long in giving where it gives way."""
    policy = os.sched_getscheduler(0)
    if policy == GIVES_WAY:
        time.sleep(starved_seconds)
    return policy


def test_a_pipe_that_is_closed_before_the_end_is_known_means_another_process(tmp_path: Path) -> None:
    async def read_twice() -> bool:
        with new_store("sqlite", tmp_path) as url:
            database = await open_database(url)
            pages = PageStore(database, StoreAccess(url, None))
            try:
                await pages.read(accounts.any_operator)
                assert pages.running is not None
                assert pages.running.process.stdin is not None
                pages.running.process.stdin.transport.abort()
                for _ in range(2):  # steps of the loop, which closes it
                    await asyncio.sleep(0)
                return await pages.read(accounts.any_operator)
            finally:
                await pages.close()
                await database.close()

    # The service's loop, which refuses to write to a closed pipe with another error than asyncio's own.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(read_twice()) is False


async def test_a_store_that_cannot_be_opened_is_said_by_each_read_and_ends_nothing(
    store: tuple[PageStore, Database], tmp_path: Path
) -> None:
    _, database = store
    pages = PageStore(database, StoreAccess(f"sqlite:///{tmp_path}/none.db", None))
    for _ in range(2):
        with pytest.raises(StoreMissing, match=r"none\.db"):
            await pages.read(accounts.any_operator)
    made = await pages.made(MadeFrom("refused.html", "es", {"sentence": Sentence("No."), **REFUSED}))
    assert made is not None
    assert "No." in made
    await pages.close()
