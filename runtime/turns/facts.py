"""What the policy is asked with, as a turn begins: gathered here, decided in `policy`."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.budgets.budgets import Budgets
from runtime.catalog import Catalog, Configuration
from runtime.content.rendering import as_text
from runtime.memory import is_one_of
from runtime.settings import Settings
from runtime.store.messages.turns import Turn
from runtime.turns.beginnings import disclosure_for
from runtime.turns.consent import ConsentStep, consent_notice
from runtime.turns.loops import LoopSign, sign_of_loop
from runtime.turns.media_sentences import has_something, sentence_for
from runtime.turns.opting_out import optings_of
from runtime.turns.outside_hours import Calendars, outside_of
from runtime.turns.policy import Facts, is_loop_pause, reaches_budget
from runtime.turns.prepare import Preparers, reads_any
from runtime.turns.progress import engine_notes
from schemas.addresses import number_of
from schemas.policy import Policy


@dataclass(frozen=True, slots=True)
class FactFinder:
    """Gathers the facts of turns."""

    settings: Settings
    catalog: Catalog
    preparers: Preparers
    budgets: Budgets
    calendars: Calendars = field(default_factory=Calendars)

    async def sign_of_loop(self, turn: Turn, now: str) -> LoopSign | None:
        """By what the other side shows that it is a program, if it does and is not paused for it."""
        if is_loop_pause(turn.conversation, now):
            return None
        if await self.catalog.is_ours(number_of(turn.messages[-1].sender)):
            return "own_number"
        return sign_of_loop(turn)

    async def found(
        self,
        turn: Turn,
        configuration: Configuration | None,
        now: str,
        sign: LoopSign | None,
        consent: ConsentStep | None,
    ) -> Facts:
        """The facts of a turn at a time. Whether the client's month is used up is asked last, and only where something
        depends on it."""
        policy = configuration.policy if configuration else Policy()
        if configuration is not None:
            await self.calendars.know(policy, now)
        contents = [message.content for message in turn.messages]
        optings = optings_of(turn, policy)
        zone = configuration.timezone if configuration else None
        is_read = configuration is not None and reads_any(contents, self.preparers, configuration)
        off = self.settings.not_understood_message
        facts = Facts(
            configuration.bot if configuration else None,
            turn.conversation,
            now,
            contents=[] if is_read else contents,
            not_understood_message="" if has_something(contents) else sentence_for(contents, policy, off),
            is_loop=sign is not None,
            handoff=policy.handoff,
            budget_message=self.settings.budget_message,
            asked=[one.asked for one in optings],
            is_new=any(one.is_new for one in optings),
            opt_out_message=self.settings.opt_out_message,
            opt_in_message=self.settings.opt_in_message,
            outside=outside_of(policy, zone or self.settings.timezone, now),
            disclosure=disclosure_for(turn, policy),
            consent_notice=consent_notice(turn, policy),
            last_answer=turn.last_answer,
            may_stay_unanswered=_may_stay_unanswered(turn, policy),
            consent=consent,
        )
        return await self._with_budget(turn, configuration, facts)

    async def _with_budget(self, turn: Turn, configuration: Configuration | None, facts: Facts) -> Facts:
        """The facts, with whether the client's month is used up. Where nothing depends on that, nothing is asked."""
        budget = configuration.policy.budget if configuration else None
        if configuration is None or budget is None or budget.on_exceeded == "notify" or not reaches_budget(facts):
            return facts
        if await self.budgets.admit(configuration.bot.label, budget, turn.id):
            return facts
        model = budget.cheaper_model if budget.on_exceeded == "cheaper_model" else None
        return facts._replace(is_over_budget=True, cheaper_model=model)


def _may_stay_unanswered(turn: Turn, policy: Policy) -> bool:
    """Whether the policy may look for thanks in a turn's messages."""
    if turn.last_answer is None or (policy.replies and policy.replies.no_reply is False) or engine_notes(turn.progress):
        return False
    reset_words = (policy.memory and policy.memory.reset_words) or ()
    return not any(is_one_of(as_text(message.content), reset_words) for message in turn.messages)
