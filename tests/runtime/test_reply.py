"""Long answers are cut where a reader would cut them."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.delivery.splitting import REPLY_LIMIT, bounded_reply, split_reply

FAMILY = "👩‍👩‍👧‍👦"


def test_a_short_answer_is_one_message() -> None:
    assert split_reply("Hola.") == ["Hola."]


def test_an_empty_answer_is_no_message() -> None:
    assert split_reply("  \n ") == []


def test_cuts_at_a_paragraph_before_anything_else() -> None:
    text = "Uno. Dos tres.\n\nCuatro. Cinco seis siete."
    assert split_reply(text, 30) == ["Uno. Dos tres.", "Cuatro. Cinco seis siete."]


def test_cuts_at_a_line_before_a_sentence() -> None:
    assert split_reply("Uno. Dos\nTres. Cuatro cinco", 20) == ["Uno. Dos", "Tres. Cuatro cinco"]


def test_cuts_at_a_sentence_before_a_word() -> None:
    assert split_reply("Uno dos tres. Cuatro cinco", 20) == ["Uno dos tres.", "Cuatro cinco"]


def test_cuts_at_a_word_when_a_sentence_is_too_long() -> None:
    assert split_reply("uno dos tres cuatro", 10) == ["uno dos", "tres", "cuatro"]


def test_a_url_is_kept_whole() -> None:
    url = "https://lacocina.cl/reservas?dia=1.2.3&hora=20"
    assert url in split_reply(f"Reserva aquí, por favor: {url} Gracias.", len(url) + 3)


def test_a_code_fence_is_kept_whole() -> None:
    fence = "```\nuno dos\n\ntres\n```"
    assert fence in split_reply(f"Mira este ejemplo:\n\n{fence}\n\nListo.", len(fence) + 5)


def test_a_code_fence_that_is_too_long_is_closed_and_opened_again() -> None:
    parts = split_reply("```py\n" + "x = 1\n" * 20 + "```", 60)
    assert all(part.count("```") == 2 for part in parts)
    assert all(part.startswith("```py\n") for part in parts)
    assert sum(part.count("x = 1") for part in parts) == 20


def test_an_emoji_of_several_characters_is_kept_whole() -> None:
    parts = split_reply(FAMILY * 20, 50)
    assert all(part == FAMILY * (len(part) // len(FAMILY)) for part in parts)


def test_a_flag_is_kept_whole() -> None:
    assert all(set(re.findall("..", part)) == {"🇨🇱"} for part in split_reply("🇨🇱" * 20, 10))


def test_an_accent_stays_with_its_letter() -> None:
    parts = split_reply("e\u0301" * 30, 11)
    assert not any(unicodedata.combining(part[0]) for part in parts)


def test_characters_outside_the_basic_plane_count_twice() -> None:
    assert split_reply("𝓐" * 10, 10) == ["𝓐" * 5, "𝓐" * 5]


@settings(max_examples=200)
@given(text=st.text(st.sampled_from("ab .\n`é👍\u0301🇨🇱-"), max_size=300), limit=st.integers(12, 60))
def test_nothing_is_lost_nothing_too_long_nothing_empty(text: str, limit: int) -> None:
    parts = split_reply(text, limit)
    assert all(part and len(part.encode("utf-16-le")) // 2 <= limit for part in parts)
    if "```" not in text:
        assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_message_has_only_what_xml_can_carry_and_keep() -> None:
    assert split_reply("\x00 uno\r\ndos\rtr\ud83des \x08 ") == ["uno\ndos\ntres"]


def test_an_answer_without_end_is_cut_where_a_character_begins() -> None:
    text = "a" + FAMILY * REPLY_LIMIT

    cut = bounded_reply(text)

    assert REPLY_LIMIT - len(FAMILY) < len(cut) <= REPLY_LIMIT
    assert cut == "a" + FAMILY * ((len(cut) - 2) // len(FAMILY)) + "…"
    assert bounded_reply(cut) == cut


@pytest.mark.parametrize("length", [20, 1000, 1590, 1593, 1600, 5000])
def test_a_fence_whose_first_line_is_long_is_cut_like_any_other(length: int) -> None:
    text = "```" + "x" * (length - 4) + "\n" + "y" * 3000 + "\n```"

    parts = split_reply(text)

    assert len(parts) <= len(text) // 1500 + 1
    assert "".join(part.removeprefix("```").removesuffix("```").strip("\n") for part in parts).count("y") == 3000
