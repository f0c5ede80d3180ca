"""Files that look like manifests, values that YAML cuts, blanks, and what an API takes no more of."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from reconciler.manifest import ManifestErrors, load
from reconciler.manifest.texts import hash_document, opened_document

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


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_path_with_its_accents_in_another_form_is_the_same(
    folder: Path, on_disk: Literal["NFC", "NFD"], written: Literal["NFC", "NFD"]
) -> None:
    below = folder / unicodedata.normalize(on_disk, "ñandú")
    below.mkdir()
    for name in ("menú.md", "menú.yaml.txt"):
        (below / unicodedata.normalize(on_disk, name)).write_text("Menú", encoding="utf-8")
    files = unicodedata.normalize(written, "[ñandú/menú.md, ñandú/menú.yaml.txt]")
    tool = f"instructions: Hola, tools: [{{type: file_search, files: {files}}}]"
    (folder / "x.yaml").write_text(CLIENT.replace("instructions: Hola", tool), encoding="utf-8")
    fleet = load(folder)
    [manifest] = fleet.clients
    assert [document.path for document in manifest.knowledge] == ["ñandú/menú.md", "ñandú/menú.yaml.txt"]
    assert fleet.warnings == ()


def test_two_files_whose_names_differ_in_the_form_of_accents_only_are_refused(folder: Path) -> None:
    names = [unicodedata.normalize(form, "menú.md") for form in ("NFC", "NFD")]
    for name in names:
        (folder / name).write_text(name, encoding="utf-8")
    tool = f"instructions: Hola, tools: [{{type: file_search, files: [{', '.join(names)}]}}]"
    (folder / "x.yaml").write_text(CLIENT.replace("instructions: Hola", tool), encoding="utf-8")
    [error] = errors(folder)
    assert error.endswith("two files have this name, with its accents in different forms. Rename one of them.")


@pytest.mark.parametrize(
    ("name", "one", "other", "is_same"),
    [
        ("menu.md", b"uno\r\ndos\r\n", b"uno\ndos\n", True),
        ("menu.txt", b"x" * ((1 << 20) - 1) + b"\r\ny", b"x" * ((1 << 20) - 1) + b"\ny", True),
        ("menu.txt", b"uno\rdos\r", b"uno\ndos\n", False),
        ("menu.pdf", b"uno\r\n", b"uno\n", False),
        ("menu.txt", "a\r\n".encode("utf-16"), "a\n".encode("utf-16"), False),
    ],
    ids=["text", "between two pieces", "another line end", "no text", "UTF-16"],
)
def test_line_ends_of_a_text_are_no_difference(
    folder: Path, name: str, one: bytes, other: bytes, is_same: bool
) -> None:
    found = []
    for content in (one, other):
        (folder / name).write_bytes(content)
        document = hash_document(folder, name)
        found.append((document.size, document.sha256))
        with opened_document(folder, name) as file:
            uploaded = file.read()
        assert (len(uploaded), hashlib.sha256(uploaded).hexdigest()) == found[-1]
    assert (found[0] == found[1]) is is_same
