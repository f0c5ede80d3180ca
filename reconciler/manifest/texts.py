"""Files that a manifest names: prompts, which are read, and documents, which are hashed.

None may be outside the folder of manifests, and none is written. A file means the same in every
checkout: a text's line ends are LF, whatever git or an editor wrote, and an accent in a name is one character, which
macOS may write as two.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reconciler.manifest.invisible import invisible
from reconciler.manifest.literal_secrets import NONE, literal_secrets
from reconciler.manifest.problem import Problem
from schemas.media_types import HEAD_BYTES, type_of_name

MAX_PROMPT_BYTES = 256 * 1024
MAX_DOCUMENT_BYTES = 512 * 1024 * 1024

TEXTS = re.compile(r"\.(c|cpp|cs|css|go|html|java|js|json|md|php|py|rb|sh|tex|ts|txt)")
FORMATS = re.compile(r"\.(doc|docx|pdf|pptx)")
"""Suffixes of the files that OpenAI can search; it derives the type from the name."""

_PIECE = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """A document of a file_search tool."""

    path: str
    """As written in the manifest; `./la-cocina/menu.pdf` is `la-cocina/menu.pdf`, and accents are composed (NFC)."""
    resolved: Path
    size: int
    """Bytes, of a text with its line ends as LF."""
    sha256: str


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that the assistant may send."""

    name: str
    """What the manifest calls it."""
    path: str
    """As of a KnowledgeFile."""
    resolved: Path
    size: int
    """Bytes."""
    sha256: str
    type: str
    """Its content type."""


