"""What a folder of manifests becomes when nothing is wrong with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reconciler.kinds.bot.desired import values as bot_values
from reconciler.manifest import Manifest, ManifestErrors, load
from reconciler.manifest.texts import FileProblem, hash_document
from schemas import FunctionTool, WebSearchTool
from tests.manifest.fleet_files import Files, manifest, with_tools, write_files
from tests.tables.in_memory import SETTINGS


def only(root: Path, text: str | bytes, more: Files | None = None) -> Manifest:
    """The one client of a folder with one manifest."""
    (loaded,) = load(write_files(root, {"uno.yaml": text, **(more or {})})).clients
    return loaded


def test_smallest_manifest(tmp_path: Path) -> None:
    loaded = only(tmp_path, manifest())
    assert (loaded.path, loaded.client.id, loaded.client.state) == ("clients.d/uno.yaml", "uno", "active")
    assert loaded.instructions == "Responde en español."


def test_path_is_the_same_wherever_the_folder_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    absolute = load(folder).clients[0].path
    monkeypatch.chdir(folder)
    assert load(Path()).clients[0].path == absolute == "clients.d/uno.yaml"


def test_clients_are_sorted_by_id_not_by_file(tmp_path: Path) -> None:
    files = {"a.yaml": manifest("zorro"), "z.yml": manifest("abeja", "+56961234502")}
    assert [loaded.client.id for loaded in load(write_files(tmp_path, files)).clients] == ["abeja", "zorro"]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    text = "\ufeff" + manifest(more="metadata:\n  nota: |\n    uno\n    dos\n").replace("\n", "\r\n")
    assert only(tmp_path, text).client.metadata == {"nota": "uno\ndos\n"}


def test_column_is_right_behind_a_byte_order_mark(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": "\ufeffid: 5\n"})
    with pytest.raises(ManifestErrors, match=r"uno\.yaml:1:5: id: an unquoted number"):
        load(folder)


def test_prompt_file_with_windows_line_ends(tmp_path: Path) -> None:
    text = manifest().replace("Responde en español.", "{file: uno/prompt.md}")
    loaded = only(tmp_path, text, {"uno/prompt.md": "\ufeffHola\r\n\r\nAdiós\r\n"})
    assert loaded.instructions == "Hola\n\nAdiós\n"


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    tools = (
        "- &reserva\n  type: function\n  name: crear_reserva\n  description: Crea una reserva\n"
        "  endpoint: {url: https://api.example.cl/x}\n- <<: *reserva\n  name: anular_reserva\n"
    )
    first, second = only(tmp_path, with_tools(tools)).client.assistant.tools
    assert isinstance(first, FunctionTool)
    assert isinstance(second, FunctionTool)
    assert (first.name, second.name, second.endpoint) == ("crear_reserva", "anular_reserva", first.endpoint)


def test_error_in_a_merged_mapping_is_told_where_it_is_written(tmp_path: Path) -> None:
    text = manifest(more="metadata: &notas {mesas: 12}\nsender:\n  profile: {<<: *notas}\n")
    with pytest.raises(ManifestErrors) as found:
        load(write_files(tmp_path, {"uno.yaml": text}))
    assert [(problem.line, problem.column) for problem in found.value.problems] == [(7, 19), (7, 26)]


def test_hidden_files_and_other_files_are_no_manifests(tmp_path: Path) -> None:
    more: Files = {".uno.yaml.swp": b"\0", ".#uno.yaml": "x", "README.md": "Hola", "uno/otro.yaml": "documento: 1"}
    assert only(tmp_path, manifest(), more).client.id == "uno"


def test_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"..data/uno": manifest()})
    (folder / "uno.yaml").symlink_to("..data/uno")
    assert load(folder).clients[0].client.id == "uno"


def test_unassigned_number_is_a_warning(tmp_path: Path) -> None:
    (warning,) = load(write_files(tmp_path, {"uno.yaml": manifest(number="+15551234567")})).warnings
    assert (warning.severity, warning.line, warning.column) == ("warning", 3, 9)
    assert "number: +15551234567 is not in any assigned range" in str(warning)


@pytest.mark.parametrize("state", ["active", "paused"])
def test_absent_client_passes_its_number_to_one_client_only(tmp_path: Path, state: str) -> None:
    files = {"uno.yaml": manifest(more="state: absent\n"), "dos.yaml": manifest("dos", more=f"state: {state}\n")}
    assert len(load(write_files(tmp_path, files)).clients) == 2
    with pytest.raises(ManifestErrors, match="is taken by"):
        load(write_files(tmp_path, files | {"tres.yaml": manifest("tres")}))


def test_number_like_texts_stay_texts(tmp_path: Path) -> None:
    notes = 'metadata: {a: "0123", b: "1_000", c: "2025-10-22", d: "no", e: "12:30", f: "1e3", g: "~"}\n'
    expected = {"a": "0123", "b": "1_000", "c": "2025-10-22", "d": "no", "e": "12:30", "f": "1e3", "g": "~"}
    assert only(tmp_path, manifest(more=notes)).client.metadata == expected


def test_any_schema_of_a_function_is_kept_as_written(tmp_path: Path) -> None:
    parameters = (
        "{type: object, properties: {dia: {enum: [lunes, martes]}, n: {type: [integer, 'null'], minimum: 0.5}}}"
    )
    tools = (
        "- type: function\n  name: x\n  endpoint: {url: https://api.example.cl/x}\n"
        f"  parameters: {parameters}\n- type: web_search\n"
    )
    function, search = only(tmp_path, with_tools(tools)).client.assistant.tools
    assert isinstance(function, FunctionTool)
    assert isinstance(search, WebSearchTool)
    assert function.parameters["properties"] == {
        "dia": {"enum": ["lunes", "martes"]},
        "n": {"type": ["integer", "null"], "minimum": 0.5},
    }


def test_document_is_identified_by_its_content(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno/menu.pdf": b"%PDF-1.7 menu"})
    document = hash_document(folder, "uno/menu.pdf")
    assert (document.path, document.resolved) == ("uno/menu.pdf", (folder / "uno/menu.pdf").resolve())
    assert document.sha256 == hashlib.sha256(b"%PDF-1.7 menu").hexdigest()


def test_document_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "menu.pdf").write_bytes(b"%PDF")
    with pytest.raises(FileProblem, match="outside the folder of manifests"):
        hash_document(write_files(tmp_path, {"uno.yaml": manifest()}), "../menu.pdf")


def test_a_file_to_send_is_hashed_as_it_is_and_searched_in_where_documents_are(tmp_path: Path) -> None:
    menu, photo = b"%PDF-1.7\r\n", b"\xff\xd8\xff\xe0"
    search = "  tools:\n    - {type: file_search, files: [carta.md]}\n"
    media = "media:\n  files: {menu: uno/menu.pdf, plato: uno/plato.jpg}\n"
    files = {"carta.md": "Cazuela", "uno/menu.pdf": menu, "uno/plato.jpg": photo}
    client = only(tmp_path, manifest(more=search + media), files)
    assert [(file.name, file.path, file.size, file.sha256, file.type) for file in client.media] == [
        ("menu", "uno/menu.pdf", len(menu), hashlib.sha256(menu).hexdigest(), "application/pdf"),
        ("plato", "uno/plato.jpg", len(photo), hashlib.sha256(photo).hexdigest(), "image/jpeg"),
    ]
    assert [file.path for file in client.knowledge] == ["carta.md", "uno/menu.pdf"]
    policy = bot_values(client, SETTINGS)["policy"]
    assert policy == {
        "files": {
            file.name: {"path": file.path, "sha256": file.sha256, "size": file.size, "type": file.type}
            for file in client.media
        }
    }


def test_a_document_that_is_searched_in_and_sent_is_uploaded_once(tmp_path: Path) -> None:
    text = manifest(more="  tools:\n    - {type: file_search, files: [menu.pdf]}\nmedia: {files: {menu: ./menu.pdf}}\n")
    client = only(tmp_path, text, {"menu.pdf": b"%PDF-1.7"})
    assert [file.path for file in client.knowledge] == ["menu.pdf"]
    assert [file.path for file in client.media] == ["menu.pdf"]


def test_a_store_that_is_maintained_by_hand_gets_no_file_to_send(tmp_path: Path) -> None:
    text = manifest(more="  tools:\n    - {type: file_search, vector_store: vs_1}\nmedia: {files: {menu: menu.pdf}}\n")
    client = only(tmp_path, text, {"menu.pdf": b"%PDF-1.7"})
    assert (client.knowledge, len(client.media)) == ((), 1)
