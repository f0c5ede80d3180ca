"""What a file is, by its first bytes. The type that was declared is a stranger's word: it only decides where the bytes
leave it open. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 4096
"""How many of a file's first bytes are looked at."""
ANIMATED: Final = "image/animated"
"""Of a WebP that moves, and of any GIF: models refuse those."""
OGG_OPUS: Final = "audio/ogg"
MP3, MP4_AUDIO, MP4 = "audio/mpeg", "audio/mp4", "video/mp4"
PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
"""A container, such as of docx and xlsx: which one, only its contents show."""
TEXT, CSV, VCARD = "text/plain", "text/csv", "text/vcard"
UNKNOWN: Final = "application/octet-stream"

_MARKUP: Final = (b"<", b"\xef\xbb\xbf<")
_AUDIO_BRANDS: Final = (b"M4A ", b"M4B ", b"M4P ")
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", ANIMATED),
    (b"GIF89a", ANIMATED),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"#!AMR", "audio/amr"),
    (b"fLaC", "audio/flac"),
    (b"ID3", MP3),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
)
_DOT_LIMIT: Final = 65_535
"""Dots of a side that OpenAI takes at most."""
PIXEL_LIMIT: Final = 50_000_000
"""Dots of a picture at most: a telephone's largest have as many; more is made to fill a decoder's memory."""


@dataclass(frozen=True, slots=True)
class Size:
    """A picture's, in dots."""

    width: int
    height: int

    @property
    def is_sound(self) -> bool:
        """Whether it is one that a decoder can be given."""
        return 0 < self.width <= _DOT_LIMIT and 0 < self.height <= _DOT_LIMIT and self.dots <= PIXEL_LIMIT

    @property
    def dots(self) -> int:
        """All of them."""
        return self.width * self.height


def type_of(head: bytes, declared: str) -> str:
    """The type of a file with these first bytes, as far as it is one that is known here; UNKNOWN for any other."""
    essence = declared.partition(";")[0].strip().lower()
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(b"OggS"):
        return OGG_OPUS if b"OpusHead" in head[:128] else "application/ogg"
    if head[4:8] == b"ftyp":
        return _mp4(head[8:12], essence)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ANIMATED if _moves(head) else "image/webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/aac" if head[1] & 0x06 == 0 else MP3
    return _text(head, essence)


def _mp4(brand: bytes, essence: str) -> str:
    """MPEG-4's container has the same first bytes with and without a picture."""
    if brand.startswith(b"3g"):
        return "video/3gpp"
    return MP4_AUDIO if brand in _AUDIO_BRANDS or essence.startswith("audio/") else MP4


def _moves(head: bytes) -> bool:
    """Whether a WebP is animated: the flag in the header of the extended format (RFC 9649, 2.7.1)."""
    return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 0x02)


def _text(head: bytes, essence: str) -> str:
    if not head or b"\x00" in head or head.lstrip().startswith(_MARKUP):
        return UNKNOWN
    try:
        # A letter may be cut at the end of the head.
        head.decode("utf-8") if len(head) < HEAD_BYTES else head[:-3].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8 and not _is_latin(head):
            return UNKNOWN
    if head.lstrip()[:11].upper() == b"BEGIN:VCARD":
        return VCARD
    return CSV if essence in (CSV, "application/csv") else TEXT


def _is_latin(head: bytes) -> bool:
    """Whether bytes are a text of an older encoding: letters, and no control characters but those between lines."""
    return not any(byte < 32 and byte not in b"\t\r\n\f" for byte in head) and not any(
        128 <= byte < 160 for byte in head
    )


def size_of(head: bytes, content_type: str, rest: bytes = b"") -> Size | None:
    """A picture's size from its first bytes; None where they do not show it. `rest`: what follows `head`."""
    content = head + rest
    try:
        match content_type:
            case "image/png" if content[12:16] == b"IHDR":
                return Size(_big(content[16:20]), _big(content[20:24]))
            case "image/webp":
                return _size_of_webp(content)
            case "image/jpeg":
                return _size_of_jpeg(content)
    except IndexError:
        return None
    return None


def _size_of_webp(content: bytes) -> Size | None:
    match content[12:16]:
        case b"VP8X":
            return Size(_little(content[24:27]) + 1, _little(content[27:30]) + 1)
        case b"VP8L" if content[20] == 0x2F:
            bits = _little(content[21:25])
            return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 " if content[23:26] == b"\x9d\x01\x2a":
            return Size(_little(content[26:28]) & 0x3FFF, _little(content[28:30]) & 0x3FFF)
    return None


def _size_of_jpeg(content: bytes) -> Size | None:
    """From the frame's header, which follows any number of other segments (ITU T.81, B.2)."""
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return Size(_big(content[at + 7 : at + 9]), _big(content[at + 5 : at + 7]))
        elif marker in (0xD9, 0xDA):
            return None
        else:
            at += 2 + _big(content[at + 2 : at + 4])
    return None


def _big(digits: bytes) -> int:
    return int.from_bytes(digits, "big")


def _little(digits: bytes) -> int:
    return int.from_bytes(digits, "little")
