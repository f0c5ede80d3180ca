"""`--report`: what a command found is recorded in the bot store, where the console shows it with its age.

A failure to record is a warning and changes no exit code: what the command is for was done.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final, Literal

from reconciler.commit import manifests_commit
from reconciler.doctor.link import Link
from reconciler.manifest import Manifest
from reconciler.model import Outcome, Plan
from reconciler.observation.live_state import LiveState
from reconciler.observation.sources import store_exists
from reconciler.planning.digest import digest
from reconciler.settings import Settings
from reconciler.status.checklist import Box
from reconciler.status.reports import plan_counts, plan_reports
from reconciler.streams import print_notice
from runtime.store.client.writer import open_writer
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from schemas.reconcile_reports import (
    DOCUMENT_BYTES,
    MOST_BOXES,
    MOST_CASES,
    MOST_CLIENTS,
    MOST_LINKS,
    CheckedLink,
    ChecklistBox,
    FoundOfClient,
    RecordedReport,
    TriedCase,
    cut,
)
from terminal.person import user_at_host

if TYPE_CHECKING:  # needs what cases are tried with
    from reconciler.trying.results import CaseResult

PART_BYTES: Final = 240 * 1024
"""What clients may take of one request, beside the document: the API accepts 1 MiB."""


def record_plan(
    kind: Literal["plan", "apply", "drift"],
    settings: Settings,
    plan: Plan,
    manifests: Iterable[Manifest],
    *,
    live_state: LiveState | None = None,
    outcomes: Sequence[Outcome] | None = None,
    run: str | None = None,
    is_whole_run: bool = False,
) -> None:
    """Records a plan, or an apply with its outcomes. `is_whole_run`: with the whole plan as HTML."""
    from reconciler.commands.printing import rendered

    clients = plan_reports(plan, manifests, live_state, outcomes or ())
    document = rendered(plan, "html", outcomes) if is_whole_run else None
    report = RecordedReport(
        kind=kind,
        at=timestamp(time.time()),
        actor=user_at_host(),
        commit=manifests_commit(),
        digest=digest(plan),
        run=run,
        counts=plan_counts(plan),
        is_whole_run=is_whole_run,
        document=document if document is not None and len(document.encode()) <= DOCUMENT_BYTES else None,
    )
    _record(report, clients, settings)


def record_links(settings: Settings, client: str, links: Sequence[Link]) -> None:
    """Records what `doctor` found."""
    is_broken = any(link.ok is False for link in links)
    checked = [
        CheckedLink(name=cut(link.name), ok=link.ok, says=cut(link.says), fix=cut(link.fix))
        for link in links[:MOST_LINKS]
    ]
    found = FoundOfClient(state="broken" if is_broken else "intact", links=checked)
    _record(_report("doctor"), {client: found}, settings)


def record_cases(settings: Settings, cases: Iterable[CaseResult]) -> None:
    """Records what `test` found, of each client that has cases."""
    of_client: dict[str, list[CaseResult]] = {}
    for case in cases:
        of_client.setdefault(case.client, []).append(case)
    _record(_report("test"), {client: _tried(own) for client, own in of_client.items()}, settings)


def record_boxes(settings: Settings, client: str, sections: Mapping[str, Sequence[Box]]) -> None:
    """Records a checklist."""
    boxes = [
        ChecklistBox(section=cut(title), is_ticked=box.is_ticked, text=cut(box.text))
        for title, found in sections.items()
        for box in found
    ][:MOST_BOXES]
    state = "done" if all(box.is_ticked for box in boxes) else "open"
    _record(_report("checklist"), {client: FoundOfClient(state=state, boxes=boxes)}, settings)


def _tried(cases: Sequence[CaseResult]) -> FoundOfClient:
    states = {case.state for case in cases}
    worst = next(state for state in ("red", "flaky", "unjudged", "green") if state in states)
    shown = sorted(cases, key=lambda case: case.state == "green")[:MOST_CASES]
    return FoundOfClient(
        state=worst,
        cases=[
            TriedCase(name=cut(case.name), state=case.state, reasons=[cut(why) for why in case.reasons[:1]])
            for case in shown
        ],
        left_out=len(cases) - len(shown),
    )


def _report(kind: Literal["doctor", "test", "checklist"]) -> RecordedReport:
    return RecordedReport(kind=kind, at=timestamp(time.time()), actor=user_at_host(), commit=manifests_commit())


def _record(report: RecordedReport, clients: Mapping[str, FoundOfClient], settings: Settings) -> None:
    try:
        if not store_exists(settings):
            print_notice("warning: There is no bot store yet, so the result is not recorded.")
            return
        with closing(open_writer(settings.bot_store_url, settings.api_token)) as store:
            for part in _parts(report, clients):
                store.record_report(_without_secrets(part, settings.own_secrets))
    except StoreError as error:
        print_notice(f"warning: The result is not recorded for the console: {error}")


def _parts(report: RecordedReport, clients: Mapping[str, FoundOfClient]) -> Iterator[RecordedReport]:
    """The report as requests that the API accepts. The first one has the document."""
    part: dict[str, FoundOfClient] = {}
    size = 0
    for client, found in clients.items():
        bytes_of_client = len(found.model_dump_json().encode())
        if part and (size + bytes_of_client > PART_BYTES or len(part) == MOST_CLIENTS):
            yield report.model_copy(update={"clients": part})
            report, part, size = report.model_copy(update={"document": None, "is_whole_run": False}), {}, 0
        part[client] = found
        size += bytes_of_client
    yield report.model_copy(update={"clients": part})


def _without_secrets(report: RecordedReport, secrets: Mapping[str, str]) -> RecordedReport:
    """The report with the name of its variable in place of each of the installation's own credentials, should a
    provider's error have repeated one."""
    text = report.model_dump_json()
    for value, variable in secrets.items():
        for written in {json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(html.escape(value))[1:-1]}:
            text = text.replace(written, f"[{variable}]")
    return RecordedReport.model_validate_json(text)
