"""Log events have one form: nouns of the field in snake case, so that a search or an alert can rest on them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.project.repository import ROOT

ROOMS = ("runtime", "reconciler")
LOGGERS = frozenset({"log", "logger"})
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
FORM = re.compile(r"[a-z][a-z0-9_]*")
TEXT_OF_A_LIBRARY = "record.getMessage()"


def is_level(node: ast.expr) -> bool:
    """Whether an expression is a level of a logger, such as `log.warning`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in LEVELS
        and isinstance(node.value, ast.Name)
        and node.value.id in LOGGERS
    )


def events(source: str) -> Iterator[ast.expr]:
    """What a module logs: the first argument of `log.info(…)`, of `partial(log.info, …)`, of `log.log(level, …)`, and
    of its own functions that take an `event` first."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    passing_on = {f.name for f in functions if f.args.args and ast.unparse(f.args.args[0]) == "event: str"}
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        if is_level(call.func):
            assert isinstance(call.func, ast.Attribute)
            yield call.args[call.func.attr == "log"]
        elif len(call.args) > 1 and is_level(call.args[0]):
            yield call.args[1]
        elif isinstance(call.func, ast.Name) and call.func.id in passing_on:
            yield call.args[0]


def texts(event: ast.expr) -> list[str]:
    """The event or, where a condition chooses, the events that an expression stands for."""
    if isinstance(event, ast.IfExp):
        return texts(event.body) + texts(event.orelse)
    if isinstance(event, ast.Name | ast.Attribute) or ast.unparse(event) == TEXT_OF_A_LIBRARY:
        return []
    return [event.value if isinstance(event, ast.Constant) else ast.unparse(event)]  # type: ignore[list-item]


def misnamed(source: str) -> list[str]:
    """The events of a module that have another form."""
    return [text for event in events(source) for text in texts(event) if not FORM.fullmatch(text)]


@pytest.mark.parametrize("room", ROOMS)
def test_every_log_event_is_nouns_in_snake_case(room: str) -> None:
    paths = sorted((ROOT / room).rglob("*.py"))
    wrong = {path.relative_to(ROOT).as_posix(): found for path in paths if (found := misnamed(path.read_text()))}

    assert wrong == {}, "write the event as `usage_unavailable` or `resumed_after_restart`"
    assert any(True for path in paths for _ in events(path.read_text()))


@pytest.mark.parametrize(
    "line",
    [
        'log.info("message sent", part=1)',
        'log.log(30, "message status")',
        'log.warning("ok" if fine else "Not ok")',
        'log.error(f"failed_{name}")',
        'report = partial(log.error, "provider paused")',
        'def report(event: str) -> None: ...\nreport("taken up")',
    ],
)
def test_another_form_is_found(line: str) -> None:
    assert len(misnamed(line)) == 1
