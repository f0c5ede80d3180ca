"""What people wrote, without who they are: names, numbers, e-mail addresses and RUTs become others, the same ones
throughout a conversation.

    texts ──► everything that is to go, of all of them ──► one pseudonym each ──► the texts with those

One replacement for whatever leaves the store so: a test case of a real turn, recent questions that are asked again. It
knows the person's own names, those that they introduce ("me llamo …", "a nombre de …"), and the manifest's keywords. A
name that is mentioned in any other way stays, which is why a person reads the result before it is used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

_LETTERS = r"[^\W\d_]"
_WORD: Final = re.compile(rf"{_LETTERS}+")
_SPELT_AT: Final = r"(?:@|\s*(?:\(at\)|\[at\]|\barroba\b)\s*)"
_SPELT_DOT: Final = r"(?:\.|\s+punto\s+|\s*\(dot\)\s*)"
_LINK: Final = r"https?://[^\s<>\"')\]]+|www\.[^\s<>\"')\]]+"
_EMAIL: Final = rf"[\w.+%-]+{_SPELT_AT}[\w-]+(?:{_SPELT_DOT}[\w-]+)+"
_HANDLE: Final = r"(?<![\w@])@\w[\w.]*\w"
_RUT: Final = r"(?<![\d.])\d{1,3}(?:\.?\d{3}){2}\s?[-‐-―]\s?[\dk](?!\w)"
_NUMBER: Final = r"\+?\(?\d(?:\d|[\s.,/()‐-―:-]{1,2}(?=\d)|[()](?=\s?\d))*"
_TIME: Final = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
_INTRODUCED: Final = re.compile(
    r"\b(?:me llamo|mi nombre es|mi nombre|a nombre de|de parte de|soy|aqui|habla|le habla|my name is|i am|i'm|this is|"
    rf"me chamo|meu nome e|sou)\s+((?:{_LETTERS}+[\s'’-]*){{1,4}})"
)
_SURE: Final = ("llamo", "nombre", "name", "chamo", "nome")
"""Of the phrases, those after which a name stands whether or not it begins with a capital letter."""
_NO_NAMES: Final = frozenset({
    "a", "al", "ante", "con", "da", "das", "de", "del", "do", "dos", "e", "el", "en", "es", "i", "la", "las", "le",
    "lo", "los", "me", "mi", "mis", "no", "of", "os", "para", "por", "que", "se", "si", "sin", "su", "sus", "te",
    "the", "tu", "tus", "u", "un", "una", "van", "von", "y", "ya", "yo",
})  # fmt: skip
"""Words of names, and after those phrases, that are not names."""
PHONE_DIGITS: Final = 7
"""Digits with blanks between them that are one number from this many on."""
SHORT_DIGITS: Final = 2
"""Digits of a number that identifies no person: how many people, an hour, a day."""


class Pseudonyms:
    """The pseudonyms of one conversation."""

    def __init__(self, texts: Iterable[str], names: Iterable[str] = (), keywords: Iterable[str] = ()) -> None:
        """`texts`: all of them. `names`: the person's, as they call themselves. `keywords`: of the manifest."""
        said = [unicodedata.normalize("NFC", text) for text in texts]
        words = [word for name in names for word in _words_of(name)]
        words += [word for text in said for word in _introduced(text)]
        phrases = [_folded(keyword).strip() for keyword in keywords]
        self._words = dict.fromkeys((*words, *(phrase for phrase in phrases if phrase)))
        self._is_keyword = frozenset(phrases) - frozenset(words)
        self._pattern = _pattern(self._words)
        self._numbers = {_digits(match[0]) for text in said for match in re.finditer(_NUMBER, _folded(text))}
        self._known: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def text(self, text: str) -> str:
        """A text with pseudonyms, in the composed form of Unicode (NFC)."""
        composed = unicodedata.normalize("NFC", text)
        pieces, end = [], 0
        for match in self._pattern.finditer(_folded(composed)):
            pieces += [composed[end : match.start()], self._replaced(match, composed[match.start() : match.end()])]
            end = match.end()
        return "".join((*pieces, composed[end:]))

    def value(self, value: Any) -> Any:
        """A JSON value with pseudonyms in all of its texts and numbers; keys stay, since they are a function's own."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return int(self.text(str(value)))
        return value

    def _replaced(self, match: re.Match[str], written: str) -> str:
        kind, found = match.lastgroup or "", match[0]
        if kind == "number":
            return self._number(written)
        if kind == "word":
            kind = "keyword" if found in self._is_keyword else "word"
        make = _MADE[kind]
        return self._pseudonym(kind, found, lambda count: make(count))

    def _pseudonym(self, kind: str, found: str, make: Callable[[int], str]) -> str:
        if (kind, found) not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[kind, found] = make(self._counts[kind])
        return self._known[kind, found]

    def _number(self, written: str) -> str:
        """A group of digits; the short ones of it stay, unless they are together one long number."""
        digits = _digits(written)
        parts = re.findall(r"\d+", written)
        if _TIME.fullmatch(written) or len(digits) <= SHORT_DIGITS:
            return written
        separators = re.sub(r"[\d+()]", "", written)
        if len(parts) > 1 and len(digits) < PHONE_DIGITS and not re.sub(r"[\s,:]", "", separators):
            return re.sub(r"\d+", lambda part: self._number(part[0]), written)
        if len(parts) == 2 and max(map(len, parts)) <= SHORT_DIGITS:
            return written
        made = iter(self._pseudonym("number", digits, lambda _: self._unused(len(digits))))
        return re.sub(r"\d", lambda _: next(made), written)

    def _unused(self, length: int) -> str:
        """Digits of this length that are none of the conversation's: 101, 102, … and 1001, 1002, …"""
        first = 10 ** (length - 1)
        for number in range(first + 1, 10 * first):
            if str(number) not in self._numbers:
                self._numbers.add(str(number))
                return str(number)
        return "0" * length


