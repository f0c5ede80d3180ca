"""A client's data is given back at the end, whole but for who is blocked, with a receipt."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from io import StringIO
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import pytest

from tests import media_files
from tests.runtime_process import NO_NOTE, Line, Runtime, open_line
from tests.sandbox_process import Sandbox


@pytest.fixture
def shop(runtime: Runtime, sandbox: Sandbox) -> Line:
    return open_line(runtime, sandbox, policy=NO_NOTE)


def person() -> str:
    return f"+569{uuid4().int % 10**8:08d}"


def test_a_client_gets_all_of_theirs_but_who_is_blocked(runtime: Runtime, shop: Line, tmp_path: Path) -> None:
    ana, blocked, client = person(), person(), shop.bot["id"]
    photo = b64encode(media_files.jpeg(64, 48)).decode()
    shop.ask("Una mesa", ana, media=[{"content_type": "image/jpeg", "base64": photo}])
    shop.ask("Secreto", blocked)
    runtime.command("person", "block", blocked)

    done = runtime.command("client", "export", client, "--out", str(tmp_path))

    path = tmp_path / f"{client}.zip"
    assert (done.code, done.out.splitlines()[0]) == (0, f"{path}: 1 conversations, 1 files."), done.err
    assert "Remains. 1 conversations of blocked people are not in the package." in done.out
    assert path.stat().st_mode & 0o077 == 0
    with ZipFile(path) as package:
        head = json.loads(package.read("client.json"))
        [line] = package.read("conversations.jsonl").decode().splitlines()
        usage = list(csv.DictReader(StringIO(package.read("usage.csv").decode())))
        everything = b"".join(package.read(name) for name in package.namelist() if not name.startswith("media/"))
        conversation = json.loads(line)
        assert package.read(conversation["messages"][0]["files"][0]["path"]) == media_files.jpeg(64, 48)
    assert (head["format"], head["left_out_blocked"], head["bots"][0]["id"]) == ("horizonai-client", 1, client)
    assert conversation["addresses"] == [ana]
    assert {"twilio_in", "twilio_out"} <= {row["kind"] for row in usage}
    assert [trace for trace in ("Secreto", blocked) if trace.encode() in everything] == []


def test_a_client_that_there_is_not_has_nothing_to_get(runtime: Runtime, tmp_path: Path) -> None:
    done = runtime.command("client", "export", "no-hay", "--out", str(tmp_path))
    assert (done.code, "There is nothing of a client 'no-hay'" in done.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_the_package_is_left_as_it_was_where_it_cannot_be_written(runtime: Runtime, shop: Line, tmp_path: Path) -> None:
    shop.ask("Hola", person())
    done = runtime.command("client", "export", shop.bot["id"], "--out", str(tmp_path / "no" / "a.zip"))
    assert (done.code, "cannot be written" in done.err) == (1, True)
