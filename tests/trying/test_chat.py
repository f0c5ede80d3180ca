"""A chat on a terminal and in a pipe: answered by the runtime's code, saved as a case, without a trace at OpenAI."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from tests.forked import ROOT
from tests.manifest.fleet_files import reconcile
from tests.pseudo_terminal import Terminal
from tests.reconciler.agency import Agency
from tests.trying.cases import RESERVE, left_at_openai, states, tried

CARTA = "Las empanadas de pino cuestan 3500 pesos."


def chat(agency: Agency, lines: str, *arguments: str) -> tuple[str, str]:
    """What stands on stdout and stderr after these lines."""
    settings = {name: value for name, value in agency.environment.items() if name != "PATH"}
    done = reconcile(agency.folder, "chat", "uno", *arguments, stdin=lines, PYTHONPATH=str(ROOT), **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_a_chat_remembers_calls_functions_as_the_person_says_and_becomes_a_case(agency: Agency) -> None:
    agency.declare("uno", assistant={"tools": [RESERVE]})
    lines = 'Hola\nllama a crear_reserva {"personas": 4}\n{"numero": 17}\n/save reserva\n'
    out, err = chat(agency, lines)
    assert 'resultado: {"numero": 17}' in out
    assert "turn 2" in out
    assert 'crear_reserva {"personas": 4} -> {"numero": 17}' in err
    assert "reserva: {file: uno/tests/reserva.yaml}" in err
    agency.declare("uno", assistant={"tools": [RESERVE]}, tests={"reserva": {"file": "uno/tests/reserva.yaml"}})
    assert states(tried(agency, "--record")) == {"reserva": "green"}
    case = yaml.safe_load((agency.folder / "clients.d" / "uno" / "tests" / "reserva.yaml").read_text(encoding="utf-8"))
    assert case["functions"] == [{"name": "crear_reserva", "arguments": {"personas": 4}, "answer": {"numero": 17}}]
    assert case["conversation"][1]["expect"]["calls"] == {"crear_reserva": {"personas": 4}}


def test_a_chat_searches_documents_takes_files_and_leaves_nothing(agency: Agency, tmp_path: Path) -> None:
    agency.document("carta.md", CARTA)
    agency.declare("uno", assistant={"tools": [{"type": "file_search", "files": ["carta.md"]}]})
    note = tmp_path / "pedido.txt"
    note.write_text("Dos empanadas, por favor.", encoding="utf-8")
    out, _ = chat(agency, f"¿Cuánto cuestan las empanadas de pino?\n/file {note}\n/file no.txt\n/reset\nHola\n")
    assert CARTA in out
    assert out.rstrip().endswith("turn 1")
    assert left_at_openai(agency) == ([], [])


def test_an_edit_takes_effect_with_the_next_message_once_it_is_right(agency: Agency) -> None:
    agency.declare("uno", assistant={"instructions": "Eres Ana."})
    manifest = agency.path("uno").read_text(encoding="utf-8")
    settings = {**agency.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"}
    with Terminal([sys.executable, "-m", "reconciler.cli", "chat", "uno"], agency.folder, settings) as terminal:
        terminal.type("Hola\n")
        assert terminal.wait_for("[uno] Eres Ana."), terminal.shown
        agency.path("uno").write_text(f"{manifest}unknown: 1\n", encoding="utf-8")
        terminal.type("Hola\n")
        assert terminal.wait_for("The manifest is wrong now"), terminal.shown
        agency.path("uno").write_text(manifest.replace("Ana", "Eva"), encoding="utf-8")
        terminal.type("Hola\n")
        assert terminal.wait_for("[uno] Eres Eva."), terminal.shown
        terminal.type("\x04")
        assert terminal.finish() == 0


def test_a_key_and_a_server_that_are_wrong_are_named_with_what_to_do(agency: Agency) -> None:
    agency.document("carta.md", CARTA)
    agency.declare("uno", assistant={"tools": [{"type": "file_search", "files": ["carta.md"]}]})
    key = agency.environment["OPENAI_API_KEY"]

    agency.environment["OPENAI_API_KEY"] = "sk-otra"
    assert "Set OPENAI_API_KEY to a key that is valid for this project." in chat(agency, "Hola\n")[1]

    agency.environment |= {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    assert "Check OPENAI_BASE_URL and the provider's status, then run again." in chat(agency, "Hola\n")[1]


def test_what_cannot_be_removed_at_the_end_is_told_and_removed_by_the_next_run(agency: Agency) -> None:
    agency.document("carta.md", CARTA)
    agency.declare("uno", assistant={"tools": [{"type": "file_search", "files": ["carta.md"]}]})
    agency.sandbox.faults({"kind": "status", "status": 403, "provider": "openai", "method": "DELETE", "path": "/v1/*"})

    out, err = chat(agency, "¿Cuánto cuestan las empanadas de pino?\n")

    assert CARTA in out
    assert "warning: what was made at OpenAI to be tried is still there" in err
    assert "it expires within a day, and the next run removes it" in err
