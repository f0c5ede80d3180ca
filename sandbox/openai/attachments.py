"""Pictures and documents in a request's input: what OpenAI refuses of them, what they cost, and what the model sees.

What it sees is a line that follows from the bytes: format, size, a digest, the first words. Pictures and documents that
are only named by a URL are not fetched.
"""

import hashlib
import io
import logging
import re
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sandbox import answers
from sandbox.errors import ProviderRefusal
from sandbox.openai import pictures
from sandbox.openai.knowledge import words_of
from sandbox.openai.wire import error, invalid, missing
from sandbox.storage import Json

MOST_FILE_BYTES: Final = 50 * 2**20
"""Of all files of a request together."""
MOST_PICTURES: Final = 1_500
_FILE_TYPES = frozenset(
    [
        "application/csv",
        "application/json",
        "application/msword",
        "application/pdf",
        "application/rtf",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/yaml",
        "message/rfc822",
        "text/calendar",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/markdown",
        "text/plain",
        "text/rtf",
        "text/tsv",
        "text/x-python",
        "text/x-vcard",
        "text/xml",
    ]
)
"""Those of the types in OpenAI's guide to files that people send; the rest are kinds of source code."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_PAGE_TOKENS = {"low": 256}
_USUAL_PAGE_TOKENS = 1_100
_WORDS_SHOWN = 12
_MOST_UNPACKED = 2**22
_XML_TAG = re.compile(r"<[^>]*>")
_WITH_WORDS = re.compile(r"(document|sheet\d+|slide\d+)\.xml$")
FindFile = Callable[[str], Json | None]


def check(items: list[Json], find_file: FindFile, *, takes_words_only: bool) -> None:
    """Raises OpenAI's error for the first picture or document that the model cannot be given."""
    size = count = 0
    for part, where in _attached(items):
        if takes_words_only:
            what = "image_url" if part["type"] == "input_image" else "file"
            raise error(400, f"Invalid content type. {what} is only supported by certain models.", param=where)
        if part.get("file_id"):
            _check_stored(part["file_id"], find_file, where)
        elif part["type"] == "input_image":
            count += 1
            _check_picture(part, where)
        else:
            size += _check_file(part, where)
    if count > MOST_PICTURES:
        raise invalid("input", f"Too many images: at most {MOST_PICTURES} are supported, but {count} were given.")
    if size > MOST_FILE_BYTES:
        raise invalid("input", f"Files in a request are at most {MOST_FILE_BYTES} bytes in total, but have {size}.")


def tokens(items: list[Json]) -> int:
    """What pictures and pages cost besides the words."""
    return sum(_tokens(part) for part, _ in _attached(items))


def described(part: Json) -> str:
    """What the model sees of a checked picture or document."""
    if part["type"] == "input_image":
        content = _content(part.get("image_url"))
        picture = pictures.read(content) if content else None
        if content is None or picture is None:
            return "(imagen)"
        return f"(imagen {picture.format} {picture.width}x{picture.height}, {_digest(content)})"
    content = _content(part.get("file_data"))
    if content is None:
        return "(archivo)"
    document = _document(content, _type_of(part["file_data"])) or ReadDocument("")
    size = f"{document.pages} páginas" if document.pages else f"{len(content)} bytes"
    words = " ".join(document.words.split()[:_WORDS_SHOWN])
    return f"(archivo {part.get('filename') or 'sin nombre'}, {size}, {_digest(content)}: {words})"


def _attached(items: list[Json]) -> Iterator[tuple[Json, str]]:
    """All pictures and documents, each with its place."""
    for index, item in enumerate(items):
        for name in ("content", "output"):
            parts: Any = item.get(name)
            for number, part in enumerate(parts if isinstance(parts, list) else ()):
                if part.get("type") in ("input_image", "input_file"):
                    yield part, f"input[{index}].{name}[{number}]"


def _check_stored(key: str, find_file: FindFile, where: str) -> None:
    if find_file(key) is None:
        raise error(404, f"File with id '{key}' not found.", param=f"{where}.file_id")


