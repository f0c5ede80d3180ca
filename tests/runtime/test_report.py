"""A client's month as it is reported: the figures on both stores, and the command in every format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from runtime.reports.figures import Figures, read_figures
from runtime.reports.money import bill, earnings
from runtime.reports.month import Month
from runtime.store.usage.ledger import Line
from runtime.store.usage.reporting import reading
from schemas.default_tariffs import DEFAULT
from schemas.tariffs import Agency, ExchangeRate, Fees
from tests.documents.browser import needs_browser
from tests.function_endpoint import ASK, TOOL, Endpoint
from tests.reconciler import live
from tests.runtime.month_rows import UNKNOWN, Rows, rows
from tests.runtime.stores import drop_database, make_database, new_store
from tests.runtime_process import Ran, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OCTOBER = Month(2026, 10)
FUNCTION = '{"documents":["carta.pdf"],"functions":["crear_reserva"]}'
AGENCY = Agency(
    name="HorizonAI",
    currency="CLP",
    exchange=[ExchangeRate(since="2026-09-01", per_usd=950)],
    vat_percent=19,
    margin_percent=25,
    fees=Fees(monthly=90_000),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_store(request.param, tmp_path) as made:
        yield made


def figures_of(url: str, month: Month = OCTOBER, client: str = "la-cocina", now: datetime = NOW) -> Figures:
    with reading(url) as reader:
        return read_figures(reader, client, month, "America/Santiago", now)


def test_a_month_is_counted_as_its_messages_were(url: str) -> None:
    with rows(url) as add:
        add.bot()
        ana, ben = add.person("ana"), add.person("ben")
        turn = add.message("2026-10-05T15:00:00.000Z", ana, seconds=10, used=FUNCTION)
        add.message("2026-10-05T15:00:04.000Z", ana, turn=turn)
        add.message("2026-10-06T14:59:00.000Z", ana, seconds=2, used='{"documents":["carta.pdf"]}')
        add.message("2026-10-07T15:00:00.000Z", ana, state="unanswered", reason="human")
        add.message("2026-10-07T15:00:00.000Z", ben, state="limited")
        add.message("2026-10-07T15:00:01.000Z", ben, state="dead")
        add.message("2026-10-07T15:00:02.000Z", ben, state="open")
        add.message("2026-10-07T15:00:03.000Z", ben, seconds=4, status="undelivered")
    traffic = figures_of(url).traffic
    assert (traffic.people, traffic.conversations, traffic.received) == (2, 3, 8)
    assert (traffic.answered, traffic.failed, traffic.waiting, traffic.undelivered) == (4, 1, 1, 1)
    assert traffic.unanswered == {"human": 1, "limited": 1}
    assert (traffic.half_within, traffic.most_within) == (4.0, 10.0)
    assert (traffic.documents, traffic.functions) == ({"carta.pdf": 2}, {"crear_reserva": 1})
    assert {(day, hour): n for day, hours in enumerate(traffic.hours) for hour, n in enumerate(hours) if n} == {
        (0, 12): 2,
        (1, 11): 1,
        (2, 12): 5,
    }
    assert [(day, n) for day, n in enumerate(traffic.days, 1) if n] == [(5, 2), (6, 1), (7, 5)]


def test_another_client_and_another_month_are_not_counted(url: str) -> None:
    with rows(url) as add:
        add.bot()
        ana = add.person()
        for at in ("2026-09-30T23:00:00.000Z", "2026-10-15T12:00:00.000Z", "2026-11-02T12:00:00.000Z"):
            add.message(at, ana)
        other = Rows(add.connection, "ferreteria-sur")
        other.bot("+56961234502", "ferreteria-sur")
        other.message("2026-10-15T12:00:00.000Z", other.person("eva", "ferreteria-sur"), bot_id="ferreteria-sur")
    figures = figures_of(url)
    assert (figures.traffic.received, figures.traffic.people) == (1, 1)
    assert {total.kind: total.quantity for total in figures.usage} == {
        "twilio_in": 1,
        "twilio_out": 1,
        "meta_service": 1,
        "model_output": 200,
    }
    assert sum(total.quantity for total in figures.usage_before if total.kind == "twilio_in") == 1
    assert figures.free_used == 2, "both bots of this test share a number in the ledger"


def test_one_person_of_two_numbers_is_one(url: str) -> None:
    with rows(url) as add:
        add.bot()
        add.bot("+56961234502", "la-cocina-2")
        add.message("2026-10-05T15:00:00.000Z", add.person())
        add.message("2026-10-05T16:00:00.000Z", add.person(bot_id="la-cocina-2"), bot_id="la-cocina-2")
    traffic = figures_of(url).traffic
    assert (traffic.people, traffic.conversations, traffic.received) == (1, 2, 2)


def test_hours_follow_the_clock_of_the_client_through_a_change_of_time(url: str) -> None:
    with rows(url) as add:
        add.bot(policy={"version": 1, "timezone": "America/Santiago"})
        ana = add.person()
        # Chile: UTC-4 until 2026-09-06 at 04:00 UTC, UTC-3 from then on.
        add.message("2026-09-05T15:30:00.000Z", ana)
        add.message("2026-09-06T15:30:00.000Z", ana)
    hours = figures_of(url, Month(2026, 9)).traffic.hours
    assert (hours[5][11], hours[6][12]) == (1, 1)


def test_messages_between_the_month_of_the_client_and_that_of_the_ledger_are_counted(url: str) -> None:
    with rows(url) as add:
        add.bot()
        ana = add.person()
        # In Santiago October 2026 is from 03:00 UTC on the 1st to 03:00 UTC on the 1st of November.
        for at in ("2026-10-01T02:59:59.999Z", "2026-10-01T03:00:00.000Z", "2026-11-01T02:00:00.000Z"):
            add.message(at, ana)
        add.message("2026-11-01T03:00:00.000Z", ana)
    traffic = figures_of(url).traffic
    assert (traffic.received, traffic.days[0], traffic.days[30], traffic.at_the_border) == (2, 1, 1, 2)


def test_a_client_pays_cost_and_margin_in_its_currency_and_the_fee(url: str) -> None:
    with rows(url) as add:
        add.bot(policy={"version": 1, "budget": {"monthly": 1, "currency": "USD"}})
        add.free_is_used("2026-10")
        ana = add.person()
        for day in range(1, 11):
            add.message(f"2026-10-{day:02}T15:00:00.000Z", ana)
        add.message("2026-09-10T15:00:00.000Z", ana)
        add.spent("2026-10-12T00:00:00.000Z", Line(UNKNOWN, 3))
    figures = figures_of(url)
    owed = bill(figures, AGENCY, with_vat=True)
    cost = 10 * (Fraction("0.005") * 2 + Fraction("0.02") + Fraction("0.0001"))
    assert owed.usage == cost * Fraction("1.25") * 950
    assert (owed.net, owed.total) == (owed.usage + 90_000, (owed.usage + 90_000) * Fraction("1.19"))
    assert owed.net_before == (Fraction("0.0101")) * Fraction("1.25") * 950 + 90_000
    assert [(line.group, line.unpriced) for line in owed.lines if line.unpriced] == [("web_search", 3)]
    assert sum(owed.shares.values()) == 1
    assert owed.budget is not None
    assert (owed.budget.limit, owed.budget.share) == (Fraction("1187.5"), cost)
    earned = earnings(figures, AGENCY)
    assert (earned.cost, earned.revenue, earned.unpriced) == (cost * 950, owed.net, True)


def test_what_an_answer_was_made_with_is_kept(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, endpoint: Endpoint
) -> None:
    runtime = runtime_factory()
    store = live.vector_store(sandbox, "Pastel de choclo a 8900 pesos.")
    search = {"type": "file_search", "vector_store_ids": [store]}
    made = {"name": "A", "instructions": "Reserva.", "model": "gpt-6-luna", "tools": [TOOL, search]}
    assistant = runtime.made("/assistants/", made)
    functions = {"crear_reserva": {"url": endpoint.url}}
    # In a zone behind UTC the month of messages begins some hours after that of costs.
    policy = {"version": 1, "timezone": "UTC"}
    shop = open_line(runtime, sandbox, assistant_id=assistant["id"], functions=functions, policy=policy)
    shop.ask(ASK)
    shop.ask("¿A cuánto el pastel de choclo?")
    done = runtime.command("report", "--format", "json", "--month", f"{datetime.now(UTC):%Y-%m}")
    report = json.loads(done.out)
    assert report["functions"] == {"crear_reserva": 1}
    assert list(report["documents"].values()) == [1]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def served(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Runtime]:
    """A runtime of the test's own on either store."""
    address = make_database() if request.param == "postgresql" else None
    running = start_runtime(tmp_path, sandbox, **({"DATABASE_URL": address} if address else {}))
    yield running
    running.stop()
    if address:
        drop_database(address)


