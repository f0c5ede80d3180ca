"""The same cases with two versions of an assistant: which got better and which worse, in Markdown and as a page."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.reconciler.agency import Agency
from tests.trying.cases import asked, left_at_openai, tried

GOLDEN = Path(__file__).with_name("golden")
CASES = {
    "se-presenta": asked("Hola", {"contains": "Eres el asistente"}),
    "es-breve": asked("¿A qué hora abren?", {"max_chars": 70}),
    "saluda": asked("Buenas tardes", {"contains": "buenas"}),
}


def _git(agency: Agency, *arguments: str) -> None:
    identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.cl", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=agency.folder, check=True, capture_output=True)


@pytest.fixture
def edited(agency: Agency) -> Agency:
    """A client whose prompt was edited since its last commit, which has recordings."""
    agency.document("carta.md", "Empanadas a 3500 pesos.")
    tools = {"tools": [{"type": "file_search", "files": ["carta.md"]}]}
    long = "Eres el asistente del restaurante La Cocina de la abuela."
    agency.declare("la-cocina", assistant={"instructions": long, **tools}, tests=CASES)
    tried(agency, "--record")
    _git(agency, "init", "--quiet", "--initial-branch", "main")
    _git(agency, "add", "clients.d")
    _git(agency, "commit", "--quiet", "--message", "Antes")
    agency.document("carta.md", "Empanadas a 3900 pesos.")
    agency.declare("la-cocina", assistant={"instructions": "Eres breve.", **tools}, tests=CASES)
    return agency


def _shown(text: str) -> str:
    return re.sub(r"\d+(\\?\.)\d s", r"0\g<1>0 s", text)


def test_a_comparison_with_a_commit_shows_what_got_better_and_what_worse(edited: Agency) -> None:
    calls = len(edited.sandbox.calls("openai", path="/v1/responses"))
    result = edited.reconcile("compare", "la-cocina", "--against", "main")
    assert result.code == 2
    golden = GOLDEN / "comparison.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(_shown(result.out), encoding="utf-8")
    assert _shown(result.out) == golden.read_text(encoding="utf-8")
    # What the commit has recorded is not asked again; the other version was, and its documents are not left.
    assert len(edited.sandbox.calls("openai", path="/v1/responses")) == calls + 3
    assert left_at_openai(edited) == ([], [])


def test_a_comparison_is_a_page_too(edited: Agency) -> None:
    out = edited.folder / "comparison.html"
    assert (
        edited.reconcile("compare", "la-cocina", "--against", "HEAD", "--format", "html", "--out", str(out)).code == 2
    )
    page = out.read_text(encoding="utf-8")
    assert '<h2>se-presenta <span class="chip error">worse</span></h2>' in page
    assert '<h2>es-breve <span class="chip create">better</span></h2>' in page


def test_a_comparison_of_models_asks_both_and_records_nothing(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    result = agency.reconcile("compare", "uno", "--model", "gpt-4o-mini")
    assert (result.code, result.out.splitlines()[0]) == (
        0,
        "### uno: gpt\\-6\\-luna and gpt\\-4o\\-mini\\. 1 same answer",
    )
    assert {entry["model"] for entry in agency.sandbox.prices()} == {"gpt-6-luna", "gpt-4o-mini"}
    assert not (agency.folder / "clients.d" / "uno").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "no-such-branch"), "git has no no-such-branch here"),
        ((), "Give either --against REF or --model MODEL"),
        (("--model", "gpt-6-sol", "--case", "salud"), 'No case "salud". Did you mean "saluda"?'),
    ],
    ids=["a ref that git does not have", "neither", "a case that is misspelt"],
)
def test_what_cannot_be_compared_is_said(agency: Agency, arguments: tuple[str, ...], said: str) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    _git(agency, "init", "--quiet")
    result = agency.reconcile("compare", "uno", *arguments)
    assert result.code == 1
    assert said in result.err
