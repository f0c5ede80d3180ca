"""The papers about people's data: what they say follows the manifest, and a change of it shows which are outdated."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.manifest import load_valid
from reconciler.papers.paper import DRAFT, paper_text
from reconciler.papers.papers import FILES, papers_of
from reconciler.papers.subject import subject_of
from schemas.tariffs import Agency
from tests.forked import programs
from tests.sandbox_process import ROOT

FUNCTION = {
    "type": "function",
    "name": "crear_hora",
    "description": "Agenda una hora",
    "endpoint": {"url": "https://api.clinica.cl/horas"},
}
CLINIC: Mapping[str, Any] = {
    "id": "clinica",
    "name": "Clínica Sur",
    "number": "+15551234567",
    "assistant": {"model": "gpt-6-luna", "instructions": "Hola", "tools": [FUNCTION]},
    "data": {
        "sensitive": ["health"],
        "retention": {"messages": "180d", "media": "7d"},
        "consent": {"text": "¿Aceptas que un asistente lea lo que escribes?"},
        "recipients": {"api.clinica.cl": {"contract": "Anexo 4", "since": "2026-11-01"}},
    },
}


def papers(folder: Path, agency: Agency | None = None, **changed: Any) -> dict[str, str]:
    """File → Markdown, of one client."""
    clients = folder / "clients.d"
    clients.mkdir(exist_ok=True)
    (clients / "clinica.yaml").write_text(yaml.safe_dump({**CLINIC, **changed}, allow_unicode=True), encoding="utf-8")
    [manifest] = load_valid(clients).clients
    return {paper.file: paper_text(paper, "markdown") for paper in papers_of(subject_of(manifest, agency or Agency()))}


def test_each_paper_is_headed_as_a_draft_and_names_its_client(tmp_path: Path) -> None:
    found = papers(tmp_path)
    assert tuple(found) == FILES
    for text in found.values():
        assert text.splitlines()[0].endswith(": Clínica Sur")
        assert "BORRADOR para que lo revise un abogado" in text.splitlines()[2]


def test_the_assessment_is_only_there_for_sensitive_data_or_children(tmp_path: Path) -> None:
    assert "evaluacion-de-impacto" not in papers(tmp_path, data={})
    assert "evaluacion-de-impacto" in papers(tmp_path, data={**CLINIC["data"], "sensitive": [], "minors": True})


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("aviso", "Datos sensibles que nos cuentes: salud."),
        ("aviso", "- Agenda una hora."),
        ("aviso", "| Mensajes, respuestas, notas y memoria del asistente | Base de datos del servicio | 180 días |"),
        ("anexo-de-encargo", "- Datos sensibles: salud."),
        ("mapa-de-datos", "| Actuar en los sistemas del cliente | los datos que pide crear\\_hora | api.clinica.cl |"),
        ("subencargados", "| Anexo 4, desde el 2026-11-01 |"),
        (
            "subencargados",
            "Falta anotar la autorización para: OpenAI, Twilio, Meta, Servidor de la agencia, Canal de avisos",
        ),
        ("plazos", "| Audios, fotos y documentos que envían | Twilio, única copia | 7 días |"),
        ("evaluacion-de-impacto", "se pide antes de que un modelo lea nada: «¿Aceptas que un asistente lea lo que"),
        ("vulneraciones", "incident report --since AAAA-MM-DD --client clinica"),
        ("vulneraciones", "Este asistente trata salud: informa también a las personas"),
    ],
)
def test_what_a_manifest_declares_stands_in_the_paper(tmp_path: Path, file: str, says: str) -> None:
    assert says in papers(tmp_path)[file]


def test_what_is_not_declared_is_said_to_be_missing(tmp_path: Path) -> None:
    found = papers(tmp_path, data={"minors": True, "retention": {"messages": "180d", "media": "7d"}})
    assert "Consentimiento: NO está declarado" in found["evaluacion-de-impacto"]
    assert "| falta |" in found["subencargados"]
    assert "\\[nombre de la agencia\\]" in found["anexo-de-encargo"]


def test_the_agency_is_that_of_the_tariffs(tmp_path: Path) -> None:
    assert "Encargado: HorizonAI," in papers(tmp_path, Agency(name="HorizonAI"))["anexo-de-encargo"]


def test_no_name_of_a_manifest_is_markup(tmp_path: Path) -> None:
    text = papers(tmp_path, name="A|B <b>*c*</b> [d](e)")["anexo-de-encargo"]
    assert "A\\|B \\<b\\>\\*c\\*\\</b\\> \\[d\\](e)" in text


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = programs().run("reconciler.cli", ["privacy", *arguments], folder, {"PATH": "", "PYTHONPATH": str(ROOT)})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped manifests, with their papers."""
    shutil.copytree(ROOT / "clients.d", tmp_path / "clients.d")
    return tmp_path


def test_the_papers_of_the_example_clients_are_up_to_date(folder: Path) -> None:
    code, _, said = run(folder, "--check")
    assert (code, said) == (0, "Papers of 3 clients: up to date.\n")


def test_papers_are_written_once_and_again_without_a_change(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("privacy/*")}
    for client in ("la-cocina", "cliente-a", "cliente-b"):
        assert run(folder, client)[:2] == (0, "")
    assert {path: path.read_bytes() for path in folder.rglob("privacy/*")} == before


def test_a_change_of_the_manifest_makes_named_papers_stale_until_they_are_written_again(folder: Path) -> None:
    manifest = folder / "clients.d" / "cliente-a.yaml"
    manifest.write_text(f"{manifest.read_text()}data: {{retention: {{messages: 180d}}}}\n")
    code, _, said = run(folder, "--check")
    assert code == 1
    assert "Outdated: clients.d/cliente-a/privacy/aviso.md, " in said
    assert "subencargados.md" not in said
    assert "cliente-b" not in said
    code, written, _ = run(folder, "cliente-a")
    assert (code, "clients.d/cliente-a/privacy/plazos.md\n" in written) == (0, True)
    assert run(folder, "--check")[0] == 0


def test_a_paper_that_is_not_needed_any_more_is_stale_and_goes(folder: Path) -> None:
    left = folder / "clients.d" / "cliente-a" / "privacy" / "evaluacion-de-impacto.md"
    left.write_text("x")
    assert "evaluacion-de-impacto.md" in run(folder, "--check")[2]
    assert run(folder, "cliente-a")[0] == 0
    assert not left.exists()


def test_as_html_each_paper_is_a_page_that_loads_nothing(folder: Path) -> None:
    assert run(folder, "la-cocina", "--format", "html")[0] == 0
    page = (folder / "clients.d" / "la-cocina" / "privacy" / "aviso.html").read_text()
    assert DRAFT in page
    assert "<script" not in page
    assert run(folder, "la-cocina", "--format", "html", "--check")[0] == 0


def test_papers_are_not_taken_for_manifests(folder: Path) -> None:
    assert run(folder, "la-cocina", "--format", "html")[0] == 0
    done = programs().run("reconciler.cli", ["validate"], folder, {"PATH": "", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0
    assert "3 clients, 0 errors, 3 warnings" in done.stdout + done.stderr


def test_a_client_without_papers_is_left_alone_unless_it_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "clients.d" / "cliente-a")
    assert run(folder, "--check")[2] == "Papers of 2 clients: up to date.\n"
    assert run(folder, "cliente-a", "--check")[0] == 1
    assert 'Did you mean "cliente-a"?' in run(folder, "cliente-aa")[2]
