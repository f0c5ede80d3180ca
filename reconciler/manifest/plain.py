"""How an unquoted YAML scalar is read: as YAML 1.2 reads it, and where YAML 1.1 would read something else, not at all.

`no`, `2025-10-22`, `0123`, `1_000` and `12:30` mean one thing to one tool and another thing to the next. They are
reported with the quoted form instead of being converted into an unintended value.
"""

from __future__ import annotations

import functools
import re

# Tags are compared by identity: a document can contain a tag that is equal to one of these, never the same object.
STR = "plain text"
INT = "plain int"
FLOAT = "plain float"
TRUE = "plain true"
FALSE = "plain false"
NULL = "plain null"
MERGE = "plain merge"
MAP = "plain mapping"
SEQ = "plain sequence"
WORD = "ambiguous word"
DATE = "ambiguous date"
NUMBER = "ambiguous number"

_PLAIN = re.compile(
    r"""(?P<null>~|null|Null|NULL|)
    |(?P<true>true|True|TRUE)
    |(?P<false>false|False|FALSE)
    |(?P<merge><<)
    |(?P<int>[-+]?(?:0|[1-9][0-9]{0,17}))
    |(?P<float>[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40}(?=[eE]))(?:[eE][-+]?[0-9]{1,2})?)
    |(?P<word>[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF)
    |(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?)
    |(?P<number>
        [-+]?(?:0[0-9_]+|[0-9]{19,}|[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?|0b[01_]+|0o[0-7]+|0x[0-9a-fA-F_]+
        |[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\.(?:inf|Inf|INF)|[0-9.]+[eE][-+]?[0-9]+)
        |\.(?:nan|NaN|NAN))
    """,
    re.VERBOSE,
)
_STARTS = frozenset("~nNtTfFyYoO0123456789+-.<")
_TAGS = {
    "null": NULL,
    "true": TRUE,
    "false": FALSE,
    "merge": MERGE,
    "int": INT,
    "float": FLOAT,
    "word": WORD,
    "date": DATE,
    "number": NUMBER,
}


def tag_of(value: str) -> str:
    """Tag of an unquoted scalar."""
    if value and value[0] not in _STARTS:
        return STR
    return _matched(value)


@functools.lru_cache(4096)
def _matched(value: str) -> str:
    # Cached, since the same keys and words are in every file of a fleet.
    match = _PLAIN.fullmatch(value)
    return _TAGS[match.lastgroup] if match and match.lastgroup else STR


def ambiguity(tag: str, value: str) -> tuple[str, str] | None:
    """The problem with a scalar that YAML versions read differently, and what to write instead."""
    if tag is WORD:
        return f"{value} without quotes is true or false to some tools and a text to others", (
            f'Write true or false, or "{value}" in quotes where the text is meant.'
        )
    if tag is DATE:
        return "an unquoted date", f'Write it in quotes: "{value}".'
    if tag is NUMBER:
        return f"{value} without quotes means different things to different tools", (
            f'Write it in quotes: "{value}"; where a number is meant, in plain decimal digits.'
        )
    return None
