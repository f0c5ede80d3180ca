"""Real files as people send them, made here: voice notes, pictures, stickers, documents, contacts.

Every file is valid for the programs that open such files. What a voice note says is a tag of it, which the sandbox's
transcription reads.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.sandbox.pdf import pdf_of

_RATE = 48_000
"""Of an Opus stream's positions, per second."""
_FRAME = 960
"""Positions of a frame: 20 ms."""
_SILENCE = b"\xf8\xff\xfe"
"""A frame of Opus without sound."""
_PRE_SKIP = 312
_SERIAL = 0x5A4D
_FRAMES_A_PAGE = 50


def voice_note(says: str | None = None, seconds: float = 3.0, frame: bytes = _SILENCE) -> bytes:
    """Ogg with Opus, mono, as WhatsApp records it. `says` is what a transcription returns, "" for nothing that can be
    understood; without it the transcription is derived from the bytes. `frame` is each of its 20 ms."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, _PRE_SKIP, 16_000, 0, 0)
    comments = [] if says is None else [f"TRANSCRIPT={says}".encode()]
    tags = b"OpusTags" + _counted(b"sandbox") + struct.pack("<I", len(comments)) + b"".join(map(_counted, comments))
    end = _PRE_SKIP + round(seconds * _RATE)
    frames = -(-end // _FRAME)
    pages = [_page([head], 0, 0, 2), _page([tags], 0, 1, 0)]
    for first in range(0, frames, _FRAMES_A_PAGE):
        last = min(first + _FRAMES_A_PAGE, frames)
        is_end = last == frames
        position = end if is_end else last * _FRAME
        pages.append(_page([frame] * (last - first), position, len(pages), 4 if is_end else 0))
    return b"".join(pages)


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _page(packets: list[bytes], position: int, number: int, flags: int) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = b"OggS" + struct.pack("<BBqIIIB", 0, flags, position, _SERIAL, number, 0, len(lacing)) + lacing
    page = head + b"".join(packets)
    return page[:22] + struct.pack("<I", _ogg_checksum(page)) + page[26:]


def _checksums() -> Iterator[int]:
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        yield value & 0xFFFFFFFF


_CHECKSUMS = tuple(_checksums())


def _ogg_checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _CHECKSUMS[(value >> 24) ^ byte]
    return value


def wav(seconds: float = 1.0) -> bytes:
    """Silence, 8 kHz, 8 bit, mono."""
    samples = b"\x80" * round(seconds * 8_000)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 8_000, 1, 8)
    content = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(content)) + content


def amr(seconds: float = 1.0) -> bytes:
    """AMR, narrow band, as old phones record it: a format that OpenAI does not transcribe."""
    return b"#!AMR\n" + (b"\x7c" + bytes(12)) * round(seconds * 50)  # frames without data in place of speech


def jpeg(width: int = 64, height: int = 48, comment: str = "") -> bytes:
    """A grey picture. Different comments make different bytes."""

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    one_code = bytes([1]) + bytes(15) + b"\x00"  # one symbol, written as one bit: 0
    blocks = -(-width // 8) * -(-height // 8)
    bits = blocks * 2  # for each block, one bit for no change of its grey and one for its end
    scan = bytearray(-(-bits // 8))
    if bits % 8:
        scan[-1] |= (1 << (8 - bits % 8)) - 1
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(0xFE, comment.encode()) if comment else b"",
            segment(0xDB, b"\0" + b"\x10" * 64),
            segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"),
            segment(0xC4, b"\x00" + one_code),
            segment(0xC4, b"\x10" + one_code),
            segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            bytes(scan),
            b"\xff\xd9",
        )
    )


def png(width: int = 64, height: int = 48) -> bytes:
    """A black picture; a big one is a small file that fills much memory."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    packer = zlib.compressobj(9)
    rows = b"".join([packer.compress(bytes(1 + width)) for _ in range(height)] + [packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif(*, animated: bool = False, width: int = 8, height: int = 8) -> bytes:
    """A GIF of one colour, of one frame or of two."""
    descriptor = struct.pack("<HHHHB", 0, 0, width, height, 0)
    packed: list[int] = []
    codes = (4, 0) * (width * height)  # the table of codes is reset before each pixel, so it never grows
    value = bits = 0
    for code in (*codes, 5):
        value |= code << bits
        bits += 3
        while bits >= 8:
            packed.append(value & 0xFF)
            value >>= 8
            bits -= 8
    if bits:
        packed.append(value)
    stream = bytes(packed)
    blocks = b"".join(bytes([len(part)]) + part for part in (stream[i : i + 255] for i in range(0, len(stream), 255)))
    frame = b"!\xf9\x04\x04\x0a\x00\x00\x00" + b"," + descriptor + b"\x02" + blocks + b"\x00"
    screen = struct.pack("<HHBBB", width, height, 0x91, 0, 0) + b"\x80\x80\x80" + bytes(9)
    return b"GIF89a" + screen + frame * (2 if animated else 1) + b";"


def webp(width: int = 512, height: int = 512) -> bytes:
    """A sticker of one colour, lossless: 34 bytes of any size up to 16,384 × 16,384."""
    return _riff(_chunk(b"VP8L", _vp8l(width, height)))


def animated_webp(width: int = 512, height: int = 512, frames: int = 2) -> bytes:
    """An animated sticker."""
    canvas = _three(width - 1) + _three(height - 1)
    head = _chunk(b"VP8X", bytes([0x12, 0, 0, 0]) + canvas)
    shown = bytes(6) + canvas + _three(100) + b"\0" + _chunk(b"VP8L", _vp8l(width, height))
    return _riff(head + _chunk(b"ANIM", bytes(6)) + _chunk(b"ANMF", shown) * frames)


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _riff(content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _vp8l(width: int, height: int) -> bytes:
    """A lossless image whose pixels all have the only code, which takes no bits."""
    value = length = 0

    def put(bits: int, count: int) -> None:
        nonlocal value, length
        value |= bits << length
        length += count

    put(0x2F, 8)
    put(width - 1, 14)
    put(height - 1, 14)
    put(1, 1)  # with transparency
    put(0, 3 + 3)  # version 0; no transform, no cache of colours, no groups of codes
    for symbol in (0x80, 0x80, 0x80, 0xFF, 0):  # green, red, blue, opacity, distance
        put(0b101, 3)  # a simple code of one symbol, which has 8 bits
        put(symbol, 8)
    return value.to_bytes(-(-length // 8), "little")


def pdf(text: str = "Menú del día", pages: int = 1) -> bytes:
    """A PDF as a browser writes it: with its own font, and text as numbers of its glyphs. The text is on each page."""
    return pdf_of(text, pages)


_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SCHEMAS = "http://schemas.openxmlformats.org"


def docx(text: str = "Pedido", padding: int = 0) -> bytes:
    """A document of Word; `padding` is how many spaces follow the text, which compress well."""
    words = f"<w:p><w:r><w:t>{_escaped(text)}{' ' * padding}</w:t></w:r></w:p>"
    body = f'<w:document xmlns:w="{_SCHEMAS}/wordprocessingml/2006/main"><w:body>{words}</w:body></w:document>'
    return _office("word/document.xml", f"{_DOCX}.document.main+xml", {"word/document.xml": body})


def xlsx(rows: list[list[str]]) -> bytes:
    """A sheet of Excel."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{_escaped(cell)}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    main, links = f"{_SCHEMAS}/spreadsheetml/2006/main", f"{_SCHEMAS}/officeDocument/2006/relationships"
    book = (
        f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets><sheet name="Hoja1" sheetId="1" r:id="r1"/></sheets>'
        "</workbook>"
    )
    related = _relations(f"{links}/worksheet", "worksheets/sheet1.xml")
    sheet = f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
    parts = {"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": related, "xl/worksheets/sheet1.xml": sheet}
    more = f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_XLSX}.worksheet+xml"/>'
    return _office("xl/workbook.xml", f"{_XLSX}.sheet.main+xml", parts, more)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _relations(kind: str, target: str) -> str:
    one = f'<Relationship Id="r1" Type="{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">{one}</Relationships>'


def _office(main: str, content_type: str, parts: dict[str, str], overrides: str = "") -> bytes:
    types = (
        f'<Types xmlns="{_SCHEMAS}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="{content_type}"/>{overrides}</Types>'
    )
    related = _relations(f"{_SCHEMAS}/officeDocument/2006/relationships/officeDocument", main)
    whole = {"[Content_Types].xml": types, "_rels/.rels": related, **parts}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in whole.items():
            entry = zipfile.ZipInfo(name, (2026, 11, 1, 12, 0, 0))  # the same bytes each time
            archive.writestr(entry, '<?xml version="1.0" encoding="UTF-8"?>\n' + text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def vcard(name: str = "Ana Pérez", phone: str = "+56 9 8765 4321") -> bytes:
    """A contact as WhatsApp sends it."""
    lines = ("BEGIN:VCARD", "VERSION:3.0", f"N:;{name};;;", f"FN:{name}", f"TEL;type=CELL:{phone}", "END:VCARD", "")
    return "\r\n".join(lines).encode()


def mp4() -> bytes:
    """The beginning of a video, by which programs know one."""
    brand = b"isom" + struct.pack(">I", 512) + b"isomiso2avc1mp41"
    return struct.pack(">I", 8 + len(brand)) + b"ftyp" + brand + struct.pack(">I", 8) + b"mdat"
