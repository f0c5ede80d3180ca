"""What is prepared for an engine, and how its results are kept beside what the engine keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.catalog import Configuration
from runtime.content.parts import Content, Image, Part, Text, Voice
from runtime.content.rendering import as_text
from runtime.media.folder import MediaFolder
from runtime.store.messages.turns import WaitingMessage
from runtime.store.records import BotRecord
from runtime.turns.prepare import Attempt, Preparation, Preparer, Reading, prepared, reading_of
from runtime.turns.progress import Progress
from schemas.policy_document import PolicyDocument

CONFIGURATION = Configuration(BotRecord("shop", "Shop", "+15550000001"), None, PolicyDocument())
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}


@dataclass
class Row:
    """A turn's row."""

    progress: str | None = None

    async def keep(self, progress: str) -> None:
        self.progress = progress


@dataclass
class Transcriber:
    """Numbers what it makes of voice notes."""

    paid: list[str] = field(default_factory=list)

    def reads(self, part: Part, _reading: Reading) -> bool:
        return isinstance(part, Voice)

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        if not isinstance(part, Voice):
            return part

        assert preparation.configuration is CONFIGURATION

        async def work() -> dict[str, str]:
            self.paid.append(part.url)
            return {"text": f"{part.url} dice {len(self.paid)}"}

        return Text((await preparation.once("transcript", work))["text"])


class Shouter:
    """Makes all texts loud, at no cost."""

    def reads(self, _part: Part, _reading: Reading) -> bool:
        return False

    async def prepare(self, part: Part, _preparation: Preparation) -> Part:
        return Text(part.text.upper()) if isinstance(part, Text) else part


def message(inbox_id: int, *parts: Part) -> WaitingMessage:
    return WaitingMessage(
        inbox_id, "AC1", f"SM{inbox_id}", "whatsapp:+569", "", Content(parts, profile_name="Ana"), "{}"
    )


MESSAGES = [
    message(1, Text("mira"), Image("i", "image/png"), Voice("a", "audio/ogg"), Voice("b", "audio/ogg")),
    message(2, Voice("a", "audio/ogg")),
]


async def texts(row: Row, *preparers: Preparer) -> list[str]:
    """What an engine would receive after one attempt at preparing."""
    with MediaFolder(None).turn() as files:
        attempt = Attempt(reading_of(CONFIGURATION), 1, Progress(row.progress, row.keep), files, 0)
        made = await prepared(MESSAGES, preparers, attempt)
    assert [one.content.profile_name for one in made] == ["Ana", "Ana"]
    return [as_text(one.content) for one in made]


async def test_each_part_is_prepared_by_each_preparer_in_their_order() -> None:
    assert await texts(Row(), Transcriber(), Shouter()) == ["MIRA\n[image/png]\nA DICE 1\nB DICE 2", "A DICE 3"]
    assert await texts(Row(), Shouter(), Transcriber()) == ["MIRA\n[image/png]\na dice 1\nb dice 2", "a dice 3"]


async def test_what_was_paid_for_is_found_in_the_row_by_the_next_attempt() -> None:
    row, transcriber = Row(), Transcriber()
    first = await texts(row, transcriber)
    assert await texts(row, transcriber) == first
    assert transcriber.paid == ["a", "b", "a"]


async def test_a_result_is_in_the_row_before_the_next_one_is_worked_out() -> None:
    kept: list[int] = []
    row = Row()

    class Looking(Transcriber):
        async def prepare(self, part: Part, preparation: Preparation) -> Part:
            kept.append(len(json.loads(row.progress or "[]")))
            return await super().prepare(part, preparation)

    await texts(row, Looking())
    assert kept == [0, 0, 0, 1, 2]


async def test_without_preparers_nothing_is_changed_and_nothing_kept() -> None:
    row = Row()
    assert await texts(row) == [as_text(one.content) for one in MESSAGES]
    assert row.progress is None


async def test_results_and_the_engine_s_items_do_not_touch_each_other() -> None:
    row = Row()
    await texts(row, Transcriber())
    progress = Progress(row.progress, row.keep)
    assert progress.items == []
    await progress.keep_items([CALL])
    paid = Transcriber()
    assert await texts(row, paid) == ["mira\n[image/png]\na dice 1\nb dice 2", "a dice 3"]
    assert paid.paid == []
    assert Progress(row.progress, row.keep).items == [CALL]


async def test_an_engine_s_items_are_kept_as_a_release_without_prepare_reads_them() -> None:
    items: Sequence[dict[str, Any]] = [CALL, {"type": "said", "session": None, "at": 1}]
    row = Row()
    await Progress(None, row.keep).keep_items(items)
    assert json.loads(row.progress or "") == items
