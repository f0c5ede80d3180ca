"""Whether a document can be given to a model: it is opened in a process of its own, bounded in time and memory."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from runtime.content.parts import UnreadReason
from runtime.media import document_child
from runtime.media.file_types import CSV, PDF, TEXT, ZIP

CHILDREN: Final = 2
"""Documents that are opened at once."""
SECONDS: Final = 15.0
"""How long one may take, its process's start included."""
ANSWER_BYTES: Final = 4096
READABLE: Final = frozenset({PDF, ZIP, TEXT, CSV})
_NAMES: Final = {
    PDF: ("documento.pdf", "PDF"),
    TEXT: ("documento.txt", "text"),
    CSV: ("documento.csv", "CSV"),
    document_child.OFFICE["word/document.xml"]: ("documento.docx", "Word"),
    document_child.OFFICE["xl/workbook.xml"]: ("documento.xlsx", "Excel"),
    document_child.OFFICE["ppt/presentation.xml"]: ("documento.pptx", "PowerPoint"),
}


class Unreadable(Exception):
    """A document that is not given to a model; the text is for the log."""

    def __init__(self, reason: UnreadReason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A document that a model can be given."""

    content_type: str
    name: str
    about: str
    """In a few words: `PDF, 3 pages`."""


class DocumentOpener:
    """Opens documents."""

    def __init__(self) -> None:
        self._children = asyncio.Semaphore(CHILDREN)

    async def opened(self, path: Path, content_type: str, max_pages: int) -> OpenedDocument:
        """What a file is; raises Unreadable."""
        if content_type not in READABLE:
            raise Unreadable("not_supported", f"{content_type} is not a document that models read")
        async with self._children:
            found = await _ask_child(path, content_type, max_pages)
        if "problem" in found:
            raise Unreadable(cast(UnreadReason, found["problem"]), str(found.get("why")))
        name, about = _NAMES[str(found["content_type"])]
        pages = found.get("pages")
        counted = f", {pages} {'page' if pages == 1 else 'pages'}" if pages else ""
        return OpenedDocument(str(found["content_type"]), name, about + counted)


async def _ask_child(path: Path, content_type: str, max_pages: int) -> dict[str, object]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        document_child.__file__,
        str(path),
        content_type,
        str(max_pages),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    assert child.stdout is not None, "it was asked for"
    try:
        async with asyncio.timeout(SECONDS):
            answer = await child.stdout.read(ANSWER_BYTES)
            await child.wait()
    except TimeoutError as error:
        raise Unreadable("unreadable", f"it was not opened within {SECONDS:g} seconds") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    try:
        found = json.loads(answer)
    except ValueError as error:
        raise Unreadable("unreadable", f"what opened it ended with {child.returncode}") from error
    return dict(found)
