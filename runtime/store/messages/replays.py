"""Real turns that are to be tried again, without who wrote them: as a test case, or with another assistant.

    conversation ──► the turn's question, what came before it, what functions did ──► pseudonyms ──► the caller

Nothing of a client whose people write about sensitive data leaves the store so. Each read is in the audit. Functions
over a connection; nothing here is on the way of a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.catalog import get_bot
from runtime.store.database.statement import Statement
from runtime.store.errors import NoConversation, NotReplayable
from runtime.store.messages.threads import KIND, Thread, ThreadMessage, thread_of
from schemas.cases import BUILT_IN
from schemas.policy_document import PolicyDocument, read_document
from schemas.pseudonyms import Pseudonyms

MESSAGES: Final = 1000
"""Of a conversation, the newest ones, among which a turn is found."""
EXCHANGES: Final = 10
"""Before a question, at most."""
NEWEST_ANSWERED: Final = Statement(
    "SELECT turns.id, turns.conversation_id FROM turns JOIN bots ON bots.id = turns.bot_id"
    " WHERE coalesce(bots.client, bots.id) = :client AND turns.state = 'answered' AND turns.conversation_id NOT IN"
    " (SELECT id FROM conversations WHERE blocked_at IS NOT NULL) ORDER BY turns.id DESC LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class PastExchange:
    """What a person wrote, and what was answered: by the assistant, or by a person."""

    said: Sequence[str]
    answered: str


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call of a client's own function."""

    name: str
    arguments: Any
    output: Any


@dataclass(frozen=True, slots=True)
class ReplayedTurn:
    """One turn, with pseudonyms throughout."""

    turn: int
    at: str
    """When its last message came in."""
    number: str
    """The client's, which decides its time zone where the policy does not."""
    timezone: str | None
    name: str | None
    """The person's, as a pseudonym."""
    before: Sequence[PastExchange]
    said: Sequence[str]
    answer: str
    """Empty where there was none."""
    calls: Sequence[PastCall]
    files: int
    """How many files the person sent with the question; of a recording its transcript is in `said`."""


def turn_for(connection: Connection, actor: Actor, conversation_id: int, turn: int | None) -> ReplayedTurn:
    """One turn of a conversation, the newest answered one without a number. Raises NoConversation and NotReplayable."""
    thread = thread_of(connection, conversation_id, limit=MESSAGES)
    if thread is None:
        raise NoConversation(conversation_id)
    if thread.conversation.blocked_at is not None:
        raise NotReplayable(
            "This person is blocked: nothing of them is processed, so no test case is made of it.", "blocked"
        )
    policy, number = _policy_of(connection, thread.conversation.bot_id)
    if policy.data is not None and policy.data.is_tight:
        raise NotReplayable(
            f"The people of {thread.conversation.client} write about sensitive data (`data.sensitive`, `data.minors`), "
            "so no test case is made of it. Write one by hand.",
            "sensitive",
        )
    chosen = turn if turn is not None else _newest_answered(thread)
    found = _replayed(thread, chosen, policy, number) if chosen is not None else None
    if found is None:
        raise NotReplayable(_not_found(thread, turn))
    client = thread.conversation.client
    record(connection, actor, Entry("read", KIND, client, client, [conversation_id], [f"turn {chosen} as a test case"]))
    return found


def recent_turns(connection: Connection, actor: Actor, client: str, limit: int) -> list[ReplayedTurn]:
    """The newest answered turns of a client, the newest first. Raises NotReplayable unless its manifest allows that."""
    rows = NEWEST_ANSWERED.rows(connection, client=client, limit=limit)
    threads: dict[int, Thread | None] = {}
    found: list[ReplayedTurn] = []
    policy, number = _policy_of_client(connection, client)
    check_replay(client, policy)
    for turn, conversation_id in rows:
        if conversation_id not in threads:
            threads[conversation_id] = thread_of(connection, conversation_id, limit=MESSAGES)
        thread = threads[conversation_id]
        one = _replayed(thread, turn, policy, number) if thread is not None else None
        if one is not None and one.said:
            found.append(one)
    ids = sorted({conversation_id for _, conversation_id in rows})
    if ids:
        record(connection, actor, Entry("read", KIND, client, client, ids, [f"{len(found)} turns to try again"]))
    return found


