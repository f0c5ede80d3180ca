"""What a user reads: the exact text for each situation, kept in golden/<situation>.txt.

UPDATE_GOLDEN=1 writes the files again; the difference is then reviewed like any other change.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.manifest import ManifestErrors, load
from tests.manifest.fleet_files import manifest, write_files
from tests.manifest.situations import HEX_TOKEN, KEY, SITUATIONS, TWILIO_KEY

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_words(situation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, SITUATIONS[situation])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestErrors) as found:
        load(Path("clients.d"))
    text = f"{found.value}\n"
    golden = GOLDEN / f"{situation}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert not any(secret in text for secret in (KEY, TWILIO_KEY, HEX_TOKEN))


def test_every_golden_file_has_a_situation() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SITUATIONS)


def test_problems_are_sorted_by_file_line_and_column(tmp_path: Path) -> None:
    folder = write_files(tmp_path, SITUATIONS["errors_in_every_file"])
    with pytest.raises(ManifestErrors) as found:
        load(folder)
    places = [(problem.path, problem.line, problem.column) for problem in found.value.problems]
    assert places == sorted(places)
    assert len({path for path, _, _ in places}) == 3


KEYS = [f"k{n}" for n in range(5_000)]
FUNCTION = "  tools:\n    - type: function\n      name: x\n      endpoint: {url: https://api.example.cl/x}\n"


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ("".join(f"{key}: no\n" for key in KEYS), "more than 100 problems"),
        ("".join(f"{key}: x\n" for key in KEYS * 2), "more than 100 problems"),
        ("".join(f"{key}: x\n" for key in KEYS), "4,900 problems more"),
        (f"{FUNCTION}      parameters: {{type: object, properties: {{{': 1, '.join(KEYS)}: 1}}}}\n", "k99: not valid"),
    ],
    ids=["unclear values", "duplicate keys", "unknown keys", "parameters"],
)
def test_a_file_full_of_errors_is_answered_in_short(tmp_path: Path, more: str, last: str) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest(more=more)})
    with pytest.raises(ManifestErrors) as found:
        load(folder)
    assert len(found.value.problems) < 210
    assert any(last in str(problem) for problem in found.value.problems)


def test_missing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestErrors, match=r"^clients\.d: no clients\.d here\. Run in the folder that holds it"):
        load(Path("clients.d"))


def test_folder_without_manifests(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"_defaults.yaml": "protected: true\n", "README.md": "Hola"})
    with pytest.raises(ManifestErrors, match="no manifest in the folder"):
        load(folder)


def test_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "clients.d").write_text("hola")
    with pytest.raises(ManifestErrors, match=r"the folder of manifests cannot be read \(Not a directory\)"):
        load(tmp_path / "clients.d")


def test_folder_called_like_a_manifest(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest(), "dos.yaml/prompt.md": "Hola"})
    with pytest.raises(ManifestErrors, match=r"dos\.yaml: not a file"):
        load(folder)


def test_pipe_in_place_of_a_manifest_does_not_block(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    os.mkfifo(folder / "dos.yaml")
    with pytest.raises(ManifestErrors, match=r"dos\.yaml: not a file"):
        load(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_manifest_without_permission_to_read(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    (folder / "uno.yaml").chmod(0)
    with pytest.raises(ManifestErrors, match=r"uno\.yaml: the file cannot be read \(Permission denied\)"):
        load(folder)


def test_manifest_that_links_out_of_the_folder(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    (tmp_path / "secreto.yaml").write_text(manifest("dos"))
    (folder / "dos.yaml").symlink_to(tmp_path / "secreto.yaml")
    with pytest.raises(ManifestErrors, match=r"dos\.yaml: a link to a file outside the folder"):
        load(folder)


def test_prompt_that_links_out_of_the_folder(tmp_path: Path) -> None:
    text = manifest().replace("Responde en español.", "{file: p.md}")
    folder = write_files(tmp_path, {"uno.yaml": text})
    (tmp_path / "secreto.md").write_text("Hola")
    (folder / "p.md").symlink_to(tmp_path / "secreto.md")
    with pytest.raises(ManifestErrors, match="the file is outside the folder of manifests"):
        load(folder)


WRITTEN_OUT = {
    "ghp_" + "a1B2" * 9: "a GitHub token",
    "github_pat_" + "11ABCDEFG0" * 4: "a GitHub token",
    "AKIA" + "IOSFODNN7EXAMPLE": "an AWS access key",
    "xoxb-" + "123456789012-abcdefABCDEF": "a Slack token",
    "AIza" + "SyA1234567890abcdefghijklmnopqrstuv": "a Google key",
    "APP_USR-" + f"1234567890123456-112233-{HEX_TOKEN}-123456789": "a Mercado Pago access token",
    "EAA" + "GZB0x9" * 20: "a Meta access token",
    "sk_" + "live_51H8abcdefghijklmnop": "a Stripe key",
    "-----BEGIN RSA " + "PRIVATE KEY-----": "a private key",
    f"la clave de Twilio es {HEX_TOKEN}": "a Twilio auth token",
    "https://hooks.example.cl/x?a=b&token=9f86d081884c7d65": "a secret in a URL",
}
HARMLESS = (
    "https://example.cl/reservas?mesa=4&token=",
    "https://example.cl/?token={token}&key=menu-del-dia",
    "https://example.cl/?token=el-que-llega-por-correo",
    "Twilio, cuenta AC0123456789abcdef0123456789abcdef",
    f"El resumen es {HEX_TOKEN}",
    "EAASY y TEST-1 y AKIA y un PRIVATE KEY",
    "-----BEGIN PUBLIC KEY-----",
)


@pytest.mark.parametrize("secret", WRITTEN_OUT, ids=list(WRITTEN_OUT.values()))
@pytest.mark.parametrize("place", ["manifest", "prompt"])
def test_a_secret_that_is_written_out_is_refused_with_its_kind_and_not_repeated(
    tmp_path: Path, place: str, secret: str
) -> None:
    text = manifest(more=f"metadata:\n  nota: >-\n    {secret}\n")
    files = {"uno.yaml": text}
    if place == "prompt":
        files = {"uno.yaml": manifest().replace("Responde en español.", "{file: p.md}"), "p.md": f"Hola.\n{secret}\n"}
    with pytest.raises(ManifestErrors) as found:
        load(write_files(tmp_path, files))
    [problem] = found.value.problems
    assert f"{WRITTEN_OUT[secret]} is written out" in problem.message
    assert problem.line == (2 if place == "prompt" else text.count("\n"))
    assert secret.split()[-1].rpartition("=")[2] not in str(found.value)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_secret_is_accepted(tmp_path: Path, text: str) -> None:
    load(write_files(tmp_path, {"uno.yaml": manifest(more=f"metadata:\n  nota: >-\n    {text}\n")}))
