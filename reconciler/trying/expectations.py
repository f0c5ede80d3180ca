"""What an answer is expected to be, held against what it is. Pure, but for the judge, which asks a model (`judge`)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex

from reconciler.kinds.knowledge.document import Document
from reconciler.manifest.case_checks import MATCH_SECONDS
from reconciler.trying.candidate import cites
from reconciler.trying.fixtures import arguments_of, fits
from reconciler.trying.language import language_of
from schemas.cases import Expectation

NANOS: Final = 1_000_000_000
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, as far as expectations look at it."""

    text: str
    """All of its messages; empty where there is none."""
    calls: Sequence[Mapping[str, Any]]
    """`name`, `arguments` as JSON."""
    documents: Sequence[str]
    """Names of the uploads that it cites."""
    is_handed_over: bool
    nano_usd: int | None


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that is not met, or that could not be held against the answer."""

    expectation: str
    """Its key."""
    said: str
    """What is instead, in words."""
    is_unjudged: bool = False


def failures(expect: Expectation, answered: Answered, documents: Sequence[Document]) -> Iterator[Unmet]:
    """The expectations that are not met, in their order. `documents`: those that can be cited."""
    yield from _no_answer(expect, answered)
    yield from _words(expect, answered.text)
    yield from _calls(expect, answered.calls)
    if expect.hands_over is not None and expect.hands_over != answered.is_handed_over:
        said = "the conversation passed to people" if answered.is_handed_over else "the assistant kept the conversation"
        yield Unmet("hands_over", said)
    if expect.uses_document is not None and not _is_cited(expect.uses_document, answered, documents):
        cited = ", ".join(name.rpartition("--")[2] for name in answered.documents)
        yield Unmet("uses_document", f"it cites {cited}" if cited else "it cites no document")
    if expect.costs_at_most is not None:
        yield from _cost(expect.costs_at_most, answered.nano_usd)


def _no_answer(expect: Expectation, answered: Answered) -> Iterator[Unmet]:
    """An answer where none is expected, or none where one is. A handoff is an answer, too."""
    if expect.no_reply and answered.text:
        yield Unmet("no_reply", f"it answers {shortened(answered.text)}")
    elif not expect.no_reply and not answered.text:
        yield Unmet("no_reply" if expect.no_reply is False else "answer", "there is no answer")


def _words(expect: Expectation, text: str) -> Iterator[Unmet]:
    plain = _plain(text)
    for words in expect.contains or ():
        if _plain(words) not in plain:
            yield Unmet("contains", f"{shortened(words)} is not in it")
    for words in expect.not_contains or ():
        if _plain(words) in plain:
            yield Unmet("not_contains", f"{shortened(words)} is in it")
    if expect.matches is not None:
        yield from _match(expect.matches, text)
    if expect.language is not None and text:
        found = language_of(text)
        if found is None:
            yield Unmet("language", "its language is not recognised", is_unjudged=True)
        elif found != expect.language:
            yield Unmet("language", f"it is in {found}")
    if expect.max_chars is not None and len(text) > expect.max_chars:
        yield Unmet("max_chars", f"it has {len(text):,} characters")


def _match(expression: str, text: str) -> Iterator[Unmet]:
    try:
        if regex.search(expression, text, timeout=MATCH_SECONDS) is None:
            yield Unmet("matches", f"{expression} is not found in it")
    except TimeoutError:
        yield Unmet("matches", f"{expression} searches for more than {MATCH_SECONDS:g} s", is_unjudged=True)


def _calls(expect: Expectation, calls: Sequence[Mapping[str, Any]]) -> Iterator[Unmet]:
    made = [(str(call["name"]), arguments_of(str(call["arguments"]))) for call in calls]
    if expect.calls_nothing and made:
        yield Unmet("calls_nothing", f"it calls {_shown(made)}")
    for name, arguments in (expect.calls or {}).items():
        if not any(called == name and fits(arguments or {}, given) for called, given in made):
            wanted = f"{name} {json.dumps(arguments, ensure_ascii=False)}" if arguments else name
            yield Unmet("calls", f"it does not call {wanted}; it calls {_shown(made) or 'nothing'}")


def _is_cited(path: str, answered: Answered, documents: Sequence[Document]) -> bool:
    return any(
        cites(cited, document) for cited in answered.documents for document in documents if document.path == path
    )


def _cost(limit: float, nano_usd: int | None) -> Iterator[Unmet]:
    if nano_usd is None:
        yield Unmet("costs_at_most", "the price of its model is not known", is_unjudged=True)
    elif nano_usd > limit * NANOS:
        yield Unmet("costs_at_most", f"it costs {nano_usd / NANOS:.6f} USD")


def _plain(text: str) -> str:
    """A text without capitals, accents and further blanks."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _shown(made: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(f"{name} {json.dumps(given, ensure_ascii=False)}" for name, given in made)


def shortened(text: str) -> str:
    """The beginning of a text, in quotation marks and one line."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"}"'
