"""What a message consists of: read from Twilio's parameters, kept by the store, put into text."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.parameters import content_of
from runtime.content.parts import (
    KINDS,
    Attached,
    Audio,
    ButtonReply,
    Contact,
    Content,
    Document,
    Image,
    ListReply,
    Location,
    Media,
    Part,
    Quoted,
    Reaction,
    Referral,
    Sticker,
    Text,
    UnreadFile,
    Unsupported,
    Video,
    Voice,
)
from runtime.content.rendering import as_text, for_model, needs_words
from runtime.store.messages.content import dump_content, load_content
from runtime.text import portable
from tests.runtime.messages import EXAMPLES, Example

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
CARD = "[contact card, which cannot be read here]"
READ = Attached(Document("u", "a/b"), Path("x"), "application/pdf", "documento.pdf", "PDF, 3 pages", "low")
FILM = "[video, which cannot be seen here]"
PORTABLE = st.text().map(portable)


@every_example
def test_a_message_is_read_by_what_it_consists_of(example: Example) -> None:
    content = content_of(example.parameters)
    assert (content.parts, as_text(content)) == (example.parts, example.text)


@every_example
def test_a_model_never_gets_the_type_of_a_file_or_of_a_button_as_words(example: Example) -> None:
    text = for_model(Content(example.parts))
    assert text
    assert "[button]" not in text
    assert not any(isinstance(part, Media) and f"[{part.content_type}]" in text for part in example.parts)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((Text("Mi receta"), Image("u", "image/png")), "Mi receta\n[picture, which cannot be seen here]"),
        ((Voice("u", "audio/ogg"),), "[voice note, which cannot be heard here]"),
        ((Sticker("u", "image/webp"),), "[sticker]"),
        ((Contact("u", "text/vcard"), Document("u", "x/y")), f"{CARD}\n[document, which cannot be read here]"),
        ((Video("u", "video/mp4"), Audio("u", "audio/mpeg")), f"{FILM}\n[audio file, which cannot be heard here]"),
        ((ButtonReply("Sí", "confirmar_42"),), "Sí [button id: confirmar_42]"),
        ((ButtonReply("Sí"),), "Sí"),
        ((ButtonReply("si", "si"),), "si"),
        ((ListReply("Mesa para 4", "mesa_4", "Terraza"),), "Mesa para 4 [Terraza; row id: mesa_4]"),
        ((ListReply("Mesa para 4", None, "Terraza"),), "Mesa para 4 [Terraza]"),
        ((ListReply("mesa_4", "mesa_4"),), "mesa_4"),
        ((Reaction("👍"),), "[reaction 👍]"),
        ((Reaction(""),), "[reaction taken back]"),
        ((Unsupported("order"),), "[a message of a kind that cannot be shown here]"),
        ((Unsupported("call_permission"),), "[answer to a request for permission to call]"),
        ((Voice("u", "audio/ogg", "¿Hay mesa?"),), "[voice note, transcribed] ¿Hay mesa?"),
        ((Contact("u", "text/vcard", "Ana, +56912345678"),), "[contact card] Ana, +56912345678"),
        ((READ,), "[document: PDF, 3 pages; shown in that turn only]"),
        ((UnreadFile(READ.part, "too_many_pages"),), "[document, which has too many pages to be read here]"),
    ],
)
def test_a_model_gets_what_was_chosen_with_its_id_and_what_a_file_is(parts: tuple[Part, ...], text: str) -> None:
    assert for_model(Content(parts)) == text


def test_a_person_reads_what_was_said_beside_what_was_sent() -> None:
    note = Voice("u", "audio/ogg", "¿Hay mesa?")
    assert as_text(Content((note,))) == "[audio/ogg] ¿Hay mesa?"
    assert load_content(dump_content(Content((note,))), "", "{}") == Content((note,))


@pytest.mark.parametrize(
    ("parts", "needs"),
    [
        ((Voice("u", "audio/ogg"),), True),
        ((Image("u", "image/png"), Document("u", "x/y")), True),
        ((Text("Mi receta"), Image("u", "image/png")), False),
        ((Sticker("u", "image/webp"),), False),
        ((Unsupported("empty"),), False),
        ((Location("1", "2"),), False),
    ],
)
def test_files_without_a_word_need_words(parts: tuple[Part, ...], needs: bool) -> None:
    assert needs_words(Content(parts)) is needs


def test_there_is_an_example_of_every_kind() -> None:
    assert {part.kind for example in EXAMPLES for part in example.parts} == {kind.kind for kind in KINDS}


def test_a_message_knows_what_it_replies_to_and_who_wrote_it() -> None:
    quoting = {"OriginalRepliedMessageSid": "SM\x009", "OriginalRepliedMessageSender": "whatsapp:+15551234567"}
    content = content_of({"Body": "Esta", "ProfileName": " Ana\x00 ", **quoting})
    assert content.quoted == Quoted("SM9", "whatsapp:+15551234567")
    assert content.profile_name == "Ana"
    assert content_of({"Body": "Esta", "ProfileName": ""}) == Content((Text("Esta"),))


@pytest.mark.parametrize(
    ("parameters", "content"),
    [
        ({"Body": "Hola", "ProfileName": "Ana"}, Content((Text("Hola"),), None, None, "Ana")),
        ({"Body": "Hola", "ReferralBody": ""}, Content((Text("Hola"),))),
        ({}, Content((Unsupported("empty"),))),
        ({"MessageType": "text"}, Content((Unsupported("text"),))),
        ({"ReferralBody": ""}, Content((Unsupported("empty"),))),
        ({"ReferralBody": "", "MessageType": "order"}, Content((Unsupported("order"),))),
    ],
    ids=["words and a name", "an ad that says nothing", "nothing", "no words", "an empty parameter", "another type"],
)
def test_a_message_of_words_or_of_nothing(parameters: dict[str, str], content: Content) -> None:
    assert content_of(parameters) == content


def test_a_message_knows_the_ad_that_led_to_it() -> None:
    referral = {
        "ReferralSourceType": "ad",
        "ReferralSourceId": "120",
        "ReferralSourceUrl": "https://fb.me/1",
        "ReferralHeadline": "Reserva\x00",
        "ReferralBody": "Cazuelas",
        "ReferralCtwaClid": "AR1",
        "ReferralMediaId": "7",
        "ReferralMediaUrl": "https://scontent/1",
        "ReferralMediaContentType": "image/jpeg",
    }
    content = content_of({"Body": "Hola", "ReferralNumMedia": "1", **referral})
    assert content.referral == Referral(
        "ad", "120", "https://fb.me/1", "Reserva", "Cazuelas", "AR1", "7", "https://scontent/1", "image/jpeg"
    )
    assert content.parts == (Text("Hola"),)
    assert content_of({"Body": "Hola", "ReferralNumMedia": "0"}).referral is None


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted({name for example in EXAMPLES for name in example.parameters})), st.text())
)
def test_whatever_the_parameters_say_there_is_a_text_that_everything_can_carry(parameters: dict[str, str]) -> None:
    content = content_of(parameters)
    text = as_text(content)
    assert text
    assert portable(text) == text
    assert load_content(dump_content(content), "", "{}") == content


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted({name for example in EXAMPLES for name in example.parameters})), st.text())
)
def test_a_message_of_words_alone_is_read_like_any_other(parameters: dict[str, str]) -> None:
    """An empty parameter says nothing, but is looked at together with all the others."""
    assert content_of(parameters) == content_of({"ReferralBody": "", **parameters})


def of_texts(kind: type[Any]) -> st.SearchStrategy[Any]:
    """One of a kind whose fields are any text that is portable, or left out where they may be."""
    optional = {field.name: PORTABLE for field in fields(kind) if field.default is not MISSING}
    needed = {field.name: PORTABLE for field in fields(kind) if field.default is MISSING}
    return st.fixed_dictionaries(needed, optional=optional).map(lambda values: kind(**values))


CONTENTS = st.builds(
    Content,
    st.lists(st.sampled_from(KINDS).flatmap(of_texts), min_size=1).map(tuple),
    st.none() | of_texts(Quoted),
    st.none() | of_texts(Referral),
    st.none() | PORTABLE,
)


@settings(deadline=None)
@given(CONTENTS)
def test_what_is_kept_of_a_message_is_all_of_it(content: Content) -> None:
    assert load_content(dump_content(content), "", "{}") == content


@every_example
def test_a_message_that_the_release_before_stored_is_read_from_what_it_kept(example: Example) -> None:
    params = {name: value for name, value in example.parameters.items() if name != "Body"}
    assert load_content(None, example.body or example.text, json.dumps(params)) == content_of(example.parameters)


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({"v": 1, "parts": [{"kind": "poll", "question": "¿?"}]}, Text("what body says")),
        ({"v": 1, "parts": [{"kind": "text", "text": "Hola", "mood": "sad"}], "mood": "x"}, Text("Hola")),
        ({"v": 1, "parts": [{"kind": "list_reply", "title": "Mesa"}]}, ListReply("Mesa")),
        ({"v": 2, "said": "¿?"}, Text("what body says")),
    ],
)
def test_what_a_newer_release_stored_is_read_as_far_as_it_is_known(document: dict[str, Any], part: Part) -> None:
    assert load_content(json.dumps(document), "what body says", "{}").parts == (part,)
