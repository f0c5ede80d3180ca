"""The request to an engine in a turn: built from the turn, its bot and assistant, and the options of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runtime.catalog import Configuration
from runtime.content.rendering import as_text
from runtime.engines.functions import FunctionCall
from runtime.engines.mcp import headers_of_servers, offered
from runtime.engines.person import Person, person_of
from runtime.engines.port import Request
from runtime.engines.sending import accepted_calls
from runtime.media.folder import TurnFiles
from runtime.memory import current, is_one_of, recalled, user_hash
from runtime.settings import Secrets
from runtime.store.database.database import Database
from runtime.store.messages import turns
from runtime.store.messages.quotes import quoted_text
from runtime.store.messages.turns import Turn, WaitingMessage
from runtime.store.records import BotRecord
from runtime.turns.context import context_note, length_note
from runtime.turns.policy import Options
from runtime.turns.ports import SYSTEM_CLOCK, CallsFunctions, Clock
from runtime.turns.prepare import Attempt, Preparer, prepared, reading_of
from runtime.turns.progress import Progress
from runtime.turns.sending import Sending, tools_of
from schemas.data_policy import seconds_of
from schemas.function_names import NO_REPLY
from schemas.policy import Memory

_NO_RULES = Memory()
STARTS_OVER = "They ask to start over: greet them and offer help, and refer to nothing from before."


@dataclass(frozen=True, slots=True)
class Requests:
    """Builds the requests of turns."""

    database: Database
    functions: CallsFunctions
    secrets: Secrets
    preparers: Sequence[Preparer]
    salt: str
    """Key of the hashes under which engines know users."""
    memory_tokens: int
    """How much of a conversation is sent, in tokens, where the bot's policy does not set it."""
    timezone: str
    """The zone of clients for whom neither a manifest nor a number decides."""
    clock: Clock = SYSTEM_CLOCK

    def progress_of(self, turn: Turn) -> Progress:
        """The progress of a turn, for one attempt."""

        async def keep_progress(progress: str) -> None:
            await self.database.write(turns.keep_progress, turn.hold, progress)

        return Progress(turn.progress, keep_progress)

    async def prepared(
        self,
        turn: Turn,
        configuration: Configuration,
        options: Options,
        progress: Progress,
        files: TurnFiles,
        deadline: float,
    ) -> Sequence[WaitingMessage]:
        """The turn's messages in the form for the engine. Their files lie in `files`. `deadline`: a time of
        `time.monotonic`. Raises the errors of preparers and the store."""
        attempt = Attempt(reading_of(configuration, options.model), turn.id, progress, files, deadline)
        messages = await prepared(turn.messages, self.preparers, attempt)
        files.read()
        return messages

    async def of(
        self,
        turn: Turn,
        configuration: Configuration,
        options: Options,
        progress: Progress,
        messages: Sequence[WaitingMessage],
        other_history: Sequence[turns.HistoryItem] | None = None,
    ) -> Request:
        """The request of one attempt at a turn, with its prepared messages; with another history than the turn's where
        one is given. Raises the errors of the store."""
        past = turn.history if other_history is None else other_history
        bot, assistant = configuration.bot, configuration.assistant
        client = bot.label
        conversation = user_hash(self.salt, bot.id, turn.conversation.user_key)
        rules = configuration.policy.memory or _NO_RULES
        zone = ZoneInfo(configuration.timezone or self.timezone)
        now, person = datetime.fromtimestamp(self.clock(), zone), person_of(turn)
        sending = Sending(configuration.policy, self.database, [*accepted_calls(progress.items)])
        calls = _Calls(self, turn, bot, conversation, zone, person, sending)
        words = rules.reset_words or ()
        starts_over = bool(words) and any(is_one_of(as_text(message.content), words) for message in messages)
        expires = seconds_of(rules.expires_after) if rules.expires_after else None
        history = [] if starts_over else current(past, expires, words, now)
        note = context_note(turn, person, configuration.policy.context, now, await self._quoted(turn))
        length = length_note(configuration.policy.replies)
        own = offered(assistant.tools if assistant else (), self.secrets)
        tools = [*own, *tools_of(configuration.policy, [str(tool.get("name")) for tool in own])]
        return Request(
            turn_id=turn.id,
            client=client,
            assistant_id=bot.assistant_id or bot.id,
            assistant_name=assistant.name if assistant else bot.name,
            model=options.model or bot.model or (assistant.model if assistant else None),
            instructions=bot.instructions or (assistant.instructions if assistant else None),
            note="\n".join(filter(None, (note, length, STARTS_OVER if starts_over else None, options.line))) or None,
            tools=tools,
            settings=assistant.settings if assistant else {},
            history=recalled(history, configuration.memory_tokens or self.memory_tokens, now),
            messages=messages,
            starts_over=starts_over or (bool(past) and not history),
            user_hash=conversation,
            progress=progress.items,
            keep_progress=progress.keep_items,
            spend=progress.spend,
            call_function=calls.call_function,
            thread_id=turn.conversation.thread_id,
            keep_thread=calls.keep_thread,
            server_headers=headers_of_servers(configuration.policy.server_headers or {}, self.secrets),
            offers_no_reply=options.offers_no_reply and not any(tool.get("name") == NO_REPLY for tool in tools),
        )

    async def _quoted(self, turn: Turn) -> str | None:
        """The text that the newest message replies to. Only a message that quotes one is worth a read."""
        message = turn.messages[-1]
        if message.content.quoted is None:
            return None
        sid = message.content.quoted.message_sid
        return await self.database.read(quoted_text, turn.conversation.id, message.account_sid, sid)


class _Calls:
    """What an engine calls while it answers a turn. An object, since closures would take four times its memory, in each
    of thousands of conversations that wait for the model."""

    __slots__ = ("_bot", "_conversation", "_person", "_requests", "_sending", "_turn", "_zone")

    def __init__(
        self,
        requests: Requests,
        turn: Turn,
        bot: BotRecord,
        conversation: str,
        zone: ZoneInfo,
        person: Person,
        sending: Sending,
    ) -> None:
        self._requests = requests
        self._turn = turn
        self._bot = bot
        self._conversation = conversation
        self._zone = zone
        self._person = person
        self._sending = sending

    async def call_function(self, name: str, arguments: str, call_id: str) -> str:
        """See Request."""
        if self._sending.answers(name) and name not in self._bot.functions:
            return await self._sending.result(name, arguments)
        time = datetime.fromtimestamp(self._requests.clock(), self._zone).isoformat(timespec="seconds")
        call = FunctionCall(name, arguments, call_id, self._bot.label, self._conversation, time, self._person)
        return await self._requests.functions.call(self._bot.functions.get(name), call)

    async def keep_thread(self, thread_id: str) -> None:
        """See Request."""
        await self._requests.database.write(turns.keep_thread, self._turn.hold, thread_id)
