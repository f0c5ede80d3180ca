"""A stranger's document is opened in a process of its own: whatever it does there, the service continues."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from runtime.media import documents
from runtime.media.documents import DocumentOpener, OpenedDocument, Unreadable
from tests import media_files as made

PDF = "application/pdf"
ZIP = "application/zip"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def opened(folder: Path, content: bytes, content_type: str, max_pages: int = 20) -> OpenedDocument:
    path = folder / "file"
    path.write_bytes(content)
    return await DocumentOpener().opened(path, content_type, max_pages)


def with_a_table_of(megabytes: int) -> bytes:
    """A sound PDF of one page and a few kilobytes, whose table of objects unpacks to that many megabytes."""
    objects = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R>>")
    body, places = b"%PDF-1.5\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj" % number + content + b"endobj\n"
    entries = bytes(7) + b"".join(struct.pack(">BIH", 1, place, 0) for place in (*places, len(body)))
    runs = bytes([len(entries) - 1]) + entries + b"\x81\x00" * (megabytes * 2**20 // 128) + b"\x80"
    stream = zlib.compress(runs, 9)
    about = b"/Type/XRef/Size 5/W[1 4 2]/Root 1 0 R/Filter[/FlateDecode/RunLengthDecode]/Length %d" % len(stream)
    table = b"4 0 obj<<" + about + b">>stream\n" + stream + b"\nendstream endobj\n"
    return body + table + b"startxref\n%d\n%%%%EOF\n" % len(body)


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (made.pdf(pages=1), PDF, OpenedDocument(PDF, "documento.pdf", "PDF, 1 page")),
        (made.pdf(pages=20), PDF, OpenedDocument(PDF, "documento.pdf", "PDF, 20 pages")),
        (with_a_table_of(1), PDF, OpenedDocument(PDF, "documento.pdf", "PDF, 1 page")),
        (made.docx(), ZIP, OpenedDocument(WORD, "documento.docx", "Word")),
        (made.xlsx([["a"]]), ZIP, OpenedDocument(EXCEL, "documento.xlsx", "Excel")),
        (b"a,b\n", "text/csv", OpenedDocument("text/csv", "documento.csv", "CSV")),
    ],
)
async def test_a_document_is_what_it_is(
    tmp_path: Path, content: bytes, content_type: str, expected: OpenedDocument
) -> None:
    assert await opened(tmp_path, content, content_type) == expected


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def packed(parts: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, content in parts.items():
            writing.writestr(name, content)
    return archive.getvalue()


def with_pages_that_hold_themselves() -> bytes:
    """A PDF whose tree of pages is a circle."""
    parts = [b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n", b"2 0 obj<</Type/Pages/Kids[2 0 R]/Count 9>>endobj\n"]
    body = b"%PDF-1.7\n" + b"".join(parts)
    places = [body.index(part) for part in parts]
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)


TYPES = b"<Types/>"


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (made.pdf(pages=21), PDF, "too_many_pages"),
        (b"%PDF-1.7", PDF, "unreadable"),
        (with_a_table_of(60), PDF, "unreadable"),
        (with_pages_that_hold_themselves(), PDF, "unreadable"),
        (packed({"[Content_Types].xml": TYPES, "word/document.xml": bytes(70_000_000)}), ZIP, "too_large"),
        (
            packed({"[Content_Types].xml": TYPES, "word/document.xml": TYPES} | {str(n): b"" for n in range(2_000)}),
            ZIP,
            "too_large",
        ),
        (packed({"word/document.xml": TYPES}), ZIP, "not_supported"),
        (packed({"../../etc/passwd": b"root"}), ZIP, "not_supported"),
        (packed({"AndroidManifest.xml": b"x"}), ZIP, "not_supported"),
        (b"PK\x03\x04", ZIP, "unreadable"),
        (b"a" * 1_048_577, "text/plain", "too_large"),
        (b"a\x00b", "text/plain", "not_supported"),
        (b"x", "application/msword", "not_supported"),
    ],
)
async def test_what_cannot_be_read_says_why(tmp_path: Path, content: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        await opened(tmp_path, content, content_type)
    assert refused.value.reason == reason


async def test_a_document_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "file")  # nothing is ever in it
    monkeypatch.setattr(documents, "SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(Unreadable, match=r"not opened within 0\.3 seconds"):
        await DocumentOpener().opened(tmp_path / "file", PDF, 20)
    assert time.monotonic() - began < 5


async def test_parts_of_an_archive_are_not_written_anywhere(tmp_path: Path) -> None:
    parts = {"[Content_Types].xml": TYPES, "word/document.xml": TYPES, "../escaped": b"x", "/escaped": b"x"}
    await opened(tmp_path, packed(parts), ZIP)
    assert names(tmp_path) == ["file"]


async def test_a_text_of_an_older_encoding_becomes_utf_8(tmp_path: Path) -> None:
    await opened(tmp_path, "Ñuñoa — 5 €".encode("cp1252"), "text/plain")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "Ñuñoa — 5 €"
