"""The built-in tools with which a model sends more than words, or passes the conversation on, as engines see them.

A call of one is answered at once and has no effect: what is accepted is in the turn's notes, and the end of the turn
makes messages of it (`runtime.turns.sending`), in one commit with the answer. So a turn that is interrupted and resumed
sends each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.function_names import HAND_OVER
from schemas.sending_tools import OFFERS, SENDING

SENT: Final = '{"result": "accepted: it is sent together with your answer"}'
HANDED_OVER: Final = (
    '{"result": "accepted: a person of the team answers from now on, and nothing that you write is sent"}'
)
OFFERED_AS_LIST: Final = (
    '{"result": "accepted, as a list that opens with a tap, since buttons cannot be shown here: it is your answer, and '
    'nothing that you write after it is sent"}'
)
OFFERED: Final = '{"result": "accepted: it is your answer, and nothing that you write after it is sent"}'


_ACCEPTED: Final = frozenset({SENT, OFFERED, OFFERED_AS_LIST})


class AcceptedCall(NamedTuple):
    """A call whose message is sent when the turn ends."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""


def accepted_calls(notes: Iterable[Mapping[str, Any]]) -> Iterator[AcceptedCall]:
    """The accepted calls in an engine's notes, in their order."""
    notes = [*notes]
    outputs = {note["call_id"]: note["output"] for note in notes if "output" in note and "call_id" in note}
    for note in notes:
        if note.get("name") in SENDING and outputs.get(note.get("call_id")) in _ACCEPTED:
            yield AcceptedCall(note["name"], note["arguments"])


def handing_over(notes: Iterable[Mapping[str, Any]]) -> AcceptedCall | None:
    """The accepted call in an engine's notes that passes the conversation to a person."""
    notes = [*notes]
    accepted = {note.get("call_id") for note in notes if note.get("output") == HANDED_OVER}
    calls = (note for note in notes if note.get("name") == HAND_OVER and note.get("call_id") in accepted)
    return next((AcceptedCall(note["name"], note["arguments"]) for note in calls), None)


def has_sent(notes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the turn sends something already, so that its answer may be without words."""
    notes = [*notes]
    return next(accepted_calls(notes), None) is not None or handing_over(notes) is not None


def has_offered(notes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no further words are asked for: buttons or a list are the turn's answer, or a person answers."""
    notes = [*notes]
    return any(call.name in OFFERS for call in accepted_calls(notes)) or handing_over(notes) is not None


def without_sent(notes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The notes of a turn that sends nothing of it: without calls of these tools."""
    notes = [*notes]
    ids = {note["call_id"] for note in notes if note.get("name") in SENDING and "call_id" in note}
    return [note for note in notes if note.get("call_id") not in ids]