def test_a_report_counts_what_a_running_service_answers(served: Runtime, sandbox: Sandbox) -> None:
    # In a zone behind UTC the month of messages begins some hours after that of costs.
    shop = open_line(served, sandbox, policy={"version": 1, "timezone": "UTC"})
    shop.ask("Hola")
    shop.ask("¿Y mañana?", "+56955555555")
    shop.write("BAJA", "+56955555555")

    def report() -> dict[str, Any]:
        done = served.command("report", "--month", f"{datetime.now(UTC):%Y-%m}", "--format", "json")
        assert (done.code, done.err) == (0, "")
        read: dict[str, Any] = json.loads(done.out)
        return read

    # Twilio's callbacks come after the answers.
    wait_until(lambda: report()["messages"]["sent"] == 3, what="every message in the report")
    read = report()
    assert (read["people"], read["conversations"]) == (2, 2)
    assert read["outcomes"] == {"answered": 2, "unanswered": {"opt_out": 1}, "failed": 0, "waiting": 0}
    assert read["messages"]["received"] == 3
    assert "+569" not in json.dumps(read)


@pytest.fixture
def month(runtime_factory: Callable[..., Runtime]) -> Runtime:
    """A service with October of two clients."""
    runtime = runtime_factory()
    with rows(runtime.environment["DATABASE_URL"]) as add:
        add.bot()
        add.message("2026-10-05T15:00:00.000Z", add.person())
        other = Rows(add.connection, "ferreteria-sur")
        other.bot("+56961234502", "ferreteria-sur")
        add.apply(DEFAULT.model_copy(update={"agency": AGENCY}))
    return runtime


