"""What a message to a user consists of: how it is stored, what a person reads of it, and how TwiML says it."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundMedia,
    OutboundTemplate,
    OutboundText,
    decoded,
    encoded,
    made_portable,
)
from runtime.store.messages.outbox import OutboundMessage
from runtime.twilio.twiml import message_twiml

MENU = "https://whatsapp.example.cl/media/5f3a/Men%C3%BA%20de%20hoy.pdf?sig=secreto"
SID = "HX" + "0" * 32

words = st.text(st.characters(exclude_categories=["Cs"]))
contents = st.one_of(
    st.builds(OutboundText, words),
    st.builds(OutboundMedia, words, words),
    st.builds(OutboundTemplate, words, words, st.dictionaries(words, words)),
    st.builds(OutboundTemplate, words, words, st.just({"1": "x"}), st.lists(words, min_size=1, max_size=3).map(tuple)),
    st.builds(OutboundLocation, st.floats(-90, 90), st.floats(-180, 180), words, words),
)


@given(contents)
def test_what_is_stored_is_read_again(content: OutboundContent) -> None:
    stored = encoded(content)

    assert (stored is None) == isinstance(content, OutboundText)
    body = content.body if isinstance(content, OutboundText | OutboundTemplate) else content.readable
    assert decoded(body, stored) == content


def test_a_program_that_knows_no_options_reads_them_as_words() -> None:
    offer = OutboundTemplate(SID, "¿Confirmas?", {"1": "¿Confirmas?"}, ("Sí", "No"))
    assert offer.readable == "¿Confirmas?\n- Sí\n- No"
    place = OutboundLocation(-33.4515, -70.6253, "La Cocina", "Av. Italia 1234")
    assert place.readable == "La Cocina\nAv. Italia 1234\n[-33.4515, -70.6253]"


def test_a_kind_that_is_not_known_yet_is_what_a_person_would_read() -> None:
    assert decoded("[Reserva]", '{"type": "flow", "id": "7"}') == OutboundText("[Reserva]")


@pytest.mark.parametrize(
    ("content", "readable"),
    [
        (OutboundText("Hola"), "Hola"),
        (OutboundMedia(MENU), "[Menú de hoy.pdf]"),
        (OutboundMedia(MENU, "Nuestro menú"), "Nuestro menú\n[Menú de hoy.pdf]"),
        (OutboundMedia("https://example.cl/"), "[media]"),
        (OutboundMedia("https://example.cl/a%00b.png"), "[ab.png]"),
        (OutboundTemplate(SID, "Hola Ana, te esperamos.", {"1": "Ana"}), "Hola Ana, te esperamos."),
    ],
)
def test_a_person_reads(content: OutboundContent, readable: str) -> None:
    assert content.readable == readable


@pytest.mark.parametrize(
    ("content", "portable"),
    [
        (OutboundText("a\0b"), OutboundText("ab")),
        (OutboundMedia(MENU, "a\0b"), OutboundMedia(MENU, "ab")),
        (OutboundTemplate(SID, "a\0b", {"1": "c\0d"}), OutboundTemplate(SID, "ab", {"1": "cd"})),
        (OutboundTemplate(SID, "a", {}, ("b\0",)), OutboundTemplate(SID, "a", {}, ("b",))),
        (OutboundLocation(1, 2, "a\0b", "c\0"), OutboundLocation(1, 2, "ab", "c")),
    ],
)
def test_what_cannot_be_stored_or_sent_is_left_out(content: OutboundContent, portable: OutboundContent) -> None:
    assert made_portable(content) == portable


@pytest.mark.parametrize(
    ("content", "inner"),
    [
        (OutboundText("Uno & <dos>"), "Uno &amp; &lt;dos&gt;"),
        (OutboundMedia("https://example.cl/a?b=1&c=2"), "<Media>https://example.cl/a?b=1&amp;c=2</Media>"),
        (
            OutboundMedia("https://example.cl/a.png", "Uno & dos"),
            "<Body>Uno &amp; dos</Body><Media>https://example.cl/a.png</Media>",
        ),
    ],
)
def test_twiml_says_it_as(content: OutboundContent, inner: str) -> None:
    document = message_twiml(content)

    assert document.partition("?>")[2] == f"<Response><Message>{inner}</Message></Response>"
    ElementTree.fromstring(document)


def test_twiml_has_no_templates_and_the_outbox_takes_none_for_it() -> None:
    template = OutboundTemplate(SID, "Hola")

    with pytest.raises(ValueError, match="over REST"):
        message_twiml(template)
    with pytest.raises(ValueError, match="over REST"):
        OutboundMessage("AC1", "whatsapp:+1555", "whatsapp:+569", template, "twiml", claimed=True)
    assert OutboundMessage("AC1", "whatsapp:+1555", "whatsapp:+569", template, "rest", claimed=True).content is template