def _check_picture(part: Json, where: str) -> None:
    url, at = part.get("image_url"), f"{where}.image_url"
    if not url:
        raise missing(at)
    if not url.startswith("data:"):
        _check_url(url, at)
        return
    example = "an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU=')"
    if not _type_of(url).startswith("image/"):
        raise _no_data(at, example, f"unsupported MIME type '{_type_of(url)}'")
    content = _decoded(url, at, example)
    picture = pictures.read(content)
    formats = ["image/jpeg", "image/png", "image/gif", "image/webp"]
    if picture is None:
        message = (
            "The image data you provided does not represent a valid image. Please check your input and try again with "
            f"one of the supported image formats: {formats}."
        )
        raise invalid("input", message, "image_parse_error")
    if picture.is_animated:
        message = "You uploaded an unsupported image. Please make sure your image is not animated."
        raise invalid("input", message, "invalid_image_format")


def _check_file(part: Json, where: str) -> int:
    """The size of a document that is given in the request."""
    if part.get("file_url"):
        _check_url(part["file_url"], f"{where}.file_url")
        return 0
    data, at = part.get("file_data"), f"{where}.file_data"
    if not data:
        raise missing(at)
    example = "a valid file MIME type (e.g. 'data:application/pdf;base64,SGVsbG8sIFdvcmxkIQ==')"
    kind = _type_of(data)
    if kind not in _FILE_TYPES:
        raise _no_data(at, example, f"unsupported MIME type '{kind}'")
    content = _decoded(data, at, example)
    if _document(content, kind) is None:
        message = "The file you uploaded is badly formatted or corrupted. Please fix the file and try again."
        raise invalid("input", message, "invalid_file")
    return len(content)


def _check_url(url: str, at: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise invalid(at, f"Invalid '{at}'. Expected a valid URL, but got a value with an invalid format.")


def _no_data(at: str, expected: str, given: str) -> ProviderRefusal:
    return invalid(at, f"Invalid '{at}'. Expected a base64-encoded data URL with {expected}, but got {given}.")


def _decoded(url: str, at: str, expected: str) -> bytes:
    content = _content(url)
    if content is None:
        raise _no_data(at, expected, "an invalid base64-encoded value")
    if not content:
        raise _no_data(at, expected, "empty base64-encoded bytes")
    return content


def _type_of(url: str) -> str:
    """The type in a data URL, without parameters."""
    return url.removeprefix("data:").partition(",")[0].partition(";")[0].lower() if url.startswith("data:") else ""


def _content(url: str | None) -> bytes | None:
    """The bytes in a data URL; None where there are none, or not in base64."""
    head, _, data = (url or "").partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _tokens(part: Json) -> int:
    detail = part.get("detail") or "auto"
    if part["type"] == "input_image":
        picture = pictures.read(_content(part.get("image_url")) or b"")
        return picture.tokens(detail) if picture else pictures.Picture("png", 1024, 1024).tokens(detail)
    content, kind = _content(part.get("file_data")), _type_of(part.get("file_data") or "")
    document = _document(content, kind) if content else None
    if document is None:
        return 0
    return answers.tokens(document.words) + document.pages * _PAGE_TOKENS.get(detail, _USUAL_PAGE_TOKENS)


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a document says, and on how many pages if it is a PDF."""

    words: str
    pages: int = 0


@lru_cache(maxsize=4)
def _document(content: bytes, kind: str) -> ReadDocument | None:
    """None for one that is damaged."""
    if kind == "application/pdf":
        return _pdf(content)
    if not kind.startswith(_OFFICE):
        return ReadDocument(words_of(content))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if _WITH_WORDS.search(name)]
            with archive.open(names[0]) if names else io.BytesIO() as packed:
                return ReadDocument(_XML_TAG.sub(" ", packed.read(_MOST_UNPACKED).decode("utf-8", "replace")))
    except (zipfile.BadZipFile, zlib.error):
        return None


def _pdf(content: bytes) -> ReadDocument | None:
    from pypdf import PdfReader  # slow to import, and few sandboxes are given a PDF
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        pages = PdfReader(io.BytesIO(content)).pages
        words = "\n\n".join(page.extract_text() for page in pages)
    except (PyPdfError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # what claims to be a PDF breaks its reader anywhere
    return ReadDocument(words, len(pages)) if len(pages) else None