class FileProblem(Exception):
    """A named file cannot be used: the problem, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve(folder: Path, name: str) -> Path:
    """The file that a manifest names, inside the folder also after symbolic links; FileProblem otherwise."""
    if "\0" in name:
        raise FileProblem("a file name with a NUL character", "Write the name again.")
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 - pathlib costs 20 µs more for each client
    if os.path.commonpath((root, path)) != root:
        raise FileProblem("the file is outside the folder of manifests", "Move it into that folder.")
    try:
        if Path(path).is_file():
            return Path(path)
        if Path(path).is_dir():
            raise FileProblem("a folder where a file is expected", "Name the file in it.")
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror})", "Check its name and permissions.") from error
    twin = _spelt_otherwise(Path(root), Path(path))
    if twin is not None:
        return resolve(folder, os.path.relpath(twin, root))
    near = _nearest(Path(root), name)
    raise FileProblem("there is no such file", f'Did you mean "{near}"?' if near else "Create it, or correct the name.")


def _spelt_otherwise(root: Path, path: Path) -> Path | None:
    """A file below `root` whose path has the same letters with accents in another form, as macOS writes them."""
    found = root
    for part in path.relative_to(root).parts:
        exact, wanted = found / part, unicodedata.normalize("NFC", part)
        if exact.exists():
            found = exact
            continue
        around = found.iterdir() if found.is_dir() else ()
        twin = next((entry for entry in around if unicodedata.normalize("NFC", entry.name) == wanted), None)
        if twin is None:
            return None
        found = twin
    return found if found.is_file() else None


def read_prompt(folder: Path, shown_folder: str, name: str, own: Mapping[str, str] = NONE) -> tuple[str, list[Problem]]:
    """Text of a prompt with line ends as LF, and problems inside it; FileProblem when it cannot be used at all. `own`:
    see literal_secrets."""
    path = resolve(folder, name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PROMPT_BYTES + 1)
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror})", "Check its permissions.") from error
    if len(data) > MAX_PROMPT_BYTES:
        raise FileProblem("the file has more than 256 KiB", "Shorten the prompt; documents belong into file_search.")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileProblem(f"the file is not UTF-8 (line {line})", "Save it in the encoding UTF-8.") from error
    if "\0" in text:
        raise FileProblem(f"a NUL character in line {text[: text.index(chr(0))].count(chr(10)) + 1}", "Remove it.")
    if not text.strip():
        raise FileProblem("the file is empty", "Write the prompt into it.")
    path_shown = f"{shown_folder}/{name}"
    return text, [*_secrets(path_shown, text, own), *invisible(path_shown, text)]


def hash_document(folder: Path, name: str) -> KnowledgeFile:
    """Size and content hash of a document; FileProblem when it cannot be read, or OpenAI could not search in it."""
    path = resolve(folder, name)
    ending = path.suffix.lower()
    if not (TEXTS.fullmatch(ending) or FORMATS.fullmatch(ending)):
        raise FileProblem("not a kind of file that can be searched in", "Save it as PDF, DOCX, PPTX, Markdown or text.")
    try:
        size = path.stat().st_size
        if not size:
            raise FileProblem("the file is empty", "Write something into it, or remove it from the list.")
        if size > MAX_DOCUMENT_BYTES:
            raise FileProblem(f"the file has {size:,} bytes, {MAX_DOCUMENT_BYTES:,} at most", "Split it.")
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            for piece in _content(file, ending):
                digest.update(piece)
                size += len(piece)
            if TEXTS.fullmatch(ending):
                _check_encoding(file)
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror})", "Check its permissions.") from error
    return KnowledgeFile(unicodedata.normalize("NFC", os.path.normpath(name)), path, size, digest.hexdigest())


def is_searchable(path: str) -> bool:
    """Whether OpenAI can search in a file, by its name."""
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 - as above
    return bool(TEXTS.fullmatch(ending) or FORMATS.fullmatch(ending))


def hash_media(folder: Path, name: str, path_named: str) -> MediaFile:
    """Size, type and content hash of a file that may be sent; FileProblem when it cannot be read, or WhatsApp would not
    show it."""
    path = resolve(folder, path_named)
    media = type_of_name(path.name)
    if media is None:
        raise FileProblem("not a kind of file that is sent", "Save it as PDF, DOCX, XLSX, PPTX, JPEG or PNG.")
    try:
        size = path.stat().st_size
        if not size:
            raise FileProblem("the file is empty", "Write something into it, or remove it from the list.")
        if size > media.max_bytes:
            raise FileProblem(f"the file has {size:,} bytes, {media.max_bytes:,} at most", "Make it smaller.")
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            if not media.is_type_of(file.read(HEAD_BYTES)):
                hint = "Give it the ending of what it is, or save it again."
                raise FileProblem(f"the file is not {media.content_type}, as its name says", hint)
            file.seek(0)
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror})", "Check its permissions.") from error
    shown = unicodedata.normalize("NFC", os.path.normpath(path_named))
    return MediaFile(name, shown, path, size, digest.hexdigest(), media.content_type)


@contextmanager
def opened_media(folder: Path, name: str) -> Iterator[Iterator[bytes]]:
    """The bytes of a file that may be sent, in pieces. FileProblem when it cannot be read."""
    path = resolve(folder, name)
    try:
        with path.open("rb") as file:
            yield iter(lambda: file.read(_PIECE), b"")
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror})", "Check its permissions.") from error


@contextmanager
def opened_document(folder: Path, name: str) -> Iterator[BinaryIO]:
    """A document to be uploaded: exactly the bytes that are hashed."""
    path = resolve(folder, name)
    with path.open("rb") as file:
        if not TEXTS.fullmatch(path.suffix.lower()):
            yield file
            return
        import tempfile  # for an upload only

        with tempfile.TemporaryFile() as copy:
            for piece in _content(file, path.suffix.lower()):
                copy.write(piece)
            copy.seek(0)
            yield copy


def _content(file: BinaryIO, ending: str) -> Iterator[bytes]:
    """What is hashed and uploaded: as it is, but text in UTF-8 with its line ends as LF."""
    if not TEXTS.fullmatch(ending) or _is_utf16(file):
        while piece := file.read(_PIECE):
            yield piece
        return
    held = b""
    while piece := file.read(_PIECE):
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""  # the LF may be in the next piece
        yield piece.removesuffix(held).replace(b"\r\n", b"\n")
    yield held


def _is_utf16(file: BinaryIO) -> bool:
    file.seek(0)
    begins = file.read(2)
    file.seek(0)
    return begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _check_encoding(file: BinaryIO) -> None:
    """OpenAI: text is UTF-8 or UTF-16; text in other encodings is found with broken letters or not at all."""
    if _is_utf16(file):
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise FileProblem("the file is not UTF-8", "Save it in the encoding UTF-8.") from error


def _secrets(path: str, text: str, own: Mapping[str, str]) -> list[Problem]:
    found = []
    for offset, kind in literal_secrets(text, own):
        line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
        found.append(Problem(path, line, column, f"{kind} is written out", "Revoke it and remove it here."))
    return found


def _nearest(root: Path, name: str) -> str | None:
    around = [root, (root / name).parent]
    names = {
        path.relative_to(root).as_posix()
        for folder in around
        if folder.is_dir() and folder.is_relative_to(root)
        for path in [*folder.iterdir(), *folder.glob("*/*")]
        if path.is_file() and not path.name.endswith((".yaml", ".yml"))
    }
    import difflib  # for a mistake only

    found = difflib.get_close_matches(name, sorted(names), 1, 0.5)
    return found[0] if found else None
