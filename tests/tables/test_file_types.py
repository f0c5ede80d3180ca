"""What a file is, how large a picture is and how long a recording, by the bytes alone."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.contact_card import card_text
from runtime.media.duration import NotRecorded, milliseconds_of
from runtime.media.file_types import ANIMATED, UNKNOWN, Size, size_of, type_of
from tests import media_files as made

FTYP = b"\x00\x00\x00\x18ftyp"


@pytest.mark.parametrize(
    ("content", "declared", "found"),
    [
        (made.voice_note(), "image/jpeg", "audio/ogg"),
        (b"OggS" + bytes(200), "audio/ogg", "application/ogg"),
        (made.amr(), "audio/ogg", "audio/amr"),
        (b"ID3\x04" + bytes(20), "audio/ogg", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac", "audio/aac"),
        (made.wav(), "", "audio/wav"),
        (FTYP + b"M4A ", "video/mp4", "audio/mp4"),
        (FTYP + b"isom", "audio/mp4", "audio/mp4"),
        (FTYP + b"isom", "application/pdf", "video/mp4"),
        (FTYP + b"3gp5", "audio/3gpp", "video/3gpp"),
        (made.jpeg(), "application/pdf", "image/jpeg"),
        (made.png(), "", "image/png"),
        (made.webp(), "image/webp", "image/webp"),
        (made.animated_webp(), "image/webp", ANIMATED),
        (made.gif(), "image/gif", ANIMATED),
        (made.pdf(), "image/jpeg", "application/pdf"),
        (made.docx(), "application/pdf", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", "application/msword"),
        (made.vcard(), "text/plain", "text/vcard"),
        ("Ñuñoa 123".encode(), "text/plain; charset=utf-8", "text/plain"),
        ("Ñuñoa 123".encode("latin-1"), "", "text/plain"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        # polyglots and pages are nothing that is opened
        (b"<html><script>", "image/jpeg", UNKNOWN),
        (b"  <?xml version='1.0'?><svg/>", "image/png", UNKNOWN),
        (b"\xef\xbb\xbf<svg/>", "text/plain", UNKNOWN),
        (b"MZ\x90\x00", "application/pdf", UNKNOWN),
        (b"\x7fELF\x02\x01\x01\x00", "text/plain", UNKNOWN),
        (b"<!--" + made.pdf(), "application/pdf", UNKNOWN),
        (b"MZ" + made.docx(), "application/zip", UNKNOWN),
        (b"\x00" + made.jpeg(), "image/jpeg", UNKNOWN),
        # what begins as one thing is that thing, whatever follows
        (made.jpeg() + made.docx(), "application/zip", "image/jpeg"),
        (made.pdf() + made.docx(), "application/zip", "application/pdf"),
        (b"GIF89a=1;/*<script>*/", "text/plain", ANIMATED),
        (b"", "image/jpeg", UNKNOWN),
    ],
)
def test_a_file_is_what_its_bytes_say(content: bytes, declared: str, found: str) -> None:
    assert type_of(content[:4096], declared) == found


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_have_a_type(content: bytes, declared: str) -> None:
    found = type_of(content, declared)
    assert found
    size_of(content, found)


def test_a_letter_cut_at_the_end_of_the_head_is_text() -> None:
    assert type_of(("a" + "ñ" * 4096).encode()[:4096], "") == "text/plain"


@pytest.mark.parametrize(
    ("content", "content_type", "size"),
    [
        (made.jpeg(640, 480, "x" * 5000), "image/jpeg", Size(640, 480)),
        (made.png(100, 50), "image/png", Size(100, 50)),
        (made.webp(512, 300), "image/webp", Size(512, 300)),
        (made.animated_webp(120, 90), "image/webp", Size(120, 90)),
        (
            b"RIFF\x00\x00\x00\x00WEBPVP8 \x00\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\x40\x01\xf0\x00",
            "image/webp",
            Size(320, 240),
        ),
        (made.png()[:18], "image/png", Size(0, 0)),
        (made.jpeg()[:20], "image/jpeg", None),
        (b"\xff\xd8\xff\xe0", "image/jpeg", None),
        (made.pdf(), "image/jpeg", None),
    ],
)
def test_a_picture_s_size(content: bytes, content_type: str, size: Size | None) -> None:
    assert size_of(content, content_type) == size


@pytest.mark.parametrize(
    ("size", "is_sound"),
    [
        (Size(640, 480), True),
        (Size(65_535, 700), True),
        (Size(65_536, 1), False),
        (Size(1, 65_536), False),
        (Size(10_000, 5_000), True),
        (Size(10_000, 5_001), False),
        (Size(0, 10), False),
    ],
)
def test_a_picture_that_would_fill_a_decoder_s_memory_is_not_sound(size: Size, is_sound: bool) -> None:
    assert size.is_sound is is_sound


def milliseconds(folder: Path, content: bytes, content_type: str = "audio/ogg", limit: int = 10**9) -> int:
    path = folder / "recording"
    path.write_bytes(content)
    return milliseconds_of(path, content_type, limit)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 61.0, 300.0])
def test_a_voice_note_is_as_long_as_its_frames(tmp_path: Path, seconds: float) -> None:
    assert milliseconds(tmp_path, made.voice_note("x", seconds)) == pytest.approx(seconds * 1000, abs=40)


def test_a_voice_note_that_says_less_than_it_has_is_as_long_as_it_is(tmp_path: Path) -> None:
    note = made.voice_note("x", 120)
    last = note.rindex(b"OggS")
    lying = note[: last + 6] + struct.pack("<q", 48_000) + note[last + 14 :]
    assert milliseconds(tmp_path, lying) == pytest.approx(120_000, abs=40)


def test_counting_ends_once_a_recording_is_too_long(tmp_path: Path) -> None:
    assert 60_000 < milliseconds(tmp_path, made.voice_note("x", 900), limit=60_000) < 60_100


def test_a_packet_that_continues_on_the_next_page_counts_once(tmp_path: Path) -> None:
    def page(lacing: bytes, body: bytes) -> bytes:
        return b"OggS" + bytes(22) + bytes([len(lacing)]) + lacing + body

    heads = page(b"\x08\x08", b"OpusHeadOpusTags")
    split = page(b"\xff", b"\xf8" + bytes(254)) + page(b"\x05\x01", bytes(5) + b"\xf8")
    assert milliseconds(tmp_path, heads + split) == 40


@pytest.mark.parametrize(
    ("first", "more", "long"),
    [(0x00, b"", 10), (0x18, b"", 60), (0x80, b"", 2), (0xF8, b"", 20), (0xF9, b"", 40), (0xFB, b"\x03", 60)],
)
def test_a_packet_s_first_byte_says_how_long_it_is(tmp_path: Path, first: int, more: bytes, long: int) -> None:
    packet = bytes([first]) + more
    page = b"OggS" + bytes(22) + bytes([3, 8, 8, len(packet)]) + b"OpusHeadOpusTags" + packet
    assert milliseconds(tmp_path, page) == long


@pytest.mark.parametrize(
    "content",
    [b"", b"OggS", made.voice_note("x")[:-1], b"OggS" + bytes(22) + b"\x01\x08OpusHead", made.voice_note("x") + b"x"],
)
def test_a_damaged_voice_note_has_no_duration(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotRecorded):
        milliseconds(tmp_path, content)


FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""MP3, 128 kbit/s, 44.1 kHz: 26.12 ms."""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FRAME * 100, 2612),
        (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + FRAME * 100, 2612),
        (FRAME * 100 + b"TAG" + bytes(125), 2612),
        (b"\xff\xf3\x40\xc0" + bytes(140), 24),
        # what follows a single frame could be hours at the lowest rate
        (FRAME + bytes(1_000_000), 1_000_026),
    ],
)
def test_an_mp3_is_as_long_as_its_frames(tmp_path: Path, content: bytes, expected: int) -> None:
    assert milliseconds(tmp_path, content, "audio/mpeg") == pytest.approx(expected, abs=2)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (struct.pack(">4x8xII", 1000, 90_500), 90_500),
        (b"\x01" + struct.pack(">3x16xIQ", 48_000, 480_000), 10_000),
    ],
)
def test_an_m4a_says_how_long_it_is(tmp_path: Path, header: bytes, expected: int) -> None:
    file = box(b"ftyp", b"M4A ") + box(b"free", bytes(40)) + box(b"moov", box(b"mvhd", header + bytes(80)))
    assert milliseconds(tmp_path, file, "audio/mp4") == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        box(b"ftyp", b"M4A "),
        box(b"moov", box(b"mvhd", bytes(100))),
        struct.pack(">I", 3) + b"moov",
        box(b"free", b"") * 20_000,
    ],
)
def test_an_m4a_that_does_not_say_it_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotRecorded):
        milliseconds(tmp_path, content, "audio/mp4")


