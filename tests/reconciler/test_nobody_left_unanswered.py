"""People write while clients are renamed and numbers change hands: each message gets one answer, of the one or the
other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from runtime.store.client.writer import open_writer
from runtime.store.records import BotRecord
from tests.reconciler.agency import Agency
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Line, Runtime, new_number, start_runtime
from tests.sandbox_process import Sandbox, wait_until

REGULAR = "+56911110000"
BOTH = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]


@pytest.fixture(params=BOTH)
def serving(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Runtime]:
    """A runtime on either store."""
    url = make_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/runtime.db"
    running = start_runtime(tmp_path, sandbox, DATABASE_URL=url)
    yield running
    if running.process.returncode is None:
        running.stop()
    if request.param == "postgresql":
        drop_database(url)


def test_during_an_apply(agency: Agency, serving: Runtime) -> None:
    agency.environment |= {"PUBLIC_URL": serving.url, "BOT_STORE_URL": serving.environment["DATABASE_URL"]}
    for client in ("cocina", "otro", "viejo"):
        agency.declare(client)
    agency.apply()
    renamed, passed = agency.number("cocina"), agency.number("viejo")
    for number in (renamed, passed):
        assert answers(agency, number, REGULAR) == 1
    agency.withdraw("cocina")
    agency.declare("la-cocina", formerly="cocina", number=renamed)
    agency.declare("viejo", state="absent")
    agency.declare("nuevo", number=passed)
    with ThreadPoolExecutor(4) as pool:
        applying = agency.start("--yes")
        writing = [
            pool.submit(answers, agency, number, f"+5692222{person:04d}")
            for person in range(12)
            for number in (renamed, passed)
        ]
        assert [written.result() for written in writing] == [1] * len(writing)
        assert applying.wait().code == 0
    assert agency.changes() == []
    # The renamed client remembers its conversations, and the number's new client does not know the former's.
    assert "turn 2" in said(agency, renamed, REGULAR)
    assert said(agency, passed, REGULAR).endswith("Eres el asistente de nuevo. · Hola · turn 1")


def answers(agency: Agency, number: str, person: str) -> int:
    """Write, and wait for the answer; gives how many there are."""
    outcome = agency.sandbox.inbound(number, "Hola", person, wait=45)
    assert outcome["http_status"] == 200, outcome
    return len(outcome["answers"])


def said(agency: Agency, number: str, person: str) -> str:
    """Write, and give the answer."""
    [answer] = agency.sandbox.inbound(number, "Hola", person, wait=45)["answers"]
    return str(answer["body"])


def test_a_message_that_waits_as_the_number_passes_is_answered_by_the_new_one(
    serving: Runtime, sandbox: Sandbox
) -> None:
    url = serving.environment["DATABASE_URL"]
    former = BotRecord("viejo", "Viejo", new_number(), instructions="Eres el viejo.", model="gpt-6-luna")
    number = former.twilio_phone_number
    sandbox.register(number, webhook={"callback_url": f"{serving.url}/webhook/whatsapp"})
    with closing(open_writer(url)) as store:
        store.put_bot(former)
        line = Line(serving, sandbox, {"id": "viejo", "twilio_phone_number": number})
        assert "turn 1" in line.ask("Hola", REGULAR)
        sandbox.faults({"kind": "latency", "seconds": 300, "method": "POST", "path": "/v1/responses"})
        line.write("¿Están abiertos?", REGULAR, wait=0)
        serving.wait_for_turns(1, after=1)
        serving.kill()
        sandbox.faults()
        new = BotRecord("nuevo", "Nuevo", number, instructions="Eres el nuevo.", model="gpt-6-luna")
        store.put_bot(new, "viejo")
    serving.start_again()
    wait_until(lambda: len(line.outbound(REGULAR)) == 2, 90, "the answer of the new bot")
    # It does not know what was said to the former one.
    assert line.outbound(REGULAR)[-1]["body"].endswith("Eres el nuevo. · ¿Están abiertos? · turn 1")