def _rut(count: int) -> str:
    """An invented RUT with the right check digit: 11.111.111-1 and those after it."""
    number = 11_111_110 + count
    factors = (2, 3, 4, 5, 6, 7, 2, 3)
    rest = 11 - sum(int(digit) * factor for digit, factor in zip(reversed(str(number)), factors, strict=True)) % 11
    return f"{number:,}-{ {11: '0', 10: 'K'}.get(rest, str(rest)) }".replace(",", ".")


_MADE: Final[Mapping[str, Callable[[int], str]]] = {
    "link": lambda count: f"https://example.com/{'x' * count}",
    "email": lambda count: f"persona{'x' * (count - 1)}@example.com",
    "handle": lambda count: f"@persona{'x' * (count - 1)}",
    "rut": _rut,
    "word": lambda count: f"Nombre{_letters(count)}",
    "keyword": lambda count: f"Palabra{_letters(count)}",
}
"""By what was found: its pseudonym, of the first one and those after it. Without digits where digits would be taken for
numbers."""


def _letters(count: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    letters = ""
    while count:
        count, rest = divmod(count - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Everything that may be replaced, the longest first, in folded text."""
    listed = sorted(words, key=len, reverse=True)
    named = "|".join(re.escape(word) for word in listed)
    found = {"link": _LINK, "email": _EMAIL, "handle": _HANDLE, "rut": _RUT, "number": _NUMBER}
    if named:
        found["word"] = rf"(?<!{_LETTERS})(?:{named})(?!{_LETTERS})"
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in found.items()))


def _introduced(text: str) -> Iterator[str]:
    """The names that a text introduces."""
    folded = _folded(text)
    for match in _INTRODUCED.finditer(folded):
        is_sure = any(word in match[0] for word in _SURE)
        for position, word in enumerate(_WORD.finditer(text, match.start(1), match.end(1))):
            name = _folded(word[0])
            if name in _NO_NAMES:
                if position == 0 and is_sure:
                    break
                continue
            if not word[0][0].isupper() and not (is_sure and position == 0):
                break
            yield name


def _words_of(name: str) -> Iterator[str]:
    """The words of a name, folded; without those that many names and sentences have."""
    yield from (word for found in _WORD.findall(name) if (word := _folded(found)) not in _NO_NAMES and len(word) > 1)


def _folded(text: str) -> str:
    """A text of the same length without accents and capitals, in which the same word is the same."""
    return "".join(map(_fold, text))


def _fold(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)[:1].lower()
    return plain if len(plain) == 1 else character


def _digits(written: str) -> str:
    return "".join(character for character in written if character.isdecimal())
