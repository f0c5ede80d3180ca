"""Markdown, which models write, in WhatsApp's own formatting: the phone shows everything else as it is.

    **bold**, __bold__, # heading → *bold*      ~~gone~~ → ~gone~       [text](url) → text: url
    ***both*** → *_both_*                       ```lang → ```           | a | b | → - a · b

`*one asterisk*`, `_underscores_`, `- lists`, `> quotes` and `` `code` `` are much the same on both sides and stay. No
parser of Markdown: those read `2*3*4` as emphasis, number lists again and drop what they take for HTML. Here what is
not certainly a mark is text, and no word is lost. It runs on the event loop, so each expression stops at the next mark
of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_LANGUAGE = re.compile(r"[ \t]?[\w+#.-]*")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>\S.*)")
_UNDERLINE = re.compile(r" {0,3}={3,}[ \t]*")
_RULE = re.compile(r"[ \t]*(?:-[ \t]*){3,}|[ \t]*(?:\*[ \t]*){3,}|[ \t]*(?:_[ \t]*){3,}")
_DASHES = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")
_LINK = (
    r"!?\[(?P<label>[^\[\]\n]{0,300})\]"
    r"\((?P<url>(?:https?://|mailto:|tel:)[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)"
    r"""(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'))?\)"""
)
_ONE_LINK = re.compile(_LINK)
_MARK = re.compile(r"[*_~`\[\\<]")
"""What every mark inside a line begins with."""
_INLINE = re.compile(
    "|".join(
        (
            r"(?P<code>```[^`\n]+```|(?<!`)`[^`\n]+`(?!`))",
            r"(?<!`)``(?P<double_code>[^`\n]+)``(?!`)",
            r"\\(?P<escaped>[*_~`#\[\]()>+.!|{}-])",
            _LINK,
            r"<(?P<address>(?:https?://|mailto:)[^\s<>]+)>",
            r"(?P<bare>https?://[^\s<>]+)",
            r"(?P<break><br[ ]?/?>)",
            r"(?<![\w*])\*{3}(?=[^\s*])(?P<both>[^*\n]+)(?<=\S)\*{3}(?![\w*])",
            r"(?<![\w*])\*{2}(?=[^\s*])(?P<stars>(?:(?!\*\*)[^\n])+)(?<=\S)\*{2}(?!\*)",
            r"(?<![\w_])_{2}(?=[^\s_])(?P<underscores>(?:(?!__)[^\n])+)(?<=\S)_{2}(?![\w_])",
            r"(?<![\w~])~{2}(?=[^\s~])(?P<struck>(?:(?!~~)[^\n])+)(?<=\S)~{2}(?![\w~])",
        )
    )
)
_SINGLE_STARS = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])")
_IN_MARKS = re.compile(r"(?<!\w)([*_~`])(?=\S)((?:(?!\1).)+)(?<=\S)\1(?!\w)")
_SCHEMES = re.compile(r"(?:mailto|tel):")
EMPTY_CELL = "–"


def whatsapp_text(markdown: str) -> str:
    """An answer as WhatsApp shows it. A text without Markdown is returned as it is."""
    return "\n".join(_blocks(markdown.split("\n")))


def label_text(markdown: str) -> str:
    """One line without formats, as buttons and rows of lists show it."""
    text = " ".join(whatsapp_text(markdown).split())
    while (plain := _IN_MARKS.sub(r"\2", text)) != text:
        text = plain
    return text