def check_replay(client: str, policy: PolicyDocument) -> None:
    """Raises NotReplayable where a client's manifest does not allow that its questions are tried again."""
    data = policy.data
    if data is not None and data.is_tight:
        raise NotReplayable(
            f"The people of {client} write about sensitive data (`data.sensitive`, `data.minors`), so their questions "
            "are never tried again."
        )
    if data is None or not data.replay:
        raise NotReplayable(
            f"The manifest of {client} does not allow that recent questions are tried again; `data: {{replay: true}}` "
            "in it does, once it is applied."
        )


def _policy_of(connection: Connection, bot_id: str) -> tuple[PolicyDocument, str]:
    bot = get_bot(connection, bot_id)
    if bot is None:
        raise NotReplayable(
            f"The bot {bot_id} was deleted, so it is not known how its people's data are to be treated."
        )
    return read_document(bot.policy).policy, bot.twilio_phone_number


BOT_OF = Statement("SELECT id FROM bots WHERE coalesce(client, id) = :client ORDER BY id LIMIT 1")


def _policy_of_client(connection: Connection, client: str) -> tuple[PolicyDocument, str]:
    row = BOT_OF.first(connection, client=client)
    if row is None:
        raise NotReplayable(f"There is no client {client} in the store; `reconcile` applies its manifest.")
    return _policy_of(connection, row[0])


def _newest_answered(thread: Thread) -> int | None:
    turns = (message.turn for message in reversed(thread.messages) if message.author == "assistant")
    return next((turn for turn in turns if turn is not None), None)


def _not_found(thread: Thread, turn: int | None) -> str:
    known = sorted({message.turn for message in thread.messages if message.direction == "in" and message.turn})
    listed = ", ".join(map(str, known[-10:])) or "none"
    wanted = "an answered turn" if turn is None else f"a turn {turn}"
    return f"Conversation {thread.conversation.id} does not have {wanted}. Its newest turns: {listed}."


def _replayed(thread: Thread, turn: int, policy: PolicyDocument, number: str) -> ReplayedTurn | None:
    asked = [message for message in thread.messages if message.direction == "in" and message.turn == turn]
    if not asked:
        return None
    answers = [m.text for m in thread.messages if m.direction == "out" and m.turn == turn and m.author == "assistant"]
    position = thread.messages.index(asked[0])
    *before, open_ = [*_exchanges(thread.messages[:position]), PastExchange((), "")]
    if before and not before[-1].answered:
        open_ = before.pop()
    said = [*open_.said, *(message.text for message in asked)]
    calls = [
        PastCall(call.name, _json(call.arguments), _json(call.output))
        for call in thread.calls
        if call.turn == turn and call.name not in BUILT_IN
    ]
    name, summary = thread.conversation.name, policy.media
    voice = summary.voice_rules if summary is not None else None
    plain = ReplayedTurn(
        turn,
        asked[-1].at,
        number,
        policy.timezone,
        name,
        before[-EXCHANGES:],
        said,
        "\n\n".join(answers),
        calls,
        sum(len(message.files) for message in asked),
    )
    return _pseudonymous(plain, (voice.keywords or ()) if voice is not None else ())


def _exchanges(messages: Sequence[ThreadMessage]) -> Iterator[PastExchange]:
    """What was said, with what was answered; notices of the program are neither."""
    said, answered = list[str](), list[str]()
    for message in messages:
        if message.direction == "in":
            if answered:
                yield PastExchange(said, "\n\n".join(answered))
                said, answered = [], []
            said.append(message.text)
        elif said and message.author != "notice" and message.text:
            answered.append(message.text)
    if said:
        yield PastExchange(said, "\n\n".join(answered))


def _pseudonymous(turn: ReplayedTurn, keywords: Sequence[str]) -> ReplayedTurn:
    past = [text for exchange in turn.before for text in (*exchange.said, exchange.answered)]
    called = [json.dumps([call.arguments, call.output], ensure_ascii=False) for call in turn.calls]
    names = [turn.name] if turn.name else []
    hidden = Pseudonyms([*past, *turn.said, turn.answer, *called, *names], names, keywords)
    return replace(
        turn,
        name=hidden.text(turn.name) if turn.name else None,
        before=[PastExchange([*map(hidden.text, one.said)], hidden.text(one.answered)) for one in turn.before],
        said=[*map(hidden.text, turn.said)],
        answer=hidden.text(turn.answer),
        calls=[PastCall(one.name, hidden.value(one.arguments), hidden.value(one.output)) for one in turn.calls],
    )


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return text
