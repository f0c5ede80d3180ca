"""Tries cases of many clients at once: within a number of calls at a time and a budget, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from reconciler.errors import ReconcileError
from reconciler.manifest import Manifest
from reconciler.manifest.cases import DeclaredCase
from reconciler.settings import Settings
from reconciler.trying.candidate import Candidate, NotTriable, candidate
from reconciler.trying.conversation import tried
from reconciler.trying.documents import TemporaryStores
from reconciler.trying.model import ModelProvider, RecordedModel
from reconciler.trying.recordings import Recordings
from reconciler.trying.results import CaseResult, CaseRun, RunResult
from runtime.turns.trial import Trials
from schemas.tariffs import Tariffs

OPENAI: str = "api.openai.com"
CONCURRENCY: int = 8
BUDGET: float = 1.0
"""USD that one run may spend, where nothing else is said."""
DEADLINE_SECONDS: float = 60.0
"""After which an answer is given up that fails for a passing reason."""

Progress = Callable[[CaseResult], None]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How cases are tried."""

    names: Collection[str] = ()
    """Of the cases that are tried; all without any."""
    repeat: int = 1
    calls: bool = False
    """Whether the provider is asked for what is not recorded."""
    records: bool = False
    """Whether its answers are recorded; recordings of the clients that no case asks for are removed then."""
    concurrency: int = CONCURRENCY
    budget: float = BUDGET
    model: str | None = None
    """That answers instead of each client's own."""


@dataclass(slots=True)
class TriedAssistant:
    """An assistant, and the cases that it is tried with."""

    candidate: Candidate
    cases: Sequence[DeclaredCase]
    recordings: Recordings
    pending: dict[tuple[str, int], asyncio.Task[dict[str, Any]]] = field(default_factory=dict)


async def run(
    manifests: Sequence[Manifest],
    settings: Settings,
    tariffs: Tariffs,
    options: RunOptions,
    progress: Progress = lambda _: None,
) -> RunResult:
    """Tries the cases of these clients. Raises ReconcileError where nothing can be tried."""
    entries: list[TriedAssistant] = []
    skipped: list[tuple[str, str]] = []
    for manifest in manifests:
        cases = [case for case in manifest.cases if not options.names or case.name in options.names]
        try:
            found = candidate(manifest, settings, options.model) if cases else None
        except NotTriable as error:
            skipped.append((manifest.client.id, str(error)))
            continue
        if found is not None:
            folder = settings.clients_dir / manifest.client.id
            entries.append(TriedAssistant(found, cases, Recordings([folder], settings.own_secrets)))
    return await run_entries(entries, settings, tariffs, options, skipped, progress)


async def run_entries(
    entries: Sequence[TriedAssistant],
    settings: Settings,
    tariffs: Tariffs,
    options: RunOptions,
    skipped: Sequence[tuple[str, str]] = (),
    progress: Progress = lambda _: None,
) -> RunResult:
    """Tries every case of these assistants, in their order; an assistant may be there in several versions. Raises
    ReconcileError where nothing can be tried."""
    if options.calls and not settings.openai_api_key:
        raise ReconcileError("OPENAI_API_KEY is not set; it is needed for answers that are not recorded.")
    silence()
    began = time.monotonic()
    trials = Trials(tariffs, base_url=settings.openai_base_url, api_key=settings.openai_api_key)
    stores = TemporaryStores(settings)
    for entry in entries:
        stores.add(entry.candidate)
    provider = _provider(trials, stores, settings, options)
    try:
        cases = [_case(entry, case, provider, trials, options, progress) for entry in entries for case in entry.cases]
        results = await asyncio.gather(*cases)
    finally:
        await stores.close()
        if provider is not None:
            await provider.api.close()
        trials.close()
    # A case that stopped halfway has not asked for all of its recordings.
    is_whole = options.records and not options.names and all(result.state != "unjudged" for result in results)
    removed = sum(entry.recordings.remove_unused() for entry in entries) if is_whole else 0
    spent = (provider.calls, provider.nano_usd, provider.unpriced) if provider is not None else (0, 0, 0)
    return RunResult(results, skipped, *spent, time.monotonic() - began, removed)


def _provider(trials: Trials, stores: TemporaryStores, settings: Settings, options: RunOptions) -> ModelProvider | None:
    if not options.calls:
        return None
    slots = asyncio.Semaphore(options.concurrency)
    server = server_of(settings.openai_base_url)
    return ModelProvider(trials.server(), trials, stores, settings.secret, slots, options.budget, server)


async def _case(
    entry: TriedAssistant,
    case: DeclaredCase,
    provider: ModelProvider | None,
    trials: Trials,
    options: RunOptions,
    progress: Progress,
) -> CaseResult:
    runs = await asyncio.gather(
        *(_run(entry, case, run, provider, trials, options) for run in range(1, options.repeat + 1))
    )
    result = CaseResult(entry.candidate.client, case.name, case.place, runs)
    progress(result)
    return result


async def _run(
    entry: TriedAssistant,
    case: DeclaredCase,
    run: int,
    provider: ModelProvider | None,
    trials: Trials,
    options: RunOptions,
) -> CaseRun:
    model = RecordedModel(
        entry.candidate.client, run, entry.recordings, provider, options.records, pending=entry.pending
    )
    return await tried(entry.candidate, case, model, trials)


def server_of(base_url: str) -> str | None:
    """The host that answers; None for OpenAI's own."""
    host = urlsplit(base_url).hostname
    return None if host == OPENAI else host


def silence() -> None:
    """Drops the runtime's log, which is for operators of a service: what concerns a case is in its result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