def _blocks(lines: Sequence[str]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        line = lines[number]
        if (fence := _FENCE.fullmatch(line.strip())) is not None:
            end = _end_of_fence(lines, number, fence["fence"])
            first = [] if _LANGUAGE.fullmatch(fence["info"]) else [fence["info"].strip()]
            yield "\n".join(["```", *first, *lines[number + 1 : end], "```"])
            number = end + 1
        elif (end := _end_of_table(lines, number)) > number:
            yield from _table([_cells(lines[number]), *(_cells(row) for row in lines[number + 2 : end])])
            number = end
        elif _is_underlined(lines, number):
            yield _heading(line.strip())
            number += 2
        elif (heading := _HEADING.fullmatch(line)) is not None:
            yield _heading(heading["title"].rstrip().rstrip("#").rstrip())
            number += 1
        elif _RULE.fullmatch(line):
            # A rule between two empty lines is one of them.
            number += 2 if lines[number + 1 : number + 2] == [""] else 1
        else:
            yield _inline(line)
            number += 1


def _end_of_fence(lines: Sequence[str], start: int, fence: str) -> int:
    """The line that closes a fence; the number of lines where none does, as in an answer that was cut."""
    closing = (number for number in range(start + 1, len(lines)) if _closes(lines[number].strip(), fence))
    return next(closing, len(lines))


def _closes(line: str, fence: str) -> bool:
    return len(line) >= len(fence) and set(line) == {fence[0]}


def _end_of_table(lines: Sequence[str], start: int) -> int:
    """The line after a table that begins here; `start` where none begins: a row of titles, then one of dashes."""
    if "|" not in lines[start] or start + 1 == len(lines) or "|" not in lines[start + 1]:
        return start
    titles, dashes = _cells(lines[start]), _cells(lines[start + 1])
    if len(titles) != len(dashes) or not all(_DASHES.fullmatch(cell) for cell in dashes):
        return start
    end = start + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    if row.endswith("|") and not row.endswith("\\|"):
        row = row[:-1]
    return [cell.strip() for cell in _BAR.split(row)]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table as a list: its titles in bold, then a line for each row."""
    titles, *others = rows
    if any(titles):
        yield _heading(_row(titles))
    for cells in others:
        yield f"- {_inline(_row(cells))}"


def _row(cells: Sequence[str]) -> str:
    return " · ".join(re.sub(r"<br ?/?>", " / ", cell) or EMPTY_CELL for cell in cells)


def _is_underlined(lines: Sequence[str], number: int) -> bool:
    return bool(lines[number].strip()) and number + 1 < len(lines) and bool(_UNDERLINE.fullmatch(lines[number + 1]))


def _heading(title: str) -> str:
    return _bold(_inline(title.replace("**", "")))


def _inline(line: str) -> str:
    return _INLINE.sub(_replaced, line) if _MARK.search(line) else line


def _replaced(match: re.Match[str]) -> str:
    """What stands on WhatsApp for one mark of Markdown, with what is inside."""
    kind = match.lastgroup
    text = match[kind] if kind is not None else ""
    match kind:
        case "code" | "bare" | "address" | "escaped":
            return text
        case "double_code":
            return f"`{text}`"
        case "url":
            return _link(_inline(match["label"]), text)
        case "break":
            return "\n"
        case "both":
            return _bold(f"_{_inline(text)}_")
        case "struck":
            return f"~{_inline(text)}~"
        case _:
            return _strong(match, text)


def _strong(match: re.Match[str], text: str) -> str:
    if (link := _ONE_LINK.fullmatch(text)) is not None:
        return _link(_bold(_inline(link["label"])), link["url"])
    following = match.string[match.end() : match.end() + 1]
    # WhatsApp shows the mark itself where a letter follows it.
    return _inline(text) if following.isalnum() else _bold(_inline(text))


def _bold(text: str) -> str:
    """A text in bold, unless the marks would become part of a URL or of other marks."""
    text = _SINGLE_STARS.sub(r"_\1_", text)
    return text if not text or "://" in text or "*" in text else f"*{text}*"


def _link(label: str, url: str) -> str:
    """A URL that can be tapped, after what it is called."""
    address = _SCHEMES.sub("", url, count=1) if not url.startswith("http") else url
    words = label.strip().rstrip(":")
    if not words or _bare(words) == _bare(address):
        return address
    return f"{words}: {address}"


def _bare(address: str) -> str:
    return address.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/").lower()
