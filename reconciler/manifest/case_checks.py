"""Checks of a test case that its types cannot express: that something is asked, that its functions are the client's and
fit their schemas, that its expectations can be met together, and that no regular expression runs away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.manifest.checks import Violation, tools
from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.shape import Loc
from schemas.cases import BUILT_IN, LANGUAGES, Case, Exchange, Expectation

MATCH_SECONDS: Final = 1.0
"""How long an expression may search one answer."""
_PROBE_CHARACTERS: Final = 4_000
"""About as long as the longest answers are."""
_OF_WORDS: Final = ("contains", "not_contains", "matches", "language", "max_chars", "uses_document", "judge")
"""Expectations of an answer's words."""


def check_case(case: Case, values: Mapping[str, Any], documents: Sequence[str]) -> Iterator[Violation]:
    """The violations of a case, at locations in it. `values`: of its client; `documents`: those it can cite."""
    functions = {tool.get("name"): tool.get("parameters") for _, tool in tools(values, "function")}
    yield from _questions(case.conversation)
    for index, fixture in enumerate(case.functions):
        yield from _function(("functions", index, "name"), fixture.name, functions, may_be_built_in=False)
        if fixture.name in functions and fixture.arguments is not None:
            yield from _arguments(("functions", index, "arguments"), fixture.arguments, functions[fixture.name])
    for index, exchange in enumerate(case.conversation):
        if exchange.expect is not None:
            loc: Loc = ("conversation", index, "expect")
            yield from _expectation(loc, exchange.expect, functions)
            yield from _document(loc, exchange.expect, documents)


def _questions(conversation: Sequence[Exchange]) -> Iterator[Violation]:
    """Each exchange says something, and the assistant is asked for an answer, of which something is expected."""
    for index, exchange in enumerate(conversation):
        loc: Loc = ("conversation", index)
        if exchange.say is None and exchange.files is None:
            yield Violation(loc, f"{dotted(loc)}: the person says nothing", 'Add what they write, such as say: "Hola".')
        if exchange.answered is not None and exchange.expect is not None:
            message = f"{dotted((*loc, 'expect'))}: nothing is expected of an answer that is given"
            yield Violation((*loc, "expect"), message, "Remove answered, so that the assistant answers; or expect.")
    if all(exchange.answered is not None for exchange in conversation):
        message = "conversation: no question to the assistant, each answer is given"
        yield Violation(("conversation",), message, "Add what the person says next, without answered.")
    elif all(exchange.expect is None or exchange.expect.is_empty for exchange in conversation):
        message = "conversation: nothing is expected, so that any answer passes"
        yield Violation(("conversation",), message, "Add expect: {max_chars: 600}, for example.", "warning")


def _expectation(loc: Loc, expect: Expectation, functions: Mapping[Any, Any]) -> Iterator[Violation]:
    for name, arguments in (expect.calls or {}).items():
        yield from _function((*loc, "calls", name), name, functions, may_be_built_in=True)
        if name in functions and arguments is not None:
            yield from _arguments((*loc, "calls", name), arguments, functions[name])
    if expect.calls and expect.calls_nothing:
        place: Loc = (*loc, "calls_nothing")
        yield Violation(place, f"{dotted(place)}: calls expects a call", "Remove one of the two.")
    words = next((key for key in _OF_WORDS if getattr(expect, key) is not None), None)
    if expect.no_reply and words is not None:
        place = (*loc, words)
        yield Violation(place, f"{dotted(place)}: no_reply expects no answer", "Remove one of the two.")
    if expect.language is not None and expect.language not in LANGUAGES:
        place = (*loc, "language")
        message = f"{dotted(place)}: {shown(expect.language)} is not recognised in an answer"
        yield Violation(place, message, f"Write one of {', '.join(LANGUAGES)}, or let judge decide.")
    if expect.judge is not None and (expect.judge.passes or 0) > expect.judge.times:
        place = (*loc, "judge", "passes")
        yield Violation(place, f"{dotted(place)}: more than times", f"Write {expect.judge.times} at most.")
    if expect.matches is not None:
        yield from _expression((*loc, "matches"), expect.matches)


def _function(loc: Loc, name: str, functions: Mapping[Any, Any], *, may_be_built_in: bool) -> Iterator[Violation]:
    """A name that no function of the client has."""
    if name in functions or (may_be_built_in and name in BUILT_IN):
        return
    if name in BUILT_IN:
        message, hint = f"{dotted(loc)}: a built-in tool answers for itself", "Remove this fixture."
    else:
        near = nearest(name, [str(one) for one in functions])
        known = f"This client has: {', '.join(map(str, functions))}." if functions else "This client has none."
        message, hint = f"{dotted(loc)}: no such function", f'Did you mean "{near}"?' if near else known
    yield Violation(loc, message, hint)


def _arguments(loc: Loc, arguments: Mapping[str, Any], parameters: Any) -> Iterator[Violation]:
    """Arguments that no call of a function can have, by its schema. They may be some of its arguments."""
    if not isinstance(parameters, dict):
        parameters = {"type": "object", "properties": {}}
    properties = parameters.get("properties")
    known = [str(name) for name in properties] if isinstance(properties, Mapping) else []
    for name in arguments:
        if name not in known:
            near = nearest(name, known)
            hint = f'Did you mean "{near}"?' if near else f"Its parameters: {', '.join(known) or 'none'}."
            yield Violation((*loc, name), f"{dotted((*loc, name))}: not a parameter of the function", hint)
    import jsonschema_rs  # only for functions

    try:
        validator = jsonschema_rs.Draft202012Validator(
            {key: parameters[key] for key in parameters if key != "required"}
        )
    except ValueError:  # parameters that are wrong are reported where they stand
        return
    for error in validator.iter_errors({name: value for name, value in arguments.items() if name in known}):
        place = (*loc, *error.instance_path)
        yield Violation(place, f"{dotted(place)}: {error.message}", "Write what the function's parameters allow.")


def _document(loc: Loc, expect: Expectation, documents: Sequence[str]) -> Iterator[Violation]:
    if expect.uses_document is None or expect.uses_document in documents:
        return
    place = (*loc, "uses_document")
    near = nearest(expect.uses_document, list(documents))
    known = f"The assistant searches in: {', '.join(documents)}." if documents else "Add a tool file_search with files."
    message = f"{dotted(place)}: {shown(expect.uses_document)} is not a document that this assistant searches"
    yield Violation(place, message, f'Did you mean "{near}"?' if near else known)


def _expression(loc: Loc, expression: str) -> Iterator[Violation]:
    """An expression that is none, or that takes too long on some text of an answer's length."""
    import regex  # only for expressions

    try:
        compiled = regex.compile(expression)
    except regex.error as error:
        yield Violation(loc, f"{dotted(loc)}: not a regular expression ({error})", "Correct it; \\ escapes a sign.")
        return
    try:
        for probe in _probes(expression):
            compiled.search(probe, timeout=MATCH_SECONDS)
    except TimeoutError:
        message = f"{dotted(loc)}: the expression may search for ever"
        hint = "Avoid a repetition within a repetition, such as (a+)+; anchor it, or use contains."
        yield Violation(loc, message, hint)


def _probes(expression: str) -> Iterator[str]:
    """Texts on which expressions run away: long runs of what occurs in them, with an end that does not fit."""
    letters = [character for character in dict.fromkeys(expression) if character.isalnum()][:12]
    for run in dict.fromkeys([*letters, "a", "0", " ", "a ", "0,", "a0", "á"]):
        yield run * (_PROBE_CHARACTERS // len(run)) + "\x00"
