"""The request to an engine in a turn: built from the turn, its bot and assistant, and the options of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runtime.catalog import Configuration
from runtime.content.rendering import as_text
from runtime.engines.functions import FunctionCall, Functions
from runtime.engines.person import person_of
from runtime.engines.port import Request
from runtime.memory import current, is_one_of, recalled, user_hash
from runtime.store.database.database import Database
from runtime.store.messages import turns
from runtime.store.messages.quotes import quoted_text
from runtime.store.messages.turns import Turn
from runtime.turns.context import context_note
from runtime.turns.policy import Options
from runtime.turns.prepare import Preparer, prepared
from runtime.turns.progress import Progress
from schemas.policy import Memory, seconds_of

STARTS_OVER = "They ask to start over: greet them and offer help, and refer to nothing from before."


@dataclass(frozen=True, slots=True)
class Requests:
    """Builds the requests of turns."""

    database: Database
    functions: Functions
    preparers: Sequence[Preparer]
    salt: str
    """Key of the hashes under which engines know users."""
    memory_tokens: int
    """How much of a conversation is sent, in tokens, where the bot's policy does not set it."""
    timezone: str
    """The zone of clients for whom neither a manifest nor a number decides."""

    def progress_of(self, turn: Turn) -> Progress:
        """The progress of a turn, for one attempt."""

        async def keep_progress(progress: str) -> None:
            await self.database.write(turns.keep_progress, turn.hold, progress)

        return Progress(turn.progress, keep_progress)

    async def of(
        self,
        turn: Turn,
        configuration: Configuration,
        options: Options,
        progress: Progress,
        other_history: Sequence[turns.HistoryItem] | None = None,
    ) -> Request:
        """The request of one attempt at a turn, its messages prepared; with another history than the turn's where one
        is given. Raises the errors of preparers and the store."""
        past = turn.history if other_history is None else other_history
        bot, assistant = configuration.bot, configuration.assistant
        client = bot.label
        conversation = user_hash(self.salt, bot.id, turn.conversation.user_key)
        rules = configuration.policy.memory or Memory()
        zone = ZoneInfo(configuration.timezone or self.timezone)
        now, person = datetime.now(zone), person_of(turn)

        async def call_function(name: str, arguments: str, call_id: str) -> str:
            time = datetime.now(zone).isoformat(timespec="seconds")
            call = FunctionCall(name, arguments, call_id, client, conversation, time, person)
            return await self.functions.call(bot.functions.get(name), call)

        async def keep_thread(thread_id: str) -> None:
            await self.database.write(turns.keep_thread, turn.hold, thread_id)

        messages = await prepared(turn.messages, self.preparers, configuration, progress)
        starts_over = any(is_one_of(as_text(message.content), rules.reset_words or ()) for message in messages)
        expires = seconds_of(rules.expires_after) if rules.expires_after else None
        history = [] if starts_over else current(past, expires, rules.reset_words or (), now)
        note = context_note(turn, person, configuration.policy.context, now, await self._quoted(turn))
        return Request(
            turn_id=turn.id,
            client=client,
            assistant_id=bot.assistant_id or bot.id,
            assistant_name=assistant.name if assistant else bot.name,
            model=options.model or bot.model or (assistant.model if assistant else None),
            instructions=bot.instructions or (assistant.instructions if assistant else None),
            note="\n".join(filter(None, (note, STARTS_OVER if starts_over else None, options.line))) or None,
            tools=assistant.tools if assistant else (),
            settings=assistant.settings if assistant else {},
            history=recalled(history, configuration.memory_tokens or self.memory_tokens, now),
            messages=messages,
            starts_over=starts_over or (bool(past) and not history),
            user_hash=conversation,
            progress=progress.items,
            keep_progress=progress.keep_items,
            call_function=call_function,
            thread_id=turn.conversation.thread_id,
            keep_thread=keep_thread,
        )

    async def _quoted(self, turn: Turn) -> str | None:
        """The text that the newest message replies to. Only a message that quotes one is worth a read."""
        message = turn.messages[-1]
        if message.content.quoted is None:
            return None
        sid = message.content.quoted.message_sid
        return await self.database.read(quoted_text, turn.conversation.id, message.account_sid, sid)
