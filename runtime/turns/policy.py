"""May this be answered, and how? One question, asked when a message comes in and again when its turn begins.

    facts ──► CHECKS, in order of precedence ──► MayAnswer(options)
                   └── the first objection ──► Silent(reason)            stored, nothing is sent
                                          └──► Say(reason, text, once)   stored, and the user gets this text

The caller gathers the facts, and carries the decision out. Nothing here reads, counts, sends, or knows the time.

Precedence: a bot that does not exist → a blocked person → a conversation that a human has → a paused client → a loop
between bots → rate limit → budget → opening hours → consent → files without a word → a word alone that opts out or in.
Each is its own function in CHECKS, once it exists. That a person has opted out is not among them: it never silences an
answer to a person who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from runtime.content.opting import opting_of
from runtime.content.parts import Content
from runtime.content.rendering import needs_words
from runtime.store.database.times import is_to_come, is_within
from runtime.store.messages.conversations import Conversation
from runtime.store.records import LOOP_PAUSE_SECONDS, BotRecord

Reason = Literal["unknown", "human", "paused", "loop", "limited", "media", "opt_out", "opt_in"]
"""Why a message gets no answer, in one word: in the turn's row, the log and the metric `horizonai_turns_total`.

`unknown`: the bot was deleted since; `human`: a person has the conversation; `paused`: the client is; `loop`: the other
side is a program; `limited`: too many messages within a minute; `media`: voice notes, pictures or other files without a
word; `opt_out`, `opt_in`: the word alone with which a person ends proactive messages, or allows them again.
"""


class Facts(NamedTuple):
    """The facts when the question is asked. A named tuple: each message makes one, in a fourth of the time."""

    bot: BotRecord | None
    """None: it does not exist, or was deleted since the message came in."""
    conversation: Conversation | None = None
    """None as long as it is not known, which is when a message comes in."""
    now: str = ""
    """Text of `timestamp`; of no account without a conversation."""
    is_over_limit: bool = False
    """True when the user, or all users of the bot together, exceeded the limit of messages in a minute."""
    limit_message: str = ""
    """The notice for such a user."""
    contents: Sequence[Content] = ()
    """What is to be answered; nothing when a message comes in, nor where a preparer makes words of it."""
    not_understood_message: str = ""
    """The notice for a user who sent files without a word."""
    is_loop: bool = False
    """True when these messages show that the other side is a program."""
    opt_out_message: str = ""
    """The confirmation for a user who wants no proactive messages."""
    opt_in_message: str = ""
    """The confirmation for one who wants them again."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a message is to be answered, where that differs from the bot and its assistant."""

    model: str | None = None
    """The model that answers instead of theirs."""
    variant: str | None = None
    """The name of the variant, stored in the turn's row."""
    line: str | None = None
    """A further instruction for the model, in this turn only; not stored in the history."""


@dataclass(frozen=True, slots=True)
class MayAnswer:
    """The assistant answers."""

    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer, and no message to the user."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Say:
    """No answer, and a notice to the user."""

    reason: Reason
    text: str
    once: Literal["minute"]
    """A user gets the notice at most once in this period; the caller ensures that."""


Decision: TypeAlias = MayAnswer | Silent | Say

Check: TypeAlias = Callable[[Facts], Silent | Say | Options | None]
"""A check: an objection, options for the answer, or None."""


def bot_exists(facts: Facts) -> Silent | None:
    """The bot must exist."""
    return Silent("unknown") if facts.bot is None else None


def assistant_has_it(facts: Facts) -> Silent | None:
    """The assistant does not answer in a conversation with the state `human` until that ends."""
    conversation = facts.conversation
    if conversation is None or conversation.state != "human":
        return None
    is_over = conversation.state_until is not None and (
        conversation.state_until <= facts.now
        # It began at a time that is still to come: the clock was set back since.
        or (conversation.state_since is not None and is_to_come(conversation.state_since, facts.now))
    )
    return None if is_over else Silent("human")


def client_is_active(facts: Facts) -> Silent | None:
    """A paused client's messages are stored only."""
    return Silent("paused") if facts.bot is not None and facts.bot.state == "paused" else None


def not_in_a_loop(facts: Facts) -> Silent | None:
    """Two programs do not answer each other; nor for a while after they did."""
    is_paused = facts.conversation is not None and is_loop_pause(facts.conversation, facts.now)
    return Silent("loop") if facts.is_loop or is_paused else None


def is_loop_pause(conversation: Conversation, now: str) -> bool:
    """Whether a conversation is paused, since it was found to be a loop between programs."""
    since = conversation.loop_since
    return since is not None and is_within(since, now, LOOP_PAUSE_SECONDS)


def within_rate_limits(facts: Facts) -> Say | None:
    """A flood does not reach the model."""
    return Say("limited", facts.limit_message, once="minute") if facts.is_over_limit else None


def has_words(facts: Facts) -> Say | None:
    """Files alone do not reach the model, which would take their names for words."""
    if not facts.contents or not all(needs_words(content) for content in facts.contents):
        return None
    return Say("media", facts.not_understood_message, once="minute")


def opts_out_or_in(facts: Facts) -> Say | None:
    """STOP alone is confirmed by us, not by the model. START alone is a greeting of a person who never opted out."""
    asked = [opting_of(content) for content in facts.contents]
    if not asked or None in asked:
        return None
    if asked[-1] == "out":
        return Say("opt_out", facts.opt_out_message, once="minute")
    is_back = facts.conversation is not None and facts.conversation.opted_out_at is not None
    return Say("opt_in", facts.opt_in_message, once="minute") if is_back else None


CHECKS: Sequence[Check] = (
    bot_exists,
    assistant_has_it,
    client_is_active,
    not_in_a_loop,
    within_rate_limits,
    has_words,
    opts_out_or_in,
)
"""In order of precedence."""


_AS_CONFIGURED = MayAnswer()


def decide(facts: Facts, checks: Sequence[Check] = CHECKS) -> Decision:
    """The first objection; without one an answer, with the options of all checks."""
    options: Options | None = None
    for check in checks:
        verdict = check(facts)
        if verdict is None:
            continue
        if not isinstance(verdict, Options):
            return verdict
        options = verdict if options is None else _joined(options, verdict)
    return _AS_CONFIGURED if options is None else MayAnswer(options)


def _joined(first: Options, second: Options) -> Options:
    """Options merged: the first of two models or variants, both of two lines."""
    lines = [line for line in (first.line, second.line) if line is not None]
    return Options(
        model=first.model if first.model is not None else second.model,
        variant=first.variant if first.variant is not None else second.variant,
        line="\n".join(lines) if lines else None,
    )
