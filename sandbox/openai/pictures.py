"""What a picture's bytes say without decoding them: its format, its size, whether it moves. Nothing here does I/O."""

import math
from dataclasses import dataclass

_PATCH = 32
"""Pixels of a side of what costs a token."""
_MOST_PATCHES = {"low": 256, "original": 10_000}
_USUAL_PATCHES = 1_536


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in one of the formats that OpenAI reads."""

    format: str
    width: int
    height: int
    is_animated: bool = False

    def tokens(self, detail: str) -> int:
        """What the picture costs at a level of detail, by OpenAI's patches."""
        patches = math.ceil(self.width / _PATCH) * math.ceil(self.height / _PATCH)
        return min(patches, _MOST_PATCHES.get(detail, _USUAL_PATCHES))


def read(content: bytes) -> Picture | None:
    """None for what is not a picture, or ends too early."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(content)
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg(content)
        if content.startswith((b"GIF87a", b"GIF89a")):
            return _gif(content)
        return _webp(content) if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
    except IndexError:
        return None


def _big(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(_piece(content, at, size), "big")


def _little(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(_piece(content, at, size), "little")


def _piece(content: bytes, at: int, size: int) -> bytes:
    if len(content) < at + size:
        raise IndexError(at)
    return content[at : at + size]


def _png(content: bytes) -> Picture | None:
    return Picture("png", _big(content, 16, 4), _big(content, 20, 4)) if b"IEND" in content[-12:] else None


def _jpeg(content: bytes) -> Picture | None:
    at, found = 2, None
    while content[at] == 0xFF:
        marker, length = content[at + 1], _big(content, at + 2, 2)
        if marker in (0xC0, 0xC1, 0xC2):
            found = Picture("jpeg", _big(content, at + 7, 2), _big(content, at + 5, 2))
        if marker == 0xDA:
            return found if b"\xff\xd9" in content[at:] else None
        at += 2 + length
    return None


def _gif(content: bytes) -> Picture | None:
    frames, at = 0, 13
    if content[10] & 0x80:
        at += 3 << (content[10] & 7) + 1
    while content[at] != 0x3B:
        if content[at] == 0x2C:
            frames += 1
            packed = content[at + 9]
            at += 11 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
        else:
            at += 2
        while size := content[at]:
            at += size + 1
        at += 1
    return Picture("gif", _little(content, 6, 2), _little(content, 8, 2), frames > 1) if frames else None


def _webp(content: bytes) -> Picture | None:
    if len(content) < _little(content, 4, 4) + 8:
        return None
    match content[12:16]:
        case b"VP8X":
            width, height = _little(content, 24, 3) + 1, _little(content, 27, 3) + 1
            return Picture("webp", width, height, bool(content[20] & 2))
        case b"VP8L":
            bits = _little(content, 21, 4)
            return Picture("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            return Picture("webp", _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF)
    return None
