"""`_defaults.yaml` under every manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest import Manifest, ManifestErrors, load
from schemas.policy import keys_of
from tests.manifest.fleet_files import manifest, write_files


def merged(root: Path, defaults: str, text: str) -> Manifest:
    """The one client of a folder with defaults."""
    (loaded,) = load(write_files(root, {"_defaults.yaml": defaults, "uno.yaml": text})).clients
    return loaded


def profile(root: Path, defaults: str, own: str) -> dict[str, Any]:
    """What a client's profile becomes over a default one."""
    text = manifest(more=f"sender: {{profile: {own}}}\n")
    loaded = merged(root, f"sender: {{profile: {defaults}}}\n", text)
    return loaded.client.sender.profile.model_dump(exclude_none=True)


def test_mappings_are_merged_key_by_key(tmp_path: Path) -> None:
    assert profile(tmp_path, "{about: Hola, vertical: Other}", "{vertical: Restaurant}") == {
        "about": "Hola",
        "vertical": "Restaurant",
    }


def test_a_policy_is_merged_key_by_key(tmp_path: Path) -> None:
    loaded = merged(
        tmp_path, "memory: {items: 60, tokens: 8000}\n", manifest(more="memory: {items: 20, tokens: null}\n")
    )
    assert keys_of(loaded.client) == {"memory": {"items": 20}}


def test_lists_are_replaced(tmp_path: Path) -> None:
    defaults, own = '{websites: ["https://a.cl", "https://b.cl"]}', '{websites: ["https://c.cl"]}'
    assert profile(tmp_path, defaults, own) == {"websites": ["https://c.cl"]}


def test_null_removes_a_default(tmp_path: Path) -> None:
    assert profile(tmp_path, "{about: Hola, address: Calle 1}", "{about: null}") == {"address": "Calle 1"}


def test_null_removes_a_whole_mapping(tmp_path: Path) -> None:
    loaded = merged(tmp_path, "metadata: {a: b}\n", manifest(more="metadata: null\n"))
    assert loaded.client.metadata == {}


def test_what_a_client_leaves_out_comes_from_the_defaults(tmp_path: Path) -> None:
    text = manifest().replace("  model: gpt-6-luna\n", "")
    assert merged(tmp_path, "assistant: {model: gpt-6-sol}\n", text).client.assistant.model == "gpt-6-sol"


def test_prompt_of_a_client_replaces_the_default_file(tmp_path: Path) -> None:
    loaded = merged(tmp_path, "assistant: {instructions: {file: todos.md}}\n", manifest())
    assert loaded.instructions == "Responde en español."


def test_defaults_without_anything_in_them(tmp_path: Path) -> None:
    assert merged(tmp_path, "# nada todavía\n", manifest()).client.id == "uno"


def test_error_of_both_files_together_is_told_in_the_client(tmp_path: Path) -> None:
    notes = "".join(f"  {key}{n}: v\n" for key in "a" for n in range(9))
    defaults, text = f"metadata:\n{notes}", manifest(more="metadata:\n" + notes.replace("a", "b"))
    with pytest.raises(ManifestErrors, match=r"uno\.yaml:8:3: metadata: 18 entries, 16 at most"):
        merged(tmp_path, defaults, text)


def test_missing_default_prompt_is_told_once(tmp_path: Path) -> None:
    text = manifest().replace("  instructions: Responde en español.\n", "")
    files = {
        "_defaults.yaml": "assistant: {instructions: {file: todos.md}}\n",
        "uno.yaml": text,
        "dos.yaml": text.replace("uno", "dos").replace("+56961234501", "+56961234502"),
    }
    with pytest.raises(ManifestErrors) as found:
        load(write_files(tmp_path, files))
    (problem,) = found.value.problems
    assert problem.path.endswith("_defaults.yaml")
    assert problem.column == 34
