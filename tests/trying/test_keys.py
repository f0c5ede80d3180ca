"""Under which name an answer is recorded: everything that goes in decides, and no credential does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.trying.fixtures import fits
from reconciler.trying.recordings import Recordings, key_of
from runtime.engines.data_urls import DataUrl

REQUEST: dict[str, Any] = {
    "model": "gpt-6-luna",
    "instructions": "Eres Ana.",
    "input": ['{"role":"user","content":"Hola"}', {"role": "developer", "content": "Now: Monday."}],
    "tools": [
        {"type": "mcp", "server_label": "reservas", "headers": {"Authorization": "${RESERVAS}"}},
        {"type": "file_search", "vector_store_ids": ["documents-1"]},
    ],
}
ANSWER = {"model": "gpt-6-luna", "output": [], "status": "completed", "id": "resp_1"}


def test_the_same_request_has_the_same_name() -> None:
    assert key_of(REQUEST) == key_of(copy.deepcopy(REQUEST))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model",), "gpt-6-sol"),
        (("instructions",), "Eres Eva."),
        (("input", 0), '{"role":"user","content":"Buenas"}'),
        (("input", 1, "content"), "Now: Tuesday."),
        (("tools", 0, "server_label"), "pedidos"),
        (("tools", 1, "vector_store_ids"), ["documents-2"]),
    ],
)
def test_a_change_of_what_goes_in_is_another_name(path: tuple[str | int, ...], value: object) -> None:
    changed: Any = copy.deepcopy(REQUEST)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert key_of(changed) != key_of(REQUEST)


def test_headers_of_a_server_of_tools_are_in_no_name() -> None:
    changed = copy.deepcopy(REQUEST)
    changed["tools"][0]["headers"] = {"Authorization": "Bearer another"}
    assert key_of(changed) == key_of(REQUEST)


def test_a_file_counts_by_its_bytes(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("a", "b", "c"))
    one.write_bytes(b"1")
    same.write_bytes(b"1")
    other.write_bytes(b"2")

    def key(path: Path) -> str:
        part = {"type": "input_image", "image_url": DataUrl(path, "image/png")}
        return key_of({"input": [{"role": "user", "content": [part]}]})

    assert key(one) == key(same) != key(other)


def test_an_answer_that_holds_a_secret_is_not_written(tmp_path: Path) -> None:
    recordings = Recordings([tmp_path], {"the-installation-s-token": "API_TOKEN"})
    answer = {**ANSWER, "output": [{"type": "message", "text": "the-installation-s-token"}]}
    with pytest.raises(ReconcileError, match="was not recorded"):
        recordings.record("k", 1, REQUEST, answer, None)
    assert not (tmp_path / "recordings").exists()


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    Recordings([tmp_path], {}).record("k", 1, REQUEST, ANSWER, None)
    (tmp_path / "recordings" / "k.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReconcileError, match=r"recordings/k\.json cannot be read"):
        Recordings([tmp_path], {}).answer("k", 1)


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.booleans(), max_size=4), st.data())
def test_arguments_fit_each_part_of_themselves(arguments: dict[str, Any], data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(arguments)))) if arguments else set()
    assert fits({name: arguments[name] for name in names}, arguments)


@pytest.mark.parametrize(
    ("expected", "given_", "is_fit"),
    [
        ({"personas": 4}, {"personas": 4.0, "hora": "21:00"}, True),
        ({"personas": 4}, {"personas": "4"}, False),
        ({"personas": 1}, {"personas": True}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, False),
        ({}, "no es JSON", False),
    ],
)
def test_fits(expected: object, given_: object, is_fit: bool) -> None:
    assert fits(expected, given_) is is_fit
