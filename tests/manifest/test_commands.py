"""`reconcile validate`, `render` and `schema` as processes: what they print where, and their exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import yaml

from reconciler.manifest import load
from tests.manifest.fleet_files import environment, manifest, reconcile, write_files
from tests.manifest.situations import SITUATIONS

WARNED = manifest("dos", "+15552222222")


def test_validate_counts_what_it_found(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest(), "dos.yaml": WARNED})
    done = reconcile(tmp_path, "validate")
    assert (done.returncode, done.stderr) == (0, "")
    warning, summary = done.stdout.splitlines()
    assert warning.startswith("clients.d/dos.yaml:3:9: warning: number: +15552222222 is not in any assigned range")
    assert summary == "2 clients, 0 errors, 1 warning"


def test_validate_lists_every_error_of_every_file(tmp_path: Path) -> None:
    write_files(tmp_path, SITUATIONS["errors_in_every_file"])
    done = reconcile(tmp_path, "validate")
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:-1]] == [
        "clients.d/a.yaml",
        "clients.d/b.yaml",
        "clients.d/b.yaml",
        "clients.d/d.yml",
    ]
    assert done.stdout.splitlines()[-1] == "4 clients, 4 errors, 0 warnings"


def test_validate_finds_the_values_of_this_installation_s_credentials(tmp_path: Path) -> None:
    token, password = "f00ba7f00ba7f00ba7", "la-clave-de-la-base"
    settings = {
        "TWILIO_AUTH_TOKEN": token,
        "DATABASE_URL": f"postgresql://bot:{password}@db.example.cl/bots",
        "BOT_STORE_URL": "https://whatsapp.example.cl",
        "API_TOKEN": "corto",
    }
    prompt = manifest().replace("Responde en español.", "{file: p.md}")
    write_files(tmp_path, {
        "uno.yaml": f"{prompt}# {password}\n",
        "p.md": f"Nada corto.\nMira https://whatsapp.example.cl y bot en db.example.cl\nUsa {token}.\n",
    })  # fmt: skip
    done = reconcile(tmp_path, "validate", **settings)
    assert done.returncode == 1
    assert token not in done.stdout
    assert password not in done.stdout
    line = prompt.count("\n") + 1
    assert [found.split(" is written out")[0] for found in done.stdout.splitlines()[:-1]] == [
        "clients.d/p.md:3:5: the value of TWILIO_AUTH_TOKEN",
        f"clients.d/uno.yaml:{line}:3: the value of DATABASE_URL",
    ]
    assert reconcile(tmp_path, "validate").returncode == 0


def test_validate_strict_fails_on_a_warning(tmp_path: Path) -> None:
    write_files(tmp_path, {"dos.yaml": WARNED})
    assert reconcile(tmp_path, "validate", "--strict").returncode == 1


def test_validate_as_json_is_a_list_of_problems(tmp_path: Path) -> None:
    write_files(tmp_path, SITUATIONS["unquoted_number"])
    done = reconcile(tmp_path, "validate", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {
            "path": "clients.d/uno.yaml",
            "line": 3,
            "column": 9,
            "message": "number: an unquoted number",
            "hint": 'Write it in quotes: "+56961234501".',
            "severity": "error",
        }
    ]


def test_validate_as_json_without_problems_is_an_empty_list(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    assert json.loads(reconcile(tmp_path, "validate", "--format", "json").stdout) == []


def test_validate_where_there_is_no_folder(tmp_path: Path) -> None:
    done = reconcile(tmp_path, "validate")
    assert done.returncode == 1
    assert done.stdout.startswith("clients.d: no clients.d here. Run in the folder that holds it, or set CLIENTS_DIR")


def test_validate_reads_the_folder_that_is_set(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    (tmp_path / "otro").mkdir()
    done = reconcile(tmp_path / "otro", "validate", CLIENTS_DIR=str(tmp_path / "clients.d"))
    assert done.stdout == "1 client, 0 errors, 0 warnings\n"


def on_a_terminal(root: Path, *arguments: str, **settings: str) -> str:
    """What a command prints when its output is a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, "-m", "reconciler.cli", *arguments],
            cwd=root,
            env=environment(TERM="xterm", **settings),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            timeout=60,
            check=False,
        )
        os.close(theirs)
        output = b""
        # A terminal whose other end is closed ends with an error, not with an empty read.
        try:
            while chunk := terminal.read(65536):
                output += chunk
        except OSError:
            return output.decode()
        return output.decode()


def test_colours_are_for_a_terminal_only(tmp_path: Path) -> None:
    write_files(tmp_path, {"dos.yaml": WARNED})
    assert "\x1b[33mclients.d/dos.yaml:3:9" in on_a_terminal(tmp_path, "validate")
    assert "\x1b[" not in on_a_terminal(tmp_path, "validate", NO_COLOR="1")
    assert "\x1b[" not in reconcile(tmp_path, "validate").stdout


def test_render_shows_defaults_and_prompt_filled_in(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": "assistant: {max_output_tokens: 300}\nsender: {profile: {vertical: Other}}\n",
        "uno.yaml": manifest().replace("Responde en español.", "{file: uno/prompt.md}"),
        "uno/prompt.md": "Hola.\n\nResponde en español.\n",
    }
    write_files(tmp_path, files)
    done = reconcile(tmp_path, "render", "uno")
    assert done.returncode == 0
    assert yaml.safe_load(done.stdout) == {
        "id": "uno",
        "name": "Cliente uno",
        "number": "+56961234501",
        "assistant": {
            "model": "gpt-6-luna",
            "max_output_tokens": 300,
            "instructions": "Hola.\n\nResponde en español.\n",
        },
        "sender": {"profile": {"vertical": "Other"}},
    }
    assert "  instructions: |\n    Hola.\n" in done.stdout


def test_what_render_shows_is_a_manifest_of_the_same_client(tmp_path: Path) -> None:
    (tmp_path / "otro").mkdir()
    folder = write_files(tmp_path, {"uno.yaml": manifest(more='metadata: {a: "0123", b: "no"}\n')})
    again = write_files(tmp_path / "otro", {"uno.yaml": reconcile(tmp_path, "render", "uno").stdout})
    assert load(again).clients[0].client == load(folder).clients[0].client


def test_render_as_json_keeps_secrets_as_references(tmp_path: Path) -> None:
    account = "sender: {account: {sid: AC0123456789abcdef0123456789abcdef, auth_token: {env: UNO_TOKEN}}}\n"
    write_files(tmp_path, {"uno.yaml": manifest(more=account)})
    shown = json.loads(reconcile(tmp_path, "render", "uno", "--format", "json", UNO_TOKEN="secreto").stdout)
    assert shown["sender"]["account"]["auth_token"] == {"env": "UNO_TOKEN"}


def test_render_of_an_unknown_client_names_the_nearest(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest("la-cocina")})
    done = reconcile(tmp_path, "render", "la-cosina")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'error: No client "la-cosina" in clients.d. Did you mean "la-cocina"?\n'


def test_schema_is_printed_and_written_alike(tmp_path: Path) -> None:
    printed = reconcile(tmp_path, "schema").stdout
    assert reconcile(tmp_path, "schema", "client", "--out", "x.json").stdout == ""
    assert (tmp_path / "x.json").read_text() == printed
    assert json.loads(printed)["title"] == "Client manifest"


def test_shipped_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    done = reconcile(tmp_path, "schema", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
