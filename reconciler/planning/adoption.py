"""Bots created by hand that are as the manifest declares: the plan adopts them as they are. Pure.

A bot and its assistant are compared by their effective values. Any other is left unchanged until `reconcile adopt`
adopts it (see `requested_adoption`).
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.kinds.assistant import plan as assistant
from reconciler.kinds.assistant.live import objects_of, own_assistant_id
from reconciler.kinds.bot.live import values_of
from reconciler.kinds.bot.plan import declared as declared_bot
from reconciler.kinds.changes import adoption
from reconciler.kinds.client_plan import ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.diff import field_changes
from reconciler.kinds.unmanaged_bots import (
    AssistantUnavailable,
    UnmanagedBot,
    bot_as_declared,
    engine_of,
    read_unmanaged,
)
from reconciler.kinds.withheld import Withheld
from reconciler.model import UNKNOWN_ID, Values
from runtime.store.records import BotRecord


def adopted(context: ClientContext, bot: BotRecord) -> ClientPlan:
    """Adopts a bot created by hand and its assistant, when together they are as declared.

    Raises `Withheld` when they are not. An assistant that is managed already is updated where necessary.
    """
    made_by_hand = f"the bot {bot.id!r} of {context.manifest.client.number} was made by hand"
    advice = f"`reconcile adopt {context.id}` adopts it"
    if engine_of(bot, context.store) != context.manifest.client.assistant.engine:
        raise Withheld(f"{made_by_hand}, and differs from what is declared (engine); {advice}")
    try:
        found = read_unmanaged(bot, context.store, context.live_state.objects)
    except AssistantUnavailable as error:
        raise Withheld(f"{made_by_hand}, and {error}; {advice}") from error
    found.withhold_foreign()
    declared = assistant.declared(context)
    differing = _differences(context, found, declared)
    if differing:
        raise Withheld(f"{made_by_hand}, and differs from what is declared ({', '.join(differing)}); {advice}")
    assistant_id, part = _assistant(context, found, declared)
    after, before = declared_bot(context, assistant_id), values_of(bot)
    change = adoption(context, "bot", bot.twilio_phone_number, bot.id, before, after, before)
    return replace(part, adoptions=[*part.adoptions, change])


def _differences(context: ClientContext, found: UnmanagedBot, declared: Values) -> list[str]:
    """Paths at which a bot created by hand differs from what is declared.

    Tools and functions are compared as a whole, since what a manifest cannot declare of them would be lost. A setting
    that was never set has no value that could differ.
    """
    # The assistant's own name stays where the manifest declares it; a bot's name is the default for both.
    own_name = {"name": declared["name"]} if declared["name"] == found.own.get("name") else {}
    changes = field_changes({**found.effective, **own_name}, declared)
    paths = [change.path for change in changes if change.steps[0] not in ("tools", "settings")]
    paths += [change.path for change in changes if change.steps[0] == "settings" and change.old is not None]
    if found.effective["tools"] != declared["tools"]:
        paths.append("tools")
    wanted = {**context.desired("bot"), "assistant_id": None}
    shown = bot_as_declared(found.bot, context.settings)
    if _uses_templates_of_the_console(context):
        # The bot has not named them so far, which changes nothing of what it does.
        policy = {key: value for key, value in wanted["policy"].items() if key not in ("templates", "template_sids")}
        wanted = {**wanted, "policy": policy}
    paths += [change.path for change in field_changes(shown, wanted) if change.steps[0] != "functions"]
    if shown["functions"] != wanted["functions"]:
        paths.append("functions")
    return list(dict.fromkeys(paths))


def _uses_templates_of_the_console(context: ClientContext) -> bool:
    templates = context.manifest.client.templates or {}
    return all(template.content_sid is not None for template in templates.values())


def _assistant(context: ClientContext, found: UnmanagedBot, declared: Values) -> tuple[str, ClientPlan]:
    """The id of the bot's assistant after the adoption, and the changes for it."""
    engine = found.engine
    if context.record is not None if engine == "responses" else objects_of(context, engine):
        # An interrupted run has adopted it already, or created the copy.
        return own_assistant_id(context), assistant.plan(context)
    if found.live_id is not None and found.may_be_taken(context.id, context.store):
        metadata = {"metadata": dict(found.metadata)}
        change = adoption(context, "assistant", engine, found.live_id, found.own, declared, metadata)
        return found.live_id, ClientPlan(adoptions=(change,))
    if engine == "responses" and context.id in context.store.assistants:
        raise Withheld(
            f"the bot store has another assistant {context.id!r} that was made by hand; `reconcile adopt {context.id}` "
            "adopts it"
        )
    change = adoption(context, "assistant", engine, None, found.effective, declared, {})
    return context.id if engine == "responses" else UNKNOWN_ID, ClientPlan(adoptions=(change,))