def test_every_client_gets_a_file_and_the_agency_an_overview(month: Runtime) -> None:
    done = month.command("report", "--all", "--month", "2026-10", "--out", "reports")
    assert (done.code, done.err) == (0, "")
    written = {path.name: path.read_text() for path in (month.folder / "reports").iterdir()}
    assert set(written) == {"la-cocina-2026-10.html", "_overview-2026-10.html"}
    assert "Margen" in written["_overview-2026-10.html"]
    assert "Margen" not in written["la-cocina-2026-10.html"]


def test_files_go_where_they_were_asked_for(month: Runtime) -> None:
    (month.folder / "here").mkdir()
    arguments = ("--client", "la-cocina", "--month", "2026-10", "--format", "csv", "--out")
    assert month.command("report", *arguments, "here").out == "here/la-cocina-2026-10.csv\n"
    assert month.command("report", *arguments, "new/october.csv").out == "new/october.csv\n"
    for name in ("here/la-cocina-2026-10.csv", "new/october.csv"):
        written = (month.folder / name).read_bytes()
        assert written.startswith(b"\xef\xbb\xbf"), "spreadsheets take it for another encoding without the mark"
        assert "sección,dato,valor".encode() in written


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--client", "la-cosina"], 1, 'No client "la-cosina" in the store. Did you mean "la-cocina"?'),
        (["--client", "la-cocina", "--month", "2999-01"], 1, "--month 2999-01 is still to come;"),
        (["--client", "la-cocina", "--month", "octubre"], 1, "--month 'octubre' is not a month; write its year"),
        (["--client", "la-cocina", "--month", "2026-13"], 1, "--month '2026-13' is not a month"),
        (
            ["--client", "la-cocina", "--month", "2026-08"],
            1,
            "There is nothing of la-cocina in 2026-08. The months with usage are: 2026-10.",
        ),
        (["--client", "ferreteria-sur", "--month", "2026-10"], 1, "Nothing was used yet at all."),
        (["--month", "2026-10"], 2, "Give --client ID, or --all. There are: ferreteria-sur, la-cocina."),
        (["--client", "la-cocina", "--month", "2026-10", "--out", "/proc/none/x.txt"], 1, "cannot be written"),
        (["--all"], 2, "--all needs --out FOLDER."),
        (["--all", "--client", "x", "--out", "r"], 2, "--all and --client exclude each other."),
        (["--pdf"], 2, "--pdf needs --out FILE or FOLDER."),
        (["--pdf", "--format", "csv", "--out", "r"], 2, "--pdf prints the page; leave --format csv out."),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(
    arguments: list[str], code: int, said: str, month: Runtime
) -> None:
    done = month.command("report", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err, done.err
    assert "Traceback" not in done.err


def test_a_store_without_clients_is_said(runtime_factory: Callable[..., Runtime]) -> None:
    done = runtime_factory().command("report", "--month", "2026-10")
    assert (done.code, done.err) == (
        1,
        "error: The store has no client yet: apply a manifest with `reconcile`, or create a bot.\n",
    )


def pdf(month: Runtime, **settings: str) -> Ran:
    arguments = ("--client", "la-cocina", "--month", "2026-10", "--pdf", "--out", "october.pdf")
    return month.command("report", *arguments, **settings)


@needs_browser
def test_the_page_is_printed_by_the_browser(month: Runtime) -> None:
    done = pdf(month)
    assert (done.code, done.err) == (0, "")
    text = "\n".join(page.extract_text() for page in PdfReader(month.folder / "october.pdf").pages)
    assert "Reporte de octubre de 2026" in text
    assert "La Cocina" in text


def test_without_a_browser_it_is_said_what_to_install(month: Runtime) -> None:
    done = pdf(month, PATH=str(Path(shutil.which("env") or "").parent / "none"))
    assert (done.code, "apt-get install chromium" in done.err) == (1, True), done.err
    assert not (month.folder / "october.pdf").exists()
