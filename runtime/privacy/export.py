"""Exports what there is about a person, with the files that Twilio still has, as a package. A blocked person's too."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime.errors import PermanentError, TemporaryError
from runtime.media.viewing import MediaViews
from runtime.privacy.erasure import address_of, unknown
from runtime.privacy.package import FileKey, person_document, write_package
from runtime.store import catalog
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import person_copies
from runtime.store.messages.person_copies import PersonFile, WholeConversation
from runtime.store.messages.receipts import PersonReceipt
from runtime.twilio.accounts import AccountError, Accounts

OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class ExportedPerson:
    """A package that was written."""

    conversations: int
    messages: int
    files: int
    missing: int
    """Number of files that are not in it."""
    is_blocked: bool
    sha256: str
    receipt: PersonReceipt


@dataclass(frozen=True, slots=True)
class CopiedFiles:
    """Files of people, fetched for a package."""

    names: Mapping[FileKey, str]
    """In the package."""
    missing: Mapping[FileKey, str]
    """Why others are not in it."""
    sources: Mapping[str, Path]
    """Name in the package → where it lies."""


@dataclass(frozen=True, slots=True)
class FileCopies:
    """Fetches people's files from Twilio."""

    database: Database
    accounts: Accounts
    views: MediaViews

    async def of(self, conversations: Sequence[WholeConversation], folder: Path) -> CopiedFiles:
        """Fetches the files of conversations into a folder."""
        names: dict[FileKey, str] = {}
        missing: dict[FileKey, str] = {}
        sources: dict[str, Path] = {}
        for file in (file for one in conversations for file in one.files):
            key = (file.inbox_id, file.index)
            try:
                name, source = await self._one(file, folder)
            except (AccountError, PermanentError, TemporaryError) as error:
                missing[key] = str(error)
            else:
                names[key], sources[name] = name, source
        return CopiedFiles(names, missing, sources)

    async def _one(self, file: PersonFile, folder: Path) -> tuple[str, Path]:
        """Fetches a file. Raises AccountError, PermanentError or TemporaryError."""
        if file.deleted_at is not None:
            raise PermanentError(f"It was deleted at Twilio at {file.deleted_at}, and there is no other copy.")
        bot = await self.database.read(catalog.get_bot, file.bot_id)
        account = self.accounts.account_with(file.account_sid, bot)
        async with self.views.view(file.url, account, file.content_type) as view:
            name = f"media/{file.inbox_id}-{file.index}{Path(view.name).suffix}"
            copy = folder / Path(name).name
            await asyncio.to_thread(shutil.copyfile, view.path, copy)
        return name, copy


@dataclass(frozen=True, slots=True)
class PersonExport:
    """Writes packages."""

    database: Database
    copies: FileCopies

    async def write(self, user: str, client: str | None, actor: Actor, path: Path) -> ExportedPerson:
        """Writes the package of a person, whole or not at all, and issues the receipt; raises UnknownUser, and OSError
        where it cannot be written."""
        clients = None if client is None else [client]
        found = await self.database.read(person_copies.find, address_of(user), clients)
        if not found.is_known:
            raise unknown(user)
        read = [await self.database.read(person_copies.whole, one.id) for one in found.conversations]
        conversations = [one for one in read if one is not None]
        with TemporaryDirectory(dir=path.parent, prefix=".person-") as scratch:
            copied = await self.copies.of(conversations, Path(scratch))
            document = person_document(found, conversations, copied.names, copied.missing, timestamp())
            whole = Path(scratch) / "package.zip"
            whole.touch(OWNER_ONLY)
            digest = await asyncio.to_thread(write_package, whole, document, copied.sources)
            await asyncio.to_thread(whole.replace, path)
        messages = sum(len(one.thread.messages) for one in conversations)
        facts = _facts(len(conversations), messages, len(copied.names), copied.missing, digest)
        ids = [one.id for one in found.conversations]
        receipt = await self.database.write(person_copies.record_export, actor, client, found.hashes, ids, facts)
        is_blocked = bool(document["is_blocked"])
        return ExportedPerson(
            len(conversations), messages, len(copied.names), len(copied.missing), is_blocked, digest, receipt
        )


def _facts(
    conversations: int, messages: int, files: int, missing: Mapping[FileKey, str], digest: str
) -> dict[str, Any]:
    """What the receipt says."""
    done = [
        {"where": "package", "what": "conversations", "count": conversations},
        {"where": "package", "what": "messages", "count": messages},
        {"where": "package", "what": "files", "count": files},
    ]
    left = [{"where": "twilio", "why": f"a file of message {inbox}: {why}"} for (inbox, _), why in missing.items()]
    return {"done": done, "left": left, "remains": [], "package_sha256": digest}
