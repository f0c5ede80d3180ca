"""Reports: a client's month as the client gets it, beside another month, and as CSV. Each figure leads to the
conversations behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web

from runtime.console.counted_months import CountedMonths, MonthFound
from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, Visit, not_here
from runtime.console.paging import clients_of, page_number
from runtime.console.words import Sentence
from runtime.reports.csv import report_csv
from runtime.reports.figures import Figures
from runtime.reports.money import NoRate, bill
from runtime.reports.month import BadMonth, Month, parsed_month, present_month
from runtime.reports.words import Words
from runtime.store.audit import Entry, record
from runtime.store.console.summaries import summaries_by
from runtime.store.database.database import Database
from runtime.store.usage.behind import behind_figure, is_figure

PATH: Final = f"{HOME}/reports"
LISTED: Final = 50
NO_RATE: Final = Sentence(
    "No hay tipo de cambio para este mes: se agrega una fila a agency.exchange en tariffs.yaml y se aplica."
)


class ReportPages:
    """Handlers of /console/reports."""

    def __init__(self, database: Database, months: CountedMonths, timezone: str) -> None:
        self._database = database
        self._months = months
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [
            OperatorPage("GET", PATH, self.show),
            OperatorPage("GET", f"{PATH}/csv", self.csv),
            OperatorPage("GET", f"{PATH}/conversations", self.conversations),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/reports"""
        month, other = month_asked_for(visit, self._timezone), visit.query("with")
        found = await self._read(visit, month)
        report, compared, problem = None, None, None
        try:
            report = found.sheet(visit.language)
            if report is not None and other:
                compared = (await self._read(visit, month_asked_for(visit, self._timezone, "with"))).sheet(
                    visit.language
                )
        except NoRate:
            problem = NO_RATE
        if report is not None:
            await self._audit(visit, found, "read")
        return visit.page(
            "reports.html",
            clients=found.clients,
            months=sorted({*found.months, str(month)}, reverse=True),
            client="" if found.figures is None else found.figures.client,
            month=str(month),
            other=other,
            report=report,
            compared=compared,
            problem=problem,
        )

    async def csv(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/reports/csv"""
        month = month_asked_for(visit, self._timezone)
        found = await self._read(visit, month)
        if found.figures is None:
            raise not_here()
        try:
            owed = bill(found.figures, found.agency, with_vat=True)
        except NoRate as error:
            raise not_here() from error
        await self._audit(visit, found, "exported")
        name = quote(f"{found.figures.client}-{month}.csv", safe="")
        return web.Response(
            # With its mark, spreadsheets read it as UTF-8.
            body=report_csv(found.figures, owed, Words(visit.language)).encode("utf-8-sig"),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    async def conversations(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/reports/conversations: those whose messages a figure counts."""
        client, month, figure = visit.query("client"), month_asked_for(visit, self._timezone), visit.query("figure")
        number = page_number(visit)
        clients_of(visit)
        if not is_figure(figure):
            raise not_here()
        span = month.year, month.number
        found = await self._database.read(behind_figure, client, *span, self._timezone, figure)
        if found is None:
            raise not_here()
        name, behind = found
        counts = {one.id: one.messages for one in behind[number * LISTED : (number + 1) * LISTED]}
        shown = await self._database.read_traced(summaries_by, visit.actor, client, list(counts), f"report {month}")
        return visit.page(
            "behind.html",
            client=client,
            name=name,
            month=str(month),
            words=Words(visit.language).month(month),
            figure=figure,
            total=len(behind),
            messages=sum(one.messages for one in behind),
            counts=counts,
            conversations=shown,
            number=number,
            has_more=len(behind) > (number + 1) * LISTED,
        )

    async def _audit(self, visit: OperatorVisit, found: MonthFound, action: str) -> None:
        if found.figures is not None:
            await self._database.write_unhurried(record, visit.actor, report_entry(found.figures, action))

    async def _read(self, visit: OperatorVisit, month: Month) -> MonthFound:
        """What the store has. Raises Declined for a client that is not one of the operator's, or is not known."""
        is_asked_for = clients_of(visit) is not None and visit.query("client") != ""
        found = await self._months.read(visit.query("client"), visit.clients, month)
        if is_asked_for and found.figures is None:
            raise not_here()
        return found


def report_entry(figures: Figures, action: str) -> Entry:
    """For the audit: that a report was read, or exported."""
    return Entry(action, "report", figures.client, figures.client, fields=[str(figures.month)])


def month_asked_for(visit: Visit, timezone: str, name: str = "month") -> Month:
    """`?month=`, the present one without it; raises Declined for another text, and for one to come."""
    now, asked = datetime.now(UTC), visit.query(name)
    try:
        return parsed_month(asked, now) if asked else present_month(now, ZoneInfo(timezone))
    except BadMonth as error:
        raise not_here() from error
