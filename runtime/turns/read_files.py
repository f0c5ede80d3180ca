"""Makes what people send readable for engines: recordings become words; pictures and documents are attached to the one
request; contact cards become a line. A file that cannot be read says why, and the log says more.

    fetched ──► what it is, by its bytes ──► recording   how long? ──► transcribed, once ──► Voice with its text
                                        ├──► picture     how large? ──────────────────────► Attached
                                        ├──► document    opened in a child process ───────► Attached
                                        ├──► card ────────────────────────────────────────► Contact with its text
                                        └──► anything else ──────────────────────────────► UnreadFile
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from runtime.content.parts import (
    Attached,
    Audio,
    Contact,
    Document,
    Image,
    Media,
    Part,
    Sticker,
    UnreadFile,
    UnreadReason,
    Video,
    Voice,
)
from runtime.engines.transcription import FORMATS, MODEL, AudioRecording, Transcriber
from runtime.errors import KeyRefused, OperatorError, PermanentError, RequestRefused, TemporaryError
from runtime.media.contact_card import card_text
from runtime.media.documents import READABLE, DocumentOpener, Unreadable
from runtime.media.duration import NotRecorded, milliseconds_of
from runtime.media.fetching import TooLarge
from runtime.media.file_types import ANIMATED, HEAD_BYTES, VCARD, size_of, type_of
from runtime.store.usage.quantities import Usage
from runtime.text import portable
from runtime.turns.ports import FetchesFiles
from runtime.turns.prepare import Preparation, Reading
from runtime.twilio.accounts import Accounts
from schemas.policy import MAX_MINUTES, MAX_PAGES, MediaPolicy

PICTURES: Final = {
    "image/jpeg": ("foto.jpg", "JPEG"),
    "image/png": ("foto.png", "PNG"),
    "image/webp": ("foto.webp", "WebP"),
}
TRANSCRIPT: Final = "transcript"
"""The name of its result among those of a part."""
BEFORE_THE_FRAME: Final = 1024 * 1024
"""Bytes of a JPEG in which its frame is looked for: a preview and the camera's notes come before it."""
MINUTE: Final = 60_000
SLACK: Final = 1_000
"""Milliseconds beyond whole minutes: a phone shows whole seconds, and a recording begins with some that are skipped."""
_AS_IS: Final = MediaPolicy()

log = structlog.get_logger("runtime.media")


