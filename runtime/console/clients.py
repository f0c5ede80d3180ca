"""A client: what is declared of it, as it was applied and as it was seen last; what plan, drift, doctor, tests and
checklist found, each with its age; what it costs, keeps and compares. Nothing here changes what a manifest declares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from runtime.console.applies import shown_run
from runtime.console.fleet import judged, spent_percent
from runtime.console.forge import Forge
from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, not_here
from runtime.store.console import client
from runtime.store.console.client import AppliedResource, CanaryFacts, ClientFacts, VariantFigures
from runtime.store.database.database import Database
from runtime.store.reconcile_reports import ReportOfClient
from schemas.data_policy import Retention
from schemas.reconcile_reports import FoundOfClient, ReportKind, SeenChange, SeenTemplate

PATH: Final = f"{HOME}/clients"
KINDS: Final = ("knowledge", "template", "assistant", "content", "bot", "sender")
"""The kinds of a client's live objects, in the order in which they are applied."""
SEEN_BY: Final[Sequence[ReportKind]] = ("plan", "drift", "apply")
"""Reports of runs that looked at all live objects of a client."""
VALUE_CHARACTERS: Final = 3_000
COMMANDS: Final[Mapping[ReportKind, str]] = {
    "plan": "reconcile --dry-run --report",
    "drift": "reconcile drift --report",
    "apply": "reconcile --report",
    "doctor": "reconcile doctor {client} --report",
    "test": "reconcile test {client} --report",
    "checklist": "reconcile status --checklist {client} --report",
}
"""What records a report of each kind."""
ENOUGH_TURNS: Final = 30
"""Turns of each variant from which on they are compared in words."""


@dataclass(frozen=True, slots=True)
class ShownResource:
    """A live object with what is known of it."""

    kind: str
    applied: AppliedResource | None
    values: str
    """As applied, for people."""
    changes: Sequence[SeenChange]
    """In what it differs, as it was last seen."""


class ClientPages:
    """Handler of /console/clients/{id}."""

    def __init__(self, database: Database, forge: Forge, timezone: str) -> None:
        self._database = database
        self._forge = forge
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [OperatorPage("GET", f"{PATH}/{{id}}", self.show)]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/clients/{id}"""
        label = visit.request.match_info["id"]
        if not visit.operator.sees(label):
            raise not_here()
        found = await self._database.read_traced(client.read_by, visit.actor, label, datetime.now(UTC).date())
        if found is None:
            raise not_here()
        seen = newest_look(found.reports)
        return visit.page(
            "client.html",
            facts=found,
            line=judged(found.row),
            percent=spent_percent(found.month),
            resources=list(resources(found, seen)),
            seen=seen,
            templates=_templates(found),
            documents=_documents(found),
            retention=_retention(found),
            canary=found.canary,
            reading=compared(found.canary),
            runs=[shown_run(run, [label], set()) for run in found.runs],
            commands={kind: command.format(client=label) for kind, command in COMMANDS.items()},
            manifest=self._forge.manifest(found.bot.managed_by),
            edit=self._forge.edit(found.bot.managed_by),
            forge=self._forge,
            zone=found.policy.timezone or self._timezone,
        )


def newest_look(reports: Mapping[ReportKind, ReportOfClient]) -> ReportOfClient | None:
    """The last report of a run that looked at all live objects; None without one."""
    found = [reports[kind] for kind in SEEN_BY if kind in reports]
    return max(found, key=lambda one: one.recording.at, default=None)


def resources(facts: ClientFacts, seen: ReportOfClient | None) -> Iterator[ShownResource]:
    """The client's live objects in the order in which they are applied."""
    changes = seen.found.changes if seen is not None and seen.found is not None else []
    for kind in KINDS:
        applied = facts.applied.get(kind)
        left = [change for change in changes if change.kind == kind and change.status != "applied"]
        if applied is not None or left:
            yield ShownResource(kind, applied, _values(applied), left)


def compared(canary: CanaryFacts | None) -> Mapping[str, str]:
    """In a word each, how a canary's shares stand beside the assistant's: better, worse, same, or few turns."""
    if canary is None:
        return {}
    words = {}
    for name in ("failed", "handoffs"):
        one, other = (_share(figures, name) for figures in (canary.canary, canary.stable))
        if min(canary.canary.turns, canary.stable.turns) < ENOUGH_TURNS:
            words[name] = "few"
        else:
            words[name] = "same" if abs(one - other) < 0.01 else "better" if one < other else "worse"
    return words


def _share(figures: VariantFigures, name: str) -> float:
    return int(getattr(figures, name)) / figures.turns if figures.turns else 0.0


def _values(applied: AppliedResource | None) -> str:
    if applied is None or applied.values is None:
        return ""
    text = json.dumps(applied.values, ensure_ascii=False, indent=2)
    return text.replace("\\n", "\n")[:VALUE_CHARACTERS]


def _report_with(facts: ClientFacts, is_there: Callable[[FoundOfClient], bool]) -> FoundOfClient | None:
    """The newest look at live objects that has something."""
    found = [facts.reports[kind] for kind in SEEN_BY if kind in facts.reports]
    for one in sorted(found, key=lambda report: report.recording.at, reverse=True):
        if one.found is not None and is_there(one.found):
            return one.found
    return None


def _templates(facts: ClientFacts) -> list[tuple[str, str, str, SeenTemplate | None]]:
    """Name, category and text of each declared template, and what Meta said about it last."""
    report = _report_with(facts, lambda found: bool(found.templates))
    said = {one.name: one for one in report.templates} if report is not None else {}
    declared = facts.policy.templates or {}
    return [(name, one.category, one.body, said.get(name)) for name, one in declared.items()]


def _documents(facts: ClientFacts) -> tuple[list[str], FoundOfClient | None]:
    """The documents that are searched, as applied, and the last report of how they are indexed."""
    knowledge = facts.applied.get("knowledge")
    files = (knowledge.values or {}).get("files") if knowledge is not None else None
    names = sorted(files)[:100] if isinstance(files, Mapping) else []
    return names, _report_with(facts, lambda found: found.documents is not None)


def _retention(facts: ClientFacts) -> list[tuple[str, str]]:
    """What is kept how long, as declared."""
    declared = facts.policy.data.retention if facts.policy.data is not None else None
    if not isinstance(declared, Retention):
        return []
    return [(name, str(value)) for name, value in declared.model_dump(exclude_none=True).items()]
