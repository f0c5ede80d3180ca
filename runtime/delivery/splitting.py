"""Splits an answer that is too long for one WhatsApp message.

Cuts at a paragraph, else a line, a sentence, a word; never inside a URL or a grapheme, not inside `*bold*` and its kin
where there is another place, and inside a code fence only when the fence alone is too long (it is then closed and
opened again). It runs on the event loop, so no expression here may examine the same character repeatedly.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import regex

from runtime.text import is_blank, portable

MESSAGE_LIMIT = 1600
"""Twilio's limit of a body (error 21617), counted in UTF-16 units, the strictest way to count characters."""

REPLY_LIMIT = 20 * MESSAGE_LIMIT
"""Maximum number of characters of an answer that are sent. A model that does not stop would send hundreds of
messages."""
FENCE_MARK = "```"
OPENING_LIMIT = 24
"""Maximum number of characters of a fence's first line that are repeated where it continues: a language, not a line of
its content."""
FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
LONGEST_MARKED = 300
MARKED = re.compile(rf"(?<![\w*_~`])([*_~`])(?=\S)(?:(?!\1)[^\n]){{1,{LONGEST_MARKED}}}(?<=\S)\1(?!\w)")
"""Words in one of WhatsApp's formats. A mark without its pair is shown as it is."""
BREAKS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    # Only where a run of stops begins: matched again from each of a thousand dots, it would count them a thousand
    # times.
    re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*\s"),
    re.compile(r"\s"),
)
"""Positions for a cut, the best first; a cut is at the end of a match."""
SHORTEST_SHARE = 0.3
"""A better sort of cut is used only if it leaves at least this share of a message, except for the last sort."""
LINE_END = re.compile(r"\r\n?")
"""XML reads each of these as a line feed, so a message that was sent as TwiML would not be found again by its text."""
GRAPHEME = regex.compile(r"\X")
"""A user-perceived character, as Unicode has it (UAX #29): a letter with its accents, a flag, a family."""
LINE_BLANKS = re.compile(r"(?<![ \t])[ \t]+(?=\n)")
"""Blanks at the end of a line."""
EMPTY_LINES = re.compile(r"(?<!\n)\n{3,}")
"""Two empty lines or more."""
MARKS = frozenset("*_~#>|=- \t")
"""A line of these alone shows nothing: a rule, or what is left of a format."""
PIECE = 256
"""Number of characters that are split into graphemes at once."""


def bounded_reply(text: str) -> str:
    """An answer with at most REPLY_LIMIT characters; a longer one ends with an ellipsis."""
    if len(text) <= REPLY_LIMIT:
        return text
    return text[: _grapheme_start(text, REPLY_LIMIT - 1)] + "…"


def tightened(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """An answer without what shows nothing, where only that keeps it from being one message: blanks at the ends of
    lines, further empty lines, marks alone on the last line. A second message costs as much as the first. Any other
    answer is returned as it is."""
    if _fitting(text, limit) == len(text) or FENCE_MARK in text:
        return text
    lines = EMPTY_LINES.sub("\n\n", LINE_BLANKS.sub("", LINE_END.sub("\n", portable(text)).strip())).split("\n")
    while len(lines) > 1 and MARKS.issuperset(lines[-1]):
        lines.pop()
    tight = "\n".join(lines)
    return tight if _fitting(tight, limit) == len(tight) else text


def is_within(text: str, limit: int) -> bool:
    """Whether a text has at most `limit` characters."""
    return _fitting(text, limit) == len(text)


def as_kept(text: str) -> str:
    """A text as Twilio will keep it."""
    return LINE_END.sub("\n", portable(text)).strip()


def split_reply(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """The parts of an answer as Twilio will keep them, in order, none longer than the limit and none blank."""
    parts: list[str] = []
    rest = as_kept(text)
    while (end := _fitting(rest, limit)) < len(rest):
        part, rest = _first_part(rest, end, limit)
        parts.append(part)
    return [part for part in (*parts, rest) if not is_blank(part)]


def _first_part(text: str, end: int, limit: int) -> tuple[str, str]:
    """The first message, of at most `end` characters, and the rest."""
    # A fence that is open at the end of the examined text extends over all of it.
    fences = [match.span() for match in FENCE.finditer(text, 0, end + len(FENCE_MARK))]
    cut = _best_cut(text, end, fences, _with_marked(text, end, fences)) or _best_cut(text, end, fences, fences)
    if cut:
        return text[:cut].rstrip(), text[cut:].strip()
    if fences and fences[0][0] == 0:
        return _inside_fence(text, _fitting(text, limit - len("\n```")))
    cut = _grapheme_start(text, end)
    return text[:cut].rstrip(), text[cut:].strip()


def _with_marked(text: str, end: int, fences: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The fences and the words in a format outside them, in order, one that crosses the end included."""
    marked = [match.span() for match in MARKED.finditer(text, 0, end + LONGEST_MARKED)]
    return sorted(fences + [span for span in marked if not any(_overlap(span, fence) for fence in fences)])


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _best_cut(text: str, end: int, fences: list[tuple[int, int]], kept: list[tuple[int, int]]) -> int:
    """The last good place to cut at or before `end` and outside the spans that are `kept`, 0 when there is none."""
    for index, kind in enumerate(BREAKS):
        # A match may end one past the window: the character cut off there is white space.
        places = [match.end() for match in kind.finditer(text, 0, end + 1)]
        if index == 0:
            places += [start for start, _ in fences if start <= end]
        least = 1 if kind is BREAKS[-1] else end * SHORTEST_SHARE
        good = [place for place in places if place >= least and not _is_inside(place, kept)]
        if good:
            return max(good)
    return 0


def _is_inside(place: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a place lies within one of the spans, which are in order."""
    before = bisect_left(spans, (place, 0)) - 1
    return before >= 0 and place < spans[before][1]


def _inside_fence(text: str, end: int) -> tuple[str, str]:
    first_line = text[: text.find("\n", 0, OPENING_LIMIT) + 1]
    opening = first_line or "```\n"
    line_end = text.rfind("\n", len(opening), end) + 1
    cut = line_end if line_end > len(opening) else _grapheme_start(text, end)
    rest = text[cut:]
    return text[:cut].rstrip("\n") + "\n```", rest if rest.startswith("```") else opening + rest


def _grapheme_start(text: str, end: int) -> int:
    """The last place at or before `end` where a user-perceived character begins; `end` when there is none."""
    # A line feed is a character of its own, so what comes after the last one is looked at without what comes before.
    for begins, ends in _graphemes(text, text.rfind("\n", 0, end) + 1):
        if ends > end:
            return begins or end
    return end


def _graphemes(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Where each user-perceived character begins and ends, from a position at which one begins.

    Searched in pieces: which half of a flag a character is, is found by counting all halves before it.
    """
    size = PIECE
    while place < len(text):
        found = [character.span() for character in GRAPHEME.finditer(text[place : place + size])]
        if place + size < len(text):
            found.pop()  # it may continue after the piece
        for begins, ends in found:
            yield place + begins, place + ends
        if found:
            place += found[-1][1]
        else:
            size *= 2


def _fitting(text: str, limit: int) -> int:
    """How many characters of the text fit into `limit` UTF-16 units."""
    # A lone surrogate is left out later, where the text is made portable.
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= limit:
        return len(text)
    units = accumulate(2 if character > "\uffff" else 1 for character in text)
    return next(index for index, count in enumerate(units) if count > limit)
