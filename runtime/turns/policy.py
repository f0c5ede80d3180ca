"""May this be answered, and how? One question, asked when a message comes in and again when its turn begins.

    facts ──► CHECKS, in order of precedence ──► MayAnswer(options)
                   └── the first objection ──► Silent(reason)            stored, nothing is sent
                                          ├──► Say(reason, text, once)   stored, and the user gets this text
                                          └──► HandOver(reason, cause)   stored, `tell` is sent, people answer

The caller gathers the facts, and carries the decision out. Nothing here reads, counts, sends, or knows the time.

Precedence: a bot that does not exist → a blocked person → a conversation that a human has → a paused client → a loop
between bots → rate limit → a reaction → a person is asked for → budget → opening hours → consent → files without a word
→ a word alone that opts out or in → thanks and goodbyes.
Each is its own function in CHECKS, once it exists. That a person has opted out is not among them: it never silences an
answer to a person who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from runtime.content.opting import Opting
from runtime.content.parts import Content, Reaction
from runtime.content.person_asked import asks_for_person
from runtime.content.rendering import needs_words
from runtime.content.thanks import asks, is_thanks, plain_text
from runtime.store.activity_records import LOOP_PAUSE_SECONDS
from runtime.store.database.times import is_to_come, is_within
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.handoffs import Cause
from runtime.store.messages.last_answers import LastAnswer
from runtime.store.records import BotRecord
from runtime.turns.consent import ConsentStep
from runtime.turns.outside_hours import Outside
from schemas.handoff import HandoffPolicy

Reason = Literal[
    "unknown",
    "blocked",
    "human",
    "paused",
    "loop",
    "limited",
    "reaction",
    "handoff",
    "budget",
    "hours",
    "media",
    "opt_out",
    "opt_in",
    "no_reply",
    "consent",
    "consent_no",
    "consent_revoked",
]
"""Why a message gets no answer, in one word: in the turn's row, the log and the metric `horizonai_turns_total`.

`unknown`: the bot was deleted since; `blocked`: nothing of the person is processed; `human`: a person has the
conversation; `paused`: the client is; `loop`: the other side is a program; `limited`: too many messages within a
minute; `reaction`: an emoji on a message, which asks nothing; `handoff`: people have the conversation from now on;
`budget`: the client's month is used up; `hours`: it is outside of the client's hours; `media`: voice notes, pictures
or other files that cannot be read, without a word; `opt_out`, `opt_in`: the word alone with which a person ends
proactive messages, or allows them again; `no_reply`: thanks or a goodbye, which needs no answer; `consent`:
a model may not read it before its person says yes; `consent_no`, `consent_revoked`: they said no, or took their yes
back.
"""
CONSENT_REASONS: Final = frozenset[Reason]({"consent", "consent_no", "consent_revoked"})
"""Why words are kept from every model."""
Period = Literal["minute", "day", "night"]
"""`night`: a time outside of the hours, of a day at most."""

ANSWER_SECONDS = 24 * 3600.0
"""For how long after an answer thanks are for that answer."""
DAY_SECONDS = 86_400.0
DISCLOSURE = "disclosure"
"""The notice that notes it."""
SHORT = 40
"""Characters of a text, at most, which the model may leave without an answer."""


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
    is_over_budget: bool = False
    """True when the client's month is used up, and its manifest stops something then."""
    budget_message: str = ""
    """The notice for a user of such a client."""
    cheaper_model: str | None = None
    """The model that answers them; None: they are not answered."""
    handoff: HandoffPolicy | None = None
    """When people answer instead; None: never by themselves."""
    contents: Sequence[Content] = ()
    """What is to be answered; nothing when a message comes in, nor where a preparer makes words of it."""
    not_understood_message: str = ""
    """The notice for a user who sent files without a word."""
    is_loop: bool = False
    """True when these messages show that the other side is a program."""
    asked: Sequence[Opting | None] = ()
    """By message, whether it is nothing but words that opt out or in."""
    is_new: bool = False
    """Whether one of these messages has changed what the user gets."""
    opt_out_message: str = ""
    """The confirmation for a user who wants no proactive messages."""
    opt_in_message: str = ""
    """The confirmation for one who wants them again."""
    last_answer: LastAnswer | None = None
    """Our last message to the user, where it was the assistant's answer and nothing else happened since."""
    outside: Outside | None = None
    """Where it is outside of the hours, and the client wants that to be said."""
    disclosure: str = ""
    """What the first answer to this user begins with, where this is the first one."""
    consent: ConsentStep | None = None
    """What is due about the person's consent, where no model may read these messages."""
    consent_notice: tuple[str, str] | None = None
    """What their first answer begins with about their data, after the notice that notes it."""
    may_stay_unanswered: bool = False
    """Whether the client lets thanks stay without an answer; False where a function was called for these messages
    already, and where one of them begins the conversation over."""


