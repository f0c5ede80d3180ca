"""Long answers are cut where a reader would cut them."""

import itertools
import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.delivery.splitting import (
    MESSAGE_LIMIT,
    PIECE,
    REPLY_LIMIT,
    bounded_reply,
    is_within,
    split_reply,
    tightened,
)

FAMILY = "👩‍👩‍👧‍👦"
CHARACTERS = [
    *("a", "ñ", "…", "e\u0301", "a\u0300\u0323", "각", "\u1100\u1161\u11a8", "क्षि", "ந்", "กำ", "👍", "👍🏽"),
    *("❤️", "1️⃣", FAMILY, "🏳️‍🌈", "🇨🇱", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "𝓐"),
]
"""User-perceived characters, none of which joins the one before it."""


def units(text: str) -> int:
    """Length as Twilio counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def test_a_short_answer_is_one_message() -> None:
    assert split_reply("Hola.") == ["Hola."]


def test_an_empty_answer_is_no_message() -> None:
    assert split_reply("  \n ") == []


@pytest.mark.parametrize("text", ["\u200b", "\u200b\u2060 \ufeff", "\u2800\n\u3164", "\u00ad\ufe0f"])
def test_what_shows_nothing_is_no_message(text: str) -> None:
    assert split_reply(text) == []
    assert split_reply(f"Hola\n\n{text}\n\nchao", 6) == ["Hola", "chao"]


def test_cuts_at_a_paragraph_before_anything_else() -> None:
    text = "Uno. Dos tres.\n\nCuatro. Cinco seis siete."
    assert split_reply(text, 30) == ["Uno. Dos tres.", "Cuatro. Cinco seis siete."]


def test_cuts_at_a_line_before_a_sentence() -> None:
    assert split_reply("Uno. Dos\nTres. Cuatro cinco", 20) == ["Uno. Dos", "Tres. Cuatro cinco"]


def test_cuts_at_a_sentence_before_a_word() -> None:
    assert split_reply("Uno dos tres. Cuatro cinco", 20) == ["Uno dos tres.", "Cuatro cinco"]


def test_cuts_at_a_word_when_a_sentence_is_too_long() -> None:
    assert split_reply("uno dos tres cuatro", 10) == ["uno dos", "tres", "cuatro"]


def test_a_part_that_is_cut_at_a_blank_is_as_twilio_keeps_it() -> None:
    assert split_reply("*```*0000000000000000000000 0", 28) == ["*```*0000000000000000000000", "0"]


def test_a_url_is_kept_whole() -> None:
    url = "https://lacocina.cl/reservas?dia=1.2.3&hora=20"
    assert url in split_reply(f"Reserva aquí, por favor: {url} Gracias.", len(url) + 3)


@pytest.mark.parametrize("mark", "*_~`")
def test_words_in_a_format_are_kept_together(mark: str) -> None:
    text = f"Uno dos. {mark}Tres. Cuatro{mark} cinco seis siete."
    parts = split_reply(text, 20)
    assert [part.count(mark) for part in parts] == [0, 2, 0]
    assert " ".join(parts) == text


def test_words_in_a_format_that_fit_in_no_message_are_cut_at_a_word() -> None:
    assert split_reply("*uno dos tres cuatro*", 10) == ["*uno dos", "tres", "cuatro*"]


@pytest.mark.parametrize("more", range(20))
def test_a_code_fence_is_kept_whole(more: int) -> None:
    fence = "```\nuno dos\n\ntres\n```"
    parts = split_reply(f"Mira este ejemplo:\n\n{fence}\n\nListo.", len(fence) + more)
    assert any(fence in part for part in parts)


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


@pytest.mark.parametrize(
    ("text", "limit", "fits"),
    [("hola", 4, True), ("hola", 3, False), ("", 0, True), ("👍", 2, True), ("👍", 1, False), ("a👍", 3, True)],
)
def test_what_fits_is_counted_in_the_units_of_twilio(text: str, limit: int, fits: bool) -> None:
    assert is_within(text, limit) is fits


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


@pytest.mark.parametrize(
    ("letters", "end"), [(REPLY_LIMIT, "a"), (REPLY_LIMIT + 1, "…")], ids=["just fits", "one too many"]
)
def test_an_answer_of_just_the_limit_is_whole(letters: int, end: str) -> None:
    assert bounded_reply("a" * letters) == "a" * (REPLY_LIMIT - 1) + end


@pytest.mark.parametrize("length", [20, 1000, 1590, 1593, 1600, 5000])
def test_a_fence_whose_first_line_is_long_is_cut_like_any_other(length: int) -> None:
    text = "```" + "x" * (length - 4) + "\n" + "y" * 3000 + "\n```"

    parts = split_reply(text)

    assert len(parts) <= len(text) // 1500 + 1
    assert "".join(part.removeprefix("```").removesuffix("```").strip("\n") for part in parts).count("y") == 3000


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("uno", 3, ["uno"]),
        ("uno!", 3, ["uno", "!"]),
        ("uno dos", 3, ["uno", "dos"]),
        ("uno dos", 6, ["uno", "dos"]),
        ("Sí... no", 6, ["Sí...", "no"]),
        ("¿Sí?» No", 6, ["¿Sí?»", "No"]),
        ("a\n \nb c", 5, ["a", "b c"]),
        ("a\nb c d", 6, ["a", "b c d"]),
        ("ab cd. ef gh ij", 12, ["ab cd.", "ef gh ij"]),
        ("a. bcdefghij kl", 13, ["a. bcdefghij", "kl"]),
        ("............", 5, [".....", ".....", ".."]),
        ("...... uno", 7, ["......", "uno"]),
        ("`` a ``", 4, ["`` a", "``"]),
        (f"a{FAMILY}", units(FAMILY), ["a", FAMILY]),
        (f"{FAMILY}{FAMILY}", 2 * units(FAMILY) - 1, [FAMILY, FAMILY]),
        ("🇨🇱🇦🇷🇵🇪", 8, ["🇨🇱🇦🇷", "🇵🇪"]),
        ("🇨🇱🇦🇷🇵🇪", 7, ["🇨🇱", "🇦🇷", "🇵🇪"]),
        ("e\u0301e\u0301", 3, ["e\u0301", "e\u0301"]),
        ("क्षिक्षि", 7, ["क्षि", "क्षि"]),
        ("a" + "\u0301" * 5, 3, ["a\u0301\u0301", "\u0301\u0301\u0301"]),
        ("x\n" + "e\u0301" * 6, 7, ["x", "e\u0301e\u0301e\u0301", "e\u0301e\u0301e\u0301"]),
        ("a" + "\u0301" * 200 + "b" + "\u0301" * 200, 300, ["a" + "\u0301" * 200, "b" + "\u0301" * 200]),
        ("a" + "\u0301" * 300, 200, ["a" + "\u0301" * 199, "\u0301" * 101]),
        ("Uno dos.\n\nTres.\nCuatro cinco", 20, ["Uno dos.", "Tres.\nCuatro cinco"]),
        ("... uno dos", 9, ["...", "uno dos"]),
        ("abcd e", 3, ["abc", "d e"]),
        ("a bcdefghijkl", 10, ["a", "bcdefghijk", "l"]),
        ("A. bcdef gh", 10, ["A.", "bcdef gh"]),
        ("*Uno. Dos* tres", 12, ["*Uno. Dos*", "tres"]),
        ("Hola: ```a. b``` *c. d*", 13, ["Hola:", "```a. b```", "*c. d*"]),
        ("*a ```b. c``` d. e*", 12, ["*a", "```b. c```", "d. e*"]),
        ("aaaa bbbb```x```", 9, ["aaaa bbbb", "```x```"]),
        ("Uno dos\n\ntres ```a b```", 16, ["Uno dos\n\ntres", "```a b```"]),
        ("```a``` *Uno. Dos. tres* x", 22, ["```a```", "*Uno. Dos. tres* x"]),
        ("Ya ```a *b* c d``` x", 16, ["Ya", "```a *b* c d```", "x"]),
        ("```\nuno  \ndos\n```", 15, ["```\nuno  \n```", "```\ndos\n```"]),
        ("```\nuno dos\n```fin", 16, ["```\nuno dos\n```", "```fin"]),
        ("```ab``````cd```", 10, ["```ab```", "```cd```"]),
        ("ab```" + "x" * 30 + "```", 20, ["ab```" + "x" * 15, "x" * 15 + "```"]),
        ("```\nuno\ndos\n```", 13, ["```\nuno\n```", "```\ndos\n```"]),
        ("```py\nuno\n\ndos\n```\nfin", 16, ["```py\nuno\n```", "```py\ndos\n```", "fin"]),
        ("```py\n" + "x = X\n" * 8 + "```", 40, ["```py\n" + "x = X\n" * rows + "```" for rows in (5, 3)]),
        ("```\n" + "y" * 40 + "\n```", 30, ["```\n" + "y" * letters + "\n```" for letters in (22, 18)]),
        ("```" + "z" * 30 + "\nuno\n```", 30, ["```" + "z" * 23 + "\n```", "```\n" + "z" * 7 + "\nuno\n```"]),
    ],
)
def test_where_an_answer_is_cut(text: str, limit: int, parts: list[str]) -> None:
    assert split_reply(text, limit) == parts


@settings(max_examples=300, deadline=None)
@given(
    characters=st.lists(st.sampled_from([*CHARACTERS, " ", "\n", ".", ". "]), max_size=200),
    limit=st.integers(14, 60),
)
def test_no_character_is_lost_or_taken_apart(characters: list[str], limit: int) -> None:
    parts = split_reply("".join(characters), limit)

    ends = set(itertools.accumulate(len(character.strip()) for character in characters))
    assert "".join("".join(parts).split()) == "".join("".join(characters).split())
    assert all(0 < units(part) <= limit for part in parts)
    assert set(itertools.accumulate(len("".join(part.split())) for part in parts)) <= ends


@settings(max_examples=100, deadline=None)
@given(characters=st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=8), times=st.integers(1, 3))
def test_a_long_answer_ends_where_a_character_ends(characters: list[str], times: int) -> None:
    text = "".join(characters)
    whole = text * (REPLY_LIMIT // len(text) + times)

    cut = bounded_reply(whole)

    assert cut.endswith("…")
    assert whole.startswith(cut[:-1])
    assert REPLY_LIMIT - 16 <= len(cut) <= REPLY_LIMIT
    assert (len(cut) - 1) % len(text) in {0, *itertools.accumulate(map(len, characters))}


@pytest.mark.parametrize("letters", range(PIECE - len(FAMILY), PIECE + 1))
def test_a_character_that_is_looked_at_in_two_pieces_is_one(letters: int) -> None:
    parts = split_reply("a" * letters + FAMILY * 2, letters + units(FAMILY) - 1)

    assert parts == ["a" * letters, FAMILY * 2]


TIRING = {
    "dots": "." * 32_000,
    "ends of sentences": ".'\")" * 8_000,
    "quotes": "." + "'" * 32_000,
    "lines": "a\n" * 16_000,
    "indented lines": ("a\n" + " " * 1_000) * 32,
    "words": "palabra " * 4_000,
    "letters": "a" * 40_000,
    "spaces": "a" + " " * 32_000 + "b",
    "marks": "a" + "\u0301" * 32_000,
    "flags": "🇨🇱" * 20_000,
    "half flags": "🇨" * 40_000,
    "families": FAMILY * 5_000,
    "joiners": "a" + "\u200d" * 32_000,
    "fences": "```\n" * 8_000,
    "backticks": "`" * 32_000,
}
"""Answers that a careless expression looks at again and again."""


@pytest.mark.parametrize("name", TIRING)
def test_no_answer_holds_up_the_others(name: str) -> None:
    began = time.thread_time()

    parts = split_reply(bounded_reply(TIRING[name]))

    assert time.thread_time() - began < 0.25
    assert parts
    assert all(units(part) <= MESSAGE_LIMIT for part in parts)


FULL = ("palabra " * 200).strip()
"""1,599 characters."""


@pytest.mark.parametrize(
    ("text", "tight"),
    [
        (f"{FULL}.", f"{FULL}."),
        (f"{FULL}.\n\n---", f"{FULL}."),
        (f"{FULL}.\n\n***\n", f"{FULL}."),
        (f"{FULL}.\n\n**\n\n- \n#", f"{FULL}."),
        (f"{FULL[:-6]}   \n\n\n\nfin", f"{FULL[:-6]}\n\nfin"),
        (f"{FULL[:-9]}\t \r\n \r\n\r\n fin", f"{FULL[:-9]}\n\n fin"),
    ],
    ids=["just fits", "a rule", "asterisks", "marks on several lines", "empty lines", "blanks"],
)
def test_what_shows_nothing_makes_no_second_message(text: str, tight: str) -> None:
    assert tightened(text) == tight
    assert split_reply(tightened(text)) == [tight]


@pytest.mark.parametrize(
    "text",
    [
        f"{FULL}. Sí",
        f"{FULL}.\n\n👍",
        f"{FULL}.\n\n1",
        f"{FULL}.\n\n...",
        f"{FULL} *a*",
        f"{FULL} **",
        f"{FULL}\n```",
        f"```\n{FULL}\n```",
        f"a   \n\n\n\n{FULL} b",
        f"a   \n\n\n\nb\n\n{'x' * 1586}",
        "-" * 1601,
        "Hola   \n\n\n\n---",
        "Son\ud83d las cinco.",
    ],
)
def test_any_other_answer_stays_as_it_is(text: str) -> None:
    assert tightened(text) == text


@settings(max_examples=200)
@given(text=st.text(st.sampled_from("ab .\n\t`*-"), max_size=200), limit=st.integers(12, 60))
def test_no_word_is_lost_for_one_message(text: str, limit: int) -> None:
    shown = [split_reply(tightened(text, limit), limit), split_reply(text, limit)]
    said, before = ("".join("".join(parts).split()) for parts in shown)
    assert re.sub("[-*]", "", said) == re.sub("[-*]", "", before) or "`" in text
    assert len(shown[0]) <= len(shown[1])
