"""Files that a client may declare to be sent: which types WhatsApp shows, how large, and how each is recognised.

Twilio, "Accepted content types for media" and "Guidance on WhatsApp media messages": 16 MB a message, a picture 5 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

MAX_FILE_BYTES: Final = 16_000_000
MAX_IMAGE_BYTES: Final = 5_000_000
HEAD_BYTES: Final = 1024
"""Of a file, to recognise it: a PDF's mark is within the first kilobyte."""
_OPENXML: Final = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A type of file."""

    content_type: str
    mark: bytes
    """What its content begins with."""

    @property
    def is_image(self) -> bool:
        """Whether WhatsApp shows it as a picture."""
        return self.content_type.startswith("image/")

    @property
    def max_bytes(self) -> int:
        """The largest file of this type that WhatsApp takes."""
        return MAX_IMAGE_BYTES if self.is_image else MAX_FILE_BYTES

    def is_type_of(self, head: bytes) -> bool:
        """Whether a file with these first bytes is of this type, as far as they show it."""
        return self.mark in head[:HEAD_BYTES] if self.content_type == "application/pdf" else head.startswith(self.mark)


_JPEG: Final = MediaType("image/jpeg", b"\xff\xd8\xff")
BY_SUFFIX: Final = {
    ".pdf": MediaType("application/pdf", b"%PDF-"),
    ".docx": MediaType(f"{_OPENXML}.wordprocessingml.document", b"PK\x03\x04"),
    ".xlsx": MediaType(f"{_OPENXML}.spreadsheetml.sheet", b"PK\x03\x04"),
    ".pptx": MediaType(f"{_OPENXML}.presentationml.presentation", b"PK\x03\x04"),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".png": MediaType("image/png", b"\x89PNG\r\n\x1a\n"),
}
"""By the ending of a file's name, lower case."""
SENT_TYPES: Final = {media.content_type: media for media in BY_SUFFIX.values()}


def type_of_name(name: str) -> MediaType | None:
    """The type of a file, by its name; None where it is none that is sent."""
    return BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
