"""Buttons and lists at Twilio: each shape is whole, within the limits, and filled by what is sent."""

from __future__ import annotations

import json
import re

import pytest

from schemas.content_shapes import (
    BUTTON_LIMIT,
    DESCRIPTION_LIMIT,
    MAX_BUTTONS,
    MAX_ROWS,
    ROW_LIMIT,
    SHAPES,
    content_of,
    name_of,
    shape_of_buttons,
    shape_of_list,
    variables_of_buttons,
    variables_of_list,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_variable_of_a_shape_has_a_sample_and_is_used(shape: str) -> None:
    content = content_of(shape)
    used = re.findall(r"\{\{(\d+)\}\}", json.dumps(content["types"]))
    assert sorted(used, key=int) == list(content["variables"]) == [str(n) for n in range(1, len(used) + 1)]
    assert all(content["variables"].values())


def test_each_shape_has_a_name_of_its_own_that_stays() -> None:
    assert len({name_of(shape) for shape in SHAPES}) == len(SHAPES) == 21
    assert name_of("buttons-2") == "horizonai buttons-2 402755815157"


@pytest.mark.parametrize("count", range(1, MAX_BUTTONS + 1))
def test_buttons_fill_their_shape(count: int) -> None:
    titles = [f"{n}" * BUTTON_LIMIT for n in range(count)]
    content = content_of(shape_of_buttons(titles))
    values = variables_of_buttons("¿?", titles)
    assert values.keys() == content["variables"].keys()
    assert [
        values[action["title"].strip("{}")] for action in content["types"]["twilio/quick-reply"]["actions"]
    ] == titles


@pytest.mark.parametrize("count", range(2, MAX_ROWS + 1))
@pytest.mark.parametrize("description", ["", "d" * DESCRIPTION_LIMIT])
def test_rows_fill_their_shape(count: int, description: str) -> None:
    rows = [(f"{n}" * ROW_LIMIT, description) for n in range(count)]
    content = content_of(shape_of_list(rows))
    values = variables_of_list("¿?", "Ver", rows)
    assert values.keys() == content["variables"].keys()
    items = content["types"]["twilio/list-picker"]["items"]
    shown = [
        (values[item["item"].strip("{}")], values.get(item.get("description", "").strip("{}"), "")) for item in items
    ]
    assert shown == rows
    assert [item["id"] for item in items] == [str(n) for n in range(1, count + 1)]
