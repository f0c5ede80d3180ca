"""What is tried is what answers: one implementation of turns, engines, memory and splitting, in chat, tests and the
service."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.forked import ROOT
from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime
from tests.trying.cases import RESERVE, asked, tried

PHONE = "+56912345678"
OF_THE_RUNTIME = {"runtime.turns", "runtime.engines", "runtime.memory", "runtime.delivery.splitting", "runtime.errors"}
"""What the folder `trying` may take from the runtime, besides its store."""


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_trying_calls_no_model_but_through_the_runtime_s_client() -> None:
    """The SDK is for documents; an answer comes from `ResponsesApi`."""
    with_sdk = [path.name for path in _modules("reconciler/trying") if "import openai" in path.read_text("utf-8")]
    assert with_sdk == ["documents.py"]
    assert not any("aiohttp.ClientSession" in path.read_text("utf-8") for path in _modules("reconciler/trying"))


def test_trying_takes_turns_engines_and_memory_from_the_runtime_and_nothing_else() -> None:
    taken = {
        module
        for path in _modules("reconciler/trying")
        for module in _imported(path)
        if module.startswith("runtime.") and not module.startswith("runtime.store")
    }
    assert {
        module for module in taken if not any(f"{module}.".startswith(f"{one}.") for one in OF_THE_RUNTIME)
    } == set()


def test_a_trial_runs_the_turns_of_the_service() -> None:
    """Composed of the same class; no module defines another one that answers a turn."""
    text = (ROOT / "runtime" / "turns" / "trial.py").read_text("utf-8")
    assert "return Turns(" in text
    assert [
        path.relative_to(ROOT).as_posix()
        for folder in ("runtime/turns", "runtime/engines", "reconciler/trying")
        for path in _modules(folder)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "_attempted"
    ] == ["runtime/turns/turn.py"]


@pytest.mark.parametrize("command", ["validate", "status", "reconcile"])
def test_no_other_command_imports_what_answers(command: str) -> None:
    asked = (
        f"import sys, reconciler.commands.{command}; print([m for m in sys.modules if m.startswith('runtime.turns')])"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_case_is_answered_as_the_service_answers(agency: Agency, runtime_factory: Callable[..., Runtime]) -> None:
    """The same words, from a request of the same size: instructions, tools, note, and what was said."""
    runtime = runtime_factory(API_TOKEN=API_TOKEN)
    agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
    agency.declare(
        "uno",
        assistant={"tools": [RESERVE]},
        context={"now": False, "name": False, "phone": "masked"},
        replies={"disclosure": "Soy un asistente.", "buttons": True},
        handoff={"notify": ["turno@example.cl"]},
        tests={"saluda": asked("Hola, ¿hay mesa?", person={"phone": PHONE})},
    )
    agency.apply()
    [case] = tried(agency, "--record")["cases"]
    of_the_trial = _read(agency)
    answered = agency.sandbox.inbound(agency.number("uno"), "Hola, ¿hay mesa?", PHONE)["answers"]
    assert [case["runs"][0]["exchanges"][0]["answer"]] == [one["body"] for one in answered]
    assert _read(agency) == 2 * of_the_trial > 0


def _read(agency: Agency) -> int:
    """How many tokens the model has read, whether they came from its cache or not."""
    kinds = ("model_input", "model_cached", "model_cache_write")
    return sum(entry["quantity"] for entry in agency.sandbox.prices() if entry["kind"] in kinds)
