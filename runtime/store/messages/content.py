"""The content of a message, as in the inbox's column `content`: JSON with a version.

    {"v":1,"parts":[{"kind":"text","text":"Hola"}],"quoted":{…},"referral":{…},"profile_name":"Ana"}

Fields without a value are left out; an unknown field is ignored. A message with an unknown kind of part, or with
another version, was stored by a newer release. It is read from the columns `body` and `params`, like one that a release
before `content` stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic_core import from_json

from runtime.content.parameters import content_of
from runtime.content.parts import KINDS, Content, Location, Media, Part, Quoted, Referral
from runtime.content.rendering import part_as_text
from runtime.store.codec import dump_json
from runtime.text import portable

VERSION = 1

_PARTS = {part.kind: (part, tuple(field.name for field in fields(part))) for part in KINDS}
_QUOTED = tuple(field.name for field in fields(Quoted))
_REFERRAL = tuple(field.name for field in fields(Referral))


def dump_content(content: Content) -> str:
    """The text to store."""
    document: dict[str, Any] = {"v": VERSION, "parts": [_part_document(part) for part in content.parts]}
    if content.quoted is not None:
        document["quoted"] = _document(content.quoted, _QUOTED)
    if content.referral is not None:
        document["referral"] = _document(content.referral, _REFERRAL)
    if content.profile_name is not None:
        document["profile_name"] = content.profile_name
    return dump_json(document)


def load_content(content: str | None, body: str, params: str) -> Content:
    """A message from its row."""
    document = from_json(content) if content is not None else {}
    if document.get("v") != VERSION or any(part["kind"] not in _PARTS for part in document["parts"]):
        return _without_content(body, from_json(params))
    quoted, referral = document.get("quoted"), document.get("referral")
    return Content(
        tuple([_part(part) for part in document["parts"]]),
        Quoted(**_known(quoted, _QUOTED)) if quoted is not None else None,
        Referral(**_known(referral, _REFERRAL)) if referral is not None else None,
        document.get("profile_name"),
    )


def _part_document(part: Part) -> dict[str, str]:
    return {"kind": part.kind, **_document(part, _PARTS[part.kind][1])}


def _document(value: Part | Quoted | Referral, names: tuple[str, ...]) -> dict[str, str]:
    return {name: text for name in names if (text := getattr(value, name)) is not None}


def _part(document: Mapping[str, str]) -> Part:
    kind, names = _PARTS[document["kind"]]
    return kind(**_known(document, names))


def _known(document: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: document[name] for name in names if name in document}


def _without_content(body: str, params: Mapping[str, str]) -> Content:
    """A message that a release before `content` stored: `body` is Twilio's, with a line for each medium and place,
    or the message's type where it had nothing else."""
    parts = content_of(params).parts
    lines = "\n".join(part_as_text(part) for part in parts if isinstance(part, (Media, Location)))
    written = portable(body)
    if written in (lines, f"[{params.get('MessageType', 'empty')}]"):
        written = ""
    elif lines:
        written = written.removesuffix(f"\n{lines}")
    return content_of({**params, "Body": written})
