"""A client's assistant as its manifest declares it, in the records from which the runtime answers: what is tried is
what an apply would write.

Ids that only a provider can assign are stood in for: the vector store of its documents by a hash of them, so that a
request is the same as long as they are; Twilio's contents for buttons by made-up SIDs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from reconciler.kinds.assistant import desired as assistant_kind
from reconciler.kinds.bot import desired as bot_kind
from reconciler.kinds.knowledge.document import Document
from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID
from reconciler.settings import Settings
from runtime.store.records import AssistantRecord, BotRecord
from schemas.policy import document_of
from schemas.timezones import zone_of_number

DOCUMENTS: Final = "documents-"
"""Prefix of what stands for the vector store of a client's documents in a request; their hash follows."""
TIMEZONE: Final = "America/Santiago"
"""Of a client for whom neither its manifest nor its number decides, as the runtime's setting TIMEZONE is by default."""


class NotTriable(Exception):
    """An assistant that cannot be tried; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An assistant to be tried."""

    manifest: Manifest
    bot: BotRecord
    assistant: AssistantRecord
    documents: Sequence[Document]
    """What it searches in."""
    zone: ZoneInfo
    folder: Path
    """In which the paths of its manifest begin."""

    @property
    def client(self) -> str:
        """The client's id."""
        return self.bot.id

    @property
    def store(self) -> str:
        """What stands for the vector store of its documents."""
        return store_of(self.documents)


def candidate(manifest: Manifest, settings: Settings, model: str | None = None) -> Candidate:
    """The assistant of a client, with another model where one is given. Raises NotTriable."""
    client = manifest.client
    if client.assistant.engine != "responses":
        raise NotTriable(
            f"Its engine {client.assistant.engine} keeps the assistant at the provider, where a trial would change it. "
            "Use engine: responses, or remove its tests; null removes those of the defaults."
        )
    documents = [Document(file.path, file.size, file.sha256) for file in manifest.knowledge]
    declared = assistant_kind.values(manifest, settings)
    values = assistant_kind.with_ids(declared, {"knowledge": store_of(documents)})
    assistant = AssistantRecord(
        id=client.id,
        name=values["name"],
        instructions=values["instructions"],
        model=model or values["model"],
        tools=values["tools"],
        settings=values["settings"],
        client=client.id,
    )
    row = {**bot_kind.values(manifest, settings), "assistant_id": client.id, "state": "active"}
    policy = document_of(_policy(row.pop("policy")))
    bot = BotRecord(id=client.id, client=client.id, policy=policy, **row)
    zone = client.timezone or zone_of_number(client.number) or TIMEZONE
    return Candidate(manifest, bot, assistant, documents, ZoneInfo(zone), settings.clients_dir)


def store_of(documents: Sequence[Document]) -> str:
    """What stands for the vector store of these documents, the same as long as they are."""
    listed = "\n".join(sorted(f"{document.path}\0{document.sha256}" for document in documents))
    return DOCUMENTS + hashlib.sha256(listed.encode()).hexdigest()[:32]


def cites(cited: str, document: Document) -> bool:
    """Whether the name of an upload, which an answer cites, is of this document."""
    return cited.partition("--")[2] == document.upload_name("any").partition("--")[2]


def _policy(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A policy as a bot's row has it after an apply; templates are not sent by answers."""
    policy = {key: value for key, value in declared.items() if key != "template_sids"}
    if "contents" in policy:
        policy["contents"] = {
            shape: f"HX{hashlib.sha256(shape.encode()).hexdigest()[:32]}" if sid == UNKNOWN_ID else sid
            for shape, sid in policy["contents"].items()
        }
    return policy
