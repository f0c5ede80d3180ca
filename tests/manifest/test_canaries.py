"""A canary in a manifest: warned of once it is over, ended by a command that changes nothing else of the file."""

from __future__ import annotations

from pathlib import Path

from tests.manifest.fleet_files import manifest, reconcile, write_files

CANARY = """\
  # La prueba de diciembre.
  canary:
    percent: 10 # pocos
    until: "{until}"
    instructions: {{file: uno/nuevo.md}}
"""
NEW = {"uno/nuevo.md": "Sé breve.\n"}


def declared(until: str = "2099-12-15") -> dict[str, str]:
    return {"uno.yaml": manifest(more=CANARY.format(until=until) + "metadata: {rubro: café}\n"), **NEW}


def test_one_whose_day_has_passed_is_a_warning_with_both_ways_out(tmp_path: Path) -> None:
    write_files(tmp_path, declared(until="2026-01-31"))
    done = reconcile(tmp_path, "validate")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == (
        "clients.d/uno.yaml:10:12: warning: assistant.canary.until: 2026-01-31 has passed, so the assistant answers "
        "everybody. `reconcile canary promote uno` makes it the assistant, `reconcile canary drop uno` removes it; "
        "with a later day it continues."
    )


def test_render_shows_its_prompt(tmp_path: Path) -> None:
    write_files(tmp_path, declared())
    assert "    instructions: |\n      Sé breve.\n" in reconcile(tmp_path, "render", "uno").stdout


def test_promoting_it_makes_its_prompt_the_assistants(tmp_path: Path) -> None:
    folder = write_files(tmp_path, declared())
    done = reconcile(tmp_path, "canary", "promote", "uno")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "clients.d/uno.yaml: the assistant has the canary's instructions now."
    said = manifest().replace("Responde en español.", "{file: uno/nuevo.md}")
    expected = f"{said}  # La prueba de diciembre.\nmetadata: {{rubro: café}}\n"
    assert (folder / "uno.yaml").read_text() == expected


def test_dropping_it_leaves_the_rest_and_names_the_file_that_nothing_uses(tmp_path: Path) -> None:
    folder = write_files(tmp_path, declared())
    done = reconcile(tmp_path, "canary", "drop", "uno")
    assert (done.returncode, done.stderr) == (0, "")
    assert "uno/nuevo.md is not used by it any more." in done.stdout
    expected = manifest(more="  # La prueba de diciembre.\nmetadata: {rubro: café}\n")
    assert (folder / "uno.yaml").read_text() == expected


def test_one_of_the_defaults_or_none_at_all_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    assert reconcile(tmp_path, "canary", "drop", "uno").stderr == (
        "error: clients.d/uno.yaml has no assistant.canary.\n"
    )
    write_files(
        tmp_path, {"_defaults.yaml": 'assistant: {canary: {percent: 1, until: "2099-01-01", model: gpt-5.5}}\n'}
    )
    done = reconcile(tmp_path, "canary", "promote", "uno")
    assert done.returncode == 1
    assert "is declared in _defaults.yaml, for every client." in done.stderr
