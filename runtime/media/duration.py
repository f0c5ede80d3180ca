"""How long a recording is, read from its frames, without decoding it: known before anything is paid for it.

Ogg/Opus     every packet's own duration (RFC 6716, 3.1; RFC 7845), so that no header can promise less
MP3          every frame's
MPEG-4       what its header `mvhd` says
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import BinaryIO, Final

from runtime.media.file_types import MP3, MP4_AUDIO, OGG_OPUS

_PAGE: Final = 27
"""Bytes of the fixed part of an Ogg page's header."""
_OPUS_MILLISECONDS: Final = (
    *(10.0, 20.0, 40.0, 60.0) * 3,
    *(10.0, 20.0) * 2,
    *(2.5, 5.0, 10.0, 20.0) * 4,
)
"""Of one frame, by the configuration in a packet's first byte."""
_MP3_RATES: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
"""kbit/s of layer III, of version 1 and of the others."""
_MP3_HERTZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MP3_GAP: Final = 4096
_MP3_TAGS: Final = 64 * 1024
"""Bytes before the first frame, and after the last one, that may be something else."""
_BOXES: Final = 10_000


class NotRecorded(Exception):
    """The file is not a recording whose duration can be read."""


def milliseconds_of(path: Path, content_type: str, limit: int) -> int:
    """The duration of a file; anything above `limit` once it is longer. Raises NotRecorded."""
    with path.open("rb") as file:
        match content_type:
            case "audio/ogg":
                return _of_ogg(file, limit)
            case "audio/mpeg":
                return _of_mp3(file, limit)
            case "audio/mp4":
                return _of_mp4(file)
    raise NotRecorded(f"{content_type} is not one of {OGG_OPUS}, {MP3}, {MP4_AUDIO}")


def _of_ogg(file: BinaryIO, limit: int) -> int:
    total, packets = 0.0, 0
    is_continued = False
    while header := file.read(_PAGE):
        if len(header) < _PAGE or header[:4] != b"OggS":
            raise NotRecorded("a page of Ogg is damaged")
        lacing = file.read(header[26])
        body = file.read(sum(lacing))
        if len(lacing) < header[26] or len(body) < sum(lacing):
            raise NotRecorded("a page of Ogg is cut")
        at = begin = 0
        for length in lacing:
            at += length
            if length == 255:
                continue
            if not is_continued:
                packets += 1
                # The first two packets are headers.
                total += _of_packet(body[begin:at]) if packets > 2 else 0
                if total > limit:
                    return int(total)
            is_continued, begin = False, at
        if lacing and lacing[-1] == 255:
            if not is_continued:
                packets += 1
                total += _of_packet(body[begin:at]) if packets > 2 else 0
            is_continued = True
    if packets < 3:
        raise NotRecorded("there is nothing but headers in it")
    return int(total)


def _of_packet(packet: bytes) -> float:
    if not packet:
        return 0.0
    first = packet[0]
    frames = (1, 2, 2)[first & 3] if first & 3 < 3 else (packet[1] & 0x3F if len(packet) > 1 else 1)
    return _OPUS_MILLISECONDS[first >> 3] * frames


def _of_mp3(file: BinaryIO, limit: int) -> int:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise NotRecorded("it is empty")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = begin = _after_id3(content[:10])
        total, frames = 0.0, 0
        while at + 4 <= size and total <= limit:
            version, rate, hertz, padding = _frame(content[at : at + 4])
            if rate:
                samples = 1152 if version == 3 else 576
                total += samples / hertz * 1000
                frames += 1
                at += max(samples // 8 * rate * 1000 // hertz + padding, 4)
            elif frames or at - begin > _MP3_GAP:
                break
            else:
                at += 1
    if not frames:
        raise NotRecorded("there are no frames in it")
    # After the last frame are tags. What is more than tags may be frames that a decoder finds: at 8 kbit/s.
    left = max(size - at, 0)
    return int(total if left <= _MP3_TAGS else total + left)


def _frame(header: bytes) -> tuple[int, int, int, int]:
    """Version, kbit/s, Hz and padding of a frame of layer III; a rate of 0 for what is not one."""
    if header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or header[1] & 0x06 != 0x02:
        return 0, 0, 0, 0
    version, hertz = header[1] >> 3 & 3, header[2] >> 2 & 3
    if version == 1 or hertz == 3:
        return 0, 0, 0, 0
    rate = _MP3_RATES[3 if version == 3 else 2][header[2] >> 4]
    return version, rate, _MP3_HERTZ[version][hertz], header[2] >> 1 & 1


def _after_id3(head: bytes) -> int:
    """Where the frames begin: after the tag ID3v2, whose length is in four times seven bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _of_mp4(file: BinaryIO) -> int:
    end = os.fstat(file.fileno()).st_size
    at = 0
    for _ in range(_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8 or at >= end:
            break
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        inner = 8
        if size == 1:
            size, inner = int.from_bytes(header[8:16], "big"), 16
        size = size or end - at
        if size < inner:
            break
        if kind == b"moov":
            at += inner
        elif kind == b"mvhd":
            file.seek(at + inner)
            return _of_mvhd(file.read(32))
        else:
            at += size
    raise NotRecorded("it does not say how long it is")


def _of_mvhd(box: bytes) -> int:
    """ISO 14496-12, 8.2.2: version 1 has times of 64 bits."""
    scale_at, width = (20, 8) if box[:1] == b"\x01" else (12, 4)
    scale = int.from_bytes(box[scale_at : scale_at + 4], "big")
    length = int.from_bytes(box[scale_at + 4 : scale_at + 4 + width], "big")
    if scale == 0 or length == 0:
        raise NotRecorded("it does not say how long it is")
    return length * 1000 // scale
