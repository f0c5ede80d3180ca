"""What people send besides words, through the whole service: heard, seen, read or politely declined."""

from __future__ import annotations

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.media.folder import PREFIX
from runtime.turns.media_words import built_in
from tests import media_files
from tests.runtime.stores import readable
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

Json = dict[str, Any]
Open = Callable[..., Line]
PHOTO = media_files.jpeg(640, 480, "receta")
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def sent(content_type: str, content: bytes) -> list[Json]:
    """A file as a phone attaches it."""
    return [{"content_type": content_type, "base64": b64encode(content).decode()}]


def note(says: str | None, seconds: float = 3.0) -> list[Json]:
    return sent("audio/ogg", media_files.voice_note(says, seconds))


def asked(shop: Line) -> list[Json]:
    """The bodies of the requests to the model."""
    return [call["body"] for call in shop.sandbox.calls("openai", "POST", "/v1/responses")]


def transcribed(shop: Line) -> int:
    return len(shop.sandbox.calls("openai", "POST", "/v1/audio/transcriptions"))


def rows(runtime: Runtime, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        return readable(store.execute(query))


def said(shop: Line, runtime: Runtime) -> list[str]:
    """What a person who reads the conversation sees of what the user sent."""
    return [body for (body,) in rows(runtime, f"SELECT body FROM inbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id")]


def unread(shop: Line, runtime: Runtime) -> list[str]:
    """Why files were not read, as the log says it."""
    wait_until(lambda: any(entry["event"] == "media_unread" for entry in of(shop, runtime)), what="a line in the log")
    return [entry["reason"] for entry in of(shop, runtime) if entry["event"] == "media_unread"]


def of(shop: Line, runtime: Runtime) -> list[Json]:
    return [entry for entry in runtime.log() if entry.get("number") == shop.number]


def test_a_voice_note_is_answered_as_what_was_said_in_it(line: Open, runtime: Runtime) -> None:
    shop = line()

    answer = shop.ask("", media=note("¿Hay cazuela hoy?"))

    assert "¿Hay cazuela hoy?" in answer
    assert asked(shop)[0]["input"][-1]["content"] == "[voice note, transcribed] ¿Hay cazuela hoy?"
    assert said(shop, runtime) == ["[audio/ogg] ¿Hay cazuela hoy?"]


def test_a_transcript_is_remembered_and_its_seconds_are_charged(line: Open, runtime: Runtime) -> None:
    shop = line()
    shop.ask("", media=note("¿Hay cazuela hoy?", seconds=60))

    shop.ask("¿Y mañana?")

    assert asked(shop)[1]["input"][0] == {"role": "user", "content": "[voice note, transcribed] ¿Hay cazuela hoy?"}
    assert transcribed(shop) == 1
    ledger = rows(
        runtime,
        "SELECT usage.kind, model, quantity, amount FROM usage JOIN usage_prices ON usage_prices.id = price_id"
        f" WHERE bot_id = '{shop.bot['id']}' AND usage.kind = 'transcription'",
    )
    assert ledger == [("transcription", "gpt-transcribe", 60_000, 4_500_000)]


def test_what_the_manifest_says_of_language_and_names_reaches_the_transcription(line: Open) -> None:
    voice = {"languages": ["es", "pt"], "keywords": ["cazuela", "charquicán"]}
    shop = line(policy={"version": 1, "media": {"voice": voice}})

    shop.ask("", media=note("Quiero cazuela"))

    (call,) = shop.sandbox.calls("openai", "POST", "/v1/audio/transcriptions")
    form = call["form"]
    assert (form["model"], form["file"][0]["filename"]) == (["gpt-transcribe"], "nota.ogg")
    assert form["languages[]"] == ["es", "pt"]
    assert form["keywords[]"] == ["cazuela", "charquicán"]


@pytest.mark.parametrize(
    ("media", "topic", "reason"),
    [
        (note(""), "not_heard", "not_heard"),
        (sent("audio/amr", media_files.amr()), "not_supported", "not_supported"),
        (sent("audio/ogg", b"OggS" + bytes(100)), "not_supported", "not_supported"),
        (sent("audio/ogg", media_files.voice_note("x", 9)[:-200]), "unreadable", "unreadable"),
        (sent("image/jpeg", b"<html>hola</html>"), "not_supported", "not_supported"),
        (sent("image/png", media_files.png(8, 8)[:18]), "unreadable", "unreadable"),
        (sent("image/jpeg", media_files.webp(16_384, 16_384)), "unreadable", "unreadable"),
        (sent("application/pdf", media_files.pdf(pages=21)), "too_many_pages", "too_many_pages"),
        (sent("application/pdf", b"%PDF-1.7 roto"), "unreadable", "unreadable"),
        (sent("application/zip", b"PK\x03\x04 roto"), "unreadable", "unreadable"),
        (sent(DOCX, media_files.docx(padding=80_000_000)), "too_large", "too_large"),
        (sent("application/vnd.unknown", bytes(50)), "not_supported", "not_supported"),
        ([{"content_type": "audio/ogg", "url": "https://example.com/a.ogg"}], "not_fetched", "not_fetched"),
    ],
)
def test_a_file_that_cannot_be_read_brings_one_polite_sentence_and_the_log_says_why(
    line: Open, runtime: Runtime, media: list[Json], topic: Any, reason: str
) -> None:
    shop = line()

    answer = shop.ask("", media=media)

    is_recording = media[0]["content_type"].startswith("audio/")
    assert answer == built_in(topic, "es", is_recording=is_recording).format(pages=20, minutes=5)
    assert unread(shop, runtime) == [reason]
    assert (asked(shop), transcribed(shop)) == ([], 1 if topic == "not_heard" else 0)


def test_a_long_voice_note_is_not_paid_for(line: Open) -> None:
    media = {"voice": {"max_minutes": 1}, "sentences": {"too_long": "Máximo {minutes} minuto."}}
    shop = line(policy={"version": 1, "media": media})

    assert shop.ask("", media=note("bla", seconds=62)) == "Máximo 1 minuto."
    assert transcribed(shop) == 0

    assert "bla" in shop.ask("", "+56911111111", media=note("bla", seconds=60))


def test_a_picture_is_shown_to_the_model_in_its_turn_and_is_a_line_afterwards(line: Open) -> None:
    shop = line(policy={"version": 1, "media": {"images": {"detail": "high"}}})

    answer = shop.ask("¿Qué remedio es?", media=sent("image/jpeg", PHOTO))

    assert "imagen jpeg 640x480" in answer
    words, picture = asked(shop)[0]["input"][-1]["content"]
    assert words == {"type": "input_text", "text": "¿Qué remedio es?"}
    assert (picture["type"], picture["detail"]) == ("input_image", "high")
    shop.ask("¿Y cuánto cuesta?")
    line_of_it = "¿Qué remedio es?\n[picture: JPEG, 640x480; shown in that turn only]"
    assert asked(shop)[1]["input"][0] == {"role": "user", "content": line_of_it}


def test_the_bytes_of_a_picture_arrive_whole(line: Open) -> None:
    shop = line()
    large = media_files.jpeg(2000, 1500, "x" * 60_000)

    assert hashlib.sha256(large).hexdigest()[:12] in shop.ask("", media=sent("image/jpeg", large))


def test_an_album_is_one_turn(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> None:
    shop = open_line(runtime_factory(DEBOUNCE_SECONDS="1"), sandbox)

    for comment in ("uno", "dos", "tres"):
        shop.write("", media=sent("image/jpeg", media_files.jpeg(64, 48, comment)), wait=0)

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    (body,) = asked(shop)
    assert [len(item["content"]) for item in body["input"] if item["role"] == "user"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("media", "name", "said"),
    [
        (sent("application/pdf", media_files.pdf("Cazuela a 6.900", pages=3)), "documento.pdf", "3 páginas"),
        (sent(DOCX, media_files.docx("Pedido de Ana")), "documento.docx", "Pedido de Ana"),
        (sent("text/csv", b"plato,precio\ncazuela,6900\n"), "documento.csv", "cazuela,6900"),
        (sent("application/octet-stream", "Ñuñoa 123".encode("cp1252")), "documento.txt", "Ñuñoa 123"),
    ],
)
def test_a_document_is_read_by_the_model(line: Open, media: list[Json], name: str, said: str) -> None:
    shop = line()

    answer = shop.ask("¿Qué dice?", media=media)

    assert f"archivo {name}" in answer
    assert said in answer


def test_what_a_file_is_follows_from_its_bytes(line: Open) -> None:
    shop = line()
    assert "imagen jpeg" in shop.ask("", media=sent("application/pdf", PHOTO))
    assert "¿Hay mesa?" in shop.ask("", media=sent("image/jpeg", media_files.voice_note("¿Hay mesa?")))


def test_a_contact_card_reaches_the_model_as_a_line(line: Open, runtime: Runtime) -> None:
    shop = line()
    assert "Ana Pérez" in shop.ask("", media=sent("text/vcard", media_files.vcard()))
    assert said(shop, runtime) == ["[text/vcard] Ana Pérez, +56 9 8765 4321"]


def test_what_moves_is_a_line(line: Open) -> None:
    shop = line()
    shop.ask("", media=sent("image/webp", media_files.animated_webp()))
    shop.ask("mira", extra={"MessageType": "image"}, media=sent("image/webp", media_files.animated_webp()))
    said = [body["input"][-1]["content"] for body in asked(shop)]
    assert said == ["[sticker]", "mira\n[sticker]"]


def test_a_video_brings_its_sentence(line: Open) -> None:
    shop = line(policy={"version": 1, "media": {"sentences": {"video": "Videos no, ¿una foto?"}}})
    assert shop.ask("", media=sent("video/mp4", media_files.mp4())) == "Videos no, ¿una foto?"


def test_words_beside_a_file_that_cannot_be_read_are_answered(line: Open) -> None:
    shop = line()
    assert "¿Cuánto es?" in shop.ask("¿Cuánto es?", media=sent("application/pdf", media_files.pdf(pages=30)))
    line_of_it = "¿Cuánto es?\n[document, which has too many pages to be read here]"
    assert asked(shop)[0]["input"][-1]["content"] == line_of_it


def test_a_provider_that_refuses_a_picture_is_asked_without_it(line: Open, sandbox: Sandbox) -> None:
    sandbox.settings(words_only_model="gpt-5.4-mini")
    shop = line(model="gpt-5.4-mini")

    assert "¿Cuánto es?" in shop.ask("¿Cuánto es?", media=sent("image/jpeg", PHOTO))

    assert [type(body["input"][-1]["content"]) for body in asked(shop)] == [list, str]
    assert shop.ask("", media=sent("image/jpeg", PHOTO)) == built_in("unreadable", "es", is_recording=False)


def test_a_model_that_does_not_see_is_not_shown_pictures(line: Open) -> None:
    shop = line(model="gpt-4")
    assert shop.ask("", media=sent("image/jpeg", PHOTO)) == built_in("images", "es", is_recording=False)
    assert asked(shop) == []


def test_nothing_stays_in_the_folder(runtime_factory: Callable[..., Runtime], sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    runtime = runtime_factory(MEDIA_DIR=str(folder))
    shop = open_line(runtime, sandbox)
    sandbox.settings(think_seconds=1.0)
    shop.write("", media=sent("image/jpeg", PHOTO), wait=0)

    def files() -> list[bytes]:
        return [path.read_bytes() for path in folder.glob(f"{PREFIX}*/[0-9]*")]

    wait_until(lambda: files() == [PHOTO], what="the file")
    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    wait_until(lambda: files() == [], what="the file to be removed")
    runtime.stop()
    assert list(folder.iterdir()) == []


def test_what_a_crash_left_is_removed_at_the_next_start(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, tmp_path: Path
) -> None:
    folder = tmp_path / "media"
    runtime = runtime_factory(MEDIA_DIR=str(folder))
    shop = open_line(runtime, sandbox)
    sandbox.settings(think_seconds=20.0)
    shop.write("", media=sent("image/jpeg", PHOTO), wait=0)
    wait_until(lambda: list(folder.glob(f"{PREFIX}*/[0-9]*")) != [], what="the file")
    (left,) = folder.iterdir()
    runtime.kill()
    sandbox.settings(think_seconds=0.0)

    runtime.start_again()

    assert not left.exists()
    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    assert "imagen jpeg" in shop.outbound()[0]["body"]


def test_a_reaction_is_stored_and_not_answered(line: Open, runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola")
    outcome = shop.write("👍", extra={"OriginalRepliedMessageSid": "SM1", "MessageType": "reaction"}, wait=1.0)
    assert outcome["answers"] == []
    assert said(shop, runtime) == ["Hola", "👍"]
    assert rows(runtime, f"SELECT reason FROM turns WHERE bot_id = '{shop.bot['id']}'") == [(None,), ("reaction",)]
