"""Laws of reading, for any files: their order never matters, only ManifestErrors is raised, no secret is printed."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import Fleet, ManifestErrors, load
from reconciler.manifest.document import parse
from reconciler.manifest.emit import to_yaml
from tests.manifest.fleet_files import Files, manifest, write_files
from tests.manifest.situations import HEX_TOKEN, KEY, TWILIO_KEY

RICH = """\
id: uno
name: Restaurante Uno
number: "+56961234501"
assistant:
  model: gpt-6-luna
  instructions: &texto |
    Responde en español.
  tools:
    - type: web_search
      country: CL
    - type: function
      name: crear_reserva
      description: Crea una reserva
      parameters: {type: object, properties: {personas: {type: integer}}}
      endpoint: {url: https://api.example.cl/x, secret: {env: UNO_SECRET}}
sender:
  account: {sid: AC0123456789abcdef0123456789abcdef, auth_token: {env: UNO_TOKEN}}
  profile: {about: Cocina, vertical: Restaurant}
metadata: {cliente: Uno, nota: *texto}
"""
SECRETS = (
    KEY,
    TWILIO_KEY,
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
    "sk-1234567890abcdefghij",
)


def read(files: Files, folder_order: int = 0) -> Fleet | str:
    """The fleet, or what is said about it; files are created in an order of their own."""
    names = sorted(files)
    random.Random(folder_order).shuffle(names)
    with tempfile.TemporaryDirectory() as root:
        folder = write_files(Path(root), {name: files[name] for name in names})
        try:
            return load(folder)
        except ManifestErrors as found:
            return str(found).replace(root, "")


def paths(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a value, that of each key included."""
    if isinstance(node, dict):
        return [(*at, key) for key in node] + [p for key, value in node.items() for p in paths(value, (*at, key))]
    if isinstance(node, list):
        return [(*at, n) for n in range(len(node))] + [p for n, v in enumerate(node) for p in paths(v, (*at, n))]
    return []


VALUES = yaml.safe_load(RICH)
mangled = st.builds(
    lambda at, cut, put: RICH.encode()[:at] + put + RICH.encode()[at + cut :],
    st.integers(0, len(RICH)),
    st.integers(0, 40),
    st.one_of(st.binary(max_size=8), st.sampled_from([b"\t", b"- ", b": ", b"{", b"[", b"*a", b"&a ", b"!!x ", b"'"])),
)


def test_the_manifest_that_is_mangled_is_valid() -> None:
    assert isinstance(read({"uno.yaml": RICH}), Fleet)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), mangled), st.one_of(st.just(b""), st.binary(max_size=60), mangled))
def test_whatever_the_bytes_a_fleet_or_manifest_errors_come_out(client: bytes, defaults: bytes) -> None:
    assert read({"uno.yaml": client, "_defaults.yaml": defaults})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(paths(VALUES)), st.sampled_from(SECRETS), st.booleans(), st.sampled_from(["", " ", "x"]))
def test_a_secret_anywhere_is_refused_and_never_printed(
    place: tuple[Any, ...], secret: str, as_key: bool, before: str
) -> None:
    values = yaml.safe_load(RICH)
    node = values
    for part in place[:-1]:
        node = node[part]
    if as_key and isinstance(node, dict):
        node[f"{before} {secret}"] = node.pop(place[-1])
    else:
        node[place[-1]] = f"{before} {secret}"
    said = read({"uno.yaml": to_yaml(values)})
    assert isinstance(said, str)
    assert "is written out" in said
    assert secret not in said
    assert secret.split("-")[-1] not in said


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(paths(VALUES)))
def test_a_bare_token_anywhere_is_never_printed(place: tuple[Any, ...]) -> None:
    values = yaml.safe_load(RICH)
    node = values
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = HEX_TOKEN
    said = read({"uno.yaml": to_yaml(values)})
    assert isinstance(said, Fleet) or HEX_TOKEN not in said


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["valid", "broken", "same id", "same number"]), max_size=5), st.integers(1, 1000))
def test_the_order_of_files_never_matters(kinds: list[str], order: int) -> None:
    files = {"a.yaml": manifest()}
    for n, kind in enumerate(kinds):
        number = "+56961234501" if kind == "same number" else f"+5696123451{n}"
        more = "oops: 1\n" if kind == "broken" else ""
        files[f"f{n}.yaml"] = manifest("uno" if kind == "same id" else f"c{n}", number, more)
    assert read(files) == read(files, order)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
plain_words = st.sampled_from(
    ["no", "0123", "1e3", "12:30", "2025-10-22", "+56961234501", "~", "", "<<", "=", "- a", "a: b"]
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.one_of(texts, plain_words),
        st.one_of(texts, plain_words, st.booleans(), st.integers(-(10**17), 10**17)),
        min_size=1,
    )
)
def test_what_is_written_as_yaml_reads_back_the_same(values: dict[str, Any]) -> None:
    document = parse("x", to_yaml({"values": [values]}).encode())
    assert not document.problems
    assert document.value == {"values": [values]}
