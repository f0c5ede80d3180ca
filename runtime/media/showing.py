"""A user's file for a person who reads the conversation: found by its place there, recorded in the audit, and sent as
what it is. The API and the console show files by this."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from runtime.content.parts import Media
from runtime.errors import OperatorError
from runtime.media.file_types import PDF
from runtime.media.viewing import MediaViews, View
from runtime.store import catalog
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.messages import files
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Account, Accounts

BLOCK: Final = 256 * 1024
SEND_SECONDS: Final = 120.0
"""Time limit of sending one file: who does not read it keeps room from others."""
MOST_FILES: Final = 10
"""Of one message."""

log = structlog.get_logger("runtime.media")


class NoSuchFile(OperatorError):
    """There is no such file, or it is another client's."""


class FileDeleted(OperatorError):
    """It was deleted at Twilio, and there is no other copy."""

    def __init__(self, at: str) -> None:
        super().__init__(
            f"The file was deleted at Twilio on {at[:10]} at {at[11:16]} UTC, as data.retention.media of the client "
            "says; there is no other copy."
        )


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be shown."""

    part: Media
    account: Account


class FilesOfUsers:
    """Finds files that users sent, and sends them to a person's browser."""

    def __init__(self, database: Database, accounts: Accounts, views: MediaViews) -> None:
        self._database = database
        self._accounts = accounts
        self._views = views

    async def find(
        self, conversation_id: int, inbox_id: int, index: int, actor: Actor, clients: AbstractSet[str] | None
    ) -> FoundFile:
        """A file of a message, of these clients or of all. Raises NoSuchFile, FileDeleted and AccountError."""
        found = await self._database.read(files.file_of, conversation_id, inbox_id, index)
        bot = None
        if found is not None:
            bot = await self._database.read(catalog.get, BotRecord, found.bot_id, clients)
        if found is None or (bot is None and clients is not None):
            raise NoSuchFile(f"There is no file {index} of a message {inbox_id} in that conversation.")
        if found.part.deleted_at is not None:
            raise FileDeleted(found.part.deleted_at)
        account = self._accounts.account_with(found.account_sid, bot)
        client = bot.label if bot is not None else found.bot_id
        await self._database.write(files.record_reading, actor, client, conversation_id, inbox_id)
        return FoundFile(found.part, account)

    async def send(self, file: FoundFile, request: web.Request) -> web.StreamResponse:
        """Raises NotThere where Twilio has it no more, PermanentError and TemporaryError."""
        async with self._views.view(file.part.url, file.account, file.part.content_type) as view:
            return await _sent(view, request)


async def _sent(view: View, request: web.Request) -> web.StreamResponse:
    """Writes a file as what it is: nothing in it may run in the page of who looks at it."""
    how = "inline" if view.is_shown else "attachment"
    response = web.StreamResponse(
        headers={
            "Content-Type": view.content_type,
            "Content-Disposition": f'{how}; filename="{view.name}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
            # A browser's own viewer of PDF does not run in a sandbox.
            **({} if view.content_type == PDF else {"Content-Security-Policy": "default-src 'none'; sandbox"}),
        }
    )
    response.content_length = view.size
    await response.prepare(request)
    try:
        async with asyncio.timeout(SEND_SECONDS):
            with view.path.open("rb") as file:
                while block := await asyncio.to_thread(file.read, BLOCK):
                    await response.write(block)
            await response.write_eof()
    except TimeoutError:
        log.warning("file_view_aborted", seconds=SEND_SECONDS, size=view.size)
        if request.transport is not None:
            request.transport.abort()
    return response
