"""May this be answered, and how? One question, asked when a message comes in and again when its turn begins.

    facts ──► CHECKS, in order of precedence ──► MayAnswer(options)
                   └── the first that objects ──► Silent(reason)            stored, and nothing is said
                                             └──► Say(reason, text, once)   stored, and the user is told this much

Whoever asks has gathered the facts, and does what is decided. Nothing here reads, counts, sends, or knows the time.

Precedence: a bot that does not exist → a blocked person → a conversation that a human has → a paused client → a loop
between bots → rate limit → budget → opening hours → consent. Each is a function of its own in CHECKS, once it exists.
A person's opt-out is not among them: it never silences an answer to somebody who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.store.messages.conversations import Conversation
from runtime.store.records import BotRecord

Reason = Literal["unknown", "human", "paused", "limited"]
"""Why a message gets no answer, in one word: in the turn's row, the log and the metric `horizonai_turns_total`.

`unknown`: the bot was deleted since; `human`: a person has the conversation; `paused`: the client is; `limited`: too
many messages within a minute.
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the question is asked."""

    bot: BotRecord | None
    """None: there is none, or it was deleted since the message came in."""
    conversation: Conversation | None = None
    """None as long as it is not known, which is when a message comes in."""
    now: str = ""
    """Text of `timestamp`; of no account without a conversation."""
    is_over_limit: bool = False
    """True when the user, or all who write to the bot together, wrote more in a minute than is answered."""
    limit_message: str = ""
    """What such a user is told."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a message is to be answered, where it is not as the bot and its assistant say."""

    model: str | None = None
    """The model that answers instead of theirs."""
    variant: str | None = None
    """The name of this way to answer, kept in the turn's row."""
    line: str | None = None
    """What the model is told besides, in this turn only; it is not remembered."""


@dataclass(frozen=True, slots=True)
class MayAnswer:
    """The assistant answers."""

    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Silent:
    """Nobody answers, and nothing is said."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Say:
    """Nobody answers, and the user is told so."""

    reason: Reason
    text: str
    once: Literal["minute"]
    """In this span a user is told once at the most, for which whoever tells them has to care."""


Decision: TypeAlias = MayAnswer | Silent | Say

Check: TypeAlias = Callable[[Facts], Silent | Say | Options | None]
"""Objects, or says how else to answer; None when it has nothing to say."""


def bot_exists(facts: Facts) -> Silent | None:
    """Somebody must answer on the number."""
    return Silent("unknown") if facts.bot is None else None


def assistant_has_it(facts: Facts) -> Silent | None:
    """What a person has taken over, the assistant leaves to them until the state ends."""
    conversation = facts.conversation
    if conversation is None or conversation.state != "human":
        return None
    is_over = conversation.state_until is not None and conversation.state_until <= facts.now
    return None if is_over else Silent("human")


def client_is_active(facts: Facts) -> Silent | None:
    """A paused client's messages are stored only."""
    return Silent("paused") if facts.bot is not None and facts.bot.state == "paused" else None


def within_rate_limits(facts: Facts) -> Say | None:
    """A flood does not reach the model."""
    return Say("limited", facts.limit_message, once="minute") if facts.is_over_limit else None


CHECKS: Sequence[Check] = (bot_exists, assistant_has_it, client_is_active, within_rate_limits)
"""In order of precedence."""


def decide(facts: Facts, checks: Sequence[Check] = CHECKS) -> Decision:
    """The first objection; without one an answer, with what the checks have said of how."""
    options = Options()
    for check in checks:
        verdict = check(facts)
        if isinstance(verdict, Options):
            options = _joined(options, verdict)
        elif verdict is not None:
            return verdict
    return MayAnswer(options)


def _joined(first: Options, second: Options) -> Options:
    """Both; of two models or variants the first, of two lines one below the other."""
    lines = [line for line in (first.line, second.line) if line is not None]
    return Options(
        model=first.model if first.model is not None else second.model,
        variant=first.variant if first.variant is not None else second.variant,
        line="\n".join(lines) if lines else None,
    )
