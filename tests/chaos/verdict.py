"""What the sandbox's ledger says about a run. It believes nothing else, and it never does I/O.

Each inbound message carries a token, and the simulated model repeats its input, so an answer names the messages
that it answers: `[speaker] opening · q0001-beef ¿tienen mesa? / q0002-cafe gracias · turn 2`. A long answer continues
in numbered paragraphs, and in further parts.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.chaos.scenario import OPERATOR

TOKEN = re.compile(r"\bq\d{4}-[0-9a-f]{4}\b")
TURN = re.compile(r" · turn (\d+)$", re.MULTILINE)
LENGTH = re.compile(r"\bescribe (\d+) letras")
PARAGRAPH = re.compile(r"^(\d+)\. ", re.MULTILINE)
CUT_AWAY = 10
"""Letters of a long answer that may be missing: white space where it was cut into parts."""
CLOCK = 0.005
"""Seconds by which two times of the ledger may be off."""
KINDS = ("lost", "doubled", "out of order", "wrong assistant", "wrong memory", "unasked", "after a take")

Json = dict[str, Any]
Conversation = tuple[str, str]
"""The client's address and the user's."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never happen, and did."""

    kind: str
    conversation: Conversation
    what: str


@dataclass(slots=True)
class Message:
    """An inbound message and its outcome."""

    token: str
    sid: str
    conversation: Conversation
    written_at: float
    """From then on Twilio can be asked for it, whether or not its webhook has arrived."""
    acknowledged_at: float = math.inf
    """End of the first attempt that was answered with 2xx."""
    answers: int = 0
    answered_at: float = math.inf

    @property
    def acknowledged(self) -> bool:
        """Whether the runtime took it on itself to answer it."""
        return self.acknowledged_at < math.inf


@dataclass(slots=True)
class _Rest:
    """What is still to come of a long answer."""

    letters: int = 0
    paragraph: int = 1
    """Number of the next one."""

    def take(self, body: str) -> None:
        self.letters -= len(body)
        self.paragraph = max([self.paragraph, *(int(number) + 1 for number in PARAGRAPH.findall(body))])


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts and the violations."""

    messages: Sequence[Message]
    outbound: int
    """Messages that went out."""
    violations: Sequence[Violation]

    @property
    def acknowledged(self) -> int:
        """Messages that some attempt brought in."""
        return sum(message.acknowledged for message in self.messages)

    @property
    def unacknowledged(self) -> list[Message]:
        """Messages whose every attempt failed."""
        return [message for message in self.messages if not message.acknowledged]

    def count(self, kind: str) -> int:
        """How many violations of a kind there are."""
        return sum(violation.kind == kind for violation in self.violations)


@dataclass(frozen=True, slots=True)
class Held:
    """A person had a conversation, by the clock of the machine, in seconds since the epoch."""

    conversation: Conversation
    since: float
    """When the take was known to be committed."""
    until: float
    """When the release was asked for."""


def judge(
    entries: Iterable[Json],
    speakers: Mapping[str, str],
    said: Mapping[str, str] = MappingProxyType({}),
    held: Sequence[Held] = (),
) -> Verdict:
    """Judges a run. `speakers` says how the answers of each client's address begin, `said` what is said in the files
    of messages, by their SIDs; `held` which conversations people had."""
    return _Judge(speakers, said, held).verdict(entries)


class Claim(NamedTuple):
    """A message of the assistant's, as the store has it."""

    conversation: Conversation
    at: float
    """When it was last claimed."""
    what: str


def claimed_after_a_take(held: Sequence[Held], claims: Iterable[Claim]) -> list[Violation]:
    """The assistant's messages that were claimed while a person had the conversation, by the times in the store."""
    return [
        Violation("after a take", claim.conversation, f"claimed {claim.at - one.since:.3f} s after it: {claim.what}")
        for claim in claims
        for one in held
        if one.conversation == claim.conversation and one.since < claim.at < one.until
    ]


