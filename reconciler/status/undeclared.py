"""Bots that answer, or should, and that no manifest declares. Pure: everything was read before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.kinds.unmanaged_bots import AssistantUnavailable, read_unmanaged
from reconciler.manifest import Fleet
from reconciler.observation.live_state import LiveState, Store
from reconciler.render.times import local_minute
from reconciler.render.wording import visible
from reconciler.status.table import wrapped
from runtime.store.activity_records import ActivityRecord
from terminal.language import said


@dataclass(frozen=True, slots=True)
class UndeclaredBot:
    """A bot without a manifest."""

    bot_id: str
    name: str
    number: str
    client: str | None
    """The client whose manifest is missing; None for a bot that was made by hand."""
    state: str
    assistant_id: str | None
    last_message_at: str | None
    problem: str | None
    """Why it cannot answer; None when nothing is known."""


def undeclared_bots(
    fleet: Fleet, live_state: LiveState, store: Store, activity: Iterable[ActivityRecord]
) -> list[UndeclaredBot]:
    """Those bots, in the order of their ids. `fleet`: all manifests."""
    clients = {manifest.client.id for manifest in fleet.clients}
    numbers = {manifest.client.number for manifest in fleet.clients}
    heard = {item.bot_id: item.last_message_at for item in activity}
    found = []
    for bot in store.bots.values():
        if bot.client in clients or (bot.client is None and bot.twilio_phone_number in numbers):
            continue
        problem = None
        try:
            read_unmanaged(bot, store, live_state.objects)
        except AssistantUnavailable as error:
            problem = str(error)
        found.append(
            UndeclaredBot(
                bot.id,
                bot.name,
                bot.twilio_phone_number,
                bot.client,
                bot.state,
                bot.assistant_id,
                heard.get(bot.id),
                problem,
            )
        )
    return sorted(found, key=lambda bot: bot.bot_id)


def undeclared_text(bots: Sequence[UndeclaredBot], width: int | None) -> str:
    """A heading and a line for each; empty when there is none. `width`: characters that a line may have."""
    if not bots:
        return ""
    heading = said("\nBots without a manifest:\n")
    return heading + "".join(wrapped(f"  {visible(_line(bot))}.", width) for bot in bots)


def _line(bot: UndeclaredBot) -> str:
    paused = said(", paused") if bot.state == "paused" else ""
    heard = f"last message {local_minute(bot.last_message_at)}" if bot.last_message_at else "no message yet"
    origin = (
        "made by hand, `reconcile import` writes its manifest"
        if bot.client is None
        else f"the manifest of {bot.client!r} is missing, `reconcile --prune` deletes it"
    )
    problem = said(f"; it cannot answer: {bot.problem}") if bot.problem else ""
    return f"{bot.number}  {bot.bot_id} ({bot.name}{paused}), {said(heard)}; {said(origin)}{problem}"
