"""What is wrong with opening hours is reported at its place, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest import ManifestErrors, load
from tests.manifest.fleet_files import manifest, write_files

Found = tuple[int, int, str]
ALL = """\
hours:
  lun-vie: ["09:00-13:00", "14:30-18:30"]
  sab: ["20:00-02:00"]
  holidays: CL-AP
  extra: ["2026-12-24", "12-31"]
  excepted: ["10-31"]
  outside: say
  message: Cerrado. Atendemos {opening}.
opt_out: {words: [no molestar]}
replies: {disclosure: Soy el asistente virtual de La Cocina.}
"""


def problems(root: Path, hours: str) -> list[Found]:
    """Line, column and sentences of each error."""
    try:
        load(write_files(root, {"uno.yaml": manifest(more=f"hours:\n{hours}")}))
    except ManifestErrors as found:
        return [(one.line, one.column, f"{one.message}. {one.hint}") for one in found.problems]
    return []


def test_all_that_can_be_said_is_valid(tmp_path: Path) -> None:
    load(write_files(tmp_path, {"uno.yaml": manifest(more=ALL)}))


DAY = '  lun: ["09:00-13:00"]\n'


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        (
            '  lun-vie: ["09:00-13:00", "12:00-18:00"]\n',
            (8, 28, 'hours.lun-vie[1]: "12:00-18:00" overlaps "09:00-13:00" of lun-vie. Write each time once; a span '
             "that ends before it begins goes past midnight."),
        ),
        (
            '  sab: ["20:00-02:00"]\n  dom: ["01:00-05:00"]\n',
            (9, 9, 'hours.dom[0]: "01:00-05:00" overlaps "20:00-02:00" of sab. Write each time once; a span that ends '
             "before it begins goes past midnight."),
        ),
        (
            "  holidays: CL\n",
            (8, 3, 'hours: no day has a span, so it is always closed. Add one, like lun-vie: '
             '["09:00-18:30"], or remove hours.'),
        ),
        (
            f"{DAY}  holidays: CL-RN\n",
            (9, 13, 'hours.holidays: no holidays are known of "CL-RN". Regions of CL: AI, AN, '
             "AP, AR, AT, BI, CO, LI, LL, LR, MA, ML, NB, RM, TA, VS."),
        ),
        (
            f"{DAY}  holidays: XX\n",
            (9, 13, 'hours.holidays: no holidays are known of "XX". Write the two capitals of ISO 3166, like CL.'),
        ),
        (
            f"{DAY}  holidays: Chile\n",
            (9, 13, 'hours.holidays: "Chile" is not a country or a region of one. Write it like CL, or CL-AP for a '
             "region."),
        ),
        (
            '  lun: ["9:00-13:00"]\n',
            (8, 9, 'hours.lun[0]: "9:00-13:00" is not a span of time. Write it like "09:00-13:00"; "20:00-02:00" is '
             "past midnight."),
        ),
        (
            '  lun: ["09:00-09:00"]\n',
            (8, 9, 'hours.lun[0]: "09:00-09:00" is an empty span. Write when it ends, or "00:00-24:00" for the whole '
             "day."),
        ),
        (
            f'{DAY}  holidays: CL\n  extra: ["2026-02-30"]\n',
            (10, 11, 'hours.extra[0]: "2026-02-30" is not a day of the calendar. Write it like "2026-12-24", or '
             '"12-24" for every year.'),
        ),
        (
            f'{DAY}  excepted: ["10-31"]\n',
            (9, 13, "hours.excepted: there are no holidays to except from. Add holidays: CL, or remove it."),
        ),
        ('  lunes: ["09:00-13:00"]\n' + DAY, (8, 3, 'hours.lunes: unknown key. Did you mean "lun"?')),
        ('  mon-fri: ["09:00-13:00"]\n' + DAY, (8, 3, 'hours.mon-fri: unknown key. Here it is called "lun-vie".')),
        (f"{DAY}  outside: silent\n",
         (9, 12, 'hours.outside: "silent" is none of the allowed values. Allowed: "answer", '
         '"say", "away".')),
        (
            f"{DAY}  outside: away\n  message: Abrimos {{hora}}.\n",
            (10, 12, 'hours.message: nothing replaces "{hora}". Write {opening}.'),
        ),
        (
            f"{DAY}  message: Cerrado.\n",
            (9, 12, "hours.message: nothing says it. Write outside: say or outside: away, or remove it."),
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_at_its_place(tmp_path: Path, hours: str, found: Found) -> None:
    assert problems(tmp_path, hours) == [found]
