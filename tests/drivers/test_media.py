"""Both drivers: a voice note or a picture whose turn is interrupted at any step is answered once, and paid once where
its transcript was stored."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests import media_files
from tests.drivers.fleet import USER, Fleet, answers, fleet_on
from tests.drivers.test_conformance import MODEL, SEND
from tests.runtime_process import Line
from tests.sandbox_process import Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
"""SQLite is the short form: the statements are the same."""
SPEECH = {"provider": "openai", "method": "POST", "path": "/v1/audio/transcriptions"}
FILE = {"provider": "twilio", "method": "GET", "path": "/2010-04-01/*/Media/*"}
BEFORE = {"kind": "timeout_before_write", "seconds": 60, "times": 1}
AFTER = {"kind": "timeout_after_write", "seconds": 60, "times": 1}


@dataclass(frozen=True, slots=True)
class Step:
    """Where one user's turn is when the processes are killed."""

    user: str
    name: str
    form: str
    """`voice` says the name; `photo` has it as its caption."""
    fault: Json

    @property
    def own_fault(self) -> Json:
        """The fault, for a call of this turn only. A fetch has no body to know it by, and is the first one."""
        marks = {"/2010-04-01/Accounts/*/Messages.json": self.user[1:], FILE["path"]: ""}
        return self.fault | {"containing": marks.get(self.fault["path"], self.name)}


STEPS = (
    Step("+56911111101", "fetch-a-note", "voice", FILE | BEFORE),
    Step("+56911111102", "fetch-a-photo", "photo", FILE | BEFORE),
    Step("+56911111103", "transcription", "voice", SPEECH | BEFORE),
    Step("+56911111104", "model-with-a-note", "voice", MODEL | BEFORE),
    Step("+56911111105", "model-with-a-photo", "photo", MODEL | BEFORE),
    Step("+56911111106", "before-a-note-is-answered", "voice", SEND | BEFORE),
    Step("+56911111107", "after-a-note-was-answered", "voice", SEND | AFTER),
    Step("+56911111108", "after-a-photo-was-answered", "photo", SEND | AFTER),
)


@pytest.fixture(scope="module", params=STORES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("media")
    with fleet_on(request.param, folder, sandbox_process, MEDIA_DIR=str(folder / "files")) as fleet:
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    return served


def send(line: Line, form: str, text: str, user: str = USER) -> None:
    is_voice = form == "voice"
    content = media_files.voice_note(text, 60) if is_voice else media_files.jpeg(640, 480)
    media = [{"content_type": "audio/ogg" if is_voice else "image/jpeg", "base64": b64encode(content).decode()}]
    line.write("" if is_voice else text, user, media=media, wait=0)


def transcriptions(sandbox: Sandbox) -> int:
    return sum(call["status"] == 200 for call in sandbox.calls("openai", "POST", SPEECH["path"]))


def charged(fleet: Fleet, line: Line) -> list[tuple[Any, ...]]:
    """What the ledger has of transcriptions: milliseconds and 10⁻⁹ USD."""
    of_bot = f"kind = 'transcription' AND bot_id = '{line.bot['id']}'"
    return fleet.rows(f"SELECT quantity, amount FROM usage WHERE {of_bot}")


def said(fleet: Fleet, line: Line) -> list[str]:
    """What a person who reads the conversations sees of what was sent."""
    return [body for (body,) in fleet.rows(f"SELECT body FROM inbox WHERE bot_id = '{line.bot['id']}' ORDER BY id")]


def fired(sandbox: Sandbox, steps: int) -> bool:
    """Whether the faults of the first steps have fired."""
    return sandbox.fired_each()[:steps] == [1] * steps


def test_turns_that_are_interrupted_at_any_step_are_answered_once_and_their_transcripts_paid_once(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    shop = fleet.open_line()
    sandbox.faults(*(step.own_fault for step in STEPS))
    for number, step in enumerate(STEPS, 1):
        send(shop, step.form, step.name, step.user)
        wait_until(partial(fired, sandbox, number), what=step.name)
    notes = [step for step in STEPS if step.form == "voice"]
    stored = [step for step in notes if step.fault["path"] in (MODEL["path"], SEND["path"])]
    assert transcriptions(sandbox) == len(stored)
    fleet.kill()
    sandbox.faults()
    fleet.start_again()

    for step in STEPS:
        (answer,) = answers(shop, 1, step.user)
        assert step.name in answer
        assert ("imagen jpeg 640x480" in answer) == (step.form == "photo")
    unsent = f"SELECT count(*) FROM outbox WHERE state <> 'sent' AND bot_id = '{shop.bot['id']}'"
    wait_until(lambda: fleet.rows(unsent) == [(0,)], what="the sends in doubt to be looked up")
    assert [len(shop.outbound(step.user)) for step in STEPS] == [1] * len(STEPS)
    assert transcriptions(sandbox) == len(notes)
    assert charged(fleet, shop) == [(60_000, 4_500_000)] * len(notes)
    assert sorted(said(fleet, shop)) == sorted(
        f"[audio/ogg] {step.name}" if step.form == "voice" else f"{step.name}\n[image/jpeg]" for step in STEPS
    )


def test_what_fails_for_a_while_is_tried_again(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    busy = {"kind": "status", "status": 503}
    sandbox.faults(FILE | busy | {"times": 1}, SPEECH | busy | {"times": 1}, shop.only(MODEL | busy | {"times": 1}))
    send(shop, "voice", "¿Hay cazuela?")

    (answer,) = answers(shop, 1)

    assert "¿Hay cazuela?" in answer
    assert (transcriptions(sandbox), len(charged(fleet, shop))) == (1, 1)


def test_a_turn_that_dies_after_it_was_heard_remembers_what_was_said_and_what_it_cost(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    shop = fleet.open_line()
    sandbox.faults(MODEL | {"kind": "status", "status": 400})
    send(shop, "voice", "¿Hay cazuela?")
    answers(shop, 1)
    sandbox.faults()

    shop.write("¿Y entonces?", wait=0)
    answers(shop, 2)

    heard = [item["content"] for item in sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]]
    assert "[voice note, transcribed] ¿Hay cazuela?" in heard
    assert len(charged(fleet, shop)) == 1
    assert said(fleet, shop)[0] == "[audio/ogg] ¿Hay cazuela?"
