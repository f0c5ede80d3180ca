"""What a person reads whose file was not read: whose words come first, and when there is something to answer all the
same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.content.parts import (
    Attached,
    Audio,
    Contact,
    Content,
    Document,
    Image,
    Location,
    Part,
    Reaction,
    Sticker,
    Text,
    UnreadFile,
    UnreadReason,
    Video,
    Voice,
)
from runtime.turns.media_sentences import has_something, sentence_for
from runtime.turns.media_words import DEFAULTS, RECORDINGS, Topic
from schemas.client_language import ClientLanguage, language_of
from schemas.policy import DocumentsPolicy, MediaPolicy, MediaSentences, Policy, VoicePolicy
from schemas.templates import Template

VOICE, AUDIO, IMAGE = Voice("u", "audio/ogg"), Audio("u", "audio/mpeg"), Image("u", "image/png")
VIDEO, DOCUMENT, CARD = Video("u", "video/mp4"), Document("u", "a/b"), Contact("u", "text/vcard")
SHOWN = Attached(IMAGE, Path("x"), "image/png", "foto.png", "PNG", "low")


def said(*parts: Part, media: MediaPolicy | None = None, off: str | None = None) -> str:
    return sentence_for([Content((part,)) for part in parts], Policy(media=media), off)


@pytest.mark.parametrize(
    ("part", "topic"),
    [
        (VOICE, "voice"),
        (AUDIO, "voice"),
        (IMAGE, "images"),
        (DOCUMENT, "documents"),
        (VIDEO, "video"),
        (CARD, "not_supported"),
        (UnreadFile(VOICE, "off"), "voice"),
        (UnreadFile(DOCUMENT, "off"), "documents"),
        (UnreadFile(VOICE, "not_heard"), "not_heard"),
        (UnreadFile(DOCUMENT, "unreadable"), "unreadable"),
        (UnreadFile(IMAGE, "not_fetched"), "not_fetched"),
        (UnreadFile(IMAGE, "too_large"), "too_large"),
    ],
)
def test_each_reason_has_its_sentence(part: Part, topic: Topic) -> None:
    assert said(part) == DEFAULTS["es"][topic]
    own = MediaPolicy(sentences=MediaSentences(**{topic: "Propia."}))
    assert said(part, media=own, off="De todos.") == "Propia."


def test_the_bounds_are_in_the_sentence() -> None:
    rules = MediaPolicy(voice=VoicePolicy(max_minutes=2), documents=DocumentsPolicy(max_pages=7))
    assert "más de 2 minutos" in said(UnreadFile(VOICE, "too_long"), media=rules)
    assert "más de 7 páginas" in said(UnreadFile(DOCUMENT, "too_many_pages"), media=rules)
    assert "más de 5 minutos" in said(UnreadFile(VOICE, "too_long"))
    assert "más de 20 páginas" in said(UnreadFile(DOCUMENT, "too_many_pages"))


def test_the_words_for_kinds_that_are_off_are_the_client_s_then_the_installation_s() -> None:
    client = MediaPolicy(not_understood="Del cliente.", sentences=MediaSentences(video="De videos."))
    assert said(VIDEO, media=client, off="De todos.") == "De videos."
    assert said(VOICE, media=client, off="De todos.") == "Del cliente."
    assert said(VOICE, off="De todos.") == "De todos."
    assert said(UnreadFile(VOICE, "not_heard"), media=client, off="De todos.") == DEFAULTS["es"]["not_heard"]


@pytest.mark.parametrize("recording", [VOICE, AUDIO])
@pytest.mark.parametrize("reason", ["too_large", "not_supported", "unreadable", "not_fetched"])
def test_a_recording_could_not_be_heard(recording: Voice, reason: UnreadReason) -> None:
    assert said(UnreadFile(recording, reason)) == RECORDINGS["es"][reason]
    assert "escuchar" in said(UnreadFile(recording, reason))


def test_every_language_has_every_sentence_with_the_same_numbers_in_it() -> None:
    for words in (DEFAULTS, RECORDINGS):
        first, *others = (
            {topic: re.findall(r"\{\w+\}", text) for topic, text in said.items()} for said in words.values()
        )
        assert all(other == first for other in others)
    assert set(DEFAULTS["es"]) == set(MediaSentences.model_fields)


def test_one_is_not_several() -> None:
    rules = MediaPolicy(voice=VoicePolicy(max_minutes=1), documents=DocumentsPolicy(max_pages=1))
    assert "más de 1 minuto, y" in said(UnreadFile(VOICE, "too_long"), media=rules)
    assert "más de 1 página, y" in said(UnreadFile(DOCUMENT, "too_many_pages"), media=rules)


def spoken(*languages: str) -> Policy:
    return Policy(media=MediaPolicy(voice=VoicePolicy(languages=list(languages))))


def written(*languages: str, media: MediaPolicy | None = None) -> Policy:
    templates = {f"t{n}": Template(language=one, category="utility", body="Hola.") for n, one in enumerate(languages)}
    return Policy(media=media, templates=templates)


@pytest.mark.parametrize(
    ("policy", "language"),
    [
        (Policy(), "es"),
        (spoken("en"), "en"),
        (spoken("pt", "es"), "pt"),
        (spoken("fr", "en"), "en"),
        (spoken("fr"), "en"),
        (spoken("qu"), "es"),
        (written("pt_BR"), "pt"),
        (written("fr", "es_CL"), "es"),
        (written("en", media=MediaPolicy(voice=VoicePolicy(languages=["es"]))), "es"),
        (written("en", media=MediaPolicy(voice=False)), "en"),
    ],
)
def test_the_language_is_the_one_that_the_manifest_names_first(policy: Policy, language: ClientLanguage) -> None:
    assert language_of(policy) == language
    part = UnreadFile(IMAGE, "not_fetched")
    assert sentence_for([Content((part,))], policy, None) == DEFAULTS[language]["not_fetched"]


def test_the_first_file_decides() -> None:
    assert said(SHOWN, UnreadFile(VOICE, "not_heard"), VIDEO) == DEFAULTS["es"]["not_heard"]


@pytest.mark.parametrize(
    ("parts", "something"),
    [
        ([VOICE], False),
        ([UnreadFile(IMAGE, "off"), VIDEO], False),
        ([VIDEO, Text("mira")], True),
        ([Voice("u", "audio/ogg", "hola")], True),
        ([SHOWN], True),
        ([Sticker("u", "image/webp")], True),
        ([Location("1", "2")], True),
        ([Reaction("👍")], True),
        ([Contact("u", "text/vcard", "Ana")], True),
    ],
)
def test_there_is_something_to_answer(parts: list[Part], something: bool) -> None:
    assert has_something([Content(tuple(parts))]) is something
    assert has_something([Content((part,)) for part in parts]) is something
