"""The file of a send to a list: what is wrong with it, each with its place; and the hours in which none is sent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from runtime.commands.people_file import BrokenFile, read_people
from runtime.delivery.campaigns import seconds_of_quiet


def test_a_file_has_one_person_a_line(tmp_path: Path) -> None:
    path = tmp_path / "personas.csv"
    path.write_text('nombre,to\n"Ana, la de al lado",+56911111111\n\nLuz,CL.1A2B3C\n', encoding="utf-8")
    assert [(row.line, row.recipient, row.variables) for row in read_people(path)] == [
        (2, "whatsapp:+56911111111", {"nombre": "Ana, la de al lado"}),
        (4, "whatsapp:CL.1A2B3C", {"nombre": "Luz"}),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nombre\nAna\n", ["1:1: no column is called to: it has the numbers, such as +56912345678."]),
        ("to,to\n+56911111111,+56911111111\n", ["1:2: a second column to."]),
        ("to,\n+56911111111,x\n", ["1:2: a column without a name."]),
        ("to,nombre\n", ["1:1: no person is in it."]),
        ("to,nombre\n+56911111111\n", ["2:2: 1 cells, and there are 2 columns."]),
        ("to,nombre\n+56911111111, \n", ["2:2: nombre is empty."]),
        ('to,nombre\n+56911111111,"Ana\nMaría"\n', ["3:2: nombre has a line break or a tab."]),
        ("to\n+56911111111\n+56911111111\n", ["3:1: +56911111111 is also in line 2."]),
        ('to,nombre\n+56911111111,"Ana"x\n', ["2:1: it is not CSV: ',' expected after '\"'."]),
        (
            "to,nombre\n911111111,\n56911111111,Ana\n",
            ["2:1: to is not a number in E.164: '911111111'", "2:2: nombre is empty.", "3:1: to is not a number"],
        ),
    ],
)
def test_everything_that_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, says: list[str]) -> None:
    path = tmp_path / "personas.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenFile) as broken:
        read_people(path)
    *lines, last = str(broken.value).split("\n")
    assert last == "Nothing was sent."
    assert [line.startswith(f"{path}:{said}") for line, said in zip(lines, says, strict=True)] == [True] * len(says)


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "personas.csv"
    path.write_bytes("to,nombre\n+56911111111,María\n".encode("latin-1"))
    with pytest.raises(BrokenFile, match=r"personas\.csv:2:1: it is not UTF-8"):
        read_people(path)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("08:59:00", 60), ("09:00:00", 0), ("20:59:59", 0), ("21:00:00", 12 * 3600), ("00:00:00", 9 * 3600)],
)
def test_from_nine_at_night_to_nine_in_the_morning_none_is_sent(time: str, seconds: float) -> None:
    assert seconds_of_quiet(datetime.fromisoformat(f"2026-11-29T{time}-03:00")) == seconds
