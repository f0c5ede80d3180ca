"""A PDF as a browser or Word writes it: its text is numbers of glyphs, which a table of its font turns into letters."""

from __future__ import annotations

import zlib


def pdf_of(text: str, pages: int = 1) -> bytes:
    """Pages with one line each, always the same."""
    glyphs = {letter: number for number, letter in enumerate(dict.fromkeys(text), 1)}
    table = "\n".join(f"<{number:04X}> <{ord(letter):04X}>" for letter, number in glyphs.items())
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
        f"{len(glyphs)} beginbfchar\n{table}\nendbfchar endcmap end end"
    )
    shown = "".join(f"{glyphs[letter]:04X}" for letter in text)
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>"
    )
    numbers = [3, *range(8, 7 + pages)]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
            page,
            _stream(f"BT /F1 12 Tf 72 720 Td <{shown}> Tj ET"),
            b"<< /Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Arial /Encoding /Identity-H"
            b" /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>",
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+Arial /DW 500"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
            _stream(to_unicode),
            *[page] * (pages - 1),
        ]
    )


def _stream(text: str) -> bytes:
    packed = zlib.compress(text.encode())
    return f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode() + packed + b"\nendstream"


def _file(objects: list[bytes]) -> bytes:
    """The objects, numbered from 1 on, with the table of where they are."""
    content, places = bytearray(b"%PDF-1.7\n"), []
    for number, written in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n".encode() + written + b"\nendobj\n"
    table = len(content)
    size = len(objects) + 1
    content += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    content += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    content += f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF".encode()
    return bytes(content)