class _NotRead(Exception):
    """A file that is not read; the text is for the log."""

    def __init__(self, reason: UnreadReason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class FileReader:
    """The preparer of files."""

    def __init__(
        self, fetcher: FetchesFiles, documents: DocumentOpener, transcriber: Transcriber, accounts: Accounts
    ) -> None:
        self._fetcher = fetcher
        self._documents = documents
        self._transcriber = transcriber
        self._accounts = accounts

    def reads(self, part: Part, reading: Reading) -> bool:
        """See Preparer."""
        if not isinstance(part, Media):
            return False
        media = reading.configuration.policy.media or _AS_IS
        match part:
            case Voice() | Audio():
                return media.voice_rules is not None
            case Image():
                return media.images_rules is not None and reading.sees_images
            case Document():
                return media.documents_rules is not None and (reading.reads_files or reading.sees_images)
            case Contact():
                return True
        return False

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        """See Preparer."""
        if not isinstance(part, Media) or not self.reads(part, preparation.attempt.reading):
            return part
        began = time.monotonic()
        try:
            made = await self._read(part, preparation)
        except _NotRead as unread:
            log.warning("media_unread", kind=part.kind, reason=unread.reason, error=str(unread))
            return UnreadFile(part, unread.reason)
        log.info("media_read", kind=part.kind, as_kind=made.kind, seconds=round(time.monotonic() - began, 3))
        return made

    async def _read(self, part: Media, preparation: Preparation) -> Part:
        noted = preparation.noted(TRANSCRIPT)
        if noted is not None:
            return _heard(part, noted, preparation)
        if part.deleted_at is not None:
            raise _NotRead("not_fetched", f"it was deleted at Twilio at {part.deleted_at}, as data.retention says")
        path = await self._fetched(part, preparation)
        content_type = type_of(await asyncio.to_thread(_head, path, HEAD_BYTES), part.content_type)
        if content_type in FORMATS:
            recording = await self._recording(path, content_type, preparation)
            noted = await preparation.once(TRANSCRIPT, partial(self._transcribed, recording, preparation))
            return _heard(part, noted, preparation)
        if content_type in PICTURES:
            return await _picture(part, path, content_type, preparation)
        if content_type == ANIMATED:
            return Sticker(part.url, part.content_type)
        if content_type == VCARD:
            return await _card(part, path, preparation)
        if content_type.startswith("video/"):
            return Video(part.url, part.content_type)
        if isinstance(part, Document) or content_type in READABLE:
            return await self._document(part, path, content_type, preparation)
        raise _NotRead("not_supported", f"declared as {part.content_type}, it is {content_type}")

    async def _fetched(self, part: Media, preparation: Preparation) -> Path:
        files, message = preparation.attempt.files, preparation.message
        await files.begin(preparation.file_count)
        path = files.new()
        try:
            account = self._accounts.account_with(message.account_sid, preparation.configuration.bot)
            await self._fetcher.fetch(part.url, account, path, files.left, preparation.attempt.deadline)
        except TooLarge as error:
            raise _NotRead("too_large", str(error)) from error
        except (PermanentError, TemporaryError, OperatorError) as error:
            raise _NotRead("not_fetched", str(error)) from error
        return path

    async def _recording(self, path: Path, content_type: str, preparation: Preparation) -> AudioRecording:
        """A recording that is worth its price: it is as short as the client's rules say."""
        rules = _rules(preparation).voice_rules
        if rules is None:
            raise _NotRead("off", "voice is off for this client")
        limit = (rules.max_minutes or MAX_MINUTES) * MINUTE
        try:
            milliseconds = await asyncio.to_thread(milliseconds_of, path, content_type, limit + SLACK)
        except NotRecorded as error:
            raise _NotRead("unreadable", str(error)) from error
        if milliseconds > limit + SLACK:
            raise _NotRead("too_long", f"more than {limit // MINUTE} minutes")
        return AudioRecording(path, content_type, milliseconds, rules.languages or (), rules.keywords or ())

    async def _transcribed(self, recording: AudioRecording, preparation: Preparation) -> dict[str, Any]:
        """The transcript, whose cost is noted with it."""
        attempt = preparation.attempt
        client = preparation.configuration.bot.label
        try:
            transcript = await self._transcriber.transcribe(recording, client, attempt.turn_id, attempt.deadline)
        except RequestRefused as error:
            raise _NotRead("not_heard", str(error)) from error
        except KeyRefused:
            raise
        except PermanentError as error:
            # A server that does not transcribe; the user is asked for words.
            raise _NotRead("off", str(error)) from error
        attempt.progress.spend(MODEL, Usage(audio_milliseconds=transcript.milliseconds))
        return {"text": portable(transcript.text)}

    async def _document(self, part: Media, path: Path, content_type: str, preparation: Preparation) -> Part:
        rules = _rules(preparation).documents_rules
        if rules is None or not preparation.attempt.reading.reads_files:
            raise _NotRead("off", "documents are off, or the engine or model does not read them")
        try:
            found = await self._documents.opened(path, content_type, rules.max_pages or MAX_PAGES)
        except Unreadable as error:
            raise _NotRead(error.reason, str(error)) from error
        as_document = Document(part.url, part.content_type)
        return Attached(as_document, path, found.content_type, found.name, found.about, "low")


def _heard(part: Media, noted: dict[str, Any], preparation: Preparation) -> Part:
    text: str = noted["text"].strip()
    if not text:
        raise _NotRead("not_heard", "no words were recognised")
    preparation.said(text)
    kind = Voice if isinstance(part, Voice) else Audio
    return kind(part.url, part.content_type, text)


async def _picture(part: Media, path: Path, content_type: str, preparation: Preparation) -> Part:
    rules = _rules(preparation).images_rules
    if rules is None or not preparation.attempt.reading.sees_images:
        raise _NotRead("off", "images are off, or the engine or model does not see them")
    size = size_of(await asyncio.to_thread(_head, path, BEFORE_THE_FRAME), content_type)
    if size is None or not size.is_sound:
        raise _NotRead("unreadable", f"a picture of {size.width}x{size.height}" if size else "a picture without a size")
    name, kind = PICTURES[content_type]
    as_image = Image(part.url, part.content_type)
    return Attached(as_image, path, content_type, name, f"{kind}, {size.width}x{size.height}", rules.detail or "low")


async def _card(part: Media, path: Path, preparation: Preparation) -> Part:
    text = card_text(await asyncio.to_thread(_head, path, HEAD_BYTES * 16))
    if text is None:
        raise _NotRead("unreadable", "a contact card without a name or number")
    preparation.said(portable(text))
    return Contact(part.url, part.content_type, portable(text))


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _rules(preparation: Preparation) -> MediaPolicy:
    return preparation.configuration.policy.media or _AS_IS
