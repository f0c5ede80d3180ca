"""What can be known of an audio file without decoding it: its format, how long it is, and what is said in it.

What is said is a tag of an Ogg file, `TRANSCRIPT=…`, which tests and people write; a file without it says what no other
file says. Nothing here does I/O.
"""

import hashlib
import struct
from dataclasses import dataclass

_OPUS_RATE = 48_000
_HEADER = struct.Struct("<4sBBqIIIB")
_TAG = b"TRANSCRIPT="
_BYTES_A_SECOND = 4_000
"""Of a file whose length is not read but guessed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file. `said` is empty where nothing can be understood."""

    seconds: float
    said: str


def read(content: bytes) -> Recording | None:
    """None for what is not audio, or damaged."""
    if content.startswith(b"OggS"):
        return _ogg(content)
    seconds = _wav_seconds(content) if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else _guessed(content)
    return None if seconds is None else Recording(seconds, _fingerprint(content, seconds))


def _fingerprint(content: bytes, seconds: float) -> str:
    return f"nota de voz de {seconds:.0f} s, {hashlib.sha256(content).hexdigest()[:12]}"


def _ogg(content: bytes) -> Recording | None:
    at, position, head, tags = 0, 0, b"", b""
    while at < len(content):
        if len(content) < at + _HEADER.size:
            return None
        name, _, _, granule, _, number, _, segments = _HEADER.unpack_from(content, at)
        lacing = content[at + _HEADER.size : at + _HEADER.size + segments]
        start = at + _HEADER.size + segments
        at = start + sum(lacing)
        if name != b"OggS" or len(lacing) < segments or at > len(content):
            return None
        position = max(position, granule)
        head, tags = (content[start:at], tags) if number == 0 else (head, content[start:at] if number == 1 else tags)
    if not head.startswith(b"OpusHead") or len(head) < 12:
        return None
    seconds = max(position - int.from_bytes(head[10:12], "little"), 0) / _OPUS_RATE
    tag = tags.find(_TAG)
    if tag < 4:
        return Recording(seconds, _fingerprint(content, seconds))
    length = int.from_bytes(tags[tag - 4 : tag], "little")
    return Recording(seconds, tags[tag + len(_TAG) : tag + length].decode("utf-8", "replace"))


def _wav_seconds(content: bytes) -> float | None:
    at = 12
    rate = 0
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if name == b"fmt ":
            rate = int.from_bytes(content[at + 16 : at + 20], "little")
        if name == b"data":
            return min(size, len(content) - at - 8) / rate if rate else None
        at += 8 + size + size % 2
    return None


def _guessed(content: bytes) -> float | None:
    """The length of the other formats, by their size."""
    is_mp3 = content.startswith(b"ID3") or (content[:1] == b"\xff" and content[1:2] >= b"\xe0")
    is_known = is_mp3 or content.startswith((b"fLaC", b"\x1aE\xdf\xa3")) or content[4:8] == b"ftyp"
    return len(content) / _BYTES_A_SECOND if is_known else None
