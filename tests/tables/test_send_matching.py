"""Which of the messages that Twilio lists may be the one with a content, and which contents may be mistaken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundTemplate, OutboundText
from runtime.store.messages.send_matching import ListedMessage, fits, may_be_mistaken

TEXT, PICTURE = OutboundText("Hola"), OutboundMedia("https://example.cl/a.png", "Hola")
TEMPLATE = OutboundTemplate("HX1", "Hola")


def listed(body: str = "Hola", files: int = 0, sid: str = "SM1", *, is_reply: bool = False) -> ListedMessage:
    return ListedMessage(sid, "queued", body, files, is_reply)


@pytest.mark.parametrize(
    ("content", "message", "may_be"),
    [
        (TEXT, listed(), True),
        (TEXT, listed(is_reply=True), True),
        (TEXT, listed("hola"), False),
        (TEXT, listed(files=1), False),
        (PICTURE, listed(files=1), True),
        (PICTURE, listed(files=1, is_reply=True), True),
        (PICTURE, listed(sid="MM1"), True),
        (PICTURE, listed(), False),
        (PICTURE, listed("", files=1), False),
        (OutboundMedia("https://example.cl/a.png"), listed("", files=1), True),
        (TEMPLATE, listed(), True),
        (TEMPLATE, listed("Otra cosa", files=1), True),
        (TEMPLATE, listed(is_reply=True), False),
    ],
)
def test_a_listed_message_may_be(content: OutboundContent, message: ListedMessage, may_be: bool) -> None:
    assert fits(content, message) is may_be


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        (TEXT, OutboundText("Hola"), True),
        (TEXT, OutboundText("Adiós"), False),
        (PICTURE, OutboundMedia("https://example.cl/b.png", "Hola"), True),
        (PICTURE, OutboundMedia("https://example.cl/a.png", "Adiós"), False),
        (TEXT, PICTURE, False),
        (TEXT, TEMPLATE, True),
        (PICTURE, TEMPLATE, True),
        (TEMPLATE, OutboundTemplate("HX2", "Otra cosa"), True),
    ],
)
def test_contents_may_be_mistaken(one: OutboundContent, other: OutboundContent, may_be: bool) -> None:
    assert (may_be_mistaken(one, other), may_be_mistaken(other, one)) == (may_be, may_be)


few = st.sampled_from(["", "Hola", "Adiós"])
contents = st.one_of(
    st.builds(OutboundText, few),
    st.builds(OutboundMedia, st.just("https://example.cl/a.png"), few),
    st.builds(OutboundTemplate, st.just("HX1"), few),
)
messages = st.builds(ListedMessage, st.just("SM1"), st.just("sent"), few, st.integers(0, 1), st.booleans())


@given(contents, contents, messages)
def test_what_fits_two_contents_makes_them_ones_that_may_be_mistaken(
    one: OutboundContent, other: OutboundContent, message: ListedMessage
) -> None:
    assert may_be_mistaken(one, other) or not (fits(one, message) and fits(other, message))
