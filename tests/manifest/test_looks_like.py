"""Files that look like manifests, values that YAML cuts, blanks, and what an API takes no more of."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from reconciler.manifest import ManifestErrors, load

CLIENT = """\
id: x
name: X
number: "+56998765000"
assistant: {model: gpt-6-luna, instructions: Hola}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one client."""
    path = tmp_path / "clients.d"
    path.mkdir()
    (path / "x.yaml").write_text(CLIENT, encoding="utf-8")
    return path


def errors(folder: Path) -> list[str]:
    """The problems of a folder that cannot be loaded, without its path."""
    with pytest.raises(ManifestErrors) as raised:
        load(folder)
    return [str(problem).removeprefix(folder.as_posix() + "/") for problem in raised.value.problems]


@pytest.mark.parametrize("name", ["norte/y.yaml", "y.yaml.txt", "y.yaml.bak", "y.yml.", "y.yalm", "norte/y.yaml.txt"])
def test_a_file_that_looks_like_a_manifest_and_is_not_read_is_warned_of(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(CLIENT, encoding="utf-8")
    [warning] = load(folder).warnings
    assert str(warning).startswith(f"{folder}/{name}: warning: it looks like a manifest, and is not read. ")


@pytest.mark.parametrize("name", ["x.yaml~", "#x.yaml#", ".x.yaml.swp", "notas.md", "norte/.y.yaml"])
def test_what_editors_leave_is_not_warned_of(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(CLIENT, encoding="utf-8")
    assert load(folder).warnings == ()


def test_a_file_that_a_manifest_names_is_not_warned_of(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "prompt.yaml").write_text("Hola", encoding="utf-8")
    text = CLIENT.replace("instructions: Hola", "instructions: {file: ./x/prompt.yaml}")
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    assert load(folder).warnings == ()


def test_a_folder_with_nothing_but_lookalikes_names_them(folder: Path) -> None:
    (folder / "x.yaml").rename(folder / "x.yaml.txt")
    said = "\n".join(errors(folder))
    assert "no manifest in the folder" in said
    assert "x.yaml.txt: warning: it looks like a manifest, and is not read" in said


def test_a_value_that_a_sign_cuts_is_warned_of_at_the_sign(folder: Path) -> None:
    text = CLIENT + "metadata:\n  calle: Av. Italia #1234\n  nota: uno # un comentario\n  otra: 'dos #3'\n#todo: nada\n"
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    [warning] = load(folder).warnings
    assert (warning.line, warning.column) == (6, 21)
    assert "the value ends here, since YAML takes #1234 for a comment" in warning.message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: X", 'name: "  "', "x.yaml:2:7: name: blank. Write the client's name."),
        ("Hola", '"  "', "x.yaml:4:46: assistant.instructions: blank. Write the prompt."),
        (
            "gpt-6-luna",
            '" gpt-6-luna "',
            'x.yaml:4:20: assistant.model: blanks around "gpt-6-luna". Write the model without them.',
        ),
        (
            "instructions: Hola",
            "engine: assistants, instructions: " + "a" * 256_001,
            "x.yaml:4:66: assistant.instructions: 256,001 characters; the Assistants API takes 256,000. Shorten the "
            "prompt, or use engine: responses.",
        ),
        (
            "instructions: Hola",
            "instructions: Hola, engine: agents, tools: [{type: web_search}, {type: web_search}]",
            "x.yaml:4:103: assistant.tools[1]: a second web_search; an agent has one. Remove it.",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_place(folder: Path, old: str, new: str, said: str) -> None:
    (folder / "x.yaml").write_text(CLIENT.replace(old, new), encoding="utf-8")
    assert errors(folder) == [said]


def test_a_link_that_leads_nowhere_is_refused_by_its_name(folder: Path) -> None:
    (folder / "bucle.yaml").symlink_to("bucle.yaml")
    (folder / "colgado.yaml").symlink_to("nada.yaml")
    assert errors(folder) == [
        f"{name}.yaml: a link that leads to no file. Remove it, or put the manifest itself into the folder."
        for name in ("bucle", "colgado")
    ]


def test_two_spellings_of_a_documents_path_are_one(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "menu.md").write_text("Menú", encoding="utf-8")
    tool = "instructions: Hola, tools: [{type: file_search, files: [./x/menu.md]}]"
    (folder / "x.yaml").write_text(CLIENT.replace("instructions: Hola", tool), encoding="utf-8")
    [manifest] = load(folder).clients
    assert [document.path for document in manifest.knowledge] == ["x/menu.md"]


def test_a_file_name_with_its_accents_in_another_form_is_the_same(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / unicodedata.normalize("NFD", "menú.md")).write_text("Menú", encoding="utf-8")
    tool = "instructions: Hola, tools: [{type: file_search, files: [x/menú.md]}]"
    (folder / "x.yaml").write_text(CLIENT.replace("instructions: Hola", tool), encoding="utf-8")
    [manifest] = load(folder).clients
    assert [document.path for document in manifest.knowledge] == ["x/menú.md"]
