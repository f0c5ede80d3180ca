"""The process in which a stranger's document is opened: `python -I document_child.py PATH TYPE MAX_PAGES`.

It limits its own time and memory, opens the document, and writes one line of JSON: what it is, or why it cannot be
read. It imports nothing of ours and has no secret in its environment; whatever a document does to a parser ends with
it.

    {"content_type": "application/pdf", "pages": 3}
    {"problem": "too_many_pages" | "too_large" | "unreadable" | "not_supported", "why": "…"}
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from pathlib import Path
from typing import Any

CPU_SECONDS = 5
MEMORY_BYTES = 192 * 1024 * 1024
TEXT_BYTES = 1024 * 1024
"""Of a text file; more is more than a model should be asked to read."""
UNPACKED_BYTES = 64 * 1024 * 1024
"""Of all parts of a docx or xlsx together."""
PARTS = 2_000
OFFICE = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""By the part that only this format has."""


class NotOpened(Exception):
    """Why the document is not read."""

    def __init__(self, problem: str, why: str) -> None:
        super().__init__(why)
        self.problem = problem


def main(path: Path, content_type: str, max_pages: int) -> dict[str, Any]:
    """What the document is."""
    try:
        if content_type == "application/pdf":
            return _pdf(path, max_pages)
        if content_type == "application/zip":
            return _office(path)
        return _text(path, content_type)
    except NotOpened as refused:
        return {"problem": refused.problem, "why": str(refused)}
    except MemoryError:
        return {"problem": "unreadable", "why": f"it needs more than {MEMORY_BYTES // 1024**2} MiB of memory"}
    except Exception as error:  # noqa: BLE001 - whatever a parser raises, the document is what it failed on
        return {"problem": "unreadable", "why": f"{type(error).__name__}: {error}"[:200]}


def _pdf(path: Path, max_pages: int) -> dict[str, Any]:
    from pypdf import PdfReader

    reader = PdfReader(path)
    if reader.is_encrypted:
        raise NotOpened("unreadable", "it needs a password")
    pages = len(reader.pages)
    if pages > max_pages:
        raise NotOpened("too_many_pages", f"{pages} pages, more than {max_pages}")
    if pages == 0:
        raise NotOpened("unreadable", "it has no pages")
    return {"content_type": "application/pdf", "pages": pages}


def _office(path: Path) -> dict[str, Any]:
    """Unpacks every part, so that what a part says of its own size is not relied on."""
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        if len(names) > PARTS:
            raise NotOpened("too_large", f"{len(names)} parts, more than {PARTS}")
        content_type = next((kind for name, kind in OFFICE.items() if name in names), None)
        if content_type is None or "[Content_Types].xml" not in names:
            raise NotOpened("not_supported", "it is none of docx, xlsx and pptx")
        left = UNPACKED_BYTES
        for name in names:
            with packed.open(name) as part:
                while block := part.read(64 * 1024):
                    left -= len(block)
                    if left < 0:
                        raise NotOpened("too_large", f"more than {UNPACKED_BYTES // 1024**2} MiB unpacked")
    return {"content_type": content_type}


def _text(path: Path, content_type: str) -> dict[str, Any]:
    if path.stat().st_size > TEXT_BYTES:
        raise NotOpened("too_large", f"a text of more than {TEXT_BYTES // 1024**2} MiB")
    content = path.read_bytes()
    if b"\x00" in content:
        raise NotOpened("not_supported", "it is not a text")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        # Written again as what models read; spreadsheets of older programs are in this encoding.
        path.write_bytes(content.decode("cp1252", "replace").encode())
    return {"content_type": content_type}


def limit() -> None:
    """Bounds this process. On Linux nothing is opened without every bound; elsewhere a system may lack one."""
    bounds = [
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 4 * TEXT_BYTES),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
    ]
    for which, most in bounds:
        _, hard = resource.getrlimit(which)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(which, (bound, bound))
        except (ValueError, OSError):
            if sys.platform == "linux":
                raise


if __name__ == "__main__":
    limit()
    found = main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    sys.stdout.write(json.dumps(found))
