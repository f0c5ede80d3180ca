"""A proposal: its text to the letter, its sums, what it never shows, and the ways to ask for one.

UPDATE_GOLDEN=1 writes the golden files again: review their diff.
"""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reconciler.cli import run
from reconciler.proposals.content import Proposal, proposal
from reconciler.proposals.costs import FREE_REPLIES, UnknownPrice, message_costs
from reconciler.proposals.formats import proposal_html, proposal_markdown
from reconciler.proposals.subject import Subject, country_of
from schemas.default_tariffs import DEFAULT
from schemas.tariffs import Agency, ExchangeRate, Fees, MetaTariff, ModelTariff, Tariffs, TwilioTariff
from tests.manifest.fleet_files import environment, manifest, write_files
from tests.project.repository import ROOT
from tests.pseudo_terminal import Terminal

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
KITCHEN = Subject(
    name="Restaurante La Cocina",
    country="CL",
    model="gpt-6-luna",
    number="+56912345678",
    documents=("menu.pdf", "carta de vinos.pdf"),
    functions=("Crea una reserva",),
    recipients=("api.lacocina.cl",),
    searches_web=True,
)
HORIZON = Agency(
    name="HorizonAI",
    contact="hola@horizonai.cl",
    logo="https://horizonai.cl/logo.png",
    currency="CLP",
    exchange=[ExchangeRate(since="2026-11-01", per_usd=950), ExchangeRate(since="2026-12-01", per_usd=990)],
    vat_percent=19,
    margin_percent=37.5,
    fees=Fees(setup=350_000, monthly=90_000),
)
AGENCY = DEFAULT.model_copy(update={"agency": HORIZON})
MANIFEST = manifest(number="+56961234501")
TARIFFS = """\
agency:
  name: HorizonAI
  currency: CLP
  exchange: [{since: "2026-11-01", per_usd: 950}]
  logo: logo.png
"""


def formats(document: Proposal) -> dict[str, str]:
    return {"md": proposal_markdown(document), "html": proposal_html(document, document.logo)}


@pytest.mark.parametrize(("situation", "tariffs"), [("proposal", AGENCY), ("proposal_without_agency", DEFAULT)])
@pytest.mark.parametrize("output", ["md", "html"])
def test_reads_as_agreed(situation: str, tariffs: Tariffs, output: str) -> None:
    subject = KITCHEN if tariffs is AGENCY else Subject("Uno", "AR", "gpt-6-luna")
    text = formats(proposal(subject, tariffs, 3000, AT))[output]
    golden = GOLDEN / f"{situation}.{output}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_month_of_a_chilean_client_costs_what_its_parts_do() -> None:
    costs = message_costs(KITCHEN, DEFAULT, AT)
    twilio, meta = Fraction(3000 * 10, 1000), Fraction(2000 * 20, 1000)
    model = Fraction(3000 * (50_000 + 15_000 + 100_000), 10**9)
    assert costs.of(3000) == twilio + meta + model
    assert costs.of(FREE_REPLIES) == Fraction(FREE_REPLIES) * costs.free
    assert costs.of(FREE_REPLIES + 1) - costs.of(FREE_REPLIES) == costs.free + Fraction(20, 1000)


def test_the_margin_cannot_be_told_from_higher_prices() -> None:
    doubled = Tariffs(
        meta=[MetaTariff(country="CL", category="service", since="2026-10-01", usd=0.04)],
        twilio=[TwilioTariff(direction=way, since="2026-10-01", usd=0.01) for way in ("in", "out")],
        models=[ModelTariff(model="gpt-6-luna", since="2026-10-01", input=0.2, cached=0.02, output=1)],
        agency=HORIZON.model_copy(update={"margin_percent": 0}),
    )
    with_margin = AGENCY.model_copy(update={"agency": HORIZON.model_copy(update={"margin_percent": 100})})
    assert formats(proposal(KITCHEN, with_margin, 3000, AT)) == formats(proposal(KITCHEN, doubled, 3000, AT))
    for text in formats(proposal(KITCHEN, AGENCY, 3000, AT)).values():
        assert not re.search(r"margen|margin|37[.,]5", text.partition("</style>")[2] or text)


