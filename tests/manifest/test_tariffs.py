"""Every mistake in tariffs.yaml, with its place and what to do."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from reconciler.manifest import ManifestErrors, load
from schemas.default_tariffs import DEFAULT
from schemas.generate import tariffs_schema
from tests.manifest.fleet_files import manifest, write_files
from tests.project.repository import ROOT

SCHEMA = jsonschema_rs.validator_for(tariffs_schema())

ROW = "meta:\n  - {{country: {country}, category: {category}, since: {since}, usd: {usd}}}\n"


def row(country: str = "CL", category: str = "service", since: str = '"2026-10-01"', usd: str = "0.02") -> str:
    return ROW.format(country=country, category=category, since=since, usd=usd)


MISTAKES = {
    row(country="XX"): '2:15: meta[0].country: "XX" is not a country of ISO 3166. Write its two capitals, like CL.',
    row(category="servce"): ('2:29: meta[0].category: "servce" is none of the allowed values. Did you mean "service"?'),
    row(usd="-0.02"): "2:64: meta[0].usd: -0.02 is out of range. It is at least 0.0.",
    row(usd='"0.02"'): ("2:64: meta[0].usd: a text where a number is expected. Write it in digits, without quotes."),
    row(usd="0.0000000001"): (
        '2:64: meta[0].usd: "1e-10" has more than nine decimals. Round it to nine: amounts are counted in 10⁻⁹ USD.'
    ),
    row(since="2026-10-01"): '2:45: an unquoted date. Write it in quotes: "2026-10-01".',
    row(since='"2026-13-01"'): (
        '2:45: meta[0].since: "2026-13-01" is not a date. Write year, month and day, like "2026-10-01".'
    ),
    "meta:\n  - {country: CL, category: service, usd: 0.02}\n": (
        '2:5: meta[0].since: missing. Add it, for example since: "2026-10-01"'
    ),
    row() + row().removeprefix("meta:\n"): (
        '3:45: meta[1]: the same as meta[0]: "CL, service, 2026-10-01". Remove one of them, or give it another date.'
    ),
    'twilio:\n  - {direction: sideways, since: "2026-10-01", usd: 0.005}\n': (
        '2:17: twilio[0].direction: "sideways" is none of the allowed values. Allowed: "in", "out", "failed".'
    ),
    "modles: []\n": '1:1: modles: unknown key. Did you mean "models"?',
    "agency: {margin_percnt: 3}\n": '1:10: agency.margin_percnt: unknown key. Did you mean "margin_percent"?',
    "agency: {currency: CLX}\n": ('1:20: agency.currency: "CLX" is not a currency of ISO 4217. Did you mean "CLP"?'),
    "agency: {currency: CLP}\n": (
        '1:20: agency.currency: nothing says what a dollar costs in "CLP". '
        'Add it: exchange: [{since: "2026-11-01", per_usd: 950}].'
    ),
    'agency:\n  exchange:\n    - {since: "2026-11-01", per_usd: 950}\n    - {since: "2026-11-01", per_usd: 951}\n': (
        '4:15: agency.exchange[1]: the same as agency.exchange[0]: "2026-11-01". '
        "Remove one of them, or give it another date."
    ),
    "agency: {vat_percent: -1}\n": "1:23: agency.vat_percent: -1 is out of range. It is at least 0.0.",
    "- meta\n": '1:1: the file is not a mapping of keys to values. Begin with "id: la-cocina" and the like.',
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=[said.split(" ", 1)[1] for said in MISTAKES.values()])
def test_a_mistake(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    (tmp_path / "tariffs.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestErrors) as found:
        load(Path("clients.d"))
    assert str(found.value) == f"tariffs.yaml:{said}"


ACROSS_ROWS = ("the same as", "nothing says what a dollar costs", "nine decimals", "2026-13-01", "an unquoted date")
"""What a JSON Schema cannot express, or does not get to see."""


@pytest.mark.parametrize(
    "text", [text for text, said in MISTAKES.items() if not any(words in said for words in ACROSS_ROWS)]
)
def test_the_schema_refuses_it_too(text: str) -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(text))


def test_the_schema_accepts_the_example_of_the_documentation() -> None:
    example = (ROOT / "docs" / "tariffs.md").read_text().split("```yaml\n")[1].split("```")[0]
    assert SCHEMA.is_valid(yaml.safe_load(example))


def test_a_file_that_says_nothing_is_the_packaged_tariffs(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    (tmp_path / "tariffs.yaml").write_text("# nothing yet\n", encoding="utf-8")
    declared = load(folder).tariffs
    assert declared is not None
    assert declared.tariffs == DEFAULT


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    file = tmp_path / "tariffs.yaml"
    rows = [row(usd="0.01"), row(category="utility", usd="0.03").removeprefix("meta:\n")]
    read = []
    for text in ("".join(rows), "meta:\n" + rows[1] + rows[0].removeprefix("meta:\n")):
        file.write_text(text, encoding="utf-8")
        declared = load(folder).tariffs
        assert declared is not None
        read.append(declared.tariffs)
    assert read[0] == read[1] != DEFAULT
