"""Writes at the desk what was said: a user's words and files, the assistant's answers as its bot, and why people have
the conversation. Each once: recorded before it is written, and looked up where an answer is lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import structlog

from runtime.catalog import Configuration
from runtime.content.parts import Media
from runtime.desk.chatwoot import DeskCalls, DeskFile, DeskRefused, FailedAtDesk, NewMessage, NotAtDesk, NotYet
from runtime.desk.words import note_of, text_of
from runtime.errors import PermanentError, ProviderError, TemporaryError, UnknownOutcome
from runtime.media.viewing import MediaViews
from runtime.store.database.database import Database
from runtime.store.messages import desk, handoff_summaries
from runtime.store.messages.desk import OURS, DeskConversation, UnshownMessage
from runtime.twilio.accounts import Account, AccountError, Accounts

BATCH: Final = 20
"""Messages that are recorded together before they are written."""
LOST_SECONDS: Final = 6.0
"""For how long a write may yet be made that got no answer: with the call's own limit, longer than Chatwoot works on
one."""
_FLOOD: Final = "Too many messages"
_FLOOD_SECONDS: Final = 60.0

log = structlog.get_logger("runtime.desk")


class PersonWithdrawn(Exception):
    """A conversation's user was blocked or erased: nothing more of it is shown or read."""


class Mirror:
    """Writes at one inbox."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        views: MediaViews,
        configuration: Configuration,
        calls: DeskCalls,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._views = views
        self._configuration = configuration
        self._calls = calls

    async def write(self, shown: DeskConversation, number: int, bot: int | None) -> None:
        """Writes what is not at the desk yet, in order, and the note of a handoff last, once it has its summary."""
        is_handoff = shown.state == "human" and shown.note_at != (shown.state_since or "")
        if is_handoff and shown.known_state is not None:
            await self._database.write(desk.start_over, shown.id)
        while batch := await self._database.read(desk.waiting, shown.id, BATCH):
            new = await self._database.write(desk.begin, shown.id, [(one.key, one.outbox_id) for one in batch])
            await self._each(shown.id, number, [(one.key, one) for one in batch if one.key in new], bot, "")
        if is_handoff and not await self._database.read(handoff_summaries.is_pending, shown.id):
            key = f"note:{shown.state_since or ''}"
            new = await self._database.write(desk.begin, shown.id, [(key, None)])
            await self._each(shown.id, number, [(key, None)] if new else [], bot, note_of(shown))

    async def _each(
        self,
        conversation_id: int,
        number: int,
        batch: list[tuple[str, UnshownMessage | None]],
        bot: int | None,
        note: str,
    ) -> None:
        """Writes a batch that is recorded; what was written is recorded also where one of them fails. Raises
        PersonWithdrawn."""
        ids: dict[str, int] = {}
        for index, (key, message) in enumerate(batch):
            rest = [later for later, _ in batch[index + 1 :]]
            if await self._database.read(desk.shown, conversation_id) is None:
                await self._database.write(desk.written, conversation_id, ids, unwritten=[key, *rest])
                raise PersonWithdrawn
            try:
                ids[key] = await self._one(number, key, message, bot, note)
            except NotAtDesk:
                raise
            except UnknownOutcome as error:
                doubted = {key: 0.0 if isinstance(error, FailedAtDesk) else LOST_SECONDS}
                await self._database.write(desk.written, conversation_id, ids, doubted=doubted, unwritten=rest)
                raise
            except DeskRefused as error:
                if _FLOOD in str(error):
                    await self._database.write(desk.written, conversation_id, ids, unwritten=[key, *rest])
                    raise NotYet(str(error), _FLOOD_SECONDS) from error
                log.error("desk_message_refused", conversation=conversation_id, message=key, error=str(error))
                await self._database.write(desk.give_up, conversation_id, key, str(error))
            except ProviderError:
                await self._database.write(desk.written, conversation_id, ids, unwritten=[key, *rest])
                raise
        await self._database.write(desk.written, conversation_id, ids)

    async def _one(self, number: int, key: str, message: UnshownMessage | None, bot: int | None, note: str) -> int:
        source_id = OURS + key
        if message is None:
            return await self._calls.write(number, NewMessage(note, source_id, private=True, bot=bot))
        if message.is_ours:
            writer = bot if message.author is None else None
            own = NewMessage(text_of(message), source_id, bot=writer, written_at=message.at)
            return await self._calls.write(number, own)
        async with AsyncExitStack() as stack:
            files, unfetched = await self._files(message, stack)
            words = text_of(message, unfetched)
            said = NewMessage(words, source_id, "incoming", files=files, written_at=message.at)
            return await self._calls.write(number, said)

    async def _files(self, message: UnshownMessage, stack: AsyncExitStack) -> tuple[list[DeskFile], frozenset[int]]:
        """A user's files, from Twilio; and which of them cannot be fetched."""
        files: list[DeskFile] = []
        unfetched = set()
        parts = [part for part in message.content.parts if isinstance(part, Media)] if message.content else []
        for index, part in enumerate(parts):
            try:
                account = self._account_of(message)
                view = await stack.enter_async_context(self._views.view(part.url, account, part.content_type))
                content = await asyncio.to_thread(view.path.read_bytes)
                files.append(DeskFile(view.name, view.content_type, content))
            except (AccountError, PermanentError, TemporaryError) as error:
                log.warning("desk_file_missing", message=message.key, error=str(error))
                unfetched.add(index)
        return files, frozenset(unfetched)

    def _account_of(self, message: UnshownMessage) -> Account:
        """The account that a message's files are in."""
        account = self._accounts.account_of(self._configuration.bot)
        if account.sid != message.account_sid:
            raise PermanentError("The file is in an account that the bot has no longer.")
        return account
