"""The package that a person gets who asks what there is about them: JSON for programs, HTML to read, their files.

    person.json     all of it (docs/person-export.md)
    person.html     the same to read, in Spanish; nothing is loaded, nothing is executed
    media/12-0.ogg  a file of the message 12, as Twilio still had it

Nothing here reads the store or fetches a file; it writes what it is given.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

from runtime.store.messages.person_copies import FoundPerson, WholeConversation
from schemas.addresses import number_of

if TYPE_CHECKING:
    from jinja2 import Environment

FORMAT: Final = "horizonai-person"
FORMAT_VERSION: Final = 1
TEMPLATES: Final = Path(__file__).with_name("templates")
WRITERS: Final[Mapping[str, str]] = {"user": "la persona", "assistant": "asistente", "notice": "aviso automático"}
"""Who wrote a message, for people; a person of the client's is named."""

FileKey = tuple[int, int]
"""A message's id, and the index of its file."""


def person_document(
    found: FoundPerson,
    conversations: Sequence[WholeConversation],
    files: Mapping[FileKey, str],
    missing: Mapping[FileKey, str],
    made_at: str,
) -> dict[str, Any]:
    """What `person.json` says. `files`: where each file lies in the package; `missing`: why one is not in it."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "made_at": made_at,
        "addresses": [number_of(address) for address in found.addresses],
        "is_blocked": any(one.blocked_at for one in conversations)
        or any(mark.kind == "blocked" for mark in found.marks),
        "conversations": [conversation_document(one, files, missing) for one in conversations],
        "kept_as_keyed_hashes": [asdict(mark) for mark in found.marks],
        "requests": [asdict(request) for request in found.requests],
        "receipts": [dict(receipt.document) | {"hash": receipt.hash} for receipt in found.receipts],
        "lists_of_sends": found.lists,
        "messages_outside_of_conversations": found.notices,
    }


def write_package(path: Path, document: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """Writes the package; returns its SHA-256. `files`: name in the package → where it lies."""
    with ZipFile(path, "w", ZIP_DEFLATED) as package:
        package.writestr("person.json", json.dumps(document, ensure_ascii=False, indent=2))
        package.writestr("person.html", person_html(document))
        for name, source in files.items():
            package.write(source, name)
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def person_html(document: Mapping[str, Any]) -> str:
    """The package's page."""
    style = (TEMPLATES / "person.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("person.html")
    return template.render(document=document, writers=WRITERS, style=style, style_hash=digest)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # not with the service's start

    loader = FileSystemLoader(TEMPLATES)
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def conversation_document(
    whole: WholeConversation, files: Mapping[FileKey, str], missing: Mapping[FileKey, str]
) -> dict[str, Any]:
    """A conversation as it is in a package."""
    summary = whole.thread.conversation
    return {
        "id": summary.id,
        "client": whole.client,
        "name": summary.name,
        "phone": None if whole.phone is None else number_of(whole.phone),
        "blocked_at": whole.blocked_at,
        "opted_out": dict(whole.opted_out),
        "state": {"state": summary.state, "since": summary.since, "reason": summary.reason, "summary": summary.summary},
        "messages": [_message(asdict(message), files, missing) for message in whole.thread.messages],
        "function_calls": [asdict(call) for call in whole.thread.calls],
        "consents": [one._asdict() for one in whole.consents],
        "notes": [asdict(note) for note in whole.thread.notes],
        "memory": list(whole.memory),
        "usage": [asdict(used) for used in whole.used],
        "seen_by": [{"at": read.at, "who": read.actor, "what": read.action} for read in whole.reads],
    }


def _message(message: dict[str, Any], files: Mapping[FileKey, str], missing: Mapping[FileKey, str]) -> dict[str, Any]:
    shown = []
    for file in message["files"]:
        key = (message["id"], file["index"])
        shown.append({**file, "path": files.get(key), "missing_because": missing.get(key)})
    return {**message, "files": shown}
