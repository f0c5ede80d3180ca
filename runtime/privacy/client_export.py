"""Gives a client's data back at the end of the service, as one package.

    client.json          who the client is here: bots, assistants, campaigns, requests, receipts, how many were left out
    conversations.jsonl  one conversation a line, as in a person's package (docs/person-export.md)
    usage.csv            the ledger, row by row
    audit.csv            who read or changed what
    media/               files that people sent, as Twilio still has them

It is read piece by piece while messages come in, so its parts may be a little apart. Blocked people are left out.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

from runtime.errors import OperatorError
from runtime.privacy.export import OWNER_ONLY, FileCopies
from runtime.privacy.package import conversation_document
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import client_copies, person_copies
from runtime.store.messages.client_copies import ClientCopies
from runtime.store.messages.receipts import PersonReceipt

FORMAT: Final = "horizonai-client"
FORMAT_VERSION: Final = 1
USAGE_COLUMNS: Final = ("id", "at", "month", "kind", "model", "quantity", "nano_usd")
AUDIT_COLUMNS: Final = ("id", "at", "actor", "via", "action", "kind", "object")


class UnknownClient(OperatorError):
    """There is nothing of a client of that id."""


@dataclass(frozen=True, slots=True)
class ExportedClient:
    """A package that was written."""

    conversations: int
    files: int
    missing: int
    """Number of files that are not in it."""
    left_out: int
    """Number of conversations of blocked people."""
    sha256: str
    receipt: PersonReceipt


@dataclass(frozen=True, slots=True)
class ClientExport:
    """Writes packages."""

    database: Database
    copies: FileCopies

    async def write(self, client: str, actor: Actor, path: Path, *, media: bool = True) -> ExportedClient:
        """Writes the package of a client, whole or not at all, and issues the receipt; raises UnknownClient, and
        OSError where it cannot be written. `media`: with the files that people sent."""
        found = await self.database.read(client_copies.copies_of, client)
        if found is None:
            raise UnknownClient(f"There is nothing of a client {client!r}; see GET /bots/.")
        with TemporaryDirectory(dir=path.parent, prefix=".client-") as scratch:
            whole = Path(scratch) / "package.zip"
            whole.touch(OWNER_ONLY)
            with ZipFile(whole, "w", ZIP_DEFLATED) as package:
                head = json.dumps(_head(client, found), ensure_ascii=False, indent=2)
                await asyncio.to_thread(package.writestr, "client.json", head)
                await self._rows(package, "usage.csv", USAGE_COLUMNS, client_copies.usage_of, client)
                await self._rows(package, "audit.csv", AUDIT_COLUMNS, client_copies.audit_of, client)
                files, missing = await self._conversations(package, found, Path(scratch), media=media)
            digest = await asyncio.to_thread(_digest, whole)
            await asyncio.to_thread(whole.replace, path)
        facts = _facts(found, files, missing, digest, media=media)
        receipt = await self.database.write(client_copies.record_export, actor, client, found.conversation_ids, facts)
        return ExportedClient(len(found.conversation_ids), files, missing, found.left_out, digest, receipt)

    async def _conversations(
        self, package: ZipFile, found: ClientCopies, scratch: Path, *, media: bool
    ) -> tuple[int, int]:
        """Writes conversations and files; returns how many files are in it, and how many are not."""
        files = missing = 0
        lines = scratch / "conversations.jsonl"
        with lines.open("w", encoding="utf-8") as out:
            for conversation_id in found.conversation_ids:
                one = await self.database.read(person_copies.whole, conversation_id)
                if one is None or one.blocked_at is not None:  # erased or blocked meanwhile
                    continue
                copied = await self.copies.of([one], scratch) if media else None
                names, why = ({}, {}) if copied is None else (copied.names, copied.missing)
                for name, source in (copied.sources if copied is not None else {}).items():
                    await asyncio.to_thread(package.write, source, name)
                    await asyncio.to_thread(source.unlink)
                addresses = await self.database.read(client_copies.addresses_of, conversation_id)
                document = {"addresses": addresses, **conversation_document(one, names, why)}
                out.write(json.dumps(document, ensure_ascii=False) + "\n")
                files, missing = files + len(names), missing + len(why)
        await asyncio.to_thread(package.write, lines, "conversations.jsonl")
        return files, missing

    async def _rows(
        self,
        package: ZipFile,
        name: str,
        columns: Sequence[str],
        read: Callable[..., list[tuple[Any, ...]]],
        client: str,
    ) -> None:
        """Writes rows of a table, a page at a time."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        after = 0
        while rows := await self.database.read(read, client, after):
            table.writerows(rows)
            after = rows[-1][0]
        await asyncio.to_thread(package.writestr, name, text.getvalue())


def _head(client: str, found: ClientCopies) -> Mapping[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "client": client,
        "made_at": timestamp(),
        "bots": found.bots,
        "assistants": found.assistants,
        "campaigns": found.campaigns,
        "conversations": len(found.conversation_ids),
        "left_out_blocked": found.left_out,
        "requests": [asdict(request) for request in found.requests],
        "receipts": [dict(receipt.document) | {"hash": receipt.hash} for receipt in found.receipts],
    }


def _facts(found: ClientCopies, files: int, missing: int, digest: str, *, media: bool) -> dict[str, Any]:
    """What the receipt says."""
    done = [
        {"where": "package", "what": "conversations", "count": len(found.conversation_ids)},
        {"where": "package", "what": "files", "count": files},
    ]
    left = (
        [{"where": "twilio", "why": f"{missing} files are not there any more or could not be fetched"}]
        if missing
        else []
    )
    remains = ["Here: everything, until it is deleted. `state: absent` in the manifest ends the service."]
    if found.left_out:
        remains.append(f"{found.left_out} conversations of blocked people are not in the package.")
    if not media:
        remains.append("The files that people sent are not in the package.")
    return {"done": done, "left": left, "remains": remains, "package_sha256": digest}


def _digest(path: Path) -> str:
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