@dataclass(slots=True)
class _Judge:
    speakers: Mapping[str, str]
    said: Mapping[str, str]
    held: Sequence[Held] = ()
    messages: dict[str, Message] = field(default_factory=dict)
    """By token."""
    by_sid: dict[str, Message] = field(default_factory=dict)
    answered: dict[Conversation, list[Message]] = field(default_factory=lambda: defaultdict(list))
    """In the order of the answers."""
    rests: dict[Conversation, _Rest] = field(default_factory=lambda: defaultdict(_Rest))
    by_people: dict[str, tuple[Conversation, float]] = field(default_factory=dict)
    """What people wrote, with its conversation and time."""
    outbound: int = 0
    violations: list[Violation] = field(default_factory=list)

    def verdict(self, entries: Iterable[Json]) -> Verdict:
        for entry in entries:
            if entry["kind"] == "inbound":
                self._take_inbound(entry)
            elif entry["kind"] == "webhook" and entry["purpose"] != "status":
                self._take_attempt(entry)
            elif entry["kind"] == "outbound":
                self._take_outbound(entry)
            elif entry["kind"] == "call" and entry["path"] == "/v1/responses":
                self._take_question(entry)
        for message in self.messages.values():
            if message.answers == 0 and not self._is_a_person_s(message):
                known = "acknowledged" if message.acknowledged else "never acknowledged, yet to be had from Twilio,"
                self._object("lost", message.conversation, f"{message.token} was {known} and not answered")
        for conversation in self.rests:
            self._expect_whole(conversation)
        for conversation, messages in self.answered.items():
            for earlier, later in _out_of_order(messages):
                self._object("out of order", conversation, f"{later.token} was answered after {earlier.token}")
        return Verdict(list(self.messages.values()), self.outbound, self.violations)

    def _take_inbound(self, entry: Json) -> None:
        found = TOKEN.search(self.said.get(entry["message_sid"], entry["body"]))
        if found is None:
            raise ValueError(f"the inbound message {entry['message_sid']} carries no token: {entry['body']!r}")
        message = Message(found[0], entry["message_sid"], (entry["to"], entry["from"]), _moment(entry))
        self.messages[message.token] = self.by_sid[message.sid] = message

    def _take_attempt(self, entry: Json) -> None:
        message = self.by_sid[entry["message_sid"]]
        if entry["status"] is not None and 200 <= entry["status"] < 300:
            message.acknowledged_at = min(message.acknowledged_at, _moment(entry))

    def _take_outbound(self, entry: Json) -> None:
        self.outbound += 1
        body, conversation = entry["body"], (entry["from"], entry["to"])
        if body.startswith(OPERATOR):
            if body in self.by_people:
                self._object("doubled", conversation, f"{body!r} had been sent")
            self.by_people[body] = conversation, _moment(entry)
            return
        if body.startswith("["):
            self._take_answer(entry, body, conversation)
        else:
            self._take_part(body, conversation)
        self.rests[conversation].take(body)

    def _take_answer(self, entry: Json, body: str, conversation: Conversation) -> None:
        self._expect_whole(conversation)
        tokens = TOKEN.findall(body)
        if not tokens:
            self._object("unasked", conversation, f"{body!r} answers no message")
        if not body.startswith(self.speakers.get(conversation[0], "nobody")):
            self._object("wrong assistant", conversation, f"{body!r} was said by another one")
        for token in tokens:
            self._take_answered(token, conversation, _moment(entry))
        turn, known = TURN.search(body), len(self.answered[conversation])
        # What a person has answered is remembered too.
        most = known + sum(
            message.answers == 0 and self._is_a_person_s(message)
            for message in self.messages.values()
            if message.conversation == conversation
        )
        if tokens and (turn is None or not known <= int(turn[1]) <= most):
            self._object("wrong memory", conversation, f"{body!r} was said knowing other than {known} messages")
        length = LENGTH.search(body)
        self.rests[conversation] = _Rest(int(length[1]) if length else len(body))

    def _take_part(self, body: str, conversation: Conversation) -> None:
        rest, begins = self.rests[conversation], PARAGRAPH.match(body)
        if begins is None:
            self._object("unasked", conversation, f"{body!r} is no part of an answer")
        elif int(begins[1]) < rest.paragraph:
            self._object("doubled", conversation, f"the part {body[:40]!r} had been sent")
        elif int(begins[1]) > rest.paragraph:
            self._object("out of order", conversation, f"the part {body[:40]!r} came before paragraph {rest.paragraph}")

    def _is_a_person_s(self, message: Message) -> bool:
        """Whether a person has answered it: they wrote after it."""
        written = self.by_people.values()
        return any(where == message.conversation and at > message.written_at for where, at in written)

    def _expect_whole(self, conversation: Conversation) -> None:
        """The rest of an answer is withheld where a person takes the conversation meanwhile."""
        if any(one.conversation == conversation for one in self.held):
            return
        if self.rests[conversation].letters > CUT_AWAY:
            self._object("lost", conversation, f"{self.rests[conversation].letters} letters of an answer are missing")

    def _take_answered(self, token: str, conversation: Conversation, moment: float) -> None:
        message = self.messages.get(token)
        if message is None:
            self._object("unasked", conversation, f"{token} was answered, and nobody had written it")
            return
        if message.conversation != conversation:
            self._object("wrong assistant", conversation, f"{token} was written in {message.conversation}")
        message.answers += 1
        if message.answers == 1:
            message.answered_at = moment
            self.answered[conversation].append(message)
        else:
            self._object("doubled", conversation, f"{token} was answered {message.answers} times")

    def _take_question(self, entry: Json) -> None:
        """No model gets messages of another conversation, regardless of its answer."""
        body = entry.get("body")
        if body is None:
            return  # the ledger keeps no body above 16 KiB
        told = {self.messages[token].conversation for token in TOKEN.findall(str(body["input"]))}
        asked = f"[{body['metadata']['client']}]"
        for conversation in told:
            if len(told) > 1 or not self.speakers[conversation[0]].startswith(asked):
                self._object("wrong assistant", conversation, f"call {entry['n']} told {asked} of {len(told)} of them")

    def _object(self, kind: str, conversation: Conversation, what: str) -> None:
        self.violations.append(Violation(kind, conversation, what))


def _moment(entry: Json) -> float:
    return datetime.fromisoformat(entry["time"]).timestamp()


def _out_of_order(messages: Sequence[Message]) -> Iterator[tuple[Message, Message]]:
    """Pairs whose second message was acknowledged before the first one was written, and yet answered after it."""
    for index, earlier in enumerate(messages):
        for later in messages[index + 1 :]:
            if later.acknowledged_at + CLOCK < earlier.written_at:
                yield earlier, later
