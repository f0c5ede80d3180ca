"""Files that operators send: fetched from Chatwoot, recognised by their bytes, kept for a day for Twilio to fetch."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from runtime.delivery.file_links import path_of_file
from runtime.desk.chatwoot import DeskCalls
from runtime.errors import PermanentError, TemporaryError
from runtime.store import files
from runtime.store.database.database import Database
from runtime.store.files import Receiving
from runtime.store.messages import reply_files
from runtime.text import portable
from schemas.media_types import BY_SUFFIX, HEAD_BYTES, MAX_FILE_BYTES, type_of_name

PATIENCE_SECONDS: Final = 120.0
"""How long a file may be missing after its message: Chatwoot stores it after the message."""
LONGEST_NAME: Final = 100
_NOT_TAKEN: Final = "No se envió: por WhatsApp salen PDF, DOCX, XLSX, PPTX, JPEG y PNG"
_TOO_LARGE: Final = "No se envió: el archivo pesa más de {megabytes} MB"
_NOT_FETCHED: Final = "No se envió: no se pudo descargar el archivo de Chatwoot"


class CannotGoOut(Exception):
    """An operator's message that WhatsApp would not take; the text is for the operator."""


class OutgoingFiles:
    """Takes over files of one client's desk."""

    def __init__(self, database: Database, calls: DeskCalls) -> None:
        self._database = database
        self._calls = calls

    async def keep(self, conversation_id: int, attachment: Mapping[str, Any], written_at: float) -> tuple[str, bool]:
        """Keeps a file of a message that was written at a time (seconds since the epoch); returns its path, and whether
        it is a picture. Raises CannotGoOut, and TemporaryError while the file may yet appear."""
        url = str(attachment.get("data_url") or "")
        if int(attachment.get("file_size") or 0) > MAX_FILE_BYTES:
            raise CannotGoOut(_TOO_LARGE.format(megabytes=MAX_FILE_BYTES // 1_000_000))
        try:
            content = await self._calls.fetch(url, MAX_FILE_BYTES)
        except TemporaryError as error:
            if time.time() - written_at > PATIENCE_SECONDS:
                raise CannotGoOut(_NOT_FETCHED) from error
            raise
        except PermanentError as error:
            raise CannotGoOut(f"{_NOT_FETCHED}: {error}") from error
        name, is_image = sent_as(url, content)
        sha256 = hashlib.sha256(content).hexdigest()
        receiving = Receiving(sha256)
        for number, piece in [*receiving.pieces(content), *receiving.last()]:
            await self._database.write(files.add_piece, receiving.upload, number, piece)
        await self._database.write(reply_files.finish, receiving, conversation_id)
        return path_of_file(sha256, name), is_image


def sent_as(url: str, content: bytes) -> tuple[str, bool]:
    """The name under which a file is sent, with the ending of what it is, and whether it is a picture. Raises
    CannotGoOut."""
    given = PurePosixPath(portable(unquote(urlsplit(url).path)).rpartition("/")[2] or "archivo")
    stem, suffix = given.stem[:LONGEST_NAME] or "archivo", given.suffix.lower()
    kind, head = type_of_name(given.name), content[:HEAD_BYTES]
    if kind is None or not kind.is_type_of(head):
        # The types of Office are alike in their first bytes: for those the name decides.
        known = {ending: one for ending, one in BY_SUFFIX.items() if one.is_image or ending == ".pdf"}
        suffix, kind = next(((ending, one) for ending, one in known.items() if one.is_type_of(head)), (suffix, None))
    if kind is None:
        raise CannotGoOut(_NOT_TAKEN)
    if len(content) > kind.max_bytes:
        raise CannotGoOut(_TOO_LARGE.format(megabytes=kind.max_bytes // 1_000_000))
    return f"{stem}{suffix}", kind.is_image
