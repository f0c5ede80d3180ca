"""octoDNS: as many zones as clients, a zone file as long as a manifest; the live side is equal, in YAML files too."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import SampleClient, clients
from bench.measure import Case
from bench.peers.packages import BIN, install

VERSION = "1.22.0"

_CONFIG = """\
providers:
  config: {class: octodns.provider.yaml.YamlProvider, directory: ./config}
  live: {class: octodns.provider.yaml.YamlProvider, directory: ./live}
zones:
  '*': {sources: [config], targets: [live]}
"""
_WITH_C_LOADER = """\
import sys, yaml
yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper
from octodns.cmds.sync import main
sys.argv[0] = "octodns-sync"
main()
"""


@contextmanager
def octodns(folder: Path, count: int) -> Iterator[list[Case]]:
    """Both ways of running it. Raises `Unobtainable`."""
    install(f"octodns=={VERSION}")
    (folder / "config").mkdir(parents=True)
    for client in clients(count):
        (folder / "config" / f"{client.id}.example.yaml").write_text(_zone(client), encoding="utf-8")
    shutil.copytree(folder / "config", folder / "live")
    (folder / "octodns.yaml").write_text(_CONFIG, encoding="utf-8")
    arguments = ["--config-file", "octodns.yaml"]
    says = "No changes were planned"
    yield [
        Case(f"octodns-sync {VERSION}", [BIN / "octodns-sync", *arguments], folder, says=says),
        Case(
            f"octodns-sync {VERSION}, C loader patched in",
            [BIN / "python", "-c", _WITH_C_LOADER, *arguments],
            folder,
            says=says,
        ),
    ]


def _zone(client: SampleClient) -> str:
    values = "\n".join(f"  - {_ascii(line)}" for line in client.prompt)
    return _ZONE.format(id=client.id, values=values, key=_KEY)


def _ascii(text: str) -> str:
    """DNS text is ASCII, and octoDNS wants its semicolons escaped."""
    plain = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
    return f'"{plain.replace(";", ",")}"'


_KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12
_ZONE = """\
'':
  ttl: 300
  type: TXT
  values:
{values}
api:
  ttl: 300
  type: CNAME
  value: api.{id}.example.
dkim._domainkey:
  ttl: 3600
  type: TXT
  value: v=DKIM1\\; k=rsa\\; p={key}
mail:
  ttl: 3600
  type: MX
  values:
  - exchange: mx1.{id}.example.
    preference: 10
  - exchange: mx2.{id}.example.
    preference: 20
sip:
  ttl: 300
  type: CNAME
  value: sip.{id}.example.
www:
  ttl: 300
  type: A
  values:
  - 192.0.2.10
  - 192.0.2.11
"""
