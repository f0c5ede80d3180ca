"""A file inside a request's JSON is sent whole, and the request has the length that it says."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path

import pytest

from runtime.engines.data_urls import BLOCK, DataUrl, data_urls_in, size_with_files, with_files
from runtime.store.codec import json_bytes


def body_of(*files: DataUrl, words: str = "mira") -> dict[str, object]:
    parts = [{"type": "input_image", "image_url": file} for file in files]
    said = {"role": "user", "content": [{"type": "input_text", "text": words}, *parts]}
    return {"input": [{"role": "user", "content": "Hola"}, said, {"type": "function_call", "name": "f"}]}


@pytest.mark.parametrize("size", [0, 1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 2])
async def test_a_file_is_in_its_place(tmp_path: Path, size: int) -> None:
    paths = tmp_path / "a", tmp_path / "b"
    paths[0].write_bytes(os.urandom(size))
    paths[1].write_bytes(b"otra")
    body = body_of(*(DataUrl(path, "image/png") for path in paths))
    data, files = json_bytes(body), data_urls_in(body)

    sent = b"".join([piece async for piece in with_files(data, files)])

    assert len(sent) == size_with_files(data, files)
    urls = [part["image_url"] for part in json.loads(sent)["input"][1]["content"][1:]]
    assert [url.partition(",")[0] for url in urls] == ["data:image/png;base64"] * 2
    assert [b64decode(url.partition(",")[2]) for url in urls] == [path.read_bytes() for path in paths]


def test_a_request_of_words_has_no_files() -> None:
    assert data_urls_in({"input": [{"role": "user", "content": "Hola"}]}) == []
    assert data_urls_in({}) == []


def test_two_files_have_different_tokens_that_do_not_show_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    one, other = DataUrl(tmp_path / "a", "image/png"), DataUrl(tmp_path / "a", "image/png")
    assert one != other
    assert str(tmp_path) not in one