@pytest.mark.parametrize(
    ("subject", "tariffs", "said"),
    [
        (
            Subject("Uno", "AQ", "gpt-6-luna"),
            DEFAULT,
            "the price of meta_service, and there is no tariff of Meta for AQ",
        ),
        (Subject("Uno", "CL", "gpt-6.2-sol"), DEFAULT, "there is no price of model_input for gpt-6.2-sol"),
        (
            KITCHEN,
            DEFAULT.model_copy(
                update={"agency": Agency(currency="CLP", exchange=[ExchangeRate(since="2027-01-01", per_usd=1)])}
            ),
            "No rate says what a dollar costs in CLP on 2026-11-28.",
        ),
    ],
    ids=["country", "model", "currency"],
)
def test_an_unknown_price_makes_no_proposal(subject: Subject, tariffs: Tariffs, said: str) -> None:
    with pytest.raises(UnknownPrice, match=re.escape(said)):
        proposal(subject, tariffs, 3000, AT)


def test_a_name_is_text_in_both_formats() -> None:
    name = "<b>*Uno* | [dos](x)"
    document = proposal(Subject(name, "CL", "gpt-6-luna", documents=(name,)), AGENCY, 3000, AT)
    shown = formats(document)
    assert "<b>" not in shown["html"]
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown["md"])
    assert "&lt;b&gt;*Uno* | [dos](x)" in rendered
    assert "<em>Uno" not in rendered


def test_a_number_that_is_assigned_to_no_place_is_of_its_calling_code() -> None:
    assert [country_of(number) for number in ("+56912345678", "+5491123456789", "+15551234567")] == ["CL", "AR", "US"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation, in which commands run."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"uno.yaml": MANIFEST})
    (tmp_path / "tariffs.yaml").write_text(TARIFFS, encoding="utf-8")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_the_command_writes_a_page_that_stands_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["proposal", "uno", "--format", "html", "--out", "p.html", "--messages-per-month", "700"]) == 0
    assert capsys.readouterr() == ("", "")
    page = (folder / "p.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,iVBORw=="' in page
    assert "img-src data: https:;" in page
    assert [f'<th scope="row">{volume}</th>' in page for volume in ("350", "700", "1.400")] == [True] * 3


@pytest.mark.parametrize(
    ("arguments", "tariffs", "said"),
    [
        (["uni"], TARIFFS, 'error: No client "uni" in clients.d. Did you mean "uno"?\n'),
        (
            ["uno"],
            "agency: {margin: 3}\n",
            'tariffs.yaml:1:10: agency.margin: unknown key. Did you mean "margin_percent"?\n',
        ),
        (
            ["uno", "--format", "html"],
            "agency: {logo: nada.png}\n",
            "error: The logo nada.png cannot be read: No such file or directory. agency.logo names it.\n",
        ),
        (["uno", "--messages-per-month", "0"], TARIFFS, "0 is not in the range 1<=x<=100000000."),
        ([], TARIFFS, "error: Give the id of a client. Without a terminal nothing can be asked.\n"),
    ],
    ids=["unknown id", "invalid tariffs", "logo", "no message", "no terminal"],
)
def test_no_proposal_is_made(
    arguments: list[str], tariffs: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tariffs.yaml").write_text(tariffs, encoding="utf-8")
    assert run(["proposal", *arguments]) == 1
    shown = capsys.readouterr()
    assert (shown.out, said in shown.err) == ("", True), shown.err


def test_without_tariffs_it_is_said_that_there_is_no_margin(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tariffs.yaml").unlink()
    assert run(["proposal", "uno"]) == 0
    shown = capsys.readouterr()
    assert "US$ 0,0102" in shown.out
    assert shown.err.startswith("There is no tariffs.yaml: amounts are what messages cost, without a margin")


def test_without_an_id_it_asks(folder: Path) -> None:
    command = [sys.executable, "-m", "reconciler.cli", "proposal", "--out", "p.md"]
    with Terminal(command, folder, environment(PYTHONPATH=str(ROOT))) as terminal:
        terminal.answer("Name of the client:", "Café Ñandú")
        terminal.answer("Country of its customers [CL]:", "Chile")
        terminal.answer("Country of its customers [CL]:", "ar")
        terminal.answer("Answers in a month [2000]:", "muchas")
        terminal.answer("Answers in a month [2000]:", "1.200")
        terminal.answer("What it does in the client's systems", "Reserva una mesa, Toma pedidos")
        terminal.answer("Documents that it answers from", "")
        assert terminal.finish() == 0, terminal.shown
    written = (folder / "p.md").read_text(encoding="utf-8")
    assert "# Asistente de WhatsApp para Café Ñandú" in written
    assert "- Integración con sus sistemas: Toma pedidos" in written
    assert "Respuestas a partir de sus documentos" not in written
    assert "personas con números de Argentina" in written
    assert "\n| 2.400 |" in written