class Beginning(NamedTuple):
    """Words before the model's, in the same message."""

    notice: str
    """Noted in the conversation once they are sent."""
    text: str


@dataclass(frozen=True, slots=True)
class Options:
    """How a message is to be answered, where that differs from the bot and its assistant."""

    model: str | None = None
    """The model that answers instead of theirs."""
    line: str | None = None
    """A further instruction for the model, in this turn only; not stored in the history."""
    offers_no_reply: bool = False
    """Whether the model may choose not to answer."""
    begins_with: tuple[Beginning, ...] = ()
    """What the answer begins with, whatever the model says."""


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
    once: Period
    """A user gets the notice at most once in this period; the caller ensures that."""
    since: str | None = None
    """When the period began, as text of `timestamp`, where that is shorter ago."""
    consent: ConsentStep | None = None
    """What it asks or confirms; the person's words are not remembered then."""
    answered_at: str | None = None
    """When the messages are answered after all, as text of `timestamp`."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """People answer from now on, and the user reads so."""

    cause: Cause
    reason: Reason = "handoff"


Decision: TypeAlias = MayAnswer | Silent | Say | HandOver

Check: TypeAlias = Callable[[Facts], Silent | Say | HandOver | Options | None]
"""A check: an objection, options for the answer, or None."""


def bot_exists(facts: Facts) -> Silent | None:
    """The bot must exist."""
    return Silent("unknown") if facts.bot is None else None


def person_is_not_blocked(facts: Facts) -> Silent | None:
    """Nothing of a blocked person is processed: no model, no desk and no notice hears of them."""
    conversation = facts.conversation
    return Silent("blocked") if conversation is not None and conversation.blocked_at is not None else None


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


def asks_something(facts: Facts) -> Silent | None:
    """An emoji on a message of ours asks nothing. With another message it is part of what was said."""
    only_reactions = bool(facts.contents) and all(
        isinstance(part, Reaction) for content in facts.contents for part in content.parts
    )
    return Silent("reaction") if only_reactions else None


def asks_for_no_person(facts: Facts) -> HandOver | None:
    """Who asks for a person gets one, where the client has people for that."""
    if facts.handoff is None or not asks_for_person(facts.contents, facts.handoff.phrases or ()):
        return None
    return HandOver("asked")


def within_budget(facts: Facts) -> Say | HandOver | Options | None:
    """A month that is used up pauses the assistant, or another model answers. A word alone that opts out or in is
    confirmed as ever."""
    if not facts.is_over_budget or opts_out_or_in(facts) is not None:
        return None
    if facts.cheaper_model is not None:
        return Options(model=facts.cheaper_model)
    if facts.handoff is not None and facts.handoff.on_budget is not False:
        return HandOver("budget")
    return Say("budget", facts.budget_message, once="day")


def within_hours(facts: Facts) -> Say | Options | None:
    """Outside of the hours a person reads so, once a night: instead of an answer, or with the first one."""
    outside = facts.outside
    if outside is None or opts_out_or_in(facts) is not None:
        return None
    if outside.mode == "away":
        return Say("hours", outside.text, once="night", since=outside.since, answered_at=outside.until)
    if facts.conversation is not None and was_noticed(facts.conversation, "hours", facts.now, outside.since):
        return None
    return Options(begins_with=(Beginning("hours", outside.text),))


def was_noticed(conversation: Conversation, notice: str, now: str, since: str | None = None) -> bool:
    """Whether a notice was sent within a day, and since a time where one is given."""
    at = conversation.noticed_at(notice)
    return at is not None and is_within(at, now, DAY_SECONDS) and (since is None or at >= since)


def is_disclosed(facts: Facts) -> Options | None:
    """The first answer to a person says that an assistant gives it."""
    return Options(begins_with=(Beginning(DISCLOSURE, facts.disclosure),)) if facts.disclosure else None


def has_consented(facts: Facts) -> Say | Silent | Options | None:
    """Before a yes that is required nothing of a person reaches a model, nor is it transcribed. A word alone that opts
    out or in is confirmed as ever."""
    step = facts.consent
    if step is None:
        return Options(begins_with=(Beginning(*facts.consent_notice),)) if facts.consent_notice is not None else None
    if opts_out_or_in(facts) is not None:
        return None
    is_known = facts.conversation is not None and was_noticed(facts.conversation, step.notice, facts.now)
    if step.act == "ask_again" and is_known:
        return Silent("consent")
    return Say(_CONSENT_REASONS[step.act], step.text, once="minute", consent=step)


_CONSENT_REASONS: Mapping[str, Reason] = {
    "ask": "consent",
    "ask_again": "consent",
    "refused": "consent_no",
    "revoked": "consent_revoked",
}


def has_words(facts: Facts) -> Say | None:
    """Files alone do not reach the model, which would take their names for words."""
    if not facts.contents or not all(needs_words(content) for content in facts.contents):
        return None
    return Say("media", facts.not_understood_message, once="minute")


def opts_out_or_in(facts: Facts) -> Say | Silent | None:
    """STOP alone is confirmed by us, not by the model, and once: who has opted out already gets no further message.
    START alone is a greeting of a person who has not."""
    if not facts.asked or None in facts.asked:
        return None
    if facts.asked[-1] == "out":
        return Say("opt_out", facts.opt_out_message, once="minute") if facts.is_new else Silent("opt_out")
    return Say("opt_in", facts.opt_in_message, once="minute") if facts.is_new else None


def needs_answer(facts: Facts) -> Silent | Options | None:
    """Each delivered message costs, also "You're welcome!". Thanks for an answer that asked nothing are not answered;
    of other short words the model decides. Never where they can be a yes: to a question, or to the words of anything
    but the model."""
    answer = facts.last_answer
    if not facts.may_stay_unanswered or answer is None or not facts.contents:
        return None
    if asks(answer.text) or not is_within(answer.at, facts.now, ANSWER_SECONDS):
        return None
    texts = [text for content in facts.contents if (text := plain_text(content)) is not None]
    if len(texts) < len(facts.contents):
        return None
    if all(is_thanks(text) for text in texts):
        return Silent("no_reply")
    said = "\n".join(texts)
    return Options(offers_no_reply=True) if len(said) <= SHORT and not asks(said) else None


CHECKS: Sequence[Check] = (
    bot_exists,
    person_is_not_blocked,
    assistant_has_it,
    client_is_active,
    not_in_a_loop,
    within_rate_limits,
    asks_something,
    asks_for_no_person,
    within_budget,
    within_hours,
    has_consented,
    has_words,
    opts_out_or_in,
    needs_answer,
    is_disclosed,
)
"""In order of precedence."""


_BEFORE_BUDGET = CHECKS[: CHECKS.index(within_budget)]
_AS_CONFIGURED = MayAnswer()


def reaches_budget(facts: Facts) -> bool:
    """Whether the answer depends on the budget: nothing before it objects. Only then is a turn admitted there."""
    return isinstance(decide(facts, _BEFORE_BUDGET), MayAnswer)


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
    """Options merged: the first of two models, both of two lines."""
    lines = [line for line in (first.line, second.line) if line is not None]
    return Options(
        model=first.model if first.model is not None else second.model,
        line="\n".join(lines) if lines else None,
        offers_no_reply=first.offers_no_reply or second.offers_no_reply,
        begins_with=second.begins_with + first.begins_with,
    )
