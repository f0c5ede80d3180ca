"""Plans and applies: what `reconcile` would do, as it was recorded last, and who applied what. Applying stays in git
and CI; nothing here changes what a manifest declares.

The plan itself is a page of its own, made by `reconcile`. It is shown in a frame, under a policy that runs nothing,
loads nothing and leads nowhere: whatever was recorded there, it can only be read.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from runtime.console.applies import shown_run
from runtime.console.clients import COMMANDS
from runtime.console.forge import Forge
from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, not_here
from runtime.console.paging import clients_of
from runtime.console.site import HEADERS
from runtime.store import reconcile_reports, reconcile_state
from runtime.store.audit import Entry, audited
from runtime.store.database.database import Database
from runtime.store.reconcile_reports import ReportOfFleet
from schemas.reconcile_reports import ReportKind

PATH: Final = f"{HOME}/plans"
DOCUMENT: Final = f"{PATH}/document"
FRAME_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
SHOWN_RUNS: Final = 20
SHOWN_CLIENTS: Final = 50
RUN_ID: Final = re.compile(r"[0-9a-f]{32}|")


class PlanPages:
    """Handlers of /console/plans."""

    def __init__(self, database: Database, forge: Forge, timezone: str) -> None:
        self._database = database
        self._forge = forge
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [OperatorPage("GET", PATH, self.show), OperatorPage("GET", DOCUMENT, self.document)]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/plans, with `?run=` the plan of an apply in place of the last one."""
        clients, run = clients_of(visit), _run_id(visit)
        recorded = await self._database.read(reconcile_reports.of_fleet)
        plan = next((one for one in recorded if one.recording.kind == "plan"), None)
        documents = {one.recording.run for one in recorded if one.recording.kind == "apply" and one.has_document}
        applies = [
            shown_run(one, clients, documents)
            for one in await self._database.read(reconcile_state.list_runs, SHOWN_RUNS)
        ]
        sees_all = visit.clients is None  # as the document has all clients
        chosen = next((one.run for one in applies if run and one.run.id == run and one.has_document), None)
        if run and not (sees_all and chosen):
            raise not_here()
        response = visit.page(
            "plans.html",
            plan=plan,
            runs=[one for one in applies if clients is None or one.clients],
            pending=await self._database.read(reconcile_reports.pending, clients, SHOWN_CLIENTS),
            client=visit.query("client"),
            run=chosen,
            document=_document(plan, run) if sees_all else None,
            sees_all=sees_all,
            command=COMMANDS["plan"],
            forge=self._forge,
            zone=self._timezone,
        )
        response.headers["Content-Security-Policy"] = f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"
        return response

    async def document(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/plans/document: the plan as HTML, which is of all clients."""
        run = _run_id(visit)
        if visit.clients is not None:
            raise not_here()
        kind: ReportKind = "apply" if run else "plan"
        entry = Entry("read", "plan", run or "last")
        text = await self._database.read_traced(audited, visit.actor, entry, reconcile_reports.document, kind, run)
        if text is None:
            raise not_here()
        response = web.Response(text=text, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = FRAME_POLICY
        response.enable_compression()  # it holds no secret and nothing of the request, so its length tells nothing
        return response


def _document(plan: ReportOfFleet | None, run: str) -> str | None:
    """The address of what the frame shows; None where there is none."""
    if run:
        return f"{DOCUMENT}?run={run}"
    return DOCUMENT if plan is not None and plan.has_document else None


def _run_id(visit: OperatorVisit) -> str:
    """`?run=`, "" without it; raises Declined for another text."""
    run = visit.query("run")
    if RUN_ID.fullmatch(run) is None:
        raise not_here()
    return run