@pytest.mark.parametrize("content_type", ["audio/mpeg", "audio/mp4", "audio/ogg"])
@given(content=st.binary(max_size=400))
def test_any_bytes_have_a_duration_or_none(
    tmp_path_factory: pytest.TempPathFactory, content_type: str, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for head in (b"", b"OggS" + bytes(22), b"\xff\xfb\x90\x00", box(b"ftyp", b"M4A ")):
        try:
            assert milliseconds(folder, head + content, content_type, 1000) >= 0
        except NotRecorded:
            continue


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (made.vcard("Ana Pérez", "+56 9 8765 4321"), "Ana Pérez, +56 9 8765 4321"),
        (
            b"BEGIN:VCARD\nFN:A\nitem1.TEL;waid=56912345678:+56 9 1234 5678\nTEL:1\nTEL:1\nEND:VCARD",
            "A, +56 9 1234 5678, 1",
        ),
        (b"BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE:=C3=91and=C3=BA\nEND:VCARD", "Ñandú"),
        (b"BEGIN:VCARD\nFN:Una\n  larga\nORG:La Cocina;Ventas\nEND:VCARD", "Una larga, La Cocina Ventas"),
        (b"BEGIN:VCARD\nFN:A\\, B\\nC\x07\nEND:VCARD", "A, B C"),
        (b"BEGIN:VCARD\nFN:" + b"x" * 500 + b"\nEND:VCARD", "x" * 120),
        (b"BEGIN:VCARD\nEND:VCARD", None),
        (b"", None),
    ],
)
def test_a_card_says_names_and_numbers(card: bytes, text: str | None) -> None:
    assert card_text(card) == text


def test_a_card_of_a_thousand_numbers_is_bounded() -> None:
    text = card_text(b"BEGIN:VCARD\n" + b"".join(b"TEL:%d\n" % number for number in range(1000)))
    assert text == ", ".join(map(str, range(20)))
