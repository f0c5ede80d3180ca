"""A message that crashes its process does not silence users who wrote at the same time."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.resilience.poison import LAST_CRASHES, MAX_CRASHES, SLOTS, Suspects
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

SORRY = "Disculpa, no pudimos responder."
POISON = "veneno"
TOOL = {"type": "function", "name": POISON, "parameters": {"type": "object", "properties": {}}}
SETTLED_SECONDS = 0.5


@dataclass(slots=True)
class Trigger:
    """An endpoint that a turn calls, and that does not answer before it is released."""

    url: str = ""
    called: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def trigger() -> Iterator[Trigger]:
    """A trigger on a free port."""
    pulled = Trigger()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pulled.called.set()
            pulled.over.wait()

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pulled.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield pulled
    finally:
        pulled.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def poisonous_line(fleet: Fleet, pulled: Trigger) -> Line:
    """A line of a bot's own on which the word `veneno` pulls the trigger, until its turn is given up."""
    body = {"name": "A", "instructions": "Atiende.", "model": "gpt-6-luna", "tools": [TOOL]}
    made = fleet.replicas[0].made("/assistants/", body)
    functions = {POISON: {"url": pulled.url, "timeout_seconds": 30}}
    return fleet.open_line(assistant_id=made["id"], functions=functions, fallback_message=SORRY)


def replica_of(fleet: Fleet, poisonous: Line) -> Runtime:
    """The replica that runs the poisonous turn: the one that it would end."""
    turn = re.compile(rf'^horizonai_turns_in_flight\{{client="{poisonous.bot["id"]}"\}} 1\.0$', re.MULTILINE)
    (found,) = [replica for replica in fleet.replicas if turn.search(replica.api("GET", "/metrics").body.decode())]
    return found


def nobody_else_begins(fleet: Fleet) -> None:
    """Returns when the turns under way have been the same for a while: all have begun that are going to."""
    query = "SELECT count(*), sum(starts) FROM turns WHERE state = 'running'"
    seen, since = fleet.rows(query), time.monotonic()

    def settled() -> bool:
        nonlocal seen, since
        now = fleet.rows(query)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > SETTLED_SECONDS

    wait_until(settled, what="the turns to begin")


@pytest.mark.long
@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_message_that_ends_its_process_five_times_is_given_up_and_all_others_are_answered(
    store: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    users = [f"+569333333{number:02}" for number in range(50)]
    with trigger() as pulled, fleet_on(store, tmp_path, sandbox) as fleet:
        shop, poisonous = fleet.open_line(fallback_message=SORRY), poisonous_line(fleet, pulled)
        fleet.deliver(poisonous, f"llama a {POISON} {{}}", 0, "+56944444444")
        for number, user in enumerate(users):
            fleet.deliver(shop, f"soy {number}, piensa 2s", number, user)
        for _ in range(5):
            assert pulled.called.wait(60)
            nobody_else_begins(fleet)
            replica = replica_of(fleet, poisonous)
            replica.kill()
            pulled.called.clear()
            replica.start_again()

        assert answers(poisonous, 1, "+56944444444") == [SORRY]
        said = [answers(shop, 1, user) for user in users]

        assert [f"soy {number}, " in body for number, (body,) in enumerate(said)] == [True] * len(users)
        assert not pulled.called.is_set()


@settings(max_examples=30)
@example([2] * 300)
@example([4, 2, 4, 3, 0, 2])
@given(st.lists(st.integers(0, MAX_CRASHES), max_size=300))
def test_turns_wait_for_suspects_only_when_they_are_some_and_all_get_their_turn(crowd: list[int]) -> None:
    inside: Counter[int] = Counter()
    done: Counter[int] = Counter()

    async def run(suspects: Suspects, ends: int) -> None:
        slot = suspects.slot()
        await slot.acquire(ends)
        inside[ends] += 1
        assert all(inside[kind] <= slots for kind, slots in SLOTS.items())
        assert not inside[LAST_CRASHES] or sum(inside[kind] for kind in SLOTS) == 1
        await asyncio.sleep(0)
        inside[ends] -= 1
        done[ends] += 1
        slot.release()

    async def all_of_them() -> None:
        suspects = Suspects()
        turns = [asyncio.create_task(run(suspects, ends)) for ends in crowd]
        await asyncio.sleep(0)
        assert {ends: inside[ends] for ends in crowd if ends not in SLOTS} == {
            ends: crowd.count(ends) for ends in crowd if ends not in SLOTS
        }
        await asyncio.gather(*turns)

    asyncio.run(all_of_them())
    assert done == Counter(crowd)


@settings(max_examples=30)
@example([(4, False), (3, True)], [])
@given(
    st.lists(st.tuples(st.integers(2, LAST_CRASHES), st.booleans()), max_size=40),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_no_suspect_is_given_up_for_what_other_suspects_do(crowd: list[tuple[int, bool]], cancelled: list[int]) -> None:
    """Processes follow each other; in each, all that are left take slots until a poisonous one has one."""
    left = dict(enumerate(crowd))
    given_up: list[bool] = []
    while left:
        begun, over = asyncio.run(_one_process(left, {number for number in cancelled if number in left}))
        cancelled = []
        for number in begun:
            ends, poisonous = left.pop(number)
            if over and ends + 1 < MAX_CRASHES:
                left[number] = ends + 1, poisonous
            elif over:
                given_up.append(poisonous)
    assert given_up == [True] * sum(poisonous for _, poisonous in crowd)


async def _one_process(left: dict[int, tuple[int, bool]], cancelled: set[int]) -> tuple[list[int], bool]:
    """Gives those that were under way when it ended, and True; or those that were answered, and False. Some of those
    that wait are cancelled meanwhile, and wait again."""
    suspects = Suspects()
    inside: set[int] = set()
    over = asyncio.Event()

    async def run(number: int) -> int:
        ends, poisonous = left[number]
        slot = suspects.slot()
        await slot.acquire(ends)
        inside.add(number)
        await asyncio.sleep(0)
        if poisonous:
            over.set()
        await asyncio.sleep(0)
        if not over.is_set():
            inside.discard(number)
            slot.release()
        return number

    turns = {number: asyncio.create_task(run(number)) for number in left}
    await asyncio.sleep(0)
    for number in cancelled - inside:
        turns[number].cancel()
        turns[number] = asyncio.create_task(run(number))
    ended = asyncio.create_task(over.wait())
    answered = asyncio.gather(*turns.values())
    await asyncio.wait([ended, answered], return_when=asyncio.FIRST_COMPLETED)
    if over.is_set():
        return sorted(inside), True
    return answered.result(), False


@pytest.mark.long
def test_stops_that_cut_a_turn_short_do_not_count_against_it(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0", STOP_GRACE_SECONDS="0")
    shop = open_line(runtime, sandbox, fallback_message=SORRY)
    shop.write("piensa 3s", wait=0)
    for _ in range(6):
        runtime.wait_for_turns(1)
        runtime.stop()
        runtime.start_again()

    wait_until(lambda: len(shop.outbound()) > 0, what="the answer")
    assert "piensa 3s" in shop.outbound()[0]["body"]
