"""What a killed apply is compared with: the same work, done in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

Step = Callable[[Agency], None]
FORCED = ("--yes", "--allow-empty", "--max-delete-percent", "100", "--max-deletes", "100")


@dataclass(frozen=True, slots=True)
class Work:
    """Something for an apply to do: what was applied before, and what is declared now."""

    before: Step
    now: Step


def begin(agency: Agency, work: Work) -> None:
    """An installation in which the work is declared and not yet applied, whatever was there."""
    agency.renew()
    agency.sandbox.settings(update_seconds=0)
    work.before(agency)
    if any(agency.manifests()):
        agency.apply()
    work.now(agency)


def in_one_go(agency: Agency, work: Work) -> tuple[Json, Sequence[Json]]:
    """The result without a kill, and the calls that it takes."""
    begin(agency, work)
    seen = agency.sandbox.ledger()[-1]["n"] + 1
    assert agency.reconcile(*FORCED).code == 0
    calls = agency.sandbox.ledger(since=seen, kind="call")
    return picture(agency), calls


def killed_at_call(agency: Agency, work: Work, fault: Json) -> None:
    """Begin, and kill -9 the command while the call that the fault picks is unanswered."""
    begin(agency, work)
    agency.sandbox.faults({**fault, "seconds": 5})
    running = agency.start(*FORCED)
    agency.await_fault()
    running.kill()
    assert running.wait().code == -9
    agency.sandbox.faults()


def killed_at_commit(agency: Agency, work: Work, number: int) -> bool:
    """Begin, and kill -9 the command before its commit of this number. False when it has fewer."""
    begin(agency, work)
    return agency.killed_at("commit", number, *FORCED)


BY_SID = ("contents", "template_sids")
"""Parts of a policy that differ between one run and another by the ids in them."""


def converges(agency: Agency, expected: Json) -> None:
    """The next run goes through and leaves what one go would have left; the one after it has nothing to do."""
    result = agency.reconcile(*FORCED)
    assert result.code == 0, result.said
    assert agency.plan("--allow-empty")["changes"] == []
    assert picture(agency) == expected


def picture(agency: Agency) -> Json:
    """Everything live without ids and dates, which differ between one run and another."""
    assistants = {assistant["id"]: assistant for assistant in (*agency.assistants(), *agency.agents())}
    shown = ("name", "model", "instructions", "tools", "metadata")
    names = {sender["sid"]: number for number, sender in agency.senders().items()} | {
        key: assistant["name"] for key, assistant in assistants.items()
    }
    stores = {store["id"]: store["name"] for store in agency.openai("GET", "/vector_stores?limit=100")["data"]}
    names |= stores
    snapshot = agency.snapshot()
    return {
        "assistants": sorted(({key: assistant[key] for key in shown} for assistant in assistants.values()), key=str),
        "senders": {number: (sender["webhook"], sender["profile"]) for number, sender in agency.senders().items()},
        "bots": [
            replace(
                bot,
                assistant_id=names.get(bot.assistant_id, bot.assistant_id),
                policy={key: sorted(value) if key in BY_SID else value for key, value in bot.policy.items()},
                version=0,
                created_at="",
                updated_at="",
            )
            for bot in snapshot.bots
        ],
        "records": [
            replace(record, tools=_named(record.tools, stores), version=0, created_at="", updated_at="")
            for record in snapshot.assistants
        ],
        "templates": agency.templates(),
        "documents": agency.documents(),
        "uploads": agency.uploads(),
        "applied": [
            (record.client, record.kind, names.get(record.live_id, record.live_id)) for record in snapshot.applied
        ],
    }


def _named(tools: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tools with the names of vector stores in the place of their ids."""
    return [
        {**tool, "vector_store_ids": [names[key] for key in tool["vector_store_ids"]]}
        if "vector_store_ids" in tool
        else dict(tool)
        for tool in tools
    ]
